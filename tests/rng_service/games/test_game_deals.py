"""A deal in a game definition: its flare is complete, and nothing else carries one."""

import copy

import pytest
from game_samples import ROOT, parsed

from rng_service.games import GameError, load_game, payout
from rng_service.games.definition import TicketPrice

PULL_TAB = ROOT / "games" / "pull-tab.json"
DEAL = {
    "steps": [{"step": "deal", "counts": [5, 2, 1]}],
    "price": {"minor": 100, "currency": "CAD"},
    "end_of_deal": "sold-out",
    "settlement": {"model": "table", "bets": {"ticket": {"prizes": [{"pays": "3/2", "numbers": [1, 2]}]}}},
}


def game(**changed):
    """Return a game of one deal with members changed, or without those that are None."""
    program = {name: value for name, value in (copy.deepcopy(DEAL) | changed).items() if value is not None}
    return {"v": 1, "game": "tabs", "version": 1, "title": "Tabs", "programs": {"base": program}}


def test_the_flare_of_a_deal_is_read():
    program = parsed(game()).program("base")
    assert program.deal_size == 8
    assert program.price == TicketPrice(100, "CAD")
    assert program.end_of_deal == "sold-out"


def test_a_program_that_is_no_deal_has_no_flare():
    program = parsed(game(steps=[{"step": "uniform", "n": 3}], price=None, end_of_deal=None)).program("base")
    assert (program.deal_size, program.price, program.end_of_deal) == (0, None, None)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"price": None}, "a deal says its 'price'"),
        ({"end_of_deal": None}, "a deal says its 'end_of_deal'"),
        ({"end_of_deal": "when-we-like"}, "end_of_deal"),
        ({"price": {"minor": 0, "currency": "CAD"}}, r"price\.minor"),
        ({"price": {"minor": 100, "currency": "cad"}}, r"price\.currency"),
        ({"price": {"minor": 100}}, "currency"),
        ({"feature": True}, "its tickets are sold"),
        ({"steps": [{"step": "uniform", "n": 3}]}, "only a program whose step is a deal has this"),
        ({"steps": [{"step": "deal", "counts": [5, 0, 1]}]}, r"counts\[1\]"),
        ({"steps": [{"step": "deal", "counts": []}]}, "counts"),
        ({"steps": [{"step": "deal", "counts": [1_048_576, 1]}]}, "at most 1048576"),
        ({"steps": [{"step": "deal", "counts": [5, 2, 1]}] * 2}, "the only step"),
        (
            {
                "settlement": {
                    "model": "table",
                    "bets": {
                        "ticket": {"prizes": [{"pays": 2, "numbers": [1]}]},
                        "other": {"prizes": [{"pays": 2, "numbers": [2]}]},
                    },
                }
            },
            "a deal has one bet",
        ),
        (
            {"settlement": {"model": "table", "bets": {"ticket": {"pays": 2, "selections": [[1], [2]]}}}},
            "a deal has one bet",
        ),
        ({"settlement": {"model": "table", "bets": {"ticket": {"prizes": [{"pays": 2, "numbers": [3]}]}}}}, "numbers"),
    ],
)
def test_a_flare_that_is_not_one_is_refused_with_its_place(changed, message):
    with pytest.raises(GameError, match=message):
        parsed(game(**changed))


def test_the_shipped_pull_tab_returns_to_the_cent_what_it_says():
    pull_tab = load_game(PULL_TAB)
    (deal,) = pull_tab.program("base").outcome.steps
    price = pull_tab.program("base").price
    paid = sum(
        count * payout(pull_tab, "base", {"bet": "ticket"}, price.minor, (tier,))
        for tier, count in enumerate(deal.counts)
    )
    assert (sum(deal.counts), paid) == (2400, 188_000)
    assert paid * 60 == 47 * price.minor * sum(deal.counts)
