import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from vault_world import (
    ORIGIN,
    OTHER_POOL,
    POOL,
    Log,
    Logged,
    Opening,
    activate_entry,
    activated,
    clock,
    commit_entry,
    committed,
    draw,
    new_vault,
    open_vault,
    redeem,
    settlement,
    ticket,
    void,
)

from anchor.checkpoint import Checkpoint
from anchor.errors import MalformedError
from anchor.merkle import root_of
from anchor.note import VerifierKey, sign_note
from rng_service.encoding import OPENING_LABEL, lp, u64
from rng_service.pools.slots import slot_leaf, slot_leaves, slot_secrets
from rng_service.records.record import (
    binding_hash,
    draw_record,
    record_digest,
    settle_record,
    ticket_record,
    void_record,
)
from rng_service.vault.core import Vault
from rng_service.vault.errors import JournalError, KeystoreError, VaultBusyError, VaultRefusedError
from rng_service.vault.layout import initialise_vault, lock_directory
from rng_service.vault.pool_state import Refusal


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    subject = new_vault(tmp_path / "vault")
    yield subject
    subject.close()


def secret_of(vault: Vault, opening: Opening) -> bytes:
    ((secrets, refused),) = vault.open_group([opening], [], sign=False).openings
    assert refused == ""
    return secrets


def refusal_of(vault: Vault, opening: Opening) -> str:
    ((secrets, refused),) = vault.open_group([opening], [], sign=True).openings
    assert secrets == b""
    return refused


def test_initialising_gives_the_verifier_key_and_changes_nothing_the_second_time(tmp_path: Path) -> None:
    directory = tmp_path / "vault"
    vkey = initialise_vault(directory, ORIGIN, clock_us=clock)
    assert VerifierKey.parse(vkey).name == ORIGIN
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert initialise_vault(directory, ORIGIN, clock_us=clock) == vkey
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in directory.rglob("*"))
    with pytest.raises(KeystoreError, match="belongs to origin 'acme/test'"):
        initialise_vault(directory, "acme/live", clock_us=clock)
    with pytest.raises(MalformedError):
        initialise_vault(tmp_path / "other", "has space", clock_us=clock)


def test_a_directory_that_is_in_use_is_refused(tmp_path: Path) -> None:
    initialise_vault(tmp_path / "vault", ORIGIN, clock_us=clock)
    lock_directory(tmp_path / "vault")
    with pytest.raises(VaultBusyError, match="another vault"):
        lock_directory(tmp_path / "vault")


