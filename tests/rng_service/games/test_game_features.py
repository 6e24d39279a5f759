"""Whole rounds with awarded draws: closed forms, truncated series, and features that never end."""

from fractions import Fraction

import pytest

from rng_service.games import GameError
from rng_service.games.features import awards_of, feature_moments, round_moments

NOTHING = ()
BASE = {
    (Fraction(0), NOTHING): Fraction(4, 10),
    (Fraction(1), NOTHING): Fraction(5, 10),
    (Fraction(1, 2), (("free", 2),)): Fraction(1, 10),
}
FREE = {
    (Fraction(0), NOTHING): Fraction(7, 10),
    (Fraction(2), NOTHING): Fraction(1, 10),
    (Fraction(3), (("free", 1),)): Fraction(2, 10),
}


def test_a_retriggering_feature_is_a_geometric_series():
    moments = feature_moments({"free": FREE})["free"]
    own = Fraction(2) * Fraction(1, 10) + Fraction(3) * Fraction(2, 10)
    assert moments.mean == own / (1 - Fraction(2, 10))
    assert moments.highest is None
    whole = round_moments(BASE, {"free": moments})
    assert whole.mean == Fraction(1, 2) + Fraction(1, 20) + Fraction(1, 10) * 2 * moments.mean
    award = awards_of(BASE, {"free": FREE})["free"]
    assert (award.frequency, award.draws) == (Fraction(1, 10), Fraction(2, 10) / (1 - Fraction(2, 10)))
    assert whole.mean == Fraction(11, 20) + award.returned


def test_mean_and_variance_agree_with_a_series_cut_off_where_nothing_is_left():
    def total(joint, depth):
        # The distribution of everything that begins with one draw; at depth 0 nothing more is awarded.
        found = {}
        for (pays, awards), chance in joint.items():
            sums = {pays: chance}
            for _ in range(dict(awards).get("free", 0) if depth else 0):
                following = total(FREE, depth - 1)
                merged = {}
                for one, p in sums.items():
                    for other, q in following.items():
                        merged[one + other] = merged.get(one + other, Fraction(0)) + p * q
                sums = merged
            for value, p in sums.items():
                found[value] = found.get(value, Fraction(0)) + p
        return found

    cut = total(BASE, 14)
    mean = sum(value * chance for value, chance in cut.items())
    variance = sum(value * value * chance for value, chance in cut.items()) - mean**2
    whole = round_moments(BASE, feature_moments({"free": FREE}))
    assert abs(whole.mean - mean) < Fraction(1, 10**9)
    assert abs(whole.variance - variance) < Fraction(1, 10**6)


def test_features_that_award_each_other_are_solved_together():
    one = {(Fraction(1), (("other", 1),)): Fraction(1, 2), (Fraction(0), NOTHING): Fraction(1, 2)}
    other = {(Fraction(2), (("one", 1),)): Fraction(1, 4), (Fraction(0), NOTHING): Fraction(3, 4)}
    moments = feature_moments({"one": one, "other": other})
    assert moments["one"].mean == Fraction(1, 2) + Fraction(1, 2) * moments["other"].mean
    assert moments["other"].mean == Fraction(1, 2) + Fraction(1, 4) * moments["one"].mean
    assert moments["one"].highest is None


def test_a_feature_without_a_retrigger_has_a_highest_sum():
    free = {(Fraction(7), NOTHING): Fraction(1, 2), (Fraction(0), NOTHING): Fraction(1, 2)}
    moments = feature_moments({"free": free})
    assert moments["free"].highest == 7
    assert round_moments(BASE, moments).highest == Fraction(1, 2) + 2 * 7


@pytest.mark.parametrize("again", [1, 2])
def test_a_feature_that_awards_as_much_as_it_takes_is_refused(again):
    with pytest.raises(GameError, match="a round has no end"):
        feature_moments({"free": {(Fraction(1), (("free", again),)): Fraction(1)}})
