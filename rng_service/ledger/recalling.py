"""Finding the records of one request, or of one player, when somebody has to look at them again."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, bindparam, func, select, text

from anchor import canonical
from rng_service.ledger.models import FAMILY_SETTLEMENT, RecordRow, SettlementRow, TagsRow

__all__ = ["player_records", "settlement_records"]

_BETTOR_DIGITS = 64
_HEX = frozenset("0123456789abcdef")


def player_records(connection: Connection, player: str, *, after: int, limit: int) -> list[int]:
    """Return up to ``limit`` record ids behind ``after``, ascending: draws and tickets whose tag `player` this is.

    A token of 64 hex digits is also a settlement's bettor, and those settlements are among them. Looks at every row:
    no index is kept of who played, on purpose.
    """
    needle = canonical.encode({"player": player})[1:-1]
    tagged = (
        select(TagsRow.record_id)
        .where(TagsRow.record_id > after, _contains(connection, needle))
        .order_by(TagsRow.record_id)
        .limit(limit)
    )
    found = set(connection.scalars(tagged, {"needle": needle}))
    if len(player) == _BETTOR_DIGITS and _HEX.issuperset(player):
        bettor = (
            select(SettlementRow.record_id)
            .where(SettlementRow.record_id > after, SettlementRow.bettor == bytes.fromhex(player))
            .order_by(SettlementRow.record_id)
            .limit(limit)
        )
        found.update(connection.scalars(bettor))
    return sorted(found)[:limit]


def settlement_records(connection: Connection, pool: int, slots: Iterable[int]) -> Iterator[int]:
    """Yield the record ids of the settlements of a pool's slots, in order."""
    wanted = list(slots)
    yield from connection.scalars(
        select(RecordRow.id)
        .where(
            RecordRow.pool_id == pool,
            RecordRow.family == FAMILY_SETTLEMENT,
            RecordRow.slot >= wanted[0],
            RecordRow.slot <= wanted[-1],
        )
        .order_by(RecordRow.slot, RecordRow.id)
    )


def _contains(connection: Connection, needle: bytes) -> ColumnElement[Any]:
    if connection.dialect.name == "sqlite":
        return func.instr(TagsRow.tags, bindparam("needle", needle, LargeBinary)) > 0
    return text("position(:needle in tags.tags) > 0").bindparams(bindparam("needle", needle, LargeBinary))  # type: ignore[return-value] # a condition all the same
