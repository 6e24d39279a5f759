"""Periods, stake bands, the grid, folds and deltas: the pure parts of the rollups."""

from datetime import UTC, datetime
from fractions import Fraction
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import MalformedError
from rng_service.games.prizes import PrizeDistribution
from rng_service.rtp.delta import Delta
from rng_service.rtp.figures import figures
from rng_service.rtp.grid import around, highest_point, stake_weight
from rng_service.rtp.joint import JointEvidence, StoredCell, full_weights
from rng_service.rtp.periods import Grain, cover, hour_of, parse_time, period_of, period_start, period_text
from rng_service.rtp.prices import VARIANCE_UNIT, Bounds, Price
from rng_service.rtp.rollup import Play, RollupFold, RollupKey, SeriesKey, Sums
from rng_service.rtp.stakes import StakeBands, parse_stake_bands

HOURS = st.integers(0, 24 * 366 * 80)
MULTIPLIERS = st.fractions(min_value=0, max_value=100_000)
KEY = RollupKey("dice", 1, "base", "real", "EUR", "north", "MT", "web", "1..100")
BOUNDS = Bounds(Fraction(99), Fraction(1))


def price(**changes):
    fields = {"mean": Fraction(99, 100), "variance": VARIANCE_UNIT, "hit_frequency": Fraction(1, 2),
              "highest": Fraction(99), "exact": True}  # fmt: skip
    return Price(**(fields | changes))


@given(HOURS, st.integers(0, 24 * 800), st.sampled_from(Grain))
def test_a_cover_has_every_hour_once_and_nothing_finer_than_needed(first, length, coarsest):
    spans = list(cover(first, first + length, coarsest))
    hours = [
        hour
        for span in spans
        for hour in range(period_start(span.grain, span.first), period_start(span.grain, span.last + 1))
    ]
    assert hours == list(range(first, first + length))
    assert len(spans) <= 5
    assert all(span.grain <= coarsest for span in spans)


@given(HOURS, st.sampled_from(Grain))
def test_periods_are_those_of_the_calendar(hour, grain):
    period = period_of(grain, hour)
    assert period_start(grain, period) <= hour < period_start(grain, period + 1)
    text = period_text(grain, period)
    assert parse_time(text, end=False) == period_start(grain, period)
    assert parse_time(text, end=True) == period_start(grain, period + 1)
    assert datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H").startswith(text)


def test_hours_begin_with_1970():
    assert hour_of(3_599_999_999) == 0
    assert hour_of(3_600_000_000) == 1


@pytest.mark.parametrize("text", ["2026", "2026-13", "2026-11-31", "2026-11-21T24", "yesterday", "2026-11-21 04"])
def test_other_times_are_refused(text):
    with pytest.raises(MalformedError):
        parse_time(text, end=False)


def test_stakes_lie_in_bands_that_say_what_they_are():
    bands = parse_stake_bands(("100", "1000", "JPY:5000"))
    assert [bands.band("EUR", stake) for stake in (1, 100, 101, 1_000, 1_001)] == [
        "1..100", "1..100", "101..1000", "101..1000", "1001..",
    ]  # fmt: skip
    assert [bands.band("JPY", stake) for stake in (5_000, 5_001)] == ["1..5000", "5001.."]
    assert StakeBands(()).band("EUR", 7) == "1.."
    assert full_weights(bands, "EUR") == (64, 512)
    assert full_weights(bands, "JPY") == (4096,)
    assert full_weights(StakeBands(()), "EUR") == (1,)


@pytest.mark.parametrize("texts", [("0",), ("x",), ("200", "100"), ("100", "100"), ("eur:5",), ("1.5",), ("EUR:",)])
def test_bands_that_are_none_are_refused(texts):
    with pytest.raises(MalformedError):
        parse_stake_bands(texts)


@given(MULTIPLIERS)
def test_the_grid_lies_close_around_every_multiplier_and_keeps_its_mean(multiplier):
    low, high, odds = around(multiplier.numerator, multiplier.denominator)
    below, above = Fraction(*low), Fraction(*high)
    assert below <= multiplier <= above
    assert above - below <= max(multiplier / 32, Fraction(1, 1024))
    mean = below + (above - below) * Fraction(odds, 1 << 64)
    assert abs(mean - multiplier) <= (above - below) / (1 << 64)
    assert highest_point(multiplier) == above
    # A point of the grid stays where it is: nothing moves twice.
    assert around(*high).low == around(*high).high == high


def test_a_game_with_very_many_prizes_has_few_points():
    points = {point for cents in range(1, 200_001) for point in around(cents, 100)[:2]}
    assert len(points) < 800


