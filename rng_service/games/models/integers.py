"""Settlement model "integers": integers for the caller's own use, and nothing to bet on.

A uniform with a count gives independent integers, a sample or shuffle gives different ones; value v stands for
v + ``first_number``. A raffle, a test plan or a jury is drawn like this: the receipt proves the integers, and what
they mean is the caller's affair.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from anchor.canonical import MAX_INTEGER
from rng_service.games.errors import BetError
from rng_service.games.models.base import Bet, BetFields, ModelKind, Priced
from rng_service.games.reading import Node
from rng_service.outcome import Sample, Shuffle, Step, Uniform
from rng_service.outcome.primitives import Outcome


@dataclass(frozen=True, slots=True)
class IntegersModel:
    """The integer that the drawn value 0 stands for."""

    first_number: int

    def integers(self, outcome: Outcome) -> tuple[int, ...]:
        """Return the integers that an outcome stands for, in the order drawn."""
        return tuple(value + self.first_number for value in outcome)

    def resolve(self, bet: BetFields) -> Bet:
        """Refuse every bet."""
        del bet
        raise BetError("$", "this program takes no bets: its outcomes are integers for the caller's own use")

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """Return nothing."""
        return []


def read_integers(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> IntegersModel:
    """Read ``{"model": "integers", "first_number": 1}``."""
    first = settlement.fields(("model", "first_number"))["first_number"].integer(-MAX_INTEGER, MAX_INTEGER)
    if len(steps) != 1 or not isinstance(steps[0], Uniform | Sample | Shuffle):
        steps_node.fail("this settlement model needs exactly one step, a uniform, a sample or a shuffle")
    return IntegersModel(first)


MODEL = ModelKind(
    "integers",
    read_integers,
    {
        "required": ["first_number"],
        "properties": {"first_number": {"type": "integer", "minimum": -MAX_INTEGER, "maximum": MAX_INTEGER}},
    },
)
