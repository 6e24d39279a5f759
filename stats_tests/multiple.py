"""Many P-values, one verdict.

A report of 188 P-values on a perfect source nearly always contains some below 0.01. So a verdict rests on all of them
together: Holm's procedure keeps the chance of any false alarm below a bound that is stated before, whatever the
dependence between the tests. The false-discovery views (Benjamini-Hochberg, Benjamini-Yekutieli) say which tests are
worth looking at once something is wrong; no verdict rests on them.

Looking again until it passes is what `SequentialTest` rules out: the looks and what each may spend of the error rate
are written down before the first bit, all data stay in, and nothing can be looked at once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from stats_tests.errors import StatsError

__all__ = [
    "DEFAULT_PLAN",
    "THRESHOLDS",
    "Decision",
    "Hypothesis",
    "Look",
    "SequentialPlan",
    "SequentialTest",
    "Thresholds",
    "Verdict",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "decide",
    "holm",
]

_DISCOVERY_RATE: Final = 0.05


class Verdict(StrEnum):
    """PASS; SUSPICIOUS: more data must be looked at, by a plan that stood before; FAIL."""

    PASS = "pass"  # noqa: S105 - not a password
    SUSPICIOUS = "suspicious"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One question asked of the data: ``label`` names it in reports, ``p_value`` answers it."""

    label: str
    p_value: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.p_value <= 1.0:
            raise ValueError(f"{self.label}: {self.p_value!r} is no P-value")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds for the smallest adjusted P-value: below ``fail`` it fails, below ``suspicious`` it is suspicious.

    Both are family-wise: a perfect source is called suspicious at most once in 1 / ``suspicious`` reports, whatever
    the number of tests. 0.01 is the collective 99 % of GLI-19; 1e-4 is where chance stops being an answer.
    """

    suspicious: float = 0.01
    fail: float = 1e-4

    def __post_init__(self) -> None:
        if not 0.0 < self.fail <= self.suspicious < 1.0:
            raise ValueError("expected 0 < fail ≤ suspicious < 1")


THRESHOLDS: Final = Thresholds()


@dataclass(frozen=True, slots=True)
class Decision:
    """What all P-values together say.

    ``smallest`` is the smallest one after Holm's correction, None when there was none to correct. ``rejected`` are the
    labels whose corrected P-value is below the suspicious threshold, the most extreme first; ``discoveries`` those
    with a false-discovery rate below 5 % (Benjamini-Yekutieli, under any dependence), ``candidates`` the same after
    Benjamini-Hochberg.
    """

    verdict: Verdict
    hypotheses: int
    smallest: float | None
    thresholds: Thresholds
    rejected: tuple[str, ...]
    candidates: tuple[str, ...]
    discoveries: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the decision as reports print it."""
        return {
            "rule": "Holm, family-wise",
            "suspicious_below": self.thresholds.suspicious,
            "fail_below": self.thresholds.fail,
            "hypotheses": self.hypotheses,
            "smallest_adjusted_p": self.smallest,
            "rejected": list(self.rejected),
            "false_discovery": {
                "rate": _DISCOVERY_RATE,
                "benjamini_hochberg": list(self.candidates),
                "benjamini_yekutieli": list(self.discoveries),
            },
        }


