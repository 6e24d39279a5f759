"""Checks of one answer against the log's facts: steps 2 to 8 of PROTOCOL.md, section 8, and the request itself.

Whether the record reaches a digest in time (step 9) shows only later: `sealdraw verify receipt` checks that from the
saved receipt file.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anchor.errors import VerificationError
from anchor.merkle import root_from_inclusion
from anchor.note import parse_note
from anchor.range_path import root_from_range
from rng_service.client.expectation import Expectation
from rng_service.client.facts import LogFacts, PoolFacts
from rng_service.client.receipt import Receipt, Settlement
from rng_service.encoding import OPENING_LABEL, lp
from rng_service.pools.slots import slot_leaves
from rng_service.records.protection import BEACON_UNWITNESSED, BEACON_WITNESSED, protection_of
from rng_service.records.receipt import Opening, parse_receipt
from rng_service.verify.fault import require
from rng_service.verify.opened import OpenedRecord, read_record
from rng_service.verify.receipt import WitnessPolicy, check_ticket


def check_receipt(
    receipt: Receipt, expectation: Expectation, facts: LogFacts, policy: WitnessPolicy | None = None
) -> None:
    """Check the receipt of a draw or a ticket; raises VerificationError, MalformedError, or MissingError (later)."""
    file, record = receipt.file, receipt.record
    # What is saved must be readable by everybody else, byte for byte.
    require(parse_receipt(file.to_bytes()) == file, "receipt-form", "the answer has no receipt file")
    expectation.check(record)
    pool = facts.pool(record.pool, file.commit_index, file.activate_index)
    require(record.binding["program"] == pool.commit.program, "pool-program", f"{record.pool} is of another program")
    _check_slots(receipt, pool)
    _check_outcome(receipt, pool)
    expectation.check_bet(record, pool.game)
    _check_held_ticket(receipt)
    check_opening(record, file.opening, file.origin, facts)
    _check_labels(receipt, pool, policy)


def check_settlement(settlement: Settlement, expectation: Expectation, origin: str, facts: LogFacts) -> None:
    """Check a settlement's members and the vault's signature over its record; errors as for `check_receipt`."""
    expectation.check(settlement.record)
    check_opening(settlement.record, settlement.opening, origin, facts)


def check_opening(record: OpenedRecord, opening: Opening, origin: str, facts: LogFacts) -> None:
    """Check that a receipt key of the log signed this record."""
    try:
        root = root_from_inclusion(opening.index, opening.size, record.digest, opening.path)
    except VerificationError as error:
        raise VerificationError("opening-path", error.message) from None
    message = OPENING_LABEL + lp(origin.encode("ascii")) + root
    try:
        Ed25519PublicKey.from_public_bytes(facts.receipt_key(opening.key_id)).verify(opening.signature, message)
    except InvalidSignature:
        raise VerificationError("opening-signature", f"key {opening.key_id.hex()} did not sign this record") from None


def _check_slots(receipt: Receipt, pool: PoolFacts) -> None:
    record, path, size = receipt.record, receipt.file.slot_path, pool.commit.size
    require(record.slot + record.slots <= size, "slot-range", f"{record.pool} has {size} slots")
    if record.kind == "ticket":
        # The commitment fixes the slot's secret whatever the path says, and the draw proves it with the secret
        # itself; checking the path now would take the pool's whole file of leaves.
        return
    leaves = slot_leaves(record.pool, record.secrets, record.slot)
    if record.slots == 1:
        found = root_from_inclusion(record.slot, size, leaves[0], path)
    else:
        found = root_from_range(size, record.slot, leaves, path)
    require(
        found == pool.commit.slot_root,
        "slot-root",
        f"secrets and path give the slot root {found.hex()}, committed is {pool.commit.slot_root.hex()}",
    )


def _check_outcome(receipt: Receipt, pool: PoolFacts) -> None:
    record, binding = receipt.record, receipt.record.binding
    if record.kind == "ticket":
        require(not receipt.file.outcome and receipt.payouts_minor is None, "outcome", "a ticket has no outcome yet")
        return
    require(record.kind == "draw", "receipt-kind", f"a receipt is of a draw or a ticket, not of a {record.kind}")
    outcomes = pool.evaluator.outcomes(record.slot, record.secrets, record.client_seed)
    require(
        outcomes == receipt.outcomes,
        "outcome",
        f"the record gives {outcomes[:4]}, the answer states {receipt.outcomes[:4]}",
    )
    payouts = None
    if "bet" in binding and "stake_minor" in binding:
        payouts = tuple(pool.evaluator.payouts(binding["bet"], binding["stake_minor"], outcomes))
    require(
        payouts == receipt.payouts_minor,
        "payouts",
        f"the bet gives {payouts}, the answer states {receipt.payouts_minor}",
    )


def _check_held_ticket(receipt: Receipt) -> None:
    held = receipt.file.ticket
    require(
        ("ticket" in receipt.record.binding) == (held is not None),
        "ticket-missing",
        "a receipt holds a ticket's record exactly when its binding names a ticket",
    )
    if held is not None:
        check_ticket(receipt.record, read_record(held))


def _check_labels(receipt: Receipt, pool: PoolFacts, policy: WitnessPolicy | None) -> None:
    stated, binding = receipt.protection, receipt.record.binding
    labels = protection_of(
        beacon=pool.commit.beacon is not None,
        witnessed=policy is not None and policy(pool.activation.checkpoint),
        development=pool.chain is not None and pool.chain.development,
        ticketed="ticket" in binding,
        seeded="client_seed" in binding,
    )
    accepted = {labels.content}
    if labels.content == BEACON_WITNESSED:
        # The operator may know of no witness that the caller trusts; claiming less is no cheat.
        accepted.add(BEACON_UNWITNESSED)
    elif (
        labels.content == BEACON_UNWITNESSED
        and policy is None
        and parse_note(pool.activation.checkpoint).unverified[1:]
    ):
        # Who trusts no witness by name cannot contradict a checkpoint that carries cosignatures.
        accepted.add(BEACON_WITNESSED)
    require(
        stated.content in accepted
        and (stated.assignment, stated.foreseen, stated.development_beacon)
        == (labels.assignment, labels.foreseen, labels.development_beacon),
        "protection",
        f"the answer claims {stated}, what it had is {labels}",
    )
