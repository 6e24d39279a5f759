"""The client for game servers: every request under its own id, kept before it is sent, drawn at most once."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, cast

from sealdraw.v1 import draw_pb2, types_pb2

from anchor.note import VerifierKey
from anchor.source import open_source
from rng_service.client.channel import CALLER_KEY, Tls, open_channel
from rng_service.client.errors import CallError, ClosedError
from rng_service.client.exchange import Exchange, Surroundings
from rng_service.client.expectation import (
    CLASSES,
    Request,
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
)
from rng_service.client.reception import Reception, Resolution
from rng_service.client.retry import RetryPolicy
from rng_service.client.verifier import (
    BackgroundVerifier,
    InlineVerifier,
    Mode,
    NoVerifier,
    OnBadReceipt,
    Verifier,
)
from rng_service.names import check_name
from rng_service.request_id import new_request_id
from rng_service.verify.receipt import WitnessPolicy

SEED_BYTES: Final = 32
PlayClass = Literal["real", "free"]


@dataclass(frozen=True, slots=True)
class Wager:
    """What one outcome is played for; ``bet`` as in docs/games.md, empty where the payout is settled later."""

    stake_minor: int
    currency: str
    bet: str = ""


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
        if key is not None and key.name != self._origin:
            raise ValueError(f"the vkey is of {key.name}, the origin given is {self._origin}; leave the origin out")
        self._new_id = new_id
        self._new_seed = new_seed
        metadata = ((CALLER_KEY, caller),) if development and tls is None else ()
        self._closed = False
        with ExitStack() as opened:
            self._journal: RequestJournal = FileJournal(journal) if isinstance(journal, Path) else journal
            opened.callback(self._journal.close)
            around = surroundings or Surroundings()
            self._verifier = _verifier(verify, public, key, on_bad_receipt, patience_s, around)
            opened.callback(self._verifier.close)
            self._reception = Reception(self._caller, self._origin, self._verifier, policy)
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
        return self._reception.accept_unknown(answer, request_id)

    def get_receipt(self, request_id: str) -> Resolution:
        """Return what a request of this caller's gave, however long ago; raises CallError."""
        self._require_usable()
        return self._reception.accept_unknown(self._exchange.get_receipt(request_id), request_id)

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
        return self._reception.accept(answer, entry, settled)

    def _recover(self, entry: JournalEntry) -> Resolution:
        answer = self._exchange.resolve(entry.request_id)
        self._journal.finish(entry.request_id)
        if answer is None:
            return Resolution(entry.request_id, bound=False)
        return self._reception.accept(answer, entry)

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


def _tags(tags: Mapping[str, str] | None) -> types_pb2.Tags | None:
    return types_pb2.Tags(**tags) if tags else None


def _wager(wager: Wager | None) -> types_pb2.Wager | None:
    if wager is None:
        return None
    return types_pb2.Wager(stake_minor=wager.stake_minor, currency=wager.currency, bet=wager.bet)
