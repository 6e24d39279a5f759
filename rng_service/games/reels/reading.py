"""What slots on reels have in common in a game definition: symbols, windows, wilds, scatters, awards."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from anchor.canonical import JSONValue
from rng_service.games.models.base import only_step
from rng_service.games.reading import Node, check_name
from rng_service.games.reels.counting import Counting, CountRule, counting
from rng_service.games.reels.windows import Reel, reel
from rng_service.outcome import Reels, Step

MAX_REELS = 10
MAX_ROWS = 16
MAX_SYMBOLS = 64
MAX_DRAWS = 1_000
MAX_MULTIPLIER = 1_000
COMMON_FIELDS = ("wild", "wilds", "scatter", "scatter_pays", "scatters", "awards", "multiplier")
_COUNT = re.compile(r"(0|[1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4})|(\+))?\Z")


@dataclass(frozen=True, slots=True)
class Wild:
    """A symbol that counts for the symbols ``stands_for``, and multiplies what they win."""

    multiplier: int
    stands_for: frozenset[int]
    expands: bool


@dataclass(frozen=True, slots=True)
class Scatter:
    """What the number of one symbol in the window pays, in multiples of the stake, and awards by program."""

    symbol: str
    pays: Mapping[int, Fraction]
    awards: Mapping[str, Mapping[int, int]]


@dataclass(frozen=True, slots=True)
class Frame:
    """The parts of a slot before its lines or ways; all prizes are times the multiplier of the program."""

    symbols: Mapping[str, int]
    strips: Sequence[Sequence[int]]
    weights: Sequence[Sequence[int]] | None
    rows: Sequence[int]
    wilds: Mapping[int, Wild]
    scatters: Sequence[Scatter]
    pays: Mapping[str, Mapping[int, Fraction]]
    number_pays: Mapping[str, Mapping[int, Fraction]]

    @property
    def unit(self) -> int:
        """The smallest denominator in which every prize is a whole number."""
        tables = [*self.pays.values(), *self.number_pays.values(), *(scatter.pays for scatter in self.scatters)]
        return lcm(*(prize.denominator for table in tables for prize in table.values()))

    def counting(self, scale: int, line_awards: Mapping[str, int]) -> Counting:
        """Return the scatters' rules in units of 1 / ``scale`` of the stake."""
        rules = [
            CountRule(
                scatter.symbol,
                self.symbols[scatter.symbol],
                {count: int(prize * scale) for count, prize in scatter.pays.items()},
                scatter.awards,
            )
            for scatter in self.scatters
        ]
        return counting(rules, sum(self.rows), line_awards)

    def reels(self, digits: Mapping[int, int]) -> list[Reel]:
        """Return the reels; ``digits`` is what each counted symbol adds to a packed integer."""
        expanding = [symbol for symbol, wild in self.wilds.items() if wild.expands]
        weights: Sequence[Sequence[int] | None] = self.weights or [None] * len(self.strips)
        return [
            reel(strip, rows, digits, expanding, weight)
            for strip, rows, weight in zip(self.strips, self.rows, weights, strict=True)
        ]


def read_frame(
    settlement: Node,
    fields: Mapping[str, Node],
    steps_node: Node,
    steps: Sequence[Step],
    groups: Mapping[str, frozenset[int]] | None = None,
    *,
    by_number: bool = False,
) -> Frame:
    """Read what lines and ways have in common from ``fields``, the members of ``settlement``.

    ``groups`` are further names that ``pays`` may use. Prizes are by lengths up to the number of reels, or, with
    ``by_number``, by numbers and ranges up to that of cells. Raises GameError with the path.
    """
    reels = only_step(steps_node, steps, Reels, "a reels")
    count = len(reels.strips)
    if count > MAX_REELS:
        steps_node.fail(f"this settlement model takes at most {MAX_REELS} reels, got {count}")
    symbols = read_symbols(fields["symbols"])
    rows = _rows(fields["rows"], count)
    strips = _strips(steps_node, reels, rows, symbols)
    multiplier = fields["multiplier"].multiplier() if "multiplier" in fields else Fraction(1)
    scatters = _scatters(settlement, fields, symbols, sum(rows))
    scattered = {scatter.symbol for scatter in scatters if scatter.pays}
    tables = []
    for key, names in (("pays", {*symbols, *(groups or {})}), ("number_pays", set(symbols))):
        table = {}
        for name, node in fields[key].members(1, 2 * MAX_SYMBOLS).items() if key in fields else ():
            if name not in names:
                node.fail("this symbol is not in symbols")
            if name in scattered:
                node.fail(f"the scatter pays by {'scatter_pays' if 'scatter' in fields else 'scatters'}, not here")
            prizes = (
                {number: prize.multiplier() for number, prize in count_table(node, sum(rows)).items()}
                if by_number
                else _lengths(node, count)
            )
            table[name] = {number: prize * multiplier for number, prize in prizes.items()}
        tables.append(table)
    pays, number_pays = tables
    paying = frozenset(
        symbol for name in pays for symbol in (groups or {}).get(name, frozenset((symbols.get(name, -1),)))
    )
    wilds = _wilds(fields, symbols, paying, scattered)
    scatters = [
        Scatter(item.symbol, {n: prize * multiplier for n, prize in item.pays.items()}, item.awards)
        for item in scatters
    ]
    return Frame(symbols, strips, reels.weights, rows, wilds, scatters, pays, number_pays)


