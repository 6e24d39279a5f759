"""What every part of the sequencer works with, and the one way in which it writes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from anchor.note import VerifierKey
from rng_service.beacon import ChainInfo
from rng_service.config import Config
from rng_service.errors import LedgerError
from rng_service.game_file_store import GameFileStore
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.leases import Lease, hold_lease
from rng_service.ledger.models import MetaRow, PoolRow, StreamRow
from rng_service.pools.lifecycle import Event, State, sources, target
from rng_service.sequencer.clock import LogClock
from rng_service.sequencer.faults import OnStep
from rng_service.vault.client import VaultClient

__all__ = ["Context", "LedgerRow", "get_meta", "known_pools", "move_pool", "pools_in", "set_meta"]


_NAMES_AT_ONCE: Final = 400

# A row as it was read, its columns by name.
LedgerRow = Row[*tuple[Any, ...]]


@dataclass(slots=True)
class Context:
    """The sequencer's surroundings: nothing here decides anything.

    ``clock_us`` gives microseconds UTC as the log has them; ``random_bytes`` the nonces of its own bindings. ``chain``
    is the beacon that new pools wait for, None without one.
    """

    config: Config
    engine: Engine
    vault: VaultClient
    lease: Lease
    clock_us: LogClock
    random_bytes: Callable[[int], bytes]
    on_step: OnStep
    log_key: VerifierKey
    chain: ChainInfo | None
    # The receipt key that groups made here name; `keys.refresh_keys` keeps it.
    receipt_key_id: str
    warnings: list[str] = field(default_factory=list)
    # The files that game definitions name.
    store: GameFileStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = GameFileStore(self.config.game_files_dir)

    @property
    def origin(self) -> str:
        """The log's origin."""
        return self.config.service.origin

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection without the write lock; raises LedgerError when the database cannot be asked."""
        try:
            with reading(self.engine) as connection:
                yield connection
        except (OperationalError, InterfaceError) as error:
            raise LedgerError(f"the ledger cannot be read: {error.orig}") from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a transaction that commits only while this process leads; raises LeaseLostError otherwise."""
        try:
            with writing(self.engine) as connection:
                hold_lease(connection, self.lease, now_us=self.clock_us())
                yield connection
        except (OperationalError, InterfaceError) as error:
            # Whether it committed may not be known. Every step looks again at what is durable before it acts, so
            # the same step is simply taken again.
            raise LedgerError(f"a write to the ledger failed: {error.orig}") from error


def move_pool(connection: Connection, pool: int, event: Event, **values: object) -> bool:
    """Let ``event`` happen to the pool of row ``pool``, if its state allows it at this moment; say whether it did."""
    moved = connection.execute(
        update(PoolRow)
        .where(PoolRow.id == pool, PoolRow.state.in_(sorted(sources(event))))
        .values(state=target(event).value, **values)
    )
    return moved.rowcount == 1


def pools_in(connection: Connection, *states: State) -> list[LedgerRow]:
    """Return the pools in any of ``states``, oldest first.

    The index is by stream and state: naming all streams keeps this from reading every pool there ever was.
    """
    rows = connection.execute(
        select(PoolRow.__table__)
        .where(PoolRow.stream_id.in_(select(StreamRow.id)), PoolRow.state.in_([state.value for state in states]))
        .order_by(PoolRow.id)
    )
    return list(rows.all())


def known_pools(connection: Connection, names: Sequence[str]) -> list[LedgerRow]:
    """Return the ledger's pools of these names, oldest first; names that it does not have are left out."""
    found: list[LedgerRow] = []
    for start in range(0, len(names), _NAMES_AT_ONCE):
        part = names[start : start + _NAMES_AT_ONCE]
        found += connection.execute(select(PoolRow.__table__).where(PoolRow.pool_id.in_(part)))
    return sorted(found, key=lambda pool: int(pool.id))


def get_meta(connection: Connection, key: str) -> str | None:
    """Return a fact of the ledger."""
    return connection.execute(select(MetaRow.value).where(MetaRow.key == key)).scalar_one_or_none()


def set_meta(connection: Connection, key: str, value: str) -> None:
    """Write a fact of the ledger."""
    changed = connection.execute(update(MetaRow).where(MetaRow.key == key).values(value=value))
    if not changed.rowcount:
        connection.execute(MetaRow.__table__.insert().values(key=key, value=value))  # type: ignore[attr-defined]
