"""Verify one receipt against the public directory, in the nine steps of PROTOCOL.md, section 8."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anchor.errors import VerificationError
from anchor.merkle import leaf_hash, root_from_inclusion
from anchor.note import VerifierKey, parse_note
from anchor.range_path import root_from_range
from anchor.reader import LogReader
from anchor.source import Source
from rng_service.beacon.chain import ChainInfo
from rng_service.encoding import OPENING_LABEL, lp
from rng_service.log_entries import (
    BeaconChainEntry,
    Digest,
    Entry,
    LogConfig,
    PoolActivate,
    PoolCommit,
    ReceiptKey,
    parse_entry,
)
from rng_service.names import parse_pool_id
from rng_service.pools.slots import slot_leaves
from rng_service.records.protection import BEACON_UNWITNESSED, BEACON_WITNESSED, Protection, protection_of
from rng_service.records.receipt import Receipt, parse_receipt
from rng_service.verify.commitment import (
    BLS_SKIPPED,
    check_activation_beacon,
    check_activation_checkpoint,
    check_commit_beacon,
    read_leaves,
)
from rng_service.verify.digests import read_digest_file
from rng_service.verify.evaluation import PoolEvaluator, check_game
from rng_service.verify.fault import located, require
from rng_service.verify.opened import OpenedRecord, read_record
from rng_service.verify.outages import Outage, due_after
from rng_service.verify.registry import MICROSECONDS, Registry, read_game
from rng_service.verify.report import ReceiptReport

WitnessPolicy = Callable[[bytes], bool]
"""Whether the cosignatures of a checkpoint's note satisfy whoever verifies."""

_EntryKind = TypeVar("_EntryKind", bound=Entry)

WITNESSES_SKIPPED = "cosignatures were not checked: no witness policy was given"


@dataclass(slots=True)
class _PoolInLog:
    """What one walk over the log found about a record's pool, by the places of the entries."""

    registry: Registry
    commits: list[int] = field(default_factory=list)
    activations: list[int] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)
    newest_digest: int | None = None
    # The digests before and after each outage that was admitted.
    outages: list[tuple[int, int]] = field(default_factory=list)


def verify_receipt(
    data: bytes, source: Source, vkey: str | VerifierKey, policy: WitnessPolicy | None = None
) -> ReceiptReport:
    """Check a receipt file and say in which three senses its draw was fair.

    Raises Fault, a VerificationError, for the first step that fails. ``policy`` judges the cosignatures of
    the checkpoint that published the commitment; without one nothing counts as witnessed.
    """
    with located():
        key = vkey if isinstance(vkey, VerifierKey) else VerifierKey.parse(vkey)
        with located(path="receipt"):
            receipt = parse_receipt(data)
            record = read_record(receipt.record)
            require(
                record.kind in {"draw", "ticket"},
                "receipt-kind",
                f"a receipt is of a draw or a ticket, not of a {record.kind}",
            )
        return _Check(receipt, record, source, key, policy).run()


