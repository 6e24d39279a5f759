"""Math packages in Stake Engine's format, as its tools lay them out, made for tests."""

import json
import random
from pathlib import Path
from typing import Any

import zstandard

SYMBOLS = ("H1", "H2", "L1", "L2", "W", "S")


def rows(count: int, seed: int, *, highest: int = 5_000, spread: int = 1_672_711) -> list[tuple[int, int, int]]:
    """Return (id, weight, payout) for a mode: most lose, some pay a little, one pays the highest."""
    choice = random.Random(seed)
    found = []
    for number in range(1, count + 1):
        payout = choice.choice((0, 0, 0, 20, 50, 110, 10 * choice.randrange(1, highest // 10)))
        # Rarer the more it pays, as an optimiser leaves them.
        found.append((number, choice.randrange(1 << 38, 1 << 40) // (1 + payout * payout // spread), payout))
    found[-1] = (count, 7, highest * 100)
    # What the optimiser leaves where an outcome is never to come.
    found[count // 2] = (count // 2 + 1, 0, found[count // 2][2])
    return found


def book(number: int, payout: int) -> dict[str, Any]:
    """Return the book of a row: a board, and what it pays."""
    choice = random.Random(number)
    board = [[{"name": choice.choice(SYMBOLS)} for _ in range(3)] for _ in range(5)]
    events = [
        {"index": 0, "type": "reveal", "board": board, "gameType": "basegame", "anticipation": [0] * 5},
        {"index": 1, "type": "finalWin", "amount": payout},
    ]
    return {
        "id": number,
        "payoutMultiplier": payout,
        "events": events,
        "criteria": "basegame",
        "baseGameWins": payout / 100,
        "freeGameWins": 0.0,
    }


def csv(found: list[tuple[int, int, int]]) -> bytes:
    """Return a weights file."""
    return "".join(f"{number},{weight},{payout}\n" for number, weight, payout in found).encode("ascii")


def lines(books: list[dict[str, Any]]) -> bytes:
    """Return the text of a books file, as Python's own JSON writes it."""
    return "".join(json.dumps(book) + "\n" for book in books).encode("ascii")


def compressed(text: bytes) -> bytes:
    """Return a books file."""
    return zstandard.ZstdCompressor().compress(text)


def write_mode(directory: Path, name: str, found: list[tuple[int, int, int]], cost: object = 1.0) -> dict[str, Any]:
    """Write the files of one mode and return its entry in the index."""
    books, weights = f"books_{name}.jsonl.zst", f"lookUpTable_{name}_0.csv"
    text = lines([book(number, payout) for number, _, payout in found])
    (directory / books).write_bytes(compressed(text))
    (directory / weights).write_bytes(csv(found))
    return {"name": name, "cost": cost, "events": books, "weights": weights}


def write_index(directory: Path, *modes: dict[str, Any]) -> None:
    """Write ``index.json``."""
    (directory / "index.json").write_text(json.dumps({"modes": modes}, indent=4), encoding="ascii")


def write_package(directory: Path, *, count: int = 60) -> Path:
    """Write a package of two modes, and return its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    modes = (
        write_mode(directory, "base", rows(count, 1)),
        write_mode(directory, "rage_mode", rows(count // 2, 2, highest=20_000, spread=222_904_900), cost=12.5),
    )
    write_index(directory, *modes)
    return directory
