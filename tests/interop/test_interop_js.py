"""The verifier in JavaScript, which was written from the documents alone, against what our library makes."""

import json
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from deal_story import tell_deals
from operator_simulator import Operator, tell

from rng_service.beacon.chain import QUICKNET
from rng_service.pools.plans import BUILT_IN_PLAN

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "rng_service" / "verify"))

SCRIPTS = TESTS / "interop" / "js"
PROTOCOL = TESTS / "vectors" / "protocol"
REJECTED = PROTOCOL / "rejected"
EXPECTED = json.loads((REJECTED / "expected.json").read_bytes())
NODE = shutil.which("node")
BETS = {
    "dice-99": {"bet": "over", "threshold": 4000},
    "european-roulette": {"bet": "red"},
    "fruit-lines": {"bet": "spin"},
    "keno-80": {"bet": "pick", "numbers": [1, 20, 33, 47, 80]},
}
OLDEST_NODE = 18
# The forged receipts of the auditor's catalogue; whole logs and exports are not for a receipt's verifier.
FORGED = [
    item
    for name in ("test_forgeries", "test_forgeries_of_order")
    for item in import_module(name).CATALOGUE
    if item.values[1].partition(" ")[0] not in {"log", "export", "partial"}
]

FORGED_DEALS = [item for item in import_module("test_forgeries_of_deals").CATALOGUE if item.values[2] == "receipt"]


# What the verifier in JavaScript calls the reasons of our auditor, where it has no word of its own for them, or where
# it calls a forgery by its kind.
NAMES = {
    "DigestOfMoreRecordsThanAnybodyReads": "digest-size",
    "PromisesThatNeverFallDue": "config-bounds",
    "beacon-chain": "beacon",
    "beacon-round-early": "beacon",
    "digest-twice": "digest",
    "game-file": "game",
    "inclusion": "malformed",
    "opening-key": "receipt-key",
    "opening-path": "malformed",
    "opening-signature": "signature",
    "payouts": "payout",
    "promise-broken": "merge-delay",
    "receipt-activation": "activate",
    "receipt-commit": "commit",
    "receipt-origin": "origin",
    "slot-root": "slot",
    "ticket-hash": "ticket",
    "ticket-holder": "ticket",
    "ticket-missing": "ticket",
    "ticket-seed": "seed",
    "ticket-slot": "ticket",
}


def _node_version():
    if NODE is None:
        return 0
    told = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    return int(told.removeprefix("v").split(".")[0])


pytestmark = pytest.mark.skipif(
    _node_version() < OLDEST_NODE, reason=f"needs node {OLDEST_NODE} or later to run the JavaScript verifier"
)


def run(script, *arguments):
    return subprocess.run([NODE, SCRIPTS / script, *arguments], capture_output=True, text=True, check=False, timeout=60)


def verify(receipt, directory=PROTOCOL / "public", key=PROTOCOL / "log.vkey", *, now_us=None):
    clock = [] if now_us is None else ["--now", str(now_us)]
    done = run("verify_receipt.mjs", receipt, "--log", directory, "--key", key, *clock)
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("name", ["ticket", "ticketed", "one-step", "batch"])
def test_the_receipts_of_the_worked_example_are_accepted(name):
    path = PROTOCOL / "receipts" / f"{name}.json"
    status, verdict, _ = verify(path)
    assert (status, verdict["verified"], verdict["standing"]) == (0, True, "included")
    assert verdict["protection"] == json.loads(path.read_bytes())["protection"]
    assert verdict["beacon_chain"] == QUICKNET.chain_hash.hex()


def test_what_is_not_checked_is_said_aloud():
    _, verdict, told = verify(PROTOCOL / "receipts" / "batch.json")
    assert verdict["not_checked"] == ["the BLS signature of the beacon round"]
    assert "NOT CHECKED: the BLS signature of the beacon round" in told


@pytest.mark.parametrize("item", EXPECTED, ids=lambda item: item["file"].removesuffix(".json"))
def test_each_lie_is_refused_in_its_step(item):
    status, verdict, _ = verify(REJECTED / item["file"], now_us=item["now_us"])
    assert (status, verdict["verified"], verdict["step"]) == (1, False, item["step"]), item["lie"]
    assert verdict["reason"]
    assert verdict["message"]


