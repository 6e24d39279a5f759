"""When answers are checked: before the call returns, beside the calls, or not at all.

Whatever the mode, the first answer that does not verify is kept for ever: `require_drawable` raises it, and the
client asks that before each call.
"""

import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Event, Thread
from typing import Literal, Protocol

from rng_service.client.facts import LogFacts
from rng_service.client.judge import Claim, Judge, Pause, Rules, Unverified

Mode = Literal["background", "inline", "off"]


class Verifier(Protocol):
    """Checks answers. May be shared by threads."""

    def submit(self, claim: Claim) -> None:
        """Take an answer to be checked."""

    def wait(self, done: Event) -> None:
        """Return once a claim's answer was checked, or cannot be for now; raises as `require_drawable`."""

    def require_good(self) -> None:
        """Raise the first BadReceiptError, if there was one; never waits."""

    def require_drawable(self) -> None:
        """Raise what forbids to draw: the first BadReceiptError, or UnverifiedError in an outage that shall stop."""

    def drain(self) -> None:
        """Return once everything that was submitted is checked; raises BadReceiptError, or UnverifiedError."""

    @property
    def unverified(self) -> Unverified | None:
        """What could not be checked so far, None when everything was."""

    def close(self) -> None:
        """Check what is left, within the patience, and stop. Raises nothing, and may be called again."""


class NoVerifier:
    """Believes everything: for games that are developed against the fake."""

    unverified = None

    def submit(self, claim: Claim) -> None:
        """Take an answer and look away."""
        claim.done.set()

    def wait(self, done: Event) -> None:
        """Return at once."""

    def require_good(self) -> None:
        """Return at once."""

    def require_drawable(self) -> None:
        """Return at once."""

    def drain(self) -> None:
        """Return at once."""

    def close(self) -> None:
        """Return at once."""


class InlineVerifier:
    """Checks each answer in the calling thread, before the call returns.

    A call waits for missing files as long as the patience lasts; in an outage calls try again now and then.
    """

    def __init__(
        self,
        facts: LogFacts,
        rules: Rules,
        *,
        pause: Pause = Event.wait,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge = Judge(facts, rules, monotonic)
        self._pause = pause

    @property
    def unverified(self) -> Unverified | None:
        """What could not be checked so far."""
        return self._judge.unverified

    def submit(self, claim: Claim) -> None:
        """Check the answer; raises BadReceiptError.

        An answer that cannot be checked passes: it was drawn, and only the next draw may be refused.
        """
        self._judge.judge(claim)
        while not claim.done.is_set():
            self._pause(Event(), self._judge.pause_s())
            self._judge.try_again()
        self._judge.require_good()

    def wait(self, done: Event) -> None:
        """Raise what `submit` found; it was checked there."""
        done.wait()
        self.require_drawable()

    def require_good(self) -> None:
        """Raise the first BadReceiptError."""
        self._judge.require_good()

    def require_drawable(self) -> None:
        """Raise what forbids to draw; looks whether an outage is over."""
        self._judge.try_again()
        self._judge.require_drawable()

    def drain(self) -> None:
        """Wait, within the patience, until everything was checked."""
        while not self._judge.settled:
            self._pause(Event(), self._judge.pause_s())
            self._judge.try_again()
        self._judge.try_again()
        self._judge.require_checked()

    def close(self) -> None:
        """Try once more what could not be checked."""
        self._judge.finish(self._pause)


class BackgroundVerifier:
    """Checks answers in a thread of its own.

    At most ``most_waiting`` wait for their first check; `submit` then blocks until there is room: an answer is never
    left unchecked to gain time. ``pause`` replaces the pauses in tests.
    """

    def __init__(
        self,
        facts: LogFacts,
        rules: Rules,
        *,
        most_waiting: int = 1_024,
        pause: Pause = Event.wait,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge = Judge(facts, rules, monotonic)
        self._pause = pause
        self._most_waiting = most_waiting
        # Guards the two below; told whenever the thread has done something.
        self._changed = Condition()
        self._arrived: deque[Claim] = deque()
        self._closed = False
        self._wake = Event()
        self._thread = Thread(target=self._run, name="receipt-verifier", daemon=True)
        self._thread.start()

    @property
    def unverified(self) -> Unverified | None:
        """What was tried and could not be checked so far."""
        return self._judge.unverified

    def submit(self, claim: Claim) -> None:
        """Hand the answer to the thread; blocks while too many wait."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._arrived) < self._most_waiting)
            if not self._closed:
                self._arrived.append(claim)
                self._wake.set()
                return
        # A call that was in flight when another thread closed the client: nobody else would check its answer.
        self._judge.judge(claim)
        self._judge.finish(self._pause)

    def wait(self, done: Event) -> None:
        """Return once a claim's answer was checked, or cannot be for now."""
        done.wait()
        self._judge.require_drawable()

    def require_good(self) -> None:
        """Raise the first BadReceiptError."""
        self._judge.require_good()

    def require_drawable(self) -> None:
        """Raise what forbids to draw."""
        self._judge.require_drawable()

    def drain(self) -> None:
        """Wait, within the patience, until everything was checked."""
        with self._changed:
            self._changed.wait_for(lambda: not self._arrived and self._judge.settled)
        self._judge.require_checked()

    def close(self) -> None:
        """Check what is left, within the patience, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            # Cleared before looking: what arrives after the look sets it again.
            self._wake.clear()
            with self._changed:
                claim = self._arrived[0] if self._arrived else None
                closed = self._closed
            if claim is not None:
                self._judge.judge(claim)
                with self._changed:
                    # Only now it has left: who drains must not find it neither waiting nor judged.
                    self._arrived.popleft()
                    self._changed.notify_all()
            elif closed:
                self._judge.finish(self._pause)
                return
            else:
                self._rest()

    def _rest(self) -> None:
        """Wait for an answer, or for the next round over those that were set aside."""
        if not self._judge.waiting:
            self._wake.wait()
            return
        self._pause(self._wake, self._judge.pause_s())
        self._judge.try_again()
        with self._changed:
            self._changed.notify_all()
