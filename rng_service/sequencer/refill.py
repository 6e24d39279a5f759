"""Refill: keep so many pools of each lane sealed and on their way that draws never wait for one."""

from collections import defaultdict
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select

from anchor.files import atomic_write
from anchor.merkle import root_of
from rng_service.errors import StartRefused
from rng_service.ledger.documents import add_documents
from rng_service.ledger.models import BeaconRoundRow, GameRow, PoolRow, StreamRow
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import BeaconRound, PoolCommit, parse_entry
from rng_service.names import PoolId, Stream
from rng_service.pools.lifecycle import PoolUse, State, missing_pools
from rng_service.pools.plans import BUILT_IN_PLAN
from rng_service.pools.slots import SECRET_BYTES
from rng_service.public_files import leaves_path, plan_path
from rng_service.sequencer.context import Context, pools_in
from rng_service.sequencer.judging import FAILED, UNTESTABLE
from rng_service.sequencer.source_watch import ENTROPY_FAILED, watch_source
from rng_service.vault.errors import VaultRefusedError

__all__ = ["WantedPool", "refill", "wanted_pools"]

_MICROSECONDS = 1_000_000
# What made pools bad may make the next ones bad: their lane gets others at this pace, and not as fast as they fail.
_PAUSE_AFTER_FAILURE_S = 60
_COUNTED = (State.SEALED, State.COMMITTED, State.TESTING, State.ACTIVATING, State.ACTIVE)


class WantedPool(NamedTuple):
    """A pool that is to be sealed: the next number of its lane."""

    pool: PoolId
    stream_id: int
    size: int
    game_digest: bytes
    deal: bool = False


def refill(context: Context, *, limit: int) -> int:
    """Seal and commit up to ``limit`` pools and return how many; the lanes that are shortest of pools come first."""
    with context.reading() as connection:
        wanted = wanted_pools(connection, context.config.service.environment, context.config.pools.ready)
        now_us = context.clock_us()
        wanted = [item for item in wanted if not _pauses(connection, item, now_us)]
    if context.chain is None and any(item.deal for item in wanted):
        # Whoever seals a deal would know its winners: only a round that comes later takes that away.
        context.warnings.append("deals are not sealed: they need a beacon, and none is configured")
        wanted = [item for item in wanted if not item.deal]
    for done, item in enumerate(wanted[:limit]):
        try:
            _seal(context, item)
        except VaultRefusedError as error:
            if error.reason != ENTROPY_FAILED:
                raise
            # Without a source there are no new pools; those that are there are drawn from, and all else goes on.
            return done + watch_source(context, context.vault.get_state().entropy)
    return len(wanted[:limit])


def wanted_pools(connection: Connection, environment: str, ready: int) -> list[WantedPool]:
    """Return the pools that the streams of all games in use lack, one for each lane first, then the second ones."""
    uses: dict[tuple[int, int], list[PoolUse]] = defaultdict(list)
    for pool in pools_in(connection, *_COUNTED):
        uses[pool.stream_id, pool.lane].append(PoolUse(State(pool.state), pool.next_slot, pool.size))
    ranked: dict[int, list[WantedPool]] = defaultdict(list)
    streams = connection.execute(
        select(StreamRow.__table__, GameRow.name, GameRow.version, GameRow.digest)
        .join(GameRow, GameRow.id == StreamRow.game_id)
        .where(GameRow.retired_us.is_(None))
        .order_by(StreamRow.id)
    )
    for row in streams:
        stream = Stream(row.name, row.version, row.program, row.play_class)
        for lane in range(row.lanes):
            missing = missing_pools(ready, uses[row.id, lane])
            first = _next_number(connection, row.id, lane) if missing else 0
            for nth in range(missing):
                named = PoolId(environment, stream, lane, first + nth)
                # The lane that has nothing at all is served before one that lacks only its reserve.
                missed = WantedPool(named, row.id, row.pool_size, bytes(row.digest), row.deal)
                ranked[ready - missing + nth].append(missed)
    return [item for _, items in sorted(ranked.items()) for item in items]


