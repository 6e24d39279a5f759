"""The optimum of endless blackjack: against the published edge, the other way of counting, and every deal with its splits."""

from collections import defaultdict
from fractions import Fraction
from functools import cache

import pytest
from game_samples import ROOT

from rng_service.games import load_game, theory
from rng_service.games.cards.blackjack import Replay, Rules, is_natural, total_of
from rng_service.games.cards.blackjack_best import BestHand, Total
from rng_service.games.cards.blackjack_dealer import VALUES, Shoe
from rng_service.games.cards.blackjack_optimum import _Splits, optimal_returns
from rng_service.games.cards.blackjack_theory import HARD_TOTALS, SHOWN, SOFT_TOTALS, Table, returns

best_hand = cache(BestHand)
split_hands = cache(_Splits)
ENDLESS = Shoe((*[1] * 9, 4), put_back=True)
VEGAS = {
    "blackjack_pays": Fraction(5, 2),
    "hit_soft_17": False,
    "peek": True,
    "double": "any",
    "double_after_split": True,
    "most_hands": 4,
    "hit_split_aces": False,
    "resplit_aces": False,
    "surrender": False,
    "insurance": True,
}


def rules(**changed):
    return Rules(**{**VEGAS, **changed})


def edge(results):
    """Return what a first stake loses on average."""
    return sum((staked - back) * chance for (back, staked), chance in results.items())


def test_the_edge_is_the_published_one():
    assert f"{float(100 * edge(optimal_returns(rules(), ENDLESS))):.6f}" == "0.511734"
    program = theory(load_game(ROOT / "games" / "blackjack-endless.json"))["programs"]["base"]
    assert program["rtp_percent"] == "99.5479"
    assert list(program["bets"]) == ["optimal"]


def test_rules_for_the_player_are_worth_something():
    base = edge(optimal_returns(rules(), ENDLESS))
    for better in ({"surrender": True}, {"resplit_aces": True}):
        assert edge(optimal_returns(rules(**better), ENDLESS)) < base
    for worse in ({"hit_soft_17": True}, {"peek": False}, {"double": "10-11", "most_hands": 2}):
        assert edge(optimal_returns(rules(**worse), ENDLESS)) > base


def letters(rules, totals, *, soft):
    """Return the optimal moves as the rows of a strategy."""
    rows = []
    for total in totals:
        row = ""
        for shown in SHOWN:
            best = best_hand(rules, ENDLESS, shown)
            first, _ = best.move(Total(total, soft), double=True)
            later, _ = best.move(Total(total, soft), double=False)
            row += {"stand": "S", "hit": "H", "double": "D" if later == "hit" else "d"}[first]
        rows.append(row)
    return tuple(rows)


@pytest.mark.parametrize("changed", [{}, {"peek": False, "hit_soft_17": True}])
def test_without_splits_it_is_the_strategy_that_its_moves_make(changed):
    table = rules(**changed, most_hands=1)
    strategy = Table(letters(table, HARD_TOTALS, soft=False), letters(table, SOFT_TOTALS, soft=True))
    assert optimal_returns(table, ENDLESS) == returns(table, ENDLESS, (strategy,))[0]
    # What every player knows by heart.
    assert strategy.hard[16 - 4] == "SSSSSHHHHH"
    assert strategy.hard[11 - 4][:8] == "DDDDDDDD"
    assert strategy.soft[18 - 12][5:7] == "SS"


def decisions(rules, shoe, values):
    """Decide a deal as the optimum does; raises IndexError where another card is needed."""
    first, shown, second, hole = values[0], values[1], values[2], values[3]
    if is_natural(first, second) or (rules.peek and is_natural(shown, hole)):
        return []
    best, cards = best_hand(rules, shoe, shown), iter(values[4:])
    hands, place, actions = [[first, second]], 0, []
    splits = split_hands(best, first)
    while place < len(hands):
        hand = hands[place]
        if len(hand) == 1:
            hand.append(next(cards))
        total = Total(*total_of(hand))
        own = best.move(total, double=len(hands) == 1 or rules.double_after_split)
        single = len(hands) > 1 and hand[0] == 1 and not rules.hit_split_aces
        if len(hand) == 2 and hand[0] == hand[1] == first and len(hands) < rules.most_hands:
            left = rules.most_hands - len(hands)
            again = splits.value(2, left - 1) > own[1] if len(hands) == 1 else splits._again(len(hands) - place, left)
            if again:
                actions.append("split")
                hands.insert(place + 1, [hand.pop()])
                continue
        if total.points < 21 and not single:
            move = own[0] if len(hand) == 2 else best.move(total, double=False)[0]
            actions.append(move)
            if move == "hit":
                hand.append(next(cards))
                continue
            if move == "double":
                hand.append(next(cards))
        place += 1
    return actions


@pytest.mark.parametrize(
    ("cards", "changed"),
    [
        ({8: 1, 10: 1}, {}),
        ({8: 2, 9: 1}, {"peek": False, "double_after_split": False}),
        ({1: 1, 10: 2}, {"most_hands": 3}),
        ({9: 2, 10: 3}, {"most_hands": 3}),
        ({7: 1, 8: 1, 10: 1}, {"most_hands": 2}),
    ],
)
def test_the_distribution_equals_all_deals_splits_included(cards, changed):
    shoe = Shoe(tuple(cards.get(worth, 0) for worth in VALUES), put_back=True)
    table = rules(**changed)
    visited, split, todo = defaultdict(Fraction), 0, [((), Fraction(1))]
    while todo:
        values, chance = todo.pop()
        try:
            actions = decisions(table, shoe, values)
            back = Replay(table, values, actions).returned()
        except (IndexError, ValueError, StopIteration):
            todo += [
                ((*values, worth), chance * Fraction(count, sum(cards.values()))) for worth, count in cards.items()
            ]
            continue
        visited[back, 1 + actions.count("double") + actions.count("split")] += chance
        split += "split" in actions
    assert optimal_returns(table, shoe) == visited
    assert split
