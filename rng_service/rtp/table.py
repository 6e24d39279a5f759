"""Published tables of returns: theoretical, pool and realised, in one canonical document that can be made again.

Everything here is a pure function of exact sums and of game definitions. The operator takes the sums from its
rollups, the auditor from the log's totals and from an export, and the documents must be the same bytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, NamedTuple

from rng_service.games.definition import GameDefinition, GameProgram
from rng_service.games.prizes import PrizeDistribution
from rng_service.games.reference import reference_prizes
from rng_service.games.theory import percent, program_theory
from rng_service.rtp.bands import LEVELS, StakeSums, band
from rng_service.rtp.periods import Grain, period_text
from rng_service.rtp.prices import VARIANCE_UNIT
from rng_service.rtp.rollup import SeriesKey, Sums

__all__ = [
    "TABLE_FORMAT",
    "PoolReturn",
    "PoolsKey",
    "TableHeader",
    "TableRow",
    "Theories",
    "first_difference",
    "fold_days",
    "rtp_table",
    "series_of",
]

TABLE_FORMAT: Final = "sealdraw/rtp-table@v1"


class PoolsKey(NamedTuple):
    """What pools are put together by: their stream."""

    game: str
    version: int
    program: str
    play_class: str


@dataclass(frozen=True, slots=True)
class PoolReturn:
    """What closed pools would have returned: ``returned`` is the sum of the reference bet's multipliers.

    It is taken over the ``outcomes`` that were drawn from them, one unit on each, whoever played what. The tickets of
    a deal are drawn without replacement: ``spread`` is the number of independent draws whose sum varies as much,
    n(N - n)/(N - 1) for n of N tickets. None where draws are independent.
    """

    pools: int
    outcomes: int
    returned: Fraction
    spread: Fraction | None = None

    @classmethod
    def of_pool(cls, program: GameProgram, outcomes: int, returned: Fraction) -> "PoolReturn":
        """Return what one pool, or one deal, of a program returned on ``outcomes`` draws."""
        size = program.deal_size
        if not size:
            return cls(1, outcomes, returned)
        return cls(1, outcomes, returned, Fraction(outcomes * (size - outcomes), max(1, size - 1)))

    def __add__(self, other: "PoolReturn") -> "PoolReturn":
        spread = None if self.spread is None or other.spread is None else self.spread + other.spread
        return PoolReturn(
            self.pools + other.pools, self.outcomes + other.outcomes, self.returned + other.returned, spread
        )


@dataclass(frozen=True, slots=True)
class TableHeader:
    """What a table covers: the digests of whole totals entries, and the times of the first and the last of them."""

    origin: str
    seq: int
    from_totals: int
    to_totals: int
    from_digest: int
    to_digest: int
    from_us: int
    to_us: int


@dataclass(slots=True)
class TableRow:
    """The plays of one series, by day (days since 1970)."""

    days: dict[int, Sums] = field(default_factory=dict)

    def add(self, day: int, sums: Sums) -> None:
        """Add sums to a day."""
        self.days.setdefault(day, Sums()).add(sums)

    def total(self) -> Sums:
        """Return the sums of all days."""
        whole = Sums()
        for sums in self.days.values():
            whole.add(sums)
        return whole


def series_of(key: Sequence[Any]) -> SeriesKey:
    """Return the series that a rollup's key belongs to: tags and stake bands are not published."""
    return SeriesKey(*key[:5])


def rtp_table(
    header: TableHeader,
    rows: Mapping[SeriesKey, TableRow],
    pools: Mapping[PoolsKey, PoolReturn],
    definitions: Mapping[tuple[str, int], GameDefinition],
    theories: "Theories | None" = None,
) -> dict[str, Any]:
    """Return the table as a value of canonical JSON (docs/rtp.md says what each figure is).

    Rows and days in which nothing happened are left out. ``definitions`` has every game version of the rows and pools.
    ``theories`` keeps what was computed of games from one table to the next. Raises GameError for a program that a game
    does not have, and when its exact theory is out of reach.
    """
    known = Theories() if theories is None else theories
    books = {key: known.of(definition) for key, definition in definitions.items()}
    kept = {key: row for key, row in rows.items() if _happened(row.total())}
    return {
        "format": TABLE_FORMAT,
        "origin": header.origin,
        "seq": header.seq,
        "from_totals": header.from_totals,
        "to_totals": header.to_totals,
        "from_digest": header.from_digest,
        "to_digest": header.to_digest,
        "from_us": header.from_us,
        "to_us": header.to_us,
        "rows": [_row(key, row, books[key.game, key.version]) for key, row in sorted(kept.items())],
        "games": [_game(key, parts, books[key.game, key.version]) for key, parts in _games(kept, books)],
        "pools": [_pools(key, found, books[key.game, key.version]) for key, found in sorted(pools.items())],
    }


