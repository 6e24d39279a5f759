"""What was: a caller's rounds for reconciliation, and single requests or players recalled with all that proves them."""

import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from sealdraw.v1 import audit_pb2
from sqlalchemy import Connection, Engine

from anchor.note import VerifierKey
from rng_service.errors import InvalidArgument, NotFound, Unavailable
from rng_service.front import receipts
from rng_service.front.catalog import Catalog
from rng_service.front.checks import MAX_TAG, Checks
from rng_service.front.opening import OpenedRecord, stored_records
from rng_service.front.paging import page_token, read_page
from rng_service.front.receipt_proofs import digests_from, proofs
from rng_service.games.files import GameFiles
from rng_service.ledger.engine import reading
from rng_service.ledger.models import POSITION_BITS
from rng_service.ledger.reading import StoredGroup, find_request, read_group
from rng_service.ledger.recalling import player_records, settlement_records
from rng_service.ledger.round_history import PastRound, past_rounds, request_id_at
from rng_service.ledger.tasks import BoundRecord
from rng_service.records.record import record_digest
from rng_service.sequencer.facts import PoolFactsCache
from rng_service.vault.binding import read_binding
from rng_service.verify.evaluation import PoolEvaluator

__all__ = ["HistoryService"]

# Each holds a thread and reads for as long as it lasts.
_MAX_EXPORTS: Final = 2
_ROUNDS_A_MESSAGE: Final = 512
_MOST_SETTLEMENTS: Final = 1_000


class HistoryService:
    """The handlers, for auditors and operators: they see the requests of every caller."""

    def __init__(
        self, ledger: Engine, catalog: Catalog, public_dir: Path, log_key: VerifierKey, files: GameFiles
    ) -> None:
        """Read definitions whose files are ``files``; everything else is as any auditor has it."""
        self._ledger = ledger
        self._catalog = catalog
        self._public_dir = public_dir
        self._log_key = log_key
        self._files = files
        self._exports = threading.BoundedSemaphore(_MAX_EXPORTS)

    def export_rounds(
        self, request: audit_pb2.ExportRoundsRequest, _caller: str, active: Callable[[], bool]
    ) -> Iterator[audit_pb2.ExportRoundsResponse]:
        """Stream the rounds of one caller in order of their request ids."""
        checks = Checks()
        caller = checks.name("caller", request.caller)
        for name in ("from_us", "to_us"):
            if not 0 <= getattr(request, name) < 1 << 57:
                checks.refuse(name, "expected microseconds since 1970")
        checks.finish()
        bounds = {"first": request_id_at(request.from_us)} | (
            {"end": request_id_at(request.to_us)} if request.to_us else {}
        )
        if not self._exports.acquire(blocking=False):
            raise Unavailable("DRAINING", "enough exports of rounds are running on this server", 5_000)
        try:
            for rounds in past_rounds(self._ledger, _Evaluators(self._files), caller, **bounds):
                for start in range(0, len(rounds), _ROUNDS_A_MESSAGE):
                    if not active():
                        return
                    part = rounds[start : start + _ROUNDS_A_MESSAGE]
                    yield audit_pb2.ExportRoundsResponse(rounds=[_round(item) for item in part])
        finally:
            self._exports.release()

    def recall_rounds(
        self, request: audit_pb2.RecallRoundsRequest, _caller: str, _timeout_s: float
    ) -> audit_pb2.RecallRoundsResponse:
        """Return what is known of one request, or of one player's draws and settlements."""
        if bool(request.request_id) == bool(request.player):
            raise InvalidArgument(("request_id", "expected either a request_id or a player"))
        if request.request_id:
            return self._by_request(request)
        if len(request.player) > MAX_TAG or not request.player.isascii() or not request.player.isprintable():
            raise InvalidArgument(("player", f"expected at most {MAX_TAG} printable ASCII characters"))
        size, after = read_page(request.page_size, request.page_token, 0)
        with reading(self._ledger) as connection:
            found = player_records(connection, request.player, after=after, limit=size + 1)
            records = [self._recalled(connection, record) for record in found[:size]]
        token = page_token(found[size - 1]) if len(found) > size else ""
        return audit_pb2.RecallRoundsResponse(records=records, next_page_token=token)

    def _by_request(self, request: audit_pb2.RecallRoundsRequest) -> audit_pb2.RecallRoundsResponse:
        checks = Checks()
        request_id = checks.request_id(request.request_id)
        caller = checks.name("caller", request.caller)
        checks.finish()
        with reading(self._ledger) as connection:
            known = find_request(connection, request_id, caller)
            if known is None or not known.has_records:
                raise NotFound(f"request_id: nothing was bound under this id for {caller}")
            group = read_group(connection, known.group_id)
            records = [self._recalled(connection, record.id) for record in group.records if known.owns(record)]
        return audit_pb2.RecallRoundsResponse(records=records)

    def _recalled(self, connection: Connection, record_id: int) -> audit_pb2.RecalledRecord:
        group = read_group(connection, record_id >> POSITION_BITS)
        bound = next(record for record in group.records if record.id == record_id)
        message = audit_pb2.RecalledRecord(
            caller=read_binding(bound.binding).get("caller", ""),
            kind=bound.kind,
            pool_id=bound.pool_id,
            slot=bound.slot,
            count=bound.count,
        )
        opened = _opened(group, record_id)
        if opened is None:
            return message
        message.record = opened.record
        message.proof = self._proof(connection, group, opened)
        if bound.kind == "draw":
            message.receipt.CopyFrom(receipts.read_back(self._catalog, opened))
            message.settlements.extend(self._settlements(connection, bound))
        elif bound.kind == "ticket":
            ticket = receipts.ticket_response(self._catalog.pool(bound.pool), opened)
            message.receipt.CopyFrom(ticket.ticket)
        return message

    def _settlements(self, connection: Connection, draw: BoundRecord) -> Iterator[audit_pb2.RecalledSettlement]:
        slots = range(draw.slot, draw.slot + draw.count)
        for record in islice(settlement_records(connection, draw.pool, slots), _MOST_SETTLEMENTS):
            group = read_group(connection, record >> POSITION_BITS)
            opened = _opened(group, record)
            if opened is not None:
                yield audit_pb2.RecalledSettlement(record=opened.record, proof=self._proof(connection, group, opened))

    def _proof(self, connection: Connection, group: StoredGroup, opened: OpenedRecord) -> str:
        if group.digest_seq is None:
            return ""
        digests = digests_from(connection, group.digest_seq)
        return next(proofs(self._public_dir, self._log_key, digests, [record_digest(opened.record)]), "")


class _Evaluators:
    """The evaluators of pools as the sequencer has them, for one export."""

    def __init__(self, files: GameFiles) -> None:
        self._facts = PoolFactsCache(files)

    def get(self, connection: Connection, pool: int) -> PoolEvaluator:
        """Return the evaluator of a pool."""
        return self._facts.get(connection, pool).evaluator


def _opened(group: StoredGroup, record: int) -> OpenedRecord | None:
    if group.secrets is None:
        return None
    return next(opened for opened in stored_records(group) if opened.bound.id == record)


def _round(item: PastRound) -> audit_pb2.Round:
    return audit_pb2.Round(
        request_id=item.request_id,
        item=item.item,
        pool_id=item.pool_id,
        slot=item.slot,
        kind=item.kind,
        outcome=item.outcome,
        stake_minor=str(item.stake_minor),
        payout_minor=str(item.payout_minor),
        currency=item.currency,
        status=item.status,
    )
