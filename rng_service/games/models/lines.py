"""Settlement model "lines": a video slot with reel strips, paylines, wilds, scatters and awarded features.

Line prizes are multiples of the line bet, which is the stake divided by the number of lines, or by ``cost``;
every spin plays all lines. Scatter prizes are multiples of the whole stake, for scatters anywhere in the
window. A stop s shows the symbols s, s + 1, … of its strip from the top row down, wrapping round.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from rng_service.games.errors import GameError
from rng_service.games.models.base import ModelKind
from rng_service.games.reading import Node
from rng_service.games.reels.counting import Counting
from rng_service.games.reels.lines import DIRECTIONS, Lines
from rng_service.games.reels.paylines import COMBINATIONS, LineRule, LineRules, NumberRule, units
from rng_service.games.reels.reading import (
    AWARDS_SCHEMA,
    COMMON_FIELDS,
    COMMON_RELATIONS,
    COMMON_SCHEMA,
    MAX_REELS,
    MAX_ROWS,
    MAX_SYMBOLS,
    PAYS_SCHEMA,
    Frame,
    read_awards,
    read_frame,
    read_symbol_set,
    read_symbols,
)
from rng_service.games.reels.spin import AwardingSpin, Spin, SpinModel
from rng_service.outcome import Step

MAX_LINES = 256
MAX_COST = 1_000_000
_OPTIONAL = (
    *COMMON_FIELDS,
    "groups",
    "line_awards",
    "number_pays",
    "direction",
    "wild_multipliers",
    "wilds_alone",
    "cost",
)


def read_lines(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> SpinModel:
    """Read ``{"model": "lines", "rows", "symbols", "lines", "pays"}`` and what is optional (docs/games.md)."""
    fields = settlement.fields(("model", "rows", "symbols", "lines", "pays"), _OPTIONAL)
    groups = _groups(fields["groups"], read_symbols(fields["symbols"])) if "groups" in fields else {}
    frame = read_frame(settlement, fields, steps_node, steps, groups)
    for name, node in fields["groups"].members(1, MAX_SYMBOLS).items() if "groups" in fields else ():
        if name not in frame.pays:
            node.fail("a group is for pays, which does not name it")
    reels = len(frame.strips)
    lines = [
        tuple(row.integer(0, rows - 1) for row, rows in zip(line.items(reels, reels), frame.rows, strict=True))
        for line in fields["lines"].items(1, MAX_LINES)
    ]
    if len(set(lines)) < len(lines):
        fields["lines"].fail("the same line stands here twice")
    awards = read_awards(fields["line_awards"], frame.symbols, reels) if "line_awards" in fields else {}
    owners = {**{name: frozenset((symbol,)) for name, symbol in frame.symbols.items()}, **groups}
    _check_reachable(fields["pays"], frame, owners)
    cost = fields["cost"].integer(1, MAX_COST) if "cost" in fields else len(lines)
    scale = frame.unit * cost
    direction = fields["direction"].choice(DIRECTIONS) if "direction" in fields else "left"
    most = {
        program: 2 * len(lines) * sum(max(table.values()) for table in by_symbol.values())
        for program, by_symbol in awards.items()
    }
    counting = frame.counting(scale, most)
    rules = LineRules(
        len(frame.symbols),
        reels,
        _rules(frame, owners, counting, awards),
        [NumberRule(name, frame.symbols[name], units(pays, frame.unit)) for name, pays in frame.number_pays.items()],
        {symbol: wild.multiplier for symbol, wild in frame.wilds.items() if wild.multiplier > 1},
        fields["wild_multipliers"].choice(COMBINATIONS) if "wild_multipliers" in fields else "product",
        "wilds_alone" not in fields or fields["wilds_alone"].boolean(),
    )
    shown = frame.reels(counting.digits)
    programs = sorted({*awards, *(program for scatter in frame.scatters for program in scatter.awards)})
    kind = AwardingSpin if programs else Spin
    try:
        paying = Lines(shown, lines, rules, direction, counting.bits)
    except GameError as error:
        settlement.fail(error.message)
    return SpinModel(kind(shown, paying, counting, scale), programs)


def _groups(node: Node, symbols: Mapping[str, int]) -> dict[str, frozenset[int]]:
    found = {}
    for name, members in node.members(1, MAX_SYMBOLS).items():
        if name in symbols:
            members.fail("a group cannot have the name of a symbol")
        Node(name, members.path).text(16)
        found[name] = read_symbol_set(members, symbols, 2)
    return found


def _rules(
    frame: Frame,
    owners: Mapping[str, frozenset[int]],
    counting: Counting,
    awards: Mapping[str, Mapping[str, Mapping[int, int]]],
) -> list[LineRule]:
    names = dict.fromkeys([*frame.pays, *(symbol for by_symbol in awards.values() for symbol in by_symbol)])
    found = []
    for name in names:
        own = owners[name]
        wilds = {symbol for symbol, wild in frame.wilds.items() if wild.stands_for & own}
        by_length: dict[int, dict[str, int]] = {}
        for program, by_symbol in awards.items():
            for length, draws in by_symbol.get(name, {}).items():
                by_length.setdefault(length, {})[program] = draws
        found.append(
            LineRule(
                name,
                own,
                own | wilds,
                units(frame.pays.get(name, {}), frame.unit),
                {length: counting.line_awards(draws) for length, draws in by_length.items()},
            )
        )
    return found


def _check_reachable(node: Node, frame: Frame, owners: Mapping[str, frozenset[int]]) -> None:
    """Refuse a prize that a group with the same symbols always beats, or equals."""
    for name, prizes in frame.pays.items():
        for other, others in frame.pays.items():
            if other == name or not owners[name] <= owners[other]:
                continue
            for length, prize in prizes.items():
                best = max((pays for count, pays in others.items() if count <= length), default=Fraction(0))
                if best >= prize:
                    node.members(1, 2 * MAX_SYMBOLS)[name].members(1, MAX_REELS)[str(length)].fail(
                        f"this prize is never paid: the same symbols win {best} as {other!r}"
                    )


MODEL = ModelKind(
    "lines",
    read_lines,
    {
        "required": ["rows", "symbols", "lines", "pays"],
        "properties": {
            **COMMON_SCHEMA,
            "lines": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_LINES,
                "uniqueItems": True,
                "items": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_REELS,
                    "items": {"type": "integer", "minimum": 0, "maximum": MAX_ROWS - 1},
                },
            },
            "groups": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": MAX_SYMBOLS,
                "propertyNames": {"$ref": "#/$defs/symbol"},
                "additionalProperties": {
                    "type": "array",
                    "minItems": 2,
                    "maxItems": MAX_SYMBOLS,
                    "uniqueItems": True,
                    "items": {"$ref": "#/$defs/symbol"},
                },
            },
            "number_pays": PAYS_SCHEMA,
            "line_awards": AWARDS_SCHEMA,
            "direction": {"enum": list(DIRECTIONS)},
            "wild_multipliers": {"enum": list(COMBINATIONS)},
            "wilds_alone": {"type": "boolean"},
            "cost": {"type": "integer", "minimum": 1, "maximum": MAX_COST},
        },
        **COMMON_RELATIONS,
    },
)
