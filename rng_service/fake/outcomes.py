"""Outcomes as a test wants them: a queue for each program, and the way they get in where real ones are derived."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from rng_service.games import GameDefinition
from rng_service.outcome import (
    Deal,
    DrawKeyDeriver,
    Lookup,
    OutcomeStream,
    Program,
    Reels,
    Sample,
    Shuffle,
    Step,
    Uniform,
    Weighted,
)
from rng_service.outcome.primitives import Outcome


class ForcedStream(OutcomeStream):
    """Stands for the byte stream of a slot whose outcome is fixed."""

    __slots__ = ("values",)

    def __init__(self, values: Outcome) -> None:
        super().__init__(bytes(32))
        self.values = values


class ForcedDeriver(DrawKeyDeriver):
    """Derives as the real service does, except for slots that were given an outcome in ``forced``."""

    __slots__ = ("forced",)

    def __init__(self, commit_hash: bytes, program_id: str) -> None:
        super().__init__(commit_hash, b"", program_id)
        self.forced: dict[int, Outcome] = {}

    def outcome_stream(self, secret: bytes, slot: int, client_seed: bytes) -> OutcomeStream:
        """Return the slot's stream, or what stands for it."""
        values = self.forced.get(slot)
        return super().outcome_stream(secret, slot, client_seed) if values is None else ForcedStream(values)


def forcible(program: Program) -> Program:
    """Return ``program`` so that it yields the values of a `ForcedStream`."""

    def derive(stream: OutcomeStream) -> Outcome:
        return stream.values if isinstance(stream, ForcedStream) else program.derive(stream)

    return replace(program, derive=derive)


class ForcedOutcomes:
    """The outcomes that the next draws get, first in first out, for each game and program."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], deque[Outcome]] = {}

    def add(self, game: GameDefinition, program_id: str, outcomes: Sequence[Sequence[int]]) -> None:
        """Queue outcomes; raises ValueError for one that the program could never yield, GameError without program."""
        program = game.program(program_id).outcome
        checked = [_possible(program, tuple(outcome)) for outcome in outcomes]
        self._waiting.setdefault((game.game, program_id), deque()).extend(checked)

    def take(self, game: str, program_id: str) -> Outcome | None:
        """Return the outcome that the next slot gets, None when it is left to the seed."""
        waiting = self._waiting.get((game, program_id))
        return waiting.popleft() if waiting else None


def _possible(program: Program, outcome: Outcome) -> Outcome:
    if len(outcome) != program.width:
        raise ValueError(f"an outcome has {program.width} integers here, found {len(outcome)}")
    position = 0
    for step in program.steps:
        values = outcome[position : position + step.width]
        if not _yields(step, values):
            raise ValueError(f"{type(step).__name__.lower()} cannot yield {list(values)[:20]}")
        position += step.width
    return outcome


def _yields(step: Step, values: Outcome) -> bool:
    match step:
        case Deal(counts):
            return all(0 <= value < len(counts) for value in values)
        case Lookup(table):
            return all(0 <= value < table.rows and table.weight(value) > 0 for value in values)
        case Reels(strips):
            return all(0 <= value < len(strip) for value, strip in zip(values, strips, strict=True))
        case Sample(n) | Shuffle(n):
            return len(set(values)) == len(values) and all(0 <= value < n for value in values)
        case Uniform(n):
            return all(0 <= value < n for value in values)
        case Weighted(weights):
            return all(0 <= value < len(weights) for value in values)