def test_a_sealed_pool_gives_the_same_leaves_for_ever(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    first = vault.seal(POOL, 8, "independent")
    assert first.slot_root == root_of(first.leaves)
    assert vault.seal(POOL, 8, "") == first
    assert vault.seal(OTHER_POOL, 8, "").leaves != first.leaves
    vault.close()
    vault = open_vault(tmp_path / "vault")
    assert vault.seal(POOL, 8, "").leaves == first.leaves
    with pytest.raises(VaultRefusedError, match="size-differs"):
        vault.seal(POOL, 9, "")
    vault.close()


@pytest.mark.parametrize("size", [0, -1, 1_048_577, 2**63])
def test_a_pool_of_an_impossible_size_is_refused(vault: Vault, size: int) -> None:
    with pytest.raises(VaultRefusedError, match="pool-size"):
        vault.seal(POOL, size, "")


@pytest.mark.parametrize(
    "pool_id",
    [
        "",
        "x",
        POOL + "/2",
        POOL + "\n",
        "../a/1/m/real/0/1",
        "test/a/0/m/real/0/1",
        "test/a/1/m/real/01/1",
        "test/A/1/m/real/0/1",
        "test/a/1/m/paid/0/1",
        "test/a/1/m/real/0/0",
        "test/é/1/m/real/0/1",
    ],
)
def test_a_pool_id_that_the_protocol_does_not_allow_is_refused(vault: Vault, pool_id: str) -> None:
    with pytest.raises(VaultRefusedError, match="pool-id"):
        vault.seal(pool_id, 8, "")


def test_a_kind_that_nobody_knows_is_refused(vault: Vault) -> None:
    with pytest.raises(VaultRefusedError, match="kind-unsupported"):
        vault.seal(POOL, 8, "lottery")


def test_a_pool_that_was_sealed_as_another_kind_is_refused(vault: Vault) -> None:
    vault.seal(POOL, 8, "deal")
    with pytest.raises(VaultRefusedError, match="size-differs"):
        vault.seal(POOL, 8, "independent")


def test_secrets_open_to_the_published_leaves(vault: Vault) -> None:
    leaves = activated(vault)
    for slot in range(4):
        assert slot_leaf(POOL, slot, secret_of(vault, draw(slot))) == leaves[slot]
    batch = secret_of(vault, draw(4, count=4))
    assert slot_leaves(POOL, batch, 4) == leaves[4:]


def test_one_signature_covers_the_records_of_the_group_in_order(vault: Vault) -> None:
    activated(vault)
    openings = [draw(0), ticket(1), draw(0, nonce="01" * 16), void(2, count=2), draw(4, count=2)]
    settlements = [settlement(), settlement(status="void", bet=None, payout_minor=0, reason="withdrawn")]
    result = vault.open_group(openings, settlements, sign=True)
    secrets = [secrets for secrets, _ in result.openings]
    assert [refused for _, refused in result.openings] == ["", "", "bound-otherwise", "", ""]
    assert [len(part) for part in secrets] == [32, 0, 0, 64, 64]
    digests = [
        record_digest(draw_record(openings[0].binding, secrets[0])),
        record_digest(ticket_record(openings[1].binding)),
        record_digest(void_record(openings[3].binding, secrets[3])),
        record_digest(draw_record(openings[4].binding, secrets[4])),
        *(record_digest(settle_record(binding)) for binding in settlements),
    ]
    key = vault.receipt_keys.current
    assert result.key_id == key.key_id == sha256(key.public_key).hexdigest()[:16]
    message = OPENING_LABEL + lp(ORIGIN.encode()) + root_of(digests)
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(result.signature, message)
    assert vault.refused_bindings == 1


def test_a_repetition_gives_the_same_bytes_and_no_journal_entry(vault: Vault) -> None:
    activated(vault)
    openings = [draw(0), ticket(1), draw(2, count=3)]
    first = vault.open_group(openings, [], sign=True)
    mark = vault.journal_mark
    assert vault.open_group(openings, [], sign=True) == first
    assert vault.open_group(openings, [], sign=False).openings == first.openings
    assert vault.open_group([], [], sign=True).signature == b""
    assert vault.journal_mark == mark


def test_the_journal_lists_every_opening_once(vault: Vault) -> None:
    from rng_service.vault.entries import SlotsOpened, parse_entries

    activated(vault)
    reserved = ticket(1)
    for opening in (draw(0), reserved, redeem(reserved), void(2), draw(0)):
        vault.open_group([opening], [], sign=True)
    opened = [
        (entry.slot, entry.count, entry.kind)
        for frame in vault.read_journal(0)
        for entry in parse_entries(frame.payload)
        if isinstance(entry, SlotsOpened)
    ]
    assert opened == [(0, 1, 1), (1, 1, 2), (1, 1, 1), (2, 1, 3)]


def test_pools_that_are_unknown_or_not_active_do_not_open(vault: Vault) -> None:
    vault.seal(POOL, 8, "")
    assert refusal_of(vault, draw(0)) == Refusal.POOL_NOT_ACTIVE
    assert refusal_of(vault, draw(0, pool=OTHER_POOL)) == Refusal.UNKNOWN_POOL


def test_a_group_beyond_the_limits_is_refused_whole(vault: Vault) -> None:
    activated(vault)
    with pytest.raises(VaultRefusedError, match="group-too-large"):
        vault.open_group([draw(0)] * 8193, [], sign=False)
    with pytest.raises(VaultRefusedError, match="group-too-large"):
        vault.open_group([Opening(0, 1, b"", count=65_537)], [], sign=False)
    assert vault.pool_states()[0].untouched


def test_a_full_disk_opens_nothing_and_loses_nothing(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    activated(vault)
    with monkeypatch.context() as patch:

        def full(_payload: bytes) -> int:
            raise JournalError("no room for the journal")

        patch.setattr(vault._journal, "append", full)
        with pytest.raises(JournalError):
            vault.open_group([draw(0), ticket(1)], [], sign=True)
    assert vault.pool_states()[0].untouched
    assert len(secret_of(vault, draw(0, nonce="01" * 16))) == 32


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError(), KeyboardInterrupt()])
def test_a_frame_that_may_be_on_the_disk_keeps_its_slot_until_a_restart_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    vault = new_vault(tmp_path / "vault")
    activated(vault)

    def fails(_descriptor: int) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fails)
        with pytest.raises((JournalError, MemoryError, KeyboardInterrupt)):
            vault.open_group([draw(0), ticket(1)], [], sign=True)
    # The frame was written before the sync failed: neither the same nor another binding is answered now.
    for opening in (draw(0), draw(0, nonce="01" * 16), draw(1), draw(2)):
        with pytest.raises(JournalError, match="restart the vault"):
            vault.open_group([opening], [], sign=True)
    vault.close()
    vault = open_vault(tmp_path / "vault")
    assert refusal_of(vault, draw(0, nonce="01" * 16)) == Refusal.BOUND_OTHERWISE
    assert refusal_of(vault, draw(1)) == Refusal.TICKET_MISMATCH
    assert len(secret_of(vault, draw(0))) == 32
    vault.close()


