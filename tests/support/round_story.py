"""What an operator does in rounds, told once: hi-lo, free draws, a stake that waits for decisions, many bettors."""

from award_game import award_game

SPIN = {"bet": "spin"}


def tell_rounds(operator, *, game=None):
    """Let an operator play rounds of every kind; its `before_end` comes in before the last digest."""
    operator.start()
    operator.register("hi-lo")
    operator.register("mines-25")
    operator.register("crash-99")
    operator.register_game(game or award_game())
    names = {
        "cards": "hi-lo/1/base/real",
        "mines": "mines-25/1/base/real",
        "crash": "crash-99/1/base/real",
        "base": "free-fall/1/base/real",
        "free": "free-fall/1/free/real",
        "side": "free-fall/1/side/real",
        "fun": "free-fall/1/base/free",
    }
    operator.at = {name: operator.commit(stream, 64) for name, stream in names.items()}
    operator.publish()
    operator.tick(20)
    for pool in operator.at.values():
        operator.activate(pool)
    operator.digest()
    operator.publish()
    operator.tick(1)
    play_hi_lo(operator)
    operator.digest()
    operator.tick(1)
    play_features(operator)
    operator.digest()
    operator.tick(1)
    play_decisions(operator)
    play_crash(operator)
    getattr(operator, "before_end", lambda: None)()
    operator.digest()
    operator.totals()
    operator.tick(20)
    operator.digest()
    operator.publish()


def play_hi_lo(operator):
    """Three cards: the first is shown, the others are bet on."""
    pool = operator.at["cards"]
    card = operator.draw(pool, session="evening", step=("hi-lo-1", 1))
    operator.cards = [card]
    for step in (2, 3):
        than = operator.cards[-1].outcome[0]
        bet = {"bet": "higher-or-same" if than % 13 else "higher", "than": than}
        operator.cards.append(operator.draw(pool, session="evening", stake=100, bet=bet, step=("hi-lo-1", step)))


def play_features(operator):
    """Rounds of the base game until both awards have come; of the last one draw is left."""
    operator.finished = play_until(operator, 2, "one")
    operator.finished_steps = play_out(operator, operator.finished, 1)
    operator.unfinished = play_until(operator, 3, "two")
    free_draw(operator, operator.unfinished, 2)


def play_until(operator, wanted, name):
    """Play rounds until one's first draw is ``wanted``; return that round, whose awards are left to play."""
    for attempt in range(40):
        round_id = f"{name}-{attempt}"
        spin = operator.draw(operator.at["base"], stake=100, bet=SPIN, step=(round_id, 1))
        if spin.outcome == (wanted,):
            return round_id
        play_out(operator, round_id, max(0, spin.outcome[0] - 1))
    raise AssertionError("forty rounds give every award")


def play_out(operator, round_id, left):
    """Make every awarded draw of a round that had one step; return the number of its steps."""
    step = 1
    while left:
        step += 1
        left += (free_draw(operator, round_id, step).outcome == (3,)) - 1
    return step


def free_draw(operator, round_id, step, stake=100):
    """Make a draw of the feature."""
    return operator.draw(operator.at["free"], stake=stake, bet=SPIN, step=(round_id, step))


def play_decisions(operator):
    """Mines: the stake stands at the draw, the tiles at the settlement."""
    operator.mines = operator.draw(operator.at["mines"], stake=500)
    safe = [tile for tile in range(25) if tile not in operator.mines.outcome]
    operator.picks = {"bet": "mines", "picks": safe[:3]}
    operator.settle(operator.mines, stake=500, bet=operator.picks)


def play_crash(operator):
    """One outcome, two bettors."""
    operator.crash = operator.draw(operator.at["crash"], seed=b"the seed of everybody")
    for bettor, at in ((b"anna", "1.50"), (b"berta", "20.00")):
        operator.settle(operator.crash, bettor=bettor, stake=70, bet={"bet": "cash-out", "at": at})
