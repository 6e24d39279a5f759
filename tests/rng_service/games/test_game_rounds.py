"""The rules of rounds and of when a bet may be told, as values: every move and every refusal."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rng_service.games import load_game, resolve_bet
from rng_service.games.models import MODELS
from rng_service.games.placing import PlayError, check_drawn_with, check_settled_with, follows, is_plain, stakes
from rng_service.games.rounds import Round, Step, awards_features, check_alone
from tests.support.award_game import AWARD_MODEL, award_game
from tests.support.operator_simulator import GAMES

PLAYED = ("free-fall", 1, "real")


@pytest.fixture(scope="module")
def game():
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(MODELS, AWARD_MODEL.name, AWARD_MODEL)
        yield award_game()


def bet_of(name, bet, program="base"):
    return resolve_bet(load_game(GAMES / f"{name}.json"), program, bet)


@pytest.fixture(scope="module")
def spin(game):
    return resolve_bet(game, "base", "spin")


@pytest.fixture(scope="module")
def free(game):
    return resolve_bet(game, "free", "spin")


@pytest.fixture(scope="module")
def same():
    return bet_of("hi-lo", {"bet": "same", "than": 7})


@pytest.fixture(scope="module")
def picks():
    return bet_of("mines-25", {"bet": "mines", "picks": [1, 2]})


def step(game, program, bet=None, stake=0, currency="", *, played=PLAYED, session="s"):
    return Step(played, session, game.program(program), bet, stake, currency)


def refused(call, *arguments, **options):
    with pytest.raises(PlayError) as caught:
        call(*arguments, **options)
    assert str(caught.value) == caught.value.message
    return caught.value.kind


def test_a_round_begins_with_anything_but_a_feature(game, spin, free):
    plain = Round().take(step(game, "side"), None)
    assert plain == Round(1, PLAYED, "s")
    paid = Round().take(step(game, "base", spin, 5, "EUR"), None)
    assert paid == Round(1, PLAYED, "s", 5, "EUR")
    assert refused(Round().take, step(game, "free", free, 5, "EUR"), None) == "feature-unawarded"


def test_awards_are_added_and_used_one_by_one(game, spin, free):
    base, feature = step(game, "base", spin, 5, "EUR"), step(game, "free", free, 5, "EUR")
    round_ = Round().take(base, None).award(base, (3,))
    assert round_.awarded == {"free": 2}
    round_ = round_.take(feature, (3,)).award(feature, (3,))
    assert (round_.step, round_.awarded) == (2, {"free": 2})
    round_ = round_.take(feature, (3,)).award(feature, (0,)).take(feature, (0,))
    assert (round_.step, round_.awarded, round_.stake_minor, round_.currency) == (4, {}, 5, "EUR")
    assert refused(round_.take, feature, (0,)) == "feature-unawarded"


@given(outcomes=st.lists(st.integers(0, 3), max_size=40))
def test_as_many_features_are_drawn_as_were_awarded_whatever_is_drawn(game, spin, free, outcomes):
    base, feature = step(game, "base", spin, 5, "EUR"), step(game, "free", free, 5, "EUR")
    round_, awarded, used = Round(), 0, 0
    for outcome in outcomes:
        if round_.awarded:
            assert refused(round_.take, base, (0,)) == "feature-pending"
            round_ = round_.take(feature, (0,)).award(feature, (outcome,))
            used, awarded = used + 1, awarded + (outcome == 3)
        else:
            assert refused(round_.take, feature, (0,)) == "feature-unawarded"
            round_ = round_.take(base, (0,)).award(base, (outcome,))
            awarded += max(0, outcome - 1)
        assert sum(round_.awarded.values()) == awarded - used
        assert all(round_.awarded.values())
    assert round_.step == len(outcomes)


@pytest.mark.parametrize(("stake", "currency"), [(4, "EUR"), (6, "EUR"), (5, "USD")])
def test_a_feature_has_the_stake_that_awarded_it(game, spin, free, stake, currency):
    base = step(game, "base", spin, 5, "EUR")
    round_ = Round().take(base, None).award(base, (2,))
    assert refused(round_.take, step(game, "free", free, stake, currency), (2,)) == "feature-stake"


def test_the_newest_paid_step_is_the_one_that_awards(game, spin, free):
    base = step(game, "base", spin, 9, "USD")
    round_ = Round().take(step(game, "side"), None).take(base, (0,)).award(base, (2,))
    assert round_.take(step(game, "free", free, 9, "USD"), (2,)).step == 3


def test_programs_that_award_or_are_awarded_have_a_bet_of_their_own(game):
    assert refused(Round().take, step(game, "base"), None) == "round-bet"
    assert refused(Round(1, PLAYED, "s", awarded={"free": 1}).take, step(game, "free"), (0,)) == "round-bet"


def test_a_round_keeps_its_game_class_and_session(game):
    round_ = Round().take(step(game, "side"), None)
    for played in (("free-fall", 2, "real"), ("free-fall", 1, "free"), ("other", 1, "real")):
        assert refused(round_.take, step(game, "side", played=played), (0,)) == "round-game"
    assert refused(round_.take, step(game, "side", session=""), (0,)) == "round-session"


def test_a_bet_follows_exactly_what_the_step_before_showed(game, same):
    follower = step(game, "side", same, 5, "EUR")
    round_ = Round().take(step(game, "side"), None)
    assert round_.take(follower, (7,)).step == 2
    assert refused(round_.take, follower, (8,)) == "round-follows"
    assert refused(round_.take, follower, (7, 7)) == "round-follows"
    assert refused(Round().take, follower, None) == "round-follows"


def test_outside_a_round_only_plain_bets_of_plain_programs_are_drawn(game, spin, free, same, picks):
    check_alone(game.program("side"), None)
    check_alone(game.program("side"), resolve_bet(game, "side", "any"))
    assert refused(check_alone, game.program("base"), spin) == "round-missing"
    assert refused(check_alone, game.program("free"), free) == "feature-unawarded"
    assert refused(check_alone, game.program("side"), same) == "round-follows"
    assert refused(check_alone, game.program("side"), picks) == "bet-decided"


def test_what_may_award_is_known_from_the_program(game):
    assert [awards_features(game.program(name)) for name in ("base", "free", "side")] == [True, True, False]
    assert not awards_features(load_game(GAMES / "fruit-lines.json").program("base"))


def test_decisions_are_told_behind_the_draw_and_on_its_stake(game, picks, spin):
    assert refused(check_drawn_with, picks) == "bet-decided"
    assert refused(Round().take, step(game, "side", picks, 5, "EUR"), None) == "bet-decided"
    check_drawn_with(None)
    check_drawn_with(spin)
    check_settled_with(picks, staked=True)
    assert refused(check_settled_with, picks, staked=False) == "bet-unstaked"


def test_a_bet_that_follows_is_told_with_its_draw(same, spin):
    check_drawn_with(same)
    for staked in (True, False):
        assert refused(check_settled_with, same, staked=staked) == "round-follows"
        check_settled_with(spin, staked=staked)
    assert (follows(same), follows(spin), follows(None)) == ((7,), None, None)


def test_plain_bets_are_those_without_any_condition(spin, same, picks):
    assert [is_plain(bet) for bet in (None, spin, same, picks)] == [True, True, False, False]


def test_only_raised_bets_play_for_more_than_the_stake_of_the_draw(picks):
    assert stakes(None) == stakes(picks) == 1
    doubled = bet_of("blackjack-6", {"bet": "hand", "actions": ["insurance", "double"]})
    assert stakes(doubled) == Fraction(5, 2)
