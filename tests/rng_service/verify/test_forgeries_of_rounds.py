"""Rounds: the honest story passes, and each way to cheat in it is caught with its reason."""

import pytest
from award_game import AWARD_MODEL, award_game
from operator_simulator import Operator
from round_story import SPIN, free_draw, tell_rounds

from rng_service.games.models import MODELS
from rng_service.verify import Fault, verify_export, verify_log, verify_receipt

CATALOGUE = []


def forgery(reason):
    """Enter an operator whose export is caught with ``reason``; the bare log cannot show any of it."""

    def enter(kind):
        CATALOGUE.append(pytest.param(kind, reason, id=f"{kind.__name__}-{reason}"))
        return kind

    return enter


@pytest.fixture(autouse=True)
def _award_model(monkeypatch):
    monkeypatch.setitem(MODELS, AWARD_MODEL.name, AWARD_MODEL)


@pytest.fixture
def operator(tmp_path):
    told = Operator(tmp_path / "public")
    tell_rounds(told)
    return told


def step_of(members):
    return members.get("round"), members.get("step")


# The order of steps.


@forgery("round-repeated")
class CardDrawnAgainUntilItSuits(Operator):
    def on_binding(self, kind, members):
        return members | {"step": 2} if step_of(members) == ("hi-lo-1", 3) else members


@forgery("round-gap")
class StepLeftOut(Operator):
    def on_binding(self, kind, members):
        return members | {"step": 4} if step_of(members) == ("hi-lo-1", 3) else members


@forgery("round-gap")
class RoundWithoutItsBeginning(Operator):
    def before_end(self):
        self.draw(self.at["side"], step=("late", 2))


@forgery("round-game")
class StepOfAnotherGame(Operator):
    def before_end(self):
        self.draw(self.at["side"], step=("hi-lo-1", 4), session="evening")


@forgery("round-game")
class StepOfAnotherPlayClass(Operator):
    def before_end(self):
        self.draw(self.at["side"], step=("mixed", 1))
        self.draw(self.at["fun"], stake=1, bet=SPIN, step=("mixed", 2))


@forgery("round-session")
class StepOfAnotherSession(Operator):
    def before_end(self):
        self.draw(self.at["cards"], session="night", step=("hi-lo-1", 4))


# What bets follow, and when they are told.


@forgery("round-follows")
class CardThatWasNotOnTheTable(Operator):
    def on_binding(self, kind, members):
        if step_of(members) != ("hi-lo-1", 3):
            return members
        return members | {"bet": {"bet": "same", "than": (self.cards[-1].outcome[0] + 1) % 52}}


@forgery("round-follows")
class BetOnTheFirstCard(Operator):
    def before_end(self):
        self.draw(self.at["cards"], stake=100, bet={"bet": "same", "than": 7}, step=("hi-lo-2", 1))


@forgery("round-follows")
class BetOnACardOutsideAnyRound(Operator):
    def before_end(self):
        self.draw(self.at["cards"], stake=100, bet={"bet": "same", "than": 7})


@forgery("round-follows")
class CardChosenAfterTheDraw(Operator):
    def before_end(self):
        draw = self.draw(self.at["cards"], step=("hi-lo-3", 1))
        self.settle(draw, bet={"bet": "same", "than": draw.outcome[0]})


@forgery("bet-decided")
class DecisionsBeforeTheDraw(Operator):
    def before_end(self):
        mines = self.at["mines"]
        deriving = self.outcomes(mines, mines.next_slot, mines.secrets[32 * mines.next_slot :][:32], {})[0]
        picks = [tile for tile in range(25) if tile not in deriving][:2]
        self.draw(mines, stake=100, bet={"bet": "mines", "picks": picks})


@forgery("bet-unstaked")
class StakeChosenInSightOfTheMines(Operator):
    def before_end(self):
        draw = self.draw(self.at["mines"])
        picks = [tile for tile in range(25) if tile not in draw.outcome][:20]
        self.settle(draw, stake=1_000_000, bet={"bet": "mines", "picks": picks})


@forgery("bet-invalid")
class TileOpenedBehindAMine(Operator):
    def before_end(self):
        draw = self.draw(self.at["mines"], stake=100)
        safe = next(tile for tile in range(25) if tile not in draw.outcome)
        picks = [draw.outcome[0], safe]
        self.settle(draw, stake=100, bet={"bet": "mines", "picks": picks}, payout_minor=100)


# Stakes that a draw fixed.


@forgery("settle-stake")
class StakeRaisedAfterTheDraw(Operator):
    def on_binding(self, kind, members):
        return members | {"stake_minor": 501} if (kind, members.get("stake_minor")) == ("settle", 500) else members


@forgery("settle-stake")
class CurrencyChangedAfterTheDraw(Operator):
    def on_binding(self, kind, members):
        return members | {"currency": "USD"} if (kind, members.get("stake_minor")) == ("settle", 500) else members


@forgery("settle-stake")
class MoreGivenBackThanStaked(Operator):
    def before_end(self):
        draw = self.draw(self.at["mines"], stake=100)
        self.settle(draw, stake=900, status="void", reason="table-closed")


