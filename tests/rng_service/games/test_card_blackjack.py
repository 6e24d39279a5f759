"""Blackjack: deals replayed by hand, decisions that a deal does not allow, and returns against every deal of a shoe."""

from collections import defaultdict
from fractions import Fraction
from math import perm

import pytest
from game_samples import ROOT, game, parsed
from hypothesis import given
from hypothesis import strategies as st

from rng_service.games import BetError, GameError, load_game, multiplier, payout, resolve_bet, theory, validate_bet
from rng_service.games.cards.blackjack import Replay, Rules, is_natural, most_cards, total_of
from rng_service.games.cards.blackjack_dealer import Dealer, Shoe
from rng_service.games.cards.blackjack_theory import Table, returns
from rng_service.games.models.base import DecidedBet, Itemised, RaisingBet
from rng_service.games.placing import stakes

SIX_DECKS = load_game(ROOT / "games" / "blackjack-6.json")
VEGAS = {
    "model": "blackjack",
    "blackjack_pays": "5/2",
    "dealer_hits_soft_17": False,
    "dealer_peeks": True,
    "double": "any",
    "double_after_split": True,
    "most_hands": 4,
    "hit_split_aces": False,
    "resplit_aces": False,
    "late_surrender": True,
    "insurance": True,
}
STAND, HIT = "S" * 10, "H" * 10


def blackjack(steps=None, **changed):
    return game([steps or {"step": "shuffle", "n": 312}], {**VEGAS, **changed})


def deal(text):
    """Return an outcome that begins with the cards named, player, dealer, player, dealer, then as drawn."""
    ranks = ["A23456789TJQK".index(name) for name in text.split()]
    return tuple(ranks) + (12,) * (312 - len(ranks))


def settle(text, *actions, **rules):
    bet = {"bet": "hand", "actions": list(actions)}
    definition = parsed(blackjack(**rules))
    # All stakes together: what comes back for each one of the draw's.
    return multiplier(definition, "base", bet, deal(text)) * stakes(resolve_bet(definition, "base", bet))


@pytest.mark.parametrize(
    ("cards", "actions", "back"),
    [
        ("A 9 K 8", [], Fraction(5, 2)),
        ("A A K K", [], 1),
        ("A A K K", ["insurance"], Fraction(5, 2)),
        ("A A K 9", ["insurance"], Fraction(5, 2)),
        ("T A 9 K", [], 0),
        ("T A 9 K", ["insurance"], Fraction(3, 2)),
        ("T A 9 7", ["insurance", "stand"], 2),
        ("T K 9 A", [], 0),
        ("T 9 9 K", ["stand"], 1),
        ("T 9 8 K", ["stand"], 0),
        ("T 6 6 K 6", ["stand"], 2),
        ("T 6 6 K 5", ["stand"], 0),
        ("T 6 6 A", ["stand"], 0),
        ("T 6 6 A K", ["hit"], 0),
        ("5 6 6 T T K", ["double"], 4),
        ("5 6 6 T 2 2", ["double"], 0),
        ("5 6 6 T 7 2", ["double"], 2),
        ("5 9 6 T T", ["hit"], 2),
        ("2 9 3 T 4 5 7", ["hit", "hit", "hit"], 2),
        ("T 9 6 T", ["surrender"], Fraction(1, 2)),
        ("8 6 8 T T 3 T T", ["split", "stand", "double"], 2 + 4),
        ("8 6 8 T 8 T 7 K 9", ["split", "split", "stand", "stand", "stand"], 6),
        ("8 6 8 T 8 8 T T T T K", ["split", "split", "split", *["stand"] * 4], 8),
        ("A 6 A T T 5 K", ["split"], 4),
        ("A 6 A T A K K", ["split"], 4),
        ("K 6 Q T T 5 T T", ["split", "stand", "hit"], 2),
    ],
)
def test_a_deal_gives_back_what_the_dealer_would_pay(cards, actions, back):
    assert settle(cards, *actions) == back


