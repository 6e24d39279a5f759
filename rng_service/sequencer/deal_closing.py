"""The end of a deal: everything is opened, and only now does the log say what was sold and what it paid."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, select

from anchor.merkle import leaf_hash
from rng_service.errors import LedgerError
from rng_service.games import parse_game
from rng_service.games.definition import GameProgram
from rng_service.games.reference import reference_of
from rng_service.ledger.models import POSITION_BITS, GameRow, RecordRow, StreamRow
from rng_service.log_entries import PoolActivate, parse_entry
from rng_service.outcome import DealDeriver
from rng_service.pools.slots import SECRET_BYTES
from rng_service.sequencer.context import Context, LedgerRow
from rng_service.sequencer.groups import group_secrets

__all__ = ["OpenedDeal", "opened_deal", "sold_tiers"]


class OpenedDeal(NamedTuple):
    """A deal that is sold or thrown away to its last ticket: every secret in slot order, and its money."""

    secrets: bytes
    stake_minor: int
    payout_minor: int


def opened_deal(context: Context, pool: LedgerRow) -> OpenedDeal | None:
    """Open a deal in full, from what its digests opened; None for any other pool."""
    with context.reading() as connection:
        row = connection.execute(
            select(StreamRow.deal, StreamRow.program, GameRow.definition)
            .join(GameRow, GameRow.id == StreamRow.game_id)
            .where(StreamRow.id == pool.stream_id)
        ).one()
        if not row.deal:
            return None
        opened = _opened_slots(connection, pool.id)
    program = parse_game(bytes(row.definition)).program(row.program)
    bet, price = reference_of(program), program.price
    if bet is None or price is None:
        raise LedgerError(f"{pool.pool_id} is a deal without a price or a ticket")
    payout = 0
    for tier, count in _sold(pool, program, opened).items():
        pays = bet.multiplier((tier,))
        payout += count * (price.minor * pays.numerator // pays.denominator)
    sold = sum(drawn for _, _, drawn in opened)
    return OpenedDeal(b"".join(secret for _, secret, _ in opened), sold * price.minor, payout)


def sold_tiers(connection: Connection, pool: LedgerRow, program: GameProgram) -> Counter[int]:
    """Return how many tickets of each tier were sold of a deal that is closed."""
    return _sold(pool, program, _opened_slots(connection, pool.id))


def _sold(pool: LedgerRow, program: GameProgram, opened: Iterable[tuple[int, bytes, bool]]) -> Counter[int]:
    activation = parse_entry(bytes(pool.activate_entry))
    beacon = activation.beacon_value or b"" if isinstance(activation, PoolActivate) else b""
    deriver = DealDeriver(leaf_hash(bytes(pool.commit_entry)), beacon, pool.size)
    derive = program.outcome.derive
    return Counter(derive(deriver.outcome_stream(secret, slot, b""))[0] for slot, secret, drawn in opened if drawn)


def _opened_slots(connection: Connection, pool: int) -> list[tuple[int, bytes, bool]]:
    """Return (slot, secret, whether it was drawn) of every slot, in order."""
    found: list[tuple[int, bytes, bool]] = []
    groups: dict[int, tuple[bytes, dict[int, int]]] = {}
    records = connection.execute(
        select(RecordRow.id, RecordRow.slot, RecordRow.slots, RecordRow.kind)
        .where(RecordRow.pool_id == pool, RecordRow.kind.in_(["draw", "void"]))
        .order_by(RecordRow.slot)
    ).all()
    for record, slot, slots, kind in records:
        group = record >> POSITION_BITS
        if group not in groups:
            groups = {group: group_secrets(connection, group)}
        secrets, places = groups[group]
        for offset in range(slots):
            start = places[record] + SECRET_BYTES * offset
            found.append((slot + offset, secrets[start : start + SECRET_BYTES], kind == "draw"))
    return found
