"""Plans of scheduled statistics: fixed, and in the log, before the first bit exists (PROTOCOL.md, section 5).

A plan is canonical JSON, named in ``stats.begin`` by its SHA-256 and published as ``plans/<digest>.json``:

    {"battery":"nist","bits":1000000,"format":"sealdraw/statistics-plan@v1",
     "looks":[{"sequences":100,"spend":"1/20000"},{"sequences":200,"spend":"1/40000"}],"suspicious":"1/100"}

Each look is at all data since the beginning. One that is suspicious leads to the next; a perfect source fails with
probability at most the sum of what the looks spend. Pure, standard library only: an auditor reads plans, too.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Final

from anchor import canonical
from anchor.canonical import JSONValue
from anchor.errors import MalformedError

__all__ = [
    "BATTERIES",
    "DEFAULT_LOOKS",
    "MAX_PLAN_BYTES",
    "PlannedLook",
    "StatisticsPlan",
    "parse_statistics_plan",
]

MAX_PLAN_BYTES: Final = 4096
# What a sequence is made of: bits of a stream, outcomes of a program, or for `all` both. `bits` is nist and weakness.
BATTERIES: Final = {
    "all": ("bits", "outcomes"),
    "bits": ("bits",),
    "gaming": ("outcomes",),
    "nist": ("bits",),
    "weakness": ("bits",),
}

_FORMAT: Final = "sealdraw/statistics-plan@v1"
_BITS: Final = (100, 1 << 26)
_OUTCOMES: Final = (1, 1 << 27)
_SEQUENCES: Final = (1, 1_000_000)
_MAX_LOOKS: Final = 16
# Wider than anybody needs, and narrow enough that a plan which cannot fail is none.
_SUSPICIOUS: Final = (Fraction(1, 1_000_000), Fraction(1, 10))
_LEAST_SPEND: Final = Fraction(1, 1_000_000_000)
_FRACTION: Final = re.compile(r"([1-9][0-9]{0,11})/([1-9][0-9]{0,11})")


@dataclass(frozen=True, slots=True)
class PlannedLook:
    """A look at the first ``sequences`` sequences of all, at which a perfect source fails with at most ``spend``."""

    sequences: int
    spend: Fraction


DEFAULT_LOOKS: Final = (
    PlannedLook(100, Fraction(1, 20_000)),
    PlannedLook(200, Fraction(1, 40_000)),
    PlannedLook(400, Fraction(1, 80_000)),
    PlannedLook(800, Fraction(1, 80_000)),
)


@dataclass(frozen=True, slots=True)
class StatisticsPlan:
    """Which ``battery`` is run over sequences of so many ``bits`` or ``outcomes``, and when it is looked at.

    A look whose smallest corrected P-value is below its spend fails; one that is below ``suspicious`` asks for more
    data of the same source. Raises MalformedError for what no plan may say.
    """

    battery: str
    bits: int | None = None
    outcomes: int | None = None
    looks: tuple[PlannedLook, ...] = DEFAULT_LOOKS
    suspicious: Fraction = Fraction(1, 100)

    def __post_init__(self) -> None:
        units = BATTERIES.get(self.battery)
        if units is None:
            raise MalformedError(f"statistics plan: battery: expected one of {', '.join(BATTERIES)}")
        for name, value, bounds in (("bits", self.bits, _BITS), ("outcomes", self.outcomes, _OUTCOMES)):
            if (value is not None) != (name in units):
                raise MalformedError(f"statistics plan: {self.battery}: sequences are of {' and '.join(units)}")
            if value is not None:
                _integer(value, name, *bounds)
        if not _SUSPICIOUS[0] <= self.suspicious <= _SUSPICIOUS[1]:
            raise MalformedError(f"statistics plan: suspicious: expected {_SUSPICIOUS[0]} to {_SUSPICIOUS[1]}")
        if not 1 <= len(self.looks) <= _MAX_LOOKS:
            raise MalformedError(f"statistics plan: looks: expected 1 to {_MAX_LOOKS} of them")
        sizes = [_integer(look.sequences, "sequences", *_SEQUENCES) for look in self.looks]
        if sizes != sorted(set(sizes)):
            raise MalformedError("statistics plan: looks: each is at more sequences than the one before")
        if min(look.spend for look in self.looks) < _LEAST_SPEND or self.error_rate > self.suspicious:
            raise MalformedError(
                f"statistics plan: looks: each spends at least {_LEAST_SPEND}, together they spend at most `suspicious`"
            )

    @property
    def error_rate(self) -> Fraction:
        """An upper bound for the chance that a perfect source fails."""
        return sum((look.spend for look in self.looks), Fraction(0))

    def to_bytes(self) -> bytes:
        """Return the plan's document, whose SHA-256 names it."""
        document: dict[str, JSONValue] = {
            "battery": self.battery,
            "format": _FORMAT,
            "looks": [{"sequences": look.sequences, "spend": _fraction_text(look.spend)} for look in self.looks],
            "suspicious": _fraction_text(self.suspicious),
        }
        if self.bits is not None:
            document["bits"] = self.bits
        if self.outcomes is not None:
            document["outcomes"] = self.outcomes
        return canonical.encode(document)

    @property
    def digest(self) -> bytes:
        """The SHA-256 by which ``stats.begin`` names the plan."""
        return sha256(self.to_bytes()).digest()


def parse_statistics_plan(data: bytes) -> StatisticsPlan:
    """Return the plan that ``data`` states; raises MalformedError for anything but a plan in canonical form."""
    fields = canonical.decode_object(data, limit=MAX_PLAN_BYTES, what="statistics plan")
    if fields.get("format") != _FORMAT:
        raise MalformedError(f"statistics plan: expected the format {_FORMAT}")
    battery, looks = fields.get("battery"), fields.get("looks")
    if not isinstance(battery, str) or not isinstance(looks, list):
        raise MalformedError("statistics plan: expected a battery and looks")
    units = BATTERIES.get(battery, ())
    if fields.keys() != {"battery", "format", "looks", "suspicious", *units}:
        raise MalformedError(f"statistics plan: not the members of one with the battery {battery[:32]!r}")
    return StatisticsPlan(
        battery,
        bits=_integer(fields["bits"], "bits", *_BITS) if "bits" in units else None,
        outcomes=_integer(fields["outcomes"], "outcomes", *_OUTCOMES) if "outcomes" in units else None,
        looks=tuple(map(_look, looks)),
        suspicious=_fraction(fields["suspicious"], "suspicious"),
    )


def _look(value: JSONValue) -> PlannedLook:
    if not isinstance(value, dict) or value.keys() != {"sequences", "spend"}:
        raise MalformedError("statistics plan: a look has sequences and spend")
    return PlannedLook(_integer(value["sequences"], "sequences", *_SEQUENCES), _fraction(value["spend"], "spend"))


def _integer(value: object, name: str, low: int, high: int) -> int:
    # bool is a subclass of int, and true is not the number 1.
    if type(value) is not int or not low <= value <= high:
        raise MalformedError(f"statistics plan: {name}: expected an integer from {low} to {high}")
    return value


def _fraction(value: object, name: str) -> Fraction:
    found = _FRACTION.fullmatch(value) if isinstance(value, str) else None
    fraction = None if found is None else Fraction(int(found[1]), int(found[2]))
    if fraction is None or _fraction_text(fraction) != value:
        raise MalformedError(f"statistics plan: {name}: expected a fraction in lowest terms, like 1/20000")
    return fraction


def _fraction_text(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"
