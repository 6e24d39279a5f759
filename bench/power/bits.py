"""Sources of raw bits, bad and good: each gives its first ``size`` bytes, words with the big end first."""

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from bench.power.recurrences import State, Words, multiplicative, multiplied_and_added, xorshift
from rng_service.vault.drbg import MAX_BYTES_PER_REQUEST, CtrDrbg

__all__ = [
    "aes_ctr",
    "aes_ctr32",
    "ansi_c_low_bytes",
    "biased",
    "chacha20",
    "delivered_twice",
    "java_util_random",
    "mersenne_twister",
    "minimal_standard_low_bits",
    "mwc1616",
    "our_drbg",
    "pcg64dxsm",
    "philox",
    "randu",
    "repeating",
    "stuck_bit",
    "xorshift128plus",
    "xorshift128plus_low_bits",
]

Bytes = NDArray[np.uint8]

MEBIBYTE = 1 << 20


def aes_ctr(size: int, seed: int = 0, *, first_block: int = 0) -> Bytes:
    """AES-256-CTR; ``seed`` is the key, the counter starts at ``first_block``."""
    counter = first_block.to_bytes(16, "big")
    cipher = Cipher(algorithms.AES(seed.to_bytes(32, "big")), modes.CTR(counter)).encryptor()
    return np.frombuffer(cipher.update(bytes(size)), dtype=np.uint8)


def chacha20(size: int, seed: int = 0) -> Bytes:
    cipher = Cipher(algorithms.ChaCha20(seed.to_bytes(32, "big"), bytes(16)), mode=None).encryptor()
    return np.frombuffer(cipher.update(bytes(size)), dtype=np.uint8)


def our_drbg(size: int, seed: int = 0) -> Bytes:
    """The vault's own CTR_DRBG; the seed stands in for entropy, so that the run can be repeated."""
    drbg = CtrDrbg(seed.to_bytes(48, "big"), bytes(16), b"power bench")
    parts = [drbg.generate(min(MAX_BYTES_PER_REQUEST, size - at)) for at in range(0, size, MAX_BYTES_PER_REQUEST)]
    return np.frombuffer(b"".join(parts), dtype=np.uint8)


def pcg64dxsm(size: int, seed: int = 0) -> Bytes:
    return np.frombuffer(np.random.Generator(np.random.PCG64DXSM(seed)).bytes(size), dtype=np.uint8)


def philox(size: int, seed: int = 0) -> Bytes:
    return np.frombuffer(np.random.Generator(np.random.Philox(seed)).bytes(size), dtype=np.uint8)


def java_util_random(size: int, seed: int = 42) -> Bytes:
    """nextInt() of java.util.Random: the upper 32 of 48 bits."""
    states = multiplied_and_added(
        size // 4 + 1, multiplier=0x5DEECE66D, increment=0xB, bits=48, seed=seed ^ 0x5DEECE66D
    )
    return _packed(states >> np.uint64(16), 4, size)


def mwc1616(size: int, seed: int = 1) -> Bytes:
    """Math.random() of V8 before 2016: two multiply-with-carry generators of 16 bits each.

    One with multiplier a and base b = 2^16 runs through x ← a · x mod (a · b - 1), its state read as carry · b + word.
    """
    count = size // 4 + 1
    upper, lower = (
        multiplicative(count, multiplier=a, modulus=(a << 16) - 1, seed=start)
        for a, start in ((18_030, 123_456_789 + seed), (30_903, 362_436_069 + seed))
    )
    return _packed((upper << np.uint64(16)) + (lower & np.uint64(0xFFFF)) & np.uint64(0xFFFFFFFF), 4, size)


