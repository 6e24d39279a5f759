"""The SP 800-22 suite on one core: 100 sequences of a million bits, all fifteen tests. The gaming battery likewise.

With BENCH_NIST_STS=DIR, the directory in which NIST's sts-2.1.2 was built (it holds `assess`, `templates` and
`experiments`), the same bits go through that program, and the ratio is reported.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BITS = 1_000_000
SEQUENCES = 100
# NIST's program takes a second or two a sequence; a few tell as much as a hundred.
NIST_SEQUENCES = 5
VARIABLE = "BENCH_NIST_STS"
OUTCOMES = 1_000_000
GAMES = ("dice", "wheel", "five reels", "keno", "52 cards")
# Input file; its name; all tests; no changes of parameters; how many sequences; binary.
DIALOGUE = "0\n{file}\n1\n0\n{sequences}\n1\n"


def sts_100x1mbit(*, runs: int = 5) -> dict[str, Any]:
    """CPU seconds for a hundred sequences in one process, reading included; the best run: the machine is shared."""
    data = test_bits()
    core = pin_to_one_core()
    try:
        seconds = [run_suite(data) for _ in range(runs)]
        found: dict[str, Any] = {
            "per_second": round(SEQUENCES / min(seconds), 1),
            "unit": "sequences of a million bits, 188 P-values each",
            "seconds": round(min(seconds), 2),
            "runs": [round(value, 2) for value in seconds],
            "baseline": "3.0 s for 100 sequences on one core",
        }
        directory = os.environ.get(VARIABLE)
        if directory:
            nist = run_nist(Path(directory), data)
            found["ratio"] = round(nist / (min(seconds) / SEQUENCES), 1)
            found["baseline"] = f"{VARIABLE}: {round(nist, 3)} s a sequence, over {NIST_SEQUENCES}"
        return found
    finally:
        os.sched_setaffinity(0, core)


def test_bits() -> bytes:
    """AES-256-CTR with key 0 and counter 0: anybody can make the same bits."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES(bytes(32)), modes.CTR(bytes(16))).encryptor()
    return cipher.update(bytes(SEQUENCES * BITS // 8))


def pin_to_one_core() -> set[int]:
    """Keep to the last of our cores, and return those we had. NIST's program inherits it."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    return set(cores)


def run_suite(data: bytes) -> float:
    import io

    from stats_tests.bits import SequenceReader
    from stats_tests.nist import run_stream
    from stats_tests.second_level import SecondLevel

    started = time.process_time()
    second_level = SecondLevel()
    second_level.add(run_stream(SequenceReader(io.BytesIO(data), bits=BITS)))
    assert len(second_level.hypotheses()) == 3 * 188
    return time.process_time() - started


def run_nist(directory: Path, data: bytes) -> float:
    """CPU seconds a sequence of NIST's own program."""
    with tempfile.TemporaryDirectory() as scratch:
        room = Path(scratch) / "sts"
        shutil.copytree(directory, room)
        bits = Path(scratch) / "bits"
        bits.write_bytes(data[: NIST_SEQUENCES * BITS // 8])
        started = _seconds_of_children()
        subprocess.run(
            [room / "assess", str(BITS)],
            cwd=room,
            input=DIALOGUE.format(file=bits, sequences=NIST_SEQUENCES),
            text=True,
            stdout=subprocess.DEVNULL,
            check=False,  # it returns 1 when all went well
        )
        seconds = _seconds_of_children() - started
        report = room / "experiments/AlgorithmTesting/finalAnalysisReport.txt"
        if "LinearComplexity" not in report.read_text():
            raise SystemExit(f"{VARIABLE}: {directory}/assess made no report")
    return seconds / NIST_SEQUENCES


def _seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def gaming_1m(*, runs: int = 2) -> dict[str, Any]:
    """CPU seconds of the whole battery on a million outcomes of each game, best of ``runs``; the slowest one counts."""
    games = {game: _in_a_process_of_its_own(game, runs) for game in GAMES}
    slowest = max(games, key=lambda game: games[game]["seconds"])
    seconds = games[slowest]["seconds"]
    return {
        "per_second": round(OUTCOMES / seconds),
        "unit": f"outcomes, of the slowest game, {slowest}",
        "seconds": seconds,
        **{
            game: f"{found['seconds']} s, {found['p_values']} P-values, {found['where']}"
            for game, found in games.items()
        },
        "baseline": "5 s for 1,000,000 outcomes",
    }


def _in_a_process_of_its_own(game: str, runs: int) -> dict[str, Any]:
    """Measure in a process whose matrix library has one thread: waiting for others counts as CPU time."""
    done = subprocess.run(
        [sys.executable, __file__, game, str(runs)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure_gaming(game: str, runs: int) -> dict[str, Any]:
    """Seconds of CPU of the battery on one game, reading outcomes included, making them not."""
    import numpy as np
    from gaming_scenes import SCENES

    from stats_tests.gaming import battery_for, outcomes_of

    scene = SCENES[game]
    rows = scene.make(np.random.Generator(np.random.Philox(OUTCOMES)), OUTCOMES)
    best: tuple[float, dict[str, float], int] | None = None
    for _ in range(runs):
        started = time.process_time()
        outcomes = outcomes_of(scene.shape, rows)
        spent = {"reading": time.process_time() - started}
        p_values = 0
        for planned in battery_for(scene.shape):
            before = time.process_time()
            p_values += sum(p_value is not None for p_value in planned.run(outcomes).result.p_values)
            spent[planned.name] = spent.get(planned.name, 0.0) + time.process_time() - before
        seconds = time.process_time() - started
        if best is None or seconds < best[0]:
            best = seconds, spent, p_values
    assert best is not None
    seconds, spent, p_values = best
    largest = sorted(spent, key=lambda name: -spent[name])[:4]
    where = ", ".join(f"{name} {spent[name]:.2f}" for name in largest)
    return {"seconds": round(seconds, 2), "p_values": p_values, "where": where}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    print(json.dumps(measure_gaming(sys.argv[1], int(sys.argv[2]))))
