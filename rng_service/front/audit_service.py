"""AuditService: what is public, or belongs to the caller, over gRPC. It opens nothing."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from sealdraw.v1 import audit_pb2, types_pb2
from sqlalchemy import Engine, select

from anchor.checkpoint import open_checkpoint
from anchor.errors import MissingError
from anchor.note import VerifierKey
from anchor.source import DirectorySource
from rng_service.errors import NotFound, Unavailable
from rng_service.front.checks import Checks
from rng_service.front.opening import stored_records
from rng_service.front.paging import page_token, read_page
from rng_service.front.receipt_proofs import digests_from, proofs
from rng_service.ledger.engine import reading
from rng_service.ledger.models import DigestRow, LogEntryRow, PoolRow
from rng_service.ledger.reading import find_request, read_group
from rng_service.records.record import record_digest

MAX_WATCHERS = 16
_WATCH_BATCH = 256
_WATCH_INTERVAL_S = 0.2


class AuditService:
    """The handlers; ``public_dir`` is read as any auditor would read it, with the log's verifier key."""

    def __init__(self, ledger: Engine, public_dir: Path, log_key: VerifierKey, stopping: threading.Event) -> None:
        self._ledger = ledger
        self._public_dir = public_dir
        self._log_key = log_key
        self._stopping = stopping
        self._watchers = threading.BoundedSemaphore(MAX_WATCHERS)

    def get_receipt_proof(
        self,
        request: audit_pb2.GetReceiptProofRequest,
        caller: str,
        _timeout_s: float,
    ) -> audit_pb2.GetReceiptProofResponse:
        """Return the proof files of a request's records; none while their digest is not published."""
        checks = Checks()
        request_id = checks.request_id(request.request_id)
        checks.finish()
        with reading(self._ledger) as connection:
            known = find_request(connection, request_id, caller)
            if known is None or not known.has_records:
                raise NotFound("request_id: no request of this caller has this id")
            group = read_group(connection, known.group_id)
            digests = [] if group.digest_seq is None else digests_from(connection, group.digest_seq)
        response = audit_pb2.GetReceiptProofResponse()
        if digests:
            wanted = [record_digest(opened.record) for opened in stored_records(group) if known.owns(opened.bound)]
            response.proofs.extend(proofs(self._public_dir, self._log_key, digests, wanted))
        return response

    def get_pool(
        self,
        request: audit_pb2.GetPoolRequest,
        _caller: str,
        _timeout_s: float,
    ) -> audit_pb2.GetPoolResponse:
        """Return a pool and the log entries that its receipts are verified with."""
        checks = Checks()
        checks.pool_id(request.pool_id)
        checks.finish()
        with reading(self._ledger) as connection:
            row = connection.execute(select(PoolRow.__table__).where(PoolRow.pool_id == request.pool_id)).first()
        if row is None:
            raise NotFound("pool_id: no such pool")
        return audit_pb2.GetPoolResponse(
            pool=pool_message(row),
            commit_entry=row.commit_entry if row.commit_index is not None else b"",
            activate_entry=row.activate_entry or b"" if row.activate_index is not None else b"",
        )

    def list_pools(
        self,
        request: audit_pb2.ListPoolsRequest,
        _caller: str,
        _timeout_s: float,
    ) -> audit_pb2.ListPoolsResponse:
        """List pools, newest first."""
        size, before = read_page(request.page_size, request.page_token, 2**62)
        query = select(PoolRow.__table__).where(PoolRow.id < before).order_by(PoolRow.id.desc()).limit(size + 1)
        if request.game:
            checks = Checks()
            name = checks.name("game", request.game)
            checks.finish()
            # Names hold no character that LIKE would take for a pattern; the environment is whatever stands before.
            query = query.where(PoolRow.pool_id.like(f"%/{name}/%/%/%/%/%"))
        with reading(self._ledger) as connection:
            rows = connection.execute(query).all()
        token = page_token(rows[size - 1].id) if len(rows) > size else ""
        return audit_pb2.ListPoolsResponse(pools=[pool_message(row) for row in rows[:size]], next_page_token=token)

    def list_digests(
        self,
        request: audit_pb2.ListDigestsRequest,
        _caller: str,
        _timeout_s: float,
    ) -> audit_pb2.ListDigestsResponse:
        """List digests that have their place in the log, in order."""
        size, after = read_page(request.page_size, request.page_token, -1)
        query = (
            select(DigestRow.seq, DigestRow.entry, LogEntryRow.log_index)
            .join(LogEntryRow, LogEntryRow.id == DigestRow.log_entry_id)
            .where(DigestRow.seq > after, LogEntryRow.log_index.is_not(None))
            .order_by(DigestRow.seq)
            .limit(size + 1)
        )
        with reading(self._ledger) as connection:
            rows = connection.execute(query).all()
        token = page_token(rows[size - 1].seq) if len(rows) > size else ""
        digests = [audit_pb2.Digest(sequence=row.seq, log_index=row.log_index, entry=row.entry) for row in rows[:size]]
        return audit_pb2.ListDigestsResponse(digests=digests, next_page_token=token)

    def watch_events(
        self,
        request: audit_pb2.WatchEventsRequest,
        _caller: str,
        is_active: Callable[[], bool],
    ) -> Iterator[audit_pb2.WatchEventsResponse]:
        """Stream published log entries from a position on, until the caller or the service ends."""
        if not self._watchers.acquire(blocking=False):
            raise Unavailable("TOO_MANY_WATCHERS", f"at most {MAX_WATCHERS} watches at once", 5_000)
        try:
            yield from self._watch(request.from_index, is_active)
        finally:
            self._watchers.release()

    def _watch(self, index: int, is_active: Callable[[], bool]) -> Iterator[audit_pb2.WatchEventsResponse]:
        while is_active() and not self._stopping.is_set():
            end = min(self._published_size(), index + _WATCH_BATCH)
            if end <= index:
                self._stopping.wait(_WATCH_INTERVAL_S)
                continue
            query = (
                select(LogEntryRow.log_index, LogEntryRow.type, LogEntryRow.entry)
                .where(LogEntryRow.log_index >= index, LogEntryRow.log_index < end)
                .order_by(LogEntryRow.log_index)
            )
            with reading(self._ledger) as connection:
                rows = connection.execute(query).all()
            for row in rows:
                yield audit_pb2.WatchEventsResponse(log_index=row.log_index, type=row.type, entry=row.entry)
            index = end

    def _published_size(self) -> int:
        try:
            data = DirectorySource(self._public_dir).read("checkpoint", limit=65_536)
        except MissingError:
            return 0
        return open_checkpoint(data, self._log_key).size


def pool_message(row: object) -> types_pb2.Pool:
    """Return the public state of a pool's row."""
    pool = types_pb2.Pool()
    for name in ("pool_id", "state", "size", "next_slot", "slot_root", "commit_index", "activate_index"):
        value = getattr(row, name)
        if value is not None:
            setattr(pool, name, value)
    return pool
