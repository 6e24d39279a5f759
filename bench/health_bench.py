"""The health tests of SP 800-90B over recorded samples, as `sealdraw stats health` runs them, and its estimators.

Seconds are those of the processor: this is one thread that waits for nothing. The estimators run once for each
assessment of a source, not all the time.
"""

import io
import os
import time
from typing import Any

from stats_bench import pin_to_one_core, test_bits

MEGABYTES = 64
BLOCK_BYTES = 1 << 20
ESTIMATED = 1_000_000


def health_tests(*, runs: int = 5) -> dict[str, Any]:
    """Bytes a second through repetition count and adaptive proportion at the vault's claim; the best run."""
    data = (test_bits() * (MEGABYTES * 1_000_000 // 12_500_000 + 1))[: MEGABYTES * 1_000_000]
    cores = pin_to_one_core()
    try:
        seconds = [run_tests(data) for _ in range(runs)]
        started = time.process_time()
        estimated = estimate(data[:ESTIMATED])
        return {
            "per_second": round(len(data) / min(seconds)),
            "unit": "samples of eight bits",
            "runs": [round(len(data) / value / 1e6) for value in seconds],
            "baseline": "100 MB/s",
            "estimators_seconds": round(time.process_time() - started, 1),
            "estimated_min_entropy": round(estimated, 3),
        }
    finally:
        os.sched_setaffinity(0, cores)


def run_tests(data: bytes) -> float:
    from stats_tests.health import HealthTests

    stream = io.BytesIO(data)
    started = time.process_time()
    tests = HealthTests(7)
    while block := stream.read(BLOCK_BYTES):
        tests.feed(block)
    assert tests.samples == len(data)
    return time.process_time() - started


def estimate(samples: bytes) -> float:
    from stats_tests.entropy import assess, read_samples

    return assess(read_samples(samples, 8), 8).min_entropy
