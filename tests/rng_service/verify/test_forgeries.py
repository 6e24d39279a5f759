"""The catalogue of forgeries: an operator that cheats in one way, and the reason for which it is caught.

Each forgery is an operator with one method overridden. `forgery` says who catches it (the audit of the log, of
an export, or the check of one receipt) and with which reason.
"""

from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from operator_simulator import SECOND, Operator, tell

from anchor.merkle import levels_of, root_of
from anchor.note import sign_note
from rng_service.beacon.chain import beacon_value
from rng_service.log_entries import (
    BeaconChainEntry,
    Digest,
    GamePar,
    GameRegistration,
    Incident,
    LogConfig,
    PoolActivate,
    PoolClose,
    PoolCommit,
    PoolErase,
    PoolQuarantine,
    PoolVoid,
    Totals,
)
from rng_service.names import Stream
from rng_service.verify import Fault, verify_export, verify_log, verify_receipt

CATALOGUE = []
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"another operator's secret key 32")


def forgery(who, reason, **shape):
    """Enter an operator into the catalogue; ``who`` is "log", "export" or the name of a record."""

    def enter(kind):
        CATALOGUE.append(pytest.param(kind, who, reason, shape, id=f"{kind.__name__}-{who}"))
        return kind

    return enter


def flip(data, at=0):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def newest_tile(directory):
    """Return the widest partial tile, the one that the checkpoint needs; older ones may lie beside it."""
    return max(directory.rglob("*.p/*"), key=lambda path: int(path.name))


def changed(entry, kind, **members):
    """Return ``entry`` with other members when it is of this kind; functions are asked for the member."""
    if not isinstance(entry, kind):
        return entry
    return replace(entry, **{name: item(entry) if callable(item) else item for name, item in members.items()})


# Slots, leaves and order.


@forgery("log", "slot-root")
class SlotsInAnotherOrder(Operator):
    def on_file(self, path, data):
        return data[32:64] + data[:32] + data[64:] if path.startswith("leaves/") else data


@forgery("log", "slot-root")
class LeavesOfFewerSlots(Operator):
    def on_file(self, path, data):
        return data[:-32] if path.startswith("leaves/") else data


@forgery("log", "slot-root")
class LeavesOfMoreSlots(Operator):
    def on_file(self, path, data):
        return data + data[:32] if path.startswith("leaves/") else data


@forgery("log", "file-missing")
class LeavesNotPublished(Operator):
    def after(self):
        (self.directory / "leaves" / f"{self.pools[0].pool_id}.bin").unlink()


@forgery("log", "slot-skipped")
class DrawLeftOutOfItsDigest(Operator):
    def on_digest_items(self, items):
        return [item for item in items if item.slots != 3]


@forgery("log", "slot-reused")
class SlotDrawnTwice(Operator):
    def before_draws(self):
        self.draw(self.pools[0])
        self.digest()
        self.pools[0].next_slot = 0


@forgery("log", "slot-skipped")
class GoodSlotSkipped(Operator):
    def _next(self, pool, count):
        pool.next_slot += pool.next_slot == 2
        return super()._next(pool, count)


@forgery("log", "slot-range")
class SlotBeyondThePool(Operator):
    def append_commit(self, pool):
        pool.levels, pool.size = levels_of(pool.levels[0][:4]), 4
        super().append_commit(pool)


@forgery("log", "lane-order")
class NextPoolBeforeTheFormerIsDone(Operator):
    def before_draws(self):
        self.draw(self.pools[1])


@forgery("log", "pool-number-gap")
class PoolNumberLeftOut(Operator):
    def before_draws(self):
        self.seal("dice-99/1/base/real", 4)
        self.commit("dice-99/1/base/real", 4)


@forgery("log", "pool-committed-twice")
class PoolCommittedTwice(Operator):
    def before_draws(self):
        self.append_commit(self.pools[0])


@forgery("log", "pool-lane")
class PoolInALaneThatIsNotThere(Operator):
    def before_draws(self):
        self.commit("dice-99/1/base/real", 4, lane=1)


@forgery("log", "pool-environment")
class PoolOfAnotherEnvironment(Operator):
    def seal(self, stream, size, *, lane=0):
        self.environment = "live"
        return super().seal(stream, size, lane=lane)


# Commitment and activation.


@forgery("log", "pool-inactive")
class CommitmentAfterTheDraw(Operator):
    def activate(self, pool):
        if pool is not self.pools[0]:
            super().activate(pool)


@forgery("log", "pool-unknown")
class DrawsFromAPoolThatWasNeverCommitted(Operator):
    def before_draws(self):
        pool = self.seal("dice-99/1/base/free", 2)
        pool.commit_leaf = bytes(32)
        self.draw(pool)


