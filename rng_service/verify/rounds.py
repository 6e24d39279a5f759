"""Rounds of an export: every step once and in order, each bet after what it says it follows, features as awarded.

The rules of the steps are those of the service (`rng_service.games.rounds`), asked again with what the records open to.
"""

from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

from anchor.errors import VerificationError
from rng_service.games.placing import PlayError, follows
from rng_service.games.rounds import Round, Step, check_alone
from rng_service.names import Stream
from rng_service.outcome.primitives import Outcome
from rng_service.verify.evaluation import PoolEvaluator
from rng_service.verify.fault import require


@dataclass(frozen=True, slots=True)
class SeenStep:
    """One step of a round: the draw as its round sees it, and what it opened to; ``key`` is (caller, round)."""

    key: tuple[str, str]
    number: int
    step: Step
    outcome: Outcome
    bind_us: int


@dataclass(slots=True)
class _Followed:
    # The round behind its newest step, with what the outcome of that awarded.
    round: Round
    last: Outcome | None
    # Whether all that was awarded is known: from the first step on, or from the first that was paid for.
    whole: bool
    # The step that was seen first, which need not be the round's first, and those before it that were seen late.
    first: int
    before: set[int] = field(default_factory=set)
    # Steps that came before the one in front of them: a record may join a later digest than its successor.
    ahead: dict[int, SeenStep] = field(default_factory=dict)


class Rounds:
    """Follows every round; remembers of each where it stands and its newest outcome.

    ``from_start`` says that the records begin with the log, so that every round begins with its first step.
    """

    def __init__(self, *, from_start: bool) -> None:
        self._from_start = from_start
        self._rounds: dict[tuple[str, str], _Followed] = {}

    def __len__(self) -> int:
        return len(self._rounds)

    @property
    def open(self) -> int:
        """How many rounds have awarded draws that were not made yet."""
        return sum(1 for found in self._rounds.values() if found.round.awarded)

    @property
    def unseen(self) -> int:
        """How many rounds began before the export, so that nobody can tell here which features they were awarded."""
        return sum(1 for found in self._rounds.values() if not found.whole)

    def take(self, seen: list[SeenStep]) -> None:
        """Take the steps of one digest's records.

        Raises VerificationError ``round-repeated``, and under the kinds of `PlayError` what the rules forbid.
        """
        for item in sorted(seen, key=attrgetter("key", "number")):
            found = self._rounds.get(item.key)
            if found is None:
                found = self._rounds[item.key] = self._begin(item)
            expected = found.round.step + 1
            if item.number == expected:
                self._follow(found, item)
                while (following := found.ahead.pop(found.round.step + 1, None)) is not None:
                    self._follow(found, following)
            elif item.number > expected and item.number not in found.ahead:
                found.ahead[item.number] = item
            else:
                # Where the beginning is out of sight, one that lies before what was seen first may come late, once.
                late = item.number < found.first and item.number not in found.before
                require(late, "round-repeated", f"{_name(item)} was drawn twice")
                found.before.add(item.number)

    def finish(self, newest_us: int, merge_delay_us: int) -> int:
        """Return in how many rounds a step may still come; raises VerificationError ``round-gap`` for one too late."""
        late = 0
        for found in self._rounds.values():
            if not found.ahead:
                continue
            late += 1
            item = found.ahead[min(found.ahead)]
            # What is missing was bound before the step behind it.
            require(
                newest_us <= item.bind_us + merge_delay_us,
                "round-gap",
                f"{_name(item)} was drawn, and step {found.round.step + 1} is missing",
            )
        return late

    def _begin(self, item: SeenStep) -> _Followed:
        if self._from_start or item.number == 1:
            return _Followed(Round(), None, whole=True, first=1)
        before = Round(item.number - 1, item.step.played, item.step.session)
        if item.step.program.feature:
            # Its own stake and at least itself were awarded; believed, because nobody can tell.
            before = replace(before, stake_minor=item.step.stake_minor, currency=item.step.currency)
        return _Followed(before, None, whole=False, first=item.number)

    def _follow(self, found: _Followed, item: SeenStep) -> None:
        step, before, last = item.step, found.round, found.last
        if last is None and before.step:
            # The step before is out of sight: what the bet says about it is believed.
            last = follows(step.bet)
        if not found.whole:
            # Before a step that is paid for nothing is left awarded, so from there on everything is known.
            left = {step.program.program_id: 1} if step.program.feature else {}
            before, found.whole = replace(before, awarded=left), not step.program.feature
        try:
            found.round = before.take(step, last).award(step, item.outcome)
        except PlayError as error:
            raise VerificationError(error.kind, f"{_name(item)}: {error.message}") from None
        found.last = item.outcome


def step_of(stream: Stream, evaluator: PoolEvaluator, binding: dict[str, Any]) -> Step:
    """Return the draw of a binding as its round sees it; ``stream`` and ``evaluator`` are those of its pool."""
    staked = "bet" in binding and "stake_minor" in binding
    return Step(
        played=(stream.game, stream.version, stream.play_class),
        session=binding.get("session", ""),
        program=evaluator.program,
        bet=evaluator.resolve(binding["bet"]) if staked else None,
        stake_minor=binding.get("stake_minor", 0),
        currency=binding.get("currency", ""),
    )


def require_alone(step: Step, name: str) -> None:
    """Check that the draw called ``name`` may be in no round; raises VerificationError."""
    try:
        check_alone(step.program, step.bet)
    except PlayError as error:
        raise VerificationError(error.kind, f"{name}: {error.message}") from None


def _name(item: SeenStep) -> str:
    return f"step {item.number} of round {item.key[1]} of {item.key[0]}"
