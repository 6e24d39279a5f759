"""Sessions: numbers without a gap, so that a draw which was made and hidden leaves a hole."""

from operator import itemgetter

from rng_service.verify.fault import require

SessionKey = tuple[str, str]
"""(caller, session)."""


class SessionNumbers:
    """Follows ``session_seq`` of every session; remembers one number each, and what came out of order.

    ``from_start`` says that the records begin with the log, so that every session begins at 1.
    """

    def __init__(self, *, from_start: bool) -> None:
        self._from_start = from_start
        self._next: dict[SessionKey, int] = {}
        # Numbers that came before a smaller one: a record may join a later digest than its successor.
        self._ahead: dict[SessionKey, dict[int, int]] = {}

    def __len__(self) -> int:
        return len(self._next)

    def take(self, seen: list[tuple[SessionKey, int, int, bool]]) -> None:
        """Take (session, number, bind time, again) of one digest's records.

        ``again`` marks the draw on a ticket, which repeats the ticket's number. Raises VerificationError
        ``session-repeated``.
        """
        # A ticket before the draw that repeats its number, whatever the operator's clock said.
        for key, number, bind_us, again in sorted(seen, key=itemgetter(0, 1, 3)):
            expected = self._next.get(key)
            if expected is None:
                expected = self._next[key] = 1 if self._from_start else number
            if number == expected:
                self._next[key] = number + 1
                if key in self._ahead:
                    self._catch_up(key)
                continue
            ahead = self._ahead.get(key, {})
            if number < expected or number in ahead:
                # Without the beginning of a session, a smaller number may be the first that is seen late.
                require(
                    again or not self._from_start,
                    "session-repeated",
                    f"session {key[1]} of {key[0]} has the number {number} twice",
                )
                continue
            self._ahead.setdefault(key, {})[number] = bind_us

    def finish(self, newest_us: int, merge_delay_us: int) -> int:
        """Return how many numbers may still come; raises VerificationError ``session-gap`` for one that is late."""
        for key, ahead in self._ahead.items():
            number = min(ahead)
            # What is missing was bound before the number behind it.
            require(
                newest_us <= ahead[number] + merge_delay_us,
                "session-gap",
                f"session {key[1]} of {key[0]} has number {number}, and {self._next[key]} is missing",
            )
        return len(self._ahead)

    def _catch_up(self, key: SessionKey) -> None:
        ahead = self._ahead[key]
        while ahead.pop(self._next[key], None) is not None:
            self._next[key] += 1
        if not ahead:
            del self._ahead[key]
