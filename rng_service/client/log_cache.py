"""What a client keeps of the log from one run to the next, so that a start does not read a long log from its beginning.

    canonical JSON   {"activations":{pool:[index, newest_us]}, "announced":[[index, entry text]…],
                      "commits":{pool:[index, newest_us, newest_round]}, "format", "newest_us", "next",
                      "note" (hex), "rounds":{chain hash:round}}

It holds nothing secret. The checkpoint in it is signed by the log, and the next one that is read must extend it: so a
log that was rewritten while nobody looked is noticed. The rest is as true as the machine that wrote it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from anchor import canonical
from anchor.errors import MalformedError
from anchor.files import atomic_write

FORMAT: Final = "sealdraw/client-log@v1"
_MAX_BYTES: Final = 1 << 28
_MEMBERS: Final = frozenset(
    ("activations", "announced", "commits", "format", "newest_us", "next", "note", "rounds"),
)


class Committed(NamedTuple):
    """A pool's first commitment, and how far the digests before it had come; see `verify.clock.LogTime`."""

    place: int
    newest_us: int
    newest_round: int


@dataclass(frozen=True, slots=True)
class LogCache:
    """The facts of a log's first ``next`` entries, which the checkpoint ``note`` covers.

    ``announced`` are the entries, with their indices, that name configuration, keys, chains and lanes;
    ``activations`` has index and newest time before it.
    """

    note: bytes
    next: int
    newest_us: int
    rounds: Mapping[bytes, int]
    announced: Sequence[tuple[int, bytes]]
    commits: Mapping[str, Committed]
    activations: Mapping[str, tuple[int, int]]


def write_cache(path: Path, cache: LogCache) -> None:
    """Write the file, durably and whole; OSError is passed on."""
    members = {
        "activations": {pool: list(place) for pool, place in cache.activations.items()},
        "announced": [[index, data.decode("ascii")] for index, data in cache.announced],
        "commits": {pool: list(place) for pool, place in cache.commits.items()},
        "format": FORMAT,
        "newest_us": cache.newest_us,
        "next": cache.next,
        "note": cache.note.hex(),
        "rounds": {chain.hex(): number for chain, number in cache.rounds.items()},
    }
    atomic_write(path, canonical.encode(members))


def read_cache(path: Path) -> LogCache | None:
    """Return what is kept in the file, None when there is none.

    Raises MalformedError for anything but what `write_cache` writes; OSError is passed on.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    members = canonical.decode_object(data, limit=_MAX_BYTES, what="log cache")
    if members.keys() != _MEMBERS or members["format"] != FORMAT:
        raise MalformedError(f"log cache: expected the members of {FORMAT}")
    try:
        return LogCache(
            note=bytes.fromhex(members["note"]),
            next=_integer(members["next"]),
            newest_us=_integer(members["newest_us"]),
            rounds={bytes.fromhex(chain): _integer(number) for chain, number in members["rounds"].items()},
            announced=[(_integer(index), text.encode("ascii")) for index, text in members["announced"]],
            commits={pool: Committed(*_integers(place, 3)) for pool, place in members["commits"].items()},
            activations={pool: _pair(place) for pool, place in members["activations"].items()},
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise MalformedError(f"log cache: {error}") from None


def _integer(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("expected integers, none of them negative")
    return value


def _integers(values: Any, count: int) -> list[int]:
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"expected {count} integers")
    return [_integer(value) for value in values]


def _pair(values: Any) -> tuple[int, int]:
    index, newest_us = _integers(values, 2)
    return index, newest_us
