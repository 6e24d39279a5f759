"""Runs of statistics of a simulated operator: announced, carried out as planned, and reported."""

import json
from hashlib import sha256
from typing import Any

from rng_service.log_entries import StatsBegin, StatsReport
from rng_service.public_files import plan_path, statistics_paths
from rng_service.statistics.plans import StatisticsPlan
from stats_tests.multiple import Hypothesis, Look, SequentialPlan, SequentialTest

PLAN = StatisticsPlan("nist", bits=1_000_000)
OUTCOME_PLAN = StatisticsPlan("gaming", outcomes=1)
# By what the smallest of two P-values is at each look: pass at once, pass at the second look, never sure, fail.
PASSES = (0.5,)
PASSES_LATER = (0.001, 0.4)
STAYS_SUSPICIOUS = (0.001, 0.002, 0.003, 0.004)
FAILS = (1e-9,)


class Statistics:
    """The runs of one operator; ``at`` is its simulator."""

    def __init__(self, at: Any) -> None:
        self.at = at
        self.run = 0
        self.streams = 0

    # Where a cheat may reach in.

    def on_document(self, document: dict[str, Any]) -> dict[str, Any]:
        """See a report before it becomes bytes."""
        return document

    # Runs.

    def begin(self, plan: StatisticsPlan = PLAN, **opened: Any) -> StatsBegin:
        """Announce the next test: of a test stream, or of what ``opened`` says."""
        self.run += 1
        self.at.put(plan_path(plan.digest), plan.to_bytes())
        entry = StatsBegin(
            **self.at.head(),
            run=self.run,
            purpose="test",
            subject="opened" if opened else "test-stream",
            plan=plan.digest,
            **opened,
        )
        self.at.append(entry)
        return entry

    def begin_opened(self, game: str, program: str, first: int, last: int) -> StatsBegin:
        """Announce a test of opened outcomes of one program."""
        digest = next(found.digest for (name, _), found in self.at.games.items() if name == game)
        return self.begin(OUTCOME_PLAN, game_digest=digest, program=program, from_digest=first, to_digest=last)

    def dump(self, bits: int = 8_000_000) -> None:
        """Announce a dump for a laboratory, which takes a stream of its own."""
        self.run += 1
        self.streams += 1
        self.at.append(
            StatsBegin(**self.at.head(), run=self.run, purpose="dump", subject="test-stream", bits=bits),
        )

    def interrupt(self, run: int) -> None:
        """Report that a run came to nothing; its stream was read."""
        self.streams += 1
        self.at.append(StatsReport(**self.at.head(), run=run, verdict="interrupted"))

    def report(self, begun: StatsBegin, smallest: tuple[float, ...] = PASSES) -> None:
        """Report a run whose looks found these smallest P-values."""
        plan = OUTCOME_PLAN if begun.subject == "opened" else PLAN
        document = self.on_document(report_of(begun, plan, smallest))
        contents = [json.dumps(document, sort_keys=True).encode("ascii"), b"<!doctype html><title>a report</title>"]
        for path, data in zip(statistics_paths(begun.run), contents, strict=True):
            self.at.put(path, data)
        stream: dict[str, Any] = {}
        if begun.subject == "test-stream":
            self.streams += 1
            stream = {"drbg_instance": "vault-1", "drbg_epoch": 1, "stream": self.streams}
        self.at.append(
            StatsReport(
                **self.at.head(),
                run=begun.run,
                verdict=document["verdict"],
                report=sha256(contents[0]).digest(),
                page=sha256(contents[1]).digest(),
                **stream,
            )
        )

    def all_kinds(self) -> None:
        """Let one run of each kind come to each end that it may have."""
        self.report(self.begin())
        self.dump()
        self.report(self.begin(), PASSES_LATER)
        begun = self.begin()
        self.dump()
        self.interrupt(begun.run)
        self.report(self.begin(), STAYS_SUSPICIOUS)
        self.report(self.begin_opened("dice-99", "base", 0, 1), FAILS)


def report_of(begun: StatsBegin, plan: StatisticsPlan, smallest: tuple[float, ...]) -> dict[str, Any]:
    """Return the report of a run whose looks found these smallest P-values, of two each time."""
    looks = tuple(Look(look.sequences, float(look.spend)) for look in plan.looks)
    test = SequentialTest(SequentialPlan(looks, float(plan.suspicious)))
    taken = []
    for p_value in smallest:
        hypotheses = [Hypothesis("serial", p_value), Hypothesis("runs", 0.75)]
        look = test.next_look
        decision = test.observe(hypotheses, sequences=look.sequences)
        taken.append({"sequences": look.sequences, "verdict": str(decision.verdict), **decision.as_json()})
    return {
        "format": "sealdraw/statistics@v1",
        "run": begun.run,
        "plan": begun.plan.hex(),
        "subject": begun.subject,
        "verdict": str(test.verdict),
        "looks": taken,
        "decision": test.decisions[-1].as_json(),
        "hypotheses": [{"label": item.label, "p_value": item.p_value} for item in hypotheses],
    }
