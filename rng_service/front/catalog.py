"""What the front knows of games, streams and pools: a read model of the ledger, refreshed beside the draw path.

Pools are loaded (leaves read, root checked, tree built) before they are needed; a draw finds everything in memory.
A pool's ``next_slot`` is owned by the thread that binds; everything else here is written by the refreshing thread,
by replacing whole tuples, and read without locks.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, Engine, select

from anchor import canonical
from anchor.errors import AnchorError, VerificationError
from anchor.merkle import packed_levels
from anchor.range_path import range_path
from rng_service.errors import FailedPrecondition, InvalidArgument, LedgerError, NotFound
from rng_service.front.books import BooksOfProgram, books_of
from rng_service.front.checks import MAX_MONEY
from rng_service.game_file_store import GameFileStore
from rng_service.games import Bet, BetError, GameDefinition, parse_bet, parse_game, resolve_bet
from rng_service.games.definition import TicketPrice
from rng_service.games.rounds import awards_features
from rng_service.ledger.engine import reading
from rng_service.ledger.models import GameRow, LogEntryRow, PoolRow, StreamRow
from rng_service.outcome import DealDeriver, Deriver, Program, deriver_of
from rng_service.records.protection import Protection, protection_of

_log = logging.getLogger(__name__)

_KEPT_BETS = 4_096
_KEPT_POOLS = 64
_STREAMS = select(StreamRow.id, StreamRow.game_id, StreamRow.program, StreamRow.play_class, StreamRow.lanes)


class PackedLevel(Sequence[bytes]):
    """One level of a Merkle tree in one bytes object: 32 bytes a node instead of an object each."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data) >> 5

    def __getitem__(self, index: int) -> bytes:  # type: ignore[override]
        return self.data[index << 5 : (index + 1) << 5]


