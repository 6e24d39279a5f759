"""What becomes of an answer: good, wrong for ever, or not checkable yet because public files are missing.

A wrong answer is kept for ever. An answer that nobody can check at the moment is no proof of anything: the service's
web server may be down, and a casino must not stand still for that, unless it wants to. Such answers are set aside, at
most so many, and tried again in rounds until the files are there.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, Lock
from typing import Final, Literal

from anchor.errors import AnchorError, MissingError, VerificationError
from rng_service.client.errors import BadReceiptError, UnverifiedError
from rng_service.client.facts import LogFacts
from rng_service.games import BetError

_log = logging.getLogger(__name__)

Outage = Literal["warn", "stop"]
OnBadReceipt = Callable[[BadReceiptError], None]
Pause = Callable[[Event, float], object]
"""Waits for so many seconds, or until the event is set."""

# While public files are missing: half a second, doubling up to half a minute.
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Claim:
    """One answer to be checked: ``check`` raises when it is wrong; ``evidence`` is what to keep then.

    ``done`` is set when nobody needs to wait for it any more: it was checked, or it cannot be for now.
    """

    request_id: str
    check: Callable[[LogFacts], None]
    evidence: Callable[[], bytes]
    received_us: int = 0
    done: Event = field(default_factory=Event)


@dataclass(frozen=True, slots=True)
class Unverified:
    """Answers that could not be checked, the oldest of which came at ``since_us`` (microseconds UTC).

    ``waiting`` of them are tried again; ``given_up`` were let go of because more came than are kept. ``reason`` is
    what was missing last.
    """

    waiting: int
    given_up: int
    since_us: int
    reason: str

    def text(self) -> str:
        """Return this for people."""
        since = datetime.fromtimestamp(self.since_us / 1_000_000, UTC).isoformat(timespec="seconds")
        lost = f"; {self.given_up} more will never be" if self.given_up else ""
        return f"{self.waiting} answers are unverified since {since}{lost}: {self.reason}"


OnOutage = Callable[[Unverified], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is done about answers that cannot be checked, and who is told.

    After ``patience_s`` it counts as an outage: ``on_outage`` is told, and with ``outage`` "stop" nothing more is
    drawn until it is over. At most ``most_unverified`` answers are set aside; then the oldest are given up.
    """

    outage: Outage = "warn"
    patience_s: float = 30.0
    most_unverified: int = 50_000
    on_bad: OnBadReceipt | None = None
    on_outage: OnOutage | None = None

    def __post_init__(self) -> None:
        if self.outage not in {"warn", "stop"}:
            raise ValueError(f"outage {self.outage!r}: expected 'warn' or 'stop'")
        if self.patience_s < 0 or self.most_unverified < 1:
            raise ValueError("patience_s is not negative, and most_unverified at least 1")


