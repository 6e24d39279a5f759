"""From opened records to receipts of the API: outcomes, payouts, proofs and labels."""

from collections.abc import Callable, Sequence
from functools import cache

from sealdraw.v1 import draw_pb2, types_pb2

from anchor import canonical
from rng_service.books import Book
from rng_service.errors import NotFound
from rng_service.front.catalog import Catalog, Pool
from rng_service.front.opening import OpenedRecord
from rng_service.games import Bet
from rng_service.records.protection import Protection
from rng_service.records.record import binding_hash, ticket_record
from rng_service.vault.binding import read_binding


def outcomes(pool: Pool, opened: OpenedRecord, client_seed: bytes) -> list[tuple[int, ...]]:
    """Return the outcome of each slot of a draw."""
    stream, derive, first = pool.deriver.outcome_stream, pool.program.derive, opened.bound.slot
    return [
        derive(stream(opened.secrets[32 * item : 32 * item + 32], first + item, client_seed))
        for item in range(opened.bound.count)
    ]


def outcomes_of(pool: Pool, opened: OpenedRecord) -> list[tuple[int, ...]]:
    """Return the outcomes of a stored draw: its seed is read from its binding."""
    said = read_binding(opened.bound.binding)
    return outcomes(pool, opened, bytes.fromhex(said.get("client_seed", "")))


def payouts(found: Sequence[tuple[int, ...]], bet: Bet, stake_minor: int) -> list[int]:
    """Return the payout of each outcome: the stake times the exact multiplier, rounded down once."""
    result = []
    for outcome in found:
        pays = bet.multiplier(outcome)
        result.append(stake_minor * pays.numerator // pays.denominator)
    return result


def draw_receipt(
    pool: Pool,
    opened: OpenedRecord,
    client_seed: bytes,
    bet: Bet | None,
    stake_minor: int,
) -> types_pb2.Receipt:
    """Return the receipt of a draw."""
    found = outcomes(pool, opened, client_seed)
    receipt = _receipt(
        pool,
        opened,
        values=[value for outcome in found for value in outcome],
        payouts_minor=payouts(found, bet, stake_minor) if bet is not None else [],
        ticketed=bool(opened.bound.ticket_binding),
        seeded=bool(client_seed),
    )
    if pool.books is not None and len(found) == 1:
        book = pool.books.find(found[0][0])
        if book is not None:
            receipt.book.CopyFrom(book_message(book))
    return receipt


def book_response(
    records: Sequence[OpenedRecord], item: int, pool_of: Callable[[int], Pool]
) -> draw_pb2.GetBookResponse:
    """Return the book of outcome ``item``, counted from 0 over all records of a draw; raises NotFound, Unavailable."""
    left = item
    for opened in records:
        if left >= opened.bound.count:
            left -= opened.bound.count
            continue
        pool = pool_of(opened.bound.pool)
        if pool.books is None:
            raise NotFound("draw_request_id: the program of this draw has no books")
        row = outcomes_of(pool, opened)[left][0]
        return draw_pb2.GetBookResponse(book=book_message(pool.books.get(row)))
    raise NotFound(f"item: the draw has no outcome {item}; they count from 0")


def book_message(book: Book) -> types_pb2.Book:
    """Return a book as a message."""
    return types_pb2.Book(data=book.data, path=book.path)


def ticket_response(pool: Pool, opened: OpenedRecord) -> draw_pb2.ReserveResponse:
    """Return the ticket that a reservation made."""
    said = read_binding(opened.bound.binding)
    return draw_pb2.ReserveResponse(
        ticket=_receipt(pool, opened, values=[], payouts_minor=[], ticketed=False, seeded=False),
        ticket_hash=binding_hash(opened.bound.binding),
        expires_us=said["expires"],
        session_sequence=said.get("session_seq", 0),
    )


def session_sequence(opened: OpenedRecord) -> int:
    """Return the number of a draw in its session, 0 without one."""
    return int(read_binding(opened.bound.binding).get("session_seq", 0))


def settle_response(opened: OpenedRecord) -> draw_pb2.SettleResponse:
    """Return the answer to a settlement."""
    return draw_pb2.SettleResponse(record=opened.record, opening=_opening(opened))


def read_back(catalog: Catalog, opened: OpenedRecord) -> types_pb2.Receipt:
    """Return the receipt of a stored draw: seed, stake and bet are read from its binding."""
    said = read_binding(opened.bound.binding)
    bet = None
    if "bet" in said:
        stream = catalog.stream_of(opened.bound.pool_id)
        bet = stream.bet(canonical.encode(said["bet"]).decode("ascii"))[1]
    return draw_receipt(
        catalog.pool(opened.bound.pool),
        opened,
        bytes.fromhex(said.get("client_seed", "")),
        bet,
        said.get("stake_minor", 0),
    )


def _receipt(
    pool: Pool,
    opened: OpenedRecord,
    *,
    values: list[int],
    payouts_minor: list[int],
    ticketed: bool,
    seeded: bool,
) -> types_pb2.Receipt:
    bound = opened.bound
    return types_pb2.Receipt(
        pool_id=bound.pool_id,
        slot=bound.slot,
        count=bound.count,
        record=opened.record,
        values=values,
        payouts_minor=payouts_minor,
        slot_path=pool.slot_path(bound.slot, bound.count),
        opening=_opening(opened),
        protection=_labels(pool.protection(ticketed=ticketed, seeded=seeded)),
        commit_index=pool.commit_index,
        activate_index=pool.activate_index,
        ticket_record=ticket_record(bound.ticket_binding) if bound.ticket_binding else b"",
    )


@cache
def _labels(protection: Protection) -> types_pb2.Protection:
    """Return the labels as a message; there are few of them, so each is made once."""
    return types_pb2.Protection(
        content=protection.content,
        assignment=protection.assignment,
        foreseen=protection.foreseen,
        development_beacon=protection.development_beacon,
    )


def _opening(opened: OpenedRecord) -> types_pb2.Opening:
    return types_pb2.Opening(
        key_id=opened.key_id,
        index=opened.index,
        size=opened.group_size,
        path=opened.path,
        signature=opened.signature,
    )
