"""What `sealdraw stats run` prints: a table for people, or JSON that is written while the tests run."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import click

from rng_service.cli.output import print_table

if TYPE_CHECKING:
    from stats_tests.multiple import Decision
    from stats_tests.results import SequenceResult
    from stats_tests.second_level import Column

__all__ = ["JsonReport", "Report", "TextReport"]


class Report(Protocol):
    """Hears of a run as it goes on."""

    def begin(self, battery: str, mode: str, bits: int) -> None:
        """Hear that the first sequence of ``bits`` bits is being tested."""

    def add(self, result: "SequenceResult") -> None:
        """Hear the results of the next sequence."""

    def end(self, columns: "Sequence[Column]", decision: "Decision", notes: Sequence[str]) -> None:
        """Hear what all sequences say together."""


class JsonReport:
    """One JSON object; sequences are printed as they come, so that a long run needs no memory for them."""

    def __init__(self) -> None:
        self._printed = 0

    def begin(self, battery: str, mode: str, bits: int) -> None:
        """Print the head of the object."""
        head = json.dumps({"battery": battery, "mode": mode, "bits": bits})
        click.echo(f'{head[:-1]}, "sequences": [', nl=False)

    def add(self, result: "SequenceResult") -> None:
        """Print one sequence."""
        click.echo(f"{',' if self._printed else ''}\n{json.dumps(result.as_json())}", nl=False)
        self._printed += 1

    def end(self, columns: "Sequence[Column]", decision: "Decision", notes: Sequence[str]) -> None:
        """Print the rest of the object."""
        rest: dict[str, Any] = {
            "second_level": [column.as_json() for column in columns],
            "verdict": str(decision.verdict),
            "decision": decision.as_json(),
            "notes": list(notes),
        }
        click.echo(f"\n], {json.dumps(rest)[1:]}")


class TextReport:
    """A line for each test, why tests were skipped, and the verdict."""

    def __init__(self) -> None:
        self._title = ""
        self._sequences = 0
        self._skipped: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}

    def begin(self, battery: str, mode: str, bits: int) -> None:
        """Keep what the title says."""
        self._title = f"battery {battery}, mode {mode}, {bits:,} bits a sequence"

    def add(self, result: "SequenceResult") -> None:
        """Count what was skipped, and keep one reason for each test."""
        self._sequences += 1
        for test in result.tests:
            if test.reason is not None:
                self._skipped[test.name] += 1
                self._reasons.setdefault(test.name, test.reason)

    def end(self, columns: "Sequence[Column]", decision: "Decision", notes: Sequence[str]) -> None:
        """Print everything."""
        click.echo(f"{self._sequences:,} sequences, {self._title}\n")
        header = ("test", "sequences", "P-values", "below 0.01", "smallest", "least uniform", "NIST would flag")
        print_table(header, [self._row(name, columns) for name in dict.fromkeys(column.test for column in columns)])
        click.echo()
        for name, count in self._skipped.items():
            click.echo(f"{name}: not applicable to {count:,} of {self._sequences:,}: {self._reasons[name]}")
        flagged = sum(bool(column.nist_flags) for column in columns)
        if flagged:
            click.echo(
                f"NIST's report would flag {flagged} of {len(columns)} lines. By the text's rules a hundred perfect"
                " sequences have 3 to 4 such lines of 188: by itself it says nothing."
            )
        for note in notes:
            click.echo(f"note: {note}")
        click.echo(
            f"verdict: {decision.verdict}  ({decision.hypotheses:,} P-values taken together: smallest after Holm"
            f" {_short(decision.smallest)}; suspicious below {decision.thresholds.suspicious:g},"
            f" fail below {decision.thresholds.fail:g})"
        )
        for label in decision.rejected[:10]:
            click.echo(f"  {label}")

    @staticmethod
    def _row(name: str, columns: "Sequence[Column]") -> tuple[str, ...]:
        own = [column for column in columns if column.test == name]
        return (
            name,
            f"{sum(column.sequences for column in own if column.index == 0):,}",
            f"{sum(column.sequences for column in own):,}",
            f"{sum(column.sequences - column.passed for column in own):,}",
            _short(min((column.smallest for column in own if column.smallest is not None), default=None)),
            _short(min((column.uniformity_p for column in own if column.uniformity_p is not None), default=None)),
            f"{sum(bool(column.nist_flags) for column in own)} of {len(own)}",
        )


def _short(p_value: float | None) -> str:
    return "-" if p_value is None else f"{p_value:.3g}"
