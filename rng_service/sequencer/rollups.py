"""What the records of a digest add to the rollups of realised return, from the same opened records as its totals."""

import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from anchor import canonical
from anchor.errors import VerificationError
from rng_service.games import BetError
from rng_service.ledger.models import (
    FAMILY_FINAL,
    POSITION_BITS,
    REQUEST_BITS,
    GroupRow,
    RecordRow,
    TagsRow,
)
from rng_service.rtp.delta import Delta
from rng_service.rtp.periods import hour_of
from rng_service.rtp.prices import Bounds, Price
from rng_service.rtp.rollup import Play, RollupFold, RollupKey, Where
from rng_service.rtp.stakes import StakeBands
from rng_service.sequencer.accounting import Drawn
from rng_service.sequencer.facts import PoolFacts
from rng_service.sequencer.opening import OpenedRecord

__all__ = ["RollupMaker"]

_SECRET: Final = 32
_ROWS_AT_ONCE: Final = 400
_MOST_OUTCOMES: Final = 4_096
_NOWHERE: Final = Where()


class _Settled(NamedTuple):
    """The draw that a settlement belongs to: its record, and the outcome of the slot that is settled."""

    record: int
    tagged: bool
    outcome: tuple[int, ...]


class RollupMaker:
    """Folds records into deltas; what it keeps is a cache of outcomes that many settlements ask for."""

    def __init__(self, bands: StakeBands) -> None:
        self._bands = bands
        self._outcomes: dict[tuple[int, int], _Settled] = {}

    def delta(
        self,
        connection: Connection,
        time_us: int,
        records: Sequence[OpenedRecord],
        pools: Mapping[int, PoolFacts],
        first: frozenset[int],
        plays: Mapping[int, Drawn | None],
    ) -> Delta | None:
        """Return what ``records`` add, None when it is nothing.

        ``plays`` has by record id what draws with a bet of their own came to; ``first`` is that of the totals.
        """
        counted = [record for record in records if record.stored.kind in {"draw", "settle"}]
        if not counted:
            return None
        self._know(counted, pools)
        settled = {
            record.stored.id: self._settled(connection, record, pools)
            for record in counted
            if record.stored.kind == "settle"
        }
        where = _tags(connection, counted, settled)
        fold = RollupFold()
        for record in counted:
            facts = pools[record.stored.pool]
            if record.stored.kind == "draw":
                self._draw(fold, record, facts, where.get(record.stored.id, _NOWHERE), plays.get(record.stored.id))
            else:
                draw = settled[record.stored.id]
                self._settlement(fold, record, facts, where.get(draw.record, _NOWHERE), draw, first)
        return Delta.of_fold(hour_of(time_us), fold)

    def _draw(
        self, fold: RollupFold, record: OpenedRecord, facts: PoolFacts, where: Where, drawn: Drawn | None
    ) -> None:
        fields, slots = record.stored.fields, record.stored.slots
        currency = fields.get("currency", "")
        if drawn is None:
            fold.outcomes(_key(facts, currency, where, ""), slots, unsettled=True)
            return
        stake = fields["stake_minor"]
        key = _key(facts, currency, where, self._bands.band(currency, stake))
        fold.outcomes(key, slots, unsettled=False)
        price, bounds = facts.prices.price(drawn.bet, str(fields["bet"])), _bounds(facts)
        for item, (multiplier, payout) in enumerate(zip(drawn.multipliers, drawn.payouts, strict=True)):
            fold.play(key, Play(stake, payout, price, multiplier, record.item.digest, item), bounds)

    def _settlement(
        self,
        fold: RollupFold,
        record: OpenedRecord,
        facts: PoolFacts,
        where: Where,
        draw: _Settled,
        first: frozenset[int],
    ) -> None:
        fields = record.stored.fields
        currency = fields["currency"]
        if record.stored.id in first:
            fold.settled_first(_key(facts, currency, where, ""))
        if fields["status"] != "final":
            return
        stake = fields["stake_minor"]
        key = _key(facts, currency, where, self._bands.band(currency, stake))
        price, multiplier = _settled_price(facts, fields["bet"], draw)
        play = Play(stake, fields["payout_minor"], price, multiplier, record.item.digest, 0)
        fold.play(key, play, _bounds(facts))

    def _know(self, records: Iterable[OpenedRecord], pools: Mapping[int, PoolFacts]) -> None:
        """Keep the outcomes of this pass that its own settlements will ask for."""
        if len(self._outcomes) > _MOST_OUTCOMES:
            self._outcomes.clear()
        wanted = {(item.stored.pool, item.stored.slot) for item in records if item.stored.kind == "settle"}
        if not wanted:
            return
        for record in records:
            stored = record.stored
            if stored.kind != "draw":
                continue
            for item in range(stored.slots):
                if (stored.pool, stored.slot + item) in wanted:
                    secret = record.secrets[_SECRET * item : _SECRET * (item + 1)]
                    self._outcomes[stored.pool, stored.slot + item] = _settled_draw(
                        pools[stored.pool], stored.id, stored.fields, stored.slot + item, secret
                    )

    def _settled(self, connection: Connection, record: OpenedRecord, pools: Mapping[int, PoolFacts]) -> _Settled:
        place = record.stored.pool, record.stored.slot
        found = self._outcomes.get(place)
        if found is None:
            found = self._outcomes[place] = _read_draw(connection, pools[place[0]], *place)
        return found


