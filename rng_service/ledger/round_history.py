"""What the ledger has of a caller's requests, in order of their ids: every outcome and every settlement."""

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import Connection, Engine, select, tuple_

from rng_service.ledger.engine import reading
from rng_service.ledger.models import (
    FAMILY_SETTLEMENT,
    MAX_RECORDS_PER_REQUEST,
    POSITION_BITS,
    RecordRow,
    RequestRow,
)
from rng_service.ledger.reading import StoredGroup, read_group
from rng_service.ledger.tasks import BoundRecord
from rng_service.verify.evaluation import PoolEvaluator

__all__ = ["Evaluators", "PastRound", "past_rounds", "request_id_at"]

_REQUESTS_AT_ONCE: Final = 256
_GROUPS_KEPT: Final = 64
_PAIRS_AT_ONCE: Final = 400
_SECRET: Final = 32
_LAST_ID: Final = b"\xff" * 16


@dataclass(frozen=True, slots=True)
class PastRound:
    """One outcome of a draw, or one settlement. ``item`` counts the outcomes of a request from 0.

    ``status`` of a draw: `final` (its own bet, or settled since: stake and payout of all bettors together), `void`
    (every settlement gave the stake back), `unsettled`, or `open` while no digest has it; of a settlement its own.
    """

    request_id: str
    item: int
    kind: str
    pool_id: str
    slot: int
    outcome: tuple[int, ...] = ()
    stake_minor: int = 0
    payout_minor: int = 0
    currency: str = ""
    status: str = "open"


class Evaluators(Protocol):
    """Gives what recomputes the outcomes of a pool."""

    def get(self, connection: Connection, pool: int, /) -> PoolEvaluator:
        """Return the evaluator of the pool of row ``pool``."""


class _Found(NamedTuple):
    request: str
    record: BoundRecord
    secrets: bytes | None
    first_item: int


def request_id_at(time_us: int) -> bytes:
    """Return the lowest request id of a time: UUIDv7 begins with its milliseconds (RFC 9562)."""
    return max(0, time_us // 1_000).to_bytes(6, "big") + bytes(10)


def past_rounds(
    engine: Engine, pools: Evaluators, caller: str, *, first: bytes = bytes(16), end: bytes = _LAST_ID
) -> Iterator[list[PastRound]]:
    """Yield the rounds of ``caller`` with first ≤ request id < end, some hundred requests at a time.

    A transaction for each part: an answer of hours must not hold one snapshot open. Raises LedgerError for rows that
    contradict each other.
    """
    groups: OrderedDict[int, StoredGroup] = OrderedDict()
    while True:
        with reading(engine) as connection:
            requests = connection.execute(
                select(RequestRow.request_id, RequestRow.first_record)
                .where(RequestRow.caller == caller, RequestRow.request_id >= first, RequestRow.request_id < end)
                .order_by(RequestRow.request_id)
                .limit(_REQUESTS_AT_ONCE)
            ).all()
            if not requests:
                return
            found = [item for row in requests for item in _records(connection, groups, bytes(row[0]), row[1])]
            rounds = list(_rounds(connection, pools, found))
        yield rounds
        first = (int.from_bytes(bytes(requests[-1][0]), "big") + 1).to_bytes(16, "big")


def _records(
    connection: Connection, groups: OrderedDict[int, StoredGroup], request_id: bytes, first_record: int
) -> Iterator[_Found]:
    """Yield the draws and settlements of a request with what was opened for them; fences have none."""
    if first_record <= 0:
        return
    group_id = first_record >> POSITION_BITS
    group = groups.get(group_id)
    if group is None:
        group = groups[group_id] = read_group(connection, group_id)
        if len(groups) > _GROUPS_KEPT:
            groups.popitem(last=False)
    name = str(UUID(bytes=request_id))
    at = item = 0
    for record in group.records:
        size = _SECRET * record.count if record.kind in {"draw", "void"} else 0
        if first_record <= record.id < first_record + MAX_RECORDS_PER_REQUEST and record.kind in {"draw", "settle"}:
            yield _Found(name, record, None if group.secrets is None else group.secrets[at : at + size], item)
            item += record.count
        at += size


def _rounds(connection: Connection, pools: Evaluators, found: Iterable[_Found]) -> Iterator[PastRound]:
    rounds: list[tuple[int, PastRound]] = []
    for item in found:
        fields = json.loads(item.record.binding)
        if item.record.kind == "settle":
            rounds.append((item.record.pool, _settlement(item, fields)))
        else:
            rounds += [(item.record.pool, one) for one in _draws(connection, pools, item, fields)]
    bare = {(pool, one.slot) for pool, one in rounds if one.kind == "draw" and one.status == "unsettled"}
    settled = _settled(connection, sorted(bare))
    for pool, one in rounds:
        yield replace(one, **settled.get((pool, one.slot), {})) if one.status == "unsettled" else one


def _settlement(item: _Found, fields: dict[str, Any]) -> PastRound:
    return PastRound(
        item.request,
        0,
        "settle",
        item.record.pool_id,
        item.record.slot,
        stake_minor=fields["stake_minor"],
        payout_minor=fields["payout_minor"],
        currency=fields["currency"],
        status=fields["status"],
    )


def _draws(connection: Connection, pools: Evaluators, item: _Found, fields: dict[str, Any]) -> Iterator[PastRound]:
    record = item.record
    stake, currency = fields.get("stake_minor", 0), fields.get("currency", "")
    outcomes: list[tuple[int, ...]] = []
    payouts: list[int] | None = None
    if item.secrets is not None:
        evaluator = pools.get(connection, record.pool)
        outcomes = evaluator.outcomes(record.slot, item.secrets, bytes.fromhex(fields.get("client_seed", "")))
        payouts = evaluator.payouts(fields["bet"], stake, outcomes) if "bet" in fields and stake else None
    for place in range(record.count):
        one = PastRound(
            item.request, item.first_item + place, "draw", record.pool_id, record.slot + place,
            stake_minor=stake, currency=currency,
        )  # fmt: skip
        if not outcomes:
            yield one
        elif payouts is None:
            yield replace(one, outcome=outcomes[place], status="unsettled")
        else:
            yield replace(one, outcome=outcomes[place], payout_minor=payouts[place], status="final")


def _settled(connection: Connection, outcomes: list[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
    """Return what the settlements of outcomes come to, where there are any."""
    found: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for start in range(0, len(outcomes), _PAIRS_AT_ONCE):
        rows = connection.execute(
            select(RecordRow.pool_id, RecordRow.slot, RecordRow.binding).where(
                RecordRow.family == FAMILY_SETTLEMENT,
                tuple_(RecordRow.pool_id, RecordRow.slot).in_(outcomes[start : start + _PAIRS_AT_ONCE]),
            )
        )
        for row in rows:
            found.setdefault((row[0], row[1]), []).append(json.loads(bytes(row[2])))
    return {place: _added(settlements) for place, settlements in found.items()}


def _added(settlements: list[dict[str, Any]]) -> dict[str, Any]:
    final = [item for item in settlements if item["status"] == "final"]
    if not final:
        return {"status": "void"}
    return {
        "status": "final",
        "stake_minor": sum(item["stake_minor"] for item in final),
        "payout_minor": sum(item["payout_minor"] for item in final),
        "currency": final[0]["currency"],
    }
