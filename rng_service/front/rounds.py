"""Steps of rounds, before they are bound: what the last step's outcome means for the next one.

What is found here holds only while the round stays where it was read; the transaction that binds the step makes sure
of that (`rng_service.ledger.rounds`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from anchor import canonical
from rng_service.errors import FailedPrecondition, InvalidArgument, LedgerError, RequestError
from rng_service.games import Bet
from rng_service.games.placing import PlayError, follows
from rng_service.games.rounds import Round, Step, awards_features
from rng_service.ledger.rounds import KnownRound
from rng_service.ledger.tasks import RoundMove
from rng_service.names import parse_pool_id
from rng_service.outcome.primitives import Outcome
from rng_service.records.binding import DrawBinding
from rng_service.vault.binding import read_binding

if TYPE_CHECKING:
    from rng_service.front.catalog import Stream
    from rng_service.front.requests import Play, Streams

_FIELDS = {
    "bet-decided": "wager.bet",
    "round-game": "round_id",
    "round-missing": "round_id",
    "round-session": "session",
    "round-bet": "wager.bet",
    "round-follows": "wager.bet",
    "feature-stake": "wager.stake_minor",
}
_REASONS = {"feature-unawarded": "FEATURE_NOT_AWARDED", "feature-pending": "FEATURE_PENDING"}


class PoolStreams(Protocol):
    """Where the stream of an earlier step is looked up: the catalog."""

    def stream_of(self, pool_id: str, /) -> "Stream":
        """Return the stream that a pool belongs to."""


@dataclass(frozen=True, slots=True)
class OfVersion:
    """The streams of ``streams``, with the version that a round began with for requests that name none."""

    streams: "Streams"
    begun: int

    def stream(self, game: str, _version: int, program: str, play_class: str) -> "Stream":
        """Return the stream of that version."""
        return self.streams.stream(game, self.begun, program, play_class)


def refused(error: PlayError) -> RequestError:
    """Return the answer to a draw that its round does not allow."""
    if error.kind in _REASONS:
        return FailedPrecondition(_REASONS[error.kind], error.message)
    return InvalidArgument((_FIELDS[error.kind], error.message))


def plan_move(
    play: "Play", known: KnownRound | None, read_outcome: Callable[[KnownRound], Outcome], streams: PoolStreams
) -> RoundMove:
    """Return how a draw moves its round on; raises the RequestError that answers one which may not.

    ``read_outcome`` gives the outcome of the round's newest step; it is asked only where that matters, because it may
    take the vault. A step that is not the next is no error yet: it may repeat a request, which the ledger knows.
    """
    binding = play.task.binding
    if not isinstance(binding, DrawBinding):
        raise LedgerError("only a draw is a step of a round")
    if binding.step != (0 if known is None else known.last_step) + 1:
        return RoundMove(binding.round_id, binding.step, None)
    step = _step(play.stream, binding.session, play.bet, binding.stake_minor, binding.currency)
    try:
        if known is None:
            moved = Round().take(step, None)
        else:
            so_far, last = _so_far(known, step, read_outcome, streams)
            moved = so_far.take(step, last)
    except PlayError as error:
        raise refused(error) from None
    return RoundMove(
        round_id=binding.round_id,
        step=binding.step,
        after=0 if known is None else known.record_id,
        stake_minor=moved.stake_minor,
        currency=moved.currency,
        awarded=moved.awarded,
    )


def _so_far(
    known: KnownRound, step: Step, read_outcome: Callable[[KnownRound], Outcome], streams: PoolStreams
) -> tuple[Round, Outcome | None]:
    """Return the round with what its newest step awarded, and the outcome of that as far as it was needed."""
    said = read_binding(known.binding)
    played = parse_pool_id(known.pool_id).stream
    so_far = Round(
        step=known.last_step,
        played=(played.game, played.version, played.play_class),
        session=said.get("session", ""),
        stake_minor=known.stake_minor,
        currency=known.currency,
        awarded=known.awarded,
    )
    stream = streams.stream_of(known.pool_id)
    awards = awards_features(stream.definition.program(stream.program_id))
    if not awards and follows(step.bet) is None:
        return so_far, None
    last = read_outcome(known)
    if awards:
        bet = stream.bet(canonical.encode(said["bet"]).decode("ascii"))[1] if "bet" in said else None
        before = _step(stream, so_far.session, bet, said.get("stake_minor", 0), said.get("currency", ""))
        so_far = so_far.award(before, last)
    return so_far, last


def _step(stream: "Stream", session: str, bet: Bet | None, stake_minor: int, currency: str) -> Step:
    definition = stream.definition
    return Step(
        played=(definition.game, definition.version, stream.play_class),
        session=session,
        program=definition.program(stream.program_id),
        bet=bet,
        stake_minor=stake_minor,
        currency=currency,
    )
