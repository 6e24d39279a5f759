"""Optimal blackjack, splits included, where every card is put back: an endless shoe.

Beside one end of the dealer's hand the hands of a split are independent, so that the best decisions and the whole
distribution follow exactly. A finite shoe has no such shortcut. Insurance is never taken: it wins with 4 cards of 13,
and would need one of three.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import Final

from rng_service.games.cards.blackjack import ACE, STAND, Rules, is_natural, total_of
from rng_service.games.cards.blackjack_best import NATURAL, BestHand, Total, back
from rng_service.games.cards.blackjack_dealer import VALUES, Shoe

_LOST: Final = Fraction(0)

Results = Mapping[tuple[Fraction, int], Fraction]
"""(returned, staked) → chance, both in stakes of the draw."""
Counts = tuple[int, Mapping[tuple[int, int], int]]
"""A denominator, and over it the chances of pairs of whole numbers, as of units returned and staked."""


@lru_cache(maxsize=16)
def optimal_returns(rules: Rules, shoe: Shoe) -> Results:
    """Return the chance of each (returned, staked) under optimal play; the cards of ``shoe`` are put back.

    Of decisions that are worth the same the first in the order stand, hit, double, surrender, split is taken.
    """
    deals: list[tuple[Fraction, Results]] = []
    for shown in VALUES:
        if not shoe.cards[shown - 1]:
            continue
        best = BestHand(rules, shoe, shown)
        for one, first in best.chances.items():
            for other, second in best.chances.items():
                chance = best.chances[shown] * first * second * (1 if one == other else 2)
                if chance and one <= other:
                    deals.append((chance, _deal(best, one, other)))
    return _mixed(deals)


def _deal(best: BestHand, one: int, other: int) -> Results:
    """Return what two cards come to."""
    rules, natural = best.rules, best.natural
    if is_natural(one, other):
        return {(Fraction(1), 1): natural, (rules.blackjack_pays, 1): 1 - natural}
    if not rules.peek:
        return _decided(best, one, other)
    return _mixed([(natural, {(_LOST, 1): Fraction(1)}), (1 - natural, _decided(best, one, other))])


def _decided(best: BestHand, one: int, other: int) -> Results:
    rules = best.rules
    total = Total(*total_of((one, other)))
    move, value = best.move(total, double=True)
    unseen = best.ends.get(NATURAL, _LOST)
    surrendered = (1 - unseen) / 2 - 1
    surrenders = rules.surrender and surrendered > value
    if one == other and rules.most_hands > 1:
        splits = _Splits(best, one)
        if splits.value(2, rules.most_hands - 2) > (surrendered if surrenders else value):
            return _mixed((chance, splits.results(end)) for end, chance in best.ends.items())
    if surrenders:
        return {(_LOST, 1): unseen, (Fraction(1, 2), 1): 1 - unseen}
    staked, finals = best.finals(total, move)
    return _mixed(
        (chance * weight, {(Fraction(staked * back(points, end)), staked): Fraction(1)})
        for end, chance in best.ends.items()
        for points, weight in finals.items()
    )


class _Splits:
    """What becomes of cards of one value that were split, some of them without their second card yet."""

    def __init__(self, best: BestHand, worth: int) -> None:
        self._best = best
        self._worth = worth
        self._moves = {drawn: self._move(drawn) for drawn in best.chances}
        self._values: dict[tuple[int, int], Fraction] = {}
        self._finals: dict[bool, Counts] = {}

    def _move(self, drawn: int) -> tuple[str, Fraction]:
        """Return how a card goes on with the one drawn to it, unless they are split again."""
        rules, total = self._best.rules, Total(*total_of((self._worth, drawn)))
        if self._worth == ACE and not rules.hit_split_aces:
            return STAND, self._best.standing(total.points)
        return self._best.move(total, double=rules.double_after_split)

    def value(self, hands: int, left: int) -> Fraction:
        """Return the value of so many cards, while so many splits are left for the pairs that they make."""
        if not hands:
            return _LOST
        if (hands, left) not in self._values:
            rest = self.value(hands - 1, left)
            found = _LOST
            for drawn, chance in self._best.chances.items():
                again = drawn == self._worth and self._again(hands, left)
                found += chance * (self.value(hands + 1, left - 1) if again else self._moves[drawn][1] + rest)
            self._values[hands, left] = found
        return self._values[hands, left]

    def _again(self, hands: int, left: int) -> bool:
        """Return whether a pair is split again."""
        if not left or (self._worth == ACE and not self._best.rules.resplit_aces):
            return False
        played = self._moves[self._worth][1] + self.value(hands - 1, left)
        return self.value(hands + 1, left - 1) > played

    def results(self, end: int) -> Results:
        """Return what the hands of a split come to together when the dealer ends so."""
        denominator, counts = self._counted(2, self._best.rules.most_hands - 2, end, {})
        return {(Fraction(back), staked): Fraction(count, denominator) for (back, staked), count in counts.items()}

    def _counted(self, hands: int, left: int, end: int, known: dict[tuple[int, int], Counts]) -> Counts:
        if not hands:
            return 1, {(0, 0): 1}
        if (hands, left) not in known:
            rest = self._counted(hands - 1, left, end, known)
            if self._again(hands, left):
                others = _together(self._hand(end, pairs=False), rest)
                more = self._counted(hands + 1, left - 1, end, known)
                known[hands, left] = _either(others, more, self._best.chances[self._worth])
            else:
                known[hands, left] = _together(self._hand(end, pairs=True), rest)
        return known[hands, left]

    def _hand(self, end: int, *, pairs: bool) -> Counts:
        """Return what one card and those drawn to it come to, with or without the chance that they are a pair."""
        if pairs not in self._finals:
            self._finals[pairs] = self._drawn(pairs=pairs)
        denominator, finals = self._finals[pairs]
        found: defaultdict[tuple[int, int], int] = defaultdict(int)
        for (points, staked), count in finals.items():
            found[staked * back(points, end), staked] += count
        return denominator, found

    def _drawn(self, *, pairs: bool) -> Counts:
        """Return the (total, staked) that one card ends with."""
        found: defaultdict[tuple[int, int], Fraction] = defaultdict(Fraction)
        for drawn, chance in self._best.chances.items():
            if pairs or drawn != self._worth:
                staked, finals = self._best.finals(Total(*total_of((self._worth, drawn))), self._moves[drawn][0])
                for points, weight in finals.items():
                    found[points, staked] += chance * weight
        denominator = lcm(*(weight.denominator for weight in found.values()))
        return denominator, {final: int(weight * denominator) for final, weight in found.items()}


def _mixed(parts: Iterable[tuple[Fraction, Results]]) -> Results:
    found: defaultdict[tuple[Fraction, int], Fraction] = defaultdict(Fraction)
    for chance, results in parts:
        for result, weight in results.items():
            found[result] += chance * weight
    return {result: weight for result, weight in found.items() if weight}


def _together(one: Counts, other: Counts) -> Counts:
    """Return the sums of two independent results."""
    found: defaultdict[tuple[int, int], int] = defaultdict(int)
    for (one_back, one_staked), count in one[1].items():
        for (other_back, other_staked), ways in other[1].items():
            found[one_back + other_back, one_staked + other_staked] += count * ways
    return one[0] * other[0], found


def _either(one: Counts, other: Counts, chance: Fraction) -> Counts:
    """Return results that are those of ``other`` with a chance, ``one`` having what is left of it already."""
    other_denominator = other[0] * chance.denominator
    denominator = lcm(one[0], other_denominator)
    found: defaultdict[tuple[int, int], int] = defaultdict(int)
    for result, count in one[1].items():
        found[result] += count * (denominator // one[0])
    for result, count in other[1].items():
        found[result] += count * chance.numerator * (denominator // other_denominator)
    return denominator, found
