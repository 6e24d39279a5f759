"""The proof of docs/rtp.md §5, carried out in fractions on deals small enough to enumerate."""

from fractions import Fraction
from itertools import combinations, permutations, product
from math import comb, isfinite, prod

import pytest

from rng_service.rtp import DealEvidence

ONE = Fraction(1)
DEAL = {Fraction(0): 4, Fraction(1): 2, Fraction(6): 1}


def states(deal):
    """Every number of tickets that can have been sold of each prize."""
    for counts in product(*(range(count + 1) for count in deal.values())):
        yield dict(zip(deal, counts, strict=True))


def e_value(deal, sold):
    return DealEvidence(deal, sold).e_value()


@pytest.mark.parametrize("deal", [DEAL, {Fraction(0): 3, Fraction(2): 3}, {Fraction(1, 2): 1, Fraction(9): 1}])
def test_the_next_ticket_never_raises_the_evidence_on_average(deal):
    for sold in states(deal):
        left = {prize: deal[prize] - sold[prize] for prize in deal}
        remaining = sum(left.values())
        if not remaining:
            continue
        expected = sum(
            left[prize] / remaining * e_value(deal, {**sold, prize: sold[prize] + 1}) for prize in deal if left[prize]
        )
        assert expected <= e_value(deal, sold) * (1 + 1e-12)


def test_while_every_prize_is_left_the_evidence_is_a_martingale():
    sold = {Fraction(0): 2, Fraction(1): 1, Fraction(6): 0}
    after = sum(
        chance * e_value(DEAL, {**sold, prize: sold[prize] + 1})
        for prize, chance in ((Fraction(0), 0.5), (Fraction(1), 0.25), (Fraction(6), 0.25))
    )
    assert after == pytest.approx(e_value(DEAL, sold), rel=1e-12)


@pytest.mark.parametrize("alpha", [Fraction(1, 2), Fraction(1, 3), Fraction(1, 5)])
def test_over_all_orders_of_a_deal_an_alarm_is_no_likelier_than_promised(alpha):
    alarmed = {tuple(sold.values()): DealEvidence(DEAL, sold).alarm(alpha) for sold in states(DEAL)}
    tickets = [place for place, count in enumerate(DEAL.values()) for _ in range(count)]
    orders = set(permutations(tickets))
    found = 0
    for order in orders:
        sold = [0, 0, 0]
        for ticket in order:
            sold[ticket] += 1
            if alarmed[tuple(sold)]:
                found += 1
                break
    # Distinct orders of equal tickets are equally likely.
    assert len(orders) == 105
    assert Fraction(found, len(orders)) <= alpha


def test_a_deal_whose_prizes_come_late_is_noticed_before_they_come():
    deal = {Fraction(0): 900, Fraction(2): 300, Fraction(20): 20}
    assert not DealEvidence(deal, {Fraction(0): 450, Fraction(2): 150, Fraction(20): 10}).alarm(0.01)
    assert DealEvidence(deal, {Fraction(0): 820, Fraction(2): 200}).alarm(0.01)


def test_nothing_sold_is_no_evidence():
    assert DealEvidence(DEAL, {}).e_value() == 1
    assert DealEvidence(DEAL, {Fraction(0): 0}).log_e_value() == 0


def test_a_deal_of_equal_tickets_has_nothing_to_tell():
    assert DealEvidence({Fraction(2): 50}, {Fraction(2): 31}).e_value() == 1


def test_a_deal_without_prizes_has_nothing_to_tell():
    assert DealEvidence({Fraction(0): 50}, {Fraction(0): 50}).e_value() == 1


def test_a_deal_of_a_thousand_million_tickets_keeps_its_figures():
    deal = {Fraction(0): 10**9, Fraction(5): 10**8}
    half = DealEvidence(deal, {Fraction(0): 5 * 10**8, Fraction(5): 5 * 10**7})
    assert isfinite(half.log_e_value())
    assert not half.alarm(0.05)
    assert DealEvidence(deal, {Fraction(0): 501 * 10**6, Fraction(5): 49 * 10**6}).alarm(1e-6)


@pytest.mark.parametrize(
    ("deal", "sold", "message"),
    [
        (DEAL, {Fraction(6): 2}, "the deal holds 1"),
        (DEAL, {Fraction(3): 1}, "the deal holds 0"),
        (DEAL, {Fraction(0): -1}, "-1 tickets"),
        ({Fraction(0): 0}, {}, "at least one ticket"),
        ({Fraction(-1): 3}, {}, "of -1"),
    ],
)
def test_tickets_that_the_deal_does_not_hold_are_refused(deal, sold, message):
    with pytest.raises(ValueError, match=message):
        DealEvidence(deal, sold)


@pytest.mark.parametrize("alpha", [0, 1])
def test_a_deal_has_an_alarm_only_for_a_level_between_nothing_and_one(alpha):
    with pytest.raises(ValueError, match="between 0 and 1"):
        DealEvidence(DEAL, {}).alarm(alpha)


def test_blocks_of_a_fixed_number_of_tickets_could_use_the_mean_left_at_their_beginning():
    """Maclaurin's inequality: the mean product over all k tickets of a population of mean 1 is at most 1."""
    for factors in ([Fraction(1, 2), ONE, Fraction(3, 2)], [Fraction(1, 16), ONE, ONE, Fraction(31, 16)]):
        assert sum(factors) == len(factors)
        for size in range(1, len(factors) + 1):
            means = sum(prod(chosen) for chosen in combinations(factors, size)) / comb(len(factors), size)
            assert means <= 1


def test_periods_that_end_when_players_have_seen_enough_could_not():
    """Three tickets, factors 1/2, 1, 3/2. Sales stop after the first ticket unless it lost; then a second is sold."""
    factors = [Fraction(1, 2), ONE, Fraction(3, 2)]
    expected = Fraction(0)
    for first, second, _ in permutations(factors):
        expected += Fraction(1, 6) * (first * second if first == Fraction(1, 2) else first)
    assert expected == Fraction(25, 24)