def _pauses(connection: Connection, wanted: WantedPool, now_us: int) -> bool:
    """Return whether the newest pool of the lane was no good, and was committed to a moment ago."""
    newest = connection.execute(
        select(PoolRow.reason, PoolRow.commit_entry)
        .where(PoolRow.stream_id == wanted.stream_id, PoolRow.lane == wanted.pool.lane)
        .order_by(PoolRow.number.desc())
        .limit(1)
    ).first()
    if newest is None or newest.reason not in {FAILED, UNTESTABLE}:
        return False
    return 0 <= now_us - parse_entry(bytes(newest.commit_entry)).time_us < _PAUSE_AFTER_FAILURE_S * _MICROSECONDS


def _next_number(connection: Connection, stream_id: int, lane: int) -> int:
    last = connection.execute(
        select(func.max(PoolRow.number)).where(PoolRow.stream_id == stream_id, PoolRow.lane == lane)
    ).scalar()
    return int(last or 0) + 1


def _seal(context: Context, wanted: WantedPool) -> None:
    name = str(wanted.pool)
    kind = "deal" if wanted.deal else "independent"
    sealed = context.vault.seal_pool(name, wanted.size, kind)
    # A crash right here leaves a key in the vault and nothing else: the next pass gets the same leaves again.
    context.on_step("seal.vault")
    leaves = [sealed.leaves[at : at + SECRET_BYTES] for at in range(0, len(sealed.leaves), SECRET_BYTES)]
    if len(leaves) != wanted.size or root_of(leaves) != sealed.slot_root:
        raise StartRefused(f"{name}: the vault's leaves are not the tree of the root that it states")
    atomic_write(context.config.public_dir / leaves_path(name), sealed.leaves)
    # A crash right here leaves a file that no entry names; it is written again, with the same bytes.
    context.on_step("seal.leaves")
    now_us = context.clock_us()
    deadline_us = now_us + context.config.pools.activation_deadline_s * _MICROSECONDS
    with context.reading() as connection:
        beacon = _future_round(context, connection, now_us)
    # A deal's composition is exact, and held as such: there is nothing in it to be tested.
    plan = None if wanted.deal or not context.config.pools.test else BUILT_IN_PLAN
    entry = PoolCommit(
        origin=context.origin,
        time_us=now_us,
        pool=name,
        kind=kind,
        size=wanted.size,
        slot_root=sealed.slot_root,
        game_digest=wanted.game_digest,
        program=wanted.pool.stream.program,
        drbg_instance=sealed.drbg_instance,
        drbg_epoch=sealed.drbg_epoch,
        key_epoch=sealed.kek_epoch,
        deadline_us=deadline_us,
        beacon=beacon,
        test_plan=None if plan is None else plan.digest,
    )
    with context.writing() as connection:
        if plan is not None:
            add_documents(connection, {plan_path(plan.digest): plan.to_bytes()})
        append_entry(connection, entry)
        connection.execute(
            insert(PoolRow).values(
                pool_id=name,
                stream_id=wanted.stream_id,
                lane=wanted.pool.lane,
                number=wanted.pool.number,
                size=wanted.size,
                state=State.SEALED.value,
                next_slot=0,
                slot_root=sealed.slot_root,
                deadline_us=deadline_us,
                beacon_chain=None if beacon is None else beacon.chain,
                beacon_round=None if beacon is None else beacon.round,
                commit_entry=entry.to_bytes(),
                test_plan=entry.test_plan,
            )
        )
    # A crash right here leaves a commitment that waits in the queue of the log.
    context.on_step("seal.recorded")


def _future_round(context: Context, connection: Connection, now_us: int) -> BeaconRound | None:
    """Name the first round that lies the declared margin ahead; it is never chosen again.

    ``now_us`` is not before the newest digest. A round that was seen already, which digests state, is never named: a
    clock that is behind would otherwise find it in the future.
    """
    if context.chain is None:
        return None
    chain = context.chain.chain_hash
    earliest_us = now_us + context.config.beacon.margin_s * _MICROSECONDS
    seen = connection.execute(select(func.max(BeaconRoundRow.round)).where(BeaconRoundRow.chain == chain)).scalar()
    return BeaconRound(chain, max(context.chain.first_round_from(earliest_us), int(seen or 0) + 1))
