"""The facts of a PAR sheet, as canonical JSON that anybody can compute again from the definition.

Probabilities and returns are exact fractions. What is a picture of them (deviations, volatility, confidence
limits) stands as decimal text, rounded once, so that two programs agree on every byte.
"""

import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from rng_service.games.definition import GameDefinition
from rng_service.games.models.base import Itemised
from rng_service.games.prizes import PrizeDistribution
from rng_service.games.theory import BetTheory, percent, program_theory, reference_bet, square_root
from rng_service.rtp.bands import LEVELS, TABLE_PLAYS, StakeSums, band

__all__ = ["PAR_FORMAT", "par_sheet"]

PAR_FORMAT: Final = "sealdraw/par@v1"
# A sheet lists every multiplier while that can be read; beyond it the classes of prizes tell the same sums.
MAX_LISTED: Final = 2_000
_NORMAL_90: Final = 1.6448536269514722
_NORMAL_95: Final = 1.959963984540054


def par_sheet(definition: GameDefinition) -> dict[str, Any]:
    """Return the sheet of a game version as a value of canonical JSON (docs/games.md says what each figure is).

    Raises GameError when the exact distribution of a program is out of reach.
    """
    written = json.loads(definition.canonical)["programs"]
    return {
        "format": PAR_FORMAT,
        "game": definition.game,
        "version": definition.version,
        "title": definition.title,
        "digest": definition.digest.hex(),
        "programs": {name: _program(definition, name, written[name]) for name in sorted(definition.programs)},
    }


def _program(definition: GameDefinition, program_id: str, written: Mapping[str, Any]) -> dict[str, Any]:
    bets = program_theory(definition, program_id)
    priced = dict(definition.program(program_id).model.listed_bets())
    return {
        "definition": written,
        **({"reference_bet": reference_bet(bets)} if bets else {}),
        "bets": {label: _bet(found, priced[label]) for label, found in bets.items()},
    }


def _bet(bet: BetTheory, priced: object) -> dict[str, Any]:
    deviation = square_root(bet.variance)
    top, chance = bet.prizes.top
    sheet: dict[str, Any] = {
        "bet": bet.canonical,
        "rtp": str(bet.rtp),
        "rtp_percent": percent(bet.rtp),
        "hit_frequency": str(bet.prizes.hit_frequency),
        "variance": str(bet.variance),
        "standard_deviation": decimal_text(deviation),
        "volatility_index_90": decimal_text(_NORMAL_90 * deviation),
        "volatility_index_95": decimal_text(_NORMAL_95 * deviation),
        "top_prize": {"multiplier": str(top), "odds": str(chance)},
        "maximum_exposure": "unbounded" if bet.highest is None else str(bet.highest),
        "prize_classes": prize_classes(bet.prizes),
        "confidence": _confidence(bet),
    }
    if len(bet.prizes.probabilities) <= MAX_LISTED:
        chances = sorted(bet.prizes.probabilities.items())
        sheet["distribution"] = [{"multiplier": str(pays), "probability": str(chance)} for pays, chance in chances]
    if bet.contributions:
        sheet["contributions"] = {name: str(part) for name, part in bet.contributions.items()}
    if bet.awards:
        sheet["awards"] = {
            name: {"frequency": str(award.frequency), "draws": str(award.draws)} for name, award in bet.awards.items()
        }
    if isinstance(priced, Itemised):
        sheet["items"] = [
            {"name": item.name, "pays": str(item.pays), "chance": str(item.chance), "returns": str(item.returned)}
            for item in priced.breakdown()
        ]
    return sheet


def _confidence(bet: BetTheory) -> list[dict[str, Any]]:
    """Return the bands of equal bets, by level and number of plays; for whole rounds, awarded draws included."""
    return [
        {
            "plays": plays,
            "level": str(level),
            "low_percent": percent(found.lower),
            "high_percent": percent(found.upper),
        }
        for level in sorted(LEVELS)
        for plays in TABLE_PLAYS
        for found in (band(StakeSums(plays, plays, plays * bet.rtp, plays * bet.variance), level),)
    ]


def prize_classes(prizes: PrizeDistribution) -> list[dict[str, str]]:
    """Return the distribution by classes of multipliers: 0, below 1, 1 to 2, 2 to 5, 5 to 10 and so on.

    Each class has its probability and what it adds to the return; the upper end is not in it.
    """
    sums: dict[tuple[Fraction, Fraction], list[Fraction]] = {}
    for pays, chance in prizes.probabilities.items():
        if chance:
            found = sums.setdefault(_class_of(pays), [Fraction(0), Fraction(0)])
            found[0] += chance
            found[1] += chance * pays
    return [
        {"from": str(low), "below": str(high), "probability": str(chance), "returns": str(returned)}
        for (low, high), (chance, returned) in sorted(sums.items())
    ]


def decimal_text(value: float) -> str:
    """Return a float with six decimals, which every platform rounds alike."""
    return f"{value:.6f}"


def _class_of(pays: Fraction) -> tuple[Fraction, Fraction]:
    if pays == 0:
        return Fraction(0), Fraction(0)
    low, step = Fraction(0), 0
    high = Fraction(1)
    while pays >= high:
        low, high = high, high * (Fraction(5, 2) if step % 3 == 1 else 2)
        step += 1
    return low, high
