"""The second part of the catalogue: cheats with time, order, slots and keys, each by an operator of few words.

Each forgery tells its own short story, in `live`; `forgery` says who catches it and with which reason: the audit of
the log, of an export, of the partial export of one caller, or the check of one receipt.
"""

from dataclasses import replace
from hashlib import sha256
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from operator_simulator import SECOND, Operator

from anchor.note import COSIGNATURE_V1, VerifierKey, append_signatures, cosign, open_note
from rng_service.beacon.chain import ChainInfo
from rng_service.log_entries import (
    BeaconRound,
    Digest,
    Incident,
    LogConfig,
    PoolActivate,
    PoolQuarantine,
    ReceiptKey,
    StreamLanes,
)
from rng_service.names import lane_of
from rng_service.records.digest import DigestItem
from rng_service.verify import Fault, verify_export, verify_log, verify_receipt

CATALOGUE = []
DICE = "dice-99/1/base/real"
UNDER = {"bet": "under", "threshold": 5000}
SEED = b"a seed of the caller's"
ROGUE = Ed25519PrivateKey.from_private_bytes(b"a receipt key that no vault made")


def forgery(who, reason, **shape):
    """Enter an operator; ``who`` is "log", "export", "partial CALLER", or the name of a record of the operator."""

    def enter(kind):
        CATALOGUE.append(pytest.param(kind, who, reason, shape, id=f"{kind.__name__}-{who}-{reason}"))
        return kind

    return enter


