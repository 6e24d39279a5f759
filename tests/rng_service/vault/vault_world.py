"""A small log and the bindings that a front would make, for tests that drive a vault."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from anchor import canonical
from anchor.merkle import consistency_path, inclusion_path, leaf_hash, levels_of, root_of
from rng_service.pools.slots import slot_root
from rng_service.vault.core import Vault
from rng_service.vault.layout import initialise_vault
from rng_service.vault.steps import OnStep, no_step

ORIGIN = "acme/test"
POOL = "test/roulette/1/main/real/0/1"
OTHER_POOL = "test/roulette/1/main/real/0/2"
NOW_US = 1_800_000_000_000_000


def clock() -> int:
    return NOW_US


@dataclass(frozen=True)
class Opening:
    slot: int
    kind: int
    binding: bytes
    ticket_binding: bytes = b""
    count: int = 1
    pool_id: str = POOL


def binding(kind: int, at: int, **fields: Any) -> bytes:
    """A binding as PROTOCOL.md section 7 has it; ``fields`` override, None removes."""
    common: dict[str, Any] = {"bind_time": NOW_US, "nonce": "00" * 16, "pool": POOL, "slot": at, "v": 1}
    if kind in {1, 2}:
        common |= {"caller": "acme", "payload": "11" * 32, "program": "main", "request": "22" * 32}
    if kind == 2:
        common |= {"client_seed_hash": sha256(b"s" * 16).hexdigest(), "expires": NOW_US + 1}
    if kind == 3:
        common |= {"reason": "quarantine"}
    merged = common | fields
    return canonical.encode({name: value for name, value in merged.items() if value is not None})


def draw(slot: int, **fields: Any) -> Opening:
    pool = fields.get("pool", POOL)
    return Opening(slot, 1, binding(1, slot, **fields), count=fields.get("count", 1), pool_id=pool)


def ticket(slot: int, **fields: Any) -> Opening:
    return Opening(slot, 2, binding(2, slot, **fields), pool_id=fields.get("pool", POOL))


def void(slot: int, **fields: Any) -> Opening:
    pool = fields.get("pool", POOL)
    return Opening(slot, 3, binding(3, slot, **fields), count=fields.get("count", 1), pool_id=pool)


def redeem(reserved: Opening, seed: bytes = b"s" * 16, **fields: Any) -> Opening:
    """A draw on ``reserved``."""
    hashed = sha256(b"\x00\x00\x00\x13sealdraw/v1/binding" + reserved.binding).hexdigest()
    data = binding(1, reserved.slot, **({"ticket": hashed, "client_seed": seed.hex()} | fields))
    return Opening(reserved.slot, 1, data, reserved.binding)


class Logged(NamedTuple):
    """What the vault's proto calls a LoggedEntry."""

    entry: bytes
    index: int
    checkpoint: bytes
    inclusion_proof: list[bytes]


@dataclass
class Log:
    """The public log as far as a vault needs one."""

    leaves: list[bytes] = field(default_factory=list)
    signed: int = 0
    note: bytes = b""

    def append(self, entry: bytes) -> int:
        self.leaves.append(leaf_hash(entry))
        return len(self.leaves) - 1

    def sign(self, vault: Vault) -> bytes:
        proof = consistency_path(self.leaves, self.signed) if self.signed else []
        note = vault.sign_checkpoint(len(self.leaves), root_of(self.leaves), proof, self.signed)
        self.signed = len(self.leaves)
        self.note = note
        return note

    def path(self, index: int) -> list[bytes]:
        return inclusion_path(levels_of(self.leaves), index)

    def prove(self, entry: bytes, index: int) -> Logged:
        """The entry as it stands in the newest signed checkpoint."""
        return Logged(entry, index, self.note, inclusion_path(levels_of(self.leaves[: self.signed]), index))


def commit_entry(pool_id: str, leaves: list[bytes], **fields: Any) -> bytes:
    return canonical.encode(
        {
            "deadline_us": NOW_US,
            "drbg_epoch": 1,
            "drbg_instance": "vault-1",
            "game_digest": "33" * 32,
            "key_epoch": 1,
            "kind": "independent",
            "origin": ORIGIN,
            "pool": pool_id,
            "program": "main",
            "size": len(leaves),
            "slot_root": slot_root(leaves).hex(),
            "time_us": NOW_US,
            "type": "pool.commit",
            "v": 1,
        }
        | fields
    )


def activate_entry(committed_to: bytes, index: int, **fields: Any) -> bytes:
    return canonical.encode(
        {
            "checkpoint": "00",
            "commit": leaf_hash(committed_to).hex(),
            "commit_index": index,
            "origin": ORIGIN,
            "pool": canonical.decode_object(committed_to)["pool"],
            "time_us": NOW_US,
            "type": "pool.activate",
            "v": 1,
        }
        | fields
    )


def settlement(**fields: Any) -> bytes:
    """The binding of a settlement; ``fields`` override, None removes."""
    merged: dict[str, Any] = {
        "bet": {"bet": "red"},
        "bettor": "44" * 32,
        "bind_time": NOW_US,
        "caller": "acme",
        "currency": "EUR",
        "draw": "55" * 32,
        "nonce": "00" * 16,
        "payload": "11" * 32,
        "payout_minor": 200,
        "pool": POOL,
        "request": "22" * 32,
        "slot": 0,
        "stake_minor": 100,
        "status": "final",
        "v": 1,
    } | fields
    return canonical.encode({name: value for name, value in merged.items() if value is not None})


def new_vault(directory: Path, on_step: OnStep = no_step) -> Vault:
    initialise_vault(directory, ORIGIN, clock_us=clock)
    return open_vault(directory, on_step)


def open_vault(directory: Path, on_step: OnStep = no_step) -> Vault:
    return Vault(directory, ORIGIN, clock_us=clock, on_step=on_step)


def activated(vault: Vault, pool: str = POOL, size: int = 8, log: Log | None = None) -> list[bytes]:
    """Seal, commit and activate a pool; return its leaves."""
    log = log if log is not None else Log()
    leaves = vault.seal(pool, size, "independent").leaves
    entry = commit_entry(pool, leaves)
    activate(vault, log, pool, entry, log.append(entry))
    return leaves


def activate(vault: Vault, log: Log, pool: str, commit: bytes, index: int) -> None:
    """Log the activation of what was committed to at ``index``, sign, and activate."""
    activation = activate_entry(commit, index)
    at = log.append(activation)
    log.sign(vault)
    vault.activate(pool, log.prove(commit, index), log.prove(activation, at))


def committed(vault: Vault, pool: str = POOL, size: int = 8, log: Log | None = None) -> Logged:
    """Seal and commit a pool; return its commitment in the signed log."""
    log = log if log is not None else Log()
    entry = commit_entry(pool, vault.seal(pool, size, "independent").leaves)
    index = log.append(entry)
    log.sign(vault)
    return log.prove(entry, index)


def in_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a forked process; return its wait status."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 (the child must never return into pytest)
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]
