"""All pools of a vault: their states, and the secret streams of those that are active."""

import re
from typing import Final

from rng_service.pools.slots import MAX_POOL_SIZE
from rng_service.vault.entries import (
    PoolActivated,
    PoolEntry,
    PoolErased,
    PoolSealed,
    PoolVoided,
    SlotsOpened,
)
from rng_service.vault.errors import JournalError, VaultRefusedError
from rng_service.vault.keystream import SecretStream
from rng_service.vault.pool_state import Life, PoolState

__all__ = ["PoolTable", "check_pool"]

_NAME: Final = "[a-z0-9][a-z0-9-]{0,31}"
_NUMBER: Final = "[1-9][0-9]{0,15}"
_POOL_ID: Final = re.compile(f"{_NAME}/{_NAME}/{_NUMBER}/{_NAME}/(?:real|free)/(?:0|{_NUMBER})/{_NUMBER}", re.ASCII)


def check_pool(pool_id: str, size: int) -> None:
    """Raise VaultRefusedError ``pool-id`` or ``pool-size`` for what PROTOCOL.md, sections 2 and 3, does not allow."""
    if not _POOL_ID.fullmatch(pool_id):
        raise VaultRefusedError(
            "pool-id", f"{pool_id[:200]!r}: expected environment/game/version/program/class/lane/number"
        )
    if not 1 <= size <= MAX_POOL_SIZE:
        raise VaultRefusedError("pool-size", f"{pool_id}: {size} slots, expected 1 to {MAX_POOL_SIZE}")


class PoolTable:
    """Every pool that was ever sealed here. Not thread-safe: the owner serialises."""

    def __init__(self) -> None:
        self._states: dict[str, PoolState] = {}
        self._streams: dict[str, SecretStream] = {}

    def find(self, pool_id: str) -> PoolState | None:
        """Return the pool, None when it was never sealed."""
        return self._states.get(pool_id)

    def get(self, pool_id: str) -> PoolState:
        """Return the pool; raises VaultRefusedError ``unknown-pool``."""
        pool = self._states.get(pool_id)
        if pool is None:
            raise VaultRefusedError("unknown-pool", f"{pool_id[:200]!r} was never sealed here")
        return pool

    def stream(self, pool_id: str) -> SecretStream | None:
        """Return the secrets of an active pool, None when its key could not be read."""
        return self._streams.get(pool_id)

    def set_stream(self, pool_id: str, stream: SecretStream) -> None:
        """Keep the secrets of a pool that is, or is about to be, active."""
        self._streams[pool_id] = stream

    def add(self, pool: PoolState) -> None:
        """Take in a pool that was just sealed."""
        self._states[pool.pool_id] = pool

    def end(self, pool_id: str, life: Life) -> None:
        """Let a pool enter its last state and forget its secrets."""
        self._states[pool_id].end(life)
        stream = self._streams.pop(pool_id, None)
        if stream is not None:
            stream.wipe()

    def states(self) -> list[PoolState]:
        """Return all pools in the order of their sealing."""
        return list(self._states.values())

    def forget_streams(self) -> None:
        """Wipe the secrets of every pool."""
        while self._streams:
            self._streams.popitem()[1].wipe()

    def replay(self, entry: PoolEntry) -> None:
        """Apply what the journal says; raises JournalError when it contradicts itself."""
        pool = self._states.get(entry.pool_id)
        if isinstance(entry, PoolSealed):
            if pool is not None:
                raise JournalError(f"the journal seals {entry.pool_id} twice")
            self.add(PoolState(entry.pool_id, entry.size, entry.slot_root, deal=entry.deal))
        elif pool is None:
            raise JournalError(f"the journal names {entry.pool_id} before it is sealed")
        elif isinstance(entry, SlotsOpened):
            if pool.life is not Life.ACTIVE or entry.slot + entry.count > pool.size:
                raise JournalError(f"the journal opens slot {entry.slot} of {entry.pool_id}, which cannot be")
            pool.apply(entry.slot, entry.count, entry.kind, entry.binding_hash)
        elif isinstance(entry, PoolActivated):
            pool.activate()
        elif isinstance(entry, PoolVoided):
            pool.end(Life.VOID)
        elif isinstance(entry, PoolErased):
            pool.end(Life.ERASED)
