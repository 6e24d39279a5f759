"""Looks at data that were planned before, or the one look at everything there is, and the verdict they lead to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rng_service.statistics.examination import Examination
from rng_service.statistics.plans import StatisticsPlan
from rng_service.statistics.report import INTERRUPTED, LookTaken
from stats_tests.multiple import (
    Decision,
    Hypothesis,
    Look,
    SequentialPlan,
    SequentialTest,
    Thresholds,
    Verdict,
    decide,
)

__all__ = ["Conclusion", "look_by_plan", "look_once"]


@dataclass(slots=True)
class Conclusion:
    """What looking led to.

    ``looks`` are those that count, ``hypotheses`` and ``decision`` are about everything tested; there is no decision
    when nothing was. ``shortfall`` says in a sentence what the data did not last for. ``interrupted``: somebody stopped
    it, and a report's verdict is that.
    """

    verdict: Verdict = Verdict.SUSPICIOUS
    looks: list[LookTaken] = field(default_factory=list)
    hypotheses: list[Hypothesis] = field(default_factory=list)
    decision: Decision | None = None
    shortfall: str | None = None
    interrupted: bool = False

    @property
    def reported(self) -> str:
        """The verdict as a report states it."""
        return INTERRUPTED if self.interrupted else str(self.verdict)


def look_once(examinations: Sequence[Examination], sequences: int | None = None) -> Conclusion:
    """Test ``sequences`` sequences, or all there are, and decide once; all examinations are one family of questions.

    Whatever there is when KeyboardInterrupt comes is decided on, and marked. Raises StatsError when no question is
    applicable.
    """
    conclusion = Conclusion()
    found = _extend(examinations, sequences, conclusion)
    _decide(examinations, Thresholds(), conclusion)
    if conclusion.decision is not None:
        conclusion.verdict = conclusion.decision.verdict
        if not conclusion.interrupted:
            conclusion.looks.append(LookTaken(found, conclusion.decision))
    if sequences is not None and found < sequences and not conclusion.interrupted:
        conclusion.shortfall = (
            f"the input ended after {found:,} of {sequences:,} sequences; the verdict is about these alone"
        )
    return conclusion


def look_by_plan(examinations: Sequence[Examination], plan: StatisticsPlan) -> Conclusion:
    """Carry out ``plan``: a suspicious look is followed by the next one, at more data, as long as there are any.

    A look that the data do not last for is not taken: what is suspicious then stays so. Raises StatsError when no
    question is applicable.
    """
    conclusion = Conclusion()
    looks = tuple(Look(look.sequences, float(look.spend)) for look in plan.looks)
    test = SequentialTest(SequentialPlan(looks, float(plan.suspicious)))
    while (look := test.next_look) is not None:
        found = _extend(examinations, look.sequences, conclusion)
        if conclusion.interrupted or found < look.sequences:
            _decide(examinations, Thresholds(float(plan.suspicious), look.fail), conclusion)
            if not conclusion.interrupted:
                conclusion.shortfall = _ended(found, look, conclusion.looks)
            return conclusion
        conclusion.hypotheses = _family(examinations)
        conclusion.decision = test.observe(conclusion.hypotheses, sequences=found)
        conclusion.verdict = test.verdict
        conclusion.looks.append(LookTaken(found, conclusion.decision))
    return conclusion


def _extend(examinations: Sequence[Examination], sequences: int | None, conclusion: Conclusion) -> int:
    try:
        return min(examination.extend(sequences) for examination in examinations)
    except KeyboardInterrupt:
        conclusion.interrupted = True
        return min(examination.sequences for examination in examinations)


def _decide(examinations: Sequence[Examination], thresholds: Thresholds, conclusion: Conclusion) -> None:
    """Decide on what there is; an interrupted run may have nothing to decide on, any other must."""
    conclusion.hypotheses = _family(examinations)
    if conclusion.hypotheses or not conclusion.interrupted:
        conclusion.decision = decide(conclusion.hypotheses, thresholds)


def _family(examinations: Sequence[Examination]) -> list[Hypothesis]:
    return [hypothesis for examination in examinations for hypothesis in examination.hypotheses()]


def _ended(found: int, look: Look, taken: Sequence[LookTaken]) -> str:
    here = f"{look.sequences:,} sequences, and the input ended after {found:,}"
    if not taken:
        return f"the plan first looks at {here}: there is no verdict, bring more data"
    return (
        f"the look at {taken[-1].sequences:,} sequences was suspicious; the plan looks next at {here}: it stays"
        " suspicious until more data of the same source decide"
    )
