"""Write tests/vectors/outcome/*.json; `--check` fails when they differ from what the code derives now.

The blocks are computed with the standard library's hmac, so that a file can only be written when the fast path
agrees with the plain reading of PROTOCOL.md.
"""

import hmac
import json
import sys
from pathlib import Path
from typing import Any

from rng_service.encoding import DRAW_LABEL, lp, u32, u64
from rng_service.outcome import (
    DrawKeyDeriver,
    Reels,
    Sample,
    Shuffle,
    Step,
    Uniform,
    Weighted,
    compile_program,
)

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "outcome"

PROGRAMS: dict[str, list[Step]] = {
    "uniform-37": [Uniform(37)],
    "uniform-1": [Uniform(1)],
    "uniform-256": [Uniform(256)],
    "uniform-257": [Uniform(257, 20)],
    "uniform-2-32-plus-1": [Uniform(2**32 + 1, 5)],
    "uniform-2-64": [Uniform(2**64, 5)],
    "weighted": [Weighted((1, 2, 3, 4), 10)],
    "weighted-large": [Weighted((2**63, 2**62, 2**53, 1), 4)],
    "keno": [Sample(80, 20)],
    "sample-all": [Sample(10, 10)],
    "deck": [Shuffle(52)],
    "reels": [Reels((("A", "B", "C"), ("A",), ("A", "B") * 16, ("C",) * 33))],
    "reels-weighted": [Reels((("A", "B", "C"), ("A",), ("A", "B")), ((3, 1, 2**60), (7,), (1, 255)))],
    "mixed": [Uniform(10_000), Sample(5, 2), Shuffle(3), Weighted((9, 1))],
}
INPUTS: list[tuple[bytes, bytes, int, bytes, bytes]] = [
    (bytes(32), bytes(32), 0, b"", b""),
    (bytes(range(32)), bytes(range(32, 64)), 7, bytes(range(64, 96)), b"sixteen byte sed"),
    (b"\xff" * 32, b"\xee" * 32, 2**64 - 1, b"\xdd" * 32, b"\xcc" * 64),
]


def describe(step: Step) -> dict[str, Any]:
    """Return the step as it stands in a game definition."""
    match step:
        case Uniform(n, count):
            return {"step": "uniform", "n": str(n), "count": count}
        case Weighted(weights, count):
            return {"step": "weighted", "weights": [str(weight) for weight in weights], "count": count}
        case Sample(n, m):
            return {"step": "sample", "n": n, "m": m}
        case Shuffle(n):
            return {"step": "shuffle", "n": n}
        case Reels(strips, weights):
            found: dict[str, Any] = {"step": "reels", "strips": [list(strip) for strip in strips]}
            return found | ({"weights": [[str(weight) for weight in stops] for stops in weights]} if weights else {})


def vector(program_id: str, steps: list[Step], given: tuple[bytes, bytes, int, bytes, bytes]) -> dict[str, Any]:
    """Return one vector with every intermediate value."""
    secret, commit_hash, slot, beacon, seed = given
    message = DRAW_LABEL + commit_hash + u64(slot) + lp(beacon) + lp(program_id.encode()) + lp(seed)
    key = hmac.digest(secret, message, "sha256")
    stream = DrawKeyDeriver(commit_hash, beacon, program_id).outcome_stream(secret, slot, seed)
    outcome = compile_program(steps).derive(stream)
    # The stream's own next byte tells how many bytes the outcome consumed.
    remainder = stream.read(32)
    blocks = b"".join(hmac.digest(key, u32(j), "sha256") for j in range(64))
    return {
        "program_id": program_id,
        "steps": [describe(step) for step in steps],
        "secret": secret.hex(),
        "commit_hash": commit_hash.hex(),
        "slot": str(slot),
        "beacon": beacon.hex(),
        "client_seed": seed.hex(),
        "message": message.hex(),
        "draw_key": key.hex(),
        "consumed": (consumed := blocks.index(remainder)),
        "blocks": [blocks[start : start + 32].hex() for start in range(0, max(consumed, 1), 32)],
        "outcome": [str(value) for value in outcome],
    }


def contents() -> dict[Path, str]:
    """Return the text of every vector file."""
    return {
        FOLDER / f"{program_id}.json": json.dumps([vector(program_id, steps, given) for given in INPUTS], indent=1)
        + "\n"
        for program_id, steps in PROGRAMS.items()
    }


def main() -> None:
    """Write the files, or compare them."""
    wanted = contents()
    if "--check" in sys.argv[1:]:
        present = set(FOLDER.glob("*.json"))
        wrong = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
        wrong += sorted(present - set(wanted))
        if wrong:
            names = ", ".join(path.name for path in wrong)
            raise SystemExit(f"outcome vectors differ: {names}; run tests/tools/make_outcome_vectors.py")
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in wanted.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
