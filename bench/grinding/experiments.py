"""The experiments of docs/what-tests-cannot-see.md; each returns what its paragraph states, as JSON."""

import time
from hashlib import sha256
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from bench.grinding import examination
from bench.grinding.examination import Said
from bench.grinding.operator import GAME, LAW, PROGRAM, Pool, candidates, paid, worst_of
from rng_service.pools.slots import SECRET_BYTES
from rng_service.vault.drbg import MAX_BYTES_PER_REQUEST, CtrDrbg

__all__ = ["FULL", "Scale", "grind", "known_seed", "little_by_little", "run_all", "steer", "with_the_protocol"]

RETURN = float(LAW.mean)
DEVIATION = sqrt(float(LAW.variance))
KNOWN_SEED = b"a seed that stands in a public repository, as this one does"


class Scale(NamedTuple):
    """How much is done; `FULL` is what the page shows."""

    pools: int = 2_000
    slots: int = 10_000
    glance: int = 1_000
    kept: int = 100
    periods: int = 100
    beacons: int = 60
    draws: int = 12_000


FULL = Scale()


def run_all(scale: Scale = FULL) -> dict[str, Any]:
    """Carry out everything, in the order of the page."""
    ground, chosen = grind(scale)
    return {
        "format": "sealdraw/grinding@v1",
        "game": {"return": RETURN, "deviation": DEVIATION},
        "scale": scale._asdict(),
        "grind": ground,
        "little_by_little": little_by_little(scale),
        "known_seed": known_seed(),
        "with_the_protocol": with_the_protocol(chosen, scale),
        "steer": steer(scale),
    }


def grind(scale: Scale) -> tuple[dict[str, Any], Pool]:
    """Choose the worst of many commitments that every examination passes."""
    started = time.process_time()
    ranked = worst_of(list(candidates(scale.pools, scale.slots, label="grind")), glance=scale.glance, kept=scale.kept)
    seconds = time.process_time() - started
    for refused, (pays, pool) in enumerate(ranked):
        said = list(examination.pool(pool))
        if all(one.verdict == "pass" for one in said):
            found = {
                "processor_seconds": round(seconds, 1),
                "return": pays,
                "standard_errors": (pays - RETURN) / (DEVIATION / sqrt(scale.slots)),
                "worse_ones_that_did_not_pass": refused,
                "said": _as_json(said),
            }
            return found, pool
    raise AssertionError("not one of the worst pools passed every battery: the page would have to be written anew")


def little_by_little(scale: Scale) -> dict[str, Any]:
    """Choose the worse of two commitments for every fourth pool, and look at all pools together."""
    drawn = []
    secrets = bytearray()
    lost = []
    for period in range(scale.periods):
        count = 2 if period % 4 == 0 else 1
        pools = list(candidates(count, scale.slots, label=f"period {period}"))
        found = sorted((pool.outcomes(0, pool.size) for pool in pools), key=paid)
        drawn.append(found[0])
        # What an honest operator publishes is either of the two: on the average, their mean.
        lost.append((paid(found[-1]) - paid(found[0])) / 2 if count == 2 else 0.0)
        secrets += pools[0].secrets
    everything = np.concatenate(drawn)
    said = [
        *examination.bits("all secrets", bytes(secrets)),
        examination.outcomes("gaming battery, all outcomes", everything),
        examination.inside_band(everything),
    ]
    return {
        "outcomes": len(everything),
        "taken_from_players": float(np.mean(lost)),
        "return": paid(everything),
        "said": _as_json(said),
    }


def known_seed() -> dict[str, Any]:
    """Test the output of the vault's own generator, whose seed everybody knows, and predict all of it."""
    entropy = sha256(KNOWN_SEED).digest()
    first, second = (CtrDrbg(entropy, bytes(16), b"known") for _ in range(2))
    observed = b"".join(first.generate(MAX_BYTES_PER_REQUEST) for _ in range(48))
    predicted = b"".join(second.generate(MAX_BYTES_PER_REQUEST) for _ in range(48))
    return {
        "bytes": len(observed),
        "predicted": predicted == observed,
        "said": _as_json(list(examination.bits("a generator with a published seed", observed))),
    }


def with_the_protocol(chosen: Pool, scale: Scale) -> dict[str, Any]:
    """Give the very pool that was chosen a beacon value that came later, or its players seeds of their own.

    Beacon values and client seeds stand for what the operator could not know; they are seeded here so that the run
    can be repeated.
    """
    beacons, fresh = [], []
    for turn in range(scale.beacons):
        beacon = sha256(f"beacon {turn}".encode()).digest()
        beacons.append(paid(chosen.outcomes(0, chosen.size, beacon=beacon)))
        seeds = [sha256(f"player {turn} {slot}".encode()).digest()[:16] for slot in range(chosen.size)]
        fresh.append(paid(chosen.outcomes(0, chosen.size, seeds=seeds)))
    error = DEVIATION / sqrt(scale.beacons * chosen.size)
    return {
        "chosen_for": paid(chosen.outcomes(0, chosen.size)),
        "turns": scale.beacons,
        "error": error,
        "with_a_later_beacon": float(np.mean(beacons)),
        "with_fresh_client_seeds": float(np.mean(fresh)),
    }


def steer(scale: Scale) -> dict[str, Any]:
    """Answer each request with the worst of the next ten slots: possible when the seed is known before the slot.

    With a ticket the slot is fixed before the seed: the operator may still prefer one of ten slots, but on what?
    Here on what it would yield under the last seed that the player used.
    """
    derive = GAME.program(PROGRAM).outcome.derive
    (pool,) = candidates(1, 10, label="steer")
    deriver = pool.deriver()

    def outcome(slot: int, seed: bytes) -> int:
        secret = pool.secrets[SECRET_BYTES * slot : SECRET_BYTES * (slot + 1)]
        return derive(deriver.outcome_stream(secret, slot, seed))[0]

    steered = np.empty(scale.draws, dtype=np.uint8)
    ticketed = np.empty(scale.draws, dtype=np.uint8)
    last = bytes(16)
    for draw in range(scale.draws):
        seed = sha256(f"seed {draw}".encode()).digest()[:16]
        steered[draw] = min(outcome(slot, seed) for slot in range(pool.size))
        preferred = min(range(pool.size), key=lambda slot: (outcome(slot, last), slot))
        ticketed[draw] = outcome(preferred, seed)
        last = seed
    return {
        "draws": scale.draws,
        "slots": pool.size,
        "steered": paid(steered),
        "ticketed": paid(ticketed),
        "error": DEVIATION / sqrt(scale.draws),
    }


def _as_json(said: list[Said]) -> list[dict[str, Any]]:
    return [one._asdict() for one in said]
