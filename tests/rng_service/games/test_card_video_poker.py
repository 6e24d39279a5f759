"""Video poker, against the textbook's counts of hands, full enumeration of draws, and the published optimum."""

from collections import Counter
from fractions import Fraction
from itertools import combinations, combinations_with_replacement
from math import comb

import pytest
from game_samples import ROOT, game, parsed
from hypothesis import given
from hypothesis import strategies as st

from rng_service.games import BetError, GameError, load_game, multiplier, resolve_bet, theory, validate_bet
from rng_service.games.cards import draw_poker
from rng_service.games.cards.draw_poker import optimum
from rng_service.games.cards.poker_hands import HANDS, PAIR_RANKS, hand_names, hand_names_of
from rng_service.games.models.base import DecidedBet, Itemised

JACKS = load_game(ROOT / "games" / "jacks-or-better.json")
PAYS = {
    "royal-flush": 800,
    "straight-flush": 50,
    "four-of-a-kind": 25,
    "full-house": 9,
    "flush": 6,
    "straight": 4,
    "three-of-a-kind": 3,
    "two-pair": 2,
    "pair": 1,
}
SUITS = "cdhs"


def cards(text):
    return tuple("A23456789TJQK".index(name[0]) + 13 * SUITS.index(name[1]) for name in text.split())


def settle(dealt, drawn, holds):
    return multiplier(JACKS, "base", {"bet": "hand", "holds": holds}, cards(dealt) + cards(drawn))


