"""Trying seeds: whoever suspects which generator it is, and that its seed is short, needs one output to be sure."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.errors import InputError
from stats_tests.results import TestResult

__all__ = ["search_seeds"]

_NAME: Final = "seed search"


def search_seeds(observed: bytes, candidates: Iterable[NDArray[np.uint8]], *, seeds: int) -> TestResult:
    """Say whether one of ``candidates`` begins as ``observed`` does: the beginning of the stream in question.

    ``candidates`` are arrays of the shape (number, bytes), what the suspected generator yields for one seed in each
    row, in the order of seeds; ``seeds`` is how many there are in all, known before. A stream that has nothing to do
    with them begins like one of them with at most ``seeds`` · 2^-(8 · bytes): the P-value when there is a match, and 1
    when there is none. ``statistics["seed"]`` is the number of the first seed that matches.

    Raises InputError when ``observed`` is so short that chance would find a seed (2^-64 · ``seeds`` is asked for), or
    when other candidates come than were announced.
    """
    bits = 8 * len(observed)
    if bits < 64:
        raise InputError(f"{len(observed)} bytes are too few to tell seeds apart: bring at least 8")
    wanted = np.frombuffer(observed, dtype=np.uint8)
    tried, found = 0, None
    for rows in candidates:
        if rows.ndim != 2 or rows.shape[1] < len(wanted):
            raise InputError(f"expected {len(wanted)} bytes for each seed, found the shape {rows.shape}")
        if found is None:
            hits = np.flatnonzero((rows[:, : len(wanted)] == wanted).all(axis=1))
            found = tried + int(hits[0]) if len(hits) else None
        tried += len(rows)
    if tried != seeds:
        raise InputError(f"{seeds} seeds were announced, and {tried} tried: the P-value rests on their number")
    p_value = min(1.0, seeds * 2.0 ** -min(bits, 1_000)) if found is not None else 1.0
    return TestResult(_NAME, (p_value,), statistics={"seed": found, "seeds": seeds, "bits": bits})