@forgery("log", "beacon-signature")
class ActivationWithAnotherRound(Operator):
    def activate(self, pool):
        pool.beacon_round += 1
        super().activate(pool)


@forgery("log", "beacon-signature")
class ActivationWithABadSignature(Operator):
    def on_entry(self, entry):
        bad = flip(self.beacon.sign(1), 47)
        return changed(entry, PoolActivate, beacon_signature=bad, beacon_value=beacon_value(bad))


@forgery("log", "beacon-value")
class BeaconValueThatIsNotTheHash(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolActivate, beacon_value=sha256(b"a better value").digest())


@forgery("log", "activation-beacon")
class ActivationWithoutTheRound(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolActivate, beacon_signature=None, beacon_value=None)


@forgery("log", "activation-beacon", beacon=False)
class ActivationWithARoundNobodyCommittedTo(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolActivate, beacon_signature=bytes(48), beacon_value=bytes(32))


@forgery("log", "activation-uncovered")
class ActivationBeforeTheCommitmentIsPublished(Operator):
    def before_draws(self):
        pool = self.commit("dice-99/1/base/free", 2)
        self.tick(20)
        self.activate(pool)


@forgery("log", "activation-history")
class ActivationUnderACheckpointOfAnotherHistory(Operator):
    def on_entry(self, entry):
        note = sign_note(f"{self.origin}\n9\n{'A' * 43}=\n", self.origin, self.log_key)
        return changed(entry, PoolActivate, checkpoint=note)


@forgery("log", "note-unsigned")
class ActivationUnderACheckpointOfAnotherKey(Operator):
    def on_entry(self, entry):
        note = sign_note(f"{self.origin}\n9\n{'A' * 43}=\n", self.origin, OTHER_KEY)
        return changed(entry, PoolActivate, checkpoint=note)


@forgery("log", "activation-commit")
class ActivationOfAnotherCommitment(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolActivate, commit=bytes(32))


@forgery("log", "activation-commit")
class ActivationNamingAnotherIndex(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolActivate, commit_index=4)


@forgery("log", "pool-activated-twice")
class PoolActivatedTwice(Operator):
    def before_draws(self):
        self.activate(self.pools[0])


@forgery("log", "activation-late")
class ActivationBehindTheDeadline(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolActivate, time_us=self.now_us + 26 * 3600 * SECOND)


@forgery("log", "beacon-round-early")
class RoundThatWasKnownAlready(Operator):
    def append_commit(self, pool):
        pool.beacon_round -= 25
        super().append_commit(pool)


@forgery("log", "commit-deadline")
class DeadlineThatIsTooNear(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolCommit, deadline_us=self.now_us + SECOND)


@forgery("log", "beacon-chain")
class ChainThatIsNotAnnounced(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolCommit, beacon=lambda it: replace(it.beacon, chain=bytes(32)))


@forgery("log", "beacon-chain")
class ChainWithOtherFactsThanItsHash(Operator):
    def on_entry(self, entry):
        return changed(entry, BeaconChainEntry, genesis_time=2)


@forgery("log", "beacon-development")
class DevelopmentBeaconHidden(Operator):
    def on_entry(self, entry):
        return changed(entry, BeaconChainEntry, development=False)


# Games.


@forgery("log", "game-file")
class PaytableSwappedAfterTheCommitment(Operator):
    def after(self):
        for path in (self.directory / "games").iterdir():
            path.write_bytes(path.read_bytes().replace(b'"99/100"', b'"49/100"'))


@forgery("log", "game-changed")
class AnotherDefinitionUnderTheSameVersion(Operator):
    def before_draws(self):
        game = self.games["dice-99", 1]
        data = game.canonical.replace(b'"99/100"', b'"98/100"')
        digest = sha256(data).digest()
        self.put(f"games/{digest.hex()}.json", data)
        self.append(GameRegistration(**self.head(), game="dice-99", version=1, digest=digest, programs=("base",)))


@forgery("log", "game-digest")
class CommitmentToAnotherGame(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolCommit, game_digest=sha256(b"another game").digest())


@forgery("log", "game-unregistered")
class GameNeverRegistered(Operator):
    def append(self, entry):
        return len(self.entries) if isinstance(entry, GameRegistration | GamePar) else super().append(entry)


@forgery("log", "game-name")
class GameRegisteredUnderAnotherName(Operator):
    def on_entry(self, entry):
        return changed(entry, GameRegistration, version=2)


@forgery("log", "game-programs")
class ProgramsThatTheGameHasNot(Operator):
    def on_entry(self, entry):
        return changed(entry, GameRegistration, programs=("base", "bonus"))


@forgery("log", "pool-program")
class CommitmentToAnotherProgram(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolCommit, program="bonus")


# Ends of pools.


