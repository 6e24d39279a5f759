"""One record from its pool's commitment to the checkpoint that anchors it, every link of the way checked.

It says nothing that a receipt, the proof files and the public directory do not say; it says it in one place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anchor.checkpoint import open_checkpoint
from anchor.errors import VerificationError
from anchor.merkle import leaf_hash
from anchor.note import VerifierKey, parse_note
from anchor.reader import LogReader
from anchor.source import Source
from rng_service.log_entries import PoolActivate, PoolCommit, parse_entry
from rng_service.records.receipt import Receipt, parse_receipt
from rng_service.verify.evaluation import PoolEvaluator
from rng_service.verify.opened import OpenedRecord, read_record
from rng_service.verify.proof import verify_record_proof
from rng_service.verify.receipt import verify_receipt
from rng_service.verify.registry import read_game
from rng_service.verify.report import ReceiptReport
from rng_service.verify.settlements import Settlements

__all__ = ["Recaller"]

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recaller:
    """Checks and describes records of one log; ``now_us`` is the verifier's own clock."""

    source: Source
    vkey: VerifierKey
    now_us: int

    def receipt(self, file: bytes, proof: bytes, settlements: Sequence[tuple[bytes, bytes]]) -> Fields:
        """Return the chain of a draw or a ticket; ``settlements`` are (record, proof file) of its outcomes.

        Raises VerificationError for the first link that does not hold.
        """
        report = verify_receipt(file, self.source, self.vkey, now_us=self.now_us)
        receipt = parse_receipt(file)
        record = read_record(receipt.record)
        commit_data, commit, activation = self._pool(receipt)
        found: Fields = {
            "kind": report.kind,
            "commitment": _commitment(receipt, commit_data, commit),
            "activation": self._activation(receipt, activation),
            "binding": _binding(record),
            "protection": {
                "content": report.protection.content,
                "assignment": report.protection.assignment,
                "foreseen": report.protection.foreseen,
            },
        }
        if report.kind == "draw":
            found["outcome"] = [str(value) for value in report.outcome]
            found["payouts_minor"] = _payouts(report)
            evaluator = PoolEvaluator(
                commit,
                leaf_hash(commit_data),
                activation.beacon_value or b"",
                read_game(self.source, commit.game_digest),
            )
            found["settlements"] = self._settlements(record, evaluator, settlements)
        found["anchor"] = self._anchor(record, proof)
        return found

    def settlement(self, record: bytes, proof: bytes) -> Fields:
        """Return what is known of a settlement by itself; its draw is recalled by the draw's own request."""
        settled = read_record(record)
        return {"kind": "settle", "settlement": _settlement(settled), "anchor": self._anchor(settled, proof)}

    def _pool(self, receipt: Receipt) -> tuple[bytes, PoolCommit, PoolActivate]:
        reader = LogReader(self.source, self.vkey)
        data = reader.entry(receipt.commit_index)
        commit, activation = parse_entry(data), parse_entry(reader.entry(receipt.activate_index))
        if not isinstance(commit, PoolCommit) or not isinstance(activation, PoolActivate):
            raise VerificationError(
                "receipt-commit", "the entries that the receipt names are no commitment and activation"
            )
        return data, commit, activation

    def _activation(self, receipt: Receipt, activation: PoolActivate) -> Fields:
        covered = open_checkpoint(activation.checkpoint, self.vkey)
        found: Fields = {
            "index": receipt.activate_index,
            "time_us": activation.time_us,
            "checkpoint_size": covered.size,
            "witnesses": _witnesses(activation.checkpoint, self.vkey),
        }
        if activation.beacon_value is not None:
            found["beacon_value"] = activation.beacon_value.hex()
        return found

    def _settlements(
        self, record: OpenedRecord, evaluator: PoolEvaluator, settlements: Sequence[tuple[bytes, bytes]]
    ) -> list[Fields]:
        book = Settlements({record.digest}, complete_from_start=True)
        outcomes = evaluator.outcomes(record.slot, record.secrets, record.client_seed)
        own = record.binding
        payouts = evaluator.payouts(own["bet"], own["stake_minor"], outcomes) if "bet" in own else None
        book.drawn(record, outcomes, payouts, evaluator)
        found = []
        for data, proof in settlements:
            settled = read_record(data)
            book.take(settled)
            found.append({**_settlement(settled), "anchor": self._anchor(settled, proof)})
        return found

    def _anchor(self, record: OpenedRecord, proof: bytes) -> Fields | None:
        if not proof:
            return None
        report = verify_record_proof(record, proof, self.vkey, self.vkey.name)
        reader = LogReader(self.source, self.vkey)
        checkpoint = reader.checkpoint()
        return {
            "digest": report.digest_seq,
            "digest_index": report.entry_index,
            "digest_time_us": report.digest_time_us,
            "checkpoint_size": checkpoint.size,
            "checkpoint_root": checkpoint.root.hex(),
            "witnesses": _witnesses(reader.checkpoint_note(), self.vkey),
        }


def _witnesses(note: bytes, vkey: VerifierKey) -> list[str]:
    """Return the names on a checkpoint beside the log's own; whether they count is for a policy to say."""
    return [item.name for item in parse_note(note).unverified if item.name != vkey.name]


def _commitment(receipt: Receipt, data: bytes, commit: PoolCommit) -> Fields:
    found: Fields = {
        "pool": commit.pool,
        "index": receipt.commit_index,
        "time_us": commit.time_us,
        "leaf": leaf_hash(data).hex(),
        "size": commit.size,
        "slot_root": commit.slot_root.hex(),
        "game_digest": commit.game_digest.hex(),
    }
    if commit.beacon is not None:
        found["beacon"] = {"chain": commit.beacon.chain.hex(), "round": commit.beacon.round}
    if commit.test_plan is not None:
        found["test_plan"] = commit.test_plan.hex()
    return found


def _binding(record: OpenedRecord) -> Fields:
    wanted = (
        "bind_time", "caller", "session", "session_seq", "round", "step", "client_seed", "client_seed_hash", "ticket",
        "stake_minor", "currency", "bet", "expires", "request",
    )  # fmt: skip
    found = {name: record.binding[name] for name in wanted if name in record.binding}
    return {"slot": record.slot, "slots": record.slots, "hash": record.binding_hash.hex(), **found}


def _settlement(record: OpenedRecord) -> Fields:
    wanted = ("pool", "slot", "draw", "bettor", "stake_minor", "payout_minor", "currency", "status", "bet", "reason",
              "bind_time", "request")  # fmt: skip
    return {name: record.binding[name] for name in wanted if name in record.binding}


def _payouts(report: ReceiptReport) -> list[str] | None:
    return None if report.payouts_minor is None else [str(value) for value in report.payouts_minor]
