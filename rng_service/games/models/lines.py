"""Settlement model "lines": a video slot with reel strips, paylines from the left, a wild and a scatter.

Line prizes are multiples of the line bet, which is the stake divided by the number of lines; every spin plays
all lines. Scatter prizes are multiples of the whole stake, for scatters anywhere in the window. A stop s
shows the symbols s, s + 1, … of its strip from the top row down, wrapping round.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm, prod

from anchor.canonical import JSONValue
from rng_service.games.models.base import Bet, BetFields, ModelKind, Priced, bet_name, only_fields, only_step
from rng_service.games.reels.paylines import LineAutomaton, line_automaton
from rng_service.games.reels.tickets import ticket_prizes
from rng_service.games.prizes import PrizeDistribution
from rng_service.games.reading import Node, counted_members
from rng_service.outcome import Reels, Step
from rng_service.outcome.primitives import Outcome

_BETS = ("spin",)
MAX_LINES = 256
MAX_REELS = 10
MAX_ROWS = 16
MAX_SYMBOLS = 64


@dataclass(frozen=True)
class LinesBet:
    """The one bet of a slot: all lines, the whole stake.

    ``windows[reel][stop]`` are symbol numbers from the top row down; prizes are integers in units of
    1 / ``scale`` of the stake; ``scatters`` is the prize by number of scatters in the window.
    """

    windows: Sequence[Sequence[tuple[int, ...]]]
    lines: Sequence[tuple[int, ...]]
    automaton: LineAutomaton
    scatter: int | None
    scatters: Sequence[int]
    scale: int

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded."""
        return {"bet": "spin"}

    @property
    def highest(self) -> Fraction:
        """The largest prize that can be won."""
        return self.prizes().top[0]

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return the sum of all line prizes and the scatter prize, for each unit of the whole stake."""
        grid = [windows[stop] for windows, stop in zip(self.windows, outcome, strict=True)]
        next_state, prize = self.automaton.next_state, self.automaton.prize
        total = 0
        for line in self.lines:
            state = 0
            for window, row in zip(grid, line, strict=True):
                following = next_state[state][window[row]]
                if following < 0:
                    break
                state = following
            total += prize[state]
        if self.scatter is not None:
            total += self.scatters[sum(window.count(self.scatter) for window in grid)]
        return Fraction(total, self.scale)

    def rtp(self) -> Fraction:
        """Return the mean by linearity: every line sees each symbol as often as its strip holds it."""
        states: dict[int, int] = {0: 1}
        ended = 0
        prize = self.automaton.prize
        for windows in self.windows:
            # Whatever the row, going through all stops shows every symbol of the strip once.
            strip = Counter(window[0] for window in windows)
            ended *= len(windows)
            following: dict[int, int] = {}
            for state, ways in states.items():
                for symbol, count in strip.items():
                    target = self.automaton.next_state[state][symbol]
                    if target < 0:
                        ended += ways * count * prize[state]
                    else:
                        following[target] = following.get(target, 0) + ways * count
            states = following
        line_total = ended + sum(ways * prize[state] for state, ways in states.items())
        total = len(self.lines) * line_total + self._scatter_total()
        return Fraction(total, self.scale * prod(len(windows) for windows in self.windows))

    def _scatter_total(self) -> int:
        counts = Counter({0: 1})
        for windows in self.windows:
            following: Counter[int] = Counter()
            for seen, ways in counts.items():
                for window in windows:
                    following[seen + self._scatters_in(window)] += ways
            counts = following
        return sum(self.scatters[seen] * ways for seen, ways in counts.items())

    def _scatters_in(self, window: tuple[int, ...]) -> int:
        return 0 if self.scatter is None else window.count(self.scatter)

    @cached_property
    def _prizes(self) -> PrizeDistribution:
        totals = ticket_prizes(self.windows, self.lines, self.automaton, self._scatters_in, self.scatters)
        combinations = prod(len(windows) for windows in self.windows)
        return PrizeDistribution(
            {Fraction(total, self.scale): Fraction(ways, combinations) for total, ways in totals.items()}
        )

    def prizes(self) -> PrizeDistribution:
        """Return the distribution of the whole spin, all lines together; counted once, then kept."""
        return self._prizes


@dataclass(frozen=True, slots=True)
class LinesModel:
    """A slot, which takes one bet."""

    spin: LinesBet

    def resolve(self, bet: BetFields) -> Bet:
        """Take ``{"bet": "spin"}``."""
        bet_name(bet, _BETS)
        only_fields(bet, ("bet",))
        return self.spin

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List the spin."""
        return [("spin", self.spin)]