@given(st.integers(1, 2**53))
def test_a_weight_is_the_power_of_two_at_or_below_the_stake(stake):
    weight = stake_weight(stake)
    assert weight <= stake < 2 * weight
    assert weight & (weight - 1) == 0


def test_a_fold_counts_what_was_played_and_says_what_brings_no_evidence():
    fold = RollupFold()
    exact, decided, beyond = price(), price(exact=False), price(highest=Fraction(100))
    fold.outcomes(KEY, 4, unsettled=False)
    for number, (item, payout) in enumerate(((exact, 198), (decided, 0), (beyond, 0), (None, 50))):
        fold.play(KEY, Play(100, payout, item, Fraction(payout, 100), bytes(32), number), BOUNDS)
    fold.play(KEY, Play(100, 0, exact, None, bytes(32), 4), BOUNDS)
    fold.play(KEY, Play(100, 0, exact, Fraction(0), bytes(32), 4), None)
    sums = fold.rows()[KEY]
    assert (sums.outcomes, sums.plays, sums.hits, sums.unpriced, sums.by_strategy) == (4, 6, 2, 1, 1)
    assert (sums.stake_minor, sums.payout_minor, sums.stake_squares) == (600, 248, 60_000)
    assert sums.expected_payout == 500 * Fraction(99, 100)
    assert sums.expected_hits == Fraction(5, 2)
    assert sums.expected_variance == 50_000 * VARIANCE_UNIT
    (series,) = fold.series().values()
    assert sum(series.cells.values()) + series.without_evidence == 6
    assert figures(sums).reason.startswith("1 of 6 plays have no exact theory")


@given(
    st.lists(
        st.tuples(st.sampled_from(["north", "south"]), st.integers(1, 10_000), MULTIPLIERS), min_size=1, max_size=20
    )
)
def test_a_delta_reads_back_and_two_add_up_like_one(plays):
    item = price(highest=Fraction(100_000))
    bounds = Bounds(Fraction(100_000), Fraction(1))
    whole, parts = RollupFold(), (RollupFold(), RollupFold())
    for number, (brand, stake, multiplier) in enumerate(plays):
        key = KEY._replace(brand=brand)
        play = Play(stake, int(stake * multiplier), item, multiplier, bytes(32), number)
        whole.play(key, play, bounds)
        parts[number % 2].play(key, play, bounds)
    delta = Delta.of_fold(7, whole)
    assert Delta.parse(delta.to_bytes()) == delta
    added = {}
    for part in parts:
        for key, sums in Delta.of_fold(7, part).rows.items():
            added.setdefault(key, Sums()).add(sums)
    assert added == delta.rows


def test_figures_are_exact_and_bands_lie_around_the_theory():
    prizes = PrizeDistribution({Fraction(0): Fraction(1, 2), Fraction(198, 100): Fraction(1, 2)})
    sums = Sums(plays=10_000, hits=5_100, stake_minor=1_000_000, payout_minor=1_009_800, stake_squares=100_000_000,
                expected_payout=1_000_000 * prizes.mean, expected_hits=Fraction(5_000),
                expected_variance=100_000_000 * int(prizes.variance * VARIANCE_UNIT))  # fmt: skip
    found = figures(sums)
    assert (found.theoretical, found.realised) == (Fraction(99, 100), Fraction(10_098, 10_000))
    assert (found.theoretical_hit_rate, found.hit_rate) == (Fraction(1, 2), Fraction(51, 100))
    narrow, wide = found.bands
    assert abs(float(narrow.half_width) - 1.96 * 0.99 / 100) < 1e-5
    assert narrow.half_width < wide.half_width
    assert narrow.holds(found.realised) is False
    assert wide.holds(found.realised) is True
    assert figures(Sums()).reason == "nothing was staked"


def test_evidence_of_several_weights_is_the_mean_of_each():
    cells = {StoredCell(64, "63/32", "99/100"): 600, StoredCell(4096, "0", "99/100"): 400}
    joint = JointEvidence(cells, (64, 4096), highest=Fraction(2), highest_expected=Fraction(1))
    alone = [
        JointEvidence(cells, (full,), highest=Fraction(2), highest_expected=Fraction(1)).log_e_value()
        for full in (64, 4096)
    ]
    assert exp(joint.log_e_value()) == pytest.approx(sum(map(exp, alone)) / 2)
    assert joint.plays == 1_000
    lower, upper = joint.interval(Fraction(1, 100))
    assert lower < float(joint.difference) < upper


def test_a_series_is_named_by_what_its_rows_begin_with():
    assert RollupKey._fields[: len(SeriesKey._fields)] == SeriesKey._fields