@pytest.mark.parametrize(
    "fields",
    [
        {"pool": OTHER_POOL},
        {"size": 9},
        {"slot_root": "00" * 32},
        {"type": "pool.void"},
        {"origin": "acme/live"},
        {"v": 2},
        {"v": True},
    ],
)
def test_a_commitment_to_something_else_does_not_activate(vault: Vault, fields: dict[str, Any]) -> None:
    log = Log()
    leaves = vault.seal(POOL, 8, "").leaves
    entry = commit_entry(POOL, leaves, **fields)
    index = log.append(entry)
    log.sign(vault)
    with pytest.raises(VaultRefusedError, match="commit-mismatch"):
        vault.activate(POOL, log.prove(entry, index), log.prove(entry, index))
    with pytest.raises(VaultRefusedError, match="commit-mismatch"):
        vault.void(POOL, log.prove(entry, index))
    with pytest.raises(VaultRefusedError, match="commit-mismatch"):
        vault.activate(POOL, log.prove(b"{}", index), log.prove(entry, index))


def test_a_commitment_outside_the_signed_log_does_not_activate(vault: Vault, tmp_path: Path) -> None:
    log = Log()
    log.append(b"config")
    leaves = vault.seal(POOL, 8, "").leaves
    before = log.sign(vault)
    entry = commit_entry(POOL, leaves)
    index = log.append(entry)
    activation = activate_entry(entry, index)
    log.append(activation)
    stranger = new_vault(tmp_path / "stranger")
    foreign = Log(list(log.leaves)).sign(stranger)
    stranger.close()
    note, path = log.sign(vault), log.path(index)
    forged = note.replace(b"\n3\n", b"\n4\n")
    activated_at = log.prove(activation, 2)
    attempts = [(index, before, path), (index, foreign, path), (index, forged, path), (index, b"", path)]
    attempts += [(3, note, path), (index, note, path[:-1]), (index, note, [*path, bytes(32)])]
    for at, checkpoint, proof in attempts:
        unproven = Logged(entry, at, checkpoint, proof)
        for call in (lambda shown: vault.activate(POOL, shown, activated_at), lambda shown: vault.void(POOL, shown)):
            with pytest.raises(VaultRefusedError, match="commit-unproven"):
                call(unproven)
    assert refusal_of(vault, draw(0)) == Refusal.POOL_NOT_ACTIVE
    assert vault.pool_states()[0].life == "sealed"
    for _ in range(2):
        vault.activate(POOL, log.prove(entry, index), activated_at)
    assert len(secret_of(vault, draw(0))) == 32
    with pytest.raises(VaultRefusedError, match="unknown-pool"):
        vault.activate(OTHER_POOL, log.prove(entry, index), activated_at)


