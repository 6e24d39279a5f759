"""The worked example taken apart: every intermediate value, each reached twice.

The inputs are put together here by hand, from PROTOCOL.md and with hashlib and hmac alone; the outputs are the
library's. Where the two do not agree there is no example.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worked_example import (
    CALLER,
    CLIENT_SEED,
    LOG_SEED,
    ORIGIN,
    OTHER_SEED,
    POOL,
    POOL_KEY,
    POOL_SIZE,
    PROGRAM,
    RECEIPT_SEED,
    ROUND,
    Made,
    Story,
    request_id,
)

from anchor.merkle import inclusion_path, levels_of
from anchor.range_path import range_path
from rng_service.beacon.chain import QUICKNET
from rng_service.encoding import receipt_key_statement
from rng_service.names import request_hash
from rng_service.outcome.derivation import draw_key
from rng_service.records.record import binding_hash


@dataclass(frozen=True)
class Step:
    """One value: ``source`` goes through ``how`` and becomes ``value``; a given value has no source."""

    name: str
    how: str
    value: bytes | str
    source: bytes | None = None
    key: bytes | None = None


@dataclass(frozen=True)
class Section:
    """A part of the story with a sentence in front."""

    title: str
    text: str
    steps: tuple[Step, ...]


def given(name: str, value: bytes | str, how: str = "given") -> Step:
    """Return a value that is not hashed from others."""
    return Step(name, how, value)


def hashed(name: str, formula: str, source: bytes, library: bytes) -> Step:
    """Return a SHA-256 of bytes put together by hand, which must be what the library says."""
    _same(name, hashlib.sha256(source).digest(), library)
    return Step(name, formula, library, source)


def tree(name: str, leaves: Sequence[bytes], library: bytes) -> Step:
    """Return a Merkle root over leaf hashes, computed by the recursive definition."""
    _same(name, _root(leaves), library)
    return Step(name, "Merkle tree over these leaf hashes, in this order", library, b"".join(leaves))


def sections(story: Story) -> list[Section]:
    """Return the whole story."""
    return [
        _keys(story),
        _game(story),
        _slots(story),
        _commitment(story),
        _ticket(story),
        _ticketed(story),
        _one_step(story),
        _batch(story),
        _others(story),
        _opening(story),
        _digest(story),
        Section(
            "Receipt",
            "The receipt file of the draw on the ticket, as it is handed out:",
            (given("receipt", story.receipt(story.ticketed), "section 8"),),
        ),
    ]


def _keys(story: Story) -> Section:
    facts = (
        _u32(QUICKNET.period_s)
        + _u64(QUICKNET.genesis_time)
        + QUICKNET.public_key
        + QUICKNET.group_hash
        + QUICKNET.beacon_id.encode()
    )
    exists_us = (QUICKNET.genesis_time + (ROUND - 1) * QUICKNET.period_s) * 1_000_000
    _same("round", story.commit_us, exists_us - 60_000_000)
    return Section(
        "Keys and beacon",
        "The origin is `example.org/demo`. The private keys are the 32 bytes of RFC 8032, section 5.1.5. The "
        "beacon is the League of Entropy's chain quicknet; the round is a real one.",
        (
            given("log key, private", LOG_SEED),
            given("log key, vkey", story.vkey, "C2SP signed-note"),
            given("receipt key, private", RECEIPT_SEED),
            given("receipt key, public", story.receipt_public, "RFC 8032"),
            hashed(
                "receipt key, key_id (the first 8 bytes)",
                "SHA-256(public key)",
                story.receipt_public,
                hashlib.sha256(story.receipt_public).digest(),
            ),
            _attested(story),
            given("receipt key, signature", story.attestation, "Ed25519 with the log key"),
            hashed(
                "chain",
                "SHA-256(u32(period_s) || u64(genesis_time) || public key || group hash || beacon id)",
                facts,
                QUICKNET.chain_hash,
            ),
            given("round R", str(ROUND)),
            given("R exists from (microseconds)", str(exists_us), "(genesis_time + (R - 1) * period_s) * 1000000"),
            hashed("B", "SHA-256(signature of round R)", story.signature, story.beacon),
        ),
    )


def _attested(story: Story) -> Step:
    message = _label("sealdraw/v1/receipt-key") + _lp(ORIGIN.encode()) + story.receipt_public + _u64(1)
    _same("receipt key, signed message", message, receipt_key_statement(ORIGIN, story.receipt_public, 1))
    return given(
        "receipt key, signed message",
        message,
        'label("sealdraw/v1/receipt-key") || lp(origin) || public key || u64(epoch)',
    )


def _game(story: Story) -> Section:
    return Section(
        "Game",
        "A wheel with ten numbers. A number pays 19/2, `low` (0 to 4) pays 1.9.",
        (hashed("game_digest", "SHA-256(canonical JSON)", story.game.canonical, story.game.digest),),
    )


def _slots(story: Story) -> Section:
    leaves = story.levels[0]
    sources = [_leaf_source(slot, story.secrets_of(slot, 1)) for slot in range(POOL_SIZE)]
    for source, leaf in zip(sources, leaves, strict=True):
        _same("slot leaf", hashlib.sha256(source).digest(), leaf)
    secrets = tuple(
        given(f"s_{slot}", story.secrets_of(slot, 1), "AES-256-CTR keystream under K") for slot in range(POOL_SIZE)
    )
    return Section(
        "Slots",
        f"The pool `{POOL}` has eight slots.",
        (
            given("K", POOL_KEY),
            *secrets,
            hashed(
                "slot leaf 0",
                'SHA-256(0x00 || label("sealdraw/v1/slot") || lp(pool_id) || u64(0) || s_0)',
                sources[0],
                leaves[0],
            ),
            tree("slot_root", leaves, story.levels[-1][0]),
        ),
    )


def _commitment(story: Story) -> Section:
    commit, activate = story.entries[story.commit_index], story.entries[story.activate_index]
    return Section(
        "Commitment and activation",
        "Entries 0 to 4 of the log announce configuration, receipt key, chain, game and lanes; they are in the public "
        "directory. Entry 5 is the commitment, a minute before round R. The checkpoint of size 6 publishes it.",
        (
            hashed("D", "SHA-256(0x00 || entry 5)", b"\x00" + commit, story.commit_hash),
            given("checkpoint of size 6", story.commit_checkpoint, "signed note"),
            hashed(
                "leaf hash of the activation",
                "SHA-256(0x00 || entry 6)",
                b"\x00" + activate,
                hashlib.sha256(b"\x00" + activate).digest(),
            ),
        ),
    )


def _ticket(story: Story) -> Section:
    made = story.ticket
    return Section(
        "A ticket",
        "The caller `casino` keeps a client seed to itself, the ASCII text `a seed nobody else knows`, and shows its "
        "hash. Slot 0 is bound to the ticket. Request ids are 16 bytes, here a number behind a fixed beginning.",
        (
            hashed(
                "client_seed_hash",
                "SHA-256(client seed)",
                CLIENT_SEED,
                bytes.fromhex(made.members["client_seed_hash"]),
            ),
            hashed(
                "request hash",
                'SHA-256(label("sealdraw/v1/request") || lp(caller) || lp(request id))',
                _label("sealdraw/v1/request") + _lp(CALLER.encode()) + _lp(request_id(1)),
                request_hash(CALLER, request_id(1)),
            ),
            *_bound(made),
        ),
    )


def _ticketed(story: Story) -> Section:
    made = story.ticketed
    return Section(
        "A draw on the ticket",
        "The caller shows the seed and stakes 2.50 EUR on number 7. The draw takes the ticket's slot.",
        (
            *_bound(made),
            *_drawn(story, made, 0, CLIENT_SEED),
            given("payouts_minor", _decimals(made.payouts or ()), "docs/games.md"),
            given(
                "slot_path",
                b"".join(inclusion_path(story.levels, 0)),
                "RFC 9162 inclusion path of slot 0, leaf to root",
            ),
        ),
    )


def _one_step(story: Story) -> Section:
    made = story.one_step
    return Section(
        "A draw in one step",
        "The client seed, `another 16 bytes`, comes with the draw. 0.99 EUR on `low` pay 99 * 19/10 = 188.1, rounded down.",
        (
            *_bound(made),
            *_drawn(story, made, 1, OTHER_SEED),
            given("payouts_minor", _decimals(made.payouts or ()), "docs/games.md"),
        ),
    )


def _batch(story: Story) -> Section:
    made = story.batch
    return Section(
        "A batch of two",
        "One binding takes slots 2 and 3, without a client seed, stake or bet.",
        (
            *_bound(made),
            *_drawn(story, made, 2, b""),
            *_drawn(story, made, 3, b""),
            given("outcome of the receipt", _decimals(made.outcome), "the slots' outcomes, one behind the other"),
            given("slot_path", b"".join(range_path(story.levels, 2, 2)), "range path of slots 2 and 3, from the root"),
        ),
    )


def _others(story: Story) -> Section:
    opened = hashed(
        "opened (in the void's record)",
        "SHA-256(s_4)",
        story.secrets_of(4, 1),
        hashlib.sha256(story.secrets_of(4, 1)).digest(),
    )
    return Section(
        "A void and a settlement",
        "Slot 4 is bound to a ticket whose seed nobody shows before it expires, and is thrown away. A bettor of the "
        "caller's settles the outcome of slot 3: 5.00 EUR on `low` won 9.50.",
        (*_bound(story.expired), *_bound(story.void), opened, *_bound(story.settlement)),
    )


def _opening(story: Story) -> Section:
    digests = [made.digest for made in story.group]
    levels = levels_of(digests)
    opening = story.opening(digests[1], digests)
    root = levels[-1][0]
    return Section(
        "Opening",
        "The vault opened the three draws in one go. (The ticket was signed alone: index 0, size 1, no path.)",
        (
            tree("root of the group", digests, root),
            given(
                "signed message",
                _label("sealdraw/v1/opening") + _lp(ORIGIN.encode()) + root,
                'label("sealdraw/v1/opening") || lp(origin) || root',
            ),
            given("signature", opening.signature, "Ed25519 with the receipt key"),
            given("opening.path of the draw in one step, index 1 of 3", b"".join(opening.path), "leaf to root"),
        ),
    )


def _digest(story: Story) -> Section:
    built = story.digest
    # All are of one pool; its settlements stand behind the others.
    ordered = sorted(story.made, key=lambda made: (made.kind == "settle", made.slot, made.kind.encode(), made.digest))
    _same("order of the digest", [made.digest for made in ordered], [item.digest for item in built.items])
    names = ", ".join(made.name for made in ordered)
    leaves = [hashlib.sha256(b"\x00" + entry).digest() for entry in story.entries]
    return Section(
        "Digest and checkpoint",
        f"The order in `digests/000.bin` is: {names}. Entry 7 of the log is the digest.",
        (
            tree("root of the digest", [made.digest for made in ordered], built.entry.root),
            hashed("leaf hash of the digest", "SHA-256(0x00 || entry 7)", b"\x00" + built.data, built.leaf),
            tree("root of the log", leaves, levels_of(leaves)[-1][0]),
            given("checkpoint of size 8", story.checkpoint, "signed note"),
        ),
    )


def _bound(made: Made) -> tuple[Step, ...]:
    steps = []
    if made.payload:
        steps.append(
            hashed(
                "payload hash",
                'SHA-256(label("sealdraw/v1/payload") || canonical JSON)',
                _label("sealdraw/v1/payload") + made.payload,
                bytes.fromhex(made.members["payload"]),
            )
        )
    steps.append(
        hashed(
            "binding hash",
            'SHA-256(label("sealdraw/v1/binding") || binding)',
            _label("sealdraw/v1/binding") + made.binding,
            binding_hash(made.binding),
        )
    )
    steps.append(hashed("record digest", "SHA-256(0x00 || record)", b"\x00" + made.record, made.digest))
    return tuple(steps)


def _drawn(story: Story, made: Made, slot: int, seed: bytes) -> tuple[Step, ...]:
    secret = story.secrets_of(slot, 1)
    message = (
        _label("sealdraw/v1/draw")
        + story.commit_hash
        + _u64(slot)
        + _lp(story.beacon)
        + _lp(PROGRAM.encode())
        + _lp(seed)
    )
    key = hmac.digest(secret, message, "sha256")
    _same("draw key", key, draw_key(secret, story.commit_hash, slot, story.beacon, PROGRAM, seed))
    block = hmac.digest(key, _u32(0), "sha256")
    # uniform(10): the last four bits of each byte, until they are below ten.
    tried = [byte & 15 for byte in block]
    used = next(place for place, value in enumerate(tried) if value < 10)
    _same("outcome", (tried[used],), made.outcomes[slot - made.slot])
    trace = ", ".join(f"0x{block[place]:02x} & 15 = {tried[place]}" for place in range(used + 1))
    return (
        Step(
            f"draw key of slot {slot}",
            f'HMAC(s_{slot}, label("sealdraw/v1/draw") || D || u64({slot}) || lp(B) || lp(program) || lp(client seed))',
            key,
            message,
            secret,
        ),
        Step(f"block 0 of slot {slot}", "HMAC(draw key, u32(0))", block, _u32(0), key),
        given(f"outcome of slot {slot}", str(tried[used]), f"uniform(10): k = 4; {trace}"),
    )


def _leaf_source(slot: int, secret: bytes) -> bytes:
    return b"\x00" + _label("sealdraw/v1/slot") + _lp(POOL.encode()) + _u64(slot) + secret


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + _root(leaves[:split]) + _root(leaves[split:])).digest()


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _lp(data: bytes) -> bytes:
    return _u32(len(data)) + data


def _label(text: str) -> bytes:
    return _lp(text.encode("ascii"))


def _decimals(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))


def _same(name: str, plain: Any, library: Any) -> None:
    if plain != library:
        raise SystemExit(f"worked example: {name}: by hand {plain!r}, by the library {library!r}")
