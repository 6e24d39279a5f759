"""The SP 800-22 suite on one core: 100 sequences of a million bits, all fifteen tests.

With BENCH_NIST_STS=DIR, the directory in which NIST's sts-2.1.2 was built (it holds `assess`, `templates` and
`experiments`), the same bits go through that program, and the ratio is reported.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

BITS = 1_000_000
SEQUENCES = 100
# NIST's program takes a second or two a sequence; a few tell as much as a hundred.
NIST_SEQUENCES = 5
VARIABLE = "BENCH_NIST_STS"
# Input file; its name; all tests; no changes of parameters; how many sequences; binary.
DIALOGUE = "0\n{file}\n1\n0\n{sequences}\n1\n"


def sts_100x1mbit(*, runs: int = 5) -> dict[str, Any]:
    """Seconds for a hundred sequences in one process, reading included; the best run, since the machine is shared."""
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

    started = time.perf_counter()
    second_level = SecondLevel()
    second_level.add(run_stream(SequenceReader(io.BytesIO(data), bits=BITS)))
    assert len(second_level.hypotheses()) == 3 * 188
    return time.perf_counter() - started


def run_nist(directory: Path, data: bytes) -> float:
    """Seconds a sequence of NIST's own program."""
    with tempfile.TemporaryDirectory() as scratch:
        room = Path(scratch) / "sts"
        shutil.copytree(directory, room)
        bits = Path(scratch) / "bits"
        bits.write_bytes(data[: NIST_SEQUENCES * BITS // 8])
        started = time.perf_counter()
        subprocess.run(
            [room / "assess", str(BITS)],
            cwd=room,
            input=DIALOGUE.format(file=bits, sequences=NIST_SEQUENCES),
            text=True,
            stdout=subprocess.DEVNULL,
            check=False,  # it returns 1 when all went well
        )
        seconds = time.perf_counter() - started
        report = room / "experiments/AlgorithmTesting/finalAnalysisReport.txt"
        if "LinearComplexity" not in report.read_text():
            raise SystemExit(f"{VARIABLE}: {directory}/assess made no report")
    return seconds / NIST_SEQUENCES
