"""Rows in order of their request ids, however many there are: sorted in parts, the parts merged from disk."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import IO, Final

from rng_service.reconcile.rows import FileRound

__all__ = ["sorted_rounds"]

# About 150 MB of rows at a time; and so many files at once before they become one.
_ROWS_AT_ONCE: Final = 200_000
_MOST_FILES: Final = 200


def sorted_rounds(
    rounds: Iterable[FileRound], directory: Path, *, rows_at_once: int = _ROWS_AT_ONCE, most_files: int = _MOST_FILES
) -> Iterator[FileRound]:
    """Yield ``rounds`` by request id, item and line. Needs about as much room in ``directory`` as the list itself.

    The files have no names there: nothing is left of them, whatever happens.
    """
    with ExitStack() as stack:
        files: list[IO[str]] = []
        source = iter(rounds)
        while part := sorted(islice(source, rows_at_once)):
            files.append(_written(stack, directory, part))
            if len(files) == most_files:
                files = [_written(stack, directory, merge(*map(_read, files)))]
        yield from merge(*map(_read, files))


def _written(stack: ExitStack, directory: Path, rounds: Iterable[FileRound]) -> IO[str]:
    file = stack.enter_context(tempfile.TemporaryFile("w+", dir=directory, encoding="ascii"))  # noqa: SIM115 - the stack closes it
    for item in rounds:
        file.write(json.dumps([item.request_id.hex(), *item[1:]], separators=(",", ":")) + "\n")
    file.seek(0)
    return file


def _read(file: IO[str]) -> Iterator[FileRound]:
    for text in file:
        request_id, item, line, stake, payout, currency, outcome, *rest = json.loads(text)
        yield FileRound(
            bytes.fromhex(request_id),
            item,
            line,
            stake,
            payout,
            currency,
            None if outcome is None else tuple(outcome),
            *rest,
        )
    # A part that was merged into a larger one gives its room back at once.
    file.close()