class _ProgramTheory:
    """What a table says of the theory of a game's programs; computed once for each."""

    def __init__(self, definition: GameDefinition) -> None:
        self.definition = definition
        self.featured = any(program.feature for program in definition.programs.values())
        self._listed: dict[str, list[PrizeDistribution]] = {}
        self._rounds: dict[str, list[Fraction]] = {}
        self._references: dict[str, tuple[str, PrizeDistribution] | None] = {}

    def listed(self, program: str) -> list[PrizeDistribution]:
        """Return the distributions of the listed bets."""
        found = self._listed.get(program)
        if found is None:
            listed = self.definition.program(program).model.listed_bets()
            found = self._listed[program] = [item.prizes() for _, item in listed]
        return found

    def rounds(self, program: str) -> list[Fraction]:
        """Return what whole rounds of the listed bets return, awarded draws included."""
        found = self._rounds.get(program)
        if found is None:
            found = self._rounds[program] = [bet.rtp for bet in program_theory(self.definition, program).values()]
        return found

    def reference(self, program: str) -> tuple[str, PrizeDistribution] | None:
        """Return label and distribution of the bet by which pools are measured."""
        if program not in self._references:
            self._references[program] = reference_prizes(self.definition.program(program))
        return self._references[program]


class Theories:
    """The theory of games by the digests of their definitions; whoever checks many tables keeps one of these."""

    def __init__(self) -> None:
        self._games: dict[bytes, _ProgramTheory] = {}

    def of(self, definition: GameDefinition) -> _ProgramTheory:
        """Return what a table says of the theory of a game, as far as it was computed."""
        return self._games.setdefault(definition.digest, _ProgramTheory(definition))


class _GameKey(NamedTuple):
    """What rows of several programs are put together by."""

    game: str
    version: int
    play_class: str
    currency: str


def _games(
    rows: Mapping[SeriesKey, TableRow], books: Mapping[tuple[str, int], _ProgramTheory]
) -> list[tuple[_GameKey, dict[str, Sums]]]:
    """Return the sums by program of games that award draws: only all their programs say what a stake returned."""
    found: dict[_GameKey, dict[str, Sums]] = {}
    for key, row in rows.items():
        if books[key.game, key.version].featured:
            place = _GameKey(key.game, key.version, key.play_class, key.currency)
            found.setdefault(place, {})[key.program] = row.total()
    return sorted(found.items())


def _game(key: _GameKey, programs: Mapping[str, Sums], theory: _ProgramTheory) -> dict[str, Any]:
    """Return what rounds returned: the stake of an awarded draw is that of its round, and was not taken again."""
    paid = {name: sums for name, sums in programs.items() if not theory.definition.program(name).feature}
    stake = sum(sums.stake_minor for sums in paid.values())
    payout = sum(sums.payout_minor for sums in programs.values())
    found: dict[str, Any] = {
        "game": key.game,
        "version": key.version,
        "class": key.play_class,
        "currency": key.currency,
        "plays": sum(sums.plays for sums in paid.values()),
        "stake_minor": str(stake),
        "payout_minor": str(payout),
    }
    means = [mean for name in paid for mean in theory.rounds(name)]
    if means:
        found["theoretical"] = _theoretical(means)
    if stake:
        found["rtp"] = str(Fraction(payout, stake))
        found["rtp_percent"] = percent(Fraction(payout, stake))
    return found


def _theoretical(means: Sequence[Fraction]) -> dict[str, str]:
    low, high = min(means), max(means)
    return {
        "lowest": str(low),
        "highest": str(high),
        "lowest_percent": percent(low),
        "highest_percent": percent(high),
    }


def _happened(sums: Sums) -> bool:
    return bool(sums.outcomes or sums.plays or sums.unsettled)