@forgery("settle-sole")
class SecondBettorOnOnePlayersStake(Operator):
    def before_end(self):
        self.settle(self.mines, bettor=b"accomplice", stake=500, bet=self.picks)


@forgery("settle-own-bet")
class WinTakenBackByAVoid(Operator):
    def before_end(self):
        card = self.cards[-1]
        self.settle(card, stake=100, bet=card.binding["bet"], payout_minor=0, status="void", reason="mistake")


@forgery("malformed")
class BetInTheRecordThatNobodyStakedOn(Operator):
    def before_end(self):
        draw = self.draw(self.at["crash"], bet={"bet": "cash-out", "at": "1000000.00"})
        self.settle(draw, stake=100, bet={"bet": "cash-out", "at": "1.01"})


# Features.


@forgery("feature-unawarded")
class FeatureWithoutARound(Operator):
    def before_end(self):
        self.draw(self.at["free"], stake=100, bet=SPIN)


@forgery("feature-unawarded")
class FeatureThatBeginsItsRound(Operator):
    def before_end(self):
        free_draw(self, "gift", 1)


@forgery("feature-unawarded")
class OneFreeDrawTooMany(Operator):
    def before_end(self):
        free_draw(self, self.finished, self.finished_steps + 1)


@forgery("feature-unawarded")
class FeatureOfARoundThatAwardedNothing(Operator):
    def before_end(self):
        self.draw(self.at["side"], stake=100, bet={"bet": "any"}, step=("plain", 1))
        free_draw(self, "plain", 2)


@forgery("feature-stake")
class FreeDrawOfAHigherStake(Operator):
    def before_end(self):
        free_draw(self, self.unfinished, 3, stake=10_000)


@forgery("feature-stake")
class FreeDrawInAnotherCurrency(Operator):
    def on_binding(self, kind, members):
        return members | {"currency": "USD"} if step_of(members) == (self.__dict__.get("unfinished"), 2) else members


@forgery("feature-pending")
class PaidStepBeforeTheAwardedOnes(Operator):
    def before_end(self):
        self.draw(self.at["side"], stake=100, bet={"bet": "any"}, step=(self.unfinished, 3))


@forgery("round-missing")
class AwardThatNobodyCanPlay(Operator):
    def before_end(self):
        self.draw(self.at["base"], stake=100, bet=SPIN)


@forgery("round-missing")
class AwardsInABatch(Operator):
    def before_end(self):
        self.draw(self.at["base"], stake=100, bet=SPIN, count=3)


@forgery("round-bet")
class SpinWhoseBetComesLater(Operator):
    def before_end(self):
        self.draw(self.at["base"], stake=100, step=("later", 1))


@pytest.mark.parametrize(("kind", "reason"), CATALOGUE)
def test_the_forgery_is_caught_with_its_reason(kind, reason, tmp_path):
    told = kind(tmp_path / "public")
    tell_rounds(told)
    verify_log(told.source, told.vkey)
    with pytest.raises(Fault) as caught:
        verify_export(told.export(tmp_path / "export"), told.source, told.vkey)
    assert caught.value.reason == reason


def test_an_honest_story_of_rounds_passes_and_counts_what_is_still_to_be_played(operator, tmp_path):
    report = verify_export(operator.export(tmp_path / "export"), operator.source, operator.vkey)
    rounds = {record.binding["round"] for record in operator.records if "round" in record.binding}
    assert (report.rounds, report.open_rounds) == (len(rounds), 1)
    assert report.totals == 1
    assert report.notes == ()
    assert f"rounds in order: {len(rounds)}; with awarded draws not made yet: 1" in report.lines()
    verify_log(operator.source, operator.vkey)


def test_stakes_that_were_given_back_in_sight_of_the_outcome_are_counted(tmp_path):
    class GivesBackWhatWouldWin(Operator):
        def before_end(self):
            draw = self.draw(self.at["mines"], stake=100)
            self.settle(draw, stake=100, status="void", reason="table-closed")

    told = GivesBackWhatWouldWin(tmp_path / "public")
    tell_rounds(told)
    report = verify_export(told.export(tmp_path / "export"), told.source, told.vkey)
    assert report.notes == ("stakes given back by void settlements, in sight of the outcome: 1",)


def test_each_receipt_of_a_round_passes_by_itself(operator):
    for record in operator.cards:
        report = verify_receipt(operator.receipt(record), operator.source, operator.vkey)
        assert report.outcome == record.outcome


def test_an_export_of_one_session_has_its_whole_rounds(operator, tmp_path):
    def evening(record):
        return record.binding.get("session") == "evening"

    report = verify_export(operator.export(tmp_path / "export", only=evening), operator.source, operator.vkey)
    assert (report.complete, report.rounds, report.open_rounds) == (False, 1, 0)


def test_an_export_that_lacks_a_step_of_a_session_is_refused(operator, tmp_path):
    def hidden(record):
        return record.binding.get("session") == "evening" and record.binding["step"] != 2

    with pytest.raises(Fault) as caught:
        verify_export(operator.export(tmp_path / "export", only=hidden), operator.source, operator.vkey)
    assert caught.value.reason in {"session-gap", "round-gap"}


