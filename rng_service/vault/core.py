"""The vault without its socket: keys, journal, pools, guard, and the rules that tie them together.

The state lock covers pools, journal and receipt key. What takes long (sealing a pool, rewrapping every key,
making a checkpoint durable) runs outside it, so that draws go on. Lock order: history, state, keystore.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from anchor.merkle import leaf_hash, root_of
from rng_service.encoding import erase_statement
from rng_service.outcome import DrawKeyDeriver
from rng_service.pools.deals import deal_secrets
from rng_service.pools.slots import slot_leaves, slot_secrets
from rng_service.pools.testing import judge_pool
from rng_service.vault import entries
from rng_service.vault.activation import LoggedEntry, SignedHistory, verify_activation, verify_commitment
from rng_service.vault.durable import remove_temporaries
from rng_service.vault.entropy import EntropySource, TestedSource, VaultDrbg, system_entropy
from rng_service.vault.errors import EntropyFailedError, KeystoreError, VaultRefusedError
from rng_service.vault.history import HistoryGuard
from rng_service.vault.journal import Frame, Journal, Mark
from rng_service.vault.key_source import KeySource
from rng_service.vault.keystore import Keystore, pool_key_name, pools_with_keys
from rng_service.vault.keystream import SecretStream
from rng_service.vault.layout import (
    HISTORY_FILE,
    JOURNAL_DIRECTORY,
    check_origin,
    instantiate_drbg,
    load_checkpoint_key,
)
from rng_service.vault.opening import GroupOpener, GroupResult, OpeningRequest
from rng_service.vault.pool_state import Life, PoolState
from rng_service.vault.pool_testing import PoolVerdict, read_plan, statement, verify_passed
from rng_service.vault.pools import PoolTable, check_pool
from rng_service.vault.receipt_keys import PublicReceiptKey, ReceiptKeys
from rng_service.vault.secret import PoolKey
from rng_service.vault.selftest import run_self_test
from rng_service.vault.source_record import SourceRecord
from rng_service.vault.steps import OnStep, no_step
from rng_service.vault.test_streams import Part, Seeded, TestStreams

__all__ = ["ErasureProof", "SealedPool", "Vault"]

_DEAL: Final = "deal"
_KINDS: Final = ("independent", _DEAL)
# What the test of a pool rests after each half millisecond: whoever waits for the interpreter has it by then.
_REST_S: Final = 0.000_1


class SealedPool(NamedTuple):
    """What the commitment of a pool needs: all leaf hashes, their root, and which keys made it."""

    leaves: list[bytes]
    slot_root: bytes
    drbg_instance: str
    drbg_epoch: int
    kek_epoch: int


class ErasureProof(NamedTuple):
    """The vault's signed word on what it opened a pool for, and that the pool's key is gone."""

    signature: bytes
    key_id: str
    drawn: int
    voided: int
    bindings_digest: bytes


class Vault:
    """The vault on ``directory``, whose lock the caller holds; `close` it before the lock is let go.

    ``clock_us`` gives microseconds UTC and dates keys only; ``kek_directory`` is that of `Keystore`. Opening it runs
    the self-test, finishes what a crash interrupted and replays the journal. Raises SelfTestError, KeystoreError or
    JournalError when it must not run. A wrapped pool key that does not authenticate disables its own pool only;
    `damaged` names the file.

    ``entropy`` is tested before its first use and ever after. When it fails, at the start or later, no key is made any
    more until the vault is started again with a source that passes: `seal` of new pools and rotations raise
    EntropyFailedError, and what was sealed since the last good test is a suspect that is never activated. Everything
    else goes on. ``pause`` waits for so many seconds: long work beside openings rests again and again.
    """

    def __init__(
        self,
        directory: Path,
        origin: str,
        *,
        clock_us: Callable[[], int],
        entropy: EntropySource = system_entropy,
        on_step: OnStep = no_step,
        kek_directory: Path | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        run_self_test()
        check_origin(directory, origin)
        remove_temporaries(directory)
        self.origin = origin
        self._directory = directory
        self._clock_us = clock_us
        self._source = TestedSource(entropy)
        self._pause = pause
        self._testing = threading.Lock()
        self.test_streams = TestStreams(pause)
        self._on_step = on_step
        self._lock = threading.RLock()
        self._history_lock = threading.Lock()
        self._sealing: Counter[str] = Counter()
        # Pools whose keys this process made and did not seal yet.
        self._unsealed: set[str] = set()
        self._sealing_done = threading.Condition(self._lock)
        self.store = Keystore(directory, on_step=on_step, kek_directory=kek_directory)
        key, self.log_key = load_checkpoint_key(self.store, origin)
        self.guard = HistoryGuard(directory / HISTORY_FILE, origin, key, on_step=on_step)
        self.receipt_keys = ReceiptKeys(
            directory,
            self.store,
            now_us=clock_us(),
            on_step=on_step,
            attest=self.guard.attest_receipt_key,
            verify=self.guard.verify_receipt_key,
        )
        self.pools = PoolTable()
        self.source_record = SourceRecord()
        self._journal = Journal(
            directory / JOURNAL_DIRECTORY,
            replay=self._replay,
            on_step=on_step,
            must_contain=self.guard.mark.journal,
        )
        self.damaged = self._settle_pool_keys()
        self._keys = KeySource(
            self._source,
            self._instantiate,
            record=self.source_record,
            append=self._journal.append,
            in_doubt=self._keys_in_doubt,
            lock=self._lock,
        )
        self._keys.start()
        self._opener = GroupOpener(self.pools, self._journal, self.receipt_keys, origin, on_step=on_step)

    def close(self) -> None:
        """Forget every key and close the journal."""
        with self._lock:
            self._keys.retire()
            self.pools.forget_streams()
            self._journal.close()

    @property
    def drbg(self) -> VaultDrbg | None:
        """The present generator, None when the entropy source failed at the start."""
        return self._keys.drbg

    @property
    def journal_mark(self) -> Mark:
        """Number and head of the newest durable frame."""
        with self._lock:
            return self._journal.mark

    @property
    def refused_bindings(self) -> int:
        """How many bindings were refused because their slot was bound to another."""
        return self._opener.refused_bindings

    def seal(self, pool_id: str, size: int, kind: str) -> SealedPool:
        """Make the key of a new pool, durably, and return its leaves; a known pool gives the same leaves again.

        Raises VaultRefusedError ``pool-id``, ``pool-size``, ``kind-unsupported``, ``size-differs``,
        ``pool-erased``, and EntropyFailedError for a pool that is not sealed yet.
        """
        check_pool(pool_id, size)
        if kind not in {"", *_KINDS}:
            raise VaultRefusedError("kind-unsupported", f"{pool_id}: kind {kind!r}, expected {' or '.join(_KINDS)}")
        with self._lock:
            # Two callers for one pool take turns; different pools are sealed beside each other and beside
            # draws.
            while self._sealing[pool_id]:
                self._sealing_done.wait()
            self._sealing[pool_id] += 1
        try:
            return self._seal(pool_id, size, deal=kind == _DEAL)
        finally:
            with self._lock:
                del self._sealing[pool_id]
                self._sealing_done.notify_all()

    def test_pool(
        self, pool_id: str, commit: LoggedEntry, activation: LoggedEntry, plan: bytes, definition: bytes
    ) -> PoolVerdict:
        """Run the plan that the commitment names on an activated pool, and sign the verdict; again gives the same.

        ``plan`` and ``definition`` are the documents with the commitment's digests. Openings do not wait for it. Raises
        VaultRefusedError ``unknown-pool``, ``pool-ended``, ``pool-suspect``, what `activate` refuses, ``no-test-plan``,
        ``plan-mismatch``, ``definition-mismatch`` or ``test-busy``.
        """
        with self._lock:
            pool = self._activatable(pool_id)
            history = self._signed_history()
            committed = verify_commitment(commit, pool, history)
            activated = verify_activation(activation, commit, committed, pool, history)
            key = self._pool_key(pool_id)
        parsed, program = read_plan(committed, plan, definition)
        deriver = DrawKeyDeriver(leaf_hash(commit.entry), activated.beacon_value or b"", committed.program)
        # One at a time: a pool's secrets and outcomes are some megabytes. Nobody waits for it, because whoever waits
        # holds a thread that openings need.
        if not self._testing.acquire(blocking=False):
            raise VaultRefusedError("test-busy", f"{pool_id}: another pool is being tested; ask again")
        try:
            secrets = slot_secrets(key.reveal_secret(), pool.size)
            found = judge_pool(parsed, program, deriver, secrets, pause=self._rest)
        finally:
            self._testing.release()
        verdict = "pass" if found.passed else "fail"
        with self._lock:
            signed = statement(commit.entry, committed, activated, verdict, found.test)
            return PoolVerdict(verdict, found.test, self.receipt_keys.sign(signed), self.receipt_keys.current.key_id)

    def activate(
        self, pool_id: str, commit: LoggedEntry, activation: LoggedEntry, test: LoggedEntry | None = None
    ) -> None:
        """Let slots be opened, durably, after proof that commitment and activation are in checkpoints signed here.

        A pool whose commitment names a test plan needs ``test``: this vault's word, in the log, that it passed.

        An active pool stays active. Raises VaultRefusedError ``unknown-pool``, ``pool-ended``, ``commit-mismatch``,
        ``commit-unproven``, ``activation-mismatch``, ``activation-unproven``, ``test-mismatch``, ``test-unproven`` or
        ``pool-suspect``, and
        EntropyFailedError when the source passed no test since the pool was sealed, and fails now.
        """
        with self._lock:
            pool = self._activatable(pool_id)
            history = self._signed_history()
            committed = verify_commitment(commit, pool, history)
            verify_activation(activation, commit, committed, pool, history)
            if committed.test_plan is not None:
                if test is None:
                    raise VaultRefusedError(
                        "test-mismatch", f"{pool_id}: its commitment names a plan, and no test was shown"
                    )
                verify_passed(test, commit, activation, history, self.receipt_keys.listed)
            if pool.life is Life.SEALED:
                tested = self._keys.tested_since_sealed(pool_id)
                self.pools.set_stream(pool_id, self._secret_stream(pool))
                # A crash behind this line leaves the pool active without an answer; asking again succeeds.
                self._journal.append(tested + entries.encode_activated(pool_id))
                self.source_record.apply(tested)
                pool.activate()

    def open_group(
        self, openings: Sequence[OpeningRequest], settlements: Sequence[bytes], *, sign: bool, key_id: str = ""
    ) -> GroupResult:
        """Bind every opening of the group that may be bound, durably, then return secrets and a signature."""
        with self._lock:
            return self._opener.open(openings, settlements, sign=sign, key_id=key_id)

    def void(self, pool_id: str, commit: LoggedEntry) -> PoolKey:
        """End a pool of which no slot was ever opened or reserved, and return its key for publication.

        Only after proof that the commitment is in the log: nobody has the key of a pool that can still be committed
        to. Asking again returns the same. Raises VaultRefusedError ``unknown-pool``, ``pool-used``,
        ``commit-mismatch`` or ``commit-unproven``.
        """
        with self._lock:
            pool = self.pools.get(pool_id)
            if pool.life is Life.ERASED or not pool.untouched:
                raise VaultRefusedError("pool-used", f"{pool_id}: slots were opened or reserved")
            verify_commitment(commit, pool, self._signed_history())
            key = self._pool_key(pool_id)
            if pool.life is not Life.VOID:
                # A crash behind this line leaves the pool void and its key unpublished; asking again returns
                # it.
                self._journal.append(entries.encode_voided(pool_id))
                self.pools.end(pool_id, Life.VOID)
            return key

    def erase(self, pool_id: str) -> ErasureProof:
        """Destroy the key of a pool that was opened in full; sign that, and what its slots were opened for.

        Asking again signs again. Raises VaultRefusedError ``unknown-pool`` or ``pool-incomplete``.
        """
        with self._lock:
            pool = self.pools.get(pool_id)
            if pool.life is not Life.ERASED:
                if pool.life is not Life.ACTIVE or not pool.complete:
                    raise VaultRefusedError(
                        "pool-incomplete",
                        f"{pool_id} is {pool.life}: {pool.drawn} drawn and {pool.voided} void of {pool.size}",
                    )
                self._journal.append(entries.encode_erased(pool_id))
                self.pools.end(pool_id, Life.ERASED)
            # A crash before the file is gone leaves an erased pool with a key, which the next start destroys.
            self.store.erase(pool_key_name(pool_id), step="pool-key")
            statement = erase_statement(
                self.origin,
                pool_id,
                pool.slot_root,
                drawn=pool.drawn,
                void=pool.voided,
                bindings_digest=pool.bindings_digest,
            )
            signature = self.receipt_keys.sign(statement)
            key_id = self.receipt_keys.current.key_id
            return ErasureProof(signature, key_id, pool.drawn, pool.voided, pool.bindings_digest)

    def read_journal(self, after_sequence: int) -> Iterator[Frame]:
        """Yield the durable frames behind ``after_sequence``."""
        return self._journal.read_after(after_sequence)

    def sign_checkpoint(self, size: int, root: bytes, proof: Sequence[bytes], old_size: int) -> bytes:
        """Return the signed note of a tree head that continues the only history; see `HistoryGuard.sign`."""
        with self._history_lock:
            return self.guard.sign(size, root, proof, old_size, self.journal_mark)

    def rotate_kek(self) -> int:
        """Put every key under a new key-encryption key and return its epoch."""
        with self._lock, self._keys.generator() as drbg:
            key = drbg.new_key_encryption_key()
        return self.store.rotate_kek(key, self._clock_us())

    def rotate_drbg(self) -> tuple[int, str]:
        """Instantiate a fresh generator; returns its epoch and instance."""
        with self._lock:
            fresh = self._keys.replace()
            return fresh.epoch, fresh.instance

    def rotate_receipt_key(self) -> PublicReceiptKey:
        """Let a new receipt key sign from now on."""
        with self._lock, self._keys.generator() as drbg:
            return self.receipt_keys.rotate(drbg.new_signing_seed("receipt"), self._clock_us())

    def test_source(self) -> None:
        """Test the entropy source on demand, and journal a good one when pools were sealed since the last.

        Raises EntropyFailedError, now and ever after, when it fails; its suspects are in the journal then.
        """
        self._keys.test()

    @property
    def source_samples(self) -> int:
        """How many samples of the entropy source passed since the start."""
        return self._keys.samples

    @property
    def failure(self) -> EntropyFailedError | None:
        """Why no key is made, None while keys are made."""
        return self._keys.failure

    def read_test_stream(self, n_bytes: int) -> Iterator[Part]:
        """Yield the parts of a new test-only stream; see `TestStreams.read`."""
        return self.test_streams.read(self._seed_test_stream, n_bytes)

    def pool_states(self) -> list[PoolState]:
        """Return the pools in the order of their sealing; for reading only."""
        with self._lock:
            return self.pools.states()

    def _seal(self, pool_id: str, size: int, *, deal: bool) -> SealedPool:
        name = pool_key_name(pool_id)
        with self._lock:
            known = self.pools.find(pool_id)
            if known is not None and known.life is Life.ERASED:
                raise VaultRefusedError("pool-erased", f"{pool_id}: its key is destroyed")
            if known is not None and (known.size, known.deal) != (size, deal):
                raise VaultRefusedError(
                    "size-differs", f"{pool_id} has {known.size} slots, not {size}, or another kind"
                )
            key = None if known is not None else self._new_pool_key(pool_id)
        if key is not None:
            # A crash behind this line leaves a key without a journal entry: nothing was published of it, and
            # the next call goes on with it. So no pool_id ever has two keys.
            self.store.store(name, key, self._clock_us(), step="pool-key")
        revealed = self._pool_key(pool_id).reveal_secret()
        secrets = deal_secrets(revealed, size) if deal else slot_secrets(revealed, size)
        leaves = slot_leaves(pool_id, secrets)
        root = root_of(leaves)
        with self._lock:
            if known is None:
                # A key that was made before a failure is a suspect: it is kept, and sealed when the source is good.
                self._keys.require()
                frame = entries.encode_sealed(pool_id, size, root, deal=deal)
                # A crash behind this line leaves a sealed pool that was not answered; asking again gives the
                # same.
                self._journal.append(frame)
                self.pools.add(PoolState(pool_id, size, root, deal=deal))
                self.source_record.apply(frame)
                self._unsealed.discard(pool_id)
            if self.drbg is None:
                raise self._keys.failed()
            return SealedPool(leaves, root, self.drbg.instance, self.drbg.epoch, self.store.kek_epoch)

    def _new_pool_key(self, pool_id: str) -> PoolKey | None:
        """Return a key for a pool that is not sealed, None when a crash left one; it is in doubt until it is sealed."""
        with self._keys.generator() as drbg:
            if self.store.has(pool_key_name(pool_id)):
                return None
            key = drbg.new_pool_key(pool_id)
            self._unsealed.add(pool_id)
            return key

    def _activatable(self, pool_id: str) -> PoolState:
        pool = self.pools.get(pool_id)
        if pool.life in {Life.VOID, Life.ERASED}:
            raise VaultRefusedError("pool-ended", f"{pool_id} is {pool.life}")
        if self.source_record.suspected(pool_id):
            raise VaultRefusedError("pool-suspect", f"{pool_id} was sealed since the last good test of the source")
        return pool

    def _instantiate(self) -> VaultDrbg:
        return instantiate_drbg(
            self._directory, self.origin, self._clock_us(), entropy=self._source, on_step=self._on_step
        )

    def _keys_in_doubt(self) -> set[str]:
        """Return the pools whose key is being made, or was left by a crash: they have no entry of their own yet."""
        return {*self._unsealed, *pools_with_keys(self.store)} - {pool.pool_id for pool in self.pools.states()}

    def _seed_test_stream(self) -> Seeded:
        with self._lock, self._keys.generator() as drbg:
            number = self.test_streams.next_number(drbg.instance)
            return Seeded(drbg.new_test_stream(number), number, drbg.instance, drbg.epoch)

    def _rest(self) -> None:
        self._pause(_REST_S)

    def _signed_history(self) -> SignedHistory:
        # Read without the history lock, the mark may be one checkpoint old: that can only refuse.
        mark = self.guard.mark
        return SignedHistory(self.log_key, mark.size, mark.root)

    def _secret_stream(self, pool: PoolState) -> SecretStream:
        return SecretStream(self._pool_key(pool.pool_id), pool.size if pool.deal else 0)

    def _pool_key(self, pool_id: str) -> PoolKey:
        return self.store.load(pool_key_name(pool_id), PoolKey)[0]

    def _replay(self, frame: Frame) -> None:
        for entry in entries.parse_entries(frame.payload):
            self.source_record.replay(entry)
            if not isinstance(entry, entries.SourceEntry):
                self.pools.replay(entry)

    def _settle_pool_keys(self) -> tuple[str, ...]:
        damaged = []
        for pool in self.pools.states():
            if pool.life is Life.ERASED:
                self.store.erase(pool_key_name(pool.pool_id), step="pool-key")
            elif pool.life is Life.ACTIVE:
                try:
                    self.pools.set_stream(
                        pool.pool_id, SecretStream(self._pool_key(pool.pool_id), pool.size if pool.deal else 0)
                    )
                except KeystoreError as error:
                    damaged.append(str(error))
        return tuple(dict.fromkeys((*self.store.damaged, *damaged)))
