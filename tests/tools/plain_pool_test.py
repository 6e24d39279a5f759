"""The test of a pool by a plain reading of PROTOCOL.md, sections 4 and 6: one value after the other, nothing shared.

It takes the steps of a program as a game definition has them, so that it needs nothing of ours but the standard library.
"""

import hmac
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from math import inf, log
from typing import Any, NamedTuple


class Count(NamedTuple):
    """How often something of probability ``p`` happened in ``trials`` trials, and the test that asks."""

    test: str
    found: int
    trials: int
    p: Fraction


class Judged(NamedTuple):
    """The verdict, the test that failed, every count, and the limit of the divergence."""

    verdict: str
    test: str
    counts: list[Count]
    limit: float


def judge(
    plan: dict[str, Any], steps: list[dict[str, Any]], program: str, commit: bytes, beacon: bytes, secrets: list[bytes]
) -> Judged:
    """Return the verdict on a pool with these secrets, whose commitment has the hash ``commit``."""
    counts: list[Count] = []
    tests = plan["tests"]
    if "bits" in tests:
        counts += bit_counts("bits", secrets)
    if "neighbours" in tests:
        counts += bit_counts(
            "neighbours",
            [bytes(x ^ y for x, y in zip(a, b, strict=True)) for a, b in pairwise(secrets)],
        )
    places = [place for step in steps for place in places_of(step)]
    tested = min(len(secrets), max(1, plan["values"] // len(places)))
    slots = [index * len(secrets) // tested for index in range(tested)]
    outcomes = [outcome(steps, program, commit, beacon, slot, secrets[slot]) for slot in slots]
    for number, weights in enumerate(places):
        values = [values[number] for values in outcomes]
        if "cells" in tests:
            cells = cells_of(weights, 64)
            counts += [Count("cells", sum(value in cell for value in values), tested, p) for cell, p in cells]
        if "pairs" in tests and tested > 1:
            cells = cells_of(weights, 8)
            pairs = list(zip(values[0::2], values[1::2], strict=False))
            counts += [
                Count("pairs", sum(a in first and b in second for a, b in pairs), len(pairs), p * q)
                for first, p in cells
                for second, q in cells
            ]
    limit = log(2) * plan["error_bits"] + log(2 * max(1, len(counts)))
    failed = {count.test for count in counts if divergence(count) > limit}
    if "repeats" in tests:
        blocks = [secret[at : at + 16] for secret in secrets for at in (0, 16)]
        if len(set(blocks)) < len(blocks):
            failed.add("repeats")
    first = next((test for test in tests if test in failed), "")
    return Judged("fail" if first else "pass", first, counts, limit)


def divergence(count: Count) -> float:
    """Return n·D of the Chernoff bound."""
    x, t, p = count.found, count.trials, count.p
    if p in {0, 1}:
        return 0.0 if x == t * p else inf
    return sum(n * log(n / (t * q)) for n, q in ((x, p), (t - x, 1 - p)) if n)


def bit_counts(test: str, values: list[bytes]) -> list[Count]:
    """Return how often each of the 256 bits is set."""
    if not values:
        return []
    half = Fraction(1, 2)
    return [
        Count(test, sum(value[place] >> bit & 1 for value in values), len(values), half)
        for place in range(32)
        for bit in range(8)
    ]


def places_of(step: dict[str, Any]) -> list[list[int] | int]:
    """Return for each value of a step the weights of what it may be, or how many equally likely values there are."""
    match step["step"]:
        case "uniform":
            return [int(step["n"])] * step.get("count", 1)
        case "weighted":
            return [[int(weight) for weight in step["weights"]]] * step.get("count", 1)
        case "sample":
            return [step["n"]] * step["m"]
        case "shuffle":
            return [step["n"]] * step["n"]
        case "reels":
            weights = step.get("weights")
            return (
                [[int(weight) for weight in stops] for stops in weights] if weights else list(map(len, step["strips"]))
            )
        case "lookup":
            return [int(step["total"])]
    raise ValueError(step)


def cells_of(weights: list[int] | int, most: int) -> list[tuple[range, Fraction]]:
    """Return the cells of a place, and how likely each is."""
    n = weights if isinstance(weights, int) else len(weights)
    c = min(n, most)
    cells = [range(k * n // c, (k + 1) * n // c) for k in range(c)]
    if isinstance(weights, int):
        return [(cell, Fraction(len(cell), n)) for cell in cells]
    return [(cell, Fraction(sum(weights[value] for value in cell), sum(weights))) for cell in cells]


def outcome(
    steps: list[dict[str, Any]], program: str, commit: bytes, beacon: bytes, slot: int, secret: bytes
) -> list[int]:
    """Return the outcome of a slot under no client seed."""
    label = b"sealdraw/v1/draw"
    message = b"".join(
        (prefixed(label), commit, slot.to_bytes(8, "big"), prefixed(beacon), prefixed(program.encode()), prefixed(b""))
    )
    stream = blocks(hmac.digest(secret, message, "sha256"))
    return [value for step in steps for value in values_of(step, stream)]


def prefixed(data: bytes) -> bytes:
    """Return lp(data)."""
    return len(data).to_bytes(4, "big") + data


def blocks(key: bytes) -> Iterator[int]:
    """Yield the bytes of block 0, block 1, …"""
    number = 0
    while True:
        yield from hmac.digest(key, number.to_bytes(4, "big"), "sha256")
        number += 1


def uniform(n: int, stream: Iterator[int]) -> int:
    """Return a number below ``n``."""
    k = (n - 1).bit_length()
    while k:
        value = int.from_bytes(bytes(next(stream) for _ in range(-(-k // 8))), "big") & (2**k - 1)
        if value < n:
            return value
    return 0


def weighted(weights: list[int], stream: Iterator[int]) -> int:
    """Return the first index whose cumulative weight is greater."""
    value = uniform(sum(weights), stream)
    return next(index for index in range(len(weights)) if sum(weights[: index + 1]) > value)


def values_of(step: dict[str, Any], stream: Iterator[int]) -> list[int]:
    """Return the values of one step."""
    match step["step"]:
        case "sample" | "shuffle":
            n = step["n"]
            m = step.get("m", n)
            cards = list(range(n))
            for i in range(n - 1, max(n - m, 1) - 1, -1):
                j = uniform(i + 1, stream)
                cards[i], cards[j] = cards[j], cards[i]
            return cards[::-1][:m] if step["step"] == "sample" else cards
        case _:
            return [
                uniform(place, stream) if isinstance(place, int) else weighted(place, stream)
                for place in places_of(step)
            ]
