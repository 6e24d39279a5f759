"""Carrying out the bench over several processes: tasks, workers, and what was found so far."""

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import NamedTuple

from bench.power.calibration import KINDS, Tally, batches, run_batch
from bench.power.catalogue import BAD, BATTERIES, GOOD
from bench.power.search import Finding, search
from bench.power.table import size_of

__all__ = ["Found", "Task", "carry_out", "tasks_of"]


class Task(NamedTuple):
    """A bad generator before one battery (``kind`` is the battery), or some runs of a good one."""

    name: str
    kind: str
    first: int = 0
    last: int = 0


@dataclass(slots=True)
class Found:
    """Findings and tallies by name and battery or kind, processor seconds, and whether all tasks were done."""

    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    processor: float = 0.0
    complete: bool = False


def tasks_of(only: Sequence[str], scale: float) -> Iterator[Task]:
    """Yield all tasks, those first that take longest: nobody waits for a single one at the end."""

    def wanted(name: str) -> bool:
        return not only or any(part.lower() in name.lower() for part in only)

    for battery in BATTERIES:
        for entry in BAD:
            if battery in entry.questions and wanted(entry.name):
                yield Task(entry.name, battery)
    for name in GOOD:
        for kind in KINDS if wanted(name) else ():
            for first, last in batches(kind, scale):
                yield Task(name, kind.name, first, last)


def carry_out(tasks: Sequence[Task], jobs: int) -> Found:
    """Return what all ``tasks`` found, or what was finished when somebody pressed Ctrl-C."""
    found = Found()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_ignore_interrupts) as pool:
        waiting: dict[Future[tuple[Finding | Tally, float]], Task] = {pool.submit(_work, task): task for task in tasks}
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                task = waiting[future]
                result, seconds = future.result()
                found.processor += seconds
                key = (task.name, task.kind)
                if isinstance(result, Finding):
                    found.findings[key] = result
                else:
                    found.tallies[key] = found.tallies[key] + result if key in found.tallies else result
                _show(done, len(tasks), task, result)
        except KeyboardInterrupt:
            for future in waiting:
                future.cancel()
        else:
            found.complete = True
    return found


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which keeps what is finished."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(task: Task) -> tuple[Finding | Tally, float]:
    started = time.process_time()
    if task.name in GOOD:
        kind = next(kind for kind in KINDS if kind.name == task.kind)
        result: Finding | Tally = run_batch(task.name, GOOD[task.name], kind, task.first, task.last)
    else:
        entry = next(entry for entry in BAD if entry.name == task.name)
        result = search(entry.questions[task.kind])
    return result, time.process_time() - started


def _show(done: int, count: int, task: Task, result: Finding | Tally) -> None:
    """Say on a terminal what was just found; stay quiet in a pipe."""
    if not sys.stderr.isatty():
        return
    if isinstance(result, Tally):
        said = f"{result.suspicious + result.failed} of {result.runs} flagged"
    else:
        said = f"{result.tests[0] if result.caught else 'passes'} at {size_of(result.size, result.unit)}"
    print(f"[{done}/{count}] {task.name}, {task.kind}: {said}", file=sys.stderr)
