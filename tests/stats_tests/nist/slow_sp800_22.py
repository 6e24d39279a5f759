"""The fifteen tests, bit by bit, as the publication words them: slow, and too simple to be wrong in the same way.

A sequence is a list of 0 and 1. Where a P-value needs probabilities, they are worked out by enumeration or given.
"""

import cmath
from collections import Counter
from itertools import pairwise, product
from math import erfc, exp, log, log2, pi, sqrt

from scipy.special import gammaincc, ndtr


def igamc(a, x):
    return float(gammaincc(a, max(0.0, x)))


def chi_squared(counts, probabilities):
    total = sum(counts)
    return sum(
        (count - total * share) ** 2 / (total * share) for count, share in zip(counts, probabilities, strict=True)
    )


def frequency(bits):
    return [erfc(abs(sum(2 * bit - 1 for bit in bits)) / sqrt(len(bits)) / sqrt(2))]


def block_frequency(bits, block_bits):
    blocks = [bits[i : i + block_bits] for i in range(0, len(bits) - block_bits + 1, block_bits)]
    statistic = 4 * block_bits * sum((sum(block) / block_bits - 0.5) ** 2 for block in blocks)
    return [igamc(len(blocks) / 2, statistic / 2)]


def runs(bits):
    share = sum(bits) / len(bits)
    if abs(share - 0.5) >= 2 / sqrt(len(bits)) or share in {0, 1}:
        return [None]
    count = 1 + sum(a != b for a, b in pairwise(bits))
    n = len(bits)
    return [erfc(abs(count - 2 * n * share * (1 - share)) / (2 * sqrt(2 * n) * share * (1 - share)))]


def longest_run_of(block):
    longest = current = 0
    for bit in block:
        current = current + 1 if bit else 0
        longest = max(longest, current)
    return longest


def longest_run(bits, block_bits, first, last, probabilities):
    counts = [0] * (last - first + 1)
    for i in range(0, len(bits) - block_bits + 1, block_bits):
        counts[min(max(longest_run_of(bits[i : i + block_bits]), first), last) - first] += 1
    return [igamc((last - first) / 2, chi_squared(counts, probabilities) / 2)]


