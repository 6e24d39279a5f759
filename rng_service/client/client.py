"""The client for game servers: every request under its own id, kept before it is sent, drawn at most once."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Final, Literal, Self, cast

from sealdraw.v1 import draw_pb2, types_pb2

from anchor.errors import AnchorError, VerificationError
from anchor.note import VerifierKey
from anchor.source import open_source
from rng_service.client.channel import CALLER_KEY, Tls, open_channel
from rng_service.client.checks import check_receipt, check_settlement
from rng_service.client.errors import BadReceiptError, CallError, ClosedError
from rng_service.client.exchange import Answer, Exchange, Surroundings
from rng_service.client.expectation import (
    CLASSES,
    Expectation,
    Expected,
    Request,
    expected_of,
    expected_of_id,
    serialize,
)
from rng_service.client.facts import LogFacts
from rng_service.client.file_journal import FileJournal
from rng_service.client.journal import JournalEntry, RequestJournal
from rng_service.client.receipt import (
    STATUSES,
    Receipt,
    Settlement,
    Ticket,
    read_receipt,
    read_settlement,
    read_ticket,
)
from rng_service.client.retry import RetryPolicy
from rng_service.client.verifier import (
    BackgroundVerifier,
    Claim,
    InlineVerifier,
    Mode,
    NoVerifier,
    OnBadReceipt,
    Verifier,
)
from rng_service.names import check_name
from rng_service.request_id import new_request_id
from rng_service.verify.fault import require
from rng_service.verify.receipt import WitnessPolicy

SEED_BYTES: Final = 32
PlayClass = Literal["real", "free"]


@dataclass(frozen=True, slots=True)
class Wager:
    """What one outcome is played for; ``bet`` as in docs/games.md, empty where the payout is settled later."""

    stake_minor: int
    currency: str
    bet: str = ""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of a request. With ``bound`` false nothing was drawn, and nothing ever will be under this id."""

    request_id: str
    bound: bool
    receipts: tuple[Receipt, ...] = ()
    ticket: Ticket | None = None
    settlement: Settlement | None = None


