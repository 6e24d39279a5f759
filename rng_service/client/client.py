"""The client for game servers: every request under its own id, kept before it is sent, drawn at most once."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, cast

from sealdraw.v1 import draw_pb2

from anchor.note import VerifierKey
from anchor.source import open_source
from rng_service.books import Book
from rng_service.client.channel import CALLER_KEY, Tls, open_channel
from rng_service.client.errors import CallError, ClosedError
from rng_service.client.exchange import Exchange, Surroundings
from rng_service.client.expectation import CLASSES, Request, parse_request, serialize, session_of
from rng_service.client.facts import LogFacts
from rng_service.client.file_journal import FileJournal
from rng_service.client.journal import JournalEntry, RequestJournal
from rng_service.client.judge import OnBadReceipt, OnOutage, Outage, Rules, Unverified
from rng_service.client.receipt import STATUSES, Receipt, Settlement, Ticket
from rng_service.client.reception import Reception, Resolution
from rng_service.client.retry import RetryPolicy
from rng_service.client.session_numbers import SessionNumbers
from rng_service.client.verifier import BackgroundVerifier, InlineVerifier, Mode, NoVerifier, Verifier
from rng_service.client.wager import Wager, tags_message, wager_message
from rng_service.names import check_name
from rng_service.request_id import new_request_id
from rng_service.verify.receipt_steps import WitnessPolicy

SEED_BYTES: Final = 32
PlayClass = Literal["real", "free"]


class Client:
    """Calls the draw service at ``target`` (``host:port``) as ``caller``. May be shared by threads.

    ``journal`` is a `RequestJournal`, or the path of one that is kept in a file. What it holds from an earlier run is
    resolved before the constructor returns, see `recovered`; Unavailable is raised when that is not possible.

    ``verify`` says when answers are checked: in the ``background`` (the default), ``inline`` or ``off``. Checking
    needs ``public``, the log's public directory or its address, and ``vkey``, the log's verifier key. After the first
    answer that does not verify, every call raises its BadReceiptError and nothing is drawn any more;
    ``on_bad_receipt`` is told at once, in the thread that checks. ``policy`` judges cosignatures. ``log_cache`` is a
    file, best beside the journal, that spares the next start the reading of a long log; one process at a time.

    Answers that cannot be checked because public files are missing are no bad receipts. They are kept, at most
    ``most_unverified`` of them, and tried again. After ``patience_s`` it is an outage: ``on_outage`` is told, `check`
    raises, and with ``outage`` "warn" (the default) draws go on, with "stop" they raise UnverifiedError until the
    files are back. In an outage tickets that cannot be checked are drawn unchecked, and checked afterwards.

    ``exclusive_sessions`` says that no other process draws in the same sessions meanwhile: a number that is missing in
    a session is then a bad receipt. ``tls`` is needed, except with ``development`` and a loopback address. ``origin``
    names the log in receipt files where there is no vkey.
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
        outage: Outage = "warn",
        on_outage: OnOutage | None = None,
        patience_s: float = 30.0,
        most_unverified: int = 50_000,
        log_cache: Path | None = None,
        exclusive_sessions: bool = True,
        retry: RetryPolicy | None = None,
        surroundings: Surroundings | None = None,
        new_id: Callable[[], str] | None = None,
        new_seed: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._caller = check_name(caller, "caller")
        key = VerifierKey.parse(vkey) if vkey is not None else None
        if key is None and origin is None:
            raise ValueError("give vkey, the log's verifier key; or, with verify='off', the origin for receipt files")
        self._origin = origin or (key.name if key is not None else "")
        if key is not None and key.name != self._origin:
            raise ValueError(f"the vkey is of {key.name}, the origin given is {self._origin}; leave the origin out")
        around = surroundings or Surroundings()
        self._now_us = around.now_us
        self._new_id = new_id or (lambda: new_request_id(around.now_us() // 1_000))
        self._new_seed = new_seed
        rules = Rules(
            outage=outage,
            patience_s=patience_s,
            most_unverified=most_unverified,
            on_bad=on_bad_receipt,
            on_outage=on_outage,
        )
        metadata = ((CALLER_KEY, caller),) if development and tls is None else ()
        self._closed = False
        with ExitStack() as opened:
            self._journal: RequestJournal = FileJournal(journal) if isinstance(journal, Path) else journal
            opened.callback(self._journal.close)
            self._verifies = verify != "off"
            self._verifier = _verifier(verify, public, key, log_cache, rules, around)
            opened.callback(self._verifier.close)
            self._numbers = SessionNumbers(exclusive=exclusive_sessions)
            self._reception = Reception(
                self._caller, self._origin, self._verifier, policy, self._numbers, around.now_us
            )
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
            tags=tags_message(tags),
        )
        return cast("Ticket", self._perform("Reserve", request, seed, repeatable=request_id is not None).ticket)

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
        round_id: str = "",
        step: int = 0,
        request_id: str | None = None,
    ) -> Receipt:
        """Draw one outcome: the ticket's slot with its seed, or in one step the next slot of the lane.

        ``client_seed`` is 16 to 64 raw bytes, none for ``b""``, and 32 fresh ones by default. ``request_id`` is for
        callers that keep ids themselves; after a crash they `resolve` it rather than draw again. ``round_id`` and
        ``step`` belong to a game of several draws; see `Round`, which counts the steps. Raises CallError
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
            wager=wager_message(wager),
            tags=tags_message(tags),
            round_id=round_id,
            step=step,
        )
        return self._perform("Draw", request, repeatable=request_id is not None).receipts[0]

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
            wager=wager_message(wager),
            next_client_seed_hash=sha256(seed).digest(),
            tags=tags_message(tags),
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
            wager=wager_message(wager),
            tags=tags_message(tags),
        )
        return self._perform("BatchDraw", request, repeatable=request_id is not None).receipts

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

        ``draw`` is the draw's request id, or its receipt; the answer is held against it, and by its id alone it is
        fetched first. ``item`` counts over all receipts of the request. ``void`` gives the stake back and needs a
        ``reason``. Errors as for `draw`.
        """
        self._require_usable()
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
        if isinstance(draw, Receipt) and draw.first_item <= item < draw.first_item + draw.count:
            settled: tuple[Receipt, ...] = (draw,)
        else:
            settled = self._settled(request)
        found = self._perform("Settle", request, settled=settled, repeatable=request_id is not None)
        return cast("Settlement", found.settlement)

    def resolve(self, request_id: str) -> Resolution:
        """Say what became of an id; one that was bound to nothing is fenced for ever by asking.

        Raises CallError when the service gave no answer; the id then stays as it was.
        """
        self._require_open()
        entry = next((entry for entry in self._journal.pending() if entry.request_id == request_id), None)
        if entry is not None:
            return self._recover(entry)
        answer = self._exchange.resolve(request_id)
        if answer is None:
            return Resolution(request_id, bound=False)
        return self._reception.accept_unknown(answer, request_id)

    def get_receipt(self, request_id: str) -> Resolution:
        """Return what a request of this caller's gave, however long ago; raises CallError."""
        self._require_open()
        return self._reception.accept_unknown(self._exchange.get_receipt(request_id), request_id)

    def new_id(self) -> str:
        """Return a new request id (UUIDv7), for callers that keep ids themselves and for rounds."""
        return self._new_id()

    def get_book(self, receipt: Receipt, item: int = 0) -> Book:
        """Return what the player is shown for outcome ``item`` of a receipt, counted from 0.

        For draws of programs that have books; a single draw's receipt has it already. It is verified like the receipt.
        Raises CallError, and IndexError when the receipt has no such outcome.
        """
        self._require_open()
        if not 0 <= item < len(receipt.outcomes):
            raise IndexError(f"outcome {item} of {len(receipt.outcomes)}")
        message = self._exchange.get_book(receipt.request_id, receipt.first_item + item)
        return self._reception.accept_book(message, receipt, item)

    @property
    def unverified(self) -> Unverified | None:
        """What could not be checked so far because public files are missing, None when there is nothing."""
        return self._verifier.unverified

    def check(self) -> None:
        """Wait until every answer so far is checked; raises the first BadReceiptError.

        Raises UnverifiedError when public files are missing beyond the patience, or answers were given up.
        """
        self._verifier.drain()

    def wait_verified(self, ticket: Ticket) -> None:
        """Return once ``ticket`` was checked, so that its seed can be revealed; raises BadReceiptError.

        In an outage it returns without, or raises UnverifiedError when an outage is to stop the game.
        """
        self._verifier.wait(ticket.checked)

    def has_expired(self, ticket: Ticket) -> bool:
        """Whether ``ticket`` has run out by this machine's clock.

        Whoever reveals its seed then lets the operator choose: to draw, or to throw the slot away as expired.
        """
        return ticket.expires_us <= self._now_us()

    def close(self) -> None:
        """Check what is left, close journal and connection; raises as `check`."""
        if not self._closed:
            self._release()
        self._verifier.drain()

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
        self,
        method: str,
        request: Request,
        seed: bytes = b"",
        settled: tuple[Receipt, ...] = (),
        *,
        repeatable: bool = False,
    ) -> Resolution:
        self._require_usable()
        entry = JournalEntry(request.request_id, method, serialize(request), seed)
        session = session_of(request)
        self._journal.begin(entry)
        # A crash from here until the answer leaves the entry: the next start resolves it, and learns what was drawn,
        # or fences an id that was never sent.
        self._numbers.begin(session)
        try:
            answer = self._exchange.perform(entry)
        except CallError:
            self._journal.finish(entry.request_id)
            self._numbers.answered(session, ())
            raise
        except BaseException:
            self._numbers.doubt(session, entry.request_id)
            raise
        # A crash right here leaves the entry as well: it is resolved to the same answer.
        self._journal.finish(entry.request_id)
        return self._reception.accept(answer, entry, settled, numbered="repeatable" if repeatable else "new")

    def _recover(self, entry: JournalEntry) -> Resolution:
        answer = self._exchange.resolve(entry.request_id)
        request = parse_request(entry)
        settled = self._settled(request) if answer is not None and isinstance(request, draw_pb2.SettleRequest) else ()
        self._journal.finish(entry.request_id)
        if answer is None:
            self._numbers.resolved(session_of(request), entry.request_id)
            return Resolution(entry.request_id, bound=False)
        return self._reception.accept(answer, entry, settled, numbered="any")

    def _settled(self, request: draw_pb2.SettleRequest) -> tuple[Receipt, ...]:
        """Return the receipts of the draw that a request settles, as far as anybody will look at them."""
        if not self._verifies:
            return ()
        found = self._exchange.get_receipt(request.draw_request_id)
        return self._reception.accept_unknown(found, request.draw_request_id).receipts

    def _require_usable(self) -> None:
        if self._closed:
            raise ClosedError("the client is closed")
        self._verifier.require_drawable()

    def _require_open(self) -> None:
        """Check that questions may be asked, which draw nothing."""
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
    log_cache: Path | None,
    rules: Rules,
    around: Surroundings,
) -> Verifier:
    if mode == "off":
        return NoVerifier()
    if public is None or key is None:
        raise ValueError("verification needs public (the log's directory or address) and vkey; or say verify='off'")
    facts = LogFacts(open_source(str(public)), key, log_cache)
    kind = InlineVerifier if mode == "inline" else BackgroundVerifier
    return kind(facts, rules, pause=around.pause, monotonic=around.monotonic)
