"""What one payline pays and awards: its rules, and a small automaton over its symbols in the order of the reels.

A rule has its own symbols (one, or the members of a group) and the symbols that count for it: its own and the
wilds that stand for it. The run of a rule is the longest beginning of the line whose symbols all count for it;
where runs may begin on any reel, every longest stretch of such symbols is one. A run of n offers the rule's
prize for every length up to n, multiplied by the wilds in that part that stand for another symbol; the line
pays the highest prize that any rule offers. Where wilds alone do not pay, a length counts only if one of the
rule's own symbols is in it. Beside the runs, a symbol can pay by its number on the line, wherever it stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from rng_service.games.errors import GameError

COMBINATIONS = ("product", "sum", "highest")
MAX_STATES = 10_000


@dataclass(frozen=True, slots=True)
class LineRule:
    """``pays`` are integer units by length, ``awards`` packed awards (`counting`) by the exact length of the run."""

    name: str
    own: frozenset[int]
    counting: frozenset[int]
    pays: Mapping[int, int]
    awards: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class NumberRule:
    """``pays`` are integer units by the least number of ``symbol`` on the line, in any place."""

    name: str
    symbol: int
    pays: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class LineRules:
    """All rules of a line. ``multipliers`` are those of the wilds above 1, ``combination`` one of COMBINATIONS."""

    symbols: int
    reels: int
    rules: Sequence[LineRule]
    numbers: Sequence[NumberRule]
    multipliers: Mapping[int, int]
    combination: str
    wilds_alone: bool


class Won(NamedTuple):
    """The prize that a line pays. The highest wins, the longest among equals, then the first of the rules."""

    prize: int
    length: int
    order: int  # minus the number of the rule, those of the runs before those of the numbers
    multiplied: int


class _Run(NamedTuple):
    rule: int
    length: int
    own: bool  # one of its own symbols was in it
    multiplied: int
    offered: Won


class LineResult(NamedTuple):
    """What a line comes to: its prize, and its awards packed into one integer."""

    won: Won
    awards: int


class _State(NamedTuple):
    runs: tuple[_Run, ...]
    best: Won
    awards: int
    numbers: tuple[int, ...]


NOTHING = Won(0, 0, 0, 1)


@dataclass(frozen=True, slots=True)
class LineAutomaton:
    """``layers[reel][state][symbol]`` is a state of the next layer; after the last reel comes an index of results."""

    layers: Sequence[Sequence[Sequence[int]]]
    results: Sequence[LineResult]


def line_automaton(rules: LineRules, *, whole: bool = True, anywhere: bool = False) -> LineAutomaton:
    """Build the automaton; without ``whole``, runs over the whole line do not count; ``anywhere``: on any reel.

    The former is for lines read from their last reel where both directions pay: a full line pays once, and so do
    numbers. Raises GameError when it would have more than 10,000 states.
    """
    runs = tuple(_new_run(rule) for rule in range(len(rules.rules)))
    layer: dict[_State, int] = {_State(runs, NOTHING, 0, (0,) * len(rules.numbers) if whole else ()): 0}
    layers = []
    for _ in range(rules.reels):
        following: dict[_State, int] = {}
        rows = []
        for state in layer:
            row = []
            for symbol in range(rules.symbols):
                target = _step(rules, state, symbol, anywhere=anywhere)
                row.append(following.setdefault(target, len(following)))
            rows.append(row)
            if len(following) > MAX_STATES:
                raise GameError(
                    "$", f"a line has more than {MAX_STATES} states: too many different multipliers of wilds"
                )
        layers.append(rows)
        layer = following
    results = [_result(rules, state, whole=whole) for state in layer]
    return LineAutomaton(layers, results)


def line_chances(automaton: LineAutomaton, symbols_by_reel: Sequence[Mapping[int, int]]) -> dict[LineResult, int]:
    """Return result → weight for a line whose symbol on each reel has these weights, independently."""
    states: dict[int, int] = {0: 1}
    for layer, weights in zip(automaton.layers, symbols_by_reel, strict=True):
        following: dict[int, int] = {}
        for state, ways in states.items():
            row = layer[state]
            for symbol, weight in weights.items():
                target = row[symbol]
                following[target] = following.get(target, 0) + ways * weight
        states = following
    found: dict[LineResult, int] = {}
    for state, ways in states.items():
        result = automaton.results[state]
        found[result] = found.get(result, 0) + ways
    return found


def higher(one: LineResult, other: LineResult) -> LineResult:
    """Return the higher of two prizes, and the awards of both."""
    return LineResult(max(one.won, other.won), one.awards + other.awards)


def _new_run(rule: int) -> _Run:
    return _Run(rule, 0, False, 1, NOTHING)


def _step(rules: LineRules, state: _State, symbol: int, *, anywhere: bool) -> _State:
    best, awards = state.best, state.awards
    runs = []
    for run in state.runs:
        rule = rules.rules[run.rule]
        if symbol not in rule.counting:
            best, awards = _ended(rules, run, best, awards)
            if anywhere:
                runs.append(_new_run(run.rule))
            continue
        length = run.length + 1
        own = run.own or symbol in rule.own
        factor = 1 if symbol in rule.own else rules.multipliers.get(symbol, 1)
        multiplied = _combined(rules.combination, run.multiplied, factor)
        offered = run.offered
        if length in rule.pays and (own or rules.wilds_alone):
            offered = max(offered, Won(rule.pays[length] * multiplied, length, -run.rule, multiplied))
        runs.append(_Run(run.rule, length, own, multiplied, offered))
    # Read from the other side, numbers are left out: they have been counted already.
    counted = zip(state.numbers, rules.numbers, strict=False)
    numbers = tuple([number + (symbol == rule.symbol) for number, rule in counted])
    return _State(tuple(runs), best, awards, numbers)


def _ended(rules: LineRules, run: _Run, best: Won, awards: int) -> tuple[Won, int]:
    more = rules.rules[run.rule].awards.get(run.length, 0) if run.own or rules.wilds_alone else 0
    return max(best, run.offered), awards + more


def _combined(combination: str, one: int, other: int) -> int:
    if combination == "product":
        return one * other
    if combination == "highest":
        return max(one, other)
    # Multipliers are added to each other, and 1 is none.
    return one + other if one > 1 and other > 1 else max(one, other)


def _result(rules: LineRules, state: _State, *, whole: bool) -> LineResult:
    best, awards = state.best, state.awards
    for run in state.runs:
        if whole or run.length < rules.reels:
            best, awards = _ended(rules, run, best, awards)
    for position, number in enumerate(state.numbers):
        pays = rules.numbers[position].pays
        for least in pays.keys() & range(1, number + 1):
            best = max(best, Won(pays[least], least, -len(rules.rules) - position, 1))
    return LineResult(best, awards)


def units(prizes: Mapping[int, Fraction], unit: int) -> dict[int, int]:
    """Return prizes in whole units of 1 / ``unit``."""
    return {count: int(prize * unit) for count, prize in prizes.items()}