class _Check:
    """One receipt on its way through the steps."""

    def __init__(
        self,
        receipt: Receipt,
        record: OpenedRecord,
        source: Source,
        vkey: VerifierKey,
        policy: WitnessPolicy | None,
    ) -> None:
        self._receipt = receipt
        self._record = record
        self._source = source
        self._vkey = vkey
        self._policy = policy
        self._reader = LogReader(source, vkey)
        self._skipped: list[str] = []
        self._late_by: str | None = None

    def run(self) -> ReceiptReport:
        receipt, record = self._receipt, self._record
        with located(path="checkpoint"):
            checkpoint = self._reader.checkpoint()
        require(
            checkpoint.origin == receipt.origin,
            "receipt-origin",
            f"the receipt is of {receipt.origin}, the log is {checkpoint.origin}",
        )
        found = self._walk()
        commit, commit_leaf, activation, chain = self._commitment(found)
        self._slots(commit)
        self._outcome(commit, commit_leaf, activation)
        self._ticket()
        self._opening(found)
        protection = self._protection(commit, activation, chain)
        digest = self._digest(found)
        return ReceiptReport(
            pool=record.pool,
            slot=record.slot,
            slots=record.slots,
            kind=record.kind,
            outcome=receipt.outcome,
            payouts_minor=receipt.payouts_minor,
            protection=protection,
            digest_seq=None if digest is None else digest.seq,
            pending=digest is None,
            outage=self._late_by,
            log_size=checkpoint.size,
            skipped=tuple(self._skipped),
        )

    def _walk(self) -> _PoolInLog:
        """Read the whole log once, parsing only what concerns the record's pool."""
        found = _PoolInLog(Registry(self._vkey, self._receipt.origin))
        pool = b'"pool":"' + self._record.pool.encode("ascii") + b'"'
        # An entry is canonical, so its type stands at its end.
        announced = (b'"type":"beacon.chain","v":1}', b'"type":"key.receipt","v":1}', b'"type":"log.config","v":1}')
        admitted = False
        for index, data in enumerate(self._reader.entries()):
            if data.endswith(b'"type":"digest","v":1}'):
                if admitted and found.newest_digest is not None:
                    found.outages.append((found.newest_digest, index))
                found.newest_digest, admitted = index, False
                if pool in data:
                    found.digests.append(index)
            elif data.endswith(b'"type":"incident","v":1}'):
                admitted = admitted or b'"kind":"outage"' in data
            elif data.endswith(announced):
                with located(entry=index):
                    self._announce(found.registry, index, parse_entry(data))
            elif pool in data:
                if data.endswith(b'"type":"pool.commit","v":1}'):
                    found.commits.append(index)
                elif data.endswith(b'"type":"pool.activate","v":1}'):
                    found.activations.append(index)
        return found

    def _announce(self, registry: Registry, index: int, entry: Entry) -> None:
        match entry:
            case LogConfig():
                registry.set_config(index, entry)
            case ReceiptKey():
                registry.add_receipt_key(entry)
            case BeaconChainEntry():
                registry.add_chain(entry)
            case _:
                raise VerificationError("entry-malformed", f"did not expect an entry of type {entry.TYPE}")

    def _commitment(self, found: _PoolInLog) -> tuple[PoolCommit, bytes, PoolActivate, ChainInfo | None]:
        """Step 2: the pool was committed to and activated in these two entries, and nowhere before."""
        receipt, pool = self._receipt, self._record.pool
        commit, data = self._entry(receipt.commit_index, "receipt-commit", PoolCommit)
        activation, _ = self._entry(receipt.activate_index, "receipt-activation", PoolActivate)
        config = found.registry.require_config()
        leaf = leaf_hash(data)
        with located(entry=receipt.commit_index):
            require(commit.pool == pool, "receipt-commit", f"commits to {commit.pool}, the record is of {pool}")
            require(
                found.commits[:1] == [receipt.commit_index],
                "receipt-commit",
                f"{pool} was committed to in entry {found.commits[0] if found.commits else 'none'} first",
            )
            environment = parse_pool_id(pool).environment
            require(
                environment == config.environment,
                "pool-environment",
                f"{pool} in the log of {config.environment}",
            )
            chain = self._chain(commit, found.registry, config.beacon_margin_s)
        with located(entry=receipt.activate_index):
            require(
                activation.pool == pool and found.activations[:1] == [receipt.activate_index],
                "receipt-activation",
                f"is not the first activation of {pool}",
            )
            require(
                (activation.commit_index, activation.commit) == (receipt.commit_index, leaf),
                "activation-commit",
                "the activation names another commitment",
            )
            require(
                receipt.activate_index > receipt.commit_index,
                "receipt-activation",
                "the activation lies before the commitment",
            )
            check_activation_checkpoint(activation, self._reader, self._vkey)
            if not check_activation_beacon(commit, activation, chain):
                self._skipped.append(BLS_SKIPPED)
        return commit, leaf, activation, chain

    def _entry(self, index: int, reason: str, kind: type[_EntryKind]) -> tuple[_EntryKind, bytes]:
        size = self._reader.checkpoint().size
        require(index < size, reason, f"entry {index} of a log with {size}")
        with located(entry=index):
            data = self._reader.entry(index)
            entry = parse_entry(data)
            if not isinstance(entry, kind):
                raise VerificationError(reason, f"is a {entry.TYPE}, expected a {kind.TYPE}")
        return entry, data

    def _chain(self, commit: PoolCommit, registry: Registry, margin_s: int) -> ChainInfo | None:
        if commit.beacon is None:
            return None
        chain = registry.chains.get(commit.beacon.chain)
        if chain is None:
            raise VerificationError("beacon-chain", f"{commit.pool} names a chain that the log does not")
        check_commit_beacon(commit, commit.beacon, chain, margin_s)
        return chain

    def _slots(self, commit: PoolCommit) -> None:
        """Step 3: the secrets are those that were committed to."""
        record, path = self._record, self._receipt.slot_path
        require(
            record.slot + record.slots <= commit.size,
            "slot-range",
            f"{record.pool} has {commit.size} slots, the record takes up to {record.slot + record.slots - 1}",
        )
        if record.kind == "ticket":
            leaves = [read_leaves(self._source, commit)[32 * record.slot : 32 * record.slot + 32]]
        else:
            leaves = slot_leaves(record.pool, record.secrets, record.slot)
        if record.slots == 1:
            found = root_from_inclusion(record.slot, commit.size, leaves[0], path)
        else:
            found = root_from_range(commit.size, record.slot, leaves, path)
        require(
            found == commit.slot_root,
            "slot-root",
            f"secrets and path give the slot root {found.hex()}, committed is {commit.slot_root.hex()}",
        )

    def _outcome(self, commit: PoolCommit, leaf: bytes, activation: PoolActivate) -> None:
        """Steps 4 and 5: the game is the committed one, and the outcome and payouts follow from the record."""
        receipt, record, binding = self._receipt, self._record, self._record.binding
        pool = parse_pool_id(record.pool)
        game = read_game(self._source, commit.game_digest)
        check_game(game, commit, pool.stream.game, pool.stream.version)
        require(
            binding["program"] == commit.program == pool.stream.program,
            "pool-program",
            f"the binding is of {binding['program']}, the commitment of {commit.program}",
        )
        if record.kind == "ticket":
            require(not receipt.outcome and receipt.payouts_minor is None, "outcome", "a ticket has no outcome yet")
            return
        evaluator = PoolEvaluator(commit, leaf, activation.beacon_value or b"", game)
        outcomes = evaluator.outcomes(record.slot, record.secrets, record.client_seed)
        flat = tuple(value for outcome in outcomes for value in outcome)
        require(
            flat == receipt.outcome,
            "outcome",
            f"the record gives {_shown(flat)}, the receipt states {_shown(receipt.outcome)}",
        )
        payouts = None
        if "bet" in binding and "stake_minor" in binding:
            payouts = tuple(evaluator.payouts(binding["bet"], binding["stake_minor"], outcomes))
        require(
            payouts == receipt.payouts_minor,
            "payouts",
            f"the bet gives {_shown(payouts)}, the receipt states {_shown(receipt.payouts_minor)}",
        )

    def _ticket(self) -> None:
        """Step 6: a draw on a ticket repeats it, and brings the seed whose hash it holds."""
        stated, data = self._record.binding.get("ticket"), self._receipt.ticket
        require(
            (stated is None) == (data is None),
            "ticket-missing",
            "a receipt holds a ticket's record exactly when its binding names a ticket",
        )
        if data is None:
            return
        with located(path="receipt"):
            ticket = read_record(data)
        check_ticket(self._record, ticket)

    def _opening(self, found: _PoolInLog) -> None:
        """Step 7: a receipt key of the log signed this record."""
        opening = self._receipt.opening
        public_key = found.registry.receipt_keys.get(opening.key_id)
        if public_key is None:
            raise VerificationError("opening-key", f"no key.receipt announces {opening.key_id.hex()}")
        require(opening.index < opening.size, "opening-path", f"{opening.index} of {opening.size} records")
        try:
            root = root_from_inclusion(opening.index, opening.size, self._record.digest, opening.path)
        except VerificationError as error:
            raise VerificationError("opening-path", error.message) from None
        message = OPENING_LABEL + lp(self._receipt.origin.encode("ascii")) + root
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(opening.signature, message)
        except InvalidSignature:
            raise VerificationError(
                "opening-signature", f"key {opening.key_id.hex()} did not sign this record"
            ) from None

    def _protection(self, commit: PoolCommit, activation: PoolActivate, chain: ChainInfo | None) -> Protection:
        """Step 8: the labels are no better than the facts; return what the verifier itself could establish."""
        stated = self._receipt.protection
        witnessed = self._policy is not None and self._policy(activation.checkpoint)
        facts = protection_of(
            beacon=commit.beacon is not None,
            witnessed=witnessed,
            development=chain is not None and chain.development,
            ticketed="ticket" in self._record.binding,
            seeded="client_seed" in self._record.binding,
        )
        accepted = {facts.content}
        if facts.content == BEACON_WITNESSED:
            # The operator may know of no witness that the verifier trusts; claiming less is no cheat.
            accepted.add(BEACON_UNWITNESSED)
        elif facts.content == BEACON_UNWITNESSED and self._policy is None:
            self._skipped.append(WITNESSES_SKIPPED)
            if parse_note(activation.checkpoint).unverified[1:]:
                accepted.add(BEACON_WITNESSED)
        others = (stated.assignment, stated.foreseen, stated.development_beacon)
        require(
            stated.content in accepted and others == (facts.assignment, facts.foreseen, facts.development_beacon),
            "protection",
            f"the receipt claims {_labels(stated)}, what it had is {_labels(facts)}",
        )
        return facts

    def _digest(self, found: _PoolInLog) -> Digest | None:
        """Step 9: exactly one digest has the record, in time."""
        record, config = self._record, found.registry.require_config()
        delay_us = config.merge_delay_s * MICROSECONDS
        outages = [self._outage(before, after) for before, after in found.outages]
        promised_us = record.binding["bind_time"] + delay_us
        latest_us = due_after(outages, promised_us, delay_us)
        holder: Digest | None = None
        for index in found.digests:
            entry, _ = self._entry(index, "entry-malformed", Digest)
            if index <= self._receipt.activate_index:
                continue
            with located(entry=index):
                file = read_digest_file(self._source, entry)
                if record.digest not in {file[at : at + 32] for at in range(0, len(file), 32)}:
                    continue
                require(holder is None, "digest-twice", f"digest {entry.seq} has the record once more")
                require(
                    entry.time_us <= latest_us,
                    "merge-delay",
                    f"digest {entry.seq} of {entry.time_us}, promised was {latest_us} at the latest",
                )
            holder = entry
        if holder is None and found.newest_digest is not None:
            newest, _ = self._entry(found.newest_digest, "entry-malformed", Digest)
            with located(entry=found.newest_digest):
                require(
                    newest.time_us <= latest_us,
                    "promise-broken",
                    f"no digest up to {newest.time_us} has the record, promised was {latest_us} at the latest",
                )
        if holder is not None and holder.time_us > promised_us:
            self._late_by = next(item.text() for item in outages if item.start_us <= promised_us <= item.end_us)
        return holder

    def _outage(self, before: int, after: int) -> Outage:
        first, _ = self._entry(before, "entry-malformed", Digest)
        last, _ = self._entry(after, "entry-malformed", Digest)
        return Outage(last.seq, first.time_us, last.time_us)


def check_ticket(draw: OpenedRecord, ticket: OpenedRecord) -> None:
    """Check that a draw may use this ticket; raises VerificationError ``ticket-…``."""
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
    require(
        sha256(draw.client_seed).hexdigest() == ticket.binding["client_seed_hash"],
        "ticket-seed",
        "the client seed is not the one whose hash the ticket holds",
    )


def _shown(values: tuple[int, ...] | None) -> str:
    if values is None:
        return "none"
    text = " ".join(map(str, values[:20]))
    return text if len(values) <= 20 else f"{text} … ({len(values)} values)"


def _labels(protection: Protection) -> str:
    development = ", development beacon" if protection.development_beacon else ""
    return f"{protection.content}, {protection.assignment}, {protection.foreseen}{development}"
