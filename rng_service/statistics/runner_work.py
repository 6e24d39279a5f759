"""What the statistics runner does with a job and its data, and nothing else: read, test, report."""

from collections.abc import Sequence
from io import BytesIO
from typing import BinaryIO, Final

import numpy as np

from anchor.errors import MalformedError
from rng_service.statistics.bits import NistExamination, WeaknessExamination
from rng_service.statistics.examination import Examination
from rng_service.statistics.looks import look_by_plan
from rng_service.statistics.making import make_report
from rng_service.statistics.outcome_tests import OutcomeExamination
from rng_service.statistics.outcomes import RecordedOutcomes
from rng_service.statistics.plans import PlannedLook, StatisticsPlan, parse_statistics_plan
from rng_service.statistics.report import Report, Source
from rng_service.statistics.runner_protocol import Job
from rng_service.statistics.runner_shapes import outcome_row, parse_shape, row_type, shape_document
from rng_service.statistics.taps import TappedStream
from stats_tests import gaming

__all__ = ["examine", "warm_up"]

_SPLITS: Final = ("caller", "hour", "pool")
_PART_BYTES: Final = 1 << 16
_WARM_BITS: Final = 1 << 17
_WARM_OUTCOMES: Final = 1_000


class PipedOutcomes:
    """Outcomes of ``width`` integers as they come in, kept for a second look at all of them."""

    def __init__(self, stream: TappedStream, width: int) -> None:
        self._stream = stream
        self._type = row_type(width)
        self._data = bytearray()

    def up_to(self, count: int | None) -> RecordedOutcomes:
        """Return the first ``count`` outcomes, or as many as there are; raises MalformedError for a torn one."""
        wanted = None if count is None else count * self._type.itemsize
        while wanted is None or len(self._data) < wanted:
            part = self._stream.read(_PART_BYTES if wanted is None else min(_PART_BYTES, wanted - len(self._data)))
            if not part:
                break
            self._data += part
        if len(self._data) % self._type.itemsize:
            raise MalformedError("outcomes: the last one is cut short")
        found = np.frombuffer(bytes(self._data), dtype=self._type)
        splits = tuple(gaming.Split(name, found[name].astype(np.int64)) for name in _SPLITS)
        return RecordedOutcomes(found["values"].astype(np.uint64), splits)

    def beside(self) -> Sequence[RecordedOutcomes]:
        """Return nothing: one program is tested at a time."""
        return ()


def examine(job: Job, stream: BinaryIO, facts: Sequence[tuple[str, str]] = ()) -> Report:
    """Test what ``stream`` gives by the plan of ``job``, reading no more than the looks that are taken need.

    ``facts`` join those of the job. Raises MalformedError for a plan or data that cannot be read, and when the data end
    before the first look: a plan that is not followed says nothing. StatsError when nothing was applicable.
    """
    plan = parse_statistics_plan(job.plan)
    examinations, tap = _examinations(job, plan, stream)
    conclusion = look_by_plan(examinations, plan)
    if not conclusion.looks:
        raise MalformedError(f"data of run {job.run}: {conclusion.shortfall or 'nothing could be looked at'}")
    source = Source(description=job.description, size_bytes=tap.size, sha256=tap.sha256, facts=(*job.facts, *facts))
    return make_report(
        examinations,
        conclusion,
        source=source,
        battery=plan.battery,
        plan=plan,
        subject=job.subject,
        run=job.run,
    )


def warm_up() -> None:
    """Run every battery once over made-up data, so that whatever is loaded late is loaded now."""
    noise = np.random.default_rng(1)
    looks = (PlannedLook(1, StatisticsPlan("nist", bits=_WARM_BITS).looks[0].spend),)
    bits = StatisticsPlan("bits", bits=_WARM_BITS, looks=looks)
    examine(Job(1, "test-stream", bits.to_bytes(), "made up"), BytesIO(noise.bytes(_WARM_BITS // 8)))
    shape = gaming.OutcomeShape((gaming.Uniform(10), gaming.WithoutReplacement(20, 5), gaming.Permutation(5)))
    rows = [
        outcome_row(
            place % 3, place % 4, place % 2, (place * 7 % 10, *noise.permutation(20)[:5], *noise.permutation(5))
        )
        for place in range(_WARM_OUTCOMES)
    ]
    outcomes = StatisticsPlan("gaming", outcomes=_WARM_OUTCOMES, looks=looks)
    job = Job(1, "opened", outcomes.to_bytes(), "made up", shape=shape_document(shape))
    examine(job, BytesIO(b"".join(rows)))


def _examinations(job: Job, plan: StatisticsPlan, stream: BinaryIO) -> tuple[list[Examination], TappedStream]:
    """Return what the plan examines, and the tap behind which all of it is read."""
    if job.shape is not None:
        if plan.battery != "gaming" or plan.outcomes is None:
            raise MalformedError(f"job of run {job.run}: a plan of {plan.battery} is not about outcomes")
        tap = TappedStream(stream)
        shape = parse_shape(job.shape)
        source = PipedOutcomes(tap, shape.width)
        return [OutcomeExamination(source, shape, sequence_outcomes=plan.outcomes)], tap
    if plan.battery == "nist":
        tap = TappedStream(stream)
        return [NistExamination(tap, bits=plan.bits)], tap
    if plan.battery == "weakness":
        tap = TappedStream(stream)
        return [WeaknessExamination(tap, bits=plan.bits)], tap
    if plan.battery == "bits":
        # One reads, the other one hears what was read: a stream is read once.
        weakness = WeaknessExamination(bits=plan.bits)
        tap = TappedStream(stream, weakness.hear)
        return [NistExamination(tap, bits=plan.bits), weakness], tap
    raise MalformedError(f"job of run {job.run}: a plan of {plan.battery} is not about bits")
