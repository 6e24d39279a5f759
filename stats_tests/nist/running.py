"""Running the suite over a stream: batch by batch, on one core or several, until it ends or somebody cancels.

At most two batches a worker are in memory at any time, so a stream of any length can be tested.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.bits import Batch, SequenceReader
from stats_tests.errors import WorkerError
from stats_tests.nist.mode import Mode
from stats_tests.nist.protocol import NistTest
from stats_tests.nist.suite import SUITE, run_batch
from stats_tests.results import SequenceResult

__all__ = ["NIST_WORD_BITS", "run_stream", "sequences_in_a_batch"]

# sts-2.1.2 reads words of so many bits and drops what is left of one behind each sequence.
NIST_WORD_BITS: Final = 32
_BATCH_BITS: Final = 8_000_000
_MOST_SEQUENCES: Final = 512
_BATCHES_PER_WORKER: Final = 2


class _CancelledError(Exception):
    """Somebody cancelled between two tests; what is finished stands."""


def sequences_in_a_batch(bits: int) -> int:
    """Return how many sequences of ``bits`` bits are tested at once: enough to be fast, few enough for the caches."""
    return max(1, min(_MOST_SEQUENCES, _BATCH_BITS // bits))


def run_stream(
    reader: SequenceReader,
    *,
    sequences: int | None = None,
    mode: Mode = Mode.EXACT,
    suite: Sequence[NistTest] = SUITE,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Generator[SequenceResult]:
    """Yield the results of each sequence of ``reader`` in order, at most ``sequences`` of them.

    ``progress`` hears after each batch how many sequences are done. When ``cancelled`` says so, asked between two
    tests, or between two batches with more than one job, the iteration ends: everything yielded so far is whole.
    Closing the iterator ends the workers; they end by themselves when this process is gone, however it ended.

    Raises WorkerError when a worker ended in the middle: what was yielded before is whole, the rest was not tested.
    """
    batches = _batches(reader, sequences, cancelled or _never)
    done = 0
    results = (
        _one_process(batches, mode, suite, cancelled or _never) if jobs == 1 else _pool(batches, mode, suite, jobs)
    )
    for finished in results:
        done += len(finished)
        yield from finished
        if progress is not None:
            progress(done)


def _never() -> bool:
    return False


def _batches(
    reader: SequenceReader, sequences: int | None, cancelled: Callable[[], bool]
) -> Iterator[tuple[int, Batch]]:
    """Yield batches with the number of their first sequence."""
    first = 0
    while (sequences is None or first < sequences) and not cancelled():
        wanted = sequences_in_a_batch(reader.bits)
        batch = reader.read(wanted if sequences is None else min(wanted, sequences - first))
        if batch is None:
            return
        yield first, batch
        first += batch.sequences


def _one_process(
    batches: Iterator[tuple[int, Batch]], mode: Mode, suite: Sequence[NistTest], cancelled: Callable[[], bool]
) -> Iterator[list[SequenceResult]]:
    def check(_name: str) -> None:
        if cancelled():
            raise _CancelledError

    for first, batch in batches:
        try:
            yield run_batch(batch, mode=mode, suite=suite, first_index=first, before_test=check)
        except _CancelledError:
            return


def _pool(
    batches: Iterator[tuple[int, Batch]], mode: Mode, suite: Sequence[NistTest], jobs: int
) -> Iterator[list[SequenceResult]]:
    waiting: deque[Future[list[SequenceResult]]] = deque()
    # Workers start afresh: a forked copy of a process that has threads may hang.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin_work) as pool:
        try:
            for first, batch in batches:
                waiting.append(pool.submit(_work, batch.packed, batch.bits, mode, tuple(suite), first))
                if len(waiting) >= _BATCHES_PER_WORKER * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise WorkerError(
                f"one of {jobs} worker processes ended in the middle of its work, most often for want of memory:"
                " look into the log of the system, or share the work among fewer"
            ) from None
        finally:
            for future in waiting:
                future.cancel()


def _begin_work() -> None:
    """Leave Ctrl-C to the parent, which keeps what is finished and ends the workers; end when it is gone.

    A worker waits for work on a pipe of which it holds both ends itself, so nothing else would tell it that the parent
    was killed, and it would wait for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(
    packed: NDArray[np.uint8], bits: int, mode: Mode, suite: Sequence[NistTest], first: int
) -> list[SequenceResult]:
    return run_batch(Batch(packed, bits), mode=mode, suite=suite, first_index=first)
