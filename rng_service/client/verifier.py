"""When answers are checked: before the call returns, beside the calls, or not at all.

Whatever the mode, the first answer that does not verify is kept for ever: `require_good` raises it, and the client
asks it before each call.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Queue
from threading import Event, Lock, Thread
from typing import Final, Literal, Protocol

from anchor.errors import AnchorError, MalformedError, MissingError, VerificationError
from rng_service.client.errors import BadReceiptError
from rng_service.client.facts import LogFacts
from rng_service.games import BetError

_log = logging.getLogger(__name__)

Mode = Literal["background", "inline", "off"]
OnBadReceipt = Callable[[BadReceiptError], None]
Sleep = Callable[[float], None]
# While the public files lag behind: half a second, doubling up to half a minute.
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Claim:
    """One answer that waits to be checked: ``check`` raises when it is wrong; ``evidence`` is what to keep then."""

    request_id: str
    check: Callable[[LogFacts], None]
    evidence: Callable[[], bytes]
    done: Event = field(default_factory=Event)


class Verifier(Protocol):
    """Checks answers. May be shared by threads."""

    def submit(self, claim: Claim) -> None:
        """Take an answer to be checked."""

    def wait(self, claim: Claim) -> None:
        """Return once this answer was checked; raise BadReceiptError when it, or any other, is wrong."""

    def require_good(self) -> None:
        """Raise the first BadReceiptError, if there was one; never waits."""

    def drain(self) -> None:
        """Return once everything that was submitted is checked; raise as `require_good`."""

    def close(self) -> None:
        """Check what is left and stop; raises nothing, see `require_good`."""


class NoVerifier:
    """Believes everything: for games that are developed against the fake."""

    def submit(self, claim: Claim) -> None:
        """Take an answer and look away."""
        claim.done.set()

    def wait(self, claim: Claim) -> None:
        """Return at once."""

    def require_good(self) -> None:
        """Return at once."""

    def drain(self) -> None:
        """Return at once."""

    def close(self) -> None:
        """Return at once."""


class _Judge:
    """Checks one claim at a time, and remembers the first that was wrong.

    ``patience_s`` is how long an answer may wait for public files that cannot be read or lag behind; after that it
    counts as wrong, ``public-unavailable``, since nobody could tell.
    """

    def __init__(
        self, facts: LogFacts, on_bad: OnBadReceipt | None, patience_s: float, monotonic: Callable[[], float]
    ) -> None:
        self._facts = facts
        self._on_bad = on_bad
        self._patience_s = patience_s
        self._monotonic = monotonic
        self._lock = Lock()
        self._failure: BadReceiptError | None = None

    def require_good(self) -> None:
        if self._failure is not None:
            # Raised again and again: the traceback of the last time is nobody's business.
            raise self._failure.with_traceback(None)

    def judge(self, claim: Claim, sleep: Sleep) -> None:
        """Check a claim, waiting for the public files if need be; keeps the failure and raises nothing."""
        try:
            with self._lock:
                self._check(claim, sleep)
        except VerificationError as error:
            self._fail(claim, error.reason, error.message)
        except (MalformedError, BetError, AnchorError) as error:
            self._fail(claim, "malformed", str(error))
        except Exception as error:  # noqa: BLE001
            # A check that cannot be carried out is no check: the claim counts as wrong, and the thread lives on.
            _log.exception("a receipt could not be checked")
            self._fail(claim, "check-failed", f"{type(error).__name__}: {error}")
        finally:
            claim.done.set()

    def _check(self, claim: Claim, sleep: Sleep) -> None:
        began, pause_s = self._monotonic(), _FIRST_PAUSE_S
        while True:
            try:
                claim.check(self._facts)
            except (MissingError, VerificationError) as error:
                if isinstance(error, VerificationError) and error.reason != "file-missing":
                    raise
                if self._monotonic() - began >= self._patience_s:
                    raise VerificationError(
                        "public-unavailable", f"not checkable for {self._patience_s:g} seconds: {error}"
                    ) from None
            else:
                return
            sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _fail(self, claim: Claim, reason: str, message: str) -> None:
        try:
            evidence = claim.evidence()
        except AnchorError:
            evidence = b""
        failure = BadReceiptError(reason, message, request_id=claim.request_id, evidence=evidence)
        self._failure = self._failure or failure
        _log.error("bad receipt: %s", failure)
        if self._on_bad is not None:
            try:
                self._on_bad(failure)
            except Exception:  # noqa: BLE001
                _log.exception("the callback for bad receipts failed")


class InlineVerifier:
    """Checks each answer in the calling thread, before the call returns."""

    def __init__(
        self,
        facts: LogFacts,
        *,
        on_bad: OnBadReceipt | None = None,
        patience_s: float = 300.0,
        sleep: Sleep = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge = _Judge(facts, on_bad, patience_s, monotonic)
        self._sleep = sleep

    def submit(self, claim: Claim) -> None:
        """Check the answer; raises BadReceiptError."""
        self._judge.judge(claim, self._sleep)
        self._judge.require_good()

    def wait(self, claim: Claim) -> None:
        """Raise what `submit` found; it was checked there."""
        claim.done.wait()
        self._judge.require_good()

    def require_good(self) -> None:
        """Raise the first BadReceiptError."""
        self._judge.require_good()

    def drain(self) -> None:
        """Raise the first BadReceiptError; nothing is ever left."""
        self._judge.require_good()

    def close(self) -> None:
        """Do nothing: nothing is ever left."""


class BackgroundVerifier:
    """Checks answers in a thread of its own, in order.

    At most ``most_waiting`` wait; `submit` then blocks until there is room: an answer is never left unchecked to gain
    time. ``sleep`` replaces the pauses in tests.
    """

    def __init__(
        self,
        facts: LogFacts,
        *,
        on_bad: OnBadReceipt | None = None,
        patience_s: float = 300.0,
        most_waiting: int = 1_024,
        sleep: Sleep = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge = _Judge(facts, on_bad, patience_s, monotonic)
        self._sleep = sleep
        self._waiting: Queue[Claim | None] = Queue(most_waiting)
        self._closed = False
        self._thread = Thread(target=self._run, name="receipt-verifier", daemon=True)
        self._thread.start()

    def submit(self, claim: Claim) -> None:
        """Hand the answer to the thread; blocks while too many wait."""
        if self._closed:
            # A call that was in flight when another thread closed the client: nobody else would check its answer.
            self._judge.judge(claim, self._sleep)
        else:
            self._waiting.put(claim)

    def wait(self, claim: Claim) -> None:
        """Return once this answer was checked."""
        claim.done.wait()
        self._judge.require_good()

    def require_good(self) -> None:
        """Raise the first BadReceiptError."""
        self._judge.require_good()

    def drain(self) -> None:
        """Wait until everything was checked; raises the first BadReceiptError."""
        self._waiting.join()
        self._judge.require_good()

    def close(self) -> None:
        """Check what is left, within the patience, and end the thread. May be called again."""
        if not self._closed:
            self._closed = True
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (claim := self._waiting.get()) is not None:
            self._judge.judge(claim, self._sleep)
            self._waiting.task_done()
        self._waiting.task_done()
