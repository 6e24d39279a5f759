"""``index.json`` of a Stake Engine math package: its modes, and the files of each."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from anchor.errors import MalformedError
from anchor.files import check_relative
from rng_service.games.definition import MAX_PROGRAMS
from rng_service.games.errors import GameError
from rng_service.games.reading import NAME, Node, read_json

__all__ = ["INDEX", "Mode", "parse_index", "program_name"]

INDEX: Final = "index.json"
_MAX_BYTES: Final = 1 << 20
_BOOKS: Final = (".jsonl.zst", ".jsonl.zstd")
_WEIGHTS: Final = (".csv",)


@dataclass(frozen=True, slots=True)
class Mode:
    """One mode: ``cost`` base bets for a draw, and the paths of its files beneath the package's directory."""

    name: str
    program: str
    cost: Fraction
    books: str
    weights: str


def parse_index(data: bytes) -> tuple[Mode, ...]:
    """Return the modes of an ``index.json`` of at most 1 MiB.

    The cost is read exactly as it is written. Raises GameError with the path of the first field that does not hold: a
    name that no program can have, or that another mode has; a cost that is no number above 0; a file that would lie
    outside of the package.
    """
    nodes = read_json(data, limit=_MAX_BYTES).fields(("modes",))["modes"].items(1, MAX_PROGRAMS)
    modes = tuple(_read_mode(node) for node in nodes)
    seen: dict[str, str] = {}
    for node, mode in zip(nodes, modes, strict=True):
        other = seen.setdefault(mode.program, mode.name)
        if other is not mode.name:
            place = node.path + ".name"
            raise GameError(place, f"the modes {other!r} and {mode.name!r} would both be the program {mode.program!r}")
    return modes


def program_name(mode: str) -> str:
    """Return the name of the program that a mode becomes: in lower case, with hyphens for underscores and spaces."""
    return mode.lower().replace("_", "-").replace(" ", "-")


def _read_mode(node: Node) -> Mode:
    fields = node.fields(("name", "cost", "events", "weights"))
    name = fields["name"].text(64)
    program = program_name(name)
    if not NAME.match(program):
        fields["name"].fail(f"{name!r} cannot be the name of a program: a-z, 0-9, _ and -, at most 32 long")
    return Mode(
        name,
        program,
        fields["cost"].decimal(),
        _file(fields["events"], _BOOKS),
        _file(fields["weights"], _WEIGHTS),
    )


def _file(node: Node, suffixes: tuple[str, ...]) -> str:
    path = node.text(255)
    if not path.endswith(suffixes):
        node.fail(f"expected a file that ends in {suffixes[0]}, got {path!r}")
    try:
        check_relative(path)
    except MalformedError as error:
        node.fail(f"a file of the package lies in its directory: {error}")
    return path
