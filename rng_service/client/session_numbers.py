"""The numbers of draws and tickets in each session, which are dense: a gap is a draw that the caller never saw.

An operator could draw in a caller's name until it likes the outcome, and answer with that. The number gives it away at
once, long before an export of the session would.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from rng_service.verify.fault import require

# Sessions in which nothing was asked for lately are forgotten: their next answer begins anew.
_KEPT_SESSIONS: Final = 65_536


@dataclass(slots=True)
class _Session:
    # The newest number with nothing missing before it, None before the first.
    newest: int | None = None
    # Those that came while other requests of the session were under way.
    ahead: set[int] = field(default_factory=set)
    in_flight: int = 0
    # Requests that may have a number, or get one yet.
    doubts: set[str] = field(default_factory=set)


class SessionNumbers:
    """Follows the numbers of one caller's sessions in this process. May be shared by threads.

    ``exclusive`` says that no other process draws in the same sessions meanwhile, so that no number may be missing.
    """

    def __init__(self, *, exclusive: bool = True) -> None:
        self._exclusive = exclusive
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._lock = Lock()

    def begin(self, session: str) -> None:
        """Note that a request in ``session`` is sent; "" is no session."""
        if session:
            with self._lock:
                self._find(session).in_flight += 1

    def doubt(self, session: str, request_id: str) -> None:
        """Note that nobody knows what became of a request: numbers may be missing until it is `resolved`."""
        if session:
            with self._lock:
                state = self._find(session)
                state.in_flight -= 1
                state.doubts.add(request_id)

    def resolved(self, session: str, request_id: str) -> None:
        """Note that a request that was in doubt, or that an earlier process made, has its answer."""
        if session:
            with self._lock:
                state = self._find(session)
                state.doubts.discard(request_id)
                state.newest = None

    def answered(self, session: str, numbers: Iterable[int], *, repeatable: bool = False) -> None:
        """Take the numbers that the answer to a request has; with ``repeatable`` they may be known ones.

        Raises VerificationError ``session-sequence`` for a number that was given before, or when one is missing and
        no request is under way that could have it.
        """
        if not session:
            return
        with self._lock:
            state = self._find(session)
            state.in_flight -= 1
            for number in numbers:
                known = number in state.ahead or (state.newest is not None and number <= state.newest)
                require(
                    repeatable or not known,
                    "session-sequence",
                    f"number {number} of session {session} came twice, or behind {state.newest}",
                )
                if not known:
                    state.ahead.add(number)
            self._advance(session, state)

    def _advance(self, session: str, state: _Session) -> None:
        if state.newest is not None:
            while state.newest + 1 in state.ahead:
                state.newest += 1
                state.ahead.discard(state.newest)
        if state.in_flight or not state.ahead:
            return
        ahead, state.ahead = state.ahead, set()
        first, last = min(ahead), max(ahead)
        newest, state.newest = state.newest, last
        gaps = last - first + 1 != len(ahead) or (newest is not None and first != newest + 1)
        require(
            not gaps or state.doubts or not self._exclusive,
            "session-sequence",
            f"numbers up to {newest or first - 1} of session {session} were known, now came {sorted(ahead)[:8]}: "
            "another request was drawn in between "
            "(where other processes draw in the same sessions, say exclusive_sessions=False)",
        )

    def _find(self, session: str) -> _Session:
        state = self._sessions.get(session)
        if state is None:
            state = self._sessions[session] = _Session()
            self._make_room()
        self._sessions.move_to_end(session)
        return state

    def _make_room(self) -> None:
        # Two looks for each new session: those in use, which are passed over, never let the others pile up.
        for _ in range(2):
            if len(self._sessions) <= _KEPT_SESSIONS:
                return
            oldest, found = next(iter(self._sessions.items()))
            if found.in_flight or found.doubts:
                self._sessions.move_to_end(oldest)
            else:
                del self._sessions[oldest]