@forgery("log", "pool-not-closed")
class PoolNotClosed(Operator):
    def append(self, entry):
        return 0 if isinstance(entry, PoolClose | PoolErase) else super().append(entry)

    def after(self):
        self.tick(30)
        self.digest()
        self.publish()


@forgery("log", "pool-census")
class WrongCensus(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolClose, drawn=lambda it: it.drawn + 1, void=lambda it: it.void - 1)


@forgery("log", "pool-census")
class PoolClosedBeforeItIsDone(Operator):
    def before_draws(self):
        self.draw(self.pools[0])
        self.digest()
        self.close(self.pools[0])


@forgery("log", "voids-slots")
class VoidNotOpened(Operator):
    def on_file(self, path, data):
        return b"" if path.startswith("voids/") else data


@forgery("log", "voids-slots")
class AnotherSlotOpenedThanTheVoidOne(Operator):
    def on_file(self, path, data):
        self.voids = flip(data, 7) if path.startswith("voids/") else data
        return self.voids

    def on_entry(self, entry):
        return changed(entry, PoolClose, voids_digest=lambda _: sha256(self.voids).digest())


@forgery("log", "voids-secret")
class VoidOpenedWithAnotherSecret(AnotherSlotOpenedThanTheVoidOne):
    def on_file(self, path, data):
        self.voids = flip(data, 8) if path.startswith("voids/") else data
        return self.voids


@forgery("log", "voids-digest")
class VoidsFileChangedLater(Operator):
    def on_file(self, path, data):
        return flip(data, 8) if path.startswith("voids/") else data


@forgery("log", "pool-void-key")
class PoolVoidWithAnotherKey(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolVoid, key=bytes(32))


@forgery("log", "pool-void-used")
class UsedPoolThrownAway(Operator):
    def before_draws(self):
        self.draw(self.pools[0])
        self.digest()
        self.void_pool(self.pools[0])


@forgery("log", "pool-closed")
class DrawsFromAClosedPool(Operator):
    def after(self):
        self.draw(self.pools[0])
        self.digest()
        self.publish()


@forgery("log", "pool-not-voided")
class LatePoolNeitherActivatedNorThrownAway(Operator):
    def append(self, entry):
        return 0 if isinstance(entry, PoolVoid) else super().append(entry)

    def on_entry(self, entry):
        return changed(entry, LogConfig, heartbeat_s=3600)

    def after(self):
        for _ in range(26):
            self.tick(3600)
            self.digest()
        self.publish()


@forgery("log", "pool-quarantined")
class DrawsFromAQuarantinedPool(Operator):
    def before_draws(self):
        pool = self.pools[0]
        self.append(PoolQuarantine(**self.head(), pool=pool.pool_id, reason="test", from_slot=0))
        self.draw(pool)


@forgery("log", "quarantine-slot")
class QuarantineThatReachesBack(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolQuarantine, from_slot=0)


@forgery("log", "erase-signature")
class ErasureNobodySigned(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolErase, signature=bytes(64))


@forgery("log", "receipt-key-unknown")
class ErasureByAnUnannouncedKey(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolErase, key_id=bytes(8))


@forgery("log", "erase-root")
class ErasureOfAnotherPool(Operator):
    def on_entry(self, entry):
        return changed(entry, PoolErase, slot_root=bytes(32))


@forgery("log", "erase-unclosed")
class ErasureOfAnOpenPool(Operator):
    def before_draws(self):
        self.erase(self.pools[0])


# Digests.


@forgery("log", "digest-chain")
class DigestChainBroken(Operator):
    def on_entry(self, entry):
        return changed(entry, Digest, prev=bytes(31) + b"\1")


@forgery("log", "digest-seq")
class DigestLeftOut(Operator):
    def append(self, entry):
        left_out = isinstance(entry, Digest) and entry.seq == 2
        return len(self.entries) - 1 if left_out else super().append(entry)


@forgery("log", "digest-file")
class RecordLostFromTheFile(Operator):
    def on_file(self, path, data):
        return data[:-32] if path == "digests/002.bin" else data


@forgery("log", "digest-file")
class RecordAddedToTheFile(Operator):
    def on_file(self, path, data):
        return data + bytes(32) if path == "digests/002.bin" else data


@forgery("log", "digest-file")
class RecordExchangedInTheFile(Operator):
    def on_file(self, path, data):
        return flip(data) if path == "digests/002.bin" else data


@forgery("log", "digest-counts")
class CountsThatAreNotTheRanges(Operator):
    def on_entry(self, entry):
        return changed(entry, Digest, counts=lambda it: replace(it.counts, draw=it.counts.draw + 1))


@forgery("log", "digest-ranges")
class RangesInAnotherOrder(Operator):
    def on_entry(self, entry):
        return changed(entry, Digest, ranges=lambda it: it.ranges[::-1])


@forgery("log", "digest-heartbeat")
class HeartbeatsMissing(Operator):
    def before_draws(self):
        self.tick(61)