@pytest.mark.parametrize(
    ("cards", "actions", "rules", "back"),
    [
        ("T 6 8 A K", ["stand"], {"dealer_hits_soft_17": True}, 2),
        ("T 6 8 A 4", ["stand"], {"dealer_hits_soft_17": True}, 0),
        ("5 T 6 A K", ["double"], {"dealer_peeks": False}, 0),
        ("T T 6 A", ["surrender"], {"dealer_peeks": False}, 0),
        ("8 A 8 K T T", ["split", "stand", "stand"], {"dealer_peeks": False}, 0),
        ("A T K A", [], {"dealer_peeks": False}, 1),
        ("A 6 A T 3 K 5 K", ["split", "hit", "hit", "stand"], {"hit_split_aces": True}, 4),
        ("A 6 A T A K 9 8 K", ["split", "split"], {"resplit_aces": True}, 6),
        ("A 6 A T A K K", ["split", "stand"], {"resplit_aces": True}, 4),
        ("A 9 K 8", [], {"blackjack_pays": "11/5"}, Fraction(11, 5)),
    ],
)
def test_the_rules_change_what_they_name(cards, actions, rules, back):
    assert settle(cards, *actions, **rules) == back


@pytest.mark.parametrize(
    ("cards", "actions", "rules", "path", "words"),
    [
        ("T 9 6 T", [], {}, "$.actions", "the list ends before hand 1 does, at 16"),
        ("8 6 8 T T 3", ["split", "stand"], {}, "$.actions", "before hand 2 does"),
        ("A 9 K 8", ["stand"], {}, "$.actions[0]", "over before"),
        ("T K 9 A", ["stand"], {}, "$.actions[0]", "over before"),
        ("T 9 9 K", ["stand", "hit"], {}, "$.actions[1]", "over before"),
        ("T 9 6 K 5", ["hit", "stand"], {}, "$.actions[1]", "over before"),
        ("T 9 6 K", ["insurance", "stand"], {}, "$.actions[0]", "insurance is not allowed on hand 1, 10 6"),
        ("T A 6 7", ["insurance", "stand"], {"insurance": False}, "$.actions[0]", "not allowed"),
        ("T A 6 7 2", ["hit", "insurance"], {}, "$.actions[1]", "not allowed on hand 1, 10 6 2"),
        ("T 9 6 K 2", ["hit", "double"], {}, "$.actions[1]", "double is not allowed"),
        ("T 9 6 K 2", ["hit", "surrender"], {}, "$.actions[1]", "not allowed"),
        ("T 9 6 K", ["surrender"], {"late_surrender": False}, "$.actions[0]", "not allowed"),
        ("T 9 6 K", ["split"], {}, "$.actions[0]", "split is not allowed"),
        ("8 9 8 K", ["split"], {"most_hands": 1}, "$.actions[0]", "not allowed"),
        ("8 9 8 K 8", ["split", "split"], {"most_hands": 2}, "$.actions[1]", "not allowed"),
        ("8 9 8 K 3", ["split", "double"], {"double_after_split": False}, "$.actions[1]", "not allowed"),
        ("8 9 8 K 3", ["split", "surrender"], {}, "$.actions[1]", "not allowed"),
        ("4 9 4 K", ["double"], {"double": "9-11"}, "$.actions[0]", "not allowed"),
        ("A 9 8 K", ["double"], {"double": "9-11"}, "$.actions[0]", "not allowed"),
        ("3 9 6 K", ["double"], {"double": "10-11"}, "$.actions[0]", "not allowed"),
        ("4 9 6 K", ["double"], {"double": "11"}, "$.actions[0]", "not allowed"),
        ("5 9 6 K", ["double"], {"double": "none"}, "$.actions[0]", "not allowed"),
        ("A 6 A T 5 5", ["split", "hit"], {}, "$.actions[1]", "over before"),
        ("A 6 A T A 5", ["split", "hit"], {"resplit_aces": True}, "$.actions[1]", "hit is not allowed on hand 1, A A"),
    ],
)
def test_impossible_decisions_are_refused_with_their_place(cards, actions, rules, path, words):
    with pytest.raises(BetError) as caught:
        settle(cards, *actions, **rules)
    assert caught.value.path == path
    assert words in caught.value.message


