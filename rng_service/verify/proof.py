"""Verify a receipt's proof file: from the record to a signed checkpoint, with nothing but the log's key.

Source: PROTOCOL.md, section 12; C2SP tlog-proof.
"""

from typing import Final

from anchor.errors import VerificationError
from anchor.merkle import leaf_hash, root_from_inclusion
from anchor.note import VerifierKey
from anchor.proof import parse_proof, verify_proof
from rng_service.log_entries import Digest, parse_entry
from rng_service.records.proof import parse_record_place
from rng_service.verify.digests import check_digest_form
from rng_service.verify.fault import located, require
from rng_service.verify.opened import OpenedRecord
from rng_service.verify.place import check_place
from rng_service.verify.receipt import read_receipt
from rng_service.verify.receipt_digest import check_bind_time
from rng_service.verify.report import ProofReport

LEFT_OUT: Final = (
    "commitment, slot, game, outcome, payouts, ticket, signature and labels: verify the receipt against the log",
    "whether the log kept its rules and its promises: verify the log",
)


def verify_proof_file(receipt: bytes, proof: bytes, vkey: str | VerifierKey) -> ProofReport:
    """Check that the record of a receipt file stands in a digest of the log with this key, by its proof file alone.

    Raises Fault, a VerificationError: ``malformed``, ``receipt-kind``, ``receipt-origin``, ``proof-extra``,
    ``record-digest``, ``digest-…``, ``bind-time-ahead``, ``inclusion``, and what opening a checkpoint raises.
    """
    with located():
        key = vkey if isinstance(vkey, VerifierKey) else VerifierKey.parse(vkey)
        stated, record = read_receipt(receipt)
        return verify_record_proof(record, proof, key, stated.origin)


def verify_record_proof(record: OpenedRecord, proof: bytes, vkey: VerifierKey, origin: str) -> ProofReport:
    """Check that ``record``, of any kind, stands in a digest of the log ``origin``; errors as `verify_proof_file`."""
    with located(path="proof"):
        log_proof = parse_proof(proof)
        if log_proof.extra is None:
            raise VerificationError("proof-extra", "the proof names no digest entry")
        place = parse_record_place(log_proof.extra)
        entry = _read_digest(place.entry)
        require(
            entry.origin == origin,
            "receipt-origin",
            f"the receipt is of {origin}, the digest of {entry.origin}",
        )
        _check_member(entry, record, place.index, place.path)
        checkpoint = verify_proof(log_proof, leaf_hash(place.entry), vkey, origin)
    return ProofReport(
        pool=record.pool,
        slot=record.slot,
        slots=record.slots,
        kind=record.kind,
        digest_seq=entry.seq,
        digest_time_us=entry.time_us,
        entry_index=log_proof.index,
        log_size=checkpoint.size,
        skipped=LEFT_OUT,
    )


def _read_digest(data: bytes) -> Digest:
    entry = parse_entry(data)
    if not isinstance(entry, Digest):
        raise VerificationError("proof-extra", f"the entry is a {entry.TYPE}, expected a digest")
    return entry


def _check_member(entry: Digest, record: OpenedRecord, index: int, path: tuple[bytes, ...]) -> None:
    check_digest_form(entry)
    require(index < entry.counts.total, "record-digest", f"place {index} of {entry.counts.total} records")
    root = root_from_inclusion(index, entry.counts.total, record.digest, path)
    require(
        root == entry.root,
        "record-digest",
        f"record and path give the root {root.hex()}, digest {entry.seq} has {entry.root.hex()}",
    )
    check_bind_time(record.binding["bind_time"], entry)
    check_place(entry, record, index)