@forgery("log", "digest-repeated")
class SameRecordTwiceInADigest(Operator):
    def on_digest_items(self, items):
        return [item._replace(digest=bytes(32)) for item in items]


# The log itself.


@forgery("log", "config-missing")
class LogWithoutAConfiguration(Operator):
    def append(self, entry):
        return 0 if isinstance(entry, LogConfig) else super().append(entry)


@forgery("log", "config-repeated")
class PromisesChangedLater(Operator):
    def before_draws(self):
        self.append(
            LogConfig(
                **self.head(),
                environment="dev",
                log_key=self.vkey,
                merge_delay_s=86_400,
                heartbeat_s=3_600,
                close_delay_s=604_800,
                beacon_margin_s=1,
            )
        )


@forgery("log", "config-key")
class ConfigurationOfAnotherKey(Operator):
    def on_entry(self, entry):
        return changed(entry, LogConfig, log_key="example.org/dev+00000000+AAAA")


@forgery("log", "config-environment")
class ConfigurationOfAnotherEnvironment(Operator):
    def on_entry(self, entry):
        return changed(entry, LogConfig, environment="live")


@forgery("log", "entry-origin")
class EntryOfAnotherLog(Operator):
    def on_entry(self, entry):
        return changed(entry, GameRegistration, origin="example.org/live")


@forgery("log", "entry-malformed")
class EntryWithAnUnknownField(Operator):
    def on_bytes(self, entry, data):
        return data.replace(b'"v":1}', b'"v":1,"why":1}')


@forgery("log", "entry-malformed")
class EntryThatIsNotCanonical(Operator):
    def on_bytes(self, entry, data):
        return data.replace(b'"v":1}', b'"v": 1}')


@forgery("log", "entry-malformed")
class EntryOfAnUnknownType(Operator):
    def on_bytes(self, entry, data):
        return data.replace(b'"game.register"', b'"game.rewrite"')


@forgery("log", "entry-mismatch")
class EntryBundleChanged(Operator):
    def after(self):
        path = newest_tile(self.directory / "tile" / "entries")
        path.write_bytes(path.read_bytes().replace(b'"drawn":7', b'"drawn":6'))


@forgery("log", "entry-mismatch")
class TileFlippedByOneBit(Operator):
    def after(self):
        path = newest_tile(self.directory / "tile" / "0")
        path.write_bytes(flip(path.read_bytes(), 70))


@forgery("log", "file-missing")
class LogTruncated(Operator):
    def after(self):
        newest_tile(self.directory / "tile" / "entries").unlink()


@forgery("log", "tile-mismatch")
class TileTruncated(Operator):
    def after(self):
        path = newest_tile(self.directory / "tile" / "0")
        path.write_bytes(path.read_bytes()[:-32])


@forgery("log", "root-mismatch")
class CheckpointWithAnotherRoot(Operator):
    def after(self):
        lines = (self.directory / "checkpoint").read_text().split("\n")
        note = sign_note(f"{lines[0]}\n{lines[1]}\n{'A' * 43}=\n", self.origin, self.log_key)
        (self.directory / "checkpoint").write_bytes(note)


@forgery("log", "note-unsigned")
class CheckpointOfAnotherKey(Operator):
    def after(self):
        text = (self.directory / "checkpoint").read_text().partition("\n\n")[0] + "\n"
        (self.directory / "checkpoint").write_bytes(sign_note(text, self.origin, OTHER_KEY))


@forgery("log", "note-signature")
class CheckpointChangedUnderItsSignature(Operator):
    def after(self):
        path = self.directory / "checkpoint"
        size = len(self.entries)
        path.write_text(path.read_text().replace(f"\n{size}\n", f"\n{size - 1}\n"))


@forgery("log", "origin")
class CheckpointOfAnotherOrigin(Operator):
    def after(self):
        text = (self.directory / "checkpoint").read_text().partition("\n\n")[0] + "\n"
        text = text.replace("example.org/dev", "example.org/live")
        (self.directory / "checkpoint").write_bytes(sign_note(text, self.origin, self.log_key))


# Totals.


class ChangedTotals(Operator):
    """Changes one member of the first row that has plays."""

    member = "stake_minor"

    def on_entry(self, entry):
        if not isinstance(entry, Totals):
            return entry
        rows = list(entry.rows)
        at = next(number for number, row in enumerate(rows) if row.plays)
        rows[at] = replace(rows[at], **{self.member: getattr(rows[at], self.member) + 1})
        return replace(entry, rows=tuple(rows))


@forgery("log", "totals-outcomes")
class TotalsWithOneOutcomeMore(ChangedTotals):
    member = "outcomes"


@forgery("export", "totals-mismatch")
class TotalsWithAnotherStake(ChangedTotals):
    member = "stake_minor"


