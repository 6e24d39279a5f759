"""The suite over a stream: in order, on several cores, cancelled in the middle, with little memory."""

import io
import multiprocessing
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from stats_tests.bits import MAX_SEQUENCE_BITS, SequenceReader
from stats_tests.errors import StatsError, WorkerError
from stats_tests.nist import SUITE, Mode, Serial, run_stream, running, sequences_in_a_batch

FIVE = np.random.default_rng(11).integers(0, 256, 5 * 1_250, dtype=np.uint8).tobytes()


# A run that never ends, in a process of its own; it says when a worker has begun to give results.
ENDLESS = """
import sys
from stats_tests.bits import SequenceReader
from stats_tests.nist import run_stream, running

if __name__ == "__main__":
    running._BATCH_BITS = 10_000
    for result in run_stream(SequenceReader(open("/dev/urandom", "rb"), bits=10_000), jobs=2):
        if result.index == 8:
            print("running", flush=True)
"""


@dataclass(frozen=True)
class EndsItsProcess:
    """A test that nobody survives, as when the system is out of memory; only on the sequence that is all zeros."""

    name: ClassVar[str] = "ends its process"
    p_value_count: ClassVar[int] = 1

    def unsuitable(self, bits):
        return None

    def run(self, batch, mode):
        if not batch.packed.any():
            os._exit(9)
        return Serial(3).run(batch, mode)


def run(data=FIVE, bits=10_000, **options):
    return list(run_stream(SequenceReader(io.BytesIO(data), bits=bits), **options))


def test_sequences_come_in_order_with_their_length():
    results = run()
    assert [(result.index, result.bits) for result in results] == [(i, 10_000) for i in range(5)]
    assert [test.name for test in results[0].tests] == [test.name for test in SUITE]
    assert results[0].as_json()["tests"][0] == {
        "name": "frequency", "p_values": [results[0].tests[0].p_values[0]], "reason": None
    }  # fmt: skip


def test_no_more_sequences_are_read_than_were_asked_for():
    stream = io.BytesIO(FIVE)
    list(run_stream(SequenceReader(stream, bits=10_000), sequences=2))
    assert stream.tell() == 2 * 1_250


@pytest.mark.parametrize("mode", Mode)
def test_several_processes_give_what_one_gives(mode, monkeypatch):
    monkeypatch.setattr(running, "_BATCH_BITS", 20_000)
    assert run(mode=mode, jobs=2) == run(mode=mode)


def test_another_suite_can_be_run():
    assert [test.name for result in run(suite=[Serial(3)]) for test in result.tests] == ["serial"] * 5


def test_progress_counts_finished_sequences(monkeypatch):
    monkeypatch.setattr(running, "_BATCH_BITS", 20_000)
    heard = []
    run(progress=heard.append)
    assert heard == [2, 4, 5]


def test_cancelling_keeps_what_is_finished(monkeypatch):
    monkeypatch.setattr(running, "_BATCH_BITS", 20_000)
    heard = []
    assert [result.index for result in run(progress=heard.append, cancelled=lambda: heard == [2])] == [0, 1]


def test_cancelling_inside_a_batch_drops_that_batch_alone(monkeypatch):
    monkeypatch.setattr(running, "_BATCH_BITS", 20_000)
    asked = iter([False] * 30)
    results = run(cancelled=lambda: next(asked, True))
    assert [result.index for result in results] == [0, 1]


def test_cancelling_with_several_processes_ends_the_run(monkeypatch):
    monkeypatch.setattr(running, "_BATCH_BITS", 10_000)
    heard = []
    results = run(data=FIVE * 4, jobs=2, progress=heard.append, cancelled=lambda: bool(heard))
    assert 1 <= len(results) < 20
    assert [result.index for result in results] == list(range(len(results)))


def test_batches_are_bounded():
    assert sequences_in_a_batch(1_000_000) == 8
    assert sequences_in_a_batch(MAX_SEQUENCE_BITS) == 1
    assert sequences_in_a_batch(100) == 512


def test_a_stream_is_read_batch_by_batch(monkeypatch):
    monkeypatch.setattr(running, "_BATCH_BITS", 20_000)
    stream = io.BytesIO(FIVE)
    results = run_stream(SequenceReader(stream, bits=10_000))
    next(results)
    assert stream.tell() == 2 * 1_250


def test_a_worker_that_dies_is_reported_and_what_was_finished_stands(monkeypatch):
    monkeypatch.setattr(running, "_BATCH_BITS", 10_000)
    data = FIVE * 2 + bytes(1_250) + FIVE
    results = run_stream(SequenceReader(io.BytesIO(data), bits=10_000), suite=[EndsItsProcess()], jobs=2)
    finished = []
    with pytest.raises(WorkerError, match="one of 2 worker processes ended"):
        finished.extend(result.index for result in results)
    assert issubclass(WorkerError, StatsError)
    assert finished == list(range(len(finished)))
    assert len(finished) <= 10
    assert not multiprocessing.active_children()


def test_closing_the_iterator_leaves_no_process_behind(monkeypatch):
    monkeypatch.setattr(running, "_BATCH_BITS", 10_000)
    results = run_stream(SequenceReader(io.BytesIO(FIVE * 20), bits=10_000), jobs=2)
    assert next(results).index == 0
    assert len(multiprocessing.active_children()) == 2
    results.close()
    assert not multiprocessing.active_children()


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ) as parent:
        assert parent.stdout.readline() == b"running\n"
        parent.kill()
        # The workers have the same standard output: it ends when the last of them has.
        assert parent.communicate(timeout=60)[0] == b""