def test_rounds_that_began_before_the_export_are_followed_from_where_they_are_seen(tmp_path):
    class OverTheEdge(Operator):
        def before_end(self):
            than = self.cards[-1].outcome[0]
            bet = {"bet": "same", "than": than}
            self.cards.append(self.draw(self.at["cards"], session="evening", stake=5, bet=bet, step=("hi-lo-1", 4)))
            self.left = free_draw(self, self.unfinished, 3)

    told = OverTheEdge(tmp_path / "public")
    tell_rounds(told)
    report = verify_export(told.export(tmp_path / "export", first=3), told.source, told.vkey)
    assert report.rounds == 2
    assert "rounds whose beginning is not in the export: 1" in report.notes


def test_a_step_that_is_drawn_again_is_found_where_the_round_began_before_the_export(tmp_path):
    class DrawnAgain(Operator):
        def before_end(self):
            self.cards.append(self.draw(self.at["cards"], session="evening", step=("hi-lo-1", 4)))
            self.cards.append(self.draw(self.at["cards"], session="evening", step=("hi-lo-1", 4)))

    told = DrawnAgain(tmp_path / "public")
    tell_rounds(told)
    with pytest.raises(Fault) as caught:
        verify_export(told.export(tmp_path / "export", first=3), told.source, told.vkey)
    assert caught.value.reason == "round-repeated"


def test_steps_before_the_first_that_an_export_shows_may_come_late_and_each_of_them_once(tmp_path):
    def tell(kind, steps):
        told = kind(tmp_path / str(len(steps)))
        told.steps = steps
        tell_rounds(told)
        return verify_export(told.export(tmp_path / "export", first=3), told.source, told.vkey)

    class Late(Operator):
        def before_end(self):
            drawn = [self.draw(self.at["cards"], session="evening", step=("hi-lo-1", step)) for step in self.steps]
            early = drawn[0]
            self.pending = [record for record in self.pending if record not in drawn or record is early]
            self.digest()
            self.pending += [record for record in drawn if record is not early]

    assert tell(Late, (6, 4, 5)).rounds == 1
    with pytest.raises(Fault) as caught:
        tell(Late, (6, 4, 5, 5))
    assert caught.value.reason == "round-repeated"


def test_a_bet_cannot_hide_the_draw_that_its_settlement_names(tmp_path):
    class Hidden(Operator):
        def before_end(self):
            self.digest()
            draw = self.draw(self.at["crash"])
            bet = {"bet": "cash-out", "at": "1.50", "draw": "00" * 32}
            self.settle(draw, stake=100, bet=bet, payout_minor=1_000_000)

    told = Hidden(tmp_path / "public")
    tell_rounds(told)
    with pytest.raises(Fault) as caught:
        verify_export(told.export(tmp_path / "export", first=4), told.source, told.vkey)
    assert caught.value.reason == "bet-invalid"


def test_the_second_step_that_is_seen_of_an_older_round_still_follows_the_first(tmp_path):
    class WrongCardLater(Operator):
        def before_end(self):
            than = self.cards[-1].outcome[0]
            fourth = self.draw(
                self.at["cards"], session="evening", stake=5, bet={"bet": "same", "than": than}, step=("hi-lo-1", 4)
            )
            wrong = {"bet": "same", "than": (fourth.outcome[0] + 1) % 52}
            self.draw(self.at["cards"], session="evening", stake=5, bet=wrong, step=("hi-lo-1", 5))

    told = WrongCardLater(tmp_path / "public")
    tell_rounds(told)
    with pytest.raises(Fault) as caught:
        verify_export(told.export(tmp_path / "export", first=3), told.source, told.vkey)
    assert caught.value.reason == "round-follows"


def test_a_step_may_join_a_later_digest_than_its_successor(tmp_path):
    class Overtaken(Operator):
        def before_end(self):
            pool = self.at["side"]
            slow = self.draw(pool, step=("slow", 1))
            self.pending.remove(slow)
            self.draw(self.at["fun"], stake=1, bet=SPIN, step=("fun", 1))
            other = self.draw(self.at["free"], stake=100, bet=SPIN, step=(self.unfinished, 3))
            self.pending.remove(other)
            self.digest()
            self.pending += [slow, other]

    told = Overtaken(tmp_path / "public")
    tell_rounds(told)
    verify_export(told.export(tmp_path / "export"), told.source, told.vkey)


def test_another_version_of_the_game_is_another_game(tmp_path):
    class Upgraded(Operator):
        def before_end(self):
            self.digest()
            self.register_game(award_game(version=2))
            pool = self.commit("free-fall/2/side/real", 4)
            self.publish()
            self.tick(20)
            self.activate(pool)
            self.draw(self.at["side"], step=("upgraded", 1))
            self.draw(pool, step=("upgraded", 2))

    told = Upgraded(tmp_path / "public")
    tell_rounds(told)
    with pytest.raises(Fault) as caught:
        verify_export(told.export(tmp_path / "export"), told.source, told.vkey)
    assert caught.value.reason == "round-game"