@forgery("export", "totals-mismatch")
class TotalsWithAnotherPayout(ChangedTotals):
    member = "payout_minor"


@forgery("export", "totals-mismatch")
class TotalsWithOnePlayMore(ChangedTotals):
    member = "plays"


@forgery("export", "totals-mismatch")
class TotalsWithOneMoreUnsettled(ChangedTotals):
    member = "unsettled"


@forgery("log", "totals-outcomes")
class TotalsWithoutARow(Operator):
    def on_entry(self, entry):
        return changed(entry, Totals, rows=lambda it: it.rows[1:])


@forgery("export", "totals-mismatch")
class TotalsWithARowNobodyPlayed(Operator):
    def on_totals(self, fold):
        stream = Stream("dice-99", 1, "base", "real")
        fold.settlement(stream, "USD", status="final", stake_minor=10, payout_minor=0, first=False)


@forgery("log", "totals-gap")
class TotalsThatLeaveADigestOut(Operator):
    def totals(self):
        self.totals_from += 1
        super().totals()


@forgery("log", "totals-ahead")
class TotalsOfDigestsToCome(Operator):
    def on_entry(self, entry):
        return changed(entry, Totals, to_digest=99)


@forgery("log", "totals-seq")
class TotalsLeftOut(Operator):
    def on_entry(self, entry):
        return changed(entry, Totals, seq=5)


@forgery("log", "totals-rows")
class TotalsInAnotherOrder(Operator):
    def on_entry(self, entry):
        return changed(entry, Totals, rows=lambda it: it.rows[::-1])


# Receipts.


@forgery("plain", "outcome")
class OutcomeChangedInTheReceipt(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, outcome=(9999,))


@forgery("plain", "outcome")
@forgery("export", "outcome")
class OutcomeThatDoesNotFollow(Operator):
    def on_outcome(self, outcomes):
        return [(values[0] ^ 1, *values[1:]) for values in outcomes]


@forgery("plain", "slot-root")
@forgery("export", "slot-leaf")
class SecretThatWasNotCommittedTo(Operator):
    def on_secrets(self, pool, slot, secrets):
        return flip(secrets)


@forgery("batch", "slot-root")
@forgery("export", "slot-leaf")
class SecretsOfABatchInAnotherOrder(Operator):
    def on_secrets(self, pool, slot, secrets):
        return secrets[32:64] + secrets[:32] + secrets[64:] if len(secrets) == 96 else secrets


@forgery("plain", "outcome")
class SeedChangedInTheReceipt(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, record=receipt.record.replace((b"s" * 16).hex().encode(), (b"x" * 16).hex().encode()))


@forgery("plain", "payouts")
class PayoutThatContradictsTheBet(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, payouts_minor=(receipt.payouts_minor[0] + 1,))


@forgery("plain", "payouts")
class PayoutKeptBack(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, payouts_minor=None)


@forgery("open_draw", "payouts")
class PayoutWithoutABet(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, payouts_minor=(1,))


@forgery("plain", "opening-signature")
class NonceChanged(Operator):
    def on_receipt(self, receipt):
        at = receipt.record.index(b'"nonce":"') + 9
        record = receipt.record
        return replace(receipt, record=record[:at] + b"00" * 16 + record[at + 32 :])


@forgery("plain", "opening-signature")
class BindTimeChanged(Operator):
    def on_receipt(self, receipt):
        time = str(self.plain.binding["bind_time"]).encode()
        return replace(receipt, record=receipt.record.replace(time, b"1600000000000000"))


@forgery("plain", "opening-signature")
class OpeningOfAnotherRecord(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, opening=replace(receipt.opening, signature=bytes(64)))


@forgery("plain", "opening-key")
class OpeningByAnUnannouncedKey(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, opening=replace(receipt.opening, key_id=bytes(8)))


@forgery("plain", "opening-path")
class OpeningWithAnotherPath(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, opening=replace(receipt.opening, path=(bytes(32),)))


@forgery("plain", "inclusion")
class SlotPathTooShort(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, slot_path=receipt.slot_path[:-1])


@forgery("ticket", "slot-root")
class TicketWithThePathOfAnotherSlot(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, slot_path=(bytes(32), *receipt.slot_path[1:]))


@forgery("ticket", "outcome")
class TicketThatForetells(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, outcome=(1,))


@forgery("plain", "receipt-origin")
class ReceiptOfAnotherEnvironment(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, origin="example.org/live")


@forgery("plain", "receipt-commit")
class ReceiptUnderAnotherCommitment(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, commit_index=receipt.commit_index + 1)


@forgery("plain", "receipt-commit")
class ReceiptUnderASecondCommitment(Operator):
    def before_draws(self):
        self.append_commit(self.pools[0])


@forgery("plain", "receipt-commit")
class ReceiptBeyondTheLog(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, commit_index=10**6)


