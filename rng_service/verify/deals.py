"""Finite deals: what a commitment, an approval, a sale and a close of one must say (PROTOCOL.md, sections 4, 5, 7, 11).

Shared by the audit of a log, the check of one receipt and that of an export. Each function raises VerificationError.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from anchor.errors import VerificationError
from anchor.source import Source
from rng_service.beacon.chain import ChainInfo
from rng_service.games import GameProgram
from rng_service.games.reference import reference_of
from rng_service.log_entries import DealApprove, PoolClose, PoolCommit, PoolQuarantine, PoolVoid
from rng_service.outcome import DealDeriver
from rng_service.pools.deals import place_of
from rng_service.pools.slots import SECRET_BYTES, slot_leaves
from rng_service.public_files import deal_path
from rng_service.verify.fault import located, read_exactly, require
from rng_service.verify.opened import OpenedRecord

__all__ = [
    "check_approval",
    "check_deal_commit",
    "check_deal_record",
    "check_no_deal_close",
    "check_withdrawal",
    "read_closed_deal",
]

_AUTOMATIC: Final = "automatic"
_WITHDRAWN: Final = "withdrawn"


def check_deal_commit(commit: PoolCommit, program: GameProgram) -> None:
    """Check that a pool is a deal exactly when its program is one: all of it, with a beacon that shuffles it.

    Raises ``deal-kind``, ``deal-size``, ``deal-beacon``.
    """
    size = program.deal_size
    require(
        (commit.kind == "deal") == bool(size),
        "deal-kind",
        f"{commit.pool} is of kind {commit.kind}, its program is {'a' if size else 'no'} deal",
    )
    if not size:
        return
    require(commit.size == size, "deal-size", f"{commit.pool} has {commit.size} slots, the deal has {size} tickets")
    require(commit.beacon is not None, "deal-beacon", f"{commit.pool} names no beacon: the operator knows every ticket")


def check_approval(approval: DealApprove, commit: PoolCommit, chain: ChainInfo | None) -> None:
    """Check what an approval says of an activated deal.

    Raises ``deal-kind``, ``approval-game``, ``approval-automatic``.
    """
    require(commit.kind == "deal", "deal-kind", f"{commit.pool} is of kind {commit.kind}: only deals are approved")
    require(
        approval.game_digest == commit.game_digest,
        "approval-game",
        f"approves {approval.game_digest.hex()}, {commit.pool} is a deal of {commit.game_digest.hex()}",
    )
    require(
        approval.approver != _AUTOMATIC or (chain is not None and chain.development),
        "approval-automatic",
        f"{commit.pool} is approved by nobody, and its beacon is no development beacon",
    )


def check_withdrawal(entry: PoolQuarantine | PoolVoid, program: GameProgram) -> None:
    """Check that what is sold to its last ticket is not withdrawn before; raises ``deal-withdrawn``."""
    require(
        entry.reason != _WITHDRAWN or program.end_of_deal != "sold-out",
        "deal-withdrawn",
        f"{entry.pool} is withdrawn, and its definition says that it is sold out",
    )


def check_deal_record(record: OpenedRecord, program: GameProgram) -> None:
    """Check that a draw of a deal is the sale of tickets at their price, and nothing else was bound; no deal passes.

    Raises ``deal-ticket``, ``deal-seed``, ``deal-price``, ``deal-bet``, ``deal-place``.
    """
    price = program.price
    if price is None:
        return
    binding, where = record.binding, f"slot {record.slot} of {record.pool}"
    require(
        record.kind == "draw" and "ticket" not in binding,
        "deal-ticket",
        f"{where}: a deal is sold in order, its slots are not reserved",
    )
    require("client_seed" not in binding, "deal-seed", f"{where}: no seed changes the ticket of a deal")
    paid = binding.get("stake_minor"), binding.get("currency")
    require(
        paid == (price.minor, price.currency),
        "deal-price",
        f"{where}: sold for {paid[0]} {paid[1]}, a ticket costs {price.minor} {price.currency}",
    )
    require("bet" in binding, "deal-bet", f"{where}: the draw does not say what the ticket pays")
    for at in range(0, len(record.secrets), SECRET_BYTES):
        place = place_of(record.secrets[at : at + SECRET_BYTES])
        require(
            place < program.deal_size,
            "deal-place",
            f"slot {record.slot + at // SECRET_BYTES} of {record.pool} stands at place {place} of {program.deal_size}",
        )


def check_no_deal_close(close: PoolClose) -> None:
    """Check that the close of another pool does not state what only a deal has; raises ``deal-kind``."""
    require(close.opened_digest is None, "deal-kind", f"{close.pool} is no deal, and its close opens one")


def read_closed_deal(
    source: Source, close: PoolClose, program: GameProgram, drawn: Iterable[int], leaves: bytes, deriver: DealDeriver
) -> bytes:
    """Return the secrets of a closed deal, once they are known to be its tickets, each once, and its money.

    ``drawn`` are the slots that were sold, ``leaves`` the pool's slot leaves. Both orders are permutations then, so the
    composition is the definition's to the ticket, and nothing needs to be counted. Raises ``deal-unopened``,
    ``deal-money``, and Fault ``deal-opened``, ``deal-secret``, ``deal-order``, ``file-missing``, naming the file.
    """
    opened_digest, stake, payout = close.opened_digest, close.stake_minor, close.payout_minor
    if opened_digest is None or stake is None or payout is None:
        raise VerificationError("deal-unopened", f"{close.pool} is a deal, and its close does not open it")
    path = deal_path(close.pool)
    with located(path=path):
        secrets = read_exactly(source, path, SECRET_BYTES * close.size, "deal-opened")
        found = sha256(secrets).digest()
        require(
            found == opened_digest,
            "deal-opened",
            f"hashes to {found.hex()}, the close names {opened_digest.hex()}",
        )
        _check_secrets(close.pool, secrets, leaves)
        _check_order(close.size, secrets)
    price, ticket = program.price, reference_of(program)
    if price is None or ticket is None:
        raise ValueError(f"{close.pool} is no deal")
    multiplier, derive, sold, paid = ticket.multiplier, program.outcome.derive, 0, 0
    for slot in drawn:
        pays = multiplier(derive(deriver.outcome_stream(secrets[32 * slot : 32 * slot + 32], slot, b"")))
        sold += price.minor
        paid += price.minor * pays.numerator // pays.denominator
    require(
        (stake, payout) == (sold, paid),
        "deal-money",
        f"{close.pool}: its tickets were sold for {sold} and paid {paid}, the close says {stake} and {payout}",
    )
    return secrets


def _check_secrets(pool: str, secrets: bytes, leaves: bytes) -> None:
    for slot, leaf in enumerate(slot_leaves(pool, secrets)):
        if leaf != leaves[32 * slot : 32 * slot + 32]:
            raise VerificationError("deal-secret", f"the secret of slot {slot} does not give its slot leaf")


def _check_order(size: int, secrets: bytes) -> None:
    """Check that every place of the sealed order has exactly one slot; raises ``deal-order``."""
    seen = bytearray(size)
    for slot in range(size):
        place = place_of(secrets[SECRET_BYTES * slot : SECRET_BYTES * (slot + 1)])
        require(place < size and not seen[place], "deal-order", f"slot {slot} stands at place {place}, as another does")
        seen[place] = 1