def test_a_settlement_states_all_that_was_staked():
    bet = {"bet": "hand", "actions": ["insurance", "split", "double", "hit", "stand"]}
    resolved = resolve_bet(SIX_DECKS, "base", bet)
    assert isinstance(resolved, DecidedBet)
    assert isinstance(resolved, RaisingBet)
    assert resolved.canonical == bet
    assert resolved.decisions == tuple(bet["actions"])
    assert resolved.stakes == Fraction(7, 2)
    assert stakes(resolve_bet(SIX_DECKS, "base", {"bet": "hand", "actions": []})) == 1
    # 100 at the draw, 100 more to double, 4 units for 2.
    double = {"bet": "hand", "actions": ["double"]}
    outcome = deal("5 6 6 T T K")[:64]
    assert payout(SIX_DECKS, "base", double, 200, outcome) == 400
    assert resolved.highest == Fraction(5, 2)


@pytest.mark.parametrize(
    ("bet", "path", "words"),
    [
        ({"bet": "hand"}, "$", "'actions' is missing"),
        ({"bet": "hands", "actions": []}, "$.bet", "did you mean 'hand'?"),
        ({"bet": "hand", "actions": ["stnad"]}, "$.actions[0]", "did you mean 'stand'?"),
        ({"bet": "hand", "actions": ["hit", 1]}, "$.actions[1]", "1 is no decision"),
        ({"bet": "hand", "actions": ["hit"] * 257}, "$.actions", "at most 256"),
        ({"bet": "hand", "actions": "hit"}, "$.actions", "expected an array"),
    ],
)
def test_bad_bets_are_refused_with_their_path(bet, path, words):
    with pytest.raises(BetError) as caught:
        validate_bet(SIX_DECKS, "base", bet)
    assert caught.value.path == path
    assert words in caught.value.message


# Few values, so that every deal can be visited; aces, stiff hands, naturals and soft seventeens all occur.
FIVES = (5, 0, 0, 0, 5, 5, 0, 0, 0, 6)
TWOS = (3, 4, 0, 0, 0, 0, 0, 0, 8, 9)
THREES = (4, 0, 5, 0, 0, 0, 6, 0, 0, 7)
BASIC = Table(
    (*[HIT] * 5, "HDDDDHHHHH", "D" * 8 + "HH", "D" * 9 + "H", *["SSSSSHHHRR"] * 5, *[STAND] * 4),
    (*[HIT] * 5, "DDDDDHHHHH", "SddddSSHHH", STAND, STAND),
)
MIMIC = Table((*[HIT] * 13, *[STAND] * 4), (*[HIT] * 5, *[STAND] * 4))


def rules(**changed):
    known = {
        "blackjack_pays": Fraction(5, 2),
        "hit_soft_17": False,
        "peek": True,
        "double": "any",
        "double_after_split": True,
        "most_hands": 1,
        "hit_split_aces": False,
        "resplit_aces": False,
        "surrender": False,
        "insurance": False,
    }
    return Rules(**{**known, **changed})


def play(table, rules, values):
    """Play the cards as far as they go: return the decisions; raises IndexError where another card is needed."""
    first, shown, second, hole = values[0], values[1], values[2], values[3]
    if is_natural(first, second) or (rules.peek and is_natural(shown, hole)):
        return []
    hand, actions = [first, second], []
    while (total := total_of(hand)[0]) < 21:
        letter = table.letter(total, shown, soft=total_of(hand)[1])
        if len(hand) == 2 and letter == "R" and rules.surrender:
            return ["surrender"]
        if len(hand) == 2 and letter in "Dd" and rules.doubles(total, soft=total_of(hand)[1]):
            return ["double"]
        actions.append("stand" if letter in "Sd" else "hit")
        if actions[-1] == "stand":
            break
        hand.append(values[4 + len(hand) - 2])
    return actions


