"""Open: ask the vault to open what is durably bound, and make receipts of what it reveals.

Everything here is a pure function of the ledger's group and the vault's answer, so a repeat of a request, a receipt
asked for years later and the recovery after a crash give the same bytes as the first answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sealdraw.vault.v1 import vault_pb2

from anchor.merkle import inclusion_path, levels_of
from rng_service.errors import LedgerError
from rng_service.ledger.reading import StoredGroup
from rng_service.ledger.tasks import BoundRecord
from rng_service.records.record import draw_record, record_digest, settle_record, ticket_record, void_record

KINDS = {
    "draw": vault_pb2.SLOT_KIND_DRAW,
    "ticket": vault_pb2.SLOT_KIND_TICKET,
    "void": vault_pb2.SLOT_KIND_VOID,
}


class VaultOpener(Protocol):
    """The one call of the vault that the draw path makes."""

    def open_group(
        self,
        openings: Sequence[vault_pb2.Opening],
        settlements: Sequence[bytes] = ...,
        *,
        sign: bool = ...,
        key_id: str = ...,
    ) -> vault_pb2.OpenGroupResponse:
        """Bind and open a group."""


@dataclass(frozen=True, slots=True)
class OpenedRecord:
    """A record that can be shown: its bytes, and the proof that the vault opened it."""

    bound: BoundRecord
    secrets: bytes
    record: bytes
    key_id: str
    index: int
    group_size: int
    path: list[bytes]
    signature: bytes


class OpeningRefused(LedgerError):  # noqa: N818 - it is the vault's answer
    """The vault refused to open a slot that the ledger has bound: ledger and vault disagree."""


def open_records(vault: VaultOpener, key_id: str, records: Sequence[BoundRecord]) -> list[OpenedRecord]:
    """Have the vault open a group (records in id order); return them in the same order.

    Raises OpeningRefused when the vault refuses one, and what the vault's client raises.
    """
    openings = [record for record in records if record.kind != "settle"]
    settlements = [record for record in records if record.kind == "settle"]
    answer = vault.open_group(
        [
            vault_pb2.Opening(
                pool_id=record.pool_id,
                slot=record.slot,
                count=record.count,
                kind=KINDS[record.kind],
                binding=record.binding,
                ticket_binding=record.ticket_binding,
            )
            for record in openings
        ],
        [record.binding for record in settlements],
        sign=True,
        key_id=key_id,
    )
    for record, result in zip(openings, answer.results, strict=True):
        if result.refused:
            raise OpeningRefused(f"the vault refused slot {record.slot} of pool {record.pool_id}: {result.refused}")
    secrets = {record.id: result.secrets for record, result in zip(openings, answer.results, strict=True)}
    return _opened(records, secrets, answer.key_id, answer.signature)


def stored_records(group: StoredGroup) -> list[OpenedRecord]:
    """Return the records of a group that has joined a digest, from the ledger alone."""
    if group.secrets is None or group.signature is None:
        raise LedgerError(f"commit group {group.id} has not joined a digest yet")
    secrets: dict[int, bytes] = {}
    position = 0
    for record in group.records:
        if record.kind in {"draw", "void"}:
            secrets[record.id] = group.secrets[position : position + 32 * record.count]
            position += 32 * record.count
    return _opened(group.records, secrets, group.key_id, group.signature)


def _opened(
    records: Sequence[BoundRecord],
    secrets: dict[int, bytes],
    key_id: str,
    signature: bytes,
) -> list[OpenedRecord]:
    made = {record.id: _record_bytes(record, secrets.get(record.id, b"")) for record in records}
    # The vault's order: openings first, then settlements, each in record order.
    signed = [r for r in records if r.kind != "settle"] + [r for r in records if r.kind == "settle"]
    levels = levels_of([record_digest(made[record.id]) for record in signed])
    places = {record.id: index for index, record in enumerate(signed)}
    return [
        OpenedRecord(
            bound=record,
            secrets=secrets.get(record.id, b""),
            record=made[record.id],
            key_id=key_id,
            index=places[record.id],
            group_size=len(signed),
            path=inclusion_path(levels, places[record.id]),
            signature=signature,
        )
        for record in records
    ]


def _record_bytes(record: BoundRecord, secrets: bytes) -> bytes:
    if record.kind == "draw":
        return draw_record(record.binding, secrets)
    if record.kind == "ticket":
        return ticket_record(record.binding)
    if record.kind == "void":
        return void_record(record.binding, secrets)
    return settle_record(record.binding)
