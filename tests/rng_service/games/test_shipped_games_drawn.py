"""The theory that a game is published with against what its draws settle: the two ways share no line of code."""

from collections import Counter
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest
from scipy.stats import chi2

from rng_service.games import load_game, resolve_bet
from rng_service.games.models.base import Strategy
from rng_service.games.models.mines import MinesModel
from rng_service.outcome.derivation import OutcomeStream

GAMES = sorted((Path(__file__).parents[3] / "games").glob("*.json"))
DRAWS = 3_000
# Rarer prizes are counted together: so many of each kind are expected at least.
LEAST = 8
# The streams are fixed, so this holds always or never; the smallest of the 150 is about 1/150.
IMPLAUSIBLE = 1e-6

PROGRAMS = [
    pytest.param(game, name, id=f"{game.game}-{name}")
    for game in map(load_game, GAMES)
    for name, program in sorted(game.programs.items())
    if not program.deal_size
]
MINES = [param for param in PROGRAMS if isinstance(param.values[0].program(param.values[1]).model, MinesModel)]


def outcomes(program, draws):
    return [program.outcome.derive(OutcomeStream(sha256(b"draw %d" % number).digest())) for number in range(draws)]


def assert_plausible(found, chances):
    """Compare counts of multipliers with their probabilities: none that is not listed, and chi-square."""
    assert found.keys() <= {pays for pays, chance in chances.items() if chance}
    draws = found.total()
    cells, rare, rare_seen = [], 0.0, 0
    for pays, chance in chances.items():
        expected = float(chance) * draws
        if expected < LEAST:
            rare, rare_seen = rare + expected, rare_seen + found[pays]
        else:
            cells.append((expected, found[pays]))
    if rare >= LEAST:
        cells.append((rare, rare_seen))
    else:
        # Too few to be normal: Markov's bound on the number of them.
        assert rare_seen == 0 or rare / rare_seen > IMPLAUSIBLE
    distance = sum((seen - expected) ** 2 / expected for expected, seen in cells)
    assert chi2.sf(distance, max(1, len(cells) - 1)) > IMPLAUSIBLE


@pytest.mark.parametrize(("game", "name"), PROGRAMS)
def test_what_is_drawn_settles_as_the_listed_distributions_say(game, name):
    program = game.program(name)
    drawn = outcomes(program, DRAWS)
    for label, priced in program.model.listed_bets():
        if isinstance(priced, Strategy):
            continue
        bet = resolve_bet(game, name, priced.canonical)
        found = Counter(bet.multiplier(outcome) for outcome in drawn)
        assert max(found) <= bet.highest, label
        assert_plausible(found, priced.prizes().probabilities)


@pytest.mark.parametrize(("game", "name"), MINES)
def test_mines_opened_one_by_one_settle_as_the_strategies_say(game, name):
    program = game.program(name)
    drawn = outcomes(program, DRAWS)
    for number, (_, strategy) in enumerate(program.model.listed_bets(), 1):
        found = Counter(opened(game, name, number, outcome) for outcome in drawn)
        assert_plausible(found, strategy.prizes().probabilities)


def opened(game, name, number, outcome):
    """Open the tiles 0, 1, 2 … until ``number`` are open or one is a mine, and settle what was opened."""
    mine = min(outcome)
    picks = list(range(min(number, mine + 1)))
    pays = resolve_bet(game, name, {"bet": "mines", "picks": picks}).multiplier(outcome)
    assert (pays == Fraction(0)) == (mine < number)
    return pays
