"""What makes a commitment good: its leaves, its beacon round, and the checkpoint that published it.

Shared by the audit of a log and the check of one receipt (PROTOCOL.md, sections 3 and 6).
"""

from hashlib import sha256

from anchor.checkpoint import open_checkpoint
from anchor.errors import VerificationError
from anchor.merkle import root_of
from anchor.note import VerifierKey
from anchor.reader import LogReader
from anchor.source import Source
from rng_service.beacon.chain import ChainInfo, beacon_value, require_pool_chain, verify_round
from rng_service.beacon.errors import BeaconLibraryMissing
from rng_service.log_entries import BeaconRound, PoolActivate, PoolCommit
from rng_service.public_files import leaves_path
from rng_service.verify.clock import MICROSECONDS, LogTime
from rng_service.verify.fault import located, read_exactly, require

DEADLINE_US = 24 * 3600 * MICROSECONDS
BLS_SKIPPED = "beacon signatures were not checked: install sealdraw[beacon] and verify again"


def read_leaves(source: Source, commit: PoolCommit) -> bytes:
    """Return the file of slot leaves; raises Fault ``slot-root`` unless it is the tree that is committed to."""
    path = leaves_path(commit.pool)
    with located(path=path):
        data = read_exactly(source, path, 32 * commit.size, "slot-root")
        found = root_of([data[at : at + 32] for at in range(0, len(data), 32)])
        require(
            found == commit.slot_root,
            "slot-root",
            f"folds to {found.hex()}, the commitment has {commit.slot_root.hex()}",
        )
    return data


def read_leaves_again(source: Source, commit: PoolCommit, known: bytes) -> bytes:
    """Return a file of slot leaves that was checked before, when its SHA-256 was ``known``; raises ``slot-root``.

    One hash over the file is far cheaper than its tree.
    """
    path = leaves_path(commit.pool)
    with located(path=path):
        data = read_exactly(source, path, 32 * commit.size, "slot-root")
        require(sha256(data).digest() == known, "slot-root", "changed while the log was being audited")
    return data


def check_commit_beacon(
    entry: PoolCommit, beacon: BeaconRound, chain: ChainInfo, margin_s: int, log_time: LogTime
) -> None:
    """Check that the round of a commitment lay in its future, and that there is time to wait for it.

    ``log_time`` is what the digests before the commitment had said: whatever time the commitment states, it was
    written behind them.
    """
    require_pool_chain(chain)
    opens_us = chain.time_of(beacon.round)
    written_us = max(entry.time_us, log_time.newest_us)
    require(
        opens_us >= written_us + margin_s * MICROSECONDS,
        "beacon-round-early",
        f"round {beacon.round} is published at {opens_us}, "
        f"the commitment, not written before {written_us}, needs {margin_s} seconds before it",
    )
    require(
        beacon.round > log_time.newest_round,
        "beacon-round-known",
        f"round {beacon.round}, and an earlier digest states that round {log_time.newest_round} was out",
    )
    require(
        entry.deadline_us >= entry.time_us + DEADLINE_US,
        "commit-deadline",
        f"{entry.pool}: the deadline is less than 24 hours after the commitment",
    )


def check_activation_time(commit: PoolCommit, entry: PoolActivate) -> None:
    """Check that a pool with a beacon was activated by its deadline; raises VerificationError ``activation-late``."""
    require(
        commit.beacon is None or entry.time_us <= commit.deadline_us,
        "activation-late",
        f"{entry.pool} was activated behind its deadline",
    )


def check_activation_beacon(commit: PoolCommit, entry: PoolActivate, chain: ChainInfo | None) -> bool:
    """Check the round's signature and B; return False when the pairing library is missing.

    Raises VerificationError ``activation-beacon``, ``beacon-signature`` or ``beacon-value``.
    """
    if chain is None or commit.beacon is None:
        require(
            entry.beacon_signature is None,
            "activation-beacon",
            f"{entry.pool} committed to no beacon, the activation has one",
        )
        return True
    signature, value = entry.beacon_signature, entry.beacon_value
    if signature is None or value is None:
        raise VerificationError("activation-beacon", f"{entry.pool}: the activation lacks the beacon's round")
    require(
        value == beacon_value(signature),
        "beacon-value",
        f"{entry.pool}: B is not the hash of the beacon's signature",
    )
    try:
        verify_round(chain, commit.beacon.round, signature)
    except BeaconLibraryMissing:
        return False
    return True


def check_activation_checkpoint(entry: PoolActivate, reader: LogReader, vkey: VerifierKey) -> None:
    """Check that the checkpoint in an activation is this log's, an earlier state, and covers the commitment."""
    checkpoint = open_checkpoint(entry.checkpoint, vkey, entry.origin)
    require(
        checkpoint.size > entry.commit_index,
        "activation-uncovered",
        f"{entry.pool}: the checkpoint has {checkpoint.size} entries, the commitment is entry {entry.commit_index}",
    )
    try:
        reader.verify_extends(checkpoint)
    except VerificationError as error:
        if error.reason != "consistency":
            raise
        raise VerificationError("activation-history", f"{entry.pool}: {error.message}") from None
