"""The steps of a receipt's verification that need no walk over the log (PROTOCOL.md, section 8, steps 2 to 8).

Shared by the auditor, who reads the whole log for one receipt, and the client, who keeps the facts of its pools. Each
function raises VerificationError with the reason that its step has.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anchor.errors import VerificationError
from anchor.merkle import root_from_inclusion
from anchor.note import VerifierKey, parse_note
from anchor.range_path import root_from_range
from anchor.reader import LogReader
from rng_service.beacon.chain import ChainInfo
from rng_service.encoding import OPENING_LABEL, lp
from rng_service.log_entries import LogConfig, PoolActivate, PoolCommit
from rng_service.names import parse_pool_id
from rng_service.pools.slots import slot_leaves
from rng_service.records.protection import BEACON_UNWITNESSED, BEACON_WITNESSED, Protection, protection_of
from rng_service.records.receipt import Opening
from rng_service.verify.clock import LogTime
from rng_service.verify.commitment import (
    check_activation_beacon,
    check_activation_checkpoint,
    check_activation_time,
    check_commit_beacon,
)
from rng_service.verify.deals import check_deal_record
from rng_service.verify.evaluation import PoolEvaluator
from rng_service.verify.fault import located, require
from rng_service.verify.opened import OpenedRecord, read_record

WitnessPolicy = Callable[[bytes, int], bool]
"""Whether a checkpoint's note has enough cosignatures, of the witnesses whom the verifier trusts, that state a time
before the given one (microseconds UTC: when the beacon's round is published). Later ones show nothing."""

WITNESSES_SKIPPED = "cosignatures were not checked: no witness policy was given"


class Labels(NamedTuple):
    """What the verifier itself could establish, and whether it left cosignatures unchecked."""

    protection: Protection
    witnesses_skipped: bool


def check_commit(commit: PoolCommit, pool: str, config: LogConfig, chain: ChainInfo | None, log_time: LogTime) -> None:
    """Step 2: the commitment is to this pool, and its round lay in the future.

    ``chain`` is the one that the commitment names, announced before it; ``log_time`` what the digests before the
    commitment had said. Raises ``receipt-commit``, ``pool-environment``, ``beacon-chain``, ``beacon-round-early``,
    ``commit-deadline``.
    """
    require(commit.pool == pool, "receipt-commit", f"commits to {commit.pool}, the record is of {pool}")
    environment = parse_pool_id(pool).environment
    require(environment == config.environment, "pool-environment", f"{pool} in the log of {config.environment}")
    if commit.beacon is None:
        return
    if chain is None:
        raise VerificationError("beacon-chain", f"{commit.pool} names a chain that the log did not before it")
    check_commit_beacon(commit, commit.beacon, chain, config.beacon_margin_s, log_time)


def check_activation(
    activation: PoolActivate,
    commit: PoolCommit,
    commit_index: int,
    commit_leaf: bytes,
    chain: ChainInfo | None,
    reader: LogReader,
    vkey: VerifierKey,
) -> bool:
    """Step 2: the activation is of this commitment, which was published, and has its round in time.

    Returns False when the pairing library is missing, so that the beacon's signature was not checked. Raises
    ``receipt-activation``, ``activation-…``, ``beacon-signature``, ``beacon-value``, and what opening a note raises.
    """
    require(
        activation.pool == commit.pool,
        "receipt-activation",
        f"activates {activation.pool}, the record is of {commit.pool}",
    )
    require(
        (activation.commit_index, activation.commit) == (commit_index, commit_leaf),
        "activation-commit",
        "the activation names another commitment",
    )
    check_activation_checkpoint(activation, reader, vkey)
    check_activation_time(commit, activation)
    return check_activation_beacon(commit, activation, chain)


def check_slots(
    record: OpenedRecord, slot_path: tuple[bytes, ...], commit: PoolCommit, published_leaf: bytes | None = None
) -> None:
    """Step 3: the secrets are those that were committed to.

    A ticket has no secret yet: ``published_leaf`` is then the slot's leaf as the public file has it. Raises
    ``slot-range``, ``slot-root``, ``inclusion``.
    """
    require(
        record.slot + record.slots <= commit.size,
        "slot-range",
        f"{record.pool} has {commit.size} slots, the record takes up to {record.slot + record.slots - 1}",
    )
    leaves = slot_leaves(record.pool, record.secrets, record.slot) if published_leaf is None else [published_leaf]
    if record.slots == 1:
        found = root_from_inclusion(record.slot, commit.size, leaves[0], slot_path)
    else:
        found = root_from_range(commit.size, record.slot, leaves, slot_path)
    require(
        found == commit.slot_root,
        "slot-root",
        f"secrets and path give the slot root {found.hex()}, committed is {commit.slot_root.hex()}",
    )


def check_program(record: OpenedRecord, commit: PoolCommit) -> None:
    """Step 4: binding, commitment and pool id name one program; raises ``pool-program``."""
    program = parse_pool_id(record.pool).stream.program
    require(
        record.binding["program"] == commit.program == program,
        "pool-program",
        f"the binding is of {record.binding['program']}, the commitment of {commit.program}",
    )


def check_outcome(
    record: OpenedRecord, outcome: tuple[int, ...], payouts_minor: tuple[int, ...] | None, evaluator: PoolEvaluator
) -> None:
    """Step 5: outcome (flat over all slots) and payouts follow from the record; a ticket has neither.

    Raises ``outcome``, ``payouts``, ``bet-invalid``, and of a deal as `check_deal_record`.
    """
    check_deal_record(record, evaluator.program)
    if record.kind == "ticket":
        require(not outcome and payouts_minor is None, "outcome", "a ticket has no outcome yet")
        return
    require(record.kind == "draw", "receipt-kind", f"a receipt is of a draw or a ticket, not of a {record.kind}")
    binding = record.binding
    outcomes = evaluator.outcomes(record.slot, record.secrets, record.client_seed)
    flat = tuple(value for values in outcomes for value in values)
    require(flat == outcome, "outcome", f"the record gives {_shown(flat)}, stated is {_shown(outcome)}")
    payouts = None
    if "bet" in binding and "stake_minor" in binding:
        payouts = tuple(evaluator.payouts(binding["bet"], binding["stake_minor"], outcomes))
    require(
        payouts == payouts_minor,
        "payouts",
        f"the bet gives {_shown(payouts)}, stated is {_shown(payouts_minor)}",
    )


def check_held_ticket(record: OpenedRecord, ticket: bytes | None) -> OpenedRecord | None:
    """Step 6: a draw on a ticket comes with the ticket's record, and no other does; return that record.

    Raises ``ticket-missing`` and what `check_ticket` and `check_ticket_term` raise.
    """
    require(
        ("ticket" in record.binding) == (ticket is not None),
        "ticket-missing",
        "a receipt holds a ticket's record exactly when its binding names a ticket",
    )
    if record.kind == "ticket":
        check_ticket_term(record)
    if ticket is None:
        return None
    with located(path="receipt"):
        held = read_record(ticket)
    check_ticket(record, held)
    return held


def check_ticket(draw: OpenedRecord, ticket: OpenedRecord) -> None:
    """Check that a draw may use this ticket.

    Raises ``ticket-hash``, ``ticket-slot``, ``ticket-holder``, ``ticket-seed``, ``ticket-stillborn``.
    """
    require(ticket.kind == "ticket", "ticket-hash", f"the ticket is a record of kind {ticket.kind}")
    require(
        ticket.binding_hash.hex() == draw.binding["ticket"],
        "ticket-hash",
        "the ticket's binding does not hash to what the draw names",
    )
    require(
        (ticket.pool, ticket.slot) == (draw.pool, draw.slot),
        "ticket-slot",
        f"the ticket is for slot {ticket.slot} of {ticket.pool}, drawn was {draw.slot} of {draw.pool}",
    )
    for name in ("caller", "program", "session", "session_seq"):
        require(
            ticket.binding.get(name) == draw.binding.get(name),
            "ticket-holder",
            f"{name} of the ticket is {ticket.binding.get(name)}, of the draw {draw.binding.get(name)}",
        )
    check_ticket_seed(draw)
    require(
        sha256(draw.client_seed).hexdigest() == ticket.binding["client_seed_hash"],
        "ticket-seed",
        "the client seed is not the one whose hash the ticket holds",
    )
    check_ticket_term(ticket)


def check_ticket_seed(draw: OpenedRecord) -> None:
    """Check that a draw on a ticket has a client seed: the hash of nothing protects nobody. Raises ``ticket-seed``."""
    require("client_seed" in draw.binding, "ticket-seed", "a draw on a ticket has a client seed, this one has none")


def check_ticket_term(ticket: OpenedRecord) -> None:
    """Check that a ticket was good for some time; raises ``ticket-stillborn``."""
    issued, expires = ticket.binding["bind_time"], ticket.binding["expires"]
    require(expires > issued, "ticket-stillborn", f"the ticket of {issued} was good until {expires}")


def check_opening(record: OpenedRecord, opening: Opening, origin: str, public_key: bytes | None) -> None:
    """Step 7: the receipt key of the opening's id signed this record; None when the log announces no such key.

    Raises ``opening-key``, ``opening-path``, ``opening-signature``.
    """
    if public_key is None:
        raise VerificationError("opening-key", f"no key.receipt announces {opening.key_id.hex()}")
    require(opening.index < opening.size, "opening-path", f"{opening.index} of {opening.size} records")
    try:
        root = root_from_inclusion(opening.index, opening.size, record.digest, opening.path)
    except VerificationError as error:
        raise VerificationError("opening-path", error.message) from None
    message = OPENING_LABEL + lp(origin.encode("ascii")) + root
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(opening.signature, message)
    except InvalidSignature:
        raise VerificationError("opening-signature", f"key {opening.key_id.hex()} did not sign this record") from None


def check_labels(
    stated: Protection,
    record: OpenedRecord,
    commit: PoolCommit,
    activation: PoolActivate,
    chain: ChainInfo | None,
    policy: WitnessPolicy | None,
) -> Labels:
    """Step 8: the labels are no better than the facts; raises ``protection``."""
    witnessed = False
    if policy is not None and chain is not None and commit.beacon is not None:
        witnessed = policy(activation.checkpoint, chain.time_of(commit.beacon.round))
    facts = protection_of(
        beacon=commit.beacon is not None,
        witnessed=witnessed,
        development=chain is not None and chain.development,
        ticketed="ticket" in record.binding,
        seeded="client_seed" in record.binding,
    )
    accepted, skipped = {facts.content}, False
    if facts.content == BEACON_WITNESSED:
        # The operator may know of no witness that the verifier trusts; claiming less is no cheat.
        accepted.add(BEACON_UNWITNESSED)
    elif facts.content == BEACON_UNWITNESSED and policy is None:
        # Who trusts no witness by name cannot contradict a checkpoint that carries cosignatures.
        skipped = True
        if parse_note(activation.checkpoint).unverified[1:]:
            accepted.add(BEACON_WITNESSED)
    others = (stated.assignment, stated.foreseen, stated.development_beacon)
    require(
        stated.content in accepted and others == (facts.assignment, facts.foreseen, facts.development_beacon),
        "protection",
        f"the receipt claims {_labels(stated)}, what it had is {_labels(facts)}",
    )
    return Labels(facts, skipped)


def _shown(values: tuple[int, ...] | None) -> str:
    if values is None:
        return "none"
    text = " ".join(map(str, values[:20]))
    return text if len(values) <= 20 else f"{text} … ({len(values)} values)"


def _labels(protection: Protection) -> str:
    development = ", development beacon" if protection.development_beacon else ""
    return f"{protection.content}, {protection.assignment}, {protection.foreseen}{development}"
