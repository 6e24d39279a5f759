"""The draw rate on a ledger that already holds millions of rows, against the rate on an empty one."""

import os
import sqlite3
import statistics
import time
from pathlib import Path
from typing import Any

from http2_load import run
from scene import Scene, draw_bodies, scene
from service_benches import DRAW

PER_GROUP = 64
DAY_MS = 86_400_000


def draw_rate_with_rows(*, rows: int, calls: int = 10_000, runs: int = 3) -> dict[str, Any]:
    """Measure, fill the ledger with ``rows`` requests and records as a day of load leaves them, measure again."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, set(cores[1:]) or set(cores))
    try:
        with scene(pin=True) as service:
            before = _rates(service, calls, runs)
            seconds = fill(service.config.parent / "ledger.db", rows)
            after = _rates(service, calls, runs)
    finally:
        os.sched_setaffinity(0, set(cores))
    return {
        "ratio": round(statistics.median(after) / statistics.median(before), 3),
        "rows": rows,
        "runs": {"empty": before, "filled": after},
        "fill_seconds": round(seconds),
        "baseline": "the same service before its ledger was filled",
    }


def _rates(service: Scene, calls: int, runs: int) -> list[int]:
    run(service.port, DRAW, iter(draw_bodies(1_000)), in_flight=64)
    return [round(run(service.port, DRAW, iter(draw_bodies(calls)), in_flight=64).per_second) for _ in range(runs)]


def fill(path: Path, rows: int) -> float:
    """Insert ``rows`` draws of yesterday, already in a digest, in groups of 64; returns the seconds it took.

    Request ids rise with time as real ones do. The rows belong to a pool that is not there, so nothing reads them; what
    counts is the size of the tables and their indexes.
    """
    started = time.perf_counter()
    connection = sqlite3.connect(path, timeout=60)
    connection.execute("PRAGMA synchronous = OFF")
    first_group = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM commit_groups").fetchone()[0] + 1_000_000
    yesterday_ms = time.time_ns() // 1_000_000 - DAY_MS
    binding = os.urandom(420)
    groups = rows // PER_GROUP
    for start in range(0, groups, 2_000):
        part = range(start, min(start + 2_000, groups))
        numbers = [(first_group + group, place) for group in part for place in range(PER_GROUP)]
        with connection:
            connection.executemany(
                "INSERT INTO commit_groups (id, created_us, key_id, secrets, signature, digest_seq) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [(first_group + g, yesterday_ms * 1_000, "0" * 16, bytes(32 * PER_GROUP), bytes(64), 0) for g in part],
            )
            connection.executemany(
                "INSERT INTO records (id, pool_id, slot, slots, kind, family, ordinal, binding) "
                "VALUES (?, -1, ?, 1, 'draw', 1, 0, ?)",
                [((g << 12) + (p << 4), (g - first_group) * PER_GROUP + p, binding) for g, p in numbers],
            )
            connection.executemany(
                "INSERT INTO requests (request_id, caller, payload, method, first_record) "
                "VALUES (?, 'bench', ?, 'Draw', ?)",
                [
                    (
                        (yesterday_ms + ((g - first_group) * DAY_MS // max(1, groups) // 2)).to_bytes(6, "big")
                        + os.urandom(10),
                        bytes(32),
                        (g << 12) + (p << 4),
                    )
                    for g, p in numbers
                ],
            )
    connection.close()
    return time.perf_counter() - started
