"""Small games for tests: each returns a fresh definition as a JSON value that a test may bend."""

import json
import math
from collections import Counter
from fractions import Fraction
from itertools import permutations, product
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


def partage():
    bets = {
        "one": {"pays": 5, "selections": [[0], [1]]},
        "some": {"pays": 2, "selections": [[2, 3]], "refunds": [{"pays": "1/2", "numbers": [0]}]},
    }
    return game([{"step": "uniform", "n": 5}], {"model": "table", "bets": bets})


def limbo():
    return game([{"step": "uniform", "n": 200}], {"model": "limbo", "rtp": "97/100", "highest": 10})


def crash():
    return game([{"step": "uniform", "n": 777}], {"model": "crash", "rtp": "0.9", "highest": "5.55"})


def plinko():
    bets = {"low": [2, 1, "0.5", 1, 2], "high": [7, 1, 0, "1", "7"]}
    return game([{"step": "uniform", "n": 2, "count": 4}], {"model": "plinko", "bets": bets})


def lotto():
    prizes = [{"hits": 3, "pays": 9}, {"hits": 2, "bonus": 1, "pays": "4"}, {"hits": 0, "pays": 1}]
    settlement = {"model": "lottery", "first_number": 1, "picks": 3, "bonus_drawn": 1, "prizes": prizes}
    return game([{"step": "sample", "n": 7, "m": 4}], settlement)


def two_drums():
    prizes = [{"hits": 2, "bonus": 1, "pays": 30}, {"hits": 2, "bonus": 0, "pays": "5"}, {"hits": 1, "pays": "1/2"}]
    settlement = {"model": "lottery", "first_number": 1, "picks": 3, "bonus_picks": 1, "prizes": prizes}
    return game([{"step": "sample", "n": 5, "m": 2}, {"step": "sample", "n": 4, "m": 2}], settlement)


def sic_bo():
    bets = dict.fromkeys(("small", "big", "odd", "even"), 2)
    bets |= {"any-triple": 31, "triple": 181, "double": 11, "combination": 6}
    bets |= {"single": {"1": 2, "2": 3, "3": 13}, "total": {str(total): total for total in range(4, 18)}}
    return game([{"step": "uniform", "n": 6, "count": 3}], {"model": "sic-bo", "bets": bets})


def craps():
    bets = {
        "pass": {"kind": "pass", "pays": 2},
        "dont-pass": {"kind": "dont-pass", "pays": 2, "bar": 12},
        "odds": {"kind": "odds", "against": False},
        "lay-odds": {"kind": "odds", "against": True},
        "place-5": {"kind": "place", "number": 5, "pays": "12/5"},
        "hard-8": {"kind": "hard", "number": 8, "pays": 10},
        "field": {"kind": "roll", "pays": {"2": 3, "3": 2, "4": 2, "9": 2, "10": 2, "11": 2, "12": 4}},
    }
    return game([{"step": "uniform", "n": 6, "count": 6}], {"model": "craps", "bets": bets})


def hi_lo():
    return game([{"step": "uniform", "n": 13}], {"model": "hi-lo", "rtp": "0.97", "bets": ["higher", "same"]})


def mines():
    return game([{"step": "sample", "n": 7, "m": 2}], {"model": "mines", "rtp": "0.96", "grid": "1/100"})


def baccarat():
    bets = {"banker": {"banker": "1.95", "tie": 1}, "pair": {"either-pair": 6}}
    return game([{"step": "sample", "n": 52, "m": 6}], {"model": "baccarat", "bets": bets})


def video_poker():
    settlement = {"model": "video-poker", "lowest_pair": "T", "pays": {"four-aces": 80, "pair": "1"}}
    return game([{"step": "sample", "n": 52, "m": 10}], settlement)


def blackjack():
    flags = ("dealer_hits_soft_17", "dealer_peeks", "double_after_split", "hit_split_aces", "resplit_aces")
    settlement = {
        "model": "blackjack",
        "blackjack_pays": "5/2",
        "double": "any",
        "most_hands": 4,
        **dict.fromkeys((*flags, "late_surrender", "insurance"), True),
        "strategies": {"never-bust": {"hard": {"4": "HHHHHHHHHH", "12": "S" * 10}, "soft": {"12": "S" * 10}}},
    }
    return game([{"step": "uniform", "n": 52, "count": 110}], settlement)


