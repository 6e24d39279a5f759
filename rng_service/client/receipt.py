"""What a game server holds after a call: receipts, tickets and settlements, made of the service's answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from sealdraw.v1 import draw_pb2, types_pb2

from anchor.errors import MalformedError, VerificationError
from anchor.files import atomic_write
from rng_service.books import Book, book_file
from rng_service.records.protection import Protection
from rng_service.records.receipt import Opening
from rng_service.records.receipt import Receipt as ReceiptFile
from rng_service.verify.opened import OpenedRecord, read_record

STATUSES = {"final": draw_pb2.SETTLEMENT_STATUS_FINAL, "void": draw_pb2.SETTLEMENT_STATUS_VOID}


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of a run of consecutive slots of one pool: outcomes, payouts, and everything that proves them.

    ``file`` is the receipt file's contents and ``record`` the record in it, as the auditor reads it. Whether it
    verifies is for the client's verification to say. ``first_item`` is the place of its first outcome among all those
    of the request, which may have several receipts.
    """

    request_id: str
    file: ReceiptFile = field(repr=False)
    record: OpenedRecord = field(repr=False)
    first_item: int = 0
    # What the player is shown, for one draw of a program that has books.
    book: Book | None = field(default=None, repr=False)

    @property
    def pool_id(self) -> str:
        """The pool that was drawn from."""
        return self.record.pool

    @property
    def slot(self) -> int:
        """The first slot."""
        return self.record.slot

    @property
    def count(self) -> int:
        """How many slots, and so outcomes, this receipt has."""
        return self.record.slots

    @property
    def outcomes(self) -> list[tuple[int, ...]]:
        """One tuple for each slot, as the game's program yields it; a ticket has none."""
        values = self.file.outcome
        width = len(values) // self.count
        return [values[at : at + width] for at in range(0, len(values), width)] if width else []

    @property
    def payouts_minor(self) -> tuple[int, ...] | None:
        """One payout for each slot in minor units, None when the draw had no bet."""
        return self.file.payouts_minor

    @property
    def protection(self) -> Protection:
        """In which of the three senses the draw was fair."""
        return self.file.protection

    @property
    def session_sequence(self) -> int | None:
        """The number of this draw in its session, counted from 1; None without a session."""
        number: int | None = self.record.binding.get("session_seq")
        return number

    def to_bytes(self) -> bytes:
        """Return the receipt file (PROTOCOL.md, section 8): what `sealdraw verify receipt` and auditors read."""
        return self.file.to_bytes()

    def save(self, path: Path) -> None:
        """Write the receipt file; it is durable, and complete or not there at all, when the call returns."""
        atomic_write(path, self.to_bytes())

    def save_book(self, path: Path) -> None:
        """Write the book as a file that `sealdraw verify receipt --book` reads; raises ValueError without one."""
        if self.book is None:
            raise ValueError("this receipt came without a book")
        atomic_write(path, book_file(self.book))


@dataclass(frozen=True, slots=True)
class Ticket:
    """A reserved slot. ``seed`` is the client seed whose hash it holds: secret until the draw reveals it.

    ``checked`` is set once the ticket was verified, or found wrong; see `Client.wait_verified`.
    """

    receipt: Receipt
    hash: bytes
    expires_us: int
    seed: bytes = field(repr=False)
    checked: Event = field(default_factory=Event, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Settlement:
    """A settlement that the service recorded: its record and the vault's signature over it."""

    request_id: str
    record: OpenedRecord = field(repr=False)
    record_bytes: bytes = field(repr=False)
    opening: Opening = field(repr=False)


def read_receipts(messages: Sequence[types_pb2.Receipt], request_id: str, origin: str) -> tuple[Receipt, ...]:
    """Return all receipts that the service answered a request with; errors as for `read_receipt`."""
    receipts: list[Receipt] = []
    items = 0
    for message in messages:
        receipts.append(replace(read_receipt(message, request_id, origin), first_item=items))
        items += receipts[-1].count
    return tuple(receipts)


def read_receipt(message: types_pb2.Receipt, request_id: str, origin: str) -> Receipt:
    """Return the receipt that the service answered with.

    Raises MalformedError for what has no receipt file, VerificationError ``receipt-place`` when the message
    contradicts its own record.
    """
    record = read_record(message.record)
    if (message.pool_id, message.slot, message.count) != (record.pool, record.slot, record.slots):
        raise VerificationError(
            "receipt-place",
            f"the answer is of {message.count} slots from {message.slot} of {message.pool_id}, "
            f"its record of {record.slots} from {record.slot} of {record.pool}",
        )
    if len(message.values) % record.slots:
        raise VerificationError("outcome", f"{len(message.values)} values for {record.slots} slots")
    has_bet = "bet" in record.binding and "stake_minor" in record.binding
    file = ReceiptFile(
        origin=origin,
        commit_index=message.commit_index,
        activate_index=message.activate_index,
        record=message.record,
        outcome=tuple(message.values),
        slot_path=tuple(message.slot_path),
        opening=read_opening(message.opening),
        protection=Protection(
            content=message.protection.content,
            assignment=message.protection.assignment,
            foreseen=message.protection.foreseen,
            development_beacon=message.protection.development_beacon,
        ),
        payouts_minor=tuple(message.payouts_minor) if has_bet or message.payouts_minor else None,
        ticket=message.ticket_record or None,
    )
    # The file is what outlives this process, so it must be readable: the codecs check every member on the way back.
    return Receipt(request_id, file, record, book=read_book(message.book) if message.HasField("book") else None)


def read_book(message: types_pb2.Book) -> Book:
    """Return the book that the service answered with."""
    return Book(message.data, tuple(message.path))


def read_ticket(message: draw_pb2.ReserveResponse, request_id: str, origin: str, seed: bytes) -> Ticket:
    """Return the ticket that the service answered with; errors as for `read_receipt`."""
    receipt = read_receipt(message.ticket, request_id, origin)
    record = receipt.record
    if record.kind != "ticket":
        raise VerificationError("ticket-hash", f"the ticket is a record of kind {record.kind}")
    if record.binding_hash != message.ticket_hash or record.binding["expires"] != message.expires_us:
        raise VerificationError("ticket-hash", "hash or expiry of the answer are not those of the ticket's binding")
    return Ticket(receipt, message.ticket_hash, message.expires_us, seed)


def read_settlement(message: draw_pb2.SettleResponse, request_id: str) -> Settlement:
    """Return the settlement that the service answered with; raises MalformedError, VerificationError."""
    record = read_record(message.record)
    if record.kind != "settle":
        raise VerificationError("settlement", f"the answer to a settlement is a record of kind {record.kind}")
    return Settlement(request_id, record, message.record, read_opening(message.opening))


def read_opening(message: types_pb2.Opening) -> Opening:
    """Return the opening of a record; raises MalformedError for a key id that is not 16 hex digits."""
    try:
        key_id = bytes.fromhex(message.key_id)
    except ValueError:
        raise MalformedError("opening: the key id is not hex") from None
    if key_id.hex() != message.key_id:
        raise MalformedError("opening: the key id is lowercase hex")
    return Opening(
        index=message.index,
        size=message.size,
        key_id=key_id,
        path=tuple(message.path),
        signature=message.signature,
    )