def decide(hypotheses: Sequence[Hypothesis], thresholds: Thresholds = THRESHOLDS) -> Decision:
    """Return the verdict on ``hypotheses``. Raises StatsError when there are none: nothing tested is no pass."""
    if not hypotheses:
        raise StatsError("no test was applicable, so there is nothing to decide on: bring longer sequences")
    p_values = [hypothesis.p_value for hypothesis in hypotheses]
    adjusted = holm(p_values)
    smallest = min(adjusted)
    if smallest < thresholds.fail:
        verdict = Verdict.FAIL
    elif smallest < thresholds.suspicious:
        verdict = Verdict.SUSPICIOUS
    else:
        verdict = Verdict.PASS

    def below(values: Sequence[float], bound: float) -> tuple[str, ...]:
        ordered = sorted(range(len(values)), key=lambda place: (values[place], p_values[place]))
        return tuple(hypotheses[place].label for place in ordered if values[place] < bound)

    return Decision(
        verdict,
        len(hypotheses),
        smallest,
        thresholds,
        below(adjusted, thresholds.suspicious),
        below(benjamini_hochberg(p_values), _DISCOVERY_RATE),
        below(benjamini_yekutieli(p_values), _DISCOVERY_RATE),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the P-values adjusted by Holm's step-down procedure (1979), in the order given.

    The i-th smallest of m is multiplied by m - i + 1, and is no smaller than the one before it.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(_ascending(p_values)):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = highest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return the false-discovery-rate adjusted P-values (1995), for independent or positively dependent tests."""
    return _step_up(p_values, 1.0)


def benjamini_yekutieli(p_values: Sequence[float]) -> list[float]:
    """Return the false-discovery-rate adjusted P-values under any dependence (2001)."""
    return _step_up(p_values, sum(1.0 / rank for rank in range(1, len(p_values) + 1)))


def _step_up(p_values: Sequence[float], factor: float) -> list[float]:
    adjusted = [0.0] * len(p_values)
    lowest = 1.0
    for rank, place in reversed(list(enumerate(_ascending(p_values), start=1))):
        lowest = min(lowest, p_values[place] * len(p_values) * factor / rank)
        adjusted[place] = lowest
    return adjusted


def _ascending(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=p_values.__getitem__)


@dataclass(frozen=True, slots=True)
class Look:
    """One look of a plan: at the first ``sequences`` sequences of all, spending ``fail`` of the error rate."""

    sequences: int
    fail: float


@dataclass(frozen=True, slots=True)
class SequentialPlan:
    """When to look, and what each look may spend: fixed, and its digest published, before the first bit is made.

    Each look is at all data since the beginning. A look that is suspicious leads to the next one; a look that passes
    or fails ends the test. The chance that a perfect source fails at any look is at most the sum of what the looks
    spend, under any dependence between them (Bonferroni; Lan and DeMets call it alpha spending).
    """

    looks: tuple[Look, ...]
    suspicious: float = THRESHOLDS.suspicious

    def __post_init__(self) -> None:
        sizes = [look.sequences for look in self.looks]
        if not sizes or sizes[0] < 1 or sizes != sorted(set(sizes)):
            raise ValueError("each look is at more sequences than the one before")
        for look in self.looks:
            Thresholds(self.suspicious, look.fail)

    @property
    def error_rate(self) -> float:
        """An upper bound for the chance that a perfect source fails."""
        return sum(look.fail for look in self.looks)

    def as_json(self) -> dict[str, Any]:
        """Return the plan in the form whose digest is published."""
        return {
            "suspicious_below": repr(self.suspicious),
            "looks": [{"sequences": look.sequences, "fail_below": repr(look.fail)} for look in self.looks],
        }


DEFAULT_PLAN: Final = SequentialPlan((Look(100, 5e-5), Look(200, 2.5e-5), Look(400, 1.25e-5), Look(800, 1.25e-5)))


@dataclass(slots=True)
class SequentialTest:
    """A plan being carried out: `observe` once for each look, in order, until the verdict is final."""

    plan: SequentialPlan
    decisions: list[Decision] = field(default_factory=list)

    @property
    def next_look(self) -> Look | None:
        """The look that is due, or None when the verdict is final.

        After the last look a suspicious verdict stays what it is: a person has to look, and no further data count.
        """
        done = len(self.decisions)
        if done == len(self.plan.looks) or (done and self.decisions[-1].verdict is not Verdict.SUSPICIOUS):
            return None
        return self.plan.looks[done]

    @property
    def verdict(self) -> Verdict:
        """The verdict so far; SUSPICIOUS before the first look, since nothing speaks for the source yet."""
        return self.decisions[-1].verdict if self.decisions else Verdict.SUSPICIOUS

    def observe(self, hypotheses: Sequence[Hypothesis], *, sequences: int) -> Decision:
        """Take the look that is due: ``hypotheses`` are about the first ``sequences`` sequences of all.

        Raises StatsError when no look is due, or another number of sequences than the plan says: a plan that is not
        followed says nothing.
        """
        look = self.next_look
        if look is None:
            raise StatsError(f"the verdict is final ({self.verdict}): the plan has no further look")
        if sequences != look.sequences:
            raise StatsError(f"the plan looks at {look.sequences} sequences now, not at {sequences}")
        decision = decide(hypotheses, Thresholds(self.plan.suspicious, look.fail))
        self.decisions.append(decision)
        return decision
