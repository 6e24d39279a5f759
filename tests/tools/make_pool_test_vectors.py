"""Write tests/vectors/pool-tests/*.json; `--check` fails when they differ from what the code computes now.

Each verdict is computed a second time by a plain reading of PROTOCOL.md (`plain_pool_test`), so that a file can only
be written when the code that the vault and auditors run agrees with it.
"""

import json
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from make_outcome_vectors import describe
from plain_pool_test import divergence, judge, outcome
from vector_files import check_files, write_files

from rng_service.encoding import pool_test_statement
from rng_service.outcome import DrawKeyDeriver, Reels, Sample, Shuffle, Step, Uniform, Weighted, compile_program
from rng_service.pools.plans import BUILT_IN_PLAN, TestPlan
from rng_service.pools.testing import judge_pool

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "pool-tests"
ORIGIN, POOL, PROGRAM = "example.org/demo", "demo/made-up/1/base/real/0/1", "base"
COMMIT, BEACON = bytes(range(32)), bytes(range(32, 64))
KEY = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
COIN: list[Step] = [Uniform(2)]


def made(size: int) -> list[bytes]:
    """Return secrets in which nothing is wrong."""
    return [candidate(slot, 0) for slot in range(size)]


def candidate(slot: int, number: int) -> bytes:
    """Return one of the secrets that a slot might have."""
    return sha256(b"slot %d, candidate %d" % (slot, number)).digest()


def stuck_bit(size: int) -> list[bytes]:
    """Return secrets of which the first bit is never set."""
    return [bytes([secret[0] & 0x7F]) + secret[1:] for secret in made(size)]


def alternating_bit(size: int) -> list[bytes]:
    """Return secrets of which the first bit is set in every other one."""
    return [bytes([secret[0] & 0x7F | slot % 2 << 7]) + secret[1:] for slot, secret in enumerate(made(size))]


def repeated_block(size: int) -> list[bytes]:
    """Return secrets of which one repeats half of another."""
    secrets = made(size)
    secrets[5] = secrets[5][:16] + secrets[2][:16]
    return secrets


def chosen(wanted: Callable[[int], int]) -> Callable[[int], list[bytes]]:
    """Return secrets that were chosen by what a coin shows under them."""

    def secret(slot: int) -> bytes:
        steps = [describe(step) for step in COIN]
        number = 0
        while outcome(steps, PROGRAM, COMMIT, BEACON, slot, candidate(slot, number)) != [wanted(slot)]:
            number += 1
        return candidate(slot, number)

    return lambda size: [secret(slot) for slot in range(size)]


# Name of the file: plan, steps, size, how the secrets are made, and the test that fails.
CASES: dict[str, tuple[TestPlan, list[Step], int, Callable[[int], list[bytes]], str]] = {
    "dice": (BUILT_IN_PLAN, [Uniform(10_000)], 64, made, ""),
    "one-slot": (BUILT_IN_PLAN, [Uniform(37)], 1, made, ""),
    "several-steps": (BUILT_IN_PLAN, [Uniform(1), Sample(5, 2), Shuffle(3), Weighted((9, 1))], 40, made, ""),
    "weighted-reels": (BUILT_IN_PLAN, [Reels((("A", "B", "C"), ("A", "B")), ((3, 1, 2**60), (1, 255)))], 40, made, ""),
    "reels": (BUILT_IN_PLAN, [Reels((("A",) * 70, ("A", "B")), None)], 40, made, ""),
    "few-values": (TestPlan(error_bits=40, tests=("cells", "pairs"), values=50), [Sample(20, 5)], 40, made, ""),
    "repeated-block": (BUILT_IN_PLAN, COIN, 64, repeated_block, "repeats"),
    "stuck-bit": (BUILT_IN_PLAN, COIN, 64, stuck_bit, "bits"),
    "alternating-bit": (BUILT_IN_PLAN, COIN, 64, alternating_bit, "neighbours"),
    "always-heads": (BUILT_IN_PLAN, COIN, 64, chosen(lambda _slot: 0), "cells"),
    "heads-and-tails": (BUILT_IN_PLAN, COIN, 64, chosen(lambda slot: slot % 2), "pairs"),
}


def case(plan: TestPlan, steps: list[Step], size: int, make: Callable[[int], list[bytes]], test: str) -> dict[str, Any]:
    """Return one pool with its counts, its verdict, and the vault's signature on it."""
    secrets, described = make(size), [describe(step) for step in steps]
    slow = judge(json.loads(plan.to_bytes()), described, PROGRAM, COMMIT, BEACON, secrets)
    fast = judge_pool(plan, compile_program(steps), DrawKeyDeriver(COMMIT, BEACON, PROGRAM), b"".join(secrets))
    if (slow.verdict == "pass", slow.test, slow.test) != (fast.passed, fast.test, test):
        raise SystemExit(f"the code finds {fast}, PROTOCOL.md says {slow.verdict} {slow.test}, expected was {test!r}")
    statement = pool_test_statement(
        ORIGIN, POOL, commit=COMMIT, beacon=BEACON, plan=plan.digest, verdict=slow.verdict, test=slow.test
    )
    worst = max(slow.counts, key=divergence)
    return {
        "origin": ORIGIN,
        "pool": POOL,
        "plan": plan.to_bytes().decode("ascii"),
        "plan_digest": plan.digest.hex(),
        "program": PROGRAM,
        "steps": described,
        "commit_hash": COMMIT.hex(),
        "beacon": BEACON.hex(),
        "secrets": [secret.hex() for secret in secrets],
        "counts": [f"{count.test} {count.found}/{count.trials} {count.p}" for count in slow.counts],
        # Six digits: how a logarithm is rounded belongs to no format.
        "limit": f"{slow.limit:.6f}",
        "largest": f"{divergence(worst):.6f}",
        "verdict": slow.verdict,
        "test": slow.test,
        "statement": statement.hex(),
        "signature": KEY.sign(statement).hex(),
    }


def main() -> None:
    """Write the files, or compare them."""
    wanted = {f"{name}.json": (json.dumps(case(*given), indent=1) + "\n").encode() for name, given in CASES.items()}
    act = check_files if "--check" in sys.argv[1:] else write_files
    act(FOLDER, wanted, keep=frozenset({"README.md"}))


if __name__ == "__main__":
    main()
