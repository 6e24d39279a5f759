"""Two-step draws at the price of one call: each draw reveals a seed and reserves the next slot."""

from collections.abc import Mapping
from threading import Lock

from rng_service.client.client import Client, PlayClass
from rng_service.client.errors import CallError, FailedPrecondition
from rng_service.client.receipt import Receipt, Ticket
from rng_service.client.wager import Wager

_TICKET_GONE = frozenset({"TICKET_EXPIRED", "SEED_MISMATCH", "VERSION_RETIRED"})


class TicketedSession:
    """Draws one after the other for one player's session, each on a ticket that was checked before its seed is shown.

    The slot is fixed before the seed is known, and the seed before the slot is opened: receipts are `ticketed` and
    `fresh-seed`. A ticket that a crash left behind can be handed in (`Client.recovered`); one that is never drawn
    expires, and its slot becomes void.
    """

    def __init__(
        self,
        client: Client,
        game: str,
        program: str,
        *,
        session: str,
        version: int = 0,
        play_class: PlayClass = "real",
        ticket: Ticket | None = None,
    ) -> None:
        self._client = client
        self._game = game
        self._program = program
        self._session = session
        self._version = version
        self._play_class: PlayClass = play_class
        self._ticket = ticket
        self._lock = Lock()

    @property
    def ticket(self) -> Ticket | None:
        """The ticket that the next draw will use, None when it will reserve one first."""
        return self._ticket

    def draw(self, *, wager: Wager | None = None, tags: Mapping[str, str] | None = None) -> Receipt:
        """Draw on the ticket that is there and reserve the next; one draw at a time.

        Errors as for `Client.draw`. After an error that leaves the ticket's fate open, or ends it, the next draw
        reserves a new one; nothing is repeated here under another request id.
        """
        with self._lock:
            ticket = self._ticket
            if ticket is None or self._client.has_expired(ticket):
                # Kept at once: it is still good when the wait ends because the public files are missing.
                self._ticket = ticket = self._reserve()
            self._client.wait_verified(ticket)
            # Whatever comes, an id that is in doubt may have used the ticket: it is kept only if that is excluded.
            self._ticket = None
            try:
                receipt, self._ticket = self._client.draw_and_reserve(
                    self._game,
                    self._program,
                    ticket=ticket,
                    version=self._version,
                    play_class=self._play_class,
                    session=self._session,
                    wager=wager,
                    tags=tags,
                )
            except CallError as error:
                if not (isinstance(error, FailedPrecondition) and error.reason in _TICKET_GONE):
                    self._ticket = ticket
                raise
            return receipt

    def _reserve(self) -> Ticket:
        return self._client.reserve(
            self._game,
            self._program,
            version=self._version,
            play_class=self._play_class,
            session=self._session,
        )
