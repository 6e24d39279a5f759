"""Outcomes for `sealdraw stats run`: which game they are of, what of it is read, and what lies beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from anchor.errors import MalformedError
from rng_service.games import GameDefinition, GameError, load_game
from rng_service.statistics.examination import Watch
from rng_service.statistics.outcome_tests import SEQUENCE_OUTCOMES, Beside, OutcomeExamination
from rng_service.statistics.outcomes import OutcomeReader, RecordedOutcomes, Wanted
from rng_service.statistics.shapes import shape_of
from rng_service.statistics.taps import TappedStream
from stats_tests.gaming import OutcomeShape

__all__ = ["Gaming", "open_outcomes"]


@dataclass(frozen=True, slots=True)
class Gaming:
    """Outcomes under test: ``head`` are the members of the JSON that say which, ``facts`` the lines of a report."""

    examination: OutcomeExamination
    head: dict[str, Any]
    facts: list[tuple[str, str]]

    def notes(self) -> list[str]:
        """Return what has to be said about what was not read."""
        recorded = self.examination.recorded
        if recorded is None or not recorded.more:
            return []
        return [f"only the first {len(recorded.rows):,} outcomes were looked at; the input goes on"]


def open_outcomes(
    stream: TappedStream,
    *,
    name: str,
    game: Path | None,
    program: str,
    beside: Sequence[str],
    most: int | None,
    sequence_outcomes: int | None,
    watch: Watch,
) -> Gaming:
    """Return the outcomes in ``stream`` under test, as the program's steps say they are distributed.

    Raises MalformedError for a definition that cannot be read or has no such program, ConfigError for a finite deal.
    """
    if game is None:
        raise click.UsageError("the battery gaming needs --game FILE, the definition of the game")
    definition, wanted, shape = _program(game, program)
    others = [_named(text) for text in beside]
    reader = OutcomeReader(stream, name=name, wanted=wanted, beside=[other for other, _ in others])
    examination = OutcomeExamination(
        _AtMost(reader, most, watch),
        shape,
        sequence_outcomes=sequence_outcomes or SEQUENCE_OUTCOMES,
        beside=[Beside(f"{other.game}, program {other.program}", outcomes) for other, outcomes in others],
        watch=watch,
    )
    facts = [
        ("game", f"{wanted.game} version {wanted.version}"),
        ("definition, SHA-256", definition.digest.hex()),
        ("program", wanted.program),
        *(("beside", str(other)) for other, _ in others),
    ]
    return Gaming(examination, {"game": wanted.game, "version": wanted.version, "program": wanted.program}, facts)


class _AtMost:
    """The outcomes of ``reader``, but never more than ``most`` of them, with somebody who looks on."""

    def __init__(self, reader: OutcomeReader, most: int | None, watch: Watch) -> None:
        self._reader = reader
        self._most = most
        self._watch = watch

    def up_to(self, count: int | None) -> RecordedOutcomes:
        wanted = self._most if count is None else count
        return self._reader.up_to(wanted, lambda done: self._watch.progress("outcomes", done, wanted or 0))

    def beside(self) -> list[RecordedOutcomes]:
        return self._reader.beside()


def _named(text: str) -> tuple[Wanted, OutcomeShape]:
    """Return what ``FILE`` or ``FILE:PROGRAM`` names."""
    file, colon, program = text.rpartition(":")
    if not colon or Path(text).exists():
        file, program = text, "base"
    _, wanted, shape = _program(Path(file), program)
    return wanted, shape


def _program(game: Path, program: str) -> tuple[GameDefinition, Wanted, OutcomeShape]:
    try:
        definition = load_game(game)
        steps = definition.program(program).outcome
    except GameError as error:
        raise MalformedError(f"{game}: {error}") from None
    wanted = Wanted(definition.game, definition.version, program, steps.width)
    return definition, wanted, shape_of(steps.steps)