def _settled_price(facts: PoolFacts, fields: Any, draw: _Settled) -> tuple[Price | None, Fraction | None]:
    try:
        bet = facts.evaluator.resolve(fields)
        price = facts.prices.price(bet, str(fields))
        # Where the player decided something, what was paid does not follow from the outcome alone.
        return price, bet.multiplier(draw.outcome) if price is not None and price.exact else None
    except (VerificationError, BetError):
        # Fronts refuse such a bet. One that did not must be found by auditors, and not hold up every digest here.
        return None, None


def _read_draw(connection: Connection, facts: PoolFacts, pool: int, slot: int) -> _Settled:
    """Return the draw of a slot from the ledger, where its group has joined a digest before."""
    draw = connection.execute(
        select(RecordRow.id, RecordRow.slot, RecordRow.binding)
        .where(RecordRow.pool_id == pool, RecordRow.family == FAMILY_FINAL, RecordRow.slot <= slot)
        .order_by(RecordRow.slot.desc())
        .limit(1)
    ).one()
    group = draw.id >> POSITION_BITS
    # The secrets of a group stand in record order: those before this record's are those of the slots before.
    before = connection.execute(
        select(func.coalesce(func.sum(RecordRow.slots), 0)).where(
            RecordRow.id >= group << POSITION_BITS, RecordRow.id < draw.id, RecordRow.kind.in_(["draw", "void"])
        )
    ).scalar_one()
    secrets = bytes(connection.execute(select(GroupRow.secrets).where(GroupRow.id == group)).scalar_one() or b"")
    at = _SECRET * (int(before) + slot - draw.slot)
    return _settled_draw(facts, draw.id, json.loads(bytes(draw.binding)), slot, secrets[at : at + _SECRET])


def _settled_draw(facts: PoolFacts, record: int, fields: Mapping[str, str], slot: int, secret: bytes) -> _Settled:
    seed = bytes.fromhex(fields.get("client_seed", ""))
    return _Settled(record, "tags" in fields, facts.evaluator.outcomes(slot, secret, seed)[0])


def _tags(connection: Connection, records: Iterable[OpenedRecord], settled: Mapping[int, _Settled]) -> dict[int, Where]:
    """Return by record what its draw's tags say, as far as they were not erased."""
    tagged = {record.stored.id for record in records if record.stored.kind == "draw" and "tags" in record.stored.fields}
    tagged |= {draw.record for draw in settled.values() if draw.tagged}
    # Tags stand under the first record of their request.
    firsts = {record: record >> REQUEST_BITS << REQUEST_BITS for record in tagged}
    wanted = sorted(set(firsts.values()))
    found: dict[int, Where] = {}
    for start in range(0, len(wanted), _ROWS_AT_ONCE):
        part = wanted[start : start + _ROWS_AT_ONCE]
        for row in connection.execute(select(TagsRow.record_id, TagsRow.tags).where(TagsRow.record_id.in_(part))):
            tags = canonical.decode_object(bytes(row[1]), what="tags")
            found[row[0]] = Where(*(str(tags.get(name, "")) for name in Where._fields))
    return {record: found[place] for record, place in firsts.items() if place in found}


def _key(facts: PoolFacts, currency: str, where: Where, band: str) -> RollupKey:
    return RollupKey(*facts.stream, currency, *where, band)


def _bounds(facts: PoolFacts) -> Bounds | None:
    # The tickets of a deal depend on each other; `rtp.deals` watches them by its composition.
    return facts.prices.bounds if facts.kind == "independent" else None
