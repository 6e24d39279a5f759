"""Packing uploaded books beside a running service: in a process of its own, so that no draw waits for it."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from rng_service.books.pack import PackWriter
from rng_service.games.weights import read_weights
from rng_service.stake_engine.books import check_books

__all__ = ["pack_books", "pack_books_aside"]


def pack_books(books: Path, weights: Path, pack: Path) -> None:
    """Check the books file ``books`` against ``weights`` and write it as a pack, durable when the call returns.

    The pack's facts name both files by digest. Raises MalformedError as `check_books`, with plain words for the names
    of the files: the caller knows them by others.
    """
    with weights.open("rb") as file:
        table = read_weights(file, name="weights")
    with books.open("rb") as file, pack.open("wb") as out:
        writer = PackWriter(out, table.table.rows)
        checked = check_books(file, table, name="books", weights_name="weights", sink=writer)
        writer.finish(
            checked.levels,
            {"books": checked.books.file.hex(), "weights": table.table.digest.hex()},
        )
        out.flush()
        os.fsync(out.fileno())


def pack_books_aside(books: Path, weights: Path, pack: Path) -> None:
    """Do as `pack_books` in another process."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        pool.submit(pack_books, books, weights, pack).result()
