"""The bets of craps, as what the first roll leads to: a result at once, or a race between two sets of rolls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from anchor.canonical import JSONValue
from rng_service.games.reading import Node, counted_members

ROLLS = range(36)
POINTS = (4, 5, 6, 8, 9, 10)
_LOST = Fraction(0)
_PUSH = Fraction(1)
_SEVEN = 7


@dataclass(frozen=True, slots=True)
class Race:
    """A bet that stays until one of ``wins`` is rolled, which pays, or one of ``loses``, which does not.

    A roll is 6 times the first die's value plus the second's, both 0 … 5.
    """

    wins: frozenset[int]
    loses: frozenset[int]
    pays: Fraction

    def settled(self, roll: int) -> Fraction | None:
        """Return what ``roll`` pays, None when it leaves the bet standing."""
        if roll in self.wins:
            return self.pays
        return _LOST if roll in self.loses else None

    @property
    def chance(self) -> Fraction:
        """The chance that a race without a limit is won."""
        return Fraction(len(self.wins), len(self.wins) + len(self.loses))

    @property
    def undecided(self) -> Fraction:
        """The chance that one roll leaves the bet standing."""
        return 1 - Fraction(len(self.wins) + len(self.loses), 36)


Opening = tuple[Fraction | Race, ...]
"""What each of the 36 first rolls leads to."""


def total_of(roll: int) -> int:
    """Return the sum of the two dice, 2 to 12."""
    return roll // 6 + roll % 6 + 2


def _rolls(*totals: int) -> frozenset[int]:
    return frozenset(roll for roll in ROLLS if total_of(roll) in totals)


def _from_first_roll(race: Race) -> Opening:
    """Return the opening of a race that the first roll takes part in already."""
    settled = [race.settled(roll) for roll in ROLLS]
    return tuple(race if found is None else found for found in settled)


def _line(at_once: Mapping[int, Fraction], race: Callable[[int], Race]) -> Opening:
    """Return the opening of a bet that totals decide on the come-out, and that the point decides otherwise."""
    totals = map(total_of, ROLLS)
    return tuple(at_once[total] if total in at_once else race(total) for total in totals)


def _pass(fields: Mapping[str, Node]) -> Opening:
    pays = fields["pays"].multiplier()
    at_once = {2: _LOST, 3: _LOST, 12: _LOST, 7: pays, 11: pays}
    return _line(at_once, lambda point: Race(_rolls(point), _rolls(_SEVEN), pays))


def _dont_pass(fields: Mapping[str, Node]) -> Opening:
    pays = fields["pays"].multiplier()
    bar = fields["bar"].integer(2, 12)
    if bar not in {2, 3, 12}:
        fields["bar"].fail(f"expected 2, 3 or 12, got {bar}")
    at_once = {2: pays, 3: pays, 12: pays, 7: _LOST, 11: _LOST, bar: _PUSH}
    return _line(at_once, lambda point: Race(_rolls(_SEVEN), _rolls(point), pays))


def _odds(fields: Mapping[str, Node]) -> Opening:
    """Return what is laid behind a line bet: fair odds on the point, given back when no point is set."""
    against = fields["against"].boolean()
    at_once = dict.fromkeys((2, 3, 7, 11, 12), _PUSH)

    def race(point: int) -> Race:
        with_point, with_seven = _rolls(point), _rolls(_SEVEN)
        wins, loses = (with_seven, with_point) if against else (with_point, with_seven)
        return Race(wins, loses, 1 + Fraction(len(loses), len(wins)))

    return _line(at_once, race)


def _place(fields: Mapping[str, Node]) -> Opening:
    number = _point(fields["number"])
    return _from_first_roll(Race(_rolls(number), _rolls(_SEVEN), fields["pays"].multiplier()))


def _hard(fields: Mapping[str, Node]) -> Opening:
    number = _point(fields["number"])
    if number % 2:
        fields["number"].fail(f"{number} cannot be rolled as a pair; expected 4, 6, 8 or 10")
    pair = frozenset({7 * (number // 2 - 1)})
    return _from_first_roll(Race(pair, _rolls(number, _SEVEN) - pair, fields["pays"].multiplier()))


def _roll(fields: Mapping[str, Node]) -> Opening:
    pays = {total: prize.multiplier() for total, prize in counted_members(fields["pays"], 2, 12)}
    return tuple(pays.get(total_of(roll), _LOST) for roll in ROLLS)


def _point(node: Node) -> int:
    number = node.integer(4, 10)
    if number not in POINTS:
        node.fail("the seven is no point; expected 4, 5, 6, 8, 9 or 10")
    return number


# kind: (reader, fields besides the kind)
_KINDS: dict[str, tuple[Callable[[Mapping[str, Node]], Opening], tuple[str, ...]]] = {
    "pass": (_pass, ("pays",)),
    "dont-pass": (_dont_pass, ("pays", "bar")),
    "odds": (_odds, ("against",)),
    "place": (_place, ("number", "pays")),
    "hard": (_hard, ("number", "pays")),
    "roll": (_roll, ("pays",)),
}


def read_opening(node: Node) -> Opening:
    """Read one bet: ``{"kind": "place", "number": 6, "pays": "13/6"}``; raises GameError with the path."""
    members = node.members(1, 8)
    if "kind" not in members:
        node.fail("the key 'kind' is missing")
    read, known = _KINDS[members["kind"].choice(_KINDS)]
    return read(node.fields(("kind", *known)))


_MULTIPLIER: JSONValue = {"$ref": "#/$defs/multiplier"}
_FIELDS: dict[str, dict[str, JSONValue]] = {
    "pass": {"pays": _MULTIPLIER},
    "dont-pass": {"pays": _MULTIPLIER, "bar": {"enum": [2, 3, 12]}},
    "odds": {"against": {"type": "boolean"}},
    "place": {"number": {"enum": [*POINTS]}, "pays": _MULTIPLIER},
    "hard": {"number": {"enum": [4, 6, 8, 10]}, "pays": _MULTIPLIER},
    "roll": {"pays": {"$ref": "#/$defs/prizes_by_count"}},
}
BET_SCHEMA: JSONValue = {
    "anyOf": [
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["kind", *fields],
            "properties": {"kind": {"const": kind}, **fields},
        }
        for kind, fields in _FIELDS.items()
    ]
}