def test_a_private_history_under_the_logs_own_key_proves_nothing(vault: Vault) -> None:
    # Whoever has the log's key beside the vault can sign a history that the guard never saw, shorter than its mark.
    log = Log()
    shown = committed(vault, log=log)
    log.append(activate_entry(shown.entry, shown.index))
    log.sign(vault)
    fork = Log()
    entry = commit_entry(POOL, vault.seal(POOL, 8, "").leaves, program="other")
    index = fork.append(entry)
    activation = activate_entry(entry, index)
    at = fork.append(activation)
    for size in (fork.signed, len(log.leaves)):
        while len(fork.leaves) < size:
            fork.append(b"anything")
        fork.signed = len(fork.leaves)
        text = Checkpoint(ORIGIN, fork.signed, root_of(fork.leaves)).text()
        fork.note = sign_note(text, ORIGIN, vault.guard._key)
        with pytest.raises(VaultRefusedError, match="commit-unproven"):
            vault.activate(POOL, fork.prove(entry, index), fork.prove(activation, at))
        with pytest.raises(VaultRefusedError, match="commit-unproven"):
            vault.void(POOL, fork.prove(entry, index))
    assert refusal_of(vault, draw(0)) == Refusal.POOL_NOT_ACTIVE


def test_a_proof_against_an_older_checkpoint_is_refused(vault: Vault) -> None:
    log = Log()
    commit = committed(vault, log=log)
    log.append(b"more")
    log.sign(vault)
    with pytest.raises(VaultRefusedError, match="commit-unproven"):
        vault.void(POOL, commit)
    vault.void(POOL, log.prove(commit.entry, commit.index))


def test_a_commitment_that_is_not_activated_in_the_signed_log_opens_nothing(vault: Vault) -> None:
    log = Log()
    commit = committed(vault, log=log)
    elsewhere = activate_entry(commit.entry, commit.index + 1)
    activation = activate_entry(commit.entry, commit.index)
    at = log.append(activation)
    unsigned = Logged(activation, at, commit.checkpoint, log.path(at))
    with pytest.raises(VaultRefusedError, match="activation-unproven"):
        vault.activate(POOL, commit, unsigned)
    log.append(elsewhere)
    log.sign(vault)
    commit, good = log.prove(commit.entry, commit.index), log.prove(activation, at)
    for wrong in (
        commit,
        log.prove(elsewhere, at + 1),
        good._replace(entry=activate_entry(commit.entry, commit.index, pool=OTHER_POOL)),
        good._replace(entry=activate_entry(commit.entry, commit.index, commit="00" * 32)),
        good._replace(entry=activate_entry(commit.entry, commit.index, origin="acme/live")),
        good._replace(
            entry=activate_entry(commit.entry, commit.index, beacon_signature="00" * 48, beacon_value="00" * 32)
        ),
        good._replace(index=commit.index),
        good._replace(entry=b"{}"),
    ):
        with pytest.raises(VaultRefusedError, match="activation-mismatch"):
            vault.activate(POOL, commit, wrong)
    for wrong in (good._replace(index=at + 1), good._replace(inclusion_proof=[]), good._replace(checkpoint=b"")):
        with pytest.raises(VaultRefusedError, match="activation-unproven"):
            vault.activate(POOL, commit, wrong)
    assert refusal_of(vault, draw(0)) == Refusal.POOL_NOT_ACTIVE
    vault.activate(POOL, commit, good)
    assert len(secret_of(vault, draw(0))) == 32