def test_the_receipts_are_refused_under_another_key():
    other = "example.org/demo+00000000+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
    status, verdict, _ = verify(PROTOCOL / "receipts" / "batch.json", key=other)
    assert (status, verdict["step"]) == (1, 1)


@pytest.mark.parametrize(
    ("path", "step"),
    [
        ("checkpoint", 1),
        ("tile/entries/000.p/8", 1),
        ("games/b164dd9def3f58944a287a83a14ceb6c82fb43d79c9e6cc4e10f3a1ff0f06e36.json", 4),
        ("digests/000.bin", 9),
    ],
)
def test_a_changed_public_file_is_noticed(tmp_path, path, step):
    public = shutil.copytree(PROTOCOL / "public", tmp_path / "public")
    data = bytearray((public / path).read_bytes())
    data[len(data) // 2] ^= 1
    (public / path).write_bytes(data)
    status, verdict, _ = verify(PROTOCOL / "receipts" / "one-step.json", directory=public)
    assert (status, verdict["step"]) == (1, step)


def test_a_digest_file_that_is_missing_is_no_excuse(tmp_path):
    public = shutil.copytree(PROTOCOL / "public", tmp_path / "public")
    (public / "digests" / "000.bin").unlink()
    status, verdict, _ = verify(PROTOCOL / "receipts" / "one-step.json", directory=public)
    assert (status, verdict["step"]) == (1, 9)


def test_the_outcome_vectors_of_every_kind_of_step_agree():
    done = run("check_outcomes.mjs", TESTS / "vectors" / "outcome")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ok 42 outcomes\n"


def test_the_verdicts_on_pools_agree_with_every_count_behind_them():
    key = Ed25519PrivateKey.from_private_bytes(b"\1" * 32).public_key().public_bytes_raw()
    vectors = TESTS / "vectors" / "pool-tests"
    done = run("check_pool_tests.mjs", vectors, key.hex())
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ok {len(list(vectors.glob('*.json')))} verdicts\n"


def test_tickets_of_a_deal_are_verified_with_their_prizes(tmp_path):
    operator = Operator(tmp_path / "public")
    tell_deals(operator)
    receipt = tmp_path / "receipt.json"
    for ticket in (*operator.tickets, operator.short_ticket):
        receipt.write_bytes(operator.receipt(ticket))
        status, verdict, _ = verify(receipt, operator.directory, operator.vkey)
        assert (status, verdict["standing"]) == (0, "included"), verdict
        assert verdict["protection"]["foreseen"] == "operator-foreseeable"


@pytest.mark.parametrize(("kind", "reason", "seen"), FORGED_DEALS)
def test_a_forged_ticket_of_a_deal_is_refused_with_its_reason(tmp_path, kind, reason, seen):
    assert seen == "receipt"
    operator = kind(tmp_path / "public")
    tell_deals(operator)
    refused = []
    for number, ticket in enumerate(operator.tickets):
        path = tmp_path / f"{number}.json"
        path.write_bytes(operator.receipt(ticket))
        _, verdict, _ = verify(path, operator.directory, operator.vkey)
        refused += [] if verdict["verified"] else [verdict["reason"]]
    assert refused[:1] == [reason]


@pytest.mark.parametrize("game", sorted(BETS))
def test_outcomes_and_payouts_of_every_shipped_game_agree(tmp_path, game):
    operator = Operator(tmp_path / "public")
    operator.start()
    operator.register(game)
    pool = operator.commit(f"{game}/1/base/real", 200)
    operator.publish()
    operator.tick(20)
    operator.activate(pool)
    operator.tick(1)
    record = operator.draw(pool, count=200, seed=b"j" * 20, stake=977, bet=BETS[game])
    operator.digest()
    operator.publish()
    assert len(set(record.payouts)) > 1, "the draws ought to tell a win from a loss"
    (tmp_path / "receipt.json").write_bytes(operator.receipt(record))
    status, verdict, _ = verify(tmp_path / "receipt.json", operator.directory, operator.vkey)
    assert (status, verdict["standing"]) == (0, "included"), verdict
    assert verdict["protection"]["development_beacon"] is True


@pytest.mark.parametrize(
    ("game", "words"),
    [
        ("fruit-frenzy", "payout: rule awards of model lines not implemented"),
        ("ways-243", "payout: model ways not implemented"),
    ],
)
def test_rules_that_only_python_knows_are_named_as_not_checked(tmp_path, game, words):
    operator = Operator(tmp_path / "public")
    operator.start()
    operator.register(game)
    pool = operator.commit(f"{game}/1/base/real", 8)
    operator.publish()
    operator.tick(20)
    operator.activate(pool)
    operator.tick(1)
    record = operator.draw(pool, seed=b"j" * 20, stake=977, bet={"bet": "spin"})
    operator.digest()
    operator.publish()
    (tmp_path / "receipt.json").write_bytes(operator.receipt(record))
    status, verdict, _ = verify(tmp_path / "receipt.json", operator.directory, operator.vkey)
    assert (status, verdict["verified"]) == (0, True)
    assert words in verdict["not_checked"]


@pytest.mark.parametrize("shape", [{}, {"beacon": False}, {"lanes": 7}, {"plan": BUILT_IN_PLAN}], ids=str)
def test_every_kind_of_receipt_of_an_honest_operator_is_accepted(tmp_path, shape):
    operator = Operator(tmp_path / "public", **shape)
    tell(operator)
    group = [operator.plain, operator.batch, operator.last]
    for name in ("plain", "ticket", "ticketed", "batch", "open_draw", "last", "fun", "later"):
        record = getattr(operator, name)
        (tmp_path / "receipt.json").write_bytes(operator.receipt(record, group if record in group else None))
        status, verdict, _ = verify(tmp_path / "receipt.json", operator.directory, operator.vkey)
        assert status == 0, (name, verdict)


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"round": "hi-lo.1", "step": 1}, 0),
        ({"round": "hi-lo.1", "step": 2**31 - 1}, 0),
        ({"round": "hi-lo.1"}, 1),
        ({"step": 1}, 1),
        ({"round": "hi-lo.1", "step": 0}, 1),
        ({"round": "hi-lo.1", "step": 2**31}, 1),
        ({"round": "hi lo", "step": 1}, 1),
    ],
    ids=str,
)
def test_a_step_of_a_round_is_accepted_in_its_one_form(tmp_path, members, status):
    class InARound(Operator):
        def on_binding(self, kind, binding):
            return binding | members if kind == "draw" else binding

    operator = InARound(tmp_path / "public")
    tell(operator)
    (tmp_path / "receipt.json").write_bytes(operator.receipt(operator.plain))
    found, verdict, _ = verify(tmp_path / "receipt.json", operator.directory, operator.vkey)
    assert found == status, verdict


