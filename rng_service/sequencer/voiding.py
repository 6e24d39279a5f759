"""Throwing slots away: groups of void records, bound like any others and opened in the normal course."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, insert

from rng_service.ledger.groups import insert_group
from rng_service.ledger.models import FAMILY_FINAL, MAX_REQUESTS_PER_GROUP, POSITION_BITS, RecordRow
from rng_service.records.binding import void_binding
from rng_service.sequencer.context import Context

__all__ = ["MAX_RUN", "VoidRun", "bind_voids"]

# Slots of one void record; its secrets are one message from the vault and one value in the ledger.
MAX_RUN = 16_384


class VoidRun(NamedTuple):
    """Consecutive slots of a pool (by row and name) to throw away; ``ticket`` is an expired ticket's hash."""

    pool: int
    name: str
    slot: int
    slots: int
    reason: str
    ticket: str = ""


def bind_voids(context: Context, connection: Connection, runs: Iterable[VoidRun]) -> None:
    """Insert groups of void records for ``runs``, within the transaction that took the slots.

    Each group is of one pool, so that what the vault refuses in one pool holds up no other. Long runs are cut, one
    group for each piece, so that no group is too large for the vault.
    """
    by_pool: dict[int, list[VoidRun]] = {}
    for run in runs:
        by_pool.setdefault(run.pool, []).extend(_pieces(run))
    for pieces in by_pool.values():
        start = 0
        while start < len(pieces):
            end, slots = start, 0
            while end < len(pieces) and end - start < MAX_REQUESTS_PER_GROUP and slots + pieces[end].slots <= MAX_RUN:
                slots += pieces[end].slots
                end += 1
            _bind_group(context, connection, pieces[start:end])
            start = end


def _pieces(run: VoidRun) -> list[VoidRun]:
    end = run.slot + run.slots
    return [run._replace(slot=at, slots=min(MAX_RUN, end - at)) for at in range(run.slot, end, MAX_RUN)]


def _bind_group(context: Context, connection: Connection, runs: list[VoidRun]) -> None:
    group, now_us = insert_group(connection, context.receipt_key_id, now_us=context.clock_us())
    connection.execute(
        insert(RecordRow),
        [
            {
                "id": (group << POSITION_BITS) + place,
                "pool_id": run.pool,
                "slot": run.slot,
                "slots": run.slots,
                "kind": "void",
                "family": FAMILY_FINAL,
                "ordinal": 0,
                "binding": void_binding(
                    pool=run.name,
                    slot=run.slot,
                    count=run.slots,
                    reason=run.reason,
                    bind_time_us=now_us,
                    nonce=context.random_bytes(16).hex(),
                    ticket=run.ticket,
                ),
            }
            for place, run in enumerate(runs)
        ],
    )
