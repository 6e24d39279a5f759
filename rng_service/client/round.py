"""A round of several draws, such as hi-lo or free spins: each step once, in order, whatever crashes."""

from collections.abc import Mapping
from threading import Lock

from rng_service.client.client import Client, PlayClass
from rng_service.client.errors import InDoubtError
from rng_service.client.receipt import Receipt, Ticket
from rng_service.client.wager import Wager


class Round:
    """Draws the steps of one round, which it counts.

    ``round_id`` names the round: keep it with the game, since a step is drawn once under it and never again. By
    default it is a new UUIDv7. ``steps`` is how many of its steps were drawn before, for a round that goes on after a
    restart: what was under way then is among `Client.recovered`.
    """

    def __init__(
        self,
        client: Client,
        game: str,
        *,
        round_id: str = "",
        steps: int = 0,
        session: str = "",
        version: int = 0,
        play_class: PlayClass = "real",
    ) -> None:
        self._client = client
        self._game = game
        self.round_id = round_id or client.new_id()
        self._steps = steps
        self._session = session
        self._version = version
        self._play_class: PlayClass = play_class
        self._doubt: InDoubtError | None = None
        self._lock = Lock()

    @property
    def steps(self) -> int:
        """How many steps are known to be drawn."""
        return self._steps

    @property
    def in_doubt(self) -> str | None:
        """The request id of a step of which nobody knows whether it was drawn, None when all is known."""
        return None if self._doubt is None else self._doubt.request_id

    def draw(
        self,
        program: str,
        *,
        wager: Wager | None = None,
        client_seed: bytes | None = None,
        ticket: Ticket | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Draw the next step; one at a time. Errors as for `Client.draw`.

        After a CallError the step is still to be drawn. After an InDoubtError every further call raises it again, for
        a step that may have been drawn is not drawn under another request id: `resume` first.
        """
        with self._lock:
            if self._doubt is not None:
                # Raised again and again: the traceback of the last time is nobody's business.
                raise self._doubt.with_traceback(None)
            try:
                receipt = self._client.draw(
                    self._game,
                    program,
                    version=self._version,
                    play_class=self._play_class,
                    session=self._session,
                    client_seed=client_seed,
                    ticket=ticket,
                    wager=wager,
                    tags=tags,
                    round_id=self.round_id,
                    step=self._steps + 1,
                )
            except InDoubtError as error:
                self._doubt = error
                raise
            # A crash right here, or before, leaves the request in the client's journal: the next start resolves it.
            self._steps += 1
            return receipt

    def resume(self) -> Receipt | None:
        """Find out what became of the step in doubt: its receipt when it was drawn, None when it is still to be drawn.

        None also when nothing is in doubt. Raises CallError when the service gave no answer; it stays in doubt then.
        """
        with self._lock:
            if self._doubt is None:
                return None
            found = self._client.resolve(self._doubt.request_id)
            self._doubt = None
            if not found.bound:
                return None
            self._steps += 1
            return found.receipts[0]
