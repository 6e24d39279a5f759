"""Finite deals: the honest story passes, and each way to cheat in it is caught with its reason."""

from dataclasses import replace

import pytest
from deal_story import DICE, SOLD_OUT, UNDER, deal_game, sell, tell_deals
from operator_simulator import Operator

from anchor.errors import VerificationError
from rng_service.beacon.chain import QUICKNET
from rng_service.beacon.development_key import DevelopmentKey
from rng_service.log_entries import DealApprove, PoolClose, PoolCommit, PoolVoid
from rng_service.names import parse_stream
from rng_service.outcome import DealDeriver
from rng_service.pools.deals import place_of
from rng_service.records.protection import OPERATOR_FORESEEABLE
from rng_service.verify import Fault, verify_export, verify_log, verify_pool, verify_receipt
from rng_service.verify.deals import check_approval

CATALOGUE = []


def forgery(reason, *, seen="log"):
    """Enter an operator that ``seen`` (the log, an export, or the receipt of the first ticket) catches with ``reason``."""

    def enter(kind):
        CATALOGUE.append(pytest.param(kind, reason, seen, id=f"{kind.__name__}-{reason}-{seen}"))
        return kind

    return enter


def with_place(secrets, slot, place):
    return secrets[: 32 * slot + 24] + place.to_bytes(8, "big") + secrets[32 * slot + 32 :]


def swapped(secrets, one, other):
    """Exchange the tickets of two slots and keep everything else of their secrets."""
    places = [place_of(secrets[32 * slot : 32 * slot + 32]) for slot in (one, other)]
    return with_place(with_place(secrets, one, places[1]), other, places[0])


def another_deal(operator):
    """Commit to one more deal that is sold out, and activate it."""
    pool = operator.commit(SOLD_OUT, 12)
    operator.publish()
    operator.tick(20)
    operator.digest()
    operator.activate(pool)
    return pool


@pytest.fixture
def operator(tmp_path):
    told = Operator(tmp_path / "public")
    tell_deals(told)
    return told


# Commitments.


@forgery("deal-kind")
class IndependentSlotsForADeal(Operator):
    def on_entry(self, entry):
        deal = isinstance(entry, PoolCommit) and entry.kind == "deal"
        return replace(entry, kind="independent") if deal else entry


@forgery("deal-kind")
class DealOfDice(Operator):
    def on_entry(self, entry):
        return replace(entry, kind="deal") if isinstance(entry, PoolCommit) else entry

    def register_game(self, game):
        super().register_game(game)
        if game.game == "dice-99":
            self.commit(DICE, 4)


@forgery("deal-size")
class DealWithATicketTooMany(Operator):
    def seal(self, stream, size, *, lane=0):
        return super().seal(stream, size + (stream == SOLD_OUT), lane=lane)


@forgery("deal-beacon")
class DealThatTheOperatorKnows(Operator):
    def append_commit(self, pool):
        pool.beacon_round = None
        super().append_commit(pool)


@forgery("deal-order")
class TheSameTicketTwice(Operator):
    def on_sealed(self, pool_id, secrets):
        return with_place(secrets, 4, place_of(secrets[:32])) if pool_id.startswith("dev/pull-small") else secrets