def best_name(hand):
    """Name five cards of jacks or better by hand."""
    ranks = sorted(Counter(card % 13 for card in hand).values(), reverse=True)
    numbers = sorted(card % 13 for card in hand)
    straight = ranks == [1] * 5 and (numbers[4] - numbers[0] == 4 or numbers == [0, 9, 10, 11, 12])
    flush = len({card // 13 for card in hand}) == 1
    if straight and flush:
        return "royal-flush" if numbers[:2] == [0, 9] else "straight-flush"
    if ranks in ([4, 1], [3, 2]):
        return "four-of-a-kind" if ranks[0] == 4 else "full-house"
    if flush or straight:
        return "flush" if flush else "straight"
    if ranks[0] == 3:
        return "three-of-a-kind"
    if ranks[:2] == [2, 2]:
        return "two-pair"
    high = {card % 13 for card in hand if [other % 13 for other in hand].count(card % 13) == 2}
    return "pair" if high & {0, 10, 11, 12} else None


def listed(hand):
    return next((name for name in hand_names_of(hand, "J") if name in PAYS), None)


def test_all_hands_of_the_deck_have_the_textbook_counts():
    counted = Counter()
    for ranks in draw_poker._rank_sets(5):
        suited = 4 if len(set(ranks)) == 5 else 0
        ways = 1
        for count in Counter(ranks).values():
            ways *= comb(4, count)
        for one_suit, deals in ((False, ways - suited), (True, suited)):
            names = hand_names(ranks, suited=one_suit, lowest_pair="J")
            counted[next((name for name in names if name in PAYS), None)] += deals
    assert counted == {
        "royal-flush": 4,
        "straight-flush": 36,
        "four-of-a-kind": 624,
        "full-house": 3_744,
        "flush": 5_108,
        "straight": 10_200,
        "three-of-a-kind": 54_912,
        "two-pair": 123_552,
        "pair": 337_920,
        None: 2_598_960 - 536_100,
    }


# The textbook's order of the hands, for what a wild card is best taken for.
ORDER = [
    "five-of-a-kind",
    "royal-flush",
    "straight-flush",
    "four-of-a-kind",
    "full-house",
    "flush",
    "straight",
    "three-of-a-kind",
    "two-pair",
    "pair",
    None,
]


@given(st.permutations(range(52)), st.integers(0, 2))
def test_wild_cards_stand_for_what_makes_the_best_hand(order, wilds):
    deuces = [1, 14, 27, 40]
    hand = deuces[:wilds] + [card for card in order if card not in deuces][: 5 - wilds]
    natural = hand[wilds:]
    best = len(ORDER) - 1
    for stood_for in combinations_with_replacement(range(52), wilds):
        made = [*natural, *stood_for]
        ranks = {card % 13 for card in made}
        # Two copies of a card are two cards of its rank; a flush may have them, a straight flush not.
        name = "five-of-a-kind" if len(ranks) == 1 else best_name(made)
        best = min(best, ORDER.index(name))
    found = hand_names_of(hand, "J", 1)
    expected = ORDER[best]
    if wilds and expected == "royal-flush":
        expected = "wild-royal-flush"
    assert (expected in found) if expected else found == ()
    if found and expected not in {"wild-royal-flush", "royal-flush"}:
        assert found[-1] == expected or expected == "five-of-a-kind"


def test_four_wild_cards_are_a_hand_of_their_own():
    assert hand_names_of(cards("2c 2d 2h 2s 9c"), "J", 1) == ("four-wilds", "five-of-a-kind", "four-of-a-kind")
    assert hand_names_of(cards("2c 2d 2h Ks Kc"), "J", 1)[0] == "five-of-a-kind"
    assert hand_names_of(cards("2c 2d 2h Kc Tc"), "J", 1)[0] == "wild-royal-flush"
    assert hand_names_of(cards("2c 2d 2h Ks Tc"), "J", 1) == ("four-of-a-kind",)


@given(st.permutations(range(52)))
def test_hands_are_named_as_a_player_would(order):
    assert listed(order[:5]) == best_name(order[:5])


@pytest.mark.parametrize(
    ("hand", "names"),
    [
        ("Ac Ad Ah As 4c", ("four-aces-with-2-to-4", "four-aces", "four-of-a-kind")),
        ("Ac Ad Ah As 5c", ("four-aces", "four-of-a-kind")),
        ("3c 3d 3h 3s Ac", ("four-2-to-4-with-a-to-4", "four-2-to-4", "four-of-a-kind")),
        ("3c 3d 3h 3s Kc", ("four-2-to-4", "four-of-a-kind")),
        ("Kc Kd Kh Ks Ac", ("four-5-to-k", "four-of-a-kind")),
        ("Tc Jc Qc Kc Ac", ("royal-flush", "straight-flush")),
        ("Ac 2c 3c 4c 5c", ("straight-flush",)),
        ("Ac 2c 3c 4d 5c", ("straight",)),
        ("Qc Kc Ac 2d 3c", ()),
        ("Tc Td 2c 3c 4c", ()),
        ("Jc Jd 2c 3c 4c", ("pair",)),
        ("Ac Ad 2c 3c 4c", ("pair",)),
    ],
)
def test_precise_names_come_first(hand, names):
    assert hand_names_of(cards(hand), "J") == names


# Deals with few suits and many make the two parts of the tables meet in different ways.
@pytest.mark.parametrize(
    ("dealt", "wild"),
    [
        ("9c Tc Jc Qc 2d", None),
        ("Ac Kc Qc 5c 2c", None),
        ("7c 7d 7h 2s 3s", None),
        ("Jd Qc Kh 4s 9d", None),
        ("2c 9d Td 2h Kd", 1),
        ("Ac 2d 2h 2s 5h", 1),
        ("3h 4h 6h Ks Qc", 1),
    ],
)
def test_every_hold_of_three_or_more_is_worth_what_its_draws_pay_on_average(dealt, wild):
    deal = sorted(cards(dealt), key=lambda card: card % 13)
    rest = [card for card in range(52) if card not in deal]
    pays = DEUCES if wild else PAYS

    def paid(names):
        return next((pays[name] for name in names if name in pays), 0)

    def worth_of(ranks, suited):
        return paid(hand_names(ranks, suited=suited, lowest_pair="J", wild=wild))

    tables = draw_poker._Tables(worth_of, wild)
    ranks = tuple(card % 13 for card in deal)
    worth = tables.by_ranks(ranks)
    for suit in range(4):
        goes_with = [card // 13 == suit or card % 13 == wild for card in deal]
        for hold, more in tables.by_flushes(ranks, sum(1 << place for place, goes in enumerate(goes_with) if goes)):
            worth[hold] += more
    for hold in range(32):
        kept = [card for place, card in enumerate(deal) if hold >> place & 1]
        if len(kept) < 3:
            continue
        hands = [(*kept, *drawn) for drawn in combinations(rest, 5 - len(kept))]
        draws = [paid(hand_names_of(hand, "J", 1) if wild else (best_name(hand),)) for hand in hands]
        assert Fraction(worth[hold], draw_poker._COMMON) == Fraction(sum(draws), len(draws))


def test_nine_six_jacks_or_better_is_the_published_optimum():
    program = theory(JACKS)["programs"]["base"]
    assert program["rtp"] == str(Fraction(1_653_526_326_983, 1_661_102_543_100))
    assert program["rtp_percent"] == "99.5439"
    assert program["standard_deviation"] ** 2 == pytest.approx(19.514676427, rel=1e-10)
    assert float(Fraction(program["hit_frequency"])) == pytest.approx(0.454565, abs=1e-6)
    assert program["bets"]["optimal"]["bet"] == {"strategy": "optimal"}
    [(_, best)] = JACKS.program("base").model.listed_bets()
    assert isinstance(best, Itemised)
    counts = {item.name: item.chance * 1_661_102_543_100 for item in best.breakdown()}
    assert counts == {
        "royal-flush": 41_126_022,
        "straight-flush": 181_573_608,
        "four-of-a-kind": 3_924_430_647,
        "full-house": 19_122_956_883,
        "flush": 18_296_232_180,
        "straight": 18_653_130_482,
        "three-of-a-kind": 123_666_922_527,
        "two-pair": 214_745_513_679,
        "pair": 356_447_740_914,
    }
    assert sum(item.returned for item in best.breakdown()) == best.rtp() == best.prizes().mean


BONUS = {**PAYS, "full-house": 8, "flush": 5, "four-aces": 80, "four-2-to-4": 40}
DOUBLE_DOUBLE = {
    **{name: pays for name, pays in PAYS.items() if name != "four-of-a-kind"},
    "two-pair": 1,
    "four-aces-with-2-to-4": 400,
    "four-2-to-4-with-a-to-4": 160,
    "four-aces": 160,
    "four-2-to-4": 80,
    "four-5-to-k": 50,
}


DEUCES = {
    "royal-flush": 800,
    "four-wilds": 200,
    "wild-royal-flush": 25,
    "five-of-a-kind": 15,
    "straight-flush": 9,
    "four-of-a-kind": 5,
    "full-house": 3,
    "flush": 2,
    "straight": 2,
    "three-of-a-kind": 1,
}


@pytest.mark.parametrize(
    ("pays", "wild", "percent"),
    [
        ({**PAYS, "full-house": 8, "flush": 5}, None, "97.2984"),
        (BONUS, None, "99.1660"),
        (DOUBLE_DOUBLE, None, "98.9808"),
        (DEUCES, 1, "100.7620"),
    ],
)
def test_other_tables_have_their_published_returns(pays, wild, percent):
    best = optimum(tuple((name, Fraction(prize)) for name, prize in pays.items()), "J", wild)
    assert f"{float(best.returned * 100):.4f}" == percent
    assert sum(pays[name] * chance for name, chance in best.chances.items()) == best.returned


def test_discarded_cards_are_replaced_from_left_to_right():
    dealt, drawn = "Jc 2d Jd 5h 9s", "3c 9h 8d Jh Js"
    assert settle(dealt, drawn, [0, 2]) == 1
    assert settle(dealt, drawn, [0, 2, 4]) == 2
    assert settle(dealt, "9h 9d 3c 3d 3h", [0, 2, 4]) == 9
    assert settle(dealt, "9h 9d 3c 3d 3h", [2, 4]) == 3
    assert settle("Tc Jc Qc 2d Ac", "Kc 2c 3c 4c 5c", [0, 1, 2, 4]) == 800
    assert settle(dealt, "Tc Jh Qc Kc Ac", []) == 4
    assert settle(dealt, drawn, [0, 1, 2, 3, 4]) == 1


@given(st.permutations(range(52)), st.sets(st.integers(0, 4)))
def test_a_hand_pays_what_a_player_counts(order, holds):
    drawn = list(order[5:10])
    final = [order[place] if place in holds else drawn.pop(0) for place in range(5)]
    bet = {"bet": "hand", "holds": sorted(holds)}
    assert multiplier(JACKS, "base", bet, tuple(order[:10])) == PAYS.get(best_name(final), 0)
    resolved = resolve_bet(JACKS, "base", {"bet": "hand", "holds": sorted(holds, reverse=True)})
    assert resolved.canonical == bet
    assert isinstance(resolved, DecidedBet)
    assert resolved.highest == 800


@pytest.mark.parametrize(
    ("bet", "path", "words"),
    [
        ({"bet": "hand"}, "$", "'holds' is missing"),
        ({"bet": "deal", "holds": []}, "$.bet", "is not a bet"),
        ({"bet": "hand", "holds": [0, 1, 2, 3, 4, 4]}, "$.holds", "at most 5"),
        ({"bet": "hand", "holds": {"0": 1}}, "$.holds", "expected an array"),
        ({"bet": "hand", "holds": [0, 5]}, "$.holds[1]", "from 0 to 4"),
        ({"bet": "hand", "holds": [False]}, "$.holds[0]", "got false"),
        ({"bet": "hand", "holds": [2, 1, 2]}, "$.holds[2]", "held already"),
    ],
)
def test_bad_holds_are_refused_with_their_path(bet, path, words):
    with pytest.raises(BetError) as caught:
        validate_bet(JACKS, "base", bet)
    assert caught.value.path == path
    assert words in caught.value.message


def poker(pays, lowest_pair="J", drawn=10, **changed):
    settlement = {"model": "video-poker", "pays": pays, "lowest_pair": lowest_pair, **changed}
    return game([{"step": "sample", "n": 52, "m": drawn}], settlement)


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        (poker({"four-kings": 1}), "settlement.pays.four-kings", "did you mean"),
        (poker({"five-of-a-kind": 1}), "settlement.pays.five-of-a-kind", "unknown key"),
        (poker({"pair": 1}, wild="23"), "settlement.wild", "not known here"),
        (poker({"pair": 0}), "settlement.pays.pair", "leave it out"),
        (poker({}), "settlement.pays", "1 to"),
        (poker({"pair": 1}, "10"), "settlement.lowest_pair", "not known here"),
        (poker({"pair": 1}, "JQ"), "settlement.lowest_pair", "not known here"),
        (poker({"pair": 1}, ""), "settlement.lowest_pair", "not known here"),
        (poker({"pair": 1}, drawn=5), "steps", "10 of 52 cards"),
    ],
)
def test_definitions_that_do_not_hold_are_refused_with_their_path(value, path, words):
    with pytest.raises(GameError) as caught:
        parsed(value)
    assert caught.value.path == f"$.programs.base.{path}"
    assert words in caught.value.message


def test_the_lowest_pair_may_be_any_rank():
    for place, name in enumerate(PAIR_RANKS):
        lowest = ["A23456789TJQK".index(name)] * 2
        assert hand_names([*lowest, *_others(lowest[0])], suited=False, lowest_pair=name) == ("pair",)
        if place:
            below = ["A23456789TJQK".index(PAIR_RANKS[place - 1])] * 2
            assert hand_names([*below, *_others(below[0])], suited=False, lowest_pair=name) == ()
    assert set(PAYS) < set(HANDS)


def _others(rank):
    return [other for other in (0, 4, 7, 11) if other != rank][:3]