def every_deal(table, rules, shoe):
    """Return (returned, staked) → chance over all deals, card by card, each settled as a settlement is."""
    found = defaultdict(Fraction)
    todo = [((), 1)]
    while todo:
        values, ways = todo.pop()
        try:
            actions = play(table, rules, values)
            back = Replay(rules, values, actions).returned()
        except (IndexError, ValueError):
            # Another card is needed.
            for worth, count in enumerate(shoe.cards, 1):
                left = count - (0 if shoe.put_back else values.count(worth))
                if left:
                    todo.append(((*values, worth), ways * left))
            continue
        cards = sum(shoe.cards)
        deals = cards ** len(values) if shoe.put_back else perm(cards, len(values))
        found[back, 1 + ("double" in actions)] += Fraction(ways, deals)
    return found


@pytest.mark.parametrize(
    ("table", "changed", "shoe"),
    [
        (BASIC, {}, FIVES),
        (BASIC, {"peek": False, "surrender": True}, THREES),
        (BASIC, {"hit_soft_17": True, "double": "10-11", "surrender": True}, FIVES),
        (BASIC, {"peek": False, "double": "9-11"}, TWOS),
        (MIMIC, {"hit_soft_17": True}, TWOS),
        (MIMIC, {}, THREES),
    ],
)
def test_the_returns_of_a_strategy_equal_all_deals_of_a_shoe(table, changed, shoe):
    (found,) = returns(rules(**changed), Shoe(shoe), (table,))
    assert found == every_deal(table, rules(**changed), Shoe(shoe))
    assert sum(found.values()) == 1


def test_cards_that_are_put_back_keep_their_chances():
    shoe = Shoe((1, 0, 0, 0, 0, 1, 0, 0, 0, 2), put_back=True)
    assert returns(rules(), shoe, (MIMIC,)) == (every_deal(MIMIC, rules(), shoe),)


def test_the_dealer_breaks_as_often_as_the_tables_say():
    # An endless shoe, the dealer standing on all 17, naturals in: the table in every book on the game.
    printed = ["11.53", "35.36", "37.39", "39.45", "41.64", "42.32", "26.23", "24.47", "22.84", "21.21"]
    for shown, percent in enumerate(printed, 1):
        dealer = Dealer(rules(), Shoe((*[1] * 9, 4), put_back=True), shown)
        made = sum(dealer.beats_and_ties((6, 10))) + dealer.naturals((6, 10))
        assert f"{float(100 - Fraction(100 * made, dealer.all_ways((6, 10)))):.2f}" == percent


def test_the_figures_of_a_strategy_are_those_of_a_unit_staked():
    program = theory(SIX_DECKS)["programs"]["base"]
    assert program["rtp_percent"] == "99.1102"
    assert program["reference_bet"] == "basic-never-split"
    [(_, strategy)] = SIX_DECKS.program("base").model.listed_bets()
    assert isinstance(strategy, Itemised)
    assert sum(item.returned for item in strategy.breakdown()) == strategy.rtp() == strategy.prizes().mean
    chances = {item.name: item.chance for item in strategy.breakdown()}
    assert chances["5/2 for 1"] == Fraction(2 * 24 * 96, 312 * 311) * (1 - Fraction(2 * 23 * 95, 310 * 309))
    assert 0 < chances["4 for 2"] < Fraction(1, 10)


