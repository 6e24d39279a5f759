"""Scheduled statistics: announced in the log, carried out by a runner beside the digests, reported in the log.

    begun       stats.begin and the plan are queued for the log; nothing exists that could be tested
    running     the entry is published; a thread feeds a runner (`rng_service.statistics.runner_process`)
    ended       stats.report is queued, with report and page

What is in a thread or a runner is gone with this process. The ledger has every run that was begun: one that this
process did not begin itself is interrupted, and the log says so. Its bits are not asked for again.
"""

import importlib.util
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from anchor.errors import AnchorError, VerificationError
from rng_service.errors import SealdrawError
from rng_service.ledger.models import DigestRow, DigestTotalRow, GameRow, LogEntryRow
from rng_service.ledger.statistics_runs import (
    FAIL,
    INTERRUPTED,
    OPENED,
    TEST_STREAM,
    OpenedRange,
    begin_test,
    failed_runs,
    finish_run,
    interrupt_run,
    newest_runs,
    unfinished_tests,
)
from rng_service.log_entries import StatsBegin, StatsReport
from rng_service.sequencer.context import Context, LedgerRow
from rng_service.sequencer.publication import settled_size
from rng_service.sequencer.statistics_data import REAL, Conduct, Tested, opened_outcomes, test_stream
from rng_service.sequencer.statistics_schedule import DigestOutcomes, LastRun, OpenedChoice, choose_opened, is_due
from rng_service.statistics.built_in import BIT_PLANS
from rng_service.statistics.plans import parse_statistics_plan
from rng_service.statistics.runner_process import COMMAND, RunnerProcess
from rng_service.statistics.runner_protocol import read_verdict
from rng_service.vault.errors import VaultError
from rng_service.verify.statistics_report import check_report

__all__ = ["StatisticsDesk"]

_HOUR_US: Final = 3_600_000_000
# Asking what is due reads the totals of many digests; a run that has ended asks again at once.
_LOOK_US: Final = 600_000_000
_DEVELOPMENT_LOOK_US: Final = 15_000_000
_MOST_DIGESTS: Final = 100_000
_DIGESTS_LOOKED_AT: Final = 64
# Between two digests whose outcomes are read, others use the processor.
_REST_S: Final = 0.002
_STOP_S: Final = 10.0
# What a runner tries when it is ready, and hopes to fail at.
_OUT_OF_REACH: Final = ("network_reachable", "files_readable", "parent_reachable")

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Begun:
    """A run that this process has announced: what it will do, and the thread that does it once it may."""

    entry: StatsBegin
    plan: bytes
    conduct: Conduct
    running: "_Running | None" = None