def lines_game():
    """Return a slot that uses every key of lines."""
    strips = [["W", "A", "B", "S", "C"], ["A", "V", "B", "A", "S"], ["B", "A", "S", "W", "C"]]
    wheel = {"spin": {"prizes": [{"pays": 2, "numbers": [0]}]}}
    rules = {
        "model": "lines",
        "rows": [2, 3, 2],
        "symbols": ["W", "V", "S", "A", "B", "C"],
        "wilds": {"W": {"multiplier": 2, "except": ["C"]}, "V": {"for": ["A", "W"], "expands": True}},
        "wild_multipliers": "sum",
        "wilds_alone": False,
        "direction": "both",
        "groups": {"A or B": ["A", "B"]},
        "lines": [[0, 0, 0], [1, 2, 1]],
        "cost": 3,
        "pays": {"W": {"3": 9}, "A": {"2": 2, "3": 7}, "B": {"3": 5}, "C": {"1": "1/3"}, "A or B": {"3": 3}},
        "number_pays": {"C": {"2": 2}},
        "scatters": {"S": {"1-2": "1/4", "3+": 4}},
        "awards": {"wheel": {"S": {"2": 1, "3+": 3}}},
        "line_awards": {"wheel": {"B": {"3": 1}}},
        "multiplier": 2,
    }
    feature = {
        "steps": [{"step": "uniform", "n": 2}],
        "settlement": {"model": "table", "bets": wheel},
        "feature": True,
    }
    base = {"steps": [{"step": "reels", "strips": strips}], "settlement": rules}
    return {"v": 1, "game": "sample", "version": 1, "title": "Sample", "programs": {"base": base, "wheel": feature}}


def ways_game():
    """Return a slot that uses every key of ways."""
    value = lines_game()
    rules = value["programs"]["base"]["settlement"]
    for key in ("wild_multipliers", "wilds_alone", "groups", "lines", "number_pays", "line_awards"):
        del rules[key]
    del rules["pays"]["A or B"]
    rules |= {"model": "ways", "direction": "right"}
    return value


def anywhere_game():
    """Return a slot that uses every key of anywhere."""
    value = ways_game()
    rules = value["programs"]["base"]["settlement"]
    for key in ("cost", "direction"):
        del rules[key]
    del rules["wilds"]["W"]["multiplier"]
    rules["pays"] = {"A": {"2-4": 2, "5+": "7/2"}, "B": {"1": "1/2", "3-7": 4}, "C": {"2": 1}}
    rules["wilds"]["V"]["for"] = ["A"]
    rules["model"] = "anywhere"
    return value


SAMPLES = {
    "table": table,
    "wheel": wheel,
    "dice": dice,
    "keno": keno,
    "slot": slot,
    "lines": lines_game,
    "ways": ways_game,
    "anywhere": anywhere_game,
    "partage": partage,
    "limbo": limbo,
    "crash": crash,
    "plinko": plinko,
    "lotto": lotto,
    "two-drums": two_drums,
    "sic-bo": sic_bo,
    "craps": craps,
    "hi-lo": hi_lo,
}
# What has decisions, or too many outcomes to visit: tests of their own take these games apart.
LARGE_SAMPLES = {"mines": mines, "baccarat": baccarat, "video-poker": video_poker, "blackjack": blackjack}


def outcomes(program):
    """Yield every outcome of the sample program with its weight."""
    for parts in product(*(list(step_values(step)) for step in program["steps"])):
        yield tuple(value for values, _ in parts for value in values), math.prod(weight for _, weight in parts)


def step_values(step):
    match step:
        case {"step": "uniform", "n": n}:
            yield from ((values, 1) for values in product(range(n), repeat=step.get("count", 1)))
        case {"step": "weighted", "weights": weights}:
            yield from (((value,), weight) for value, weight in enumerate(weights))
        case {"step": "sample", "n": n, "m": m}:
            yield from ((drawn, 1) for drawn in permutations(range(n), m))
        case {"step": "shuffle", "n": n}:
            yield from ((drawn, 1) for drawn in permutations(range(n)))
        case {"step": "reels", "strips": strips}:
            yield from ((stops, 1) for stops in product(*(range(len(strip)) for strip in strips)))


def distribution(program, bet):
    """Return multiplier → probability of a bet, from every outcome of the sample program."""
    counted = Counter()
    for outcome, weight in outcomes(program):
        counted[bet.multiplier(outcome)] += weight
    total = sum(counted.values())
    return {pays: Fraction(weight, total) for pays, weight in counted.items()}


def parsed(value):
    return parse_game(json.dumps(value).encode())


def all_stops(strips):
    return product(*(range(len(strip)) for strip in strips))
