"""The entropy source under test: nothing untested is used, a failure stops the making of keys and names its suspects."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from vault_world import (
    ORIGIN,
    OTHER_POOL,
    POOL,
    Log,
    activate,
    activated,
    clock,
    commit_entry,
    draw,
)

from rng_service.vault.core import SealedPool, Vault
from rng_service.vault.entropy import CLAIMED_BITS, FALSE_POSITIVE_BITS, TestedSource
from rng_service.vault.errors import DrbgError, EntropyFailedError, VaultRefusedError
from rng_service.vault.layout import initialise_vault
from rng_service.vault.steps import OnStep, no_step
from stats_tests.health import adaptive_proportion_cutoff, repetition_cutoff

THIRD_POOL = "test/roulette/1/main/real/0/3"
ALL_TESTS = {"repetition-count", "adaptive-proportion", "most-common-value"}


class Raw:
    """A source that remembers what it gave, and does as it is told."""

    def __init__(self) -> None:
        self.given = b""
        self.change: Callable[[bytes], bytes] = bytes

    def __call__(self, n_bytes: int) -> bytes:
        part = self.change(os.urandom(n_bytes))
        self.given += part
        return part

    def stick(self) -> None:
        self.change = lambda good: bytes([7]) * len(good)


@pytest.fixture
def raw() -> Raw:
    return Raw()


def start(directory: Path, raw: Raw, on_step: OnStep = no_step) -> Vault:
    if not directory.exists():
        initialise_vault(directory, ORIGIN, clock_us=clock)
    return Vault(directory, ORIGIN, clock_us=clock, entropy=raw, on_step=on_step)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def vault(directory: Path, raw: Raw) -> Iterator[Vault]:
    subject = start(directory, raw)
    yield subject
    subject.close()


def seal(vault: Vault, pool: str) -> SealedPool:
    return vault.seal(pool, 8, "independent")


def test_the_cutoffs_of_the_vault_are_those_of_its_claim() -> None:
    assert (CLAIMED_BITS, FALSE_POSITIVE_BITS) == (7, 40)
    claim = CLAIMED_BITS, FALSE_POSITIVE_BITS
    assert (repetition_cutoff(*claim), adaptive_proportion_cutoff(*claim)) == (7, 26)


def test_what_is_used_lies_between_samples_that_are_thrown_away(raw: Raw) -> None:
    source = TestedSource(raw)
    block = source(48)
    assert raw.given[1_024 : 1_024 + 48] == block
    assert len(raw.given) == 1_024 + 48 + 1_024 == source.samples


def test_samples_that_fail_behind_a_block_keep_it_back(raw: Raw) -> None:
    source = TestedSource(raw)
    raw.change = lambda good: good[:-7] + bytes(7)
    with pytest.raises(EntropyFailedError) as failed:
        source(48)
    assert failed.value.test == "repetition-count"
    assert source.samples == 1_024 + 48 + 1_024 - 1


def test_the_start_up_test_takes_sixty_four_times_what_the_publication_asks_for(raw: Raw) -> None:
    source = TestedSource(raw)
    source.test()
    assert source.samples == len(raw.given) == 65_536


@pytest.mark.parametrize(
    ("test", "change"),
    [
        ("repetition-count", lambda good: good[:500] + bytes([good[500]]) * 7 + good[507:]),
        ("adaptive-proportion", lambda good: bytes(0 if at % 9 == 0 else value for at, value in enumerate(good))),
        ("most-common-value", lambda good: bytes(0 if at % 64 == 9 else value for at, value in enumerate(good))),
    ],
)
def test_each_fault_is_found_by_the_test_that_is_for_it(raw: Raw, test: str, change: Callable[[bytes], bytes]) -> None:
    source = TestedSource(raw)
    raw.change = change
    with pytest.raises(EntropyFailedError) as failed:
        source.test()
    assert failed.value.test == test
    assert source.failure is not None
    assert source.failure.test == test


def test_a_failure_is_final_and_reads_nothing_more(raw: Raw) -> None:
    source = TestedSource(raw)
    raw.stick()
    with pytest.raises(EntropyFailedError):
        source.test()
    raw.change = bytes
    read = len(raw.given)
    for again in (source.test, lambda: source(32)):
        with pytest.raises(EntropyFailedError, match="came 7 times in a row"):
            again()
    assert len(raw.given) == read


def test_a_source_that_gives_too_little_is_refused_and_not_called_bad(raw: Raw) -> None:
    source = TestedSource(raw)
    raw.change = lambda good: good[:-1]
    with pytest.raises(DrbgError, match="gave 2079 bytes"):
        source(32)
    raw.change = bytes
    assert len(source(32)) == 32


def test_two_reads_are_one_run_of_samples(raw: Raw) -> None:
    source = TestedSource(raw)
    raw.change = lambda good: good[:-4] + bytes(4)
    source(16)
    raw.change = lambda good: bytes(3) + good[3:]
    with pytest.raises(EntropyFailedError):
        source(16)


def test_a_vault_on_a_stuck_source_makes_no_key_and_opens_what_it_has(directory: Path, raw: Raw) -> None:
    first = start(directory, raw)
    activated(first)
    first.close()
    raw.stick()
    vault = start(directory, raw)
    assert vault.drbg is None
    for refused in (lambda: seal(vault, OTHER_POOL), vault.rotate_kek, vault.rotate_drbg, vault.rotate_receipt_key):
        with pytest.raises(EntropyFailedError):
            refused()
    assert vault.source_record.failed_test in ALL_TESTS
    # The active pool had a good test behind its sealing, so it is no suspect.
    assert vault.source_record.suspects == ()
    assert vault.open_group([draw(0)], [], sign=False).openings[0][0]
    vault.close()


def test_a_failure_stops_sealing_at_once_and_names_what_was_sealed_since_the_last_good_test(
    vault: Vault, raw: Raw
) -> None:
    seal(vault, POOL)
    vault.test_source()
    seal(vault, OTHER_POOL)
    assert vault.source_record.untested == (OTHER_POOL,)
    raw.stick()
    with pytest.raises(EntropyFailedError):
        seal(vault, THIRD_POOL)
    assert vault.failure is not None
    assert vault.source_record.suspects == (OTHER_POOL,)
    assert vault.pools.find(THIRD_POOL) is None
    raw.change = bytes
    with pytest.raises(EntropyFailedError):
        seal(vault, THIRD_POOL)


def test_a_suspect_is_never_activated_and_one_that_was_tested_is(vault: Vault, raw: Raw) -> None:
    log = Log()
    entries = {}
    for pool in (POOL, OTHER_POOL):
        entry = commit_entry(pool, seal(vault, pool).leaves)
        entries[pool] = entry, log.append(entry)
        if pool == POOL:
            vault.test_source()
    raw.stick()
    with pytest.raises(EntropyFailedError):
        vault.test_source()
    activate(vault, log, POOL, *entries[POOL])
    with pytest.raises(VaultRefusedError) as refused:
        activate(vault, log, OTHER_POOL, *entries[OTHER_POOL])
    assert refused.value.reason == "pool-suspect"


def test_a_pool_is_activated_only_with_a_good_test_behind_its_sealing(vault: Vault, raw: Raw) -> None:
    log = Log()
    entry = commit_entry(POOL, seal(vault, POOL).leaves)
    index = log.append(entry)
    raw.stick()
    with pytest.raises(EntropyFailedError):
        activate(vault, log, POOL, entry, index)
    assert vault.source_record.suspects == (POOL,)


def test_suspects_outlive_a_restart_and_keys_are_made_again_on_a_good_source(directory: Path, raw: Raw) -> None:
    before = start(directory, raw)
    seal(before, POOL)
    raw.stick()
    with pytest.raises(EntropyFailedError):
        before.test_source()
    before.close()
    still_bad = start(directory, raw)
    assert still_bad.failure is not None
    # The same failure, as far as the journal goes: it is told once.
    assert still_bad.source_record.failures == 1
    still_bad.close()
    raw.change = bytes
    vault = start(directory, raw)
    assert (vault.failure, vault.source_record.failed_test) == (None, "")
    assert vault.source_record.suspects == (POOL,)
    assert vault.source_record.failures == 1
    assert len(seal(vault, OTHER_POOL).leaves) == 8
    vault.close()


@pytest.mark.parametrize("step", ["journal.written", "journal.synced"])
def test_a_crash_while_the_failure_is_written_down_leaves_the_pool_in_doubt(
    directory: Path, raw: Raw, step: str
) -> None:
    class Died(BaseException):
        pass

    armed: list[str] = []

    def on_step(name: str) -> None:
        if armed and name == armed[0]:
            raise Died

    vault = start(directory, raw, on_step)
    seal(vault, POOL)
    raw.stick()
    armed.append(step)
    with pytest.raises(Died):
        vault.test_source()
    vault.close()
    # The source is still bad at the next start: what was in doubt is a suspect, whatever became of the frame.
    after = start(directory, raw)
    assert after.source_record.suspects == (POOL,)
    after.close()
