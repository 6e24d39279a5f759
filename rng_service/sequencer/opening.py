"""Open a stored group: the vault gives the secrets of exactly what the ledger binds, and its records follow.

This is the path of every record, and crash recovery as well: whether the front opened the group before makes no
difference, for the vault answers the same question with the same answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sealdraw.vault.v1 import vault_pb2

from rng_service.errors import SealdrawError
from rng_service.records.digest import DigestItem
from rng_service.records.record import draw_record, record_digest, settle_record, ticket_record, void_record
from rng_service.sequencer.facts import PoolFacts
from rng_service.sequencer.groups import StoredGroup, StoredRecord
from rng_service.vault.client import VaultClient
from rng_service.vault.errors import VaultRefusedError

__all__ = ["OpenedGroup", "OpenedRecord", "OpeningRefusedError", "as_opening", "open_group"]

_KINDS: Final = {
    "draw": vault_pb2.SLOT_KIND_DRAW,
    "ticket": vault_pb2.SLOT_KIND_TICKET,
    "void": vault_pb2.SLOT_KIND_VOID,
}


class OpeningRefusedError(SealdrawError):
    """The vault will not open what the ledger binds: the two disagree, and somebody has to look."""

    def __init__(self, group: int, record: StoredRecord, pool: str, reason: str) -> None:
        super().__init__(
            f"the vault refuses slot {record.slot} of {pool} ({reason}): its journal and the ledger disagree"
        )
        self.group = group
        self.record = record
        self.pool = pool
        self.reason = reason


@dataclass(frozen=True, slots=True)
class OpenedRecord:
    """A record with what was opened for it: 32 bytes a slot for draws and voids, else nothing."""

    stored: StoredRecord
    secrets: bytes
    item: DigestItem


@dataclass(frozen=True, slots=True)
class OpenedGroup:
    """A group ready for its digest; ``secrets`` are those of its openings, in record order."""

    id: int
    secrets: bytes
    signature: bytes
    records: tuple[OpenedRecord, ...]
    journal: tuple[int, bytes]


def open_group(
    vault: VaultClient,
    group: StoredGroup,
    pools: Mapping[int, PoolFacts],
    tickets: Mapping[tuple[int, int], bytes],
) -> OpenedGroup:
    """Open ``group``; raises OpeningRefusedError for the first record that the vault refuses.

    The signature covers the openings in record order, then the settlements, as the front's did.
    """
    if not group.records:
        return OpenedGroup(group.id, b"", b"", (), (0, b""))
    slots = [record for record in group.records if record.kind != "settle"]
    settled = [record for record in group.records if record.kind == "settle"]
    items = [_item(pools[record.pool].name, record, record_digest(settle_record(record.binding))) for record in settled]
    try:
        answer = vault.open_group(
            [as_opening(record, pools[record.pool].name, tickets) for record in slots],
            [record.binding for record in settled],
            sign=True,
            key_id=group.key_id,
        )
    except VaultRefusedError as error:
        if error.reason != "receipt-key-gone":
            raise
        # An older vault does not have the key under which this group was answered, and never will.
        first = group.records[0]
        raise OpeningRefusedError(group.id, first, pools[first.pool].name, error.reason) from error
    opened: dict[int, OpenedRecord] = {
        record.id: OpenedRecord(record, b"", item) for record, item in zip(settled, items, strict=True)
    }
    for record, result in zip(slots, answer.results, strict=True):
        name = pools[record.pool].name
        if result.refused:
            raise OpeningRefusedError(group.id, record, name, result.refused)
        opened[record.id] = OpenedRecord(record, result.secrets, _item(name, record, _digest(record, result.secrets)))
    return OpenedGroup(
        group.id,
        b"".join([result.secrets for result in answer.results]),
        answer.signature,
        tuple(opened[record.id] for record in group.records),
        (answer.journal_sequence, answer.journal_head),
    )


def as_opening(record: StoredRecord, pool: str, tickets: Mapping[tuple[int, int], bytes]) -> vault_pb2.Opening:
    """Return what the vault is asked for ``record``, which is of the pool named ``pool``; ``tickets`` as in a group."""
    on_ticket = record.kind == "draw" and "ticket" in record.fields
    return vault_pb2.Opening(
        pool_id=pool,
        slot=record.slot,
        count=record.slots,
        kind=_KINDS[record.kind],
        binding=record.binding,
        ticket_binding=tickets.get((record.pool, record.slot), b"") if on_ticket else b"",
    )


def _digest(record: StoredRecord, secrets: bytes) -> bytes:
    if record.kind == "draw":
        return record_digest(draw_record(record.binding, secrets))
    if record.kind == "void":
        return record_digest(void_record(record.binding, secrets))
    return record_digest(ticket_record(record.binding))


def _item(pool: str, record: StoredRecord, digest: bytes) -> DigestItem:
    return DigestItem(pool, record.slot, record.slots, record.kind, digest)
