"""What an operator does with finite deals, told once: one sold out, one withdrawn, one never sold; and a dice pool."""

import json

from rng_service.games import parse_game

TICKET = {"bet": "ticket"}
SOLD_OUT = "pull-small/1/base/real"
WITHDRAWABLE = "pull-small/1/short/real"
DICE = "dice-99/1/base/real"
UNDER = {"bet": "under", "threshold": 5000}


def deal_game(*, end="sold-out"):
    """Return a game of two small deals of 12 tickets; the price is odd, so that prizes are rounded down."""
    program = {
        "steps": [{"step": "deal", "counts": [7, 3, 2]}],
        "price": {"minor": 25, "currency": "CAD"},
        "settlement": {
            "model": "table",
            "bets": {"ticket": {"prizes": [{"pays": "3/2", "numbers": [1]}, {"pays": 5, "numbers": [2]}]}},
        },
    }
    programs = {"base": {**program, "end_of_deal": end}, "short": {**program, "end_of_deal": "withdrawable"}}
    definition = {"v": 1, "game": "pull-small", "version": 1, "title": "Small pull-tab", "programs": programs}
    return parse_game(json.dumps(definition).encode())


def sell(operator, pool, count=1, **changed):
    """Sell the next tickets of a deal at their price."""
    members = {"stake": 25, "currency": "CAD", "bet": TICKET, **changed}
    return operator.draw(pool, count=count, **members)


def tell_deals(operator):
    """Let an operator sell deals from their commitment to their close; `before_sale` and `before_end` come in."""
    operator.start()
    operator.register_game(deal_game())
    operator.register("dice-99")
    sold, spare = operator.commit(SOLD_OUT, 12), operator.commit(SOLD_OUT, 12)
    short, dice = operator.commit(WITHDRAWABLE, 12), operator.commit(DICE, 4)
    operator.at = {"sold": sold, "spare": spare, "short": short, "dice": dice}
    operator.publish()
    operator.tick(20)
    for pool in (sold, short, dice):
        operator.activate(pool)
    operator.approve_deals()
    operator.digest()
    operator.publish()
    operator.tick(1)
    operator.tickets = [sell(operator, sold, session="evening"), sell(operator, sold, 5)]
    operator.short_ticket = sell(operator, short, 3)
    operator.before_sale()
    operator.digest()
    operator.tick(1)
    operator.plain = operator.draw(dice, seed=b"s" * 16, stake=100, bet=UNDER)
    operator.tickets.append(sell(operator, sold, 6))
    operator.digest()
    operator.totals()
    operator.publish()
    operator.tick(1)
    operator.quarantine(short, "withdrawn")
    operator.before_end()
    operator.digest()
    for pool in (sold, short):
        operator.close(pool)
        operator.erase(pool)
    operator.void_pool(spare)
    operator.tick(5)
    operator.digest()
    operator.totals()
    operator.publish()
    operator.after()
