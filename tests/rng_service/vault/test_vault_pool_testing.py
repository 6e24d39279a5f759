"""A pool whose commitment names a plan: the vault tests it, and opens it only behind its own pass in the log."""

import dataclasses
import json
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from repeating_keystream import RepeatingKeystream
from vault_world import POOL, Log, activate_entry, commit_entry, draw, new_vault, open_vault, void

from rng_service.log_entries import PoolTest, parse_entry
from rng_service.pools import slots
from rng_service.pools.plans import BUILT_IN_PLAN, TestPlan
from rng_service.pools.slots import slot_leaves, slot_root, slot_secrets
from rng_service.vault.core import Vault
from rng_service.vault.errors import VaultRefusedError
from rng_service.vault.pool_testing import PoolVerdict, statement

PLAN = BUILT_IN_PLAN.to_bytes()
DEFINITION = json.dumps({"programs": {"main": {"steps": [{"step": "uniform", "n": 37}]}}}).encode()
SIZE = 64


class Story:
    """One pool, committed to with a plan and activated in the signed log."""

    def __init__(self, vault, *, plan=BUILT_IN_PLAN.digest):
        self.vault = vault
        self.log = Log()
        leaves = vault.seal(POOL, SIZE, "independent").leaves
        fields = {"game_digest": sha256(DEFINITION).hexdigest(), "test_plan": plan.hex()}
        self.commit_entry = commit_entry(POOL, leaves, **fields)
        self.commit_index = self.log.append(self.commit_entry)
        self.activation_entry = activate_entry(self.commit_entry, self.commit_index)
        self.activation_index = self.log.append(self.activation_entry)
        self.log.sign(vault)

    @property
    def commit(self):
        return self.log.prove(self.commit_entry, self.commit_index)

    @property
    def activation(self):
        return self.log.prove(self.activation_entry, self.activation_index)

    def test(self, plan=PLAN, definition=DEFINITION) -> PoolVerdict:
        return self.vault.test_pool(POOL, self.commit, self.activation, plan, definition)

    def entry(self, found, /, **changes) -> PoolTest:
        made = PoolTest(
            origin=self.vault.origin,
            time_us=1,
            pool=POOL,
            plan=BUILT_IN_PLAN.digest,
            verdict=found.verdict,
            test=found.test or None,
            key_id=bytes.fromhex(found.key_id),
            signature=found.signature,
        )
        return dataclasses.replace(made, **changes)

    def logged(self, entry: PoolTest):
        index = self.log.append(entry.to_bytes())
        self.log.sign(self.vault)
        return self.log.prove(entry.to_bytes(), index)

    def activate(self, test=None):
        self.vault.activate(POOL, self.commit, self.activation, test)


@pytest.fixture
def vault(tmp_path):
    made = new_vault(tmp_path / "vault")
    yield made
    made.close()


@pytest.fixture
def bad_keystream(monkeypatch, tmp_path):
    monkeypatch.setattr(slots, "slot_secrets_range", RepeatingKeystream(tmp_path / "keys", {0}))


def refused(vault: Vault, *openings):
    return [refusal for _, refusal in vault.open_group(list(openings), [], sign=False).openings]


def reason_of(call, *arguments):
    with pytest.raises(VaultRefusedError) as caught:
        call(*arguments)
    return caught.value.reason


def test_a_pool_that_passed_is_opened_behind_its_pass_in_the_log(vault):
    story = Story(vault)
    verdict = story.test()
    assert (verdict.verdict, verdict.test) == ("pass", "")
    assert refused(vault, draw(0)) == ["pool-not-active"]
    story.activate(story.logged(story.entry(verdict)))
    assert refused(vault, draw(0)) == [""]


def test_the_verdict_is_signed_by_the_receipt_key_over_commitment_plan_and_outcome(vault):
    story = Story(vault)
    verdict = story.test()
    (key,) = [key for key in vault.receipt_keys.listed if key.key_id == verdict.key_id]
    commit, activation = parse_entry(story.commit_entry), parse_entry(story.activation_entry)
    message = statement(story.commit_entry, commit, activation, "pass", "")
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(verdict.signature, message)


def test_asking_again_gives_the_same_verdict(vault):
    story = Story(vault)
    assert story.test() == story.test()


def test_a_pool_that_names_a_plan_is_not_opened_without_a_test(vault):
    story = Story(vault)
    story.test()
    assert reason_of(story.activate) == "test-mismatch"
    assert refused(vault, draw(0), void(1)) == ["pool-not-active", "pool-not-active"]


