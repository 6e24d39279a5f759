"""Generators that must be found, and good ones; each gives bytes, most significant bit first, big-endian words."""

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def aes(size, key=0):
    cipher = Cipher(algorithms.AES(key.to_bytes(32, "big")), modes.CTR(bytes(16))).encryptor()
    return np.frombuffer(cipher.update(bytes(size)), dtype=np.uint8)


def congruential(size, *, multiplier, increment, bits, shift, seed=42, word=32):
    """Words of ``word`` bits, each state >> shift; made by jumping, 4,096 at a time."""
    mask = (1 << bits) - 1
    lanes = 4_096
    factors, sums = [], []
    factor, total = 1, 0
    for _ in range(lanes):
        factor, total = factor * multiplier & mask, (total * multiplier + increment) & mask
        factors.append(factor)
        sums.append(total)
    factors, sums = np.array(factors, dtype=np.uint64), np.array(sums, dtype=np.uint64)
    count = size * 8 // word
    out = np.empty(count, dtype=f">u{word // 8}")
    state = np.uint64(seed)
    for first in range(0, count, lanes):
        states = (factors * state + sums) & np.uint64(mask)
        part = out[first : first + lanes]
        part[:] = (states >> np.uint64(shift))[: len(part)]
        state = states[-1]
    return out.view(np.uint8)


def java(size, seed=42):
    return congruential(size, multiplier=0x5DEECE66D, increment=0xB, bits=48, shift=16, seed=seed ^ 0x5DEECE66D)


def low_bits_of_a_congruential(size):
    return congruential(size, multiplier=1_664_525, increment=1_013_904_223, bits=32, shift=0)


def xorshift128plus(size, seed=1):
    one, other = seed, 0x9E3779B97F4A7C15
    out = np.empty(size // 8, dtype=">u8")
    for place in range(len(out)):
        x, y = one, other
        out[place] = (x + y) & 0xFFFFFFFFFFFFFFFF
        one = y
        x ^= x << 23 & 0xFFFFFFFFFFFFFFFF
        other = x ^ y ^ x >> 17 ^ y >> 26
    return out.view(np.uint8)


def mersenne_twister(size, seed=1):
    return np.random.RandomState(seed).randint(0, 2**32, size // 4, dtype=np.uint64).astype(">u4").view(np.uint8)


def repeating(size, period=1 << 20):
    return np.resize(aes(period), size)