class Client:
    """Calls the draw service at ``target`` (``host:port``) as ``caller``. May be shared by threads.

    ``journal`` is a `RequestJournal`, or the path of one that is kept in a file. What it holds from an earlier run is
    resolved before the constructor returns, see `recovered`; Unavailable is raised when that is not possible.

    ``verify`` says when answers are checked: in the ``background`` (the default), ``inline`` or ``off``. Checking
    needs ``public``, the log's public directory or its address, and ``vkey``, the log's verifier key. After the first
    answer that does not verify, every call raises its BadReceiptError and nothing is drawn any more;
    ``on_bad_receipt`` is told at once, in the thread that checks. ``policy`` judges cosignatures. ``patience_s`` is
    how long an answer may wait for public files that cannot be read; after that it counts as bad.

    ``tls`` is needed, except with ``development`` and a loopback address. ``origin`` names the log in receipt files
    where there is no vkey.
    """

    def __init__(
        self,
        target: str,
        *,
        caller: str,
        journal: RequestJournal | Path,
        tls: Tls | None = None,
        development: bool = False,
        public: str | Path | None = None,
        vkey: str | None = None,
        origin: str | None = None,
        verify: Mode = "background",
        on_bad_receipt: OnBadReceipt | None = None,
        policy: WitnessPolicy | None = None,
        patience_s: float = 300.0,
        retry: RetryPolicy | None = None,
        surroundings: Surroundings | None = None,
        new_id: Callable[[], str] = new_request_id,
        new_seed: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._caller = check_name(caller, "caller")
        key = VerifierKey.parse(vkey) if vkey is not None else None
        if key is None and origin is None:
            raise ValueError("give vkey, the log's verifier key; or, with verify='off', the origin for receipt files")
        self._origin = origin or (key.name if key is not None else "")
        self._new_id = new_id
        self._new_seed = new_seed
        self._policy = policy
        metadata = ((CALLER_KEY, caller),) if development and tls is None else ()
        self._closed = False
        with ExitStack() as opened:
            self._journal: RequestJournal = FileJournal(journal) if isinstance(journal, Path) else journal
            opened.callback(self._journal.close)
            around = surroundings or Surroundings()
            self._verifier = _verifier(verify, public, key, on_bad_receipt, patience_s, around)
            opened.callback(self._verifier.close)
            channel = open_channel(target, tls, development=development)
            self._exchange = Exchange(channel, retry or RetryPolicy(), metadata, around)
            opened.callback(self._exchange.close)
            self.recovered: tuple[Resolution, ...] = tuple(self._recover(entry) for entry in self._journal.pending())
            # Closed in reverse: no more answers first, then those that wait are checked, the journal goes last.
            self._opened = opened.pop_all()

    def reserve(
        self,
        game: str,
        program: str,
        *,
        version: int = 0,
        play_class: PlayClass = "real",
        session: str = "",
        client_seed: bytes | None = None,
        tags: Mapping[str, str] | None = None,
        request_id: str | None = None,
    ) -> Ticket:
        """Bind the next slot to the hash of a client seed (a fresh one by default) and return the ticket.

        The seed stays here and in the journal until the ticket is drawn. Errors as for `draw`.
        """
        seed = self._new_seed(SEED_BYTES) if client_seed is None else client_seed
        request = draw_pb2.ReserveRequest(
            request_id=request_id or self._new_id(),
            game=game,
            version=version,
            program=program,
            play_class=CLASSES[play_class],
            session=session,
            client_seed_hash=sha256(seed).digest(),
            tags=_tags(tags),
        )
        return cast("Ticket", self._perform("Reserve", request, seed).ticket)

    def draw(
        self,
        game: str,
        program: str,
        *,
        version: int = 0,
        play_class: PlayClass = "real",
        session: str = "",
        client_seed: bytes | None = None,
        ticket: Ticket | None = None,
        wager: Wager | None = None,
        tags: Mapping[str, str] | None = None,
        request_id: str | None = None,
    ) -> Receipt:
        """Draw one outcome: the ticket's slot with its seed, or in one step the next slot of the lane.

        ``client_seed`` is 16 to 64 raw bytes, none for ``b""``, and 32 fresh ones by default. ``request_id`` is for
        callers that keep ids themselves; after a crash they `resolve` it rather than draw again. Raises CallError
        (nothing was drawn), InDoubtError (resolve later), JournalError (nothing was sent), BadReceiptError;
        ValueError for a seed beside a ticket, which has its own.
        """
        if ticket is not None and client_seed is not None:
            raise ValueError("a draw on a ticket reveals the ticket's own seed; give one or the other")
        seed = self._new_seed(SEED_BYTES) if client_seed is None else client_seed
        request = draw_pb2.DrawRequest(
            request_id=request_id or self._new_id(),
            game=game,
            version=version,
            program=program,
            play_class=CLASSES[play_class],
            session=session,
            client_seed=seed if ticket is None else ticket.seed,
            ticket_hash=b"" if ticket is None else ticket.hash,
            wager=_wager(wager),
            tags=_tags(tags),
        )
        return self._perform("Draw", request).receipts[0]

    def draw_and_reserve(
        self,
        game: str,
        program: str,
        *,
        ticket: Ticket,
        version: int = 0,
        play_class: PlayClass = "real",
        session: str = "",
        wager: Wager | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> tuple[Receipt, Ticket]:
        """Draw on ``ticket`` and reserve the next slot in the same call; see `TicketedSession`, which keeps count."""
        seed = self._new_seed(SEED_BYTES)
        request = draw_pb2.DrawRequest(
            request_id=self._new_id(),
            game=game,
            version=version,
            program=program,
            play_class=CLASSES[play_class],
            session=session,
            client_seed=ticket.seed,
            ticket_hash=ticket.hash,
            wager=_wager(wager),
            next_client_seed_hash=sha256(seed).digest(),
            tags=_tags(tags),
        )
        found = self._perform("Draw", request, seed)
        return found.receipts[0], cast("Ticket", found.ticket)

    def batch_draw(
        self,
        game: str,
        program: str,
        count: int,
        *,
        version: int = 0,
        play_class: PlayClass = "real",
        session: str = "",
        client_seed: bytes | None = None,
        wager: Wager | None = None,
        tags: Mapping[str, str] | None = None,
        request_id: str | None = None,
    ) -> tuple[Receipt, ...]:
        """Draw ``count`` outcomes (1 to 1,000) at once, all or none; ``wager`` is for each of them.

        Mostly one receipt, and one more for each pool that ended in between. Errors as for `draw`.
        """
        request = draw_pb2.BatchDrawRequest(
            request_id=request_id or self._new_id(),
            game=game,
            version=version,
            program=program,
            play_class=CLASSES[play_class],
            session=session,
            client_seed=self._new_seed(SEED_BYTES) if client_seed is None else client_seed,
            count=count,
            wager=_wager(wager),
            tags=_tags(tags),
        )
        return self._perform("BatchDraw", request).receipts

    def settle(
        self,
        draw: Receipt | str,
        *,
        bettor: bytes,
        stake_minor: int,
        payout_minor: int,
        currency: str,
        item: int = 0,
        bet: str = "",
        status: Literal["final", "void"] = "final",
        reason: str = "",
        request_id: str | None = None,
    ) -> Settlement:
        """Report stake and payout of one bettor (32 bytes, a token) on outcome ``item`` of a draw.

        ``draw`` is the draw's request id, or its receipt, which the answer is then held against; ``item`` counts over
        all receipts of the request. ``void`` gives the stake back and needs a ``reason``. Errors as for `draw`.
        """
        known = {"draw": draw.record.digest.hex(), "pool": draw.pool_id} if isinstance(draw, Receipt) else {}
        request = draw_pb2.SettleRequest(
            request_id=request_id or self._new_id(),
            draw_request_id=draw.request_id if isinstance(draw, Receipt) else draw,
            item=item,
            bettor=bettor,
            stake_minor=stake_minor,
            payout_minor=payout_minor,
            currency=currency,
            bet=bet,
            status=STATUSES[status],
            reason=reason,
        )
        return cast("Settlement", self._perform("Settle", request, settled=known).settlement)

    def resolve(self, request_id: str) -> Resolution:
        """Say what became of an id; one that was bound to nothing is fenced for ever by asking.

        Raises CallError when the service gave no answer; the id then stays as it was.
        """
        self._require_usable()
        entry = next((entry for entry in self._journal.pending() if entry.request_id == request_id), None)
        if entry is not None:
            return self._recover(entry)
        answer = self._exchange.resolve(request_id)
        if answer is None:
            return Resolution(request_id, bound=False)
        return self._accept_unknown(answer, request_id)

    def get_receipt(self, request_id: str) -> Resolution:
        """Return what a request of this caller's gave, however long ago; raises CallError."""
        self._require_usable()
        return self._accept_unknown(self._exchange.get_receipt(request_id), request_id)

    def check(self) -> None:
        """Wait until every answer so far is checked; raises the first BadReceiptError."""
        self._verifier.drain()

    def wait_verified(self, ticket: Ticket) -> None:
        """Return once ``ticket`` was checked, so that its seed can be revealed; raises BadReceiptError."""
        ticket.checked.wait()
        self._verifier.require_good()

    def close(self) -> None:
        """Check what is left, close journal and connection; raises the first BadReceiptError."""
        if not self._closed:
            self._release()
        self._verifier.require_good()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            # The error that is on its way says more than a bad receipt that was reported before.
            self._release()

    def _perform(
        self, method: str, request: Request, seed: bytes = b"", settled: Mapping[str, Any] | None = None
    ) -> Resolution:
        self._require_usable()
        entry = JournalEntry(request.request_id, method, serialize(request), seed)
        self._journal.begin(entry)
        # A crash from here until the answer leaves the entry: the next start resolves it, and learns what was drawn,
        # or fences an id that was never sent.
        try:
            answer = self._exchange.perform(entry)
        except CallError:
            self._journal.finish(entry.request_id)
            raise
        # A crash right here leaves the entry as well: it is resolved to the same answer.
        self._journal.finish(entry.request_id)
        return self._accept(answer, entry, settled)

    def _recover(self, entry: JournalEntry) -> Resolution:
        answer = self._exchange.resolve(entry.request_id)
        self._journal.finish(entry.request_id)
        if answer is None:
            return Resolution(entry.request_id, bound=False)
        return self._accept(answer, entry)

    def _accept(self, answer: Answer, entry: JournalEntry, settled: Mapping[str, Any] | None = None) -> Resolution:
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

    def _accept_unknown(self, answer: Answer, request_id: str) -> Resolution:
        """Accept the answer to a request of which only the id is known."""
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

    def _require_usable(self) -> None:
        if self._closed:
            raise ClosedError("the client is closed")
        self._verifier.require_good()

    def _release(self) -> None:
        self._closed = True
        self._opened.close()


def _verifier(
    mode: Mode,
    public: str | Path | None,
    key: VerifierKey | None,
    on_bad: OnBadReceipt | None,
    patience_s: float,
    around: Surroundings,
) -> Verifier:
    if mode == "off":
        return NoVerifier()
    if public is None or key is None:
        raise ValueError("verification needs public (the log's directory or address) and vkey; or say verify='off'")
    facts = LogFacts(open_source(str(public)), key)
    kind = InlineVerifier if mode == "inline" else BackgroundVerifier
    return kind(facts, on_bad=on_bad, patience_s=patience_s, sleep=around.sleep, monotonic=around.monotonic)


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


def _tags(tags: Mapping[str, str] | None) -> types_pb2.Tags | None:
    return types_pb2.Tags(**tags) if tags else None


def _wager(wager: Wager | None) -> types_pb2.Wager | None:
    if wager is None:
        return None
    return types_pb2.Wager(stake_minor=wager.stake_minor, currency=wager.currency, bet=wager.bet)
