"""The report of a run of statistics: of the run that the log says, by its plan, with the verdict of its own numbers.

The P-values themselves are the operator's word (PROTOCOL.md, section 5). What follows from them is computed again.
"""

import json
from itertools import zip_longest
from typing import Any, Final

from anchor.errors import MalformedError
from rng_service.log_entries import StatsBegin, StatsReport
from rng_service.statistics.plans import PlannedLook, StatisticsPlan
from rng_service.verify.fault import require
from stats_tests.multiple import holm

__all__ = ["MAX_REPORT_BYTES", "check_report"]

MAX_REPORT_BYTES: Final = 8 * 2**20

_FORMAT: Final = "sealdraw/statistics@v1"
_SUSPICIOUS: Final = "suspicious"


def check_report(data: bytes, begun: StatsBegin, plan: StatisticsPlan, entry: StatsReport) -> None:
    """Check the JSON of a finished run against the announcement of the run, its plan and what the log says of it.

    Raises MalformedError for what is no report, VerificationError ``stats-document``, ``stats-looks``,
    ``stats-verdict``.
    """
    members = _members(data)
    expected = {
        "format": _FORMAT,
        "run": entry.run,
        "plan": (begun.plan or b"").hex(),
        "subject": begun.subject,
    }
    for name, value in expected.items():
        found = members.get(name)
        require(
            type(found) is type(value) and found == value,
            "stats-document",
            f"{name} is {_shown(found)}, the log says {value!r}",
        )
    verdict = members.get("verdict")
    require(
        verdict == entry.verdict,
        "stats-verdict",
        f"the verdict is {_shown(verdict)}, the log says {entry.verdict!r}",
    )
    looks = _objects(members, "looks")
    decided = _check_looks(looks, plan)
    require(decided == verdict, "stats-verdict", f"its looks lead to {decided!r}, the verdict is {verdict!r}")
    _check_decision(members.get("decision"), looks, _objects(members, "hypotheses"))


def _check_looks(looks: list[dict[str, Any]], plan: StatisticsPlan) -> str:
    """Return what looks lead to that were taken as planned; a run that came to none has no verdict."""
    require(looks, "stats-looks", "no look was taken: that run was interrupted")
    verdict = _SUSPICIOUS
    for number, (look, planned) in enumerate(zip_longest(looks, plan.looks[: len(looks)])):
        require(planned is not None, "stats-looks", f"{len(looks)} looks, the plan has {len(plan.looks)}")
        require(verdict == _SUSPICIOUS, "stats-looks", f"look {number} follows one that had ended the test")
        _check_thresholds(look, planned, plan)
        asked = look.get("hypotheses")
        require(type(asked) is int and asked > 0, "stats-looks", f"look {number} is over {_shown(asked)} P-values")
        verdict = _verdict(_number(look, "smallest_adjusted_p"), planned, plan)
        require(
            look.get("verdict") == verdict,
            "stats-verdict",
            f"look {number} is {_shown(look.get('verdict'))}, by its smallest P-value {verdict!r}",
        )
    return verdict


def _check_thresholds(look: dict[str, Any], planned: PlannedLook, plan: StatisticsPlan) -> None:
    stated = look.get("sequences"), look.get("suspicious_below"), look.get("fail_below")
    expected = planned.sequences, float(plan.suspicious), float(planned.spend)
    require(
        stated == expected and not isinstance(stated[0], bool),
        "stats-looks",
        f"(sequences, suspicious below, fail below) are {_shown(*stated)}, planned are {_shown(*expected)}",
    )


def _verdict(smallest: float, planned: PlannedLook, plan: StatisticsPlan) -> str:
    if smallest < float(planned.spend):
        return "fail"
    return _SUSPICIOUS if smallest < float(plan.suspicious) else "pass"


def _check_decision(decision: object, looks: list[dict[str, Any]], hypotheses: list[dict[str, Any]]) -> None:
    """Check that what was decided last is decided by the P-values that the report shows.

    Data that did not last for the next look are shown, too, and decide nothing: the look before them was suspicious.
    """
    if not isinstance(decision, dict):
        raise MalformedError("report of statistics: decision: expected an object")
    p_values = [_number(item, "p_value") for item in hypotheses]
    found = len(p_values), min(holm(p_values), default=1.0)
    stated = decision.get("hypotheses"), _number(decision, "smallest_adjusted_p")
    require(
        stated == found,
        "stats-verdict",
        f"(hypotheses, smallest corrected P-value) are {_shown(*stated)}, shown are {_shown(*found)}",
    )
    if looks[-1].get("verdict") != _SUSPICIOUS:
        last = looks[-1].get("hypotheses"), _number(looks[-1], "smallest_adjusted_p")
        require(last == stated, "stats-verdict", f"the last look has {_shown(*last)}, the decision {_shown(*stated)}")


def _shown(*values: object) -> str:
    """Return values of a report for a message; what is nested is not followed, for it may be nested without end."""
    return ", ".join(
        repr(value)[:80] if isinstance(value, str | int | float) else f"of type {type(value).__name__}"
        for value in values
    )


def _number(members: dict[str, Any], name: str) -> float:
    value = members.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise MalformedError(f"report of statistics: {name}: expected a number from 0 to 1")
    return float(value)


def _objects(members: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = members.get(name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MalformedError(f"report of statistics: {name}: expected a list of objects")
    return value


def _members(data: bytes) -> dict[str, Any]:
    """Return the members of a report: ASCII and JSON, with floats, in which nothing stands twice."""
    try:
        value = json.loads(data.decode("ascii"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"report of statistics: {error}") from None
    if not isinstance(value, dict):
        raise MalformedError("report of statistics: expected an object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