def randu(size: int, seed: int = 1) -> Bytes:
    """IBM's RANDU, x ← 65539 · x mod 2^31: the upper 16 bits of its 31, which are the best of it."""
    states = multiplied_and_added(size // 2 + 1, multiplier=65_539, increment=0, bits=31, seed=seed | 1)
    return _packed(states >> np.uint64(15), 2, size)


def minimal_standard_low_bits(size: int, seed: int = 1) -> Bytes:
    """Park and Miller's minimal standard, x ← 16807 · x mod (2^31 - 1): the lower 16 bits."""
    states = multiplicative(size // 2 + 1, multiplier=16_807, modulus=2**31 - 1, seed=seed)
    return _packed(states & np.uint64(0xFFFF), 2, size)


def ansi_c_low_bytes(size: int, seed: int = 1) -> Bytes:
    """The rand() of the C standard's example, x ← 1103515245 · x + 12345 mod 2^31: the lowest byte."""
    states = multiplied_and_added(size, multiplier=1_103_515_245, increment=12_345, bits=31, seed=seed)
    return _packed(states & np.uint64(0xFF), 1, size)


def mersenne_twister(size: int, seed: int = 1) -> Bytes:
    words = np.random.RandomState(seed).randint(0, 1 << 32, size // 4 + 1, dtype=np.uint32)
    return _packed(words.astype(np.uint64), 4, size)


def xorshift128plus(size: int, seed: int = 1) -> Bytes:
    """All 64 bits of xorshift128+ with V8's shifts 23, 17, 26."""
    return _packed(_xorshift128plus(size // 8 + 1, seed), 8, size)


def xorshift128plus_low_bits(size: int, seed: int = 1) -> Bytes:
    """The lowest bit of each word, eight in a byte."""
    bits = (_xorshift128plus(size * 8, seed) & np.uint64(1)).astype(np.uint8)
    return np.packbits(bits)


def _xorshift128plus(count: int, seed: int) -> Words:
    def step(state: State) -> State:
        one, other = state
        mixed = one ^ one << np.uint64(23)
        return other, mixed ^ other ^ mixed >> np.uint64(17) ^ other >> np.uint64(26)

    def output(state: State) -> Words:
        return np.asarray(state[0] + state[1], dtype=np.uint64)

    return xorshift(count, step=step, output=output, seed=(seed, 0x9E3779B97F4A7C15))


def repeating(size: int, seed: int = 0) -> Bytes:
    """A good stream that begins again after each mebibyte."""
    return np.resize(aes_ctr(MEBIBYTE, seed), size)


def aes_ctr32(size: int, seed: int = 0, *, first_block: int = 0) -> Bytes:
    """AES-256-CTR whose counter has 32 bits only, so that it begins again after 2^32 blocks, 64 GiB.

    ``first_block`` is where in that to begin, so that nobody has to make 64 GiB to see what comes behind them.
    """
    until_wrap = ((1 << 32) - first_block) * 16
    found = aes_ctr(min(size, until_wrap), seed, first_block=first_block)
    return found if size <= until_wrap else np.concatenate([found, aes_ctr32(size - until_wrap, seed)])


def delivered_twice(size: int, seed: int = 0) -> Bytes:
    """Blocks of 4 KiB, of which one in a thousand is delivered a second time instead of the next one."""
    blocks = -(-size // 4_096)
    rows = aes_ctr(blocks * 4_096, seed).reshape(blocks, 4_096).copy()
    again = np.flatnonzero(_helper(seed).random(blocks) < 1e-3)
    again = again[again > 0]
    rows[again] = rows[again - 1]
    return rows.reshape(-1)[:size]


def stuck_bit(size: int, seed: int = 0) -> Bytes:
    """The lowest bit of each byte is 1 in one byte of a thousand, whatever it should be: P(1) = 0.5005 in its plane."""
    found = aes_ctr(size, seed).copy()
    found[_rare(size, 1e-3, seed)] |= 1
    return found


def biased(size: int, seed: int = 0) -> Bytes:
    """Every bit is 1 with probability 0.501."""
    found = aes_ctr(size, seed).copy()
    places = _rare(8 * size, 2e-3, seed)
    np.bitwise_or.at(found, places // 8, (1 << (places % 8)).astype(np.uint8))
    return found


def _rare(count: int, probability: float, seed: int) -> NDArray[np.int64]:
    """Return places of 0 … count - 1, each with ``probability``, by the distances between them.

    Distances are drawn in lots of fixed size, so that a longer stream begins as a shorter one does.
    """
    random, found, reached = _helper(seed), [], -1
    while reached < count:
        places = reached + np.cumsum(random.geometric(probability, 4_096))
        found.append(places)
        reached = int(places[-1])
    joined = np.concatenate(found)
    return joined[joined < count]


def _helper(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64DXSM([seed, 0xFA07]))


def _packed(words: Words, size_of_word: int, size: int) -> Bytes:
    return words.astype(f">u{size_of_word}").view(np.uint8)[:size]
