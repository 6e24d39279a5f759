"""Small games for tests: each returns a fresh definition as a JSON value that a test may bend."""

import json
from itertools import product
from pathlib import Path

from rng_service.games import parse_game

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted((ROOT / "games").glob("*.json"))


def game(steps, settlement, **program):
    return {
        "v": 1,
        "game": "sample",
        "version": 1,
        "title": "Sample",
        "programs": {"base": {"steps": steps, "settlement": settlement, **program}},
    }


def table():
    bets = {"one": {"pays": "11/2", "selections": [[0], [1], [2]]}, "top": {"pays": 3, "selections": [[4, 5]]}}
    return game([{"step": "uniform", "n": 6}], {"model": "table", "bets": bets})


def wheel():
    prizes = [{"pays": "2", "numbers": [1]}, {"pays": "10", "numbers": [2, 3]}]
    return game(
        [{"step": "weighted", "weights": [50, 30, 3, 2]}],
        {"model": "table", "bets": {"spin": {"prizes": prizes}}},
    )


def dice():
    return game(
        [{"step": "uniform", "n": 100}],
        {"model": "threshold", "rtp": "99/100", "fewest_wins": 1, "most_wins": 95},
    )


def keno():
    pays = {"1": {"1": "3.5"}, "3": {"0": 1, "2": "2", "3": "20"}}
    return game([{"step": "sample", "n": 8, "m": 3}], {"model": "hits", "first_number": 1, "pays": pays})


def slot():
    strips = [["W", "A", "B", "S"], ["A", "W", "B", "A", "S"], ["B", "A", "S", "W"]]
    settlement = {
        "model": "lines",
        "rows": 2,
        "symbols": ["W", "S", "A", "B"],
        "wild": "W",
        "scatter": "S",
        "lines": [[0, 0, 0], [1, 1, 1], [0, 1, 0]],
        "pays": {"W": {"2": 3, "3": 20}, "A": {"2": "1/2", "3": 4}, "B": {"3": "2.5"}},
        "scatter_pays": {"2": 1, "3": 5},
    }
    return game([{"step": "reels", "strips": strips}], settlement)


SAMPLES = {
    "table": table,
    "wheel": wheel,
    "dice": dice,
    "keno": keno,
    "slot": slot,
}


def parsed(value):
    return parse_game(json.dumps(value).encode())


def all_stops(strips):
    return product(*(range(len(strip)) for strip in strips))
