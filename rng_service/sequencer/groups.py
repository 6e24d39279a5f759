"""Commit groups as they stand in the ledger, read back for their digest."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, select, tuple_

from rng_service.ledger.models import FAMILY_SETTLEMENT, FAMILY_TICKET, POSITION_BITS, GroupRow, RecordRow
from rng_service.ledger.statements import execute
from rng_service.pools.slots import SECRET_BYTES
from rng_service.sequencer.context import LedgerRow
from rng_service.sequencer.selection import Candidate, Run

__all__ = [
    "RECORDS_IN_GROUP",
    "StoredGroup",
    "StoredRecord",
    "candidate",
    "group_secrets",
    "independent_batches",
    "read_groups",
    "records_of_group",
    "records_of_pool",
    "ticket_bindings",
    "unclaimed_groups",
]

# Shifting works differently in the two databases; multiplying does not.
RECORDS_IN_GROUP = 1 << POSITION_BITS
_GROUPS_AT_ONCE = 64
_PAIRS_AT_ONCE = 400


class StoredRecord(NamedTuple):
    """One record: its id, pool row, slots, the binding's bytes and the members that they state."""

    id: int
    pool: int
    slot: int
    slots: int
    kind: str
    binding: bytes
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """One group with its records in their order; ``key_id`` is the receipt key that signs it."""

    id: int
    key_id: str
    records: tuple[StoredRecord, ...]


def unclaimed_groups(connection: Connection, *, limit: int) -> list[tuple[int, str]]:
    """Return (id, receipt key) of up to ``limit`` groups that no digest has yet, oldest first."""
    rows = connection.execute(
        select(GroupRow.id, GroupRow.key_id).where(GroupRow.digest_seq.is_(None)).order_by(GroupRow.id).limit(limit)
    )
    return [(row[0], row[1]) for row in rows]


def read_groups(connection: Connection, groups: Sequence[tuple[int, str]]) -> Iterator[StoredGroup]:
    """Yield the groups in the order given, which is that of their ids; memory is the caller's to bound."""
    for start in range(0, len(groups), _GROUPS_AT_ONCE):
        part = groups[start : start + _GROUPS_AT_ONCE]
        rows = execute(
            connection,
            "SELECT id, pool_id, slot, slots, kind, binding FROM records WHERE id >= ? AND id < ? ORDER BY id",
            (part[0][0] << POSITION_BITS, (part[-1][0] + 1) << POSITION_BITS),
        )
        found = {
            group: tuple(_stored(row) for row in records)
            for group, records in groupby(rows, key=lambda row: row[0] >> POSITION_BITS)
        }
        for group, key_id in part:
            yield StoredGroup(group, key_id, found.get(group, ()))


def records_of_group() -> ColumnElement[bool]:
    """Return the condition that a record belongs to a group, as a range of ids that the index answers."""
    return and_(RecordRow.id >= GroupRow.id * RECORDS_IN_GROUP, RecordRow.id < (GroupRow.id + 1) * RECORDS_IN_GROUP)


def records_of_pool(
    connection: Connection, pool: int, *, after: tuple[int, int], limit: int
) -> list[tuple[tuple[int, int], StoredRecord]]:
    """Return up to ``limit`` records of a pool's slots behind the place ``after``, each with its place.

    A place is (slot, family): slots in order, the ticket of a slot before its draw or void. Settlements are left out.
    """
    rows = connection.execute(
        select(
            RecordRow.id, RecordRow.pool_id, RecordRow.slot, RecordRow.slots, RecordRow.kind, RecordRow.binding,
            RecordRow.family,
        )
        .where(
            RecordRow.pool_id == pool,
            RecordRow.family != FAMILY_SETTLEMENT,
            tuple_(RecordRow.slot, RecordRow.family) > after,
        )
        .order_by(RecordRow.slot, RecordRow.family)
        .limit(limit)
    )  # fmt: skip
    return [((row[2], row[6]), _stored(row)) for row in rows]


def _stored(row: LedgerRow) -> StoredRecord:
    binding = bytes(row[5])
    return StoredRecord(row[0], row[1], row[2], row[3], row[4], binding, json.loads(binding))


def candidate(group: StoredGroup) -> Candidate:
    """Return the group as `select_groups` looks at it."""
    binds: list[Run] = []
    follows: list[Run] = []
    for record in group.records:
        run = Run(record.pool, record.slot, record.slots)
        (follows if record.kind == "settle" or "ticket" in record.fields else binds).append(run)
    # Within a group one request may draw from two pools, and ids follow the requests, not the slots.
    binds.sort()
    slots = sum(record.slots for record in group.records if record.kind in {"draw", "void"})
    return Candidate(group.id, len(group.records), slots, tuple(binds), tuple(follows))


def independent_batches(groups: Iterable[StoredGroup]) -> Iterator[list[StoredGroup]]:
    """Cut ``groups``, in their order, where one draws on, or ends, a ticket of its own batch.

    Within a batch the vault may be asked in any order; a ticket must be known to it before what follows from it.
    """
    batch: list[StoredGroup] = []
    reserved: set[tuple[int, int]] = set()
    for group in groups:
        followed = {(record.pool, record.slot) for record in group.records if "ticket" in record.fields}
        if followed & reserved:
            yield batch
            batch, reserved = [], set()
        batch.append(group)
        reserved.update((record.pool, record.slot) for record in group.records if record.kind == "ticket")
    if batch:
        yield batch


def ticket_bindings(connection: Connection, draws: Iterable[StoredRecord]) -> dict[tuple[int, int], bytes]:
    """Return by (pool row, slot) the bindings of the tickets that ``draws`` are drawn on."""
    wanted = sorted({(draw.pool, draw.slot) for draw in draws if draw.kind == "draw" and "ticket" in draw.fields})
    found: dict[tuple[int, int], bytes] = {}
    for start in range(0, len(wanted), _PAIRS_AT_ONCE):
        part = wanted[start : start + _PAIRS_AT_ONCE]
        rows = connection.execute(
            select(RecordRow.pool_id, RecordRow.slot, RecordRow.binding).where(
                RecordRow.family == FAMILY_TICKET, tuple_(RecordRow.pool_id, RecordRow.slot).in_(part)
            )
        )
        found.update({(row[0], row[1]): bytes(row[2]) for row in rows})
    return found


def group_secrets(connection: Connection, group: int) -> tuple[bytes, dict[int, int]]:
    """Return a group's opened secrets and where those of each record begin."""
    secrets = connection.execute(select(GroupRow.secrets).where(GroupRow.id == group)).scalar_one()
    places: dict[int, int] = {}
    at = 0
    first = group << POSITION_BITS
    for record, kind, slots in connection.execute(
        select(RecordRow.id, RecordRow.kind, RecordRow.slots)
        .where(RecordRow.id >= first, RecordRow.id < first + (1 << POSITION_BITS))
        .order_by(RecordRow.id)
    ):
        if kind in {"draw", "void"}:
            places[record] = at
            at += SECRET_BYTES * slots
    return bytes(secrets or b""), places
