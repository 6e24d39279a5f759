"""Reading requests and groups back: how repeats, receipts and proofs find what was bound."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from rng_service.errors import LedgerError
from rng_service.ledger.models import MAX_RECORDS_PER_REQUEST, POSITION_BITS
from rng_service.ledger.statements import execute
from rng_service.ledger.tasks import BoundRecord
from rng_service.vault.binding import read_binding

FENCE = "fence"


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """What became of a request id."""

    payload: bytes
    method: str
    first_record: int

    @property
    def group_id(self) -> int:
        """The commit group that the request was bound in."""
        return self.first_record >> POSITION_BITS

    @property
    def has_records(self) -> bool:
        """Whether anything was bound: fences and operators' calls hold an id and no records."""
        return self.first_record > 0

    def owns(self, record: BoundRecord) -> bool:
        """Return whether a record of the group belongs to this request."""
        return self.first_record <= record.id < self.first_record + MAX_RECORDS_PER_REQUEST


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A commit group; ``secrets`` and ``signature`` stand there once it has joined a digest."""

    id: int
    key_id: str
    secrets: bytes | None
    signature: bytes | None
    digest_seq: int | None
    records: list[BoundRecord]


def find_request(connection: Connection, request_id: bytes, caller: str) -> KnownRequest | None:
    """Return what is known of a caller's request id, or None."""
    rows = execute(
        connection,
        "SELECT payload, method, first_record FROM requests WHERE request_id = ? AND caller = ?",
        (request_id, caller),
    ).fetchall()
    for payload, method, first_record in rows:
        return KnownRequest(bytes(payload), method, first_record)
    return None


def pool_of_request(connection: Connection, request_id: bytes, caller: str) -> str | None:
    """Return the id of the pool that a known request was first given a slot of, or None."""
    return _pool_id(
        connection,
        "SELECT p.pool_id FROM requests q JOIN records r ON r.id = q.first_record JOIN pools p ON p.id = r.pool_id "
        "WHERE q.request_id = ? AND q.caller = ?",
        (request_id, caller),
    )


def pool_of_ticket(connection: Connection, hashed: bytes, caller: str) -> str | None:
    """Return the id of the pool that a caller's ticket holds a slot of, or None."""
    return _pool_id(
        connection,
        "SELECT p.pool_id FROM tickets t JOIN pools p ON p.id = t.pool_id WHERE t.hash = ? AND t.caller = ?",
        (hashed, caller),
    )


def _pool_id(connection: Connection, statement: str, parameters: tuple[bytes, str]) -> str | None:
    found = execute(connection, statement, parameters).scalar()
    return None if found is None else str(found)


def fence_request(connection: Connection, request_id: bytes, caller: str) -> KnownRequest:
    """Make sure that an unknown request id is never bound; return what is then known of it."""
    execute(
        connection,
        "INSERT INTO requests (request_id, caller, payload, method, first_record) VALUES (?, ?, ?, ?, 0) "
        "ON CONFLICT DO NOTHING",
        (request_id, caller, bytes(32), FENCE),
    )
    found = find_request(connection, request_id, caller)
    if found is None:
        raise LedgerError("a fence that was just written cannot be read")
    return found


def read_group(connection: Connection, group_id: int) -> StoredGroup:
    """Return a commit group with its records in order; raises LedgerError when there is none."""
    row = execute(
        connection,
        "SELECT key_id, secrets, signature, digest_seq FROM commit_groups WHERE id = ?",
        (group_id,),
    ).first()
    if row is None:
        raise LedgerError(f"commit group {group_id} is not in the ledger")
    key_id, secrets, signature, digest_seq = row
    records = read_records(connection, group_id << POSITION_BITS, (group_id + 1) << POSITION_BITS)
    return StoredGroup(
        group_id,
        key_id,
        None if secrets is None else bytes(secrets),
        None if signature is None else bytes(signature),
        digest_seq,
        records,
    )


def read_records(connection: Connection, first: int, end: int) -> list[BoundRecord]:
    """Return the records with first ≤ id < end, draws on tickets with the binding of their ticket."""
    rows = execute(
        connection,
        "SELECT r.id, r.kind, r.pool_id, p.pool_id, r.slot, r.slots, r.binding FROM records r "
        "JOIN pools p ON p.id = r.pool_id WHERE r.id >= ? AND r.id < ? ORDER BY r.id",
        (first, end),
    )
    records = []
    for key, kind, pool, pool_id, slot, count, data in rows:
        binding = bytes(data)
        record = BoundRecord(key, kind, pool, pool_id, slot, count, binding)
        # The test is on bytes because it stands on every record; the binding is then read properly.
        if kind == "draw" and b'"ticket":' in binding and "ticket" in read_binding(binding):
            record.ticket_binding = ticket_binding(connection, pool, slot)
        records.append(record)
    return records


def ticket_binding(connection: Connection, pool: int, slot: int) -> bytes:
    """Return the binding of the ticket that reserved a slot."""
    statement = text("SELECT binding FROM records WHERE pool_id = :pool AND slot = :slot AND family = 0")
    found = connection.execute(statement, {"pool": pool, "slot": slot}).scalar()
    if found is None:
        raise LedgerError(f"slot {slot} was drawn on a ticket that is not in the ledger")
    return bytes(found)