def _row(key: SeriesKey, row: TableRow, theory: _ProgramTheory) -> dict[str, Any]:
    sums = row.total()
    found: dict[str, Any] = {
        "game": key.game,
        "version": key.version,
        "program": key.program,
        "class": key.play_class,
        "currency": key.currency,
        "digest": theory.definition.digest.hex(),
        **_counts(sums),
        "days": [
            {"day": period_text(Grain.DAY, day), **_counts(sums)}
            for day, sums in sorted(row.days.items())
            if _happened(sums)
        ],
    }
    if theory.definition.program(key.program).feature:
        found["feature"] = True
    means = [prizes.mean for prizes in theory.listed(key.program)]
    if means:
        found["theoretical"] = _theoretical(means)
    if sums.stake_minor:
        realised = Fraction(sums.payout_minor, sums.stake_minor)
        found["rtp"] = str(realised)
        found["rtp_percent"] = percent(realised)
    if sums.plays:
        found["hit_percent"] = percent(Fraction(sums.hits, sums.plays))
    # A band around plays of which some have no price would be one around something else.
    if sums.plays and not sums.unpriced and sums.stake_minor:
        found["expected_percent"] = percent(sums.expected_payout / sums.stake_minor)
        found["expected_hit_percent"] = percent(sums.expected_hits / sums.plays)
        found["bands"] = _bands(
            StakeSums(
                sums.plays,
                sums.stake_minor,
                sums.expected_payout,
                Fraction(sums.expected_variance, VARIANCE_UNIT),
            )
        )
    return found


def _pools(key: PoolsKey, found: PoolReturn, theory: _ProgramTheory) -> dict[str, Any]:
    reference = theory.reference(key.program)
    if reference is None:
        raise ValueError(f"{key.game} has no bet in {key.program} that pools could be measured by")
    label, prizes = reference
    count = found.outcomes
    row: dict[str, Any] = {
        "game": key.game,
        "version": key.version,
        "program": key.program,
        "class": key.play_class,
        "pools": found.pools,
        "outcomes": count,
        "measured_by": label,
        "theoretical_percent": percent(prizes.mean),
        "returned": str(found.returned),
    }
    if found.spread is not None:
        row["spread"] = str(found.spread)
    if count:
        spread = count if found.spread is None else found.spread
        row["rtp_percent"] = percent(found.returned / count)
        row["bands"] = _bands(StakeSums(count, count, count * prizes.mean, spread * prizes.variance))
    return row


def _bands(sums: StakeSums) -> list[dict[str, Any]]:
    bands = ((level, band(sums, level)) for level in sorted(LEVELS))
    return [
        {"level": level, "low_percent": percent(found.lower), "high_percent": percent(found.upper)}
        for level, found in bands
    ]


def _counts(sums: Sums) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "outcomes": sums.outcomes,
        "plays": sums.plays,
        "hits": sums.hits,
        "unsettled": sums.unsettled,
        "stake_minor": str(sums.stake_minor),
        "payout_minor": str(sums.payout_minor),
        "expected_payout": str(sums.expected_payout),
        "expected_hits": str(sums.expected_hits),
        "expected_variance": str(sums.expected_variance),
    }
    for name in ("unpriced", "by_strategy"):
        if getattr(sums, name):
            counts[name] = getattr(sums, name)
    return counts


def fold_days(rows: Iterable[tuple[SeriesKey, int, Sums]]) -> dict[SeriesKey, TableRow]:
    """Return table rows from (series, day, sums) in any order."""
    found: dict[SeriesKey, TableRow] = {}
    for key, day, sums in rows:
        found.setdefault(key, TableRow()).add(day, sums)
    return found


def first_difference(stated: Any, found: Any, path: str = "$") -> str:
    """Return where two tables differ first, with both values; empty when they do not."""
    if isinstance(stated, dict) and isinstance(found, dict):
        for key in sorted(stated.keys() | found.keys()):
            if key not in stated or key not in found:
                return f"{path}.{key} {'is missing' if key not in stated else 'does not belong there'}"
            difference = first_difference(stated[key], found[key], f"{path}.{key}")
            if difference:
                return difference
        return ""
    if isinstance(stated, list) and isinstance(found, list):
        for place, (one, other) in enumerate(zip(stated, found, strict=False)):
            difference = first_difference(one, other, f"{path}[{place}]")
            if difference:
                return difference
        return "" if len(stated) == len(found) else f"{path} has {len(stated)} items, {len(found)} belong there"
    return (
        "" if stated == found and type(stated) is type(found) else f"{path} is {stated!r}, the records give {found!r}"
    )