def rank_of(rows):
    """Gauss-Jordan over GF(2) with a search for pivots, columns from the left."""
    rows = [list(row) for row in rows]
    rank = 0
    for column in range(len(rows[0])):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(len(rows)):
            if i != rank and rows[i][column]:
                rows[i] = [a ^ b for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


def matrix_ranks(bits, rows, columns):
    size = rows * columns
    return [
        rank_of([bits[i + row * columns : i + (row + 1) * columns] for row in range(rows)])
        for i in range(0, len(bits) - size + 1, size)
    ]


def dft_peaks_below(bits, threshold_squared):
    n = len(bits)
    signs = [2 * bit - 1 for bit in bits]
    peaks = [abs(sum(x * cmath.exp(-2j * pi * k * j / n) for j, x in enumerate(signs))) for k in range(n // 2)]
    return sum(peak**2 < threshold_squared for peak in peaks)


def dft(bits, divisor):
    n = len(bits)
    deviation = sqrt(n * 0.95 * 0.05 / divisor)
    return [erfc(abs(dft_peaks_below(bits, log(20) * n) - 0.95 * n / 2) / deviation / sqrt(2))]


def non_overlapping(bits, template, blocks):
    m, size = len(template), len(bits) // blocks
    counts = []
    for block in range(blocks):
        piece, place, hits = bits[block * size : (block + 1) * size], 0, 0
        while place <= size - m:
            if piece[place : place + m] == list(template):
                hits += 1
                place += m
            else:
                place += 1
        counts.append(hits)
    mean = (size - m + 1) / 2**m
    variance = size * (1 / 2**m - (2 * m - 1) / 2 ** (2 * m))
    return igamc(blocks / 2, sum((count - mean) ** 2 for count in counts) / variance / 2)


def aperiodic(bits):
    return [
        word
        for word in product((0, 1), repeat=bits)
        if not any(word[:length] == word[-length:] for length in range(1, bits))
    ]


def overlapping_counts(bits, m, block_bits):
    counts = [0] * 6
    for i in range(0, len(bits) - block_bits + 1, block_bits):
        block = bits[i : i + block_bits]
        hits = sum(all(block[j : j + m]) for j in range(block_bits - m + 1))
        counts[min(hits, 5)] += 1
    return counts


def overlapping_probabilities(m, block_bits):
    """By enumeration of all blocks."""
    counts = [0] * 6
    for block in product((0, 1), repeat=block_bits):
        hits = sum(all(block[j : j + m]) for j in range(block_bits - m + 1))
        counts[min(hits, 5)] += 1
    return [count / 2**block_bits for count in counts]


def universal_mean(bits, width, initial):
    last, total, tested = {}, 0.0, 0
    for place in range(len(bits) // width):
        value = tuple(bits[place * width : (place + 1) * width])
        if place >= initial:
            total += log2(place + 1 - last.get(value, 0))
            tested += 1
        last[value] = place + 1
    return total / tested


def ring_counts(bits, width):
    ring = bits + [bits[i % len(bits)] for i in range(width - 1)]
    return Counter(tuple(ring[i : i + width]) for i in range(len(bits)))


def approximate_entropy(bits, m):
    n = len(bits)
    phi = [sum(c / n * log(c / n) for c in ring_counts(bits, width).values()) for width in (m, m + 1)]
    return [igamc(2 ** (m - 1), n * (log(2) - (phi[0] - phi[1])))]


def serial(bits, m):
    def psi(width):
        if width == 0:
            return 0.0
        return 2**width / len(bits) * sum(c * c for c in ring_counts(bits, width).values()) - len(bits)

    first = psi(m) - psi(m - 1)
    second = psi(m) - 2 * psi(m - 1) + psi(m - 2)
    return [igamc(2 ** (m - 2), first / 2), igamc(2 ** (m - 3), second / 2)]


def partial_sums(bits):
    sums, total = [], 0
    for bit in bits:
        total += 2 * bit - 1
        sums.append(total)
    return sums


def cumulative_sums(bits):
    n, found = len(bits), []
    for sequence in (bits, bits[::-1]):
        z = max(abs(s) for s in partial_sums(sequence))
        # All terms; the text stops at n/z, the length of the walk, which matters for ten bits and not for a hundred.
        wide = int(10 * sqrt(n) / z) + 2
        inner = sum(
            float(ndtr((4 * k + 1) * z / sqrt(n)) - ndtr((4 * k - 1) * z / sqrt(n))) for k in range(-wide, wide + 1)
        )
        outer = sum(
            float(ndtr((4 * k + 3) * z / sqrt(n)) - ndtr((4 * k + 1) * z / sqrt(n))) for k in range(-wide, wide + 1)
        )
        found.append(1 - inner + outer)
    return found


def cycles(bits):
    found, current = [], []
    for position in partial_sums(bits):
        current.append(position)
        if position == 0:
            found.append(current)
            current = []
    return [*found, current] if current else found


def random_excursions(bits):
    parts, p_values = cycles(bits), []
    for state in (-4, -3, -2, -1, 1, 2, 3, 4):
        counts = [0] * 6
        for cycle in parts:
            counts[min(cycle.count(state), 5)] += 1
        x = abs(state)
        law = [1 - 1 / (2 * x), *(1 / (4 * x * x) * (1 - 1 / (2 * x)) ** (k - 1) for k in range(1, 5))]
        law.append(1 / (2 * x) * (1 - 1 / (2 * x)) ** 4)
        p_values.append(igamc(2.5, chi_squared(counts, law) / 2))
    return p_values


def random_excursions_variant(bits):
    sums, j = partial_sums(bits), len(cycles(bits))
    states = [*range(-9, 0), *range(1, 10)]
    return [erfc(abs(sums.count(x) - j) / sqrt(2 * j * (4 * abs(x) - 2))) for x in states]


def linear_complexity_of(bits):
    """Berlekamp-Massey, one block, on lists."""
    n = len(bits)
    c, b = [1] + [0] * n, [1] + [0] * n
    length, m = 0, -1
    for place in range(n):
        discrepancy = bits[place]
        for i in range(1, length + 1):
            discrepancy ^= c[i] & bits[place - i]
        if discrepancy:
            kept = c[:]
            for i in range(n + 1 - (place - m)):
                c[place - m + i] ^= b[i]
            if 2 * length <= place:
                length, m, b = place + 1 - length, place, kept
    return length


def linear_complexity_counts(bits, block_bits):
    counts = [0] * 7
    mean = block_bits / 2 + (9 + (-1) ** (block_bits + 1)) / 36
    for i in range(0, len(bits) - block_bits + 1, block_bits):
        distance = (-1) ** block_bits * (linear_complexity_of(bits[i : i + block_bits]) - mean) + 2 / 9
        counts[sum(distance > bound for bound in (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5))] += 1
    return counts


def poisson_clumps(eta):
    """The law of 2.8's old approximation: clumps by Poisson, sizes by halves."""
    law = [exp(-eta)]
    for u in range(1, 5):
        total = 0.0
        for clumps in range(1, u + 1):
            ways = _choose(u - 1, clumps - 1)
            total += exp(-eta) * eta**clumps / _factorial(clumps) * ways / 2**u
        law.append(total)
    return [*law, 1 - sum(law)]


def _factorial(n):
    return 1 if n < 2 else n * _factorial(n - 1)


def _choose(n, k):
    return _factorial(n) // _factorial(k) // _factorial(n - k)