def test_a_draw_that_no_digest_has_yet_is_pending(tmp_path):
    operator = Operator(tmp_path / "public")
    tell(operator)
    fresh = operator.draw(operator.pools[3], seed=b"p" * 16)
    (tmp_path / "receipt.json").write_bytes(operator.receipt(fresh))
    status, verdict, _ = verify(tmp_path / "receipt.json", operator.directory, operator.vkey, now_us=operator.now_us)
    assert (status, verdict["standing"]) == (0, "pending")
    # By the clock of today the promise was broken long ago, whatever the log's own clock says.
    status, verdict, _ = verify(tmp_path / "receipt.json", operator.directory, operator.vkey)
    assert (status, verdict["reason"]) == (1, "merge-delay")


@pytest.mark.parametrize(("kind", "who", "reason", "shape"), FORGED)
def test_each_receipt_of_a_cheat_is_refused(kind, who, reason, shape, tmp_path):
    operator = kind(tmp_path / "public", **shape)
    getattr(operator, "live", lambda: tell(operator))()
    operator.publish()
    (tmp_path / "receipt.json").write_bytes(operator.receipt(getattr(operator, who)))
    status, verdict, _ = verify(tmp_path / "receipt.json", operator.directory, operator.vkey, now_us=operator.now_us)
    if reason == "beacon-signature":
        # node has no pairing; this is what it says that it did not check.
        assert (status, verdict["not_checked"]) == (0, ["the BLS signature of the beacon round"])
    else:
        assert (status, verdict["reason"]) == (1, NAMES.get(kind.__name__, NAMES.get(reason, reason))), verdict


def test_wrong_usage_is_no_verdict():
    done = run("verify_receipt.mjs", PROTOCOL / "receipts" / "batch.json")
    assert (done.returncode, done.stdout) == (2, "")
