"""What one core does without any process around it: sealing, verifying."""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from anchor.merkle import levels_of
from rng_service.pools.slots import slot_leaves, slot_secrets


def rate(work: Callable[[], int], runs: int) -> dict[str, Any]:
    found = []
    for _ in range(runs):
        started = time.perf_counter()
        count = work()
        found.append(round(count / (time.perf_counter() - started)))
    return {"per_second": max(found), "median": statistics.median(found), "runs": found}


def seal_slots(*, size: int = 1 << 17, runs: int = 5) -> dict[str, Any]:
    """Slots a second: keystream, leaves and the whole Merkle tree."""
    key = os.urandom(32)

    def seal() -> int:
        leaves = slot_leaves("bench/roulette/1/base/real/0/1", slot_secrets(key, size))
        levels_of(leaves)
        return size

    return rate(seal, runs) | {"baseline": "900,000 slots a second"}
