"""Every bad generator and mapping of the bench, which batteries are asked, and which test has to find it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.power import bits, mappings, seeded
from bench.power.batteries import (
    Question,
    across_streams,
    counts,
    duplicates_behind_a_gap,
    gaming,
    seed_search,
    sp800_22,
    two_wheels,
    weakness,
    wheel,
)
from stats_tests.gaming import OutcomeShape, Permutation, Uniform

__all__ = ["BAD", "BATTERIES", "GOOD", "Entry", "Witness"]

Bytes = NDArray[np.uint8]

NIST: Final = "SP 800-22"
WEAKNESS: Final = "weakness"
GAMING: Final = "gaming"
STREAMS: Final = "streams and seeds"
BATTERIES: Final = (NIST, WEAKNESS, GAMING, STREAMS)


@dataclass(frozen=True, slots=True)
class Witness:
    """That ``battery`` finds it by ``test``, at ``size`` at the latest: asserted by the tests of the bench."""

    battery: str
    test: str
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One fault: its name in the table, what is wrong, what it is asked, and who has to find it (None: nobody can).

    ``needed`` is the number of outcomes that χ² needs for certain (`draws_needed`), where it is known.
    """

    name: str
    what: str
    questions: Mapping[str, Question]
    witness: Witness | None
    needed: float | None = None


def _of_bits(name: str, what: str, make: Callable[[int], Bytes], witness: Witness) -> Entry:
    """Raw bits are asked everything that one stream can be asked."""
    return Entry(name, what, {NIST: sp800_22(make), WEAKNESS: weakness(make), GAMING: wheel(make)}, witness)


def _of_outcomes(name: str, what: str, question: Question, test: str, size: int) -> Entry:
    return Entry(name, what, {GAMING: question}, Witness(GAMING, test, size))


def _seeded(seed_bits: int, witness_size: int) -> Entry:
    """The single stream is good; many of them are not."""

    def session(size: int) -> Bytes:
        return np.asarray(seeded.sessions(1, size, seed_bits=seed_bits)[0])

    return Entry(
        f"seeds of {seed_bits} bits, many sessions",
        f"SplitMix64, each session from one of 2^{seed_bits} seeds",
        {
            NIST: sp800_22(session, most=5),
            WEAKNESS: weakness(session, last=22),
            GAMING: wheel(session),
            STREAMS: across_streams(
                lambda count: seeded.sessions(count, 64, seed_bits=seed_bits), unit="sessions", first=4, last=15
            ),
        },
        Witness(STREAMS, "across streams", witness_size),
    )


def _seed_searched(seed_bits: int) -> Entry:
    observed = seeded.sessions(1, 16, seed_bits=seed_bits, seed=7)[0]
    question = seed_search(observed, partial(seeded.all_beginnings, seed_bits), seed_bits=seed_bits)
    return Entry(
        f"seeds of {seed_bits} bits, one session",
        f"the same, when the generator is known: all 2^{seed_bits} seeds are tried",
        {STREAMS: question},
        Witness(STREAMS, "seed search", 16),
    )


def _shared_seed() -> Entry:
    def both(size: int) -> Bytes:
        return np.stack([bits.aes_ctr(size, 3), bits.aes_ctr(size, 3)])

    one = partial(bits.aes_ctr, seed=3)
    return Entry(
        "two streams share a seed",
        "AES-256-CTR twice under one key",
        {
            NIST: sp800_22(one, most=5),
            WEAKNESS: weakness(one, last=22),
            GAMING: two_wheels(one, one),
            STREAMS: across_streams(both, unit="bytes of each", first=4, last=10),
        },
        Witness(STREAMS, "across streams", 16),
    )


def _counter_wrap() -> Entry:
    near = 4 * bits.MEBIBYTE
    last_blocks = (1 << 32) - near // 16

    def before() -> Bytes:
        return np.concatenate([bits.aes_ctr32(near), bits.aes_ctr32(near, first_block=last_blocks)])

    def behind(size: int) -> Bytes:
        return bits.aes_ctr32(near + size, first_block=last_blocks)[near:]

    # 8 MiB stand for 64 GiB: of 2^13 windows one is kept, as when all of it is read.
    question = duplicates_behind_a_gap(before, behind, most=(1 << 22) >> 13)
    return Entry(
        "AES-CTR, counter of 32 bits",
        "begins again behind 64 GiB; what lies between the first and the last 4 MiB before that is skipped here",
        {NIST: sp800_22(bits.aes_ctr32, most=5), WEAKNESS: question, GAMING: wheel(bits.aes_ctr32)},
        Witness(WEAKNESS, "duplicates, whole stream", 1 << 20),
    )


def _modulo_by_counts(width: int, bound: int, first: int, last: int, witness_size: int | None) -> Entry:
    shares = mappings.shares_of_remainders(width, bound)
    question = counts(shares, seed=width * bound, first=first, last=last, unit="outcomes")
    return Entry(
        f"uint{width} % {bound}",
        f"{width} bits modulo {bound}; only the counts are simulated",
        {GAMING: question},
        None if witness_size is None else Witness(GAMING, "chi-square", witness_size),
        mappings.draws_needed(shares),
    )


def _modulo_of_bytes(bound: int, size: int) -> Entry:
    question = gaming(
        OutcomeShape((Uniform(bound),)),
        partial(mappings.remainders, seed=1, bound=bound),
        unit="outcomes",
        first=8,
        last=20,
    )
    return _of_outcomes(f"uint8 % {bound}", f"a byte modulo {bound}", question, "chi-square", size)


