"""Write tests/vectors/deals/*.json; `--check` fails when they differ from what the code computes now.

Every value is computed here a second time by a plain reading of PROTOCOL.md (one block of AES and one HMAC after the
other, a list that is shuffled), so that a file can only be written when the fast path agrees with it.
"""

import hmac
import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from vector_files import check_files, write_files

from rng_service.encoding import lp, u32, u64
from rng_service.outcome import Deal, DealDeriver, compile_program
from rng_service.pools.deals import deal_order, deal_secrets
from rng_service.pools.slots import slot_leaves, slot_root

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "deals"
POOL = "demo/pull-tab/1/base/real/0/1"
# Name of the file: pool key, D, B, tickets of each tier. 300 places need two bytes of the stream for each swap.
CASES: dict[str, tuple[bytes, bytes, bytes, tuple[int, ...]]] = {
    "twelve": (b"\x03" * 32, bytes(range(32)), bytes(range(32, 64)), (7, 3, 2)),
    "one": (bytes(32), bytes(32), bytes(32), (1,)),
    "three-hundred": (b"\xff" * 32, b"\xee" * 32, b"\xdd" * 32, (200, 60, 30, 9, 1)),
}


def keystream(key: bytes, slot: int) -> Iterator[int]:
    """Yield the bytes of the pool's keystream from that of ``slot`` on, two blocks for each slot."""
    encryptor = Cipher(AES(key), ECB()).encryptor()
    block = 2 * slot
    while True:
        yield from encryptor.update(block.to_bytes(16, "big"))
        block += 1


def beacon_stream(key: bytes) -> Iterator[int]:
    """Yield the bytes of block 0, block 1, … under ``key``."""
    block = 0
    while True:
        yield from hmac.digest(key, u32(block), "sha256")
        block += 1


def shuffle(size: int, stream: Iterator[int]) -> list[int]:
    """Return 0 … size - 1 as PROTOCOL.md, section 4, shuffles them."""
    cards = list(range(size))
    for i in range(size - 1, 0, -1):
        bits = i.bit_length()
        while True:
            value = int.from_bytes(bytes(next(stream) for _ in range(-(-bits // 8))), "big") & (2**bits - 1)
            if value <= i:
                break
        cards[i], cards[value] = cards[value], cards[i]
    return cards


def case(key: bytes, commit_hash: bytes, beacon: bytes, counts: tuple[int, ...]) -> dict[str, Any]:
    """Return one deal with every value from its key to its tickets."""
    size = sum(counts)
    order = shuffle(size, keystream(key, size))
    stream = keystream(key, 0)
    secrets = []
    for place in order:
        part = bytes(next(stream) for _ in range(32))
        secrets.append(part[:24] + u64(place))
    permutation_key = hmac.digest(beacon, lp(b"sealdraw/v1/deal") + commit_hash, "sha256")
    permutation = shuffle(size, beacon_stream(permutation_key))
    composition = [tier for tier, count in enumerate(counts) for _ in range(count)]
    leaves = [
        sha256(b"\x00" + lp(b"sealdraw/v1/slot") + lp(POOL.encode()) + u64(slot) + secret).digest()
        for slot, secret in enumerate(secrets)
    ]
    tiers = [composition[permutation[place]] for place in order]
    require_same("order", order, list(deal_order(key, size)))
    require_same("secrets", secrets, chunks(deal_secrets(key, size)))
    require_same("leaves", leaves, slot_leaves(POOL, deal_secrets(key, size)))
    deriver, program = DealDeriver(commit_hash, beacon, size), compile_program([Deal(counts)])
    require_same("permutation", permutation, list(deriver.permutation))
    derived = [program.derive(deriver.outcome_stream(secret, slot, b""))[0] for slot, secret in enumerate(secrets)]
    require_same("tiers", tiers, derived)
    return {
        "pool": POOL,
        "counts": list(counts),
        "pool_key": key.hex(),
        "commit_hash": commit_hash.hex(),
        "beacon": beacon.hex(),
        "order": order,
        "secrets": [secret.hex() for secret in secrets],
        "leaves": [leaf.hex() for leaf in leaves],
        "slot_root": slot_root(leaves).hex(),
        "permutation_key": permutation_key.hex(),
        "permutation": permutation,
        "tickets": [permutation[place] for place in order],
        "outcomes": tiers,
        "opened_digest": sha256(b"".join(secrets)).hexdigest(),
    }


def chunks(secrets: bytes) -> list[bytes]:
    """Return the secrets one by one."""
    return [secrets[at : at + 32] for at in range(0, len(secrets), 32)]


def require_same(name: str, slow: list[Any], fast: list[Any]) -> None:
    """Exit when the two computations differ."""
    if slow != fast:
        raise SystemExit(f"{name}: the code computes {fast[:20]}, PROTOCOL.md says {slow[:20]}")


def main() -> None:
    """Write the files, or compare them."""
    wanted = {f"{name}.json": (json.dumps(case(*given), indent=1) + "\n").encode() for name, given in CASES.items()}
    act = check_files if "--check" in sys.argv[1:] else write_files
    act(FOLDER, wanted, keep=frozenset({"README.md"}))


if __name__ == "__main__":
    main()