@forgery("plain", "receipt-activation")
class ReceiptUnderAnotherActivation(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, activate_index=receipt.activate_index + 1)


@forgery("plain", "beacon-signature")
class ReceiptFromAPoolWithAnotherRound(ActivationWithAnotherRound):
    """The log's forgery is caught in a receipt as well."""


@forgery("plain", "game-file")
class ReceiptUnderASwappedPaytable(PaytableSwappedAfterTheCommitment):
    """The log's forgery is caught in a receipt as well."""


def claims(**labels):
    return lambda self, receipt: replace(receipt, protection=replace(receipt.protection, **labels))


@forgery("plain", "protection")
class SteerableCalledTicketed(Operator):
    on_receipt = claims(assignment="ticketed")


@forgery("plain", "protection")
class CallerSeedCalledFresh(Operator):
    on_receipt = claims(foreseen="fresh-seed")


@forgery("open_draw", "protection")
class ForeseeableCalledSeeded(Operator):
    on_receipt = claims(foreseen="caller-seed")


@forgery("plain", "protection", beacon=False)
class BeaconWhereThereIsNone(Operator):
    on_receipt = claims(content="beacon-unwitnessed")


@forgery("plain", "protection")
class WitnessesWhereThereAreNone(Operator):
    on_receipt = claims(content="beacon-witnessed")


@forgery("plain", "protection")
class DevelopmentMarkRemoved(Operator):
    on_receipt = claims(development_beacon=False)


@forgery("ticketed", "ticket-missing")
class TicketLeftOut(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, ticket=None)


@forgery("ticketed", "ticket-hash")
class TicketExchanged(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, ticket=receipt.ticket.replace(b'"expires":17', b'"expires":18'))


@forgery("ticketed", "ticket-hash")
class DrawInsteadOfATicket(Operator):
    def on_receipt(self, receipt):
        return replace(receipt, ticket=self.plain.record)


class ChangedDrawOnATicket(Operator):
    """Binds the draw on a ticket with one member changed."""

    members: ClassVar = {}

    def on_binding(self, kind, members):
        return members | self.members if kind == "draw" and "ticket" in members else members


@forgery("ticketed", "ticket-holder")
@forgery("export", "ticket-holder")
class TicketOfAnotherPlayer(ChangedDrawOnATicket):
    members: ClassVar = {"caller": "stranger"}


@forgery("ticketed", "ticket-holder")
@forgery("export", "ticket-holder")
class TicketOfAnotherSession(ChangedDrawOnATicket):
    members: ClassVar = {"session": "morning"}


@forgery("ticketed", "ticket-seed")
@forgery("export", "ticket-seed")
class SeedThatTheTicketDoesNotHold(ChangedDrawOnATicket):
    members: ClassVar = {"client_seed": (b"z" * 16).hex()}


@forgery("ticketed", "ticket-slot")
class TicketForAnotherSlot(Operator):
    def draw(self, pool, **arguments):
        ticket = arguments.get("ticket")
        if ticket is not None:
            ticket.slot = self._next(pool, 1)
        return super().draw(pool, **arguments)


@forgery("plain", "promise-broken")
class RecordThatNeverJoinsADigest(Operator):
    def on_digest_items(self, items):
        return [item for item in items if item.slot != 0]


@forgery("last", "merge-delay")
@forgery("export", "merge-delay")
class RecordPastTheMergeDelay(Operator):
    def on_binding(self, kind, members):
        return members | {"bind_time": members["bind_time"] - 11 * SECOND}


@forgery("plain", "merge-delay")
@forgery("export", "merge-delay")
class OutageThatExcusesWhatWasDueBefore(Operator):
    def before_draws(self):
        self.tick(1000)
        self.append(Incident(**self.head(), kind="outage", reason="heartbeat-missed"))

    def on_binding(self, kind, members):
        return members | {"bind_time": members["bind_time"] - 3600 * SECOND}


@forgery("plain", "digest-twice")
class RecordInTwoDigests(Operator):
    def after(self):
        self.pending = [self.plain]
        self.digest()
        self.publish()


@forgery("plain", "malformed")
class RecordThatIsNotCanonical(Operator):
    def on_record(self, kind, record):
        return record.replace(b',"kind"', b', "kind"')


@forgery("plain", "malformed")
class RecordWithAnUnknownField(Operator):
    def on_binding(self, kind, members):
        return members | {"luck": 1}


# Exports.


@forgery("export", "payouts")
class ExportWithAnotherPayout(Operator):
    def on_export(self, lines):
        return [line._replace(stated=line.stated.replace(b'_minor":["', b'_minor":["7')) for line in lines]


@forgery("export", "outcome")
class ExportWithOutcomesInAnotherSpelling(Operator):
    def on_export(self, lines):
        return [line._replace(stated=line.stated.replace(b"[", b"[0", 1)) for line in lines]


