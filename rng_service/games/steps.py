"""The steps of a program as they stand in a game definition."""

from collections.abc import Callable

from rng_service.games.files import GameFiles
from rng_service.games.reading import Node
from rng_service.outcome import Deal, Lookup, Reels, Sample, Shuffle, Step, StepError, Uniform, Weighted
from rng_service.outcome.lookup import MAX_ROWS, MAX_TOTAL
from rng_service.outcome.steps import MAX_BOUND, MAX_COUNT, MAX_DECK, MAX_STEPS, MAX_TICKETS


def _uniform(fields: dict[str, Node]) -> Step:
    return Uniform(fields["n"].integer(1, MAX_BOUND), _count(fields))


def _weighted(fields: dict[str, Node]) -> Step:
    weights = [weight.integer(1, MAX_BOUND) for weight in fields["weights"].items(1, MAX_DECK)]
    return Weighted(tuple(weights), _count(fields))


def _sample(fields: dict[str, Node]) -> Step:
    return Sample(fields["n"].integer(1, MAX_DECK), fields["m"].integer(1, MAX_COUNT))


def _shuffle(fields: dict[str, Node]) -> Step:
    return Shuffle(fields["n"].integer(1, MAX_COUNT))


def _reels(fields: dict[str, Node]) -> Step:
    strips = fields["strips"].items(1, 64)
    shown = tuple(tuple(symbol.text(16) for symbol in strip.items(1, MAX_DECK)) for strip in strips)
    if "weights" not in fields:
        return Reels(shown)
    weights = fields["weights"].items(1, 64)
    return Reels(
        shown, tuple(tuple(weight.integer(1, MAX_BOUND) for weight in reel.items(1, MAX_DECK)) for reel in weights)
    )


def _lookup(fields: dict[str, Node], files: GameFiles) -> Step:
    digest = fields["file"].digest()
    rows, total = fields["rows"].integer(1, MAX_ROWS), fields["total"].integer(1, MAX_TOTAL)
    table = files.table(digest)
    if table.rows != rows:
        fields["rows"].fail(f"the file has {table.rows} rows, not {rows}")
    if table.total != total:
        fields["total"].fail(f"the file's weights sum to {table.total}, not to {total}")
    return Lookup(table)


def _count(fields: dict[str, Node]) -> int:
    return fields["count"].integer(1, MAX_COUNT) if "count" in fields else 1


def _deal(fields: dict[str, Node]) -> Step:
    return Deal(tuple(count.integer(1, MAX_TICKETS) for count in fields["counts"].items(1, MAX_DECK)))


# name: (reader, required fields, optional fields)
_STEPS: dict[str, tuple[Callable[[dict[str, Node]], Step], tuple[str, ...], tuple[str, ...]]] = {
    "uniform": (_uniform, ("n",), ("count",)),
    "weighted": (_weighted, ("weights",), ("count",)),
    "sample": (_sample, ("n", "m"), ()),
    "shuffle": (_shuffle, ("n",), ()),
    "reels": (_reels, ("strips",), ("weights",)),
    "deal": (_deal, ("counts",), ()),
}
# The only step that is not all there in the definition.
_LOOKUP = "lookup"
STEP_NAMES = (*_STEPS, _LOOKUP)


def parse_steps(node: Node, files: GameFiles) -> tuple[Step, ...]:
    """Return the steps of a program; raises GameError with the path of the first field that does not hold.

    Errors of the files that steps name are those of `GameFiles.table`.
    """
    return tuple(_parse_step(item, files) for item in node.items(1, MAX_STEPS))


def _parse_step(node: Node, files: GameFiles) -> Step:
    members = node.members(1, 8)
    if "step" not in members:
        node.fail("the key 'step' is missing")
    name = members["step"].choice(STEP_NAMES)
    if name == _LOOKUP:
        return _lookup(node.fields(("step", "file", "rows", "total")), files)
    read, required, optional = _STEPS[name]
    fields = node.fields(("step", *required), optional)
    try:
        return read(fields)
    except StepError as error:
        Node(None, f"{node.path}.{error.where}").fail(error.message)