def test_no_deal_takes_more_cards_than_a_program_must_yield():
    assert most_cards((4,) * 9 + (16,), 1) < most_cards((4,) * 9 + (16,), 4) <= 52
    # Twenty-one aces and the dealer's: the longest hand of eight decks that does not break.
    assert most_cards((32,) * 9 + (128,), 1) >= 21 + 2


# Greedy players and small cards, so that hands are long and many.
@given(
    st.permutations([*[worth for worth in range(1, 6) for _ in range(8)], *range(6, 11)]),
    st.permutations(["split", "hit", "double"]),
    st.booleans(),
)
def test_however_a_deal_is_played_it_takes_no_more_cards_than_that(values, preferred, aces):
    table = rules(most_hands=4, hit_split_aces=aces, resplit_aces=aces)
    bound = most_cards([values.count(worth) for worth in range(1, 11)], 4)
    assert bound < len(values)
    actions, untried = [], []
    while True:
        replay = Replay(table, values[:bound], actions)
        try:
            back = replay.returned()
        except BetError as error:
            if error.path == "$.actions":
                untried = [*preferred, "stand"]
            else:
                actions.pop()
            actions.append(untried.pop(0))
        else:
            break
    assert replay._taken <= bound
    assert 0 <= back <= 2 * (1 + actions.count("double") + actions.count("split")) + 1


def strategies(hard, soft=None):
    return {"mine": {"hard": hard, "soft": soft or {"12": HIT, "18": STAND}}}


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        (blackjack({"step": "shuffle", "n": 51}), "steps", "52 cards for each deck"),
        (blackjack({"step": "sample", "n": 312, "m": 60}), "steps", "may take up to"),
        (blackjack({"step": "uniform", "n": 52, "count": 20}), "steps", "may take up to 101 cards"),
        (blackjack({"step": "uniform", "n": 37, "count": 200}), "steps", "uniform of 13 or 52"),
        (blackjack(blackjack_pays=1), "settlement.blackjack_pays", "more than 1"),
        (blackjack(double="some"), "settlement.double", "not known here"),
        (blackjack(most_hands=9), "settlement.most_hands", "from 1 to 8"),
        (blackjack(insurance="yes"), "settlement.insurance", "true or false"),
        (blackjack(dealer_hit_soft_17=True), "settlement.dealer_hit_soft_17", "did you mean 'dealer_hits_soft_17'?"),
        (blackjack(strategies={"optimal": {}}), "settlement.strategies", "worked out"),
        (blackjack(strategies=strategies({"5": HIT})), "settlement.strategies.mine.hard", "lowest total, 4"),
        (blackjack(strategies=strategies({"4": "HHH"})), "settlement.strategies.mine.hard.4", "ten letters"),
        (blackjack(strategies=strategies({"4": "X" * 10})), "settlement.strategies.mine.hard.4", "ten letters"),
        (blackjack(strategies=strategies({"4": HIT, "21": HIT})), "settlement.strategies.mine.hard.21", "4 to 20"),
        (blackjack(strategies=strategies({"4": HIT}, {"4": HIT})), "settlement.strategies.mine.soft.4", "12 to 20"),
    ],
)
def test_definitions_that_do_not_hold_are_refused_with_their_path(value, path, words):
    with pytest.raises(GameError) as caught:
        parsed(value)
    assert caught.value.path == f"$.programs.base.{path}"
    assert words in caught.value.message


@pytest.mark.parametrize(
    "step",
    [
        {"step": "shuffle", "n": 52},
        {"step": "sample", "n": 416, "m": 80},
        {"step": "uniform", "n": 13, "count": 101},
        {"step": "uniform", "n": 52, "count": 101},
    ],
)
def test_shoes_and_endless_decks_are_taken(step):
    definition = parsed(blackjack(step))
    labels = [label for label, _ in definition.program("base").model.listed_bets()]
    assert labels == (["optimal"] if step["step"] == "uniform" else [])
    assert resolve_bet(definition, "base", {"bet": "hand", "actions": ["stand"]}).stakes == 1
