"""What the records of a digest add to the totals: the fold of the auditor, fed from the ledger."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from sqlalchemy import Connection, select, tuple_

from rng_service.games import Bet
from rng_service.ledger.models import FAMILY_FINAL, FAMILY_SETTLEMENT, GroupRow, RecordRow
from rng_service.records.totals import TotalsFold
from rng_service.sequencer.facts import PoolFacts
from rng_service.sequencer.groups import RECORDS_IN_GROUP, StoredRecord
from rng_service.sequencer.opening import OpenedRecord

__all__ = ["Drawn", "add_record", "drawn", "first_settlements", "reference_return"]

_PAIRS_AT_ONCE = 400


class Drawn(NamedTuple):
    """What the slots of a draw with a bet of its own came to, each its exact multiplier and its payout."""

    bet: Bet
    outcomes: list[tuple[int, ...]]
    multipliers: list[Fraction]
    payouts: list[int]


def drawn(record: OpenedRecord, facts: PoolFacts) -> Drawn | None:
    """Return what a draw came to, None when it has no bet and currency of its own (its settlements come later)."""
    stored, fields = record.stored, record.stored.fields
    if stored.kind != "draw" or "bet" not in fields or not fields.get("currency", ""):
        return None
    stake = fields["stake_minor"]
    seed = bytes.fromhex(fields.get("client_seed", ""))
    bet = facts.evaluator.resolve(fields["bet"])
    outcomes = facts.evaluator.outcomes(stored.slot, record.secrets, seed)
    multipliers = [bet.multiplier(item) for item in outcomes]
    return Drawn(bet, outcomes, multipliers, [stake * item.numerator // item.denominator for item in multipliers])


def reference_return(record: OpenedRecord, facts: PoolFacts, own: Drawn | None) -> Fraction | None:
    """Return what one unit of the program's reference bet on each slot of a draw comes to.

    None for anything but a draw, and where the program has no such bet. ``own`` is what `drawn` gave.
    """
    reference = facts.reference
    if record.stored.kind != "draw" or reference is None:
        return None
    if own is not None and own.bet.canonical == reference.canonical:
        return sum(own.multipliers, Fraction(0))
    if own is not None:
        outcomes = own.outcomes
    else:
        seed = bytes.fromhex(record.stored.fields.get("client_seed", ""))
        outcomes = facts.evaluator.outcomes(record.stored.slot, record.secrets, seed)
    return sum(map(reference.multiplier, outcomes), Fraction(0))


def add_record(
    fold: TotalsFold,
    record: OpenedRecord,
    pools: Mapping[int, PoolFacts],
    first: frozenset[int],
    own: Drawn | None,
) -> None:
    """Add one record to ``fold``: ``own`` is what `drawn` gave for it.

    ``first`` has the ids of settlements that are the first for their outcome.
    """
    stored = record.stored
    facts, fields = pools[stored.pool], stored.fields
    if facts.kind == "deal":
        # The money of a deal is public when it closes: before, it would tell what is left in it.
        return
    if stored.kind == "settle":
        fold.settlement(
            facts.stream,
            fields["currency"],
            status=fields["status"],
            stake_minor=fields["stake_minor"],
            payout_minor=fields["payout_minor"],
            first=stored.id in first,
        )
    elif stored.kind == "draw":
        currency = fields.get("currency", "")
        if own is None:
            fold.outcomes(facts.stream, currency, stored.slots)
            return
        fold.plays(
            facts.stream,
            currency,
            stored.slots,
            stake_minor=fields["stake_minor"] * stored.slots,
            payout_minor=sum(own.payouts),
        )


def first_settlements(
    connection: Connection, settlements: Iterable[StoredRecord], *, before: int | None = None
) -> frozenset[int]:
    """Return the ids of those that are the first for an outcome which was drawn without a bet of its own.

    ``settlements`` come in the order in which they join their digests. First means: no digest has one already, or
    none before the digest ``before``.
    """
    ordered = list(settlements)
    outcomes = sorted({(record.pool, record.slot) for record in ordered})
    settled = _settled_already(connection, outcomes, before)
    first = set()
    for record in ordered:
        outcome = record.pool, record.slot
        if outcome not in settled:
            settled.add(outcome)
            if not _has_own_bet(connection, *outcome):
                first.add(record.id)
    return frozenset(first)


def _settled_already(
    connection: Connection, outcomes: list[tuple[int, int]], before: int | None
) -> set[tuple[int, int]]:
    earlier = GroupRow.digest_seq.is_not(None) if before is None else GroupRow.digest_seq < before
    found: set[tuple[int, int]] = set()
    for start in range(0, len(outcomes), _PAIRS_AT_ONCE):
        rows = connection.execute(
            select(RecordRow.pool_id, RecordRow.slot)
            .join(GroupRow, GroupRow.id == RecordRow.id // RECORDS_IN_GROUP)
            .where(
                RecordRow.family == FAMILY_SETTLEMENT,
                tuple_(RecordRow.pool_id, RecordRow.slot).in_(outcomes[start : start + _PAIRS_AT_ONCE]),
                earlier,
            )
            .distinct()
        )
        found.update((row[0], row[1]) for row in rows)
    return found


def _has_own_bet(connection: Connection, pool: int, slot: int) -> bool:
    # A batch stands under its first slot. Its bet is looked for in the bytes, whose members are sorted: nothing but a
    # binding with a bet begins with one.
    binding = connection.scalars(
        select(RecordRow.binding)
        .where(RecordRow.pool_id == pool, RecordRow.family == FAMILY_FINAL, RecordRow.slot <= slot)
        .order_by(RecordRow.slot.desc())
        .limit(1)
    ).one()
    return bytes(binding).startswith(b'{"bet":') and b'"currency":' in bytes(binding)