class Teller(Operator):
    """An operator with a few pools of one lane, ready to be drawn from."""

    sizes = (8, 8, 8)

    def boot(self):
        self.start()
        self.register("dice-99")
        found = [self.commit(DICE, size) for size in self.sizes]
        self.publish()
        self.tick(20)
        for pool in found:
            self.activate(pool)
        self.digest()
        self.publish()
        self.tick(1)
        return found

    def beat(self, seconds):
        """Let time pass with a digest in each heartbeat."""
        for _ in range(seconds // 50):
            self.tick(50)
            self.digest()

    def forget(self, record):
        """Take a record back: no digest will have it, and its slots are free again."""
        self.pending.remove(record)
        self.records.remove(record)
        record.pool.next_slot = record.slot
        if record.kind == "draw":
            record.pool.drawn -= record.slots
        return record

    def back(self, pool, slot):
        pool.next_slot = slot

    def put_at(self, microseconds, make):
        """Call ``make`` while the clock shows another time."""
        real, self.now_us = self.now_us, microseconds
        try:
            return make()
        finally:
            self.now_us = real


# Receipt keys.


@forgery("log", "receipt-key-signature")
@forgery("plain", "receipt-key-signature")
class KeyThatTheVaultDidNotMake(Teller):
    def live(self):
        first, *_ = self.boot()
        public = ROGUE.public_key().public_bytes_raw()
        key_id = sha256(public).digest()[:8]
        self.append(
            ReceiptKey(**self.head(), key_id=key_id, public_key=public, epoch=2, signature=ROGUE.sign(b"trust me"))
        )
        self.plain = self.draw(first)
        self.receipt_key = ROGUE
        self.digest()


@forgery("log", "receipt-key-epoch")
@forgery("plain", "receipt-key-epoch")
class SecondKeyOfTheFirstEpoch(Teller):
    def live(self):
        first, *_ = self.boot()
        self.plain = self.draw(first)
        self.digest()
        self.receipt_epoch = 0
        self.announce_key(ROGUE)


@forgery("log", "receipt-key-twice")
class KeyAnnouncedTwice(Teller):
    def live(self):
        self.boot()
        self.announce_key(self.receipt_key)


# Two records for one slot.


@forgery("bob", "digest-place")
@forgery("partial bob", "digest-place")
@forgery("export", "digest-ranges")
class TwoDrawsOfOneSlotListedAsTwoSlots(Teller):
    listed = 2

    def live(self):
        first, *_ = self.boot()
        held = [self.draw(first, seed=SEED, caller="alice"), None]
        self.back(first, 0)
        held[1] = self.draw(first, seed=SEED, caller="mallory")
        self.back(first, self.listed)
        self.digest()
        self.draw(first)
        self.digest()
        # One of the two stands in the second place of the file, wherever their digests put them.
        self.bob = next(record for record in held if self.place_of(record) == 1)
        self.bob.binding["caller"] = "bob"

    def place_of(self, record):
        seq = record.digest_seq
        return [item.digest for item in self.digest_items[seq][1]].index(self.digest_of(record))

    def digest_of(self, record):
        return sha256(b"\0" + record.record).digest()

    def on_digest_items(self, items):
        if len(items) != 2:
            return items
        ordered = sorted(items, key=lambda item: item.digest)
        return [item._replace(slot=slot) for slot, item in enumerate(ordered)]


@forgery("bob", "digest-place")
@forgery("partial bob", "digest-place")
@forgery("export", "digest-order")
class TwoDrawsOfOneSlotOneListedAsASettlement(TwoDrawsOfOneSlotListedAsTwoSlots):
    listed = 1

    def on_digest_items(self, items):
        if len(items) != 2:
            return items
        first, second = sorted(items, key=lambda item: item.digest)
        return [first._replace(kind="settle"), second]


class DrawInsideABatch(Teller):
    """Draws a slot of a batch for somebody else, with another batch behind them; each class lists them its own way."""

    def live(self):
        first, *_ = self.boot()
        self.alice = self.draw(first, count=2, seed=SEED, caller="alice")
        self.back(first, 1)
        self.bob = self.draw(first, seed=SEED, caller="bob")
        self.back(first, 3)
        self.draw(first, count=2, caller="shill")
        self.digest()
        self.draw(first)
        self.digest()

    def on_digest_items(self, items):
        if len(items) != 3:
            return items
        batch, single, last = sorted(items, key=lambda item: item.slot)
        return [batch._replace(slots=1), single._replace(slots=2), last]


@forgery("alice", "digest-range")
@forgery("partial alice", "digest-range")
@forgery("bob", "digest-range")
@forgery("partial bob", "digest-range")
@forgery("export", "digest-ranges")
class BatchAndDrawInItListedWithEachOthersSlots(DrawInsideABatch):
    pass


def in_one_range(entry):
    """Merge the ranges of a digest that has several."""
    if not isinstance(entry, Digest) or len(entry.ranges) < 2:
        return entry
    records, slots = sum(item.records for item in entry.ranges), sum(item.slots for item in entry.ranges)
    return replace(entry, ranges=(replace(entry.ranges[0], records=records, slots=slots),))


@forgery("log", "digest-ranges")
@forgery("alice", "digest-ranges")
@forgery("bob", "digest-ranges")
class BatchAndDrawInItListedAsOneRange(DrawInsideABatch):
    def on_entry(self, entry):
        return in_one_range(entry)


@forgery("log", "digest-ranges")
@forgery("plain", "digest-ranges")
class RangeCutInTwo(Teller):
    def live(self):
        first, *_ = self.boot()
        self.plain, _ = self.draw(first), self.draw(first)
        self.digest()

    def on_entry(self, entry):
        if not isinstance(entry, Digest) or not entry.ranges:
            return entry
        (whole,) = entry.ranges
        return replace(entry, ranges=tuple(replace(whole, records=1, slot=slot, slots=1) for slot in (0, 1)))


@forgery("bob", "digest-range")
@forgery("partial bob", "digest-range")
@forgery("export", "digest-ranges")
class SecondDrawListedAsASettlement(Teller):
    def live(self):
        first, *_ = self.boot()
        self.draw(first, seed=SEED, caller="alice")
        self.digest()
        self.tick(1)
        self.back(first, 0)
        self.bob = self.draw(first, seed=SEED + b"2", caller="bob")
        self.digest()
        self.draw(first)
        self.digest()

    def on_digest_items(self, items):
        return [
            DigestItem(item.pool, item.slot, 1, "settle", item.digest) if self.seen_two() else item for item in items
        ]

    def seen_two(self):
        return len(self.digest_items) == 2


@forgery("log", "slot-reused")
@forgery("alice", "slot-taken")
class SlotDrawnForTwoInTwoDigests(Teller):
    def live(self):
        first, *_ = self.boot()
        self.alice = self.draw(first, seed=SEED, caller="alice")
        self.digest()
        self.back(first, 0)
        self.draw(first, seed=SEED, caller="bob")
        self.digest()


# Draws that are hidden.


@forgery("hidden", "slot-taken")
class HiddenDrawWhoseSlotWentToAShill(Teller):
    def live(self):
        first, *_ = self.boot()
        year_us = 365 * 86_400 * SECOND
        self.hidden = self.put_at(self.now_us + 10 * year_us, lambda: self.forget(self.draw(first, seed=SEED)))
        self.draw(first, caller="shill")
        self.digest()
        self.beat(1000)


@forgery("hidden", "bind-time-ahead")
class HiddenDrawOfTheFarFuture(Teller):
    def live(self):
        first, *_ = self.boot()
        self.hidden = self.put_at(self.now_us + 10**15, lambda: self.forget(self.draw(first, seed=SEED)))


@forgery("hidden", "promise-broken")
class LogThatStandsStillWhileAPromiseFallsDue(Teller):
    def live(self):
        first, *_ = self.boot()
        self.hidden = self.forget(self.draw(first, seed=SEED))
        self.tick(11)


@forgery("ahead", "bind-time-ahead")
@forgery("export", "bind-time-ahead")
@forgery("partial casino", "bind-time-ahead")
class RecordBoundAfterItsDigest(Teller):
    def live(self):
        first, *_ = self.boot()
        self.ahead = self.put_at(self.now_us + 6 * SECOND, lambda: self.draw(first, seed=SEED))
        self.digest()


@forgery("export", "bind-time-ahead")
class MissingNumberHiddenByTheFuture(Teller):
    def live(self):
        first, *_ = self.boot()
        self.draw(first, session="evening")
        self.sessions["casino", "evening"] = 2
        self.put_at(self.now_us + 10**15, lambda: self.draw(first, session="evening"))
        self.digest()
        self.beat(1000)


# The operator's clock.


class DatedBack(Teller):
    """Commits, among later digests, to a round that was known by then."""

    back_s = 3600
    ahead_s = 10

    def live(self):
        first, *_ = self.boot()
        self.beat(3600)
        self.publish()
        pool = self.seal(DICE, 4)
        pool.beacon_round = (self.now_us - self.back_s * SECOND) // SECOND + self.ahead_s + 2
        self.put_at(self.now_us - self.back_s * SECOND, lambda: self.append_commit(pool))
        self.publish()
        self.draw(first, count=8)
        self.draw(self.pools[1], count=8)
        self.draw(self.pools[2], count=8)
        self.activate(pool)
        self.digest()
        self.plain = self.draw(pool, seed=SEED)
        self.digest()


@forgery("log", "entry-time")
@forgery("plain", "entry-time")
class CommitmentDatedBackByAnHour(DatedBack):
    pass


@forgery("log", "beacon-round-early")
@forgery("plain", "beacon-round-early")
class CommitmentDatedBackWithinTheTolerance(DatedBack):
    back_s = 4


@forgery("log", "beacon-round-known")
@forgery("plain", "beacon-round-known")
class RoundThatAnEarlierDigestStates(Teller):
    def live(self):
        first, *_ = self.boot()
        self.seen = BeaconRound(self.chain.chain_hash, self.now_us // SECOND + 1000)
        self.digest()
        self.seen = None
        pool = self.commit(DICE, 4)
        self.publish()
        self.tick(20)
        self.draw(first, count=8)
        self.draw(self.pools[1], count=8)
        self.draw(self.pools[2], count=8)
        self.activate(pool)
        self.plain = self.draw(pool, seed=SEED)
        self.digest()

    seen = None

    def on_entry(self, entry):
        return replace(entry, beacon=self.seen) if isinstance(entry, Digest) and self.seen else entry


@forgery("log", "digest-time")
@forgery("late", "digest-time")
class DigestOfAnEarlierTimeThanTheLast(Teller):
    def live(self):
        first, *_ = self.boot()
        self.late = self.draw(first, seed=SEED)
        bound_us, held, self.pending = self.now_us, self.pending, []
        self.beat(1000)
        self.pending = held
        self.put_at(bound_us + SECOND, self.digest)


@forgery("log", "entry-time")
class ActivationDatedBackBeforeItsDeadline(Teller):
    def on_entry(self, entry):
        late = isinstance(entry, PoolQuarantine)
        return replace(entry, time_us=entry.time_us - 6 * SECOND) if late else entry

    def live(self):
        first, *_ = self.boot()
        self.digest()
        self.quarantine(first)
        self.digest()


# Beacons.


@forgery("log", "beacon-unknown")
@forgery("plain", "beacon-unknown")
class ChainOfTheOperatorsOwnCalledQuicknet(Teller):
    def live(self):
        own = self.beacon.chain
        self.chain = ChainInfo(
            name="quicknet",
            scheme=own.scheme,
            public_key=own.public_key,
            period_s=own.period_s,
            genesis_time=own.genesis_time,
            group_hash=own.group_hash,
            beacon_id="quicknet",
        )
        first, *_ = self.boot()
        self.plain = self.draw(first, seed=SEED)
        self.digest()


@forgery("log", "beacon-chain")
@forgery("plain", "beacon-chain")
class ChainAnnouncedBehindTheCommitment(Teller):
    hidden = None

    def live(self):
        self.chain, self.hidden = None, self.chain
        self.start()
        self.register("dice-99")
        self.chain = self.hidden
        pool = self.commit(DICE, 8)
        self.announce_chain()
        self.publish()
        self.tick(20)
        self.activate(pool)
        self.plain = self.draw(pool, seed=SEED)
        self.digest()


@forgery("log", "activation-late")
@forgery("plain", "activation-late")
class ActivationBehindTheDeadline(Teller):
    def live(self):
        self.boot()
        pool = self.commit(DICE, 4)
        self.publish()
        for each in self.pools[:3]:
            self.draw(each, count=8)
        self.put_at(self.now_us + 26 * 3600 * SECOND, lambda: self.activate(pool))
        self.plain = self.draw(pool, seed=SEED)
        self.digest()


# Pools.


@forgery("log", "lane-order")
class TwoPoolsOfALaneSideBySide(Teller):
    def live(self):
        first, second, _ = self.boot()
        self.append(PoolQuarantine(**self.head(), pool=first.pool_id, reason="test", from_slot=first.size))
        for number in range(4):
            self.draw(first if number % 2 else second, seed=SEED)
            self.digest()


@forgery("log", "quarantine-unopened")
class SlotsBehindAQuarantineNeverOpened(Teller):
    def live(self):
        first, second, _ = self.boot()
        self.draw(first, count=2)
        self.stop(first)
        self.draw(second, count=2)
        self.digest()
        self.beat(100)


@forgery("log", "quarantine-unopened")
class QuarantineDatedIntoTheFuture(SlotsBehindAQuarantineNeverOpened):
    def on_entry(self, entry):
        return replace(entry, time_us=entry.time_us + 10**15) if isinstance(entry, PoolQuarantine) else entry


class ManyLanes(Teller):
    """Opens a pool in each lane under changing numbers of lanes."""

    counts = (4, 1)
    waits_s = 30

    def live(self):
        self.start()
        self.register("dice-99")
        opened = {}
        for count in self.counts:
            self.append(StreamLanes(**self.head(), stream=DICE, lanes=count))
            for lane in set(range(count)) - set(opened):
                opened[lane] = self.commit(DICE, 8, lane=lane)
        self.publish()
        self.tick(20)
        for pool in opened.values():
            self.activate(pool)
        self.digest()
        self.tick(self.waits_s)
        self.draws(opened)
        self.digest()

    def draws(self, opened):
        self.plain = self.draw(opened[3], seed=SEED)


@forgery("log", "lane-choice")
@forgery("plain", "lane-choice")
class DrawsFromLanesThatWereGivenUp(ManyLanes):
    pass


@forgery("log", "lane-choice")
class LanesGivenUpInTheFuture(ManyLanes):
    def on_entry(self, entry):
        return replace(entry, time_us=entry.time_us + 10**15) if isinstance(entry, StreamLanes) else entry


@forgery("log", "lane-choice")
class TicketsInLanesThatWereGivenUp(ManyLanes):
    def draws(self, opened):
        self.reserve(opened[3], SEED)


@forgery("log", "lane-choice")
@forgery("plain", "lane-choice")
class DrawsOnTicketsInLanesThatWereGivenUp(ManyLanes):
    def draws(self, opened):
        ticket = self.reserve(opened[3], SEED)
        self.digest()
        self.tick(1)
        self.plain = self.draw(opened[3], seed=SEED, ticket=ticket)


@forgery("export", "lane-choice")
@forgery("plain", "lane-choice")
class SessionInTheLaneOfAFormerNumber(ManyLanes):
    counts = (3, 5, 2)

    def draws(self, opened):
        # A session that goes to one of the lanes 0 and 1 under three lanes, and to the other under two.
        name = next(
            text for text in map(str, range(100)) if 1 - lane_of("casino", text, 2) == lane_of("casino", text, 3)
        )
        self.plain = self.draw(opened[lane_of("casino", name, 3)], session=name, seed=SEED)


# Tickets.


@forgery("plain", "ticket-late")
@forgery("export", "ticket-missing")
@forgery("partial casino", "ticket-missing")
class TicketInventedForASeedThatWasShown(Teller):
    def live(self):
        first, *_ = self.boot()
        ticket = self.reserve(first, SEED)
        self.pending.remove(ticket)
        self.records.remove(ticket)
        self.plain = self.draw(first, seed=SEED, ticket=ticket)
        self.digest()


@forgery("log", "ticket-late")
@forgery("plain", "ticket-late")
class TicketInALaterDigestThanItsDraw(Teller):
    def live(self):
        first, *_ = self.boot()
        ticket = self.reserve(first, SEED, expires_s=3600)
        self.pending.remove(ticket)
        self.plain = self.draw(first, seed=SEED, ticket=ticket)
        self.digest()
        self.tick(5)
        self.pending.append(ticket)
        self.digest()


@forgery("log", "ticket-late")
@forgery("ticket", "slot-taken")
class TicketedSlotDrawnForAShillFirst(Teller):
    def live(self):
        first, *_ = self.boot()
        self.ticket = self.reserve(first, SEED, expires_s=3600)
        self.pending.remove(self.ticket)
        self.back(first, 0)
        self.draw(first, caller="shill")
        self.digest()
        self.tick(5)
        self.pending.append(self.ticket)
        self.digest()


@forgery("log", "void-unquarantined")
@forgery("ticket", "slot-taken")
class TicketVoidBeforeItWasLogged(Teller):
    def live(self):
        first, *_ = self.boot()
        self.ticket = self.reserve(first, SEED, expires_s=3600)
        self.pending.remove(self.ticket)
        self.void(first, 0, reason="ticket-expired", ticket=self.ticket)
        self.digest()
        self.tick(5)
        self.pending.append(self.ticket)
        self.digest()


@forgery("ticket", "slot-taken")
@forgery("export", "ticket-ignored")
class TicketHiddenAndItsSlotTicketedForAnother(Teller):
    def live(self):
        first, *_ = self.boot()
        self.ticket = self.forget(self.reserve(first, SEED, expires_s=3600))
        self.reserve(first, SEED, caller="shill")
        self.digest()
        self.back(first, 0)
        self.draw(first, caller="shill")
        self.digest()


@forgery("export", "void-ticket")
class TicketedSlotVoidWithoutItsName(Teller):
    def live(self):
        first, *_ = self.boot()
        self.reserve(first, SEED, expires_s=3600)
        self.digest()
        self.tick(1)
        self.void(first, 0, reason="recovered")
        self.digest()


@forgery("export", "void-unquarantined")
class TicketedSlotVoidForAReasonOfTheOperators(Teller):
    def live(self):
        first, *_ = self.boot()
        ticket = self.reserve(first, SEED, expires_s=3600)
        self.digest()
        self.tick(1)
        self.void(first, 0, reason="recovered", ticket=ticket)
        self.digest()


@forgery("export", "ticket-voided-early")
class TicketVoidByAClockThatRunsAhead(Teller):
    def live(self):
        first, *_ = self.boot()
        ticket = self.reserve(first, SEED, expires_s=5)
        self.digest()
        self.tick(1)
        self.put_at(self.now_us + 5 * SECOND, lambda: self.void(first, 0, reason="ticket-expired", ticket=ticket))
        self.digest()


@forgery("log", "void-unquarantined")
class BadSlotThrownAway(Teller):
    def live(self):
        first, *_ = self.boot()
        self.void(first, 0, reason="quarantine")
        self.back(first, 1)
        self.draw(first)
        self.digest()


@forgery("export", "ticket-abandoned")
class TicketNeitherDrawnNorVoid(Teller):
    def live(self):
        first, second, _ = self.boot()
        self.reserve(first, SEED, expires_s=5)
        self.draw(first, count=7)
        self.draw(second, count=2)
        self.digest()
        self.beat(100)


@forgery("ticket", "ticket-stillborn")
@forgery("plain", "ticket-stillborn")
@forgery("export", "ticket-stillborn")
class TicketThatWasExpiredWhenItWasMade(Teller):
    def live(self):
        first, *_ = self.boot()
        self.ticket = self.reserve(first, SEED, expires_s=-3600)
        self.plain = self.draw(first, seed=SEED, ticket=self.ticket)
        self.digest()


@forgery("plain", "ticket-seed")
@forgery("export", "ticket-seed")
class TicketOnTheHashOfNothing(Teller):
    def live(self):
        first, *_ = self.boot()
        self.plain = self.draw(first, ticket=self.reserve(first, b""))
        self.digest()


# Bounds.


@forgery("log", "entry-malformed")
@forgery("plain", "malformed")
class DigestOfMoreRecordsThanAnybodyReads(Teller):
    huge = False

    def live(self):
        first, *_ = self.boot()
        self.plain = self.draw(first, seed=SEED)
        self.huge = True
        self.digest()

    def on_bytes(self, entry, data):
        if not isinstance(entry, Digest) or not self.huge:
            return data
        number = b"%d" % 2**40
        huge = b',{"kind":"settle","pool":"%b","records":%b}],"root"' % (self.pools[0].pool_id.encode(), number)
        return data.replace(b'"settle":0', b'"settle":' + number).replace(b'],"root"', huge)


@forgery("log", "entry-malformed")
@forgery("plain", "malformed")
class PromisesThatNeverFallDue(Teller):
    def live(self):
        first, *_ = self.boot()
        self.plain = self.draw(first, seed=SEED)
        self.digest()

    def on_entry(self, entry):
        return replace(entry, merge_delay_s=2**52) if isinstance(entry, LogConfig) else entry


# Settlements.


class Settling(Teller):
    own: ClassVar = {}
    money: ClassVar = {"bet": UNDER}

    def live(self):
        first, *_ = self.boot()
        draw = self.draw(first, seed=SEED, **self.own)
        self.digest()
        self.tick(1)
        self.settle(draw, **self.money)
        self.digest()


@forgery("export", "settle-bet")
class FinalSettlementThatPaysWithoutABet(Settling):
    money: ClassVar = {"payout_minor": 10**12}


@forgery("export", "settle-payout")
class FinalSettlementThatPaysMoreThanItsBet(Settling):
    money: ClassVar = {"bet": UNDER, "payout_minor": 10**12}


@forgery("export", "settle-own-bet")
class FinalSettlementBesideTheDrawsOwnBet(Settling):
    own: ClassVar = {"stake": 100, "bet": UNDER}


@forgery("export", "settle-void")
class VoidSettlementThatPays(Settling):
    money: ClassVar = {"status": "void", "payout_minor": 10**9, "reason": "late"}


@forgery("export", "settle-void")
class VoidSettlementWithoutAReason(Settling):
    money: ClassVar = {"status": "void"}


@forgery("export", "settle-caller")
class SettlementOfAnotherCallersDraw(Settling):
    def on_binding(self, kind, members):
        return members | {"caller": "mallory"} if kind == "settle" else members


# The end of pools.


class Closing(Teller):
    sizes = (2, 4, 4)

    def live(self):
        first, *_ = self.boot()
        self.draw(first)
        self.draw(first)
        self.digest()
        self.close(first)
        self.end(first)
        self.beat(100)

    def end(self, pool):
        self.erase(pool)


@forgery("log", "erase-missing")
class KeyNeverErased(Closing):
    def end(self, pool):
        pass


@forgery("log", "erase-census")
class PoolOpenedForMoreDrawsThanTheLogSays(Closing):
    def on_erase(self, word):
        return word | {"drawn": 1, "void": 1}


@forgery("export", "erase-bindings")
class PoolOpenedForOtherBindingsThanTheRecords(Closing):
    def on_erase(self, word):
        return word | {"bindings_digest": sha256(b"another story").digest()}


@forgery("log", "erase-signature")
class ErasureSignedForAnotherStory(Closing):
    def on_bytes(self, entry, data):
        if entry.TYPE != "pool.erase":
            return data
        return data.replace(entry.bindings_digest.hex().encode(), sha256(b"x").hexdigest().encode())


@forgery("log", "erase-unclosed")
class ErasureOfAPoolThatIsVoid(Closing):
    def end(self, pool):
        self.erase(pool)
        self.void_pool(self.pools[2])
        self.erase(self.pools[2])


def examine(operator, who, directory):
    who, _, caller = who.partition(" ")
    if who == "log":
        verify_log(operator.source, operator.vkey)
    elif who == "export":
        verify_export(operator.export(directory / "export"), operator.source, operator.vkey)
    elif who == "partial":
        path = operator.export(directory / "export", only=lambda record: record.binding.get("caller") == caller)
        verify_export(path, operator.source, operator.vkey)
    else:
        receipt = operator.receipt(getattr(operator, who))
        verify_receipt(receipt, operator.source, operator.vkey, now_us=operator.now_us)


@pytest.mark.parametrize(("kind", "who", "reason", "shape"), CATALOGUE)
def test_the_cheat_is_caught_with_its_reason(kind, who, reason, shape, tmp_path):
    operator = kind(tmp_path / "public", **shape)
    operator.live()
    operator.publish()
    with pytest.raises(Fault) as caught:
        examine(operator, who, tmp_path)
    assert caught.value.reason == reason, caught.value


class Outages(Teller):
    """Admits an outage of two hours before each digest."""

    def live(self):
        first, *_ = self.boot()
        for _ in range(5):
            self.plain = self.draw(first)
            self.tick(7200)
            self.append(Incident(**self.head(), kind="outage", reason="heartbeat-missed"))
            self.digest()
        self.publish()


def test_outages_are_added_up_and_accepted_up_to_what_the_verifier_says(tmp_path):
    operator = Outages(tmp_path / "public")
    operator.live()
    report = verify_log(operator.source, operator.vkey, max_outage_s=36_001)
    assert len(report.outages) == 5
    assert report.outage_total_s == 36_001.0
    assert "outages in all: 36001.000 seconds" in report.lines()
    with pytest.raises(Fault) as caught:
        verify_log(operator.source, operator.vkey, max_outage_s=36_000)
    assert caught.value.reason == "outage-too-long"


class Witnessed(Teller):
    """Has its commitment cosigned ``wait_s`` seconds after it, by a witness whom verifiers trust."""

    witness = Ed25519PrivateKey.from_private_bytes(b"a witness whom everybody trusts!")
    wait_s = 0

    def live(self):
        self.start()
        self.register("dice-99")
        pool = self.commit(DICE, 8)
        self.publish()
        self.tick(self.wait_s)
        note = (self.directory / "checkpoint").read_bytes()
        text = open_note(note, [VerifierKey.parse(self.vkey)]).text
        signature = cosign(text, "witness", self.witness, timestamp_s=self.now_us // SECOND)
        self.note = append_signatures(note, [signature])
        self.tick(20)
        self.activate(pool)
        self.plain = self.draw(pool, seed=SEED)
        self.digest()
        self.publish()

    def on_entry(self, entry):
        return replace(entry, checkpoint=self.note) if isinstance(entry, PoolActivate) else entry


def trusts_the_witness(note, before_us):
    key = VerifierKey.of("witness", Witnessed.witness, COSIGNATURE_V1)
    return any(item.timestamp_s() * SECOND < before_us for item in open_note(note, [key]).verified)


@pytest.mark.parametrize(
    ("wait_s", "label"), [(19, "beacon-witnessed"), (20, "beacon-unwitnessed"), (3600, "beacon-unwitnessed")]
)
def test_a_cosignature_counts_before_the_round_is_published(wait_s, label, tmp_path):
    operator = Witnessed(tmp_path / "public")
    operator.wait_s = wait_s
    operator.live()
    report = verify_receipt(operator.receipt(operator.plain), operator.source, operator.vkey, trusts_the_witness)
    assert report.protection.content == label


def test_a_claim_of_witnesses_who_came_too_late_is_refused(tmp_path):
    class Claiming(Witnessed):
        wait_s = 3600

        def on_receipt(self, receipt):
            return replace(receipt, protection=replace(receipt.protection, content="beacon-witnessed"))

    operator = Claiming(tmp_path / "public")
    operator.live()
    with pytest.raises(Fault) as caught:
        verify_receipt(operator.receipt(operator.plain), operator.source, operator.vkey, trusts_the_witness)
    assert caught.value.reason == "protection"


def test_nothing_is_dated_before_the_beginning_of_the_log(tmp_path):
    operator = Operator(tmp_path / "public", beacon=False)
    operator.start()
    operator.tick(-3_600)
    operator.register("dice-99")
    operator.tick(3_600)
    operator.digest()
    operator.publish()
    with pytest.raises(Fault) as caught:
        verify_log(operator.source, operator.vkey)
    assert caught.value.reason == "entry-time"


def test_a_first_digest_long_after_the_log_began_is_an_outage(tmp_path):
    operator = Operator(tmp_path / "public", beacon=False)
    operator.start()
    operator.tick(365 * 86_400)
    operator.digest()
    operator.publish()
    with pytest.raises(Fault) as caught:
        verify_log(operator.source, operator.vkey)
    assert caught.value.reason == "digest-heartbeat"