class TicketOfNoDeal(Operator):
    def on_sealed(self, pool_id, secrets):
        return with_place(secrets, 0, 12) if pool_id.startswith("dev/pull-small") else secrets

    def outcomes(self, pool, slot, secrets, members):
        return [(0,)] * (len(secrets) // 32) if pool.deal else super().outcomes(pool, slot, secrets, members)


forgery("deal-order")(TicketOfNoDeal)
forgery("deal-place", seen="receipt")(TicketOfNoDeal)
forgery("deal-place", seen="export")(TicketOfNoDeal)


# Approval.


class SoldWithoutApproval(Operator):
    def approve_deals(self):
        pass


forgery("deal-unapproved")(SoldWithoutApproval)
forgery("deal-unapproved", seen="receipt")(SoldWithoutApproval)


class ApprovedBehindTheFirstSale(Operator):
    def approve_deals(self):
        self.approve(self.at["short"])

    def before_end(self):
        self.approve(self.at["sold"])


forgery("deal-unapproved")(ApprovedBehindTheFirstSale)
forgery("approval-late", seen="receipt")(ApprovedBehindTheFirstSale)


@forgery("approval-late")
class ApprovedWhenItWasThrownAway(Operator):
    def after(self):
        pool = another_deal(self)
        self.quarantine(pool)
        self.digest()
        self.approve(pool)
        self.publish()


@forgery("approval-twice")
class ApprovedTwice(Operator):
    def approve_deals(self):
        super().approve_deals()
        self.approve(self.at["sold"], "somebody-else")


class ApprovalOfAnotherGame(Operator):
    def on_entry(self, entry):
        return replace(entry, game_digest=bytes(32)) if isinstance(entry, DealApprove) else entry


forgery("approval-game")(ApprovalOfAnotherGame)
forgery("approval-game", seen="receipt")(ApprovalOfAnotherGame)


@forgery("pool-inactive")
class ApprovedBeforeItsBeacon(Operator):
    def approve_deals(self):
        self.approve(self.at["spare"])


@forgery("deal-kind")
class ApprovedPoolOfDice(Operator):
    def approve_deals(self):
        super().approve_deals()
        self.approve(self.at["dice"])


# Sales.


class TicketFromAnotherBeacon(Operator):
    def deriver(self, pool):
        if pool.deal and pool.drawn:
            return DealDeriver(pool.commit_leaf, bytes(32), pool.size)
        return super().deriver(pool)


forgery("outcome", seen="export")(TicketFromAnotherBeacon)
forgery("outcome", seen="receipt")(TicketFromAnotherBeacon)


class WinnerPaidAsALoser(Operator):
    def on_outcome(self, outcomes):
        return [(0,) for _ in outcomes]


forgery("outcome", seen="export")(WinnerPaidAsALoser)


class SoldForLess(Operator):
    def on_binding(self, kind, members):
        return members | {"stake_minor": 24} if members.get("currency") == "CAD" else members


class SoldInAnotherCurrency(Operator):
    def on_binding(self, kind, members):
        return members | {"currency": "USD"} if members.get("currency") == "CAD" else members


class GivenAway(Operator):
    def on_binding(self, kind, members):
        if members.get("currency") != "CAD":
            return members
        return {name: item for name, item in members.items() if name not in {"stake_minor", "currency", "bet"}}


class SoldWithoutItsBet(Operator):
    def on_binding(self, kind, members):
        if members.get("currency") != "CAD":
            return members
        return {name: item for name, item in members.items() if name != "bet"}


class SeedOnADeal(Operator):
    def on_binding(self, kind, members):
        return members | {"client_seed": "5eed" * 8} if members.get("currency") == "CAD" else members

    def outcomes(self, pool, slot, secrets, members):
        return super().outcomes(pool, slot, secrets, {} if pool.deal else members)


for _kind, _reason in (
    (SoldForLess, "deal-price"),
    (SoldInAnotherCurrency, "deal-price"),
    (GivenAway, "deal-price"),
    (SoldWithoutItsBet, "deal-bet"),
    (SeedOnADeal, "deal-seed"),
):
    forgery(_reason, seen="export")(_kind)
    forgery(_reason, seen="receipt")(_kind)


@forgery("deal-ticket")
class TicketHeldBack(Operator):
    def before_sale(self):
        self.reserve(self.at["short"], b"a seed for nothing")


@forgery("deal-ticket", seen="receipt")
class SoldOnAReservation(Operator):
    def before_sale(self):
        seed = b"a seed for nothing"
        ticket = self.reserve(self.at["short"], seed)
        self.tickets[0] = ticket


# Money that would tell what is left.


@forgery("totals-deal")
class TotalsOfAnOpenDeal(Operator):
    def on_totals(self, fold):
        fold.plays(parse_stream(SOLD_OUT), "CAD", 6, stake_minor=150, payout_minor=125)


@forgery("totals-deal")
class NumberOfTicketsInTheTotals(Operator):
    def on_totals(self, fold):
        fold.outcomes(parse_stream(SOLD_OUT), "CAD", 6)


# The end.


@forgery("deal-withdrawn")
class WithdrawnWhenTheWinnersWereGone(Operator):
    def before_sale(self):
        self.stop(self.at["sold"], "withdrawn")


@forgery("deal-withdrawn")
class WithdrawnBeforeTheFirstTicket(Operator):
    def on_entry(self, entry):
        return replace(entry, reason="withdrawn") if isinstance(entry, PoolVoid) else entry


@forgery("deal-unopened")
class ClosedAndNotOpened(Operator):
    def on_entry(self, entry):
        if not isinstance(entry, PoolClose):
            return entry
        return replace(entry, opened_digest=None, stake_minor=None, payout_minor=None)


@forgery("deal-kind")
class DiceWithAnOpening(Operator):
    def after(self):
        self.draw(self.at["dice"], count=3, stake=100, bet=UNDER)
        self.digest()
        self.close(self.at["dice"])
        self.publish()

    def on_entry(self, entry):
        dice = isinstance(entry, PoolClose) and "dice" in entry.pool
        return replace(entry, opened_digest=bytes(32), stake_minor=400, payout_minor=0) if dice else entry


@forgery("deal-secret")
class WinnerReplacedInTheOpenedFile(Operator):
    def on_opened_deal(self, secrets):
        winner = next(slot for slot in range(12) if self.sold_tier(slot) == 2)
        loser = next(slot for slot in range(12) if self.sold_tier(slot) == 0)
        return swapped(secrets, winner, loser)

    def sold_tier(self, slot):
        pool = self.at["sold"]
        return self.outcomes(pool, slot, pool.secrets[32 * slot : 32 * slot + 32], {})[0][0]


@forgery("deal-opened")
class OpeningOfAnotherDigest(Operator):
    def on_file(self, path, data):
        return swapped(data, 0, 1) if path.startswith("deals/") else data


@forgery("deal-opened")
class OpeningWithATicketTooMany(Operator):
    def on_opened_deal(self, secrets):
        return secrets + bytes(32)


@forgery("file-missing")
class OpeningLost(Operator):
    def put(self, path, data):
        if not path.startswith("deals/"):
            super().put(path, data)


@forgery("deal-money")
class TicketsUnderTheCounter(Operator):
    def on_entry(self, entry):
        return replace(entry, stake_minor=entry.stake_minor - 25) if isinstance(entry, PoolClose) else entry


@forgery("deal-money")
class PrizesThatWereNotPaid(Operator):
    def on_entry(self, entry):
        return replace(entry, payout_minor=entry.payout_minor + 1) if isinstance(entry, PoolClose) else entry


@forgery("pool-void-key")
class OrderThatTheKeyDoesNotGive(Operator):
    def on_sealed(self, pool_id, secrets):
        return swapped(secrets, 0, 1) if pool_id == "dev/pull-small/1/base/real/0/2" else secrets


@forgery("pool-void-key")
class KeyOfAnotherDeal(Operator):
    def on_entry(self, entry):
        return replace(entry, key=self.at["sold"].key) if isinstance(entry, PoolVoid) else entry


def look(operator, seen, folder):
    if seen == "log":
        verify_log(operator.source, operator.vkey)
    elif seen == "export":
        verify_export(operator.export(folder / "export.jsonl"), operator.source, operator.vkey)
    else:
        for ticket in operator.tickets:
            verify_receipt(operator.receipt(ticket), operator.source, operator.vkey)


@pytest.mark.parametrize(("kind", "reason", "seen"), CATALOGUE)
def test_a_forged_deal_is_refused_with_its_reason(kind, reason, seen, tmp_path):
    operator = kind(tmp_path / "public")
    tell_deals(operator)
    with pytest.raises(Fault) as caught:
        look(operator, seen, tmp_path)
    assert caught.value.reason == reason


# The honest story.


def test_the_log_of_an_honest_seller_is_accepted_with_everything_in_it(operator):
    report = verify_log(operator.source, operator.vkey)
    assert report.entries["deal.approve"] == 2
    assert (report.pools_closed, report.pools_voided) == (2, 1)
    # What was withdrawn is opened to the public as tickets: nine of one deal, too few for a statistic.
    assert any(line.startswith("pull-small/1/short/real: 9 voids") for line in report.opened_voids)
    for name, drawn in (("sold", 12), ("short", 3)):
        found = verify_pool(operator.at[name].pool_id, operator.source, operator.vkey)
        assert (found.state, found.drawn, found.void) == ("closed", drawn, 12 - drawn)


def test_the_export_of_an_honest_seller_is_accepted_with_its_totals_and_tables(operator, tmp_path):
    operator.tick(86_400)
    operator.table()
    operator.publish()
    report = verify_export(operator.export(tmp_path / "export.jsonl"), operator.source, operator.vkey)
    assert (report.outcomes, report.totals, report.tables, report.bindings) == (16, 2, 1, 2)


def test_committed_totals_have_no_rows_of_deals_either(tmp_path):
    operator = Operator(tmp_path / "public", policy="committed")
    tell_deals(operator)
    operator.tick(86_400)
    operator.table()
    operator.publish()
    report = verify_export(operator.export(tmp_path / "export.jsonl"), operator.source, operator.vkey)
    assert (report.outcomes, report.tables, report.bindings) == (16, 1, 2)
    assert "committed totals that were compared by their outcomes only: 2" in report.notes


def test_each_lane_sells_a_deal_of_its_own(tmp_path):
    operator = Operator(tmp_path / "public", lanes=2)
    operator.start()
    operator.register_game(deal_game())
    pools = [operator.commit(SOLD_OUT, 12, lane=lane) for lane in range(2)]
    operator.publish()
    operator.tick(20)
    for pool in pools:
        operator.activate(pool)
        operator.approve(pool)
    operator.digest()
    for pool in pools:
        sell(operator, pool, 4)
    operator.digest()
    operator.publish()
    report = verify_log(operator.source, operator.vkey)
    assert report.records["draw"] == 2
    assert [line.split(" slots of ")[0] for line in report.unopened] == ["8 of 12", "8 of 12"]


def test_a_receipt_of_a_ticket_says_that_the_operator_could_foresee_it(operator):
    for ticket in (*operator.tickets, operator.short_ticket):
        report = verify_receipt(operator.receipt(ticket), operator.source, operator.vkey)
        assert report.protection.foreseen == OPERATOR_FORESEEABLE
        assert report.outcome == ticket.outcome


def test_a_deal_that_is_sold_out_has_exactly_the_tickets_of_its_flare(operator):
    tiers = [value for ticket in operator.tickets for value in ticket.outcome]
    assert sorted(tiers) == [0] * 7 + [1] * 3 + [2] * 2
    assert sum(payout for ticket in operator.tickets for payout in ticket.payouts) == 3 * 37 + 2 * 125


def test_a_deal_that_is_sold_out_may_be_stopped_for_other_reasons_and_is_opened(operator):
    pool = another_deal(operator)
    operator.approve(pool)
    sell(operator, pool, 2)
    operator.digest()
    operator.quarantine(pool, "frozen")
    operator.digest()
    operator.close(pool)
    operator.erase(pool)
    operator.digest()
    operator.publish()
    report = verify_pool(pool.pool_id, operator.source, operator.vkey)
    assert (report.state, report.drawn, report.void) == ("closed", 2, 10)


def test_a_deal_that_nobody_approved_is_thrown_away_slot_by_slot(operator):
    pool = another_deal(operator)
    operator.quarantine(pool, "approval-refused")
    operator.digest()
    operator.close(pool)
    operator.erase(pool)
    operator.digest()
    operator.publish()
    assert verify_pool(pool.pool_id, operator.source, operator.vkey).void == 12


def test_nobody_approves_only_under_a_development_beacon():
    game = deal_game()
    commit = PoolCommit(
        origin="example.org/dev",
        time_us=0,
        pool="dev/pull-small/1/base/real/0/1",
        kind="deal",
        size=12,
        slot_root=bytes(32),
        game_digest=game.digest,
        program="base",
        drbg_instance="vault-1",
        drbg_epoch=1,
        key_epoch=1,
        deadline_us=0,
    )
    approval = DealApprove(
        origin="example.org/dev", time_us=0, pool=commit.pool, game_digest=game.digest, approver="automatic"
    )
    check_approval(approval, commit, DevelopmentKey(7).chain)
    check_approval(replace(approval, approver="compliance"), commit, QUICKNET)
    for chain in (QUICKNET, None):
        with pytest.raises(VerificationError, match="approved by nobody"):
            check_approval(approval, commit, chain)


def test_the_auditor_notices_every_single_ticket_that_is_exchanged(operator, tmp_path):
    path = operator.directory / f"deals/{operator.at['sold'].pool_id}.bin"
    good = path.read_bytes()
    assert sorted(place_of(good[at : at + 32]) for at in range(0, len(good), 32)) == list(range(12))
    for slot in range(1, 12):
        path.write_bytes(swapped(good, 0, slot))
        with pytest.raises(Fault, match="deals/"):
            verify_log(operator.source, operator.vkey)
    path.write_bytes(good)
    verify_log(operator.source, operator.vkey)


def test_the_same_composition_lies_in_another_order_in_every_deal(operator):
    orders = set()
    for name in ("sold", "short"):
        pool = operator.at[name]
        orders.add(tuple(operator.outcomes(pool, 0, pool.secrets, {})))
    assert len(orders) == 2
    assert {tuple(sorted(order)) for order in orders} == {((0,),) * 7 + ((1,),) * 3 + ((2,),) * 2}
