"""Blackjack, replayed: the rules of a table, and what a deal returns when the player decided as told.

The cards of a deal come in one order: player, dealer (shown), player, dealer (hole), then each card as it is taken. The
player's hands are played from left to right; a split hand gets its second card when its turn comes; a total of 21 ends
a hand by itself. The dealer draws last, and only when a hand is left to beat.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from rng_service.games.cards.deck import rank
from rng_service.games.errors import BetError

INSURANCE, STAND, HIT, DOUBLE, SPLIT, SURRENDER = "insurance", "stand", "hit", "double", "split", "surrender"
# What each decision adds to the stake.
COSTS: Final[Mapping[str, Fraction]] = {
    INSURANCE: Fraction(1, 2),
    STAND: Fraction(0),
    HIT: Fraction(0),
    DOUBLE: Fraction(1),
    SPLIT: Fraction(1),
    SURRENDER: Fraction(0),
}
# The first total that may be doubled; 11 is the last, but for "any".
DOUBLES: Final[Mapping[str, int | None]] = {"any": None, "9-11": 9, "10-11": 10, "11": 11, "none": 12}
ACE: Final = 1
_BEST: Final = 21
_LOST = Fraction(0)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a table. ``blackjack_pays`` has the stake in it: three to two is 5/2."""

    blackjack_pays: Fraction
    hit_soft_17: bool
    peek: bool
    double: str
    double_after_split: bool
    most_hands: int
    hit_split_aces: bool
    resplit_aces: bool
    surrender: bool
    insurance: bool

    def doubles(self, total: int, *, soft: bool) -> bool:
        """Return whether two cards of this total may be doubled."""
        first = DOUBLES[self.double]
        return first is None or (not soft and first <= total <= 11)

    def dealer_draws(self, total: int, *, soft: bool) -> bool:
        """Return whether the dealer takes a card."""
        return total < 17 or (total == 17 and soft and self.hit_soft_17)


def value(card: int) -> int:
    """Return the value of a card: the ace 1, pips as they stand, tens and pictures 10."""
    return min(rank(card) + 1, 10)


def total_of(values: Sequence[int]) -> tuple[int, bool]:
    """Return the total of a hand, and whether it is soft: whether an ace counts 11 in it."""
    hard = sum(values)
    soft = ACE in values and hard + 10 <= _BEST
    return hard + 10 * soft, soft


def is_natural(one: int, other: int) -> bool:
    """Return whether two cards are an ace and a ten."""
    return {one, other} == {ACE, 10}