@dataclass(slots=True)
class Pool:
    """A pool that can be drawn from, or of which receipts are made."""

    id: int
    pool_id: str
    lane: int
    number: int
    size: int
    next_slot: int
    commit_index: int
    activate_index: int
    beacon: bool
    development: bool
    deriver: Deriver = field(repr=False)
    program: Program = field(repr=False)
    levels: tuple[PackedLevel, ...] = field(repr=False)
    # What the player is shown for each outcome, in programs that have it.
    books: BooksOfProgram | None = field(default=None, repr=False)
    _siblings: tuple[bytes, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # The hashes of a path stand on every level but the root's.
        self._siblings = tuple(level.data for level in self.levels[:-1])

    def slot_path(self, slot: int, count: int) -> list[bytes]:
        """Return the inclusion path of one slot, or the range path of several (PROTOCOL.md, section 8)."""
        if count > 1:
            return range_path(self.levels, slot, count)
        path = []
        for data in self._siblings:
            start = (slot ^ 1) << 5
            if start < len(data):
                path.append(data[start : start + 32])
            slot >>= 1
        return path

    def protection(self, *, ticketed: bool, seeded: bool) -> Protection:
        """Return the labels of a draw from this pool."""
        return _protection(self.beacon, self.development, ticketed, seeded)


@cache
def _protection(beacon: bool, development: bool, ticketed: bool, seeded: bool) -> Protection:
    return protection_of(
        beacon=beacon,
        witnessed=False,
        development=development,
        ticketed=ticketed,
        seeded=seeded,
    )


@dataclass(slots=True)
class Stream:
    """One stream and the active pools of its lanes, in the order of their numbers."""

    id: int
    definition: GameDefinition
    program_id: str
    play_class: str
    lanes: int
    prefix: str
    retired: bool = False
    active: tuple[tuple[Pool, ...], ...] = ()
    # Whether the program is only drawn in rounds: known here, because every draw asks.
    in_rounds: bool = field(init=False)
    # What a ticket costs where the stream's pools are finite deals.
    price: TicketPrice | None = field(init=False)
    _bets: dict[str, tuple[str, Bet]] = field(default_factory=dict, repr=False)
    _limits: dict[str, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        program = self.definition.program(self.program_id)
        self.in_rounds = program.feature or awards_features(program)
        self.price = program.price

    def pools(self, lane: int) -> Sequence[Pool]:
        """Return the lane's active pools; the first is drawn from first."""
        return self.active[lane] if lane < len(self.active) else ()

    def owns(self, pool_id: str) -> bool:
        """Return whether the pool belongs to this stream."""
        return pool_id.startswith(self.prefix)

    def bet(self, text: str) -> tuple[str, Bet]:
        """Return a bet's canonical JSON and its resolved form; raises InvalidArgument with the path in the bet."""
        found = self._bets.get(text)
        if found is None:
            try:
                resolved = resolve_bet(self.definition, self.program_id, parse_bet(text.encode("utf-8")))
            except BetError as error:
                raise InvalidArgument((f"bet{error.path.removeprefix('$')}", error.message)) from None
            found = canonical.encode(resolved.canonical).decode("ascii"), resolved
            if len(self._bets) >= _KEPT_BETS:
                self._bets.clear()
            self._bets[text] = found
        return found

    def warm(self) -> None:
        """Work out the limits of the bets that the program lists, before a call has to wait for it."""
        for _, priced in self.definition.program(self.program_id).model.listed_bets():
            if "bet" in priced.canonical:
                self.bet(canonical.encode(priced.canonical).decode("ascii"))[1].highest  # noqa: B018 - it is kept

    def most_stake(self, canonical_bet: str, bet: Bet) -> int:
        """Return the largest stake whose top prize is still an amount that a record can state."""
        limit = self._limits.get(canonical_bet)
        if limit is None:
            top = bet.highest
            limit = int(MAX_MONEY / top) if top > 1 else MAX_MONEY
            if len(self._limits) >= _KEPT_BETS:
                self._limits.clear()
            self._limits[canonical_bet] = limit
        return limit


class Catalog:
    """The front's read model; `refresh` is called by one thread, everything else by any."""

    def __init__(self, engine: Engine, public_dir: Path, environment: str, store: GameFileStore) -> None:
        self._engine = engine
        self._store = store
        self._public_dir = public_dir
        self._environment = environment
        self._definitions: dict[int, GameDefinition] = {}
        self._newest: Mapping[str, int] = {}
        self._streams: Mapping[tuple[str, int, str, str], Stream] = {}
        self._by_id: Mapping[int, Stream] = {}
        self._pools: OrderedDict[int, Pool] = OrderedDict()
        self._lock = Lock()

    def refresh(self, *, learn: bool = True) -> None:
        """Read games, streams and newly activated pools; load the pools' trees.

        Without ``learn`` games and streams that are not known yet are left for the next time: to read a large table,
        and to work out the limits of bets, can take longer than a draw may wait.
        """
        with reading(self._engine) as connection:
            games = connection.execute(select(GameRow.id, GameRow.name, GameRow.version, GameRow.retired_us)).all()
            for game in games:
                if learn and game.id not in self._definitions:
                    data = connection.execute(select(GameRow.definition).where(GameRow.id == game.id)).scalar_one()
                    try:
                        self._definitions[game.id] = parse_game(data, self._store.files)
                    except (AnchorError, OSError) as error:
                        # A file that is lost takes its own game away, and no other.
                        _log.error("%s version %s cannot be played: %s", game.name, game.version, error)
            streams = list(connection.execute(_STREAMS))
            active = connection.execute(
                select(PoolRow.id, PoolRow.stream_id, PoolRow.lane, PoolRow.number)
                .where(PoolRow.state == "active", PoolRow.next_slot < PoolRow.size)
                .order_by(PoolRow.number),
            ).all()
        retired = {game.id: game.retired_us is not None for game in games}
        newest: dict[str, int] = {}
        for game in games:
            if not retired[game.id]:
                newest[game.name] = max(game.version, newest.get(game.name, 0))
        by_key, by_id = {}, {}
        for key, game_id, program, play_class, lane_count in streams:
            definition = self._definitions.get(game_id)
            if definition is None or not (learn or key in self._by_id):
                continue
            prefix = f"{self._environment}/{definition.game}/{definition.version}/{program}/{play_class}/"
            stream = self._by_id.get(key)
            if stream is None:
                stream = Stream(key, definition, program, play_class, lane_count, prefix)
                stream.warm()
            stream.retired = retired[game_id]
            stream.lanes = lane_count
            by_key[definition.game, definition.version, program, play_class] = stream
            by_id[key] = stream
        # A stream never goes away; one that another thread learned of meanwhile is kept.
        self._by_id, self._streams = {**self._by_id, **by_id}, {**self._streams, **by_key}
        self._newest = newest
        lanes: dict[int, list[list[Pool]]] = {key: [[] for _ in range(s.lanes)] for key, s in by_id.items()}
        blocked: set[tuple[int, int]] = set()
        for row in active:
            if row.stream_id not in lanes or (row.stream_id, row.lane) in blocked:
                continue
            try:
                lanes[row.stream_id][row.lane].append(self._pool(row.id))
            except (AnchorError, LedgerError, OSError) as error:
                # Pools are used in number order, so what stands behind this one waits with it; other lanes go on.
                _log.warning("a pool cannot be loaded and is not drawn from: %s: %s", type(error).__name__, error)
                blocked.add((row.stream_id, row.lane))
        for key, stream in by_id.items():
            # One assignment: a reader sees the old queues or the new ones.
            stream.active = tuple(tuple(pools) for pools in lanes[key])

    def reload_cursors(self) -> None:
        """Read ``next_slot`` of every pool again; called by the binding thread after it lost a guard."""
        self.refresh(learn=False)
        with reading(self._engine) as connection:
            rows = connection.execute(select(PoolRow.id, PoolRow.next_slot).where(PoolRow.state == "active")).all()
        for row in rows:
            pool = self._pools.get(row.id)
            if pool is not None:
                pool.next_slot = row.next_slot

    def stream(self, game: str, version: int, program: str, play_class: str) -> Stream:
        """Return a stream, the newest version's for version 0; NotFound, or VERSION_RETIRED."""
        if not version:
            version = self._newest.get(game, 0)
        stream = self._streams.get((game, version, program, play_class))
        if stream is None:
            known = any(key[0] == game for key in self._streams)
            raise NotFound(
                f"game {game!r} has no version {version or '(any)'} with program {program!r} in class {play_class}"
                if known
                else f"game {game!r} is not registered",
            )
        if stream.retired:
            raise FailedPrecondition("VERSION_RETIRED", f"version {version} of {game!r} is retired; use a newer one")
        return stream

    def stream_of(self, pool_id: str) -> Stream:
        """Return the stream that a pool belongs to."""
        _, game, version, program, play_class, _, _ = pool_id.split("/")
        found = self._streams.get((game, int(version), program, play_class))
        if found is None:
            raise NotFound(f"pool {pool_id!r} belongs to no registered stream")
        return found

    def streams(self) -> Iterator[Stream]:
        """Yield every stream."""
        return iter(self._by_id.values())

    def pool(self, key: int) -> Pool:
        """Return a pool by its row id, from memory or loaded now."""
        with self._lock:
            found = self._pools.get(key)
            if found is not None:
                self._pools.move_to_end(key)
                return found
        return self._pool(key)

    def _pool(self, key: int) -> Pool:
        with self._lock:
            found = self._pools.get(key)
        if found is not None:
            return found
        with reading(self._engine) as connection:
            loaded = self._load(connection, key)
        with self._lock:
            # Another thread may have been faster: one object a pool, since the cursor lives in it.
            kept = self._pools.setdefault(key, loaded)
            self._forget_old()
        return kept

    def _forget_old(self) -> None:
        drawn_from = {pool.id for stream in self._by_id.values() for lane in stream.active for pool in lane}
        for key in list(self._pools)[: max(0, len(self._pools) - _KEPT_POOLS - len(drawn_from))]:
            if key not in drawn_from:
                del self._pools[key]

    def _load(self, connection: Connection, key: int) -> Pool:
        row = connection.execute(select(PoolRow.__table__).where(PoolRow.id == key)).one()
        if row.commit_index is None or row.activate_entry is None or row.activate_index is None:
            raise LedgerError(f"pool {row.pool_id} is not activated")
        path = self._public_dir / "leaves" / f"{row.pool_id}.bin"
        levels = tuple(PackedLevel(level) for level in packed_levels(path.read_bytes()))
        if len(levels[0]) != row.size or levels[-1].data != row.slot_root:
            raise VerificationError("leaves-mismatch", f"{path} does not give the slot root of pool {row.pool_id}")
        activation = canonical.decode_object(row.activate_entry, what=f"activation of {row.pool_id}")
        beacon = bytes.fromhex(activation.get("beacon_value", ""))
        _, _, _, program_id, _, _, _ = row.pool_id.split("/")
        stream = self._by_id.get(row.stream_id)
        if stream is None:
            raise LedgerError(f"the stream of pool {row.pool_id} is not known yet")
        program = stream.definition.program(program_id)
        deriver = deriver_of(
            "deal" if program.deal_size else "independent",
            sha256(b"\x00" + row.commit_entry).digest(),
            beacon,
            program_id,
            row.size,
        )
        if isinstance(deriver, DealDeriver):
            # Worked out here, beside the draws, and not under the first of them.
            deriver.permutation  # noqa: B018 - it is kept
        return Pool(
            id=row.id,
            pool_id=row.pool_id,
            lane=row.lane,
            number=row.number,
            size=row.size,
            next_slot=row.next_slot,
            commit_index=row.commit_index,
            activate_index=row.activate_index,
            beacon=row.beacon_chain is not None,
            development=row.beacon_chain is not None and _is_development(connection, row.beacon_chain),
            deriver=deriver,
            program=program.outcome,
            levels=levels,
            books=books_of(program, self._store),
        )


def _is_development(connection: Connection, chain: bytes) -> bool:
    entries = connection.execute(select(LogEntryRow.entry).where(LogEntryRow.type == "beacon.chain")).scalars()
    for entry in entries:
        said = canonical.decode_object(entry, what="beacon.chain entry")
        if said["chain"] == chain.hex():
            return bool(said["development"])
    raise LedgerError("a pool names a beacon chain that the log does not announce")
