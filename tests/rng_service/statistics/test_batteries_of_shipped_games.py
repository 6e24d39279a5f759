"""Every shipped game gets the battery that fits its outcomes by itself, and outcomes of the real mapping pass it."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from rng_service.errors import ConfigError
from rng_service.games import load_game
from rng_service.outcome import Deal, Reels, Sample, Shuffle, Uniform, Weighted
from rng_service.outcome.derivation import OutcomeStream
from rng_service.statistics.outcome_tests import OutcomeExamination
from rng_service.statistics.outcomes import RecordedOutcomes
from rng_service.statistics.shapes import shape_of
from stats_tests.gaming import Permutation, battery_for
from stats_tests.multiple import Verdict, decide

GAMES = sorted((Path(__file__).parents[3] / "games").glob("*.json"))
OUTCOMES = 2_000
PROGRAMS = [
    pytest.param(game, name, id=f"{game.game}-{name}")
    for game in map(load_game, GAMES)
    for name in sorted(game.programs)
]
DRAWN = [param for param in PROGRAMS if not param.values[0].program(param.values[1]).deal_size]
DEALS = [param for param in PROGRAMS if param.values[0].program(param.values[1]).deal_size]

# What every sequence of independent values is asked, and what only equally likely ones are.
SEQUENCE = {
    "chi-square", "kolmogorov-smirnov", "anderson-darling", "serial tuples", "overlapping tuples", "runs up and down",
    "runs above and below", "gap", "poker", "coupon collector", "permutation", "maximum of t", "order statistics",
    "serial correlation", "poisson", "subsequences",
}  # fmt: skip
EVEN = {"collision", "birthday spacings"}
DEALT = {"numbers drawn", "card by position", "overlaps between draws", "rank among remaining"}
SHUFFLED = {"adjacency", "arrangements", "card by position"}
COLUMNS = {"interplay correlation", "interplay of neighbouring columns"}
ALWAYS = {"possible", "duplicates: neighbours", "duplicates: stretches"}


class Given:
    """Outcomes that are all there."""

    def __init__(self, rows):
        self.rows = rows

    def up_to(self, count):
        return RecordedOutcomes(self.rows[:count], more=count is not None and count < len(self.rows))

    def beside(self):
        return []


def called_for(steps):
    """Say from the steps of a definition, and nothing else, which tests there have to be."""
    expected = set(ALWAYS)
    independent = 0
    for step in steps:
        match step:
            case Uniform(n, count) if n > 1:
                expected |= SEQUENCE | EVEN
                independent += count
            case Weighted(weights, count):
                expected |= SEQUENCE | (EVEN if len(set(weights)) == 1 else set())
                independent += count
            case Sample(n, m):
                expected |= SEQUENCE | EVEN | (set() if m == 1 else SHUFFLED if m == n else DEALT)
                independent += m
            case Shuffle():
                expected |= SEQUENCE | EVEN | SHUFFLED
                independent += 2
            case Reels(strips, weights):
                expected |= SEQUENCE | (EVEN if weights is None else set())
                independent += len(strips)
    return expected | (COLUMNS if independent > 1 else set())


def test_all_kinds_of_steps_but_a_shuffle_are_shipped():
    """A shuffle is asked about below, from a shape: no shipped game deals a whole deck."""
    kinds = {type(step) for param in DRAWN for step in param.values[0].program(param.values[1]).outcome.steps}
    assert kinds >= {Uniform, Weighted, Sample, Reels}
    assert len(PROGRAMS) > 30
    assert len(GAMES) == 25


@pytest.mark.parametrize(("game", "name"), DRAWN)
def test_the_battery_fits_and_real_outcomes_do_not_fail_it(game, name):
    program = game.program(name)
    shape = shape_of(program.outcome.steps)
    names = {test.name for test in battery_for(shape)}
    missing = called_for(program.outcome.steps) - names
    assert not missing
    if not any(isinstance(step, Sample) and step.m > 1 for step in program.outcome.steps):
        assert not names & (DEALT | SHUFFLED)
    drawn = [program.outcome.derive(OutcomeStream(sha256(b"draw %d" % number).digest())) for number in range(OUTCOMES)]
    examination = OutcomeExamination(Given(np.array(drawn, dtype=np.uint64)), shape)
    assert examination.extend(None) == OUTCOMES // 1_000
    tests = examination.tests()
    assert {test.name for test in tests} == names
    assert all(test.lists for test in tests)
    # The streams are fixed: this holds always, or never.
    assert decide(examination.hypotheses()).verdict is not Verdict.FAIL
    details = examination.details()
    assert details.outcomes == OUTCOMES
    assert all(sum(counts.observed) == pytest.approx(sum(counts.expected)) for counts in details.counts)


@pytest.mark.parametrize(("game", "name"), DEALS)
def test_finite_deals_are_no_sample_to_test(game, name):
    program = game.program(name)
    assert any(isinstance(step, Deal) for step in program.outcome.steps)
    with pytest.raises(ConfigError, match="sealdraw verify"):
        shape_of(program.outcome.steps)


def test_a_shuffled_deck_is_asked_where_its_cards_lie():
    shape = shape_of([Shuffle(52)])
    assert shape.parts == (Permutation(52),)
    assert {test.name for test in battery_for(shape)} >= SHUFFLED


def test_a_game_whose_mapping_is_off_by_one_fails():
    program = load_game(Path(__file__).parents[3] / "games/european-roulette.json").program("base")
    drawn = np.array(
        [program.outcome.derive(OutcomeStream(sha256(b"draw %d" % number).digest())) for number in range(OUTCOMES)],
        dtype=np.uint64,
    )
    examination = OutcomeExamination(Given(np.minimum(drawn, 35)), shape_of(program.outcome.steps))
    examination.extend(None)
    assert decide(examination.hypotheses()).verdict is Verdict.FAIL
