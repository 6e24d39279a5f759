"""From a raw answer to what the caller gets: read, held against the request, and handed to verification."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import Any

from anchor.errors import AnchorError, VerificationError
from rng_service.client.checks import check_receipt, check_settlement
from rng_service.client.errors import BadReceiptError
from rng_service.client.exchange import Answer
from rng_service.client.expectation import Expectation, Expected, expected_of, expected_of_id
from rng_service.client.facts import LogFacts
from rng_service.client.journal import JournalEntry
from rng_service.client.receipt import Receipt, Settlement, Ticket, read_receipt, read_settlement, read_ticket
from rng_service.client.verifier import Claim, Verifier
from rng_service.verify.fault import require
from rng_service.verify.receipt import WitnessPolicy


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
    that is wrong is for ``verifier`` to find.
    """

    def __init__(self, caller: str, origin: str, verifier: Verifier, policy: WitnessPolicy | None) -> None:
        self._caller = caller
        self._origin = origin
        self._verifier = verifier
        self._policy = policy

    def accept(self, answer: Answer, entry: JournalEntry, settled: Mapping[str, Any] | None = None) -> Resolution:
        """Accept the answer to a journaled request; ``settled`` is what is known of the draw that was settled."""
        expected = expected_of(entry, self._caller)
        try:
            found = self._read(answer, entry.request_id, entry.seed)
            _check_shape(found, expected)
        except AnchorError as error:
            raise self._bad(error, entry.request_id, answer) from None
        for receipt in found.receipts:
            self._verify(receipt, expected.draw)
        if found.ticket is not None:
            self._verify(found.ticket.receipt, expected.ticket, found.ticket.checked)
        if found.settlement is not None and expected.settlement is not None:
            known = {**expected.settlement.members, **(settled or {})}
            self._submit_settlement(found.settlement, replace(expected.settlement, members=known))
        return found

    def accept_unknown(self, answer: Answer, request_id: str) -> Resolution:
        """Accept the answer to a request of which only the id and the caller are known."""
        expectation = expected_of_id(request_id, self._caller)
        try:
            found = self._read(answer, request_id, b"")
        except AnchorError as error:
            raise self._bad(error, request_id, answer) from None
        for receipt in found.receipts:
            self._verify(receipt, expectation)
        if found.ticket is not None:
            self._verify(found.ticket.receipt, expectation, found.ticket.checked)
        if found.settlement is not None:
            self._submit_settlement(found.settlement, expectation)
        return found

    def _read(self, answer: Answer, request_id: str, seed: bytes) -> Resolution:
        return Resolution(
            request_id,
            bound=True,
            receipts=tuple(read_receipt(item, request_id, self._origin) for item in answer.receipts),
            ticket=None if answer.ticket is None else read_ticket(answer.ticket, request_id, self._origin, seed),
            settlement=None if answer.settlement is None else read_settlement(answer.settlement, request_id),
        )

    def _verify(self, receipt: Receipt, expectation: Expectation | None, done: Event | None = None) -> None:
        if expectation is not None:
            check = partial(check_receipt, receipt, expectation, policy=self._policy)
            self._verifier.submit(Claim(receipt.request_id, check, receipt.to_bytes, done or Event()))

    def _submit_settlement(self, settlement: Settlement, expectation: Expectation) -> None:
        check = partial(check_settlement, settlement, expectation, self._origin)
        self._verifier.submit(Claim(settlement.request_id, check, lambda: settlement.record_bytes))

    def _bad(self, error: AnchorError, request_id: str, answer: Answer) -> BadReceiptError:
        """Return the error for an answer that cannot even be read; it stops the client like any other bad receipt."""
        reason = error.reason if isinstance(error, VerificationError) else "malformed"
        message = error.message if isinstance(error, VerificationError) else str(error)
        evidence = b"".join(item.SerializeToString() for item in answer.receipts)

        def refuse(_facts: LogFacts) -> None:
            raise VerificationError(reason, message)

        claim = Claim(request_id, refuse, lambda: evidence)
        self._verifier.submit(claim)
        self._verifier.wait(claim)
        return BadReceiptError(reason, message, request_id=request_id, evidence=evidence)


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
