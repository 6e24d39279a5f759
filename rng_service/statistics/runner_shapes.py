"""The shape of outcomes as JSON, for the runner: it knows neither games nor where their files are."""

import struct
from collections.abc import Sequence

import numpy as np

from anchor.canonical import JSONValue
from anchor.errors import MalformedError
from stats_tests import gaming

__all__ = ["outcome_row", "parse_shape", "row_type", "shape_document"]


def shape_document(shape: gaming.OutcomeShape) -> list[JSONValue]:
    """Return ``shape`` as JSON, integers as decimal text: they go up to 2^64."""
    return [_part_document(part) for part in shape.parts]


def parse_shape(document: Sequence[JSONValue]) -> gaming.OutcomeShape:
    """Return the shape that `shape_document` described; raises MalformedError for anything else."""
    try:
        return gaming.OutcomeShape(tuple(_part(item) for item in document))
    except (TypeError, ValueError, KeyError) as error:
        raise MalformedError(f"shape of outcomes: {error}") from None


def row_type(width: int) -> np.dtype[np.void]:
    """Return how one outcome of ``width`` integers stands in the data: who, when and where as numbers, and what."""
    return np.dtype([("caller", ">u4"), ("hour", ">u4"), ("pool", ">u4"), ("values", ">u8", (width,))])


def outcome_row(caller: int, hour: int, pool: int, values: Sequence[int]) -> bytes:
    """Return one outcome as the runner reads it: ``u32(caller) || u32(hour) || u32(pool) || u64(value) …``."""
    return struct.pack(f">3I{len(values)}Q", caller, hour, pool, *values)


def _part_document(part: gaming.Part) -> JSONValue:
    match part:
        case gaming.Uniform(n, count):
            return {"count": str(count), "n": str(n), "part": "uniform"}
        case gaming.Weighted(weights, count):
            return {"count": str(count), "part": "weighted", "weights": list(map(str, weights))}
        case gaming.WithoutReplacement(n, m):
            return {"m": str(m), "n": str(n), "part": "sample"}
        case gaming.Permutation(n):
            return {"n": str(n), "part": "shuffle"}
        case gaming.Stops(lengths, stop_weights):
            stops: dict[str, JSONValue] = {"lengths": list(map(str, lengths)), "part": "reels"}
            if stop_weights is not None:
                stops["weights"] = [list(map(str, reel)) for reel in stop_weights]
            return stops
    raise TypeError(f"a {type(part).__name__} is no part of an outcome")


def _part(item: JSONValue) -> gaming.Part:
    if not isinstance(item, dict):
        raise TypeError("a part is an object")
    match item["part"]:
        case "uniform":
            return gaming.Uniform(_integer(item["n"]), _integer(item["count"]))
        case "weighted":
            return gaming.Weighted(_integers(item["weights"]), _integer(item["count"]))
        case "sample":
            return gaming.WithoutReplacement(_integer(item["n"]), _integer(item["m"]))
        case "shuffle":
            return gaming.Permutation(_integer(item["n"]))
        case "reels":
            weights = item.get("weights")
            lengths = tuple(_integers(item["lengths"]))
            if weights is None:
                return gaming.Stops(lengths)
            if not isinstance(weights, list):
                raise TypeError("weights of stops are lists")
            return gaming.Stops(lengths, tuple(_integers(reel) for reel in weights))
        case other:
            raise ValueError(f"unknown part {str(other)[:32]!r}")


def _integers(value: JSONValue) -> list[int]:
    if not isinstance(value, list):
        raise TypeError("expected a list of integers")
    return [_integer(item) for item in value]


def _integer(value: JSONValue) -> int:
    if not isinstance(value, str) or not value.isascii() or not value.isdigit():
        raise TypeError("an integer is decimal text")
    return int(value)