def _shuffle(name: str, what: str, make: Callable[[int, int], mappings.Rows], test: str, size: int) -> Entry:
    question = gaming(OutcomeShape((Permutation(52),)), lambda count: make(count, 1), unit="decks", first=4, last=14)
    return _of_outcomes(name, what, question, test, size)


def _wheel(name: str, what: str, make: Callable[[int, int], mappings.Rows], test: str, size: int) -> Entry:
    question = gaming(
        OutcomeShape((Uniform(mappings.POCKETS),)), lambda count: make(count, 1), unit="spins", first=6, last=16
    )
    return _of_outcomes(name, what, question, test, size)


BAD: Final[tuple[Entry, ...]] = (
    _of_bits(
        "java.util.Random",
        "nextInt(): the upper 32 of 48 bits of a congruential generator",
        bits.java_util_random,
        Witness(WEAKNESS, "matrix ranks, 256 rows", 1 << 19),
    ),
    _of_bits(
        "MWC1616",
        "Math.random() of V8 before 2016: two multiply-with-carry generators of 16 bits",
        bits.mwc1616,
        Witness(WEAKNESS, "birthday spacings, pairs of words", 1 << 18),
    ),
    _of_bits(
        "xorshift128+",
        "Math.random() of V8 since then, all 64 bits",
        bits.xorshift128plus,
        Witness(WEAKNESS, "bit-plane linear complexity, all planes", 1 << 14),
    ),
    _of_bits(
        "xorshift128+, low bits",
        "the lowest bit of each word",
        bits.xorshift128plus_low_bits,
        Witness(WEAKNESS, "matrix ranks, 256 rows", 1 << 13),
    ),
    _of_bits(
        "MT19937",
        "the Mersenne Twister, 32-bit words",
        bits.mersenne_twister,
        Witness(WEAKNESS, "bit-plane linear complexity, long", 1 << 19),
    ),
    _of_bits(
        "RANDU",
        "x ← 65539·x mod 2^31, the upper 16 bits",
        bits.randu,
        Witness(WEAKNESS, "birthday spacings, words", 1 << 14),
    ),
    _of_bits(
        "minimal standard, low bits",
        "x ← 16807·x mod (2^31 - 1), the lower 16 bits",
        bits.minimal_standard_low_bits,
        Witness(WEAKNESS, "birthday spacings, words", 1 << 17),
    ),
    _of_bits(
        "rand() of ANSI C, low bytes",
        "x ← 1103515245·x + 12345 mod 2^31, the lowest byte",
        bits.ansi_c_low_bytes,
        Witness(WEAKNESS, "duplicates, whole stream", 1 << 12),
    ),
    _of_bits(
        "repeats every MiB",
        "AES-256-CTR that begins again",
        bits.repeating,
        Witness(WEAKNESS, "duplicates, whole stream", 1 << 21),
    ),
    _of_bits(
        "blocks delivered twice",
        "AES-256-CTR; one block of 4 KiB in a thousand comes again instead of the next",
        bits.delivered_twice,
        Witness(WEAKNESS, "duplicates, whole stream", 1 << 22),
    ),
    _counter_wrap(),
    _of_bits(
        "stuck bit, 1 in 1,000",
        "the lowest bit of a byte is 1 in one byte of a thousand",
        bits.stuck_bit,
        Witness(WEAKNESS, "bit-plane frequency", 1 << 26),
    ),
    _of_bits(
        "P(1) = 0.501",
        "every bit a little too often 1",
        bits.biased,
        Witness(WEAKNESS, "bit-plane frequency", 1 << 21),
    ),
    _seeded(16, 1 << 11),
    _seeded(24, 1 << 14),
    _seed_searched(16),
    _seed_searched(24),
    _shared_seed(),
    _modulo_of_bytes(6, 1 << 20),
    _modulo_of_bytes(37, 1 << 17),
    _modulo_of_bytes(52, 1 << 17),
    _modulo_by_counts(16, 37, 16, 33, 1 << 32),
    _modulo_by_counts(16, 52, 16, 33, 1 << 31),
    _modulo_by_counts(32, 52, 16, 40, None),
    _shuffle(
        "naive swap", "every card changes places with any card", mappings.naive_shuffles, "rank among remaining", 512
    ),
    _shuffle("Sattolo's shuffle", "no card stays where it was", mappings.sattolo_shuffles, "arrangements", 64),
    _shuffle(
        "sort by coin toss",
        "sorted with a random comparison",
        mappings.random_comparator_shuffles,
        "rank among remaining",
        256,
    ),
    _wheel(
        "wheel without its last pocket", "0 … 35 instead of 0 … 36", mappings.off_by_one_wheel, "maximum of t", 1_024
    ),
    _wheel("wheel with a pocket too many", "0 … 37 instead of 0 … 36", mappings.one_too_many_wheel, "possible", 256),
    _of_outcomes(
        "slot weight off by 0.5 %",
        "one of five weights; only the counts are simulated",
        counts(mappings.slot_shares(), seed=5, first=16, last=25, unit="spins"),
        "chi-square",
        1 << 24,
    ),
)
GOOD: Final[Mapping[str, Callable[[int, int], Bytes]]] = {
    "AES-256-CTR": bits.aes_ctr,
    "ChaCha20": bits.chacha20,
    "our CTR_DRBG": bits.our_drbg,
    "PCG64DXSM": bits.pcg64dxsm,
    "Philox": bits.philox,
}