class Judge:
    """Checks one claim at a time. May be shared by threads; never waits but for the public files themselves."""

    def __init__(self, facts: LogFacts, rules: Rules, monotonic: Callable[[], float]) -> None:
        self._facts = facts
        self._rules = rules
        self._monotonic = monotonic
        self._working = Lock()
        self._failure: BadReceiptError | None = None
        # With the time (monotonic) at which each was set aside.
        self._backlog: deque[tuple[float, Claim]] = deque()
        self._oldest_s = 0.0
        self._since_us = 0
        self._given_up = 0
        self._reason = ""
        self._outage = False
        self._pause_s = _FIRST_PAUSE_S
        self._next_round = 0.0

    @property
    def unverified(self) -> Unverified | None:
        """What could not be checked, None when everything was."""
        waiting = len(self._backlog)
        if not waiting and not self._given_up:
            return None
        return Unverified(waiting, self._given_up, self._since_us, self._reason)

    @property
    def waiting(self) -> bool:
        """Whether answers are set aside, to be tried again."""
        return bool(self._backlog)

    @property
    def settled(self) -> bool:
        """Whether nothing is left to wait for: all is checked, or there is an outage."""
        return self._outage or not self._backlog

    def require_good(self) -> None:
        """Raise the first BadReceiptError, if there was one."""
        if self._failure is not None:
            # Raised again and again: the traceback of the last time is nobody's business.
            raise self._failure.with_traceback(None)

    def require_checked(self) -> None:
        """Raise the first BadReceiptError, or UnverifiedError when something could not be checked."""
        self.require_good()
        found = self.unverified
        if found is not None:
            raise UnverifiedError(found.text())

    def require_drawable(self) -> None:
        """Raise what forbids to draw: a BadReceiptError, or UnverifiedError in an outage that is to stop the game."""
        self.require_good()
        if self._outage and self._rules.outage == "stop":
            self.require_checked()

    def judge(self, claim: Claim) -> None:
        """Check a claim, or set it aside; keeps a failure and raises nothing."""
        with self._working:
            if not self._backlog:
                self._facts.look_again()
            if not self._decided(claim):
                self._set_aside(claim)
            self._notice()

    def try_again(self) -> None:
        """Try what was set aside once more if it is time; each round asks missing files only once."""
        with self._working:
            if self._backlog and self._monotonic() >= self._next_round:
                self._round()
            self._notice()

    def pause_s(self) -> float:
        """Return how long to wait before `try_again` has something to do."""
        now = self._monotonic()
        pause_s = self._next_round - now
        if not self._outage and self._backlog:
            pause_s = min(pause_s, self._oldest_s + self._rules.patience_s - now)
        return max(0.0, pause_s)

    def finish(self, pause: Pause) -> None:
        """Wait for what was set aside, within the patience; whatever is then left is logged."""
        while not self.settled:
            pause(Event(), self.pause_s())
            self.try_again()
        with self._working:
            if self._backlog:
                self._round()
        if self.unverified is not None:
            _log.warning("closed with answers that nobody checked: %s", self.unverified.text())

    def _round(self) -> None:
        """Try each claim once; `_working` is held."""
        self._facts.look_again()
        kept: deque[tuple[float, Claim]] = deque()
        blamed = 0
        for since, claim in self._backlog:
            reachable = not self._facts.unreachable
            if not self._decided(claim):
                kept.append((since, claim))
                if reachable and self._facts.unreachable:
                    blamed = len(kept)
        # Who made a file be asked for in vain goes last: one answer must not keep all others from being checked.
        kept.rotate(-blamed)
        self._backlog = kept
        self._oldest_s = min((since for since, _ in kept), default=0.0)
        if kept and not self._given_up:
            self._since_us = min(claim.received_us for _, claim in kept)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        self._next_round = self._monotonic() + self._pause_s

    def _decided(self, claim: Claim) -> bool:
        """Check a claim; return False when public files are missing."""
        try:
            claim.check(self._facts)
        except MissingError as error:
            self._reason = str(error)
            return False
        except VerificationError as error:
            if error.reason == "file-missing":
                self._reason = error.message
                return False
            self._fail(claim, error.reason, error.message)
        except (BetError, AnchorError) as error:
            self._fail(claim, "malformed", str(error))
        except Exception as error:  # noqa: BLE001
            # A check that cannot be carried out is no check: the claim counts as wrong, and the thread lives on.
            _log.exception("a receipt could not be checked")
            self._fail(claim, "check-failed", f"{type(error).__name__}: {error}")
        claim.done.set()
        return True

    def _set_aside(self, claim: Claim) -> None:
        now = self._monotonic()
        if not self._backlog:
            self._pause_s = _FIRST_PAUSE_S
            self._next_round = now + self._pause_s
            self._oldest_s = now
            # What was given up stays unverified for ever, and so does the time since when.
            self._since_us = self._since_us if self._given_up else claim.received_us
        self._backlog.append((now, claim))
        if self._outage:
            claim.done.set()
        if len(self._backlog) > self._rules.most_unverified:
            _, lost = self._backlog.popleft()
            if not self._given_up:
                _log.error("more than %d answers are unverified; giving up the oldest", self._rules.most_unverified)
            self._given_up += 1
            lost.done.set()

    def _notice(self) -> None:
        """Note when an outage begins or ends; `_working` is held."""
        overdue = bool(self._backlog) and self._monotonic() - self._oldest_s >= self._rules.patience_s
        if overdue == self._outage:
            return
        self._outage = overdue
        found = self.unverified
        if not overdue or found is None:
            _log.warning("the public files can be read again")
            return
        for _, claim in self._backlog:
            claim.done.set()
        _log.warning("%s", found.text())
        if self._rules.on_outage is not None:
            try:
                self._rules.on_outage(found)
            except Exception:  # noqa: BLE001
                _log.exception("the callback for outages failed")

    def _fail(self, claim: Claim, reason: str, message: str) -> None:
        try:
            evidence = claim.evidence()
        except AnchorError:
            evidence = b""
        failure = BadReceiptError(reason, message, request_id=claim.request_id, evidence=evidence)
        self._failure = self._failure or failure
        _log.error("bad receipt: %s", failure)
        if self._rules.on_bad is not None:
            try:
                self._rules.on_bad(failure)
            except Exception:  # noqa: BLE001
                _log.exception("the callback for bad receipts failed")