@forgery("export", "outcome")
class ExportWithAnOutcomeOfASettlement(Operator):
    def on_export(self, lines):
        return [line._replace(stated=line.stated or b'"outcome":[1],') for line in lines]


@forgery("export", "record-lost")
class ExportWithoutTheLastRecordOfADigest(Operator):
    def on_export(self, lines):
        return [line for line, after in pairwise(lines) if (line.digest, after.digest) != (2, 3)]


@forgery("export", "record-digest")
class ExportWithoutARecordInTheMiddle(Operator):
    def on_export(self, lines):
        return lines[1:]


@forgery("export", "record-digest")
class ExportWithARecordTwice(Operator):
    def on_export(self, lines):
        return [lines[0], *lines]


@forgery("export", "record-digest")
class ExportWithARecordOfItsOwn(Operator):
    def on_export(self, lines):
        return [line._replace(record=line.record.replace(b"casino", b"casina")) for line in lines]


@forgery("export", "export-order")
class ExportOfDigestsThatWerePassed(Operator):
    def on_export(self, lines):
        return [*lines, lines[0]]


@forgery("export", "digest-ranges")
class VoidDigestedAsADraw(Operator):
    def on_digest_items(self, items):
        return [item._replace(kind="draw") if item.kind == "void" else item for item in items]


@forgery("export", "digest-order")
class DigestFileInAnotherOrder(Operator):
    def on_file(self, path, data):
        leaves = [data[at : at + 32] for at in range(0, len(data), 32)][::-1]
        self.root, self.reverse = root_of(leaves), path == "digests/003.bin"
        return b"".join(leaves) if self.reverse else data

    def on_entry(self, entry):
        turned = isinstance(entry, Digest) and self.reverse
        return replace(entry, root=self.root) if turned else entry

    def on_export(self, lines):
        turned = [line for line in lines if line.digest == 3][::-1]
        return [line if line.digest != 3 else turned.pop(0) for line in lines]


@forgery("export", "session-gap")
class DrawHiddenFromItsSession(Operator):
    def before_draws(self):
        self.sessions["casino", "evening"] = 1


@forgery("export", "session-repeated")
class SessionNumberUsedTwice(Operator):
    def on_binding(self, kind, members):
        return members | {"session_seq": 1} if members.get("session_seq") == 4 else members


@forgery("export", "settle-twice")
class SettlementCountedTwice(Operator):
    def before_draws(self):
        draw = self.draw(self.pools[2 + 1])
        self.settle(draw, bet={"bet": "pick", "numbers": [1]})
        self.settle(draw, bet={"bet": "pick", "numbers": [1]})


@forgery("export", "settle-draw")
class SettlementOfADrawThatNeverWas(Operator):
    def on_binding(self, kind, members):
        return members | {"draw": "00" * 32} if kind == "settle" else members


@forgery("export", "settle-slot")
class SettlementOfAnotherSlot(Operator):
    def on_binding(self, kind, members):
        return members | {"slot": 7} if kind == "settle" else members

    def settle(self, draw, **arguments):
        record = super().settle(draw, **arguments)
        record.slot = 7
        return record


@forgery("export", "settle-confirm")
class ConfirmationThatContradictsTheDraw(Operator):
    def on_binding(self, kind, members):
        return members | {"payout_minor": 10**6} if members.get("status") == "confirm" else members


@forgery("export", "settle-confirm")
class ConfirmationOfADrawWithoutABet(Operator):
    def on_binding(self, kind, members):
        return members | {"status": "confirm"} if kind == "settle" else members


@forgery("export", "settle-payout")
class SettlementThatContradictsItsBet(Operator):
    def on_binding(self, kind, members):
        bet = {"bet": "under", "threshold": 9000}
        return members | {"bet": bet, "payout_minor": 1} if members.get("status") == "final" else members


@forgery("export", "void-opened")
class VoidRecordOfAnotherSecret(Operator):
    def on_record(self, kind, record):
        at = record.find(b'"opened":"') + 10
        return record[:at] + b"00" * 32 + record[at + 64 :] if kind == "void" else record


@forgery("export", "ticket-voided-early")
class TicketThrownAwayBeforeItExpired(Operator):
    def on_binding(self, kind, members):
        return members | {"expires": members["expires"] + 3600 * SECOND} if kind == "ticket" else members


@forgery("export", "void-ticket")
class ExpiredTicketThatIsNotNamed(Operator):
    def on_binding(self, kind, members):
        return {k: v for k, v in members.items() if k != "ticket"} if kind == "void" else members


@forgery("export", "void-ticket")
class AnotherTicketNamedByAVoid(Operator):
    def on_binding(self, kind, members):
        return members | {"ticket": "00" * 32} if kind == "void" and "ticket" in members else members