def test_a_pool_that_waits_for_a_round_is_activated_with_its_signature_only(vault: Vault) -> None:
    log = Log()
    beacon = {"chain": "66" * 32, "round": 9}
    entry = commit_entry(POOL, vault.seal(POOL, 8, "").leaves, beacon=beacon)
    index = log.append(entry)
    signature = b"\x07" * 48
    stated = [
        {},
        {"beacon_signature": signature.hex(), "beacon_value": "00" * 32},
        {"beacon_signature": signature.hex(), "beacon_value": sha256(signature).hexdigest()},
    ]
    activations = [activate_entry(entry, index, **fields) for fields in stated]
    places = [log.append(activation) for activation in activations]
    log.sign(vault)
    for activation, at in list(zip(activations, places, strict=True))[:2]:
        with pytest.raises(VaultRefusedError, match="activation-mismatch"):
            vault.activate(POOL, log.prove(entry, index), log.prove(activation, at))
    vault.activate(POOL, log.prove(entry, index), log.prove(activations[2], places[2]))
    assert len(secret_of(vault, draw(0))) == 32


def test_an_unused_pool_is_void_and_its_key_gives_its_leaves(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    log = Log()
    commit = committed(vault, log=log)
    leaves = activated(vault, log=log)
    commit = log.prove(commit.entry, commit.index)
    key = vault.void(POOL, commit).reveal_secret()
    assert slot_leaves(POOL, slot_secrets(key, 8)) == leaves
    vault.close()
    vault = open_vault(tmp_path / "vault")
    assert vault.void(POOL, commit).reveal_secret() == key
    assert refusal_of(vault, draw(0)) == Refusal.POOL_NOT_ACTIVE
    assert vault.seal(POOL, 8, "").leaves == leaves
    with pytest.raises(VaultRefusedError, match="pool-ended"):
        vault.activate(POOL, commit, commit)
    with pytest.raises(VaultRefusedError, match="pool-incomplete"):
        vault.erase(POOL)
    vault.close()


@pytest.mark.parametrize("opening", [draw(0), ticket(0), void(0)])
def test_a_pool_that_was_used_cannot_be_void(vault: Vault, opening: Opening) -> None:
    log = Log()
    activated(vault, log=log)
    commit = committed(vault, log=log)
    vault.open_group([opening], [], sign=False)
    with pytest.raises(VaultRefusedError, match="pool-used"):
        vault.void(POOL, commit)


def test_the_key_of_a_pool_that_is_not_committed_to_is_not_given_out(vault: Vault) -> None:
    # Whoever had it could commit to the pool afterwards and know every outcome.
    log = Log()
    entry = commit_entry(POOL, vault.seal(POOL, 8, "").leaves)
    log.append(b"config")
    before = log.sign(vault)
    index = log.append(entry)
    for shown in (Logged(entry, index, before, log.path(index)), Logged(b"", 0, b"", [])):
        with pytest.raises(VaultRefusedError, match=r"commit-unproven|commit-mismatch"):
            vault.void(POOL, shown)
    assert vault.pool_states()[0].life == "sealed"


@pytest.mark.parametrize(
    "binding",
    [
        b"short",
        b"\x01" * 32,
        b"",
        draw(0).binding,
        ticket(0).binding,
        void(0).binding,
        settlement()[:-1] + b" }",
        settlement() + b',"kind":"draw","secrets":"","v":1}',
        settlement(more=1),
        settlement(v=2),
        settlement(v=True),
        settlement(slot=True),
        settlement(slot=1_048_576),
        settlement(draw="55" * 31),
        settlement(draw="5A" * 32),
        settlement(nonce=None),
        settlement(bettor=None),
        settlement(stake_minor=-1),
        settlement(currency="eur"),
        settlement(pool="x"),
        settlement(caller="A"),
        settlement(status="paid"),
        settlement(bet=None),
        settlement(bet="red"),
        settlement(reason="why"),
        settlement(status="void", payout_minor=0),
        settlement(status="void", reason="withdrawn", payout_minor=1),
        settlement(secrets="00" * 32),
        settlement(client_seed="00" * 32),
    ],
)
def test_nothing_but_a_settlement_is_signed_as_one(vault: Vault, binding: bytes) -> None:
    activated(vault)
    with pytest.raises(VaultRefusedError, match="settlement-mismatch"):
        vault.open_group([draw(0)], [settlement(), binding], sign=True)
    assert vault.pool_states()[0].untouched


@pytest.mark.parametrize(
    "binding",
    [
        settlement(),
        settlement(status="confirm"),
        settlement(status="confirm", bet=None),
        settlement(status="void", payout_minor=0, reason="withdrawn"),
        settlement(status="void", payout_minor=0, reason="withdrawn", bet=None),
    ],
)
def test_settlements_of_every_status_are_signed(vault: Vault, binding: bytes) -> None:
    result = vault.open_group([], [binding], sign=True)
    message = OPENING_LABEL + lp(ORIGIN.encode()) + record_digest(settle_record(binding))
    public = vault.receipt_keys.current.public_key
    Ed25519PublicKey.from_public_bytes(public).verify(result.signature, message)


def test_every_receipt_key_is_attested_by_the_log_key(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    vault.rotate_receipt_key()
    for _ in range(2):
        assert [key.epoch for key in vault.receipt_keys.listed] == [1, 2]
        log_key = Ed25519PublicKey.from_public_bytes(vault.log_key.public_key)
        for key in vault.receipt_keys.listed:
            statement = lp(b"sealdraw/v1/receipt-key") + lp(ORIGIN.encode()) + key.public_key + u64(key.epoch)
            log_key.verify(key.attestation, statement)
        vault.close()
        vault = open_vault(tmp_path / "vault")
    vault.close()


def test_a_complete_pool_is_erased_with_an_attestation(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    leaves = activated(vault)
    openings = [draw(0), draw(1, count=5), ticket(6), void(6, ticket=binding_hash(ticket(6).binding).hex())]
    vault.open_group(openings, [], sign=False)
    with pytest.raises(VaultRefusedError, match=r"pool-incomplete: .*6 drawn and 1 void of 8"):
        vault.erase(POOL)
    vault.open_group([ticket(7)], [], sign=False)
    with pytest.raises(VaultRefusedError, match="pool-incomplete"):
        vault.erase(POOL)
    seventh = binding_hash(ticket(7).binding).hex()
    vault.open_group([void(7, ticket=seventh)], [], sign=False)
    proof = vault.erase(POOL)
    bound = [(1, openings[0]), *[(1, openings[1])] * 5, (3, openings[3]), (3, void(7, ticket=seventh))]
    digest = sha256(b"".join(bytes((kind,)) + binding_hash(opening.binding) for kind, opening in bound)).digest()
    assert (proof.drawn, proof.voided, proof.bindings_digest) == (6, 2, digest)
    statement = lp(b"sealdraw/v1/erase") + lp(ORIGIN.encode()) + lp(POOL.encode()) + root_of(leaves)
    statement += u64(6) + u64(2) + digest
    public = vault.receipt_keys.current.public_key
    Ed25519PublicKey.from_public_bytes(public).verify(proof.signature, statement)
    assert vault.erase(POOL) == proof
    assert not list((tmp_path / "vault" / "pools").iterdir())
    assert refusal_of(vault, draw(0)) == Refusal.POOL_NOT_ACTIVE
    vault.close()
    vault = open_vault(tmp_path / "vault")
    unseen = Logged(b"", 0, b"", [])
    for attempt in (lambda: vault.seal(POOL, 8, ""), lambda: vault.void(POOL, unseen)):
        with pytest.raises(VaultRefusedError, match=r"pool-erased|pool-used"):
            attempt()
    assert vault.erase(POOL) == proof
    vault.close()


def test_everything_stands_after_a_restart(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    log = Log()
    activated(vault, log=log)
    activated(vault, OTHER_POOL, log=log)
    reserved = ticket(1)
    openings = [draw(0), reserved, redeem(reserved), ticket(2), void(3), draw(4, count=2)]
    first = vault.open_group(openings, [], sign=True)
    states = [(pool.pool_id, pool.life, pool.drawn, pool.ticketed, pool.voided) for pool in vault.pool_states()]
    assert states == [(POOL, "active", 4, 1, 1), (OTHER_POOL, "active", 0, 0, 0)]
    vault.close()
    vault = open_vault(tmp_path / "vault")
    assert [(pool.pool_id, pool.life, pool.drawn, pool.ticketed, pool.voided) for pool in vault.pool_states()] == states
    assert vault.open_group(openings, [], sign=True) == first
    assert refusal_of(vault, draw(0, nonce="01" * 16)) == Refusal.BOUND_OTHERWISE
    assert refusal_of(vault, draw(2)) == Refusal.TICKET_MISMATCH
    vault.close()


def test_keys_rotate_without_changing_what_is_open(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    activated(vault)
    secret = secret_of(vault, draw(0))
    signed_before = vault.open_group([draw(0)], [], sign=True).signature
    old_key, old_drbg = vault.receipt_keys.current, vault.drbg
    assert vault.rotate_kek() == 2
    new_key = vault.rotate_receipt_key()
    epoch, instance = vault.rotate_drbg()
    assert (epoch, instance != old_drbg.instance) == (old_drbg.epoch + 1, True)
    assert vault.seal(OTHER_POOL, 4, "").drbg_instance == instance
    for _ in range(2):
        assert secret_of(vault, draw(0)) == secret
        assert vault.receipt_keys.listed == [old_key, new_key]
        assert vault.open_group([draw(0)], [], sign=True).key_id == new_key.key_id
        # What was bound before the rotation is signed again as it was.
        assert vault.open_group([draw(0)], [], sign=True, key_id=old_key.key_id).signature == signed_before
        assert vault.store.kek_epoch == 2
        vault.close()
        vault = open_vault(tmp_path / "vault")
    assert vault.drbg.epoch > epoch
    vault.close()
    assert len(list((tmp_path / "vault" / "keys").glob("receipt-*.key"))) == 2


def test_key_encryption_keys_can_lie_apart_and_without_them_nothing_opens(tmp_path: Path) -> None:
    directory, apart = tmp_path / "vault", tmp_path / "kek"
    vkey = initialise_vault(directory, ORIGIN, clock_us=clock, kek_directory=apart)
    assert initialise_vault(directory, ORIGIN, clock_us=clock, kek_directory=apart) == vkey
    assert not (directory / "kek").exists()
    vault = Vault(directory, ORIGIN, clock_us=clock, kek_directory=apart)
    activated(vault)
    secret = secret_of(vault, draw(0))
    assert vault.rotate_kek() == 2
    vault.close()
    assert [path.name for path in apart.iterdir()] == ["00000002.key"]
    vault = Vault(directory, ORIGIN, clock_us=clock, kek_directory=apart)
    assert secret_of(vault, draw(0)) == secret
    vault.close()
    # A copy of the directory alone is what a snapshot of its disk would be.
    copy = tmp_path / "copy"
    shutil.copytree(directory, copy)
    with pytest.raises(KeystoreError, match="key-encryption key 2, which is not in"):
        open_vault(copy)


def test_what_was_bound_under_a_receipt_key_is_signed_with_it_after_many_rotations(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    activated(vault)
    bound_under = vault.receipt_keys.current.key_id
    signature = vault.open_group([draw(0)], [], sign=True).signature
    for _ in range(3):
        vault.rotate_receipt_key()
    assert vault.open_group([draw(0)], [], sign=True, key_id=bound_under).signature == signature
    vault.close()
    vault = open_vault(tmp_path / "vault")
    assert vault.open_group([draw(0)], [], sign=True, key_id=bound_under).signature == signature
    vault.close()


def test_a_receipt_key_that_was_replaced_a_week_ago_is_destroyed_at_the_next_rotation(tmp_path: Path) -> None:
    initialise_vault(tmp_path / "vault", ORIGIN, clock_us=clock)
    day = 0
    vault = Vault(tmp_path / "vault", ORIGIN, clock_us=lambda: clock() + day * 86_400_000_000)
    activated(vault)
    oldest = vault.receipt_keys.current.key_id
    day = 1
    vault.rotate_receipt_key()
    day = 7
    vault.rotate_receipt_key()
    assert vault.open_group([draw(1)], [], sign=True, key_id=oldest).key_id == oldest
    day = 8
    vault.rotate_receipt_key()
    with pytest.raises(VaultRefusedError, match="receipt-key-gone"):
        vault.open_group([draw(0)], [], sign=True, key_id=oldest)
    assert vault.pool_states()[0].drawn == 1
    assert len(list((tmp_path / "vault" / "keys").glob("receipt-*.key"))) == 3
    vault.close()


def test_draws_go_on_while_pools_are_sealed_keys_rotate_and_checkpoints_are_signed(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    log = Log()
    leaves = activated(vault, size=600, log=log)
    drawn = threading.Event()

    def draws() -> None:
        try:
            for first in range(0, 600, 10):
                openings = [draw(slot) for slot in range(first, first + 10)]
                results = vault.open_group(openings, [], sign=True).openings
                assert (
                    slot_leaves(POOL, b"".join(secrets for secrets, _ in results), first)
                    == (leaves[first : first + 10])
                )
        finally:
            drawn.set()

    def seals() -> None:
        for number in range(2, 2 + 5):
            vault.seal(f"test/roulette/1/main/real/0/{number}", 2000, "")

    def rotates() -> None:
        while not drawn.is_set():
            vault.rotate_kek()
            vault.rotate_drbg()
            vault.rotate_receipt_key()

    def signs() -> None:
        while not drawn.is_set():
            log.append(b"digest")
            log.sign(vault)

    with ThreadPoolExecutor(4) as workers:
        for future in [workers.submit(work) for work in (draws, seals, rotates, signs)]:
            future.result()
    vault.close()
    vault = open_vault(tmp_path / "vault")
    assert vault.damaged == ()
    assert [(pool.size, pool.drawn) for pool in vault.pool_states()] == [(600, 600)] + [(2000, 0)] * 5
    assert vault.guard.mark.size == len(log.leaves)
    assert len(vault.seal("test/roulette/1/main/real/0/3", 2000, "").leaves) == 2000
    vault.close()


def test_a_damaged_pool_key_stops_its_own_pool_only(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    log = Log()
    activated(vault, log=log)
    activated(vault, OTHER_POOL, log=log)
    vault.close()
    path = tmp_path / "vault" / "pools" / (POOL.replace("/", "~") + ".key")
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    vault = open_vault(tmp_path / "vault")
    assert len(vault.damaged) == 1
    assert str(path) in vault.damaged[0]
    assert refusal_of(vault, draw(0)) == Refusal.KEY_UNREADABLE
    assert len(secret_of(vault, draw(0, pool=OTHER_POOL))) == 32
    with pytest.raises(KeystoreError, match="does not authenticate"):
        vault.seal(POOL, 8, "")
    vault.close()
    path.write_bytes(good)
    vault = open_vault(tmp_path / "vault")
    assert len(secret_of(vault, draw(0))) == 32
    vault.close()


def test_yesterdays_journal_beside_todays_mark_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "vault"
    vault = new_vault(directory)
    log = Log()
    activated(vault, log=log)
    vault.close()
    shutil.copytree(directory / "journal", tmp_path / "yesterday")
    vault = open_vault(directory)
    secret_of(vault, draw(0))
    log.append(b"digest")
    log.sign(vault)
    vault.close()
    shutil.rmtree(directory / "journal")
    shutil.copytree(tmp_path / "yesterday", directory / "journal")
    with pytest.raises(JournalError, match="older or another journal"):
        open_vault(directory)


def test_a_finished_vault_never_gets_its_lost_mark_or_key_anew(tmp_path: Path) -> None:
    directory = tmp_path / "vault"
    new_vault(directory).close()
    (directory / "history.json").unlink()
    initialise_vault(directory, ORIGIN, clock_us=clock)
    with pytest.raises(KeystoreError, match=r"history\.json"):
        open_vault(directory)
    (directory / "keys" / "checkpoint.key").unlink()
    with pytest.raises(KeystoreError, match=r"checkpoint\.key"):
        initialise_vault(directory, ORIGIN, clock_us=clock)
