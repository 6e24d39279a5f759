"""Exact theory: the shipped games together, and a slot of 60 stops on each reel with free spins that retrigger."""

import json
import random
import resource
import time
from pathlib import Path
from typing import Any

from rng_service.games import GameDefinition, load_game, parse_game, theory

GAMES = Path(__file__).resolve().parents[1] / "games"
SYMBOLS = ["wild", "scatter", "a", "b", "c", "d", "e", "f", "g", "h", "j", "k"]
STOPS = 60
LINES = 20
PAYS = {
    "wild": {"2": 10, "3": 80, "4": 400, "5": 2000},
    "a": {"2": 3, "3": 40, "4": 150, "5": 800},
    "b": {"2": 2, "3": 30, "4": 120, "5": 600},
    "c": {"3": 20, "4": 80, "5": 300},
    "d": {"3": 15, "4": 60, "5": 200},
    "e": {"3": 12, "4": 40, "5": 150},
    "f": {"3": 10, "4": 30, "5": 120},
    "g": {"3": 8, "4": 25, "5": 100},
    "h": {"3": 6, "4": 20, "5": 80},
    "j": {"3": 5, "4": 15, "5": 60},
    "k": {"3": 4, "4": 12, "5": 50},
}


def large_slot(*, seed: int = 60) -> GameDefinition:
    """Return a 5x3 slot: 12 symbols, wilds on every reel, scatters, and free spins x3 on strips of their own."""
    chance = random.Random(seed)

    def strips(wilds: int) -> list[list[str]]:
        found = []
        for _ in range(5):
            strip = ["wild"] * wilds + ["scatter"] * 2
            strip += [chance.choice(SYMBOLS[2:]) for _ in range(STOPS - len(strip))]
            chance.shuffle(strip)
            found.append(strip)
        return found

    lines: dict[tuple[int, ...], None] = {}
    while len(lines) < LINES:
        lines[tuple(chance.randrange(3) for _ in range(5))] = None
    rules = {
        "model": "lines",
        "rows": 3,
        "symbols": SYMBOLS,
        "wild": "wild",
        "scatters": {"scatter": {"2": 1, "3": 3, "4": 15, "5": 100}},
        "awards": {"free": {"scatter": {"3+": 10}}},
        "lines": [list(line) for line in lines],
        "pays": PAYS,
    }
    programs = {
        "base": {"steps": [{"step": "reels", "strips": strips(2)}], "settlement": rules},
        "free": {
            "feature": True,
            "steps": [{"step": "reels", "strips": strips(3)}],
            "settlement": {**rules, "multiplier": 3},
        },
    }
    value = {"v": 1, "game": "large", "version": 1, "title": "Large", "programs": programs}
    return parse_game(json.dumps(value).encode())


def theory_5x3x60() -> dict[str, Any]:
    """Time the whole theory of 777,600,000 combinations in the base game and as many in its free spins."""
    definition = large_slot()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    found = theory(definition)
    seconds = time.perf_counter() - started
    return {
        "seconds": round(seconds, 2),
        "baseline": "10 s on one core, 1 GB",
        "more_memory_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10,
        "rtp_percent": found["programs"]["base"]["rtp_percent"],
    }


def theory_all_games() -> dict[str, Any]:
    """Time the theory of every shipped game, one after the other."""
    each = {}
    for path in sorted(GAMES.glob("*.json")):
        definition = load_game(path)
        started = time.perf_counter()
        theory(definition)
        each[path.stem] = round(time.perf_counter() - started, 3)
    return {"seconds": round(sum(each.values()), 2), "baseline": "5 s on one core", "each": each}