def read_symbols(node: Node) -> dict[str, int]:
    """Return the symbols with their numbers, in the order written."""
    found: dict[str, int] = {}
    for item in node.items(1, MAX_SYMBOLS):
        name = item.text(16)
        if name in found:
            item.fail(f"the symbol {name!r} stands here twice")
        found[name] = len(found)
    return found


def read_symbol_set(node: Node, symbols: Mapping[str, int], low: int = 1) -> frozenset[int]:
    """Return different symbols, at least ``low``."""
    found: set[int] = set()
    for item in node.items(low, len(symbols)):
        symbol = symbols[item.choice(symbols)]
        if symbol in found:
            item.fail("this symbol stands here twice")
        found.add(symbol)
    return frozenset(found)


def read_awards(node: Node, known: Collection[str], most: int) -> dict[str, dict[str, dict[int, int]]]:
    """Read ``{program: {symbol: {count: draws}}}``, counts up to ``most``."""
    return {
        check_name(program, by_symbol): {
            symbol: read_counts(table, known, symbol, most)
            for symbol, table in by_symbol.members(1, MAX_SYMBOLS).items()
        }
        for program, by_symbol in node.members(1, MAX_SYMBOLS).items()
    }


def read_counts(node: Node, known: Collection[str], symbol: str, most: int) -> dict[int, int]:
    """Read the draws by count of ``symbol``, which is one of ``known``."""
    if symbol not in known:
        node.fail("this symbol is not in symbols")
    return {count: draws.integer(1, MAX_DRAWS) for count, draws in count_table(node, most).items()}


def count_table(node: Node, most: int) -> dict[int, Node]:
    """Return the members of ``{"3": …, "4-5": …, "6+": …}`` by every count that they mean, from 1 to ``most``."""
    found: dict[int, Node] = {}
    for key, member in node.members(1, most).items():
        match = _COUNT.match(key)
        if match is None:
            member.fail('expected a key like "3", "3-5" or "3+"')
        low = int(match[1])
        high = most if match[3] else int(match[2] or low)
        if not 1 <= low <= high <= most:
            member.fail(f"expected counts from 1 to {most}, in ascending order, got {key}")
        for count in range(low, high + 1):
            if count in found:
                member.fail(f"the count {count} stands here twice")
            found[count] = member
    return found


def _lengths(node: Node, most: int) -> dict[int, Fraction]:
    found = {}
    for key, member in node.members(1, most).items():
        if not _COUNT.match(key) or not key.isdigit() or not 1 <= int(key) <= most:
            member.fail(f"expected a key from 1 to {most}, got {key[:64]!r}")
        found[int(key)] = member.multiplier()
    return found


def _rows(node: Node, reels: int) -> list[int]:
    if isinstance(node.value, list):
        return [item.integer(1, MAX_ROWS) for item in node.items(reels, reels)]
    return [node.integer(1, MAX_ROWS)] * reels


def _strips(node: Node, reels: Reels, rows: Sequence[int], symbols: Mapping[str, int]) -> list[list[int]]:
    found = []
    for reel_number, (strip, shown) in enumerate(zip(reels.strips, rows, strict=True)):
        path = f"{node.path}[0].strips[{reel_number}]"
        if len(strip) < shown:
            Node(None, path).fail(f"a strip holds at least as many symbols as there are rows, {shown}")
        for position, name in enumerate(strip):
            if name not in symbols:
                Node(None, f"{path}[{position}]").fail(f"symbol {name!r} is not in symbols")
        found.append([symbols[name] for name in strip])
    return found


def _scatters(settlement: Node, fields: Mapping[str, Node], symbols: Mapping[str, int], cells: int) -> list[Scatter]:
    if ("scatter" in fields) != ("scatter_pays" in fields):
        settlement.fail("'scatter' and 'scatter_pays' go together: one of them is missing")
    if "scatter" in fields and "scatters" in fields:
        fields["scatters"].fail("either 'scatter' with 'scatter_pays', or 'scatters'")
    tables: dict[str, Node] = {}
    if "scatter" in fields:
        tables[fields["scatter"].choice(symbols)] = fields["scatter_pays"]
    elif "scatters" in fields:
        tables = fields["scatters"].members(1, len(symbols))
    pays: dict[str, dict[int, Fraction]] = {}
    for symbol, table in tables.items():
        if symbol not in symbols:
            table.fail("this symbol is not in symbols")
        if "wild" in fields and fields["wild"].value == symbol:
            fields["scatter" if "scatter" in fields else "scatters"].fail("the wild cannot be the scatter too")
        pays[symbol] = {count: prize.multiplier() for count, prize in count_table(table, cells).items()}
    awards = read_awards(fields["awards"], symbols, cells) if "awards" in fields else {}
    counted = dict.fromkeys([*pays, *(symbol for by_symbol in awards.values() for symbol in by_symbol)])
    return [
        Scatter(
            symbol,
            pays.get(symbol, {}),
            {program: by_symbol[symbol] for program, by_symbol in awards.items() if symbol in by_symbol},
        )
        for symbol in counted
    ]


