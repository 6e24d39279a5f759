"""From a raw answer to what the caller gets: read, held against the request, and handed to verification."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Literal

from sealdraw.v1 import types_pb2

from anchor.errors import AnchorError, VerificationError
from rng_service.books import Book
from rng_service.client.checks import check_book_of, check_receipt, check_settlement
from rng_service.client.errors import BadReceiptError
from rng_service.client.exchange import Answer
from rng_service.client.expectation import Expectation, Expected, expected_of, expected_of_id
from rng_service.client.facts import LogFacts
from rng_service.client.journal import JournalEntry
from rng_service.client.judge import Claim
from rng_service.client.receipt import (
    Receipt,
    Settlement,
    Ticket,
    read_book,
    read_receipts,
    read_settlement,
    read_ticket,
)
from rng_service.client.session_numbers import SessionNumbers
from rng_service.client.verifier import Verifier
from rng_service.verify.fault import require
from rng_service.verify.receipt_steps import WitnessPolicy

Numbered = Literal["new", "repeatable", "any"]


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of a request. With ``bound`` false nothing was drawn, and nothing ever will be under this id."""

    request_id: str
    bound: bool
    receipts: tuple[Receipt, ...] = ()
    ticket: Ticket | None = None
    settlement: Settlement | None = None


class Reception:
    """Accepts the answers to one caller's requests. May be shared by threads.

    Raises BadReceiptError for an answer that cannot be read or has other parts than were asked for; everything else
    that is wrong is for ``verifier`` to find. ``clock`` is this machine's, in microseconds UTC.
    """

    def __init__(
        self,
        caller: str,
        origin: str,
        verifier: Verifier,
        policy: WitnessPolicy | None,
        numbers: SessionNumbers,
        clock: Callable[[], int],
    ) -> None:
        self._caller = caller
        self._origin = origin
        self._verifier = verifier
        self._policy = policy
        self._numbers = numbers
        self._clock = clock

    def accept(
        self, answer: Answer, entry: JournalEntry, settled: Sequence[Receipt] = (), *, numbered: Numbered = "new"
    ) -> Resolution:
        """Accept the answer to a journaled request; ``settled`` are the receipts of the draw that was settled.

        ``numbered`` says what the numbers in its session may be: the next ones (``new``), known ones as well where the
        caller chose the id itself (``repeatable``), or any (``any``).
        """
        now_us = self._clock()
        expected = expected_of(entry, self._caller, now_us)
        try:
            found = self._read(answer, entry.request_id, entry.seed)
            _check_shape(found, expected)
        except AnchorError as error:
            raise self._bad(error, entry.request_id, answer) from None
        self._check_numbers(found, expected, numbered, now_us)
        for receipt in found.receipts:
            self._verify(receipt, expected.draw)
        if found.ticket is not None:
            self._verify(found.ticket.receipt, expected.ticket, found.ticket.checked)
        if found.settlement is not None and expected.settlement is not None:
            self._submit_settlement(found.settlement, expected.settlement, settled)
        return found

    def accept_unknown(self, answer: Answer, request_id: str) -> Resolution:
        """Accept the answer to a request of which only the id and the caller are known."""
        expectation = expected_of_id(request_id, self._caller, self._clock())
        try:
            found = self._read(answer, request_id, b"")
        except AnchorError as error:
            raise self._bad(error, request_id, answer) from None
        for receipt in found.receipts:
            self._verify(receipt, expectation)
        if found.ticket is not None:
            self._verify(found.ticket.receipt, expectation, found.ticket.checked)
        if found.settlement is not None:
            self._submit_settlement(found.settlement, expectation, ())
        return found

    def accept_book(self, message: types_pb2.Book, receipt: Receipt, item: int) -> Book:
        """Accept the book of one outcome of a receipt."""
        book = read_book(message)
        check = partial(check_book_of, receipt, item, book)
        self._verifier.submit(Claim(receipt.request_id, check, lambda: book.data, self._clock()))
        return book

    def _check_numbers(self, found: Resolution, expected: Expected, numbered: Numbered, now_us: int) -> None:
        """Hold the numbers in a session against those before; a wrong one is the verifier's to report."""
        session = expected.session
        if numbered == "any":
            self._numbers.resolved(session, found.request_id)
            return
        # A draw on a ticket has the ticket's number.
        fresh = [receipt for receipt in found.receipts if "ticket" not in receipt.record.binding]
        fresh += [] if found.ticket is None else [found.ticket.receipt]
        numbers = [receipt.session_sequence for receipt in fresh if receipt.session_sequence is not None]
        try:
            self._numbers.answered(session, numbers, repeatable=numbered == "repeatable")
        except VerificationError as error:
            evidence = fresh[-1].to_bytes
            self._verifier.submit(Claim(found.request_id, partial(_refuse, error), evidence, now_us))

    def _read(self, answer: Answer, request_id: str, seed: bytes) -> Resolution:
        return Resolution(
            request_id,
            bound=True,
            receipts=read_receipts(answer.receipts, request_id, self._origin),
            ticket=None if answer.ticket is None else read_ticket(answer.ticket, request_id, self._origin, seed),
            settlement=None if answer.settlement is None else read_settlement(answer.settlement, request_id),
        )

    def _verify(self, receipt: Receipt, expectation: Expectation | None, done: Event | None = None) -> None:
        if expectation is not None:
            check = partial(check_receipt, receipt, expectation, policy=self._policy)
            claim = Claim(receipt.request_id, check, receipt.to_bytes, expectation.received_us, done or Event())
            self._verifier.submit(claim)

    def _submit_settlement(self, settlement: Settlement, expectation: Expectation, settled: Sequence[Receipt]) -> None:
        check = partial(check_settlement, settlement, expectation, settled, self._origin)
        received_us = expectation.received_us
        self._verifier.submit(Claim(settlement.request_id, check, lambda: settlement.record_bytes, received_us))

    def _bad(self, error: AnchorError, request_id: str, answer: Answer) -> BadReceiptError:
        """Return the error for an answer that cannot even be read; it stops the client like any other bad receipt."""
        reason = error.reason if isinstance(error, VerificationError) else "malformed"
        message = error.message if isinstance(error, VerificationError) else str(error)
        evidence = b"".join(item.SerializeToString() for item in answer.receipts)
        claim = Claim(request_id, partial(_refuse, VerificationError(reason, message)), lambda: evidence, self._clock())
        self._verifier.submit(claim)
        self._verifier.wait(claim.done)
        return BadReceiptError(reason, message, request_id=request_id, evidence=evidence)


def _refuse(error: VerificationError, _facts: LogFacts) -> None:
    raise error


def _check_shape(found: Resolution, expected: Expected) -> None:
    """Check that an answer has as many outcomes, and just the parts, that were asked for."""
    outcomes = sum(receipt.count for receipt in found.receipts)
    require(outcomes == expected.outcomes, "answer", f"{outcomes} outcomes, asked was for {expected.outcomes}")
    parts: Sequence[tuple[str, object, object]] = (
        ("ticket", found.ticket, expected.ticket),
        ("settlement", found.settlement, expected.settlement),
    )
    for name, part, wanted in parts:
        require((part is None) == (wanted is None), "answer", f"the answer has {'no' if part is None else 'a'} {name}")
