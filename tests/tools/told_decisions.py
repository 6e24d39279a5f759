"""Decisions to settle in the game vectors, where a bet tells what was decided in sight of the outcome."""

from collections.abc import Callable, Iterator
from typing import Any

from rng_service.games import BetError, GameProgram
from rng_service.outcome.primitives import Outcome

SLOTS = 24
# What is tried at every decision, the first that the deal allows.
_BLACKJACK = (("stand",), ("hit", "stand"), ("insurance", "split", "double", "stand"))


def told(program: GameProgram, outcomes: list[Outcome]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (slot, bet) for the first slots; nothing for a game without decisions."""
    decide = _DECISIONS.get(program.model_name)
    if decide is not None:
        for slot, outcome in enumerate(outcomes[:SLOTS]):
            for bet in decide(program, outcome):
                yield slot, bet


def _mines(program: GameProgram, outcome: Outcome) -> Iterator[dict[str, Any]]:
    """Open tiles from 24 down to the first mine or to 21, and stop one before."""
    picks = list(range(24, max(*outcome, 21) - 1, -1))
    yield {"bet": "mines", "picks": picks}
    if len(picks) > 1:
        yield {"bet": "mines", "picks": picks[:-1]}


def _video_poker(program: GameProgram, outcome: Outcome) -> Iterator[dict[str, Any]]:
    """Hold nothing, everything, the cards of a rank that comes twice, and those of the first card's suit."""
    ranks, suits = [card % 13 for card in outcome[:5]], [card // 13 for card in outcome[:5]]
    paired = tuple(place for place in range(5) if ranks.count(ranks[place]) > 1)
    suited = tuple(place for place in range(5) if suits[place] == suits[0])
    for holds in dict.fromkeys([(), (0, 1, 2, 3, 4), paired, suited]):
        yield {"bet": "hand", "holds": list(holds)}


def _blackjack(program: GameProgram, outcome: Outcome) -> Iterator[dict[str, Any]]:
    for preferred in _BLACKJACK:
        yield {"bet": "hand", "actions": _played(program, outcome, preferred)}


def _played(program: GameProgram, outcome: Outcome, preferred: tuple[str, ...]) -> list[str]:
    actions: list[str] = []
    untried: list[str] = []
    while True:
        try:
            program.model.resolve({"bet": "hand", "actions": actions}).multiplier(outcome)
        except BetError as error:
            if error.path == "$.actions":
                untried = list(preferred)
            else:
                actions.pop()
            actions.append(untried.pop(0))
        else:
            return actions


_DECISIONS: dict[str, Callable[[GameProgram, Outcome], Iterator[dict[str, Any]]]] = {
    "mines": _mines,
    "video-poker": _video_poker,
    "blackjack": _blackjack,
}