def _wilds(
    fields: Mapping[str, Node],
    symbols: Mapping[str, int],
    paying: frozenset[int],
    scattered: Collection[str],
) -> dict[int, Wild]:
    if "wild" in fields and "wilds" in fields:
        fields["wilds"].fail("either 'wild' or 'wilds'")
    if "wild" in fields:
        name = fields["wild"].choice(symbols)
        return {symbols[name]: Wild(1, paying - {symbols[name]}, expands=False)}
    if "wilds" not in fields:
        return {}
    listed = fields["wilds"].members(1, len(symbols))
    for name, node in listed.items():
        if name not in symbols:
            node.fail("this symbol is not in symbols")
    numbers = frozenset(symbols[name] for name in listed)
    found = {}
    for name, node in listed.items():
        options = node.fields((), ("multiplier", "for", "except", "expands", "scatter"))
        scatter = "scatter" in options and options["scatter"].boolean()
        if scatter != (name in scattered):
            node.fail(
                "'scatter' is true, but scatters has no prizes for it"
                if scatter
                else 'the wild is a scatter too: say so with "scatter": true'
            )
        own = symbols[name]
        stands_for = paying - numbers
        if "for" in options and "except" in options:
            options["except"].fail("either 'for' or 'except'")
        if "for" in options:
            stands_for = read_symbol_set(options["for"], symbols)
            if own in stands_for or not stands_for <= paying:
                options["for"].fail("a wild stands for other symbols, and for such as pay")
        elif "except" in options:
            excepted = read_symbol_set(options["except"], symbols)
            if not excepted <= stands_for:
                options["except"].fail("a symbol that this wild would not stand for anyway")
            stands_for -= excepted
        found[own] = Wild(
            options["multiplier"].integer(1, MAX_MULTIPLIER) if "multiplier" in options else 1,
            stands_for,
            "expands" in options and options["expands"].boolean(),
        )
    return found


_COUNT_KEYS: JSONValue = {"type": "string", "pattern": "^(0|[1-9][0-9]{0,4})(-[1-9][0-9]{0,4}|\\+)?$"}
_SYMBOL: JSONValue = {"$ref": "#/$defs/symbol"}
_SYMBOL_SET: JSONValue = {"type": "array", "minItems": 1, "maxItems": 64, "uniqueItems": True, "items": _SYMBOL}
_ROWS: JSONValue = {"type": "integer", "minimum": 1, "maximum": MAX_ROWS}
PAYS_SCHEMA: JSONValue = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": _SYMBOL,
    "additionalProperties": {"$ref": "#/$defs/prizes_by_count"},
}
AWARDS_SCHEMA: JSONValue = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 64,
    "propertyNames": {"$ref": "#/$defs/name"},
    "additionalProperties": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": _SYMBOL,
        "additionalProperties": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": _COUNT_KEYS,
            "additionalProperties": {"type": "integer", "minimum": 1, "maximum": MAX_DRAWS},
        },
    },
}
PRIZES_BY_COUNTS: JSONValue = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": _COUNT_KEYS,
    "additionalProperties": {"$ref": "#/$defs/multiplier"},
}
COMMON_SCHEMA: dict[str, JSONValue] = {
    "rows": {
        "anyOf": [_ROWS, {"type": "array", "minItems": 1, "maxItems": MAX_REELS, "items": _ROWS}],
    },
    "symbols": _SYMBOL_SET,
    "wild": _SYMBOL,
    "wilds": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": _SYMBOL,
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "multiplier": {"type": "integer", "minimum": 1, "maximum": MAX_MULTIPLIER},
                "for": _SYMBOL_SET,
                "except": _SYMBOL_SET,
                "expands": {"type": "boolean"},
                "scatter": {"type": "boolean"},
            },
        },
    },
    "scatter": _SYMBOL,
    "scatter_pays": PRIZES_BY_COUNTS,
    "scatters": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": _SYMBOL,
        "additionalProperties": PRIZES_BY_COUNTS,
    },
    "awards": AWARDS_SCHEMA,
    "multiplier": {"$ref": "#/$defs/multiplier"},
    "pays": PAYS_SCHEMA,
}
COMMON_RELATIONS: dict[str, JSONValue] = {
    "dependentRequired": {"scatter": ["scatter_pays"], "scatter_pays": ["scatter"]}
}