def most_cards(of_value: Sequence[int], hands: int) -> int:
    """Return a number of cards that no deal passes.

    ``of_value`` has the number of cards of each value from 1 to 10. All cards of a hand but its last leave it below 21,
    with aces as 1, and those of the dealer below 17: of so many points, as many small cards as the shoe has.
    """
    points = 20 * hands + 16
    cards = hands + 1
    for worth, count in enumerate(of_value, 1):
        taken = min(count, points // worth)
        cards += taken
        points -= taken * worth
    return cards


@dataclass(slots=True)
class _Hand:
    cards: list[int]
    stake: int = 1
    from_split: bool = False


@dataclass(slots=True)
class Replay:
    """One deal played through; `returned` does it, once.

    ``values`` are those of the cards in the order dealt, more than any deal takes (`most_cards`).
    """

    rules: Rules
    values: Sequence[int]
    actions: Sequence[str]
    _taken: int = 4
    _done: int = 0
    _hands: list[_Hand] = field(default_factory=list)

    def returned(self) -> Fraction:
        """Return what all hands and the insurance give back, in stakes of the draw.

        Raises BetError with the path of the first decision that the deal does not allow, or of a list that ends early.
        """
        first, shown, second, hole = self.values[:4]
        dealer_natural = is_natural(shown, hole)
        insurance = _LOST
        if shown == ACE and self.rules.insurance and self._next_is(INSURANCE):
            self._done += 1
            insurance = 3 * COSTS[INSURANCE] if dealer_natural else _LOST
        if is_natural(first, second):
            own = Fraction(1) if dealer_natural else self.rules.blackjack_pays
        elif dealer_natural and self.rules.peek:
            own = _LOST
        else:
            own = self._played(first, second, [shown, hole])
        if self._done < len(self.actions):
            raise self._refusal("the deal was over before it")
        return own + insurance

    def _played(self, first: int, second: int, dealer: list[int]) -> Fraction:
        dealer_natural = is_natural(*dealer)
        if self.rules.surrender and self._next_is(SURRENDER):
            self._done += 1
            return _LOST if dealer_natural else Fraction(1, 2)
        self._hands.append(_Hand([first, second]))
        place = 0
        while place < len(self._hands):
            self._play_hand(place)
            place += 1
        standing = [hand for hand in self._hands if total_of(hand.cards)[0] <= _BEST]
        if dealer_natural or not standing:
            return _LOST
        while self.rules.dealer_draws(total_of(dealer)[0], soft=total_of(dealer)[1]):
            dealer.append(self._take())
        against = total_of(dealer)[0]
        return sum((_hand_returns(hand, against) for hand in standing), _LOST)

    def _play_hand(self, place: int) -> None:
        hand = self._hands[place]
        while True:
            if len(hand.cards) == 1:
                hand.cards.append(self._take())
            total, soft = total_of(hand.cards)
            if total >= _BEST or self._closed(hand):
                return
            action = self._next(place, total)
            if action == STAND:
                pass
            elif action == HIT and not self._one_card(hand):
                hand.cards.append(self._take())
            elif action == DOUBLE and self._may_double(hand, total, soft=soft):
                hand.stake = 2
                hand.cards.append(self._take())
            elif action == SPLIT and self._may_split(hand):
                hand.from_split = True
                self._hands.insert(place + 1, _Hand([hand.cards.pop()], from_split=True))
            else:
                raise self._refusal(f"{action} is not allowed on hand {place + 1}, {_shown(hand.cards)}")
            self._done += 1
            if action in {STAND, DOUBLE}:
                return

    def _one_card(self, hand: _Hand) -> bool:
        """Return whether a hand is a split ace that gets one card and no more."""
        return hand.from_split and hand.cards[0] == ACE and not self.rules.hit_split_aces

    def _closed(self, hand: _Hand) -> bool:
        return self._one_card(hand) and not self._may_split(hand)

    def _may_double(self, hand: _Hand, total: int, *, soft: bool) -> bool:
        return (
            len(hand.cards) == 2
            and not self._one_card(hand)
            and (self.rules.double_after_split or not hand.from_split)
            and self.rules.doubles(total, soft=soft)
        )

    def _may_split(self, hand: _Hand) -> bool:
        return (
            len(hand.cards) == 2
            and hand.cards[0] == hand.cards[1]
            and len(self._hands) < self.rules.most_hands
            and (self.rules.resplit_aces or not (hand.from_split and hand.cards[0] == ACE))
        )

    def _take(self) -> int:
        self._taken += 1
        return self.values[self._taken - 1]

    def _next_is(self, action: str) -> bool:
        return self._done < len(self.actions) and self.actions[self._done] == action

    def _next(self, place: int, total: int) -> str:
        if self._done == len(self.actions):
            raise BetError("$.actions", f"the list ends before hand {place + 1} does, at {total}")
        return self.actions[self._done]

    def _refusal(self, message: str) -> BetError:
        return BetError(f"$.actions[{self._done}]", message)


def _hand_returns(hand: _Hand, against: int) -> Fraction:
    own = total_of(hand.cards)[0]
    if against > _BEST or own > against:
        return Fraction(2 * hand.stake)
    return Fraction(hand.stake) if own == against else _LOST


def _shown(values: Sequence[int]) -> str:
    return " ".join("A" if value == ACE else str(value) for value in values)
