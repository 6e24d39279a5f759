"""Rounds of several draws: what each step may be, given the steps before it (PROTOCOL.md, section 7).

A round is a game that one draw does not decide: hi-lo bets on the card that lies on the table, a slot pays free spins.
The service asks here before it binds a step, and the auditor asks again with nothing but the records; both go through
the same three moves: `Round.award` with what the last step's outcome gave, `Round.take` with the next step's program,
bet and stake, and again. Everything is a value; nothing here knows of a ledger.

The kinds of PlayError are ``round-game``, ``round-session``, ``round-missing``, ``round-bet``, ``round-follows``,
``feature-unawarded``, ``feature-pending`` and ``feature-stake``, and ``bet-decided`` of `rng_service.games.placing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from rng_service.games.definition import GameProgram
from rng_service.games.models.base import AwardingBet, AwardingModel, Bet
from rng_service.games.placing import PlayError, check_drawn_with, follows
from rng_service.outcome.primitives import Outcome

MAX_STEP: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Step:
    """A draw as its round sees it.

    ``played`` is (game, version, play class); ``bet`` is None unless the draw has a stake and a bet of its own, and a
    draw without a wager has the stake 0 and the currency "".
    """

    played: tuple[str, int, str]
    session: str
    program: GameProgram
    bet: Bet | None
    stake_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Round:
    """A round between two steps.

    ``played`` and ``session`` are those of all its steps. ``stake_minor`` and ``currency`` are those of the newest
    step that was paid for; ``awarded`` counts the draws of feature programs that were given and not made yet, and has
    no zeros.
    """

    step: int = 0
    played: tuple[str, int, str] = ("", 0, "")
    session: str = ""
    stake_minor: int = 0
    currency: str = ""
    awarded: Mapping[str, int] = field(default_factory=dict)

    def award(self, step: Step, outcome: Outcome) -> "Round":
        """Return the round with what ``outcome`` gives, that of ``step``, its newest."""
        bet: object = step.bet
        if not awards_features(step.program) or not isinstance(bet, AwardingBet):
            return self
        awarded = dict(self.awarded)
        for name, draws in bet.awards(outcome).items():
            if draws > 0:
                awarded[name] = awarded.get(name, 0) + draws
        return replace(self, awarded=awarded)

    def take(self, step: Step, last: Outcome | None) -> "Round":
        """Return the round behind ``step``, its next, before the outcome of that is known.

        ``last`` is the outcome of the step before, None when this is the first. Raises PlayError.
        """
        if self.step:
            self._check_same(step)
        _check_bet(step)
        _check_follows(step.bet, last)
        if step.program.feature:
            awarded = self._use_award(step)
            return replace(self, step=self.step + 1, awarded=awarded)
        if self.awarded:
            # An awarded draw has the stake of the step that gave it: another paid step would leave open which that is.
            waiting = ", ".join(f"{draws} of {name}" for name, draws in sorted(self.awarded.items()))
            raise PlayError("feature-pending", f"awarded draws come first: {waiting}")
        return Round(self.step + 1, step.played, step.session, step.stake_minor, step.currency)

    def _check_same(self, step: Step) -> None:
        if step.played != self.played:
            found, expected = ("/".join(map(str, played)) for played in (step.played, self.played))
            raise PlayError("round-game", f"the round is of {expected}, step {self.step + 1} of {found}")
        if step.session != self.session:
            raise PlayError(
                "round-session",
                f"the round is of session {self.session!r}, step {self.step + 1} of {step.session!r}",
            )

    def _use_award(self, step: Step) -> dict[str, int]:
        name = step.program.program_id
        left = self.awarded.get(name, 0)
        if not left:
            raise PlayError("feature-unawarded", f"no awarded draw of {name} is left in the round")
        if (step.stake_minor, step.currency) != (self.stake_minor, self.currency):
            raise PlayError(
                "feature-stake",
                f"{name} was awarded by a stake of {self.stake_minor} {self.currency}, "
                f"its draw states {step.stake_minor} {step.currency}",
            )
        return {other: draws - (other == name) for other, draws in self.awarded.items() if other != name or left > 1}


def check_alone(program: GameProgram, bet: Bet | None) -> None:
    """Check that a draw may stand outside any round; raises PlayError."""
    check_drawn_with(bet)
    if program.feature:
        raise PlayError("feature-unawarded", f"{program.program_id} is only drawn in a round that awarded it")
    if awards_features(program):
        raise PlayError("round-missing", f"{program.program_id} may award draws, which takes a round to make them in")
    if follows(bet) is not None:
        raise PlayError("round-follows", "the bet follows the last step of a round, and the draw is in none")


def awards_features(program: GameProgram) -> bool:
    """Return whether a draw of ``program`` may award draws of feature programs."""
    return isinstance(program.model, AwardingModel) and bool(program.model.feature_programs)


def _check_bet(step: Step) -> None:
    check_drawn_with(step.bet)
    if step.bet is None and (step.program.feature or awards_features(step.program)):
        # What a bet that is told later awards, nobody could say when the next step is drawn.
        raise PlayError("round-bet", f"a draw of {step.program.program_id} has a stake and a bet of its own")


def _check_follows(bet: Bet | None, last: Outcome | None) -> None:
    followed = follows(bet)
    if followed is not None and (last is None or tuple(followed) != tuple(last)):
        seen = "there is none" if last is None else f"it had {_shown(last)}"
        raise PlayError("round-follows", f"the bet follows {_shown(followed)} in the step before; {seen}")


def _shown(outcome: Outcome) -> str:
    text = " ".join(map(str, outcome[:20]))
    return text if len(outcome) <= 20 else f"{text} … ({len(outcome)} values)"