@forgery("export", "ticket-ignored")
class TicketedSlotGivenToSomebodyElse(Operator):
    def on_binding(self, kind, members):
        return (
            {k: v for k, v in members.items() if k not in {"ticket", "session", "session_seq"}}
            if kind == "draw"
            else members
        )


@forgery("export", "ticket-missing")
class DrawOnATicketThatNeverWas(Operator):
    def on_binding(self, kind, members):
        named = kind == "draw" and "ticket" not in members and "count" not in members
        return members | {"ticket": "00" * 32} if named else members


@forgery("export", "pool-program")
class BindingForAnotherProgram(Operator):
    def on_binding(self, kind, members):
        return members | {"program": "bonus"} if kind == "draw" else members


@forgery("export", "lane-choice", lanes=2)
class SessionInALaneOfTheOperatorsChoice(Operator):
    def commit(self, stream, size, *, lane=0):
        return super().commit(stream, size, lane=1 - lane if stream.endswith("real") else lane)


@forgery("export", "bet-invalid")
class BetThatTheGameDoesNotTake(Operator):
    def on_record(self, kind, record):
        return record.replace(b'"threshold":9000', b'"threshold":9999') if kind == "draw" else record


def examine(operator, who, directory):
    if who == "log":
        verify_log(operator.source, operator.vkey)
    elif who == "export":
        verify_export(operator.export(directory / "export"), operator.source, operator.vkey)
    else:
        verify_receipt(operator.receipt(getattr(operator, who)), operator.source, operator.vkey)


@pytest.mark.parametrize(("kind", "who", "reason", "shape"), CATALOGUE)
def test_the_forgery_is_caught_with_its_reason(kind, who, reason, shape, tmp_path):
    operator = kind(tmp_path / "public", **shape)
    tell(operator)
    with pytest.raises(Fault) as caught:
        examine(operator, who, tmp_path)
    assert caught.value.reason == reason


def test_an_older_checkpoint_of_another_history_is_not_extended(tmp_path):
    class Twin(Operator):
        def before_draws(self):
            self.draw(self.pools[0])

    told, hidden = Operator(tmp_path / "told"), Twin(tmp_path / "hidden")
    tell(told)
    tell(hidden)
    kept = (hidden.directory / "checkpoint").read_bytes()
    with pytest.raises(Fault) as caught:
        verify_log(told.source, told.vkey, old_checkpoint=kept)
    assert caught.value.reason == "consistency"


def test_a_log_cut_back_to_an_earlier_state_does_not_extend_the_later_one(tmp_path):
    class CutBack(Operator):
        def before_draws(self):
            self.earlier = (self.directory / "checkpoint").read_bytes()

    operator = CutBack(tmp_path / "public")
    tell(operator)
    later = (operator.directory / "checkpoint").read_bytes()
    (operator.directory / "checkpoint").write_bytes(operator.earlier)
    with pytest.raises(Fault) as caught:
        verify_log(operator.source, operator.vkey, old_checkpoint=later)
    assert caught.value.reason == "consistency"


def test_an_export_of_another_environment_is_refused(tmp_path):
    operator, other = Operator(tmp_path / "one"), Operator(tmp_path / "two", origin="example.org/live")
    tell(operator)
    tell(other)
    with pytest.raises(Fault) as caught:
        verify_export(other.export(tmp_path / "export"), operator.source, operator.vkey)
    assert caught.value.reason in {"record-digest", "export-origin"}


def test_an_export_that_ends_behind_the_log_is_refused(tmp_path):
    operator = Operator(tmp_path / "public")
    tell(operator)
    path = operator.export(tmp_path / "export", last=99)
    with pytest.raises(Fault) as caught:
        verify_export(path, operator.source, operator.vkey)
    assert caught.value.reason == "export-range"


def test_a_truncated_receipt_is_refused(tmp_path):
    operator = Operator(tmp_path / "public")
    tell(operator)
    data = operator.receipt(operator.plain)
    for size in (0, 1, len(data) // 2, len(data) - 1):
        with pytest.raises(Fault) as caught:
            verify_receipt(data[:size], operator.source, operator.vkey)
        assert caught.value.reason == "malformed"


def test_a_fault_names_the_entry_and_the_file(tmp_path):
    operator = RecordExchangedInTheFile(tmp_path / "public")
    tell(operator)
    with pytest.raises(Fault) as caught:
        verify_log(operator.source, operator.vkey)
    assert caught.value.path == "digests/002.bin"
    assert operator.entries[caught.value.entry].endswith(b'"type":"digest","v":1}')
    assert f"entry {caught.value.entry}, digests/002.bin" in str(caught.value)


def test_the_catalogue_is_as_long_as_promised():
    assert len(CATALOGUE) >= 100
