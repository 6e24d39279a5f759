"""An operator who makes many commitments and publishes the one that pays least; slots and mapping are the real ones."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from anchor.merkle import leaf_hash
from rng_service.games.definition import GameDefinition, parse_game
from rng_service.log_entries import PoolCommit
from rng_service.outcome import DrawKeyDeriver
from rng_service.pools.slots import SECRET_BYTES, slot_leaves, slot_root, slot_secrets

__all__ = ["GAME", "LAW", "PRIZES", "PROGRAM", "Pool", "candidates", "paid", "worst_of"]

POOL = "bench/slot-96/1/base/real/0/1"
PROGRAM = "base"
# A slot of medium volatility: returns 96 %, one standard deviation of a spin is seven stakes.
PRIZES = ((0, 66_590), (1, 20_000), (2, 9_000), (5, 3_400), (20, 800), (100, 200), (500, 10))
# So many commitments are tried for each sealed pool; they differ in the operator's own clock, by a microsecond each.
COMMITS_A_KEY = 100
_TIME_US = 1_750_000_000_000_000


def _game() -> GameDefinition:
    """Return the game definition, read as any other."""
    prizes = [{"pays": pays, "numbers": [number]} for number, (pays, _) in enumerate(PRIZES) if pays]
    program = {
        "steps": [{"step": "weighted", "weights": [weight for _, weight in PRIZES]}],
        "settlement": {"model": "table", "bets": {"spin": {"prizes": prizes}}},
    }
    document = {"v": 1, "game": "slot-96", "version": 1, "title": "Slot 96", "programs": {PROGRAM: program}}
    return parse_game(json.dumps(document).encode())


GAME = _game()
LAW = dict(GAME.program(PROGRAM).model.listed_bets())["spin"].prizes()
_OUTCOME = GAME.program(PROGRAM).outcome
_PAYS = np.array([pays for pays, _ in PRIZES], dtype=np.float64)


@dataclass(frozen=True)
class Pool:
    """A sealed pool with the commitment that the operator thinks of publishing; ``secrets`` are s_0 || s_1 || …"""

    secrets: bytes
    commit: PoolCommit

    @cached_property
    def commit_hash(self) -> bytes:
        """D: the leaf hash of the commitment's bytes, which every draw key depends on."""
        return leaf_hash(self.commit.to_bytes())

    @property
    def size(self) -> int:
        """How many slots it has."""
        return len(self.secrets) // SECRET_BYTES

    def deriver(self, beacon: bytes = b"") -> DrawKeyDeriver:
        """Return what makes draw keys of this pool under a beacon value, or none."""
        return DrawKeyDeriver(self.commit_hash, beacon, PROGRAM)

    def outcomes(self, first: int, last: int, *, beacon: bytes = b"", seeds: Sequence[bytes] = ()) -> NDArray[np.uint8]:
        """Return what slots ``first`` … ``last`` - 1 yield; ``seeds`` are the players', one each, or none."""
        deriver, derive = self.deriver(beacon), _OUTCOME.derive
        found = np.empty(last - first, dtype=np.uint8)
        for place, slot in enumerate(range(first, last)):
            secret = self.secrets[SECRET_BYTES * slot : SECRET_BYTES * (slot + 1)]
            found[place] = derive(deriver.outcome_stream(secret, slot, seeds[place] if seeds else b""))[0]
        return found

    def draw_bytes(self, size: int = 32) -> bytes:
        """Return the beginning of every slot's byte stream: what its outcome is made of."""
        deriver = self.deriver()
        return b"".join(
            deriver.outcome_stream(self.secrets[SECRET_BYTES * slot : SECRET_BYTES * (slot + 1)], slot, b"").read(size)
            for slot in range(self.size)
        )


def paid(outcomes: NDArray[np.uint8]) -> float:
    """Return what the outcomes pay back for each unit staked."""
    return float(_PAYS[outcomes].mean())


def candidates(count: int, slots: int, *, label: str) -> Iterator[Pool]:
    """Yield ``count`` commitments that the operator could publish; everything is seeded by ``label``.

    Sealing is the dearer part, so each sealed pool stands for a hundred: the time in a commitment is the operator's
    word, and another microsecond is another D, and with it other outcomes for every slot.
    """
    for sealed in range(-(-count // COMMITS_A_KEY)):
        secrets = slot_secrets(sha256(f"{label} {sealed}".encode()).digest(), slots)
        commit = PoolCommit(
            origin="example.org/bench",
            time_us=_TIME_US,
            pool=POOL,
            size=slots,
            slot_root=slot_root(slot_leaves(POOL, secrets)),
            game_digest=GAME.digest,
            program=PROGRAM,
            drbg_instance="bench",
            drbg_epoch=0,
            key_epoch=0,
            deadline_us=_TIME_US + 3_600_000_000,
        )
        for microsecond in range(min(COMMITS_A_KEY, count - sealed * COMMITS_A_KEY)):
            yield Pool(secrets, replace(commit, time_us=_TIME_US + microsecond))


def worst_of(pools: Sequence[Pool], *, glance: int, kept: int) -> list[tuple[float, Pool]]:
    """Return the ``kept`` pools that pay least in their first ``glance`` slots, by what they pay in full, least first.

    A first glance spares nine tenths of the work and costs little: what is bad in its tenth part is bad enough.
    """
    glanced = sorted((paid(pool.outcomes(0, glance)), number) for number, pool in enumerate(pools))[:kept]
    full = ((paid(pools[number].outcomes(0, pools[number].size)), number) for _, number in glanced)
    return [(pays, pools[number]) for pays, number in sorted(full)]
