from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor.checkpoint import open_checkpoint
from anchor.merkle import consistency_path, leaf_hash, root_of
from rng_service.vault.errors import KeystoreError, VaultRefusedError
from rng_service.vault.history import HistoryGuard
from rng_service.vault.journal import GENESIS, Mark
from rng_service.vault.steps import no_step

ORIGIN = "acme/test"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
JOURNAL = Mark(7, b"h" * 32)
LEAVES = [leaf_hash(bytes([number])) for number in range(20)]
OTHER = [leaf_hash(b"other" + bytes([number])) for number in range(20)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    HistoryGuard.initialise(tmp_path / "history.json", on_step=no_step)
    return tmp_path / "history.json"


def guard(path: Path) -> HistoryGuard:
    return HistoryGuard(path, ORIGIN, KEY, on_step=no_step)


def extend(subject: HistoryGuard, leaves: list[bytes], old_size: int) -> bytes:
    return subject.sign(len(leaves), root_of(leaves), consistency_path(leaves, old_size), old_size, JOURNAL)


def test_a_growing_log_is_signed_and_the_mark_follows(path: Path) -> None:
    subject = guard(path)
    assert subject.mark.size == 0
    old = 0
    for size in (1, 2, 5, 20):
        note = extend(subject, LEAVES[:size], old)
        signed = open_checkpoint(note, subject.verifier_key)
        assert (signed.origin, signed.size, signed.root) == (ORIGIN, size, root_of(LEAVES[:size]))
        reopened = guard(path)
        assert reopened.mark == subject.mark
        assert reopened.mark.journal == JOURNAL
        old = size


def test_the_same_head_gets_the_same_note_whatever_the_caller_believes(path: Path) -> None:
    note = extend(guard(path), LEAVES[:5], 0)
    assert guard(path).sign(5, root_of(LEAVES[:5]), [], 3, Mark(9, GENESIS)) == note


def test_a_smaller_head_is_refused(path: Path) -> None:
    subject = guard(path)
    extend(subject, LEAVES[:5], 0)
    with pytest.raises(VaultRefusedError, match="history-smaller"):
        extend(subject, LEAVES[:4], 0)


def test_another_root_of_the_same_size_is_refused(path: Path) -> None:
    subject = guard(path)
    extend(subject, LEAVES[:5], 0)
    with pytest.raises(VaultRefusedError, match="history-fork"):
        extend(subject, OTHER[:5], 5)


def test_a_caller_that_is_behind_is_refused(path: Path) -> None:
    subject = guard(path)
    extend(subject, LEAVES[:5], 0)
    with pytest.raises(VaultRefusedError, match="history-stale"):
        extend(subject, LEAVES[:9], 4)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_second_history_is_refused(path: Path, restarted: bool) -> None:
    subject = guard(path)
    extend(subject, LEAVES[:5], 0)
    before = path.read_bytes()
    subject = guard(path) if restarted else subject
    forged = LEAVES[:3] + OTHER[3:9]
    for proof in (consistency_path(forged, 5), consistency_path(LEAVES[:9], 5), [], [bytes(32)], [b""]):
        with pytest.raises(VaultRefusedError, match="history-inconsistent"):
            subject.sign(9, root_of(forged), proof, 5, JOURNAL)
    with pytest.raises(VaultRefusedError, match="history-inconsistent"):
        subject.sign(2**63, root_of(forged), [], 5, JOURNAL)
    with pytest.raises(VaultRefusedError, match="history-inconsistent"):
        subject.sign(9, b"short", consistency_path(LEAVES[:9], 5), 5, JOURNAL)
    assert path.read_bytes() == before


def test_the_mark_is_durable_before_the_signature_leaves(path: Path) -> None:
    class PowerCutError(Exception):
        pass

    seen: list[str] = []

    def on_step(name: str) -> None:
        seen.append(name)
        if name == "mark.renamed":
            raise PowerCutError

    subject = HistoryGuard(path, ORIGIN, KEY, on_step=on_step)
    with pytest.raises(PowerCutError):
        extend(subject, LEAVES[:5], 0)
    assert seen == ["mark.written", "mark.renamed"]
    # The signature was not seen by anybody, yet nothing else may be signed.
    after = guard(path)
    with pytest.raises(VaultRefusedError, match="history-fork"):
        extend(after, OTHER[:5], 0)
    assert extend(after, LEAVES[:5], 0) == after.mark.note


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"v":1}', b"x" * 70_000])
def test_a_damaged_mark_stops_the_start(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(KeystoreError, match=r"history\.json"):
        guard(path)


def test_a_missing_mark_or_one_by_another_key_stops_the_start(path: Path) -> None:
    extend(guard(path), LEAVES[:5], 0)
    other = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
    with pytest.raises(KeystoreError, match=r"history\.json"):
        HistoryGuard(path, ORIGIN, other, on_step=no_step)
    HistoryGuard.initialise(path, on_step=no_step)
    assert guard(path).mark.size == 5
    lowered = path.read_bytes().replace(b'"size":5', b'"size":4')
    path.write_bytes(lowered)
    with pytest.raises(KeystoreError, match="not the one of this size"):
        guard(path)
    path.unlink()
    with pytest.raises(KeystoreError, match="cannot be opened"):
        guard(path)
