"""Weighted lookup tables of a million rows: reading a math package, and drawing from it."""

import json
import os
import random
import subprocess
import sys
import tempfile
from array import array
from itertools import accumulate
from pathlib import Path
from typing import Any

from core_benches import rate

from rng_service.outcome import DrawKeyDeriver, Lookup, LookupTable, compile_program

ROWS = 1_000_000
_WORK = """
import sys, time
from pathlib import Path
from rng_service.games import theory
from rng_service.stake_engine.package import read_package
started = time.perf_counter()
theory(read_package(Path(sys.argv[1])).definition("bench", 1, "Bench"))
# Not ru_maxrss, which a process inherits from the one that starts it.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(time.perf_counter() - started, int(peak) * 1024)
"""


def import_lookup_1m(*, rows: int = ROWS, runs: int = 3) -> dict[str, Any]:
    """Rows a second of a package of a million rows and as many books: checked, made into a game, its return summed."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        size = _write_package(directory, rows)
        found, memory = [], 0
        for _ in range(runs):
            done = subprocess.run([sys.executable, "-c", _WORK, directory], check=True, capture_output=True, text=True)
            seconds, peak = done.stdout.split()
            found.append(float(seconds))
            memory = max(memory, int(peak))
    return {
        "per_second": round(rows / min(found)),
        "seconds": round(min(found), 2),
        "runs": [round(seconds, 2) for seconds in found],
        "peak_bytes": memory,
        "bytes_of_books": size,
        "baseline": "10 s and 500 MB for a million rows, on one core",
    }


def weighted_draw_1m(*, rows: int = ROWS, draws: int = 200_000, runs: int = 5) -> dict[str, Any]:
    """Draws a second from a million rows: draw key, stream and search, as the front and an auditor do them."""
    choice = random.Random(1)
    weights = [int(choice.paretovariate(0.7) * 1_000) for _ in range(rows)]
    table = LookupTable(bytes(32), array("Q", accumulate(weights)), array("Q", bytes(8 * rows)))
    derive = compile_program([Lookup(table)]).derive
    deriver = DrawKeyDeriver(os.urandom(32), os.urandom(32), "base")
    secrets = [os.urandom(32) for _ in range(draws)]

    def draw() -> int:
        stream, seed = deriver.outcome_stream, bytes(32)
        for slot, secret in enumerate(secrets):
            derive(stream(secret, slot, seed))
        return draws

    return rate(draw, runs) | {"baseline": "200,000 draws a second"}


def _write_package(directory: Path, rows: int) -> int:
    """Write a package of one mode; return how many bytes its books have before they are compressed."""
    import zstandard

    choice = random.Random(1)
    names = ("H1", "H2", "L1", "L2", "W", "S")
    boards = [json.dumps([[{"name": choice.choice(names)} for _ in range(3)] for _ in range(5)]) for _ in range(500)]
    index = {"name": "base", "cost": 1.0, "events": "books_base.jsonl.zst", "weights": "lookUpTable_base_0.csv"}
    (directory / "index.json").write_text(json.dumps({"modes": [index]}))
    size = 0
    with (
        (directory / index["weights"]).open("w") as weights,
        (directory / index["events"]).open("wb") as file,
        zstandard.ZstdCompressor().stream_writer(file) as books,
    ):
        for number in range(1, rows + 1):
            payout = choice.choice((0, 0, 0, 0, 20, 50, 110, 10 * choice.randrange(5_000)))
            weights.write(f"{number},{choice.randrange(1 << 40)},{payout}\n")
            line = (
                f'{{"id": {number}, "payoutMultiplier": {payout}, "events": [{{"index": 0, "type": "reveal", "board": '
                f'{choice.choice(boards)}, "paddingPositions": [{choice.randrange(200)}, {choice.randrange(200)}], '
                f'"gameType": "basegame", "anticipation": [0, 0, 0, 0, 0]}}, {{"index": 1, "type": "finalWin", '
                f'"amount": {payout}}}], "criteria": "basegame", "baseGameWins": {payout / 100}}}\n'
            )
            books.write(line.encode("ascii"))
            size += len(line)
    return size
