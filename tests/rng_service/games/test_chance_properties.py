"""Games of pure chance with arbitrary small paytables: both ways to the theory against every outcome there is."""

from fractions import Fraction

import pytest
from game_samples import craps, crash, distribution, game, lotto, parsed, partage, plinko, sic_bo
from hypothesis import given, settings
from hypothesis import strategies as st

from rng_service.games import GameError, resolve_bet

# Multipliers as definitions have them.
PAYS = st.one_of(st.integers(1, 40), st.sampled_from(["1/2", "7/5", "0.25", "13/6", "100"]))


def agrees(value):
    """Compare every listed bet with enumeration, by itself and found again from its recorded form."""
    definition = parsed(value)
    for _, bet in definition.program("base").model.listed_bets():
        expected = distribution(value["programs"]["base"], bet)
        assert {pays: chance for pays, chance in bet.prizes().probabilities.items() if chance} == expected
        assert bet.rtp() == sum(pays * chance for pays, chance in expected.items())
        assert bet.highest >= max(expected)
        again = resolve_bet(definition, "base", bet.canonical)
        assert (again.canonical, again.prizes()) == (bet.canonical, bet.prizes())


@given(st.integers(2, 9), PAYS, PAYS.filter(lambda pays: Fraction(pays) <= 1), st.data())
def test_a_table_with_refunds(numbers, pays, refund, data):
    order = data.draw(st.permutations(range(numbers)))
    cut = data.draw(st.integers(1, numbers - 1))
    value = partage()
    value["programs"]["base"]["steps"] = [{"step": "uniform", "n": numbers}]
    refunds = [{"pays": refund, "numbers": order[cut:]}]
    bets = {"some": {"pays": pays, "selections": [order[:cut]], "refunds": refunds}}
    value["programs"]["base"]["settlement"]["bets"] = bets
    agrees(value)


@given(st.integers(1, 500), st.fractions(Fraction(1, 20), 1, max_denominator=200), st.integers(101, 2_000))
def test_a_crash(faces, rtp, hundredths):
    value = crash()
    value["programs"]["base"]["steps"] = [{"step": "uniform", "n": faces}]
    value["programs"]["base"]["settlement"] |= {"rtp": str(rtp), "highest": str(Fraction(hundredths, 100))}
    if rtp * faces * 100 < hundredths:
        with pytest.raises(GameError, match=r"settlement\.highest: no drawn value reaches"):
            parsed(value)
        return
    agrees(value)
    model = parsed(value).program("base").model
    points = [model.crash_point((u,)) for u in range(faces)]
    assert points == sorted(points, reverse=True)
    assert model.instant_bust() == Fraction(points.count(100), faces)


@given(st.integers(1, 7), st.data())
def test_a_plinko(rows, data):
    value = plinko()
    pays = data.draw(st.lists(PAYS | st.just(0), min_size=rows + 1, max_size=rows + 1).filter(any))
    value["programs"]["base"]["steps"] = [{"step": "uniform", "n": 2, "count": rows}]
    value["programs"]["base"]["settlement"]["bets"] = {"low": pays}
    agrees(value)


@settings(max_examples=40)
@given(st.integers(3, 7), st.integers(1, 3), st.integers(0, 2), st.integers(1, 4), st.data())
def test_a_lottery_of_one_drum(numbers, drawn, bonus, picks, data):
    picks = min(picks, numbers)
    bonus = min(bonus, numbers - drawn)
    settlement = {"model": "lottery", "first_number": 0, "picks": picks} | ({"bonus_drawn": bonus} if bonus else {})
    least = max(0, drawn - (numbers - picks))
    paid = data.draw(st.sets(st.integers(least, min(picks, drawn)), min_size=1))
    settlement["prizes"] = [{"hits": hits, "pays": data.draw(PAYS)} for hits in sorted(paid)]
    agrees(game([{"step": "sample", "n": numbers, "m": drawn + bonus}], settlement))


@settings(max_examples=40)
@given(st.integers(2, 5), st.integers(1, 2), st.integers(2, 4), st.integers(1, 2), st.integers(1, 2), PAYS)
def test_a_lottery_of_two_drums(numbers, drawn, others, other_drawn, bonus_picks, pays):
    settlement = lotto()["programs"]["base"]["settlement"]
    del settlement["bonus_drawn"]
    settlement |= {"picks": 2, "bonus_picks": bonus_picks}
    most = min(bonus_picks, other_drawn)
    settlement["prizes"] = [{"hits": min(2, drawn), "bonus": most, "pays": pays}]
    steps = [{"step": "sample", "n": numbers, "m": drawn}, {"step": "sample", "n": others, "m": other_drawn}]
    agrees(game(steps, settlement))


@settings(max_examples=10)
@given(st.data())
def test_a_sic_bo(data):
    value = sic_bo()
    bets = value["programs"]["base"]["settlement"]["bets"]
    for name, pays in bets.items():
        bets[name] = {count: data.draw(PAYS) for count in pays} if isinstance(pays, dict) else data.draw(PAYS)
    agrees(value)


CRAPS_BETS = st.one_of(
    st.fixed_dictionaries({"kind": st.just("pass"), "pays": PAYS}),
    st.fixed_dictionaries({"kind": st.just("dont-pass"), "pays": PAYS, "bar": st.sampled_from([2, 3, 12])}),
    st.fixed_dictionaries({"kind": st.just("odds"), "against": st.booleans()}),
    st.fixed_dictionaries({"kind": st.just("place"), "number": st.sampled_from([4, 5, 6, 8, 9, 10]), "pays": PAYS}),
    st.fixed_dictionaries({"kind": st.just("hard"), "number": st.sampled_from([4, 6, 8, 10]), "pays": PAYS}),
    st.fixed_dictionaries(
        {
            "kind": st.just("roll"),
            "pays": st.dictionaries(st.integers(2, 12).map(str), PAYS, min_size=1),
        }
    ),
)


@settings(max_examples=20)
@given(st.lists(CRAPS_BETS, min_size=1, max_size=4))
def test_a_craps_of_two_rolls(bets):
    value = craps()
    value["programs"]["base"]["steps"][0]["count"] = 4
    value["programs"]["base"]["settlement"]["bets"] = {f"bet-{number}": bet for number, bet in enumerate(bets)}
    agrees(value)