class _Running:
    """One run in the making, in a thread of its own with a process of its own."""

    def __init__(self, conduct: Conduct, *, deadline_s: float, command: Sequence[str]) -> None:
        self._conduct = conduct
        self._runner = RunnerProcess(deadline_s=deadline_s, command=command)
        self._tested: Tested | None = None
        self._error: Exception | None = None
        self.isolation: dict[str, str] = {}
        self._thread = Thread(target=self._run, name="statistics", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> Tested:
        """Return what came of it; raises what it failed with."""
        if self._error is not None:
            raise self._error
        if self._tested is None:
            raise SealdrawError("the run was stopped")
        return self._tested

    def stop(self) -> None:
        """End the runner, and with it the thread."""
        self._runner.stop()
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        try:
            with self._runner:
                self.isolation = self._runner.ready()
                self._tested = self._conduct(self._runner)
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            self._error = error


class StatisticsDesk:
    """Begins what is due, one run at a time, and brings every run to an end; `work` never waits for one.

    ``command`` starts a runner.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = command
        self._begun: _Begun | None = None
        self._looked_us: int | None = None

    def work(self, context: Context) -> int:
        """Do what can be done now and return how many entries were queued."""
        with context.reading() as connection:
            unfinished = unfinished_tests(connection)
            settled = settled_size(connection)
        ended = 0
        for row in unfinished:
            if self._begun is None or self._begun.entry.run != row.run:
                self._interrupt(context, row.run, "the process that began it has ended")
                ended += 1
            elif self._begun.running is None:
                if row.log_index is not None and row.log_index < settled:
                    self._start(context, self._begun)
            elif self._begun.running.done:
                self._conclude(context, self._begun, self._begun.running)
                ended += 1
        if len(unfinished) > ended or not self._may_look(context):
            return ended
        return ended + self._begin_next(context)

    def sealing_stopped(self, context: Context) -> bool:
        """Return whether a failed run keeps new pools from being sealed."""
        if not context.config.statistics.stop_on_fail:
            return False
        with context.reading() as connection:
            return bool(failed_runs(connection))

    def finish(self, context: Context) -> None:
        """End what is going on: for a clean stop. The log says of the run that it was interrupted."""
        self.close()
        with context.reading() as connection:
            unfinished = unfinished_tests(connection)
        for row in unfinished:
            self._interrupt(context, row.run, "the service was stopped")

    def close(self) -> None:
        """End the runner and its thread, and say nothing to anybody."""
        if self._begun is not None and self._begun.running is not None:
            self._begun.running.stop()
        self._begun = None

    def _may_look(self, context: Context) -> bool:
        if not context.config.statistics.interval_hours or importlib.util.find_spec("scipy") is None:
            return False
        now_us = context.clock_us()
        pause_us = _DEVELOPMENT_LOOK_US if context.config.service.development else _LOOK_US
        if self._looked_us is not None and 0 <= now_us - self._looked_us < pause_us:
            return False
        self._looked_us = now_us
        return True

    def _begin_next(self, context: Context) -> int:
        settings = context.config.statistics
        with context.reading() as connection:
            last = newest_runs(connection, TEST_STREAM)
        if _due(context, last[0] if last else None):
            name = settings.plan or ("quick" if context.config.service.development else "full")
            return self._begin(context, BIT_PLANS[name].to_bytes(), None)
        for opened, plan in _opened_ranges(context) if settings.opened else ():
            return self._begin(context, plan, opened)
        return 0

    def _begin(self, context: Context, plan: bytes, opened: OpenedRange | None) -> int:
        try:
            with context.writing() as connection:
                entry = begin_test(
                    connection,
                    origin=context.origin,
                    now_us=context.clock_us(),
                    plan=plan,
                    opened=opened,
                )
        except IntegrityError:
            # Somebody's dump took the number a moment ago; the next look takes the one after it.
            self._looked_us = None
            return 0
        # A crash before the commit leaves nothing; after it, a run that the next process reports as interrupted.
        context.on_step("statistics.begun")
        if opened is None:
            conduct = test_stream(context.vault, entry.run, plan)
        else:
            conduct = opened_outcomes(
                context.engine,
                entry.run,
                plan,
                opened,
                files=context.store.files,
                pause=lambda: time.sleep(_REST_S),
            )
        self._begun = _Begun(entry, plan, conduct)
        return 1

    def _start(self, context: Context, begun: _Begun) -> None:
        """Start what the log has announced."""
        deadline_s = context.config.statistics.deadline_s
        try:
            begun.running = _Running(begun.conduct, deadline_s=deadline_s, command=self._command)
        except SealdrawError as error:
            self._interrupt(context, begun.entry.run, str(error))

    def _conclude(self, context: Context, begun: _Begun, running: _Running) -> None:
        run = begun.entry.run
        try:
            tested = running.result()
            verdict = _checked_verdict(begun, tested)
        except (SealdrawError, VaultError, AnchorError) as error:
            self._interrupt(context, run, str(error))
            return
        except Exception as error:  # noqa: BLE001 - a run must not take the log with it, whatever is wrong with it
            self._interrupt(context, run, f"{type(error).__name__}: {error}")
            return
        with context.writing() as connection:
            finish_run(
                connection,
                origin=context.origin,
                now_us=context.clock_us(),
                run=run,
                verdict=verdict,
                files=(tested.answer.report, tested.answer.page),
                source=tested.source,
            )
        # A crash before the commit leaves a run that is reported as interrupted; after it, its entry with its files.
        context.on_step("statistics.recorded")
        self._begun, self._looked_us = None, None
        _tell(context, begun, running, verdict)

    def _interrupt(self, context: Context, run: int, reason: str) -> None:
        with context.writing() as connection:
            interrupt_run(connection, origin=context.origin, now_us=context.clock_us(), run=run)
        # A crash before the commit leaves the run, and the same end for it.
        context.on_step("statistics.interrupted")
        if self._begun is not None and self._begun.entry.run == run:
            self._begun = None
        context.warnings.append(f"statistics.interrupted: run {run} has no verdict: {reason}")


def _checked_verdict(begun: _Begun, tested: Tested) -> str:
    """Return the verdict of a report that every verifier of the log will take; raises MalformedError and others."""
    answer, source = tested
    verdict = read_verdict(answer.report)
    stated = StatsReport(
        origin=begun.entry.origin,
        time_us=begun.entry.time_us,
        run=begun.entry.run,
        verdict=verdict,
        report=bytes(32),
        page=bytes(32),
        drbg_instance=None if source is None else source.instance,
        drbg_epoch=None if source is None else source.epoch,
        stream=None if source is None else source.stream,
    )
    check_report(answer.report, begun.entry, parse_statistics_plan(begun.plan), stated)
    if (source is None) != (begun.entry.subject == OPENED):
        raise VerificationError("stats-stream", "the report is about another kind of data than its announcement")
    return verdict


def _tell(context: Context, begun: _Begun, running: _Running, verdict: str) -> None:
    subject = "opened outcomes" if begun.entry.subject == OPENED else "a test stream"
    _logger.info("statistics: run %s over %s: %s", begun.entry.run, subject, verdict)
    reached = [what for what in _OUT_OF_REACH if running.isolation.get(what) != "no"]
    if reached:
        context.warnings.append(
            f"statistics.not-isolated: of the runner of run {begun.entry.run} it is not known to hold: no "
            f"{', no '.join(reached)}; its report says which measures failed"
        )
    if verdict == FAIL:
        stopped = context.config.statistics.stop_on_fail
        context.warnings.append(
            f"statistics.failed: run {begun.entry.run} over {subject} failed: "
            + ("no pool is sealed until `sealdraw stats acknowledge`" if stopped else "pools are sealed all the same")
        )


def _due(context: Context, last: LedgerRow | None) -> bool:
    known = None if last is None else LastRun(last.begun_us, last.verdict)
    interval_us = context.config.statistics.interval_hours * _HOUR_US
    return is_due(known, now_us=context.clock_us(), interval_us=interval_us)


def _opened_ranges(context: Context) -> list[tuple[OpenedRange, bytes]]:
    """Return what opened outcomes of real play are due to be tested, longest waiting first, each with its plan."""
    newest = _newest_published(context)
    with context.reading() as connection:
        before = {(bytes(row.game_digest), row.program): row for row in newest_runs(connection, OPENED)}
        rows = connection.execute(
            select(
                GameRow.digest,
                DigestTotalRow.program,
                DigestTotalRow.digest_seq,
                func.sum(DigestTotalRow.outcomes).label("outcomes"),
            )
            .join(GameRow, (GameRow.name == DigestTotalRow.game) & (GameRow.version == DigestTotalRow.version))
            .where(
                DigestTotalRow.play_class == REAL,
                DigestTotalRow.digest_seq > newest - _MOST_DIGESTS,
                DigestTotalRow.digest_seq <= newest,
            )
            .group_by(GameRow.digest, DigestTotalRow.program, DigestTotalRow.digest_seq)
            .order_by(GameRow.digest, DigestTotalRow.program, DigestTotalRow.digest_seq)
        ).all()
    found: dict[tuple[bytes, str], list[DigestOutcomes]] = {}
    for row in rows:
        found.setdefault((bytes(row.digest), row.program), []).append(DigestOutcomes(row.digest_seq, int(row.outcomes)))
    due: list[tuple[int, OpenedRange, bytes]] = []
    for key, digests in found.items():
        last = before.get(key)
        if not _due(context, last):
            continue
        first = max(0, newest - _MOST_DIGESTS + 1, _first_untested(last))
        choice: OpenedChoice | None = choose_opened(first, [item for item in digests if item.seq >= first])
        if choice is not None:
            opened = OpenedRange(*key, choice.first, choice.last)
            due.append((0 if last is None else last.begun_us, opened, choice.plan.to_bytes()))
    return [(opened, plan) for _, opened, plan in sorted(due)]


def _first_untested(last: LedgerRow | None) -> int:
    """Return the first digest that no run of a program had a verdict about: an interrupted one is done again."""
    if last is None:
        return 0
    return int(last.from_digest if last.verdict == INTERRUPTED else last.to_digest + 1)


def _newest_published(context: Context) -> int:
    """Return the newest digest that is in the signed log, -1 without one."""
    with context.reading() as connection:
        settled = settled_size(connection)
        rows = connection.execute(
            select(DigestRow.seq, LogEntryRow.log_index)
            .join(LogEntryRow, LogEntryRow.id == DigestRow.log_entry_id)
            .order_by(DigestRow.seq.desc())
            .limit(_DIGESTS_LOOKED_AT)
        ).all()
    return next((seq for seq, index in rows if index is not None and index < settled), -1)
