"""The vault without its socket: keys, journal, pools, guard, and the rules that tie them together.

The state lock covers pools, journal and receipt key. What takes long (sealing a pool, rewrapping every key,
making a checkpoint durable) runs outside it, so that draws go on. Lock order: history, state, keystore.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from anchor.merkle import root_of
from rng_service.encoding import erase_statement
from rng_service.pools.slots import slot_leaves, slot_secrets
from rng_service.vault import entries
from rng_service.vault.activation import LoggedEntry, SignedHistory, verify_activation, verify_commitment
from rng_service.vault.durable import remove_temporaries
from rng_service.vault.entropy import EntropySource, system_entropy
from rng_service.vault.errors import KeystoreError, VaultRefusedError
from rng_service.vault.history import HistoryGuard
from rng_service.vault.journal import Frame, Journal, Mark
from rng_service.vault.keystore import Keystore, pool_key_name
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
from rng_service.vault.pools import PoolTable, check_pool
from rng_service.vault.receipt_keys import PublicReceiptKey, ReceiptKeys
from rng_service.vault.secret import PoolKey
from rng_service.vault.selftest import run_self_test
from rng_service.vault.steps import OnStep, no_step

__all__ = ["ErasureProof", "SealedPool", "Vault"]

_KIND: Final = "independent"


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
    ) -> None:
        run_self_test()
        check_origin(directory, origin)
        remove_temporaries(directory)
        self.origin = origin
        self._directory = directory
        self._clock_us = clock_us
        self._entropy = entropy
        self._on_step = on_step
        self._lock = threading.RLock()
        self._history_lock = threading.Lock()
        self._sealing: Counter[str] = Counter()
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
        self._journal = Journal(
            directory / JOURNAL_DIRECTORY,
            replay=self._replay,
            on_step=on_step,
            must_contain=self.guard.mark.journal,
        )
        self.damaged = self._settle_pool_keys()
        self.drbg = instantiate_drbg(directory, origin, clock_us(), entropy=entropy, on_step=on_step)
        self._opener = GroupOpener(self.pools, self._journal, self.receipt_keys, origin, on_step=on_step)

    def close(self) -> None:
        """Forget every key and close the journal."""
        with self._lock:
            self.drbg.retire()
            self.pools.forget_streams()
            self._journal.close()

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
        ``pool-erased``.
        """
        check_pool(pool_id, size)
        if kind not in {"", _KIND}:
            raise VaultRefusedError("kind-unsupported", f"{pool_id}: kind {kind!r}, expected {_KIND!r}")
        with self._lock:
            # Two callers for one pool take turns; different pools are sealed beside each other and beside
            # draws.
            while self._sealing[pool_id]:
                self._sealing_done.wait()
            self._sealing[pool_id] += 1
        try:
            return self._seal(pool_id, size)
        finally:
            with self._lock:
                del self._sealing[pool_id]
                self._sealing_done.notify_all()

    def activate(self, pool_id: str, commit: LoggedEntry, activation: LoggedEntry) -> None:
        """Let slots be opened, durably, after proof that commitment and activation are in checkpoints signed here.

        An active pool stays active. Raises VaultRefusedError ``unknown-pool``, ``pool-ended``, ``commit-mismatch``,
        ``commit-unproven``, ``activation-mismatch`` or ``activation-unproven``.
        """
        with self._lock:
            pool = self.pools.get(pool_id)
            if pool.life in {Life.VOID, Life.ERASED}:
                raise VaultRefusedError("pool-ended", f"{pool_id} is {pool.life}")
            history = self._signed_history()
            verify_activation(activation, commit, verify_commitment(commit, pool, history), pool, history)
            if pool.life is Life.SEALED:
                self.pools.set_stream(pool_id, SecretStream(self._pool_key(pool_id)))
                # A crash behind this line leaves the pool active without an answer; asking again succeeds.
                self._journal.append(entries.encode_activated(pool_id))
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
        with self._lock:
            key = self.drbg.new_key_encryption_key()
        return self.store.rotate_kek(key, self._clock_us())

    def rotate_drbg(self) -> tuple[int, str]:
        """Instantiate a fresh generator; returns its epoch and instance."""
        with self._lock:
            fresh = instantiate_drbg(
                self._directory,
                self.origin,
                self._clock_us(),
                entropy=self._entropy,
                on_step=self._on_step,
            )
            self.drbg.retire()
            self.drbg = fresh
            return fresh.epoch, fresh.instance

    def rotate_receipt_key(self) -> PublicReceiptKey:
        """Let a new receipt key sign from now on."""
        with self._lock:
            return self.receipt_keys.rotate(self.drbg.new_signing_seed("receipt"), self._clock_us())

    def pool_states(self) -> list[PoolState]:
        """Return the pools in the order of their sealing; for reading only."""
        with self._lock:
            return self.pools.states()

    def _seal(self, pool_id: str, size: int) -> SealedPool:
        name = pool_key_name(pool_id)
        with self._lock:
            known = self.pools.find(pool_id)
            if known is not None and known.life is Life.ERASED:
                raise VaultRefusedError("pool-erased", f"{pool_id}: its key is destroyed")
            if known is not None and known.size != size:
                raise VaultRefusedError("size-differs", f"{pool_id} has {known.size} slots, not {size}")
            key = None if known is not None or self.store.has(name) else self.drbg.new_pool_key(pool_id)
        if key is not None:
            # A crash behind this line leaves a key without a journal entry: nothing was published of it, and
            # the next call goes on with it. So no pool_id ever has two keys.
            self.store.store(name, key, self._clock_us(), step="pool-key")
        secrets = slot_secrets(self._pool_key(pool_id).reveal_secret(), size)
        leaves = slot_leaves(pool_id, secrets)
        root = root_of(leaves)
        with self._lock:
            if known is None:
                # A crash behind this line leaves a sealed pool that was not answered; asking again gives the
                # same.
                self._journal.append(entries.encode_sealed(pool_id, size, root))
                self.pools.add(PoolState(pool_id, size, root))
            return SealedPool(leaves, root, self.drbg.instance, self.drbg.epoch, self.store.kek_epoch)

    def _signed_history(self) -> SignedHistory:
        # The mark only grows, so reading it without the history lock can only refuse too much.
        return SignedHistory(self.log_key, self.guard.mark.size)

    def _pool_key(self, pool_id: str) -> PoolKey:
        return self.store.load(pool_key_name(pool_id), PoolKey)[0]

    def _replay(self, frame: Frame) -> None:
        for entry in entries.parse_entries(frame.payload):
            self.pools.replay(entry)

    def _settle_pool_keys(self) -> tuple[str, ...]:
        damaged = []
        for pool in self.pools.states():
            if pool.life is Life.ERASED:
                self.store.erase(pool_key_name(pool.pool_id), step="pool-key")
            elif pool.life is Life.ACTIVE:
                try:
                    self.pools.set_stream(pool.pool_id, SecretStream(self._pool_key(pool.pool_id)))
                except KeystoreError as error:
                    damaged.append(str(error))
        return tuple(dict.fromkeys((*self.store.damaged, *damaged)))