def test_a_pool_that_failed_is_never_opened_for_draws_and_its_key_is_given_to_everybody(vault, bad_keystream):
    story = Story(vault)
    verdict = story.test()
    assert (verdict.verdict, verdict.test) == ("fail", "repeats")
    logged = story.logged(story.entry(verdict))
    assert reason_of(story.activate, logged) == "test-mismatch"
    assert refused(vault, draw(0)) == ["pool-not-active"]
    key = vault.void(POOL, story.commit)
    secrets = slot_secrets(key.reveal_secret(), SIZE)
    assert slot_root(slot_leaves(POOL, secrets)).hex() == json.loads(story.commit_entry)["slot_root"]
    assert reason_of(story.test) == "pool-ended"


def test_a_failure_that_is_told_as_a_pass_is_refused(vault, bad_keystream):
    story = Story(vault)
    told = story.entry(story.test(), verdict="pass", test=None)
    assert reason_of(story.activate, story.logged(told)) == "test-mismatch"


@pytest.mark.parametrize(
    "changes",
    [
        {"pool": "test/roulette/1/main/real/0/2"},
        {"plan": bytes(32)},
        {"origin": "other/test"},
        {"signature": bytes(64)},
        {"key_id": bytes(8)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_test_of_something_else_is_refused(vault, changes):
    story = Story(vault)
    other = story.entry(story.test(), **changes)
    assert reason_of(story.activate, story.logged(other)) == "test-mismatch"


def test_an_entry_of_another_type_is_no_test(vault):
    story = Story(vault)
    assert reason_of(story.activate, story.activation) == "test-mismatch"


def test_another_vaults_pass_is_refused(vault, tmp_path):
    story = Story(vault)
    story.test()
    other = new_vault(tmp_path / "other")
    theirs = story.entry(Story(other).test())
    other.close()
    assert reason_of(story.activate, story.logged(theirs)) == "test-mismatch"


def test_a_test_in_front_of_the_activation_is_refused(vault):
    story = Story(vault)
    entry = story.entry(story.test())
    index = story.log.append(entry.to_bytes())
    # The same activation again, behind the test.
    story.activation_index = story.log.append(story.activation_entry)
    story.log.sign(vault)
    assert reason_of(story.activate, story.log.prove(entry.to_bytes(), index)) == "test-mismatch"


def test_a_test_that_is_not_in_the_signed_log_is_refused(vault):
    story = Story(vault)
    entry = story.entry(story.test())
    logged = story.logged(entry)
    assert reason_of(story.activate, logged._replace(index=logged.index - 1)) == "test-mismatch"
    assert reason_of(story.activate, logged._replace(inclusion_proof=[])) == "test-unproven"


@pytest.mark.parametrize(
    ("plan", "definition", "reason"),
    [
        (TestPlan(error_bits=41).to_bytes(), DEFINITION, "plan-mismatch"),
        (PLAN, DEFINITION + b" ", "definition-mismatch"),
    ],
)
def test_other_documents_than_the_committed_ones_are_refused(vault, plan, definition, reason):
    story = Story(vault)
    assert reason_of(story.test, plan, definition) == reason


def test_a_plan_that_is_none_is_refused_although_the_commitment_names_it(vault):
    story = Story(vault, plan=sha256(b"{}").digest())
    assert reason_of(story.test, b"{}") == "plan-mismatch"


def test_a_pass_of_before_a_rotation_still_counts(vault):
    story = Story(vault)
    logged = story.logged(story.entry(story.test()))
    vault.rotate_receipt_key()
    story.activate(logged)
    assert refused(vault, draw(0)) == [""]


def test_a_restart_between_test_and_activation_asks_for_the_pass_again(tmp_path):
    first = new_vault(tmp_path / "vault")
    story = Story(first)
    verdict = story.test()
    logged = story.logged(story.entry(verdict))
    first.close()
    story.vault = open_vault(tmp_path / "vault")
    assert refused(story.vault, draw(0)) == ["pool-not-active"]
    assert reason_of(story.activate) == "test-mismatch"
    assert story.test() == verdict
    story.activate(logged)
    story.vault.close()
    again = open_vault(tmp_path / "vault")
    # What was proven once is in the journal.
    assert refused(again, draw(0)) == [""]
    again.close()
