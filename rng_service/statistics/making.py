"""A report out of what was examined and what looking at it led to."""

import json
from collections.abc import Sequence

import numpy as np
import scipy  # type: ignore[import-untyped]

from rng_service.statistics.examination import Examination
from rng_service.statistics.looks import Conclusion
from rng_service.statistics.plans import StatisticsPlan
from rng_service.statistics.report import Report, Source
from rng_service.version import VERSION

__all__ = ["make_report"]

# Said by the modules themselves: the runner of a service cannot open the files of a distribution any more.
_SOFTWARE = (("sealdraw", VERSION), ("numpy", np.__version__), ("scipy", scipy.__version__))


def make_report(
    examinations: Sequence[Examination],
    conclusion: Conclusion,
    *,
    source: Source,
    battery: str,
    plan: StatisticsPlan | None = None,
    subject: str = "input",
    run: int | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """Return the report of a run; ``subject`` and ``run`` are what the log says of a scheduled one."""
    details = [examination.details() for examination in examinations]
    shortfall = () if conclusion.shortfall is None else (conclusion.shortfall,)
    return Report(
        source=source,
        battery=battery,
        verdict=conclusion.reported,
        tests=tuple(test for examination in examinations for test in examination.tests()),
        hypotheses=tuple(conclusion.hypotheses),
        looks=tuple(conclusion.looks),
        decision=conclusion.decision,
        subject=subject,
        run=run,
        mode=next((item.mode for item in details if item.mode is not None), None),
        bits=next((item.bits for item in details if item.bits is not None), None),
        sequences=next((item.sequences for item in details if item.sequences is not None), None),
        outcomes=next((item.outcomes for item in details if item.outcomes is not None), None),
        plan=None if plan is None else plan.digest,
        plan_document=None if plan is None else json.loads(plan.to_bytes()),
        second_level=tuple(column for item in details for column in item.second_level),
        counts=tuple(counts for item in details for counts in item.counts),
        notes=(*shortfall, *notes),
        software=_SOFTWARE,
    )
