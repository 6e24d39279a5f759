"""What a test says: its P-values, or why it has none."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["SequenceResult", "TestResult", "clipped", "not_applicable"]


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test on one sequence.

    ``p_values`` always has the length that the test's parameters say, so that column i of every sequence is the same
    question. None stands for "could not be asked here", and ``reason`` then says why: it is neither a pass nor a
    failure. ``statistics`` are the numbers that the P-values came from, by name.

    Raises ValueError for what no test may ever say: a P-value that is NaN or outside [0, 1], or a None without reason.
    """

    __test__ = False  # pytest collects classes by this name's beginning

    name: str
    p_values: tuple[float | None, ...]
    reason: str | None = None
    statistics: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for p_value in self.p_values:
            # NaN fails every comparison, so it cannot pass this one.
            if p_value is not None and not 0.0 <= p_value <= 1.0:
                raise ValueError(f"{self.name}: {p_value!r} is no P-value")
        if self.reason is None and None in self.p_values:
            raise ValueError(f"{self.name}: a P-value is missing without a reason")

    @property
    def applicable(self) -> bool:
        """Whether there is at least one P-value."""
        return any(p_value is not None for p_value in self.p_values)

    @property
    def smallest(self) -> float | None:
        """The smallest P-value, if there is one."""
        return min((p_value for p_value in self.p_values if p_value is not None), default=None)

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `stats run --json`: name, p_values (null where not applicable), reason."""
        return {"name": self.name, "p_values": list(self.p_values), "reason": self.reason}


@dataclass(frozen=True, slots=True)
class SequenceResult:
    """Every test on one sequence: ``index`` counts sequences from 0, ``bits`` is how long it is."""

    index: int
    bits: int
    tests: tuple[TestResult, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `stats run --json`."""
        return {"index": self.index, "bits": self.bits, "tests": [test.as_json() for test in self.tests]}


def not_applicable(name: str, count: int, reason: str, statistics: Mapping[str, Any] | None = None) -> TestResult:
    """Return ``count`` times None, and why."""
    return TestResult(name, (None,) * count, reason, statistics or {})


def clipped(p_value: float) -> float:
    """Return ``p_value`` without the last bit of rounding that can push a sum of tails out of [0, 1].

    Raises ValueError for NaN and for what rounding cannot explain.
    """
    if math.isnan(p_value) or not -1e-9 <= p_value <= 1 + 1e-9:
        raise ValueError(f"{p_value!r} is no P-value")
    return min(1.0, max(0.0, p_value))