def read_lines(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> LinesModel:
    """Read ``{"model": "lines", "rows", "symbols", "lines", "pays"}`` and the optional wild and scatter."""
    fields = settlement.fields(("model", "rows", "symbols", "lines", "pays"), ("wild", "scatter", "scatter_pays"))
    reels = only_step(steps_node, steps, Reels, "a reels")
    rows = fields["rows"].integer(1, MAX_ROWS)
    symbols = _symbols(fields["symbols"])
    strips = _strips(steps_node, reels, rows, symbols)
    count = len(strips)
    if count > MAX_REELS:
        steps_node.fail(f"this settlement model takes at most {MAX_REELS} reels, got {count}")
    wild = symbols[fields["wild"].choice(symbols)] if "wild" in fields else None
    scatter = symbols[fields["scatter"].choice(symbols)] if "scatter" in fields else None
    if scatter is not None and scatter == wild:
        fields["scatter"].fail("the wild cannot be the scatter too")
    if (scatter is None) != ("scatter_pays" not in fields):
        settlement.fail("'scatter' and 'scatter_pays' go together: one of them is missing")
    lines = [_line(line, count, rows) for line in fields["lines"].items(1, MAX_LINES)]
    if len(set(lines)) < len(lines):
        fields["lines"].fail("the same line stands here twice")
    pays: dict[int, dict[int, Fraction]] = {}
    for name, row in fields["pays"].members(1, len(symbols)).items():
        if name not in symbols:
            row.fail("this symbol is not in symbols")
        if symbols[name] == scatter:
            row.fail("the scatter pays by scatter_pays, not on lines")
        pays[symbols[name]] = _prizes_by_count(row, 1, count)
    most = rows * count
    scattered = _prizes_by_count(fields["scatter_pays"], 1, most) if "scatter_pays" in fields else {}
    unit = lcm(*(prize.denominator for row in (*pays.values(), scattered) for prize in row.values()))
    automaton = line_automaton(
        len(symbols),
        count,
        wild,
        {symbol: {length: int(prize * unit) for length, prize in row.items()} for symbol, row in pays.items()},
    )
    scale = unit * len(lines)
    scatters = [int(scattered.get(seen, Fraction(0)) * scale) for seen in range(most + 1)]
    windows = [[_window(strip, stop, rows) for stop in range(len(strip))] for strip in strips]
    return LinesModel(LinesBet(windows, lines, automaton, scatter, scatters, scale))


def _symbols(node: Node) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in node.items(1, MAX_SYMBOLS):
        name = item.text(16)
        if name in found:
            item.fail(f"the symbol {name!r} stands here twice")
        found[name] = len(found)
    return found


def _strips(node: Node, reels: Reels, rows: int, symbols: Mapping[str, int]) -> list[list[int]]:
    found = []
    for reel, strip in enumerate(reels.strips):
        path = f"{node.path}[0].strips[{reel}]"
        if len(strip) < rows:
            Node(None, path).fail(f"a strip holds at least as many symbols as there are rows, {rows}")
        for position, name in enumerate(strip):
            if name not in symbols:
                Node(None, f"{path}[{position}]").fail(f"symbol {name!r} is not in symbols")
        found.append([symbols[name] for name in strip])
    return found


def _line(node: Node, reels: int, rows: int) -> tuple[int, ...]:
    return tuple(row.integer(0, rows - 1) for row in node.items(reels, reels))


def _prizes_by_count(node: Node, low: int, high: int) -> dict[int, Fraction]:
    return {count: prize.multiplier() for count, prize in counted_members(node, low, high)}


def _window(strip: Sequence[int], stop: int, rows: int) -> tuple[int, ...]:
    return tuple(strip[(stop + row) % len(strip)] for row in range(rows))


MODEL = ModelKind(
    "lines",
    read_lines,
    {
        "required": ["rows", "symbols", "lines", "pays"],
        "properties": {
            "rows": {"type": "integer", "minimum": 1, "maximum": 16},
            "symbols": {
                "type": "array",
                "minItems": 1,
                "maxItems": 64,
                "uniqueItems": True,
                "items": {"$ref": "#/$defs/symbol"},
            },
            "wild": {"$ref": "#/$defs/symbol"},
            "scatter": {"$ref": "#/$defs/symbol"},
            "lines": {
                "type": "array",
                "minItems": 1,
                "maxItems": 256,
                "uniqueItems": True,
                "items": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 10,
                    "items": {"type": "integer", "minimum": 0, "maximum": 15},
                },
            },
            "pays": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"$ref": "#/$defs/symbol"},
                "additionalProperties": {"$ref": "#/$defs/prizes_by_count"},
            },
            "scatter_pays": {"$ref": "#/$defs/prizes_by_count"},
        },
        "dependentRequired": {"scatter": ["scatter_pays"], "scatter_pays": ["scatter"]},
    },
)
