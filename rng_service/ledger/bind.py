"""Bind: one transaction that deduplicates a group of requests and gives the fresh ones their slots.

PROTOCOL.md, section 7, and the rules that keep it exactly-once:

* deduplicate first (`ON CONFLICT DO NOTHING`), then assign slots, so that repeats leave no holes;
* a pool's row is advanced only from the value that was read (`next_slot`) and only while it is active;
* a round's row is advanced by one step at a time, so that no step is skipped and none is drawn twice;
* the group's row names the receipt key, so that its receipts are a pure function of what is durable here;
* the time is the database's, never running backwards over a restart or a clock that was set back.

A crash before COMMIT leaves nothing; a crash after it leaves bindings that the sequencer opens in the normal course
and that a repeat of the request finds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from rng_service.errors import FailedPrecondition, InvalidArgument, LedgerError, NotFound, Unavailable
from rng_service.ledger.groups import insert_group
from rng_service.ledger.models import (
    FAMILY_FINAL,
    FAMILY_SETTLEMENT,
    FAMILY_TICKET,
    MAX_RECORDS_PER_REQUEST,
    MAX_REQUESTS_PER_GROUP,
    POSITION_BITS,
    REQUEST_BITS,
    TICKET_DRAWN,
    TICKET_OPEN,
)
from rng_service.ledger.rounds import RoundGuard
from rng_service.ledger.statements import execute, insert_rows, marks
from rng_service.ledger.tasks import SOLE_BETTOR, BindRules, BindTask, BoundGroup, BoundRecord, PoolCursor
from rng_service.records.binding import DrawBinding, SettleBinding, TicketBinding
from rng_service.records.record import binding_hash
from rng_service.request_id import request_id_time_us
from rng_service.vault.binding import read_binding

NONCE_BYTES = 16
FAMILIES = {"draw": FAMILY_FINAL, "ticket": FAMILY_TICKET, "void": FAMILY_FINAL, "settle": FAMILY_SETTLEMENT}

_REQUEST_COLUMNS = ("request_id", "caller", "payload", "method", "first_record")
_RECORD_COLUMNS = ("id", "pool_id", "slot", "slots", "kind", "family", "ordinal", "binding")
_TICKET_COLUMNS = ("hash", "pool_id", "slot", "record_id", "caller", "expires_us", "state")


class GuardLost(LedgerError):  # noqa: N818 - it says what was lost
    """A pool moved under the group (another front, a quarantine): reload and bind the group again."""


@dataclass(frozen=True, slots=True)
class _Ticket:
    pool: int
    pool_id: str
    slot: int
    state: int
    expires_us: int
    caller: str
    binding: bytes


@dataclass(frozen=True, slots=True)
class _Placement:
    """The slots that a request takes: runs for its draws, one for the ticket that it reserves."""

    draws: list[tuple[PoolCursor, int, int]]
    ticket: tuple[PoolCursor, int] | None


def bind_group(
    connection: Connection,
    tasks: Sequence[BindTask],
    *,
    key_id: str,
    rules: BindRules,
    random_bytes: Callable[[int], bytes],
) -> BoundGroup | None:
    """Bind every task of the group that can be bound; return None when none could.

    The caller commits, then calls `BoundGroup.committed`. Each task ends with ``records``, or ``repeated`` (its id is
    known: read what became of it after the commit), or with an ``error`` that leaves no trace, so that the same id
    may be tried again. Raises GuardLost when a pool or ticket is not as it was read; nothing is kept then.
    """
    if len(tasks) > MAX_REQUESTS_PER_GROUP:
        raise LedgerError(f"a commit group holds at most {MAX_REQUESTS_PER_GROUP} requests")
    for task in tasks:
        task.records, task.repeated, task.error = [], False, None
    group_id, now_us = insert_group(connection, key_id)
    builder = _GroupBuilder(connection, group_id, now_us, rules, random_bytes)
    fresh = builder.deduplicate(tasks)
    builder.read_tickets(fresh)
    builder.rounds.read(task for _, task in fresh)
    placed = [(place, task) for place, task in fresh if builder.place(place, task)]
    _forget_refused(connection, tasks, fresh)
    if not placed:
        execute(connection, "DELETE FROM commit_groups WHERE id = ?", (group_id,))
        return None
    # Before sessions and pools, for every group: two fronts that lock in different orders would be a deadlock.
    if not builder.rounds.write():
        raise GuardLost("a round was moved on by somebody else")
    builder.number_sessions(placed)
    for place, task in placed:
        builder.build(place, task)
    builder.write()
    return BoundGroup(group_id, key_id, now_us, builder.records, builder.advanced())


def _forget_refused(connection: Connection, tasks: Sequence[BindTask], fresh: Sequence[tuple[int, BindTask]]) -> None:
    """Free the ids of refused requests, and answer for those that came twice in the group."""
    refused = {task.key: task for _, task in fresh if task.error is not None}
    for key in refused:
        execute(connection, "DELETE FROM requests WHERE request_id = ? AND caller = ?", key)
    for task in tasks:
        first = refused.get(task.key)
        if first is None or not task.repeated:
            continue
        # What it repeats left no trace: the same request has the same answer, another one has to come again.
        task.repeated = False
        if task.payload == first.payload:
            task.error = first.error
        else:
            task.error = Unavailable("LEDGER_UNAVAILABLE", "another request used this request_id meanwhile; try again")


class _GroupBuilder:
    """Assigns slots in memory, then writes everything with one statement a table."""

    def __init__(
        self,
        connection: Connection,
        group_id: int,
        now_us: int,
        rules: BindRules,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._connection = connection
        self._first_id = group_id << POSITION_BITS
        self._now_us = now_us
        self._rules = rules
        self._random_bytes = random_bytes
        self.rounds = RoundGuard(connection)
        self._tickets: dict[bytes, _Ticket] = {}
        self._drawn_tickets: set[bytes] = set()
        self._placements: dict[int, _Placement] = {}
        self._after: dict[int, tuple[PoolCursor, int]] = {}
        self._new_tickets: list[tuple[object, ...]] = []
        self._tags: list[tuple[object, ...]] = []
        self.records: list[BoundRecord] = []

    def deduplicate(self, tasks: Sequence[BindTask]) -> list[tuple[int, BindTask]]:
        """Insert the request rows; return the fresh tasks with their places, mark the rest repeated or stale."""
        current: list[tuple[int, BindTask]] = []
        late: list[tuple[int, BindTask]] = []
        earliest = self._now_us - self._rules.window_back_us
        latest = self._now_us + self._rules.window_ahead_us
        for place, task in enumerate(tasks):
            (current if earliest <= request_id_time_us(task.request_id) <= latest else late).append((place, task))
        for _, task in late:
            known = execute(self._connection, "SELECT 1 FROM requests WHERE request_id = ? AND caller = ?", task.key)
            if known.first() is None:
                task.error = FailedPrecondition(
                    "STALE_REQUEST_ID",
                    "the time in request_id lies outside the accepted window; make a new id for a new request",
                )
            else:
                task.repeated = True
        if not current:
            return []
        rows = [
            (task.request_id, task.caller, task.payload, task.method, self._first_id + (place << REQUEST_BITS))
            for place, task in current
        ]
        # Within one statement the second row of the same key conflicts with the first: in-group repeats are caught too.
        inserted = insert_rows(
            self._connection,
            "requests",
            _REQUEST_COLUMNS,
            rows,
            "ON CONFLICT DO NOTHING RETURNING first_record",
        )
        ours = {row[0] for row in inserted}
        fresh = []
        for place, task in current:
            if self._first_id + (place << REQUEST_BITS) in ours:
                fresh.append((place, task))
            else:
                task.repeated = True
        return fresh

    def read_tickets(self, fresh: Sequence[tuple[int, BindTask]]) -> None:
        """Read, and on PostgreSQL lock, the tickets that the group wants to draw on."""
        wanted = sorted({task.ticket_hash for _, task in fresh if task.ticket_hash})
        if not wanted:
            return
        lock = " FOR UPDATE OF t" if self._connection.dialect.name == "postgresql" else ""
        rows = execute(
            self._connection,
            "SELECT t.hash, t.pool_id, p.pool_id, t.slot, t.state, t.expires_us, t.caller, r.binding FROM tickets t "  # noqa: S608
            "JOIN pools p ON p.id = t.pool_id JOIN records r ON r.id = t.record_id "
            f"WHERE t.hash IN ({marks(len(wanted))}) ORDER BY t.hash{lock}",
            wanted,
        )
        for hashed, pool, pool_id, slot, state, expires_us, caller, binding in rows:
            self._tickets[bytes(hashed)] = _Ticket(pool, pool_id, slot, state, expires_us, caller, bytes(binding))

    def place(self, place: int, task: BindTask) -> bool:
        """Take slots for ``task``; False leaves an error in it and takes nothing."""
        if isinstance(task.binding, SettleBinding):
            return self._place_settlement(place, task)
        if task.ticket_hash and not self._admit_ticket(task):
            return False
        if task.round is not None and (refusal := self.rounds.refusal(task.caller, task.round)) is not None:
            task.error = refusal
            return False
        reserves = isinstance(task.binding, TicketBinding) or task.next_ticket is not None
        own = task.binding.count if isinstance(task.binding, DrawBinding) and not task.ticket_hash else 0
        runs = self._take(task, own + reserves)
        if runs is None:
            task.error = Unavailable("POOLS_EXHAUSTED", "no sealed and activated pool has a slot left; try again", 500)
            return False
        ticket = None
        if reserves:
            cursor, start, count = runs.pop()
            ticket = cursor, start + count - 1
            if count > 1:
                runs.append((cursor, start, count - 1))
        for cursor, after in ((c, first + count) for c, first, count in runs):
            self._after[cursor.id] = cursor, after
        if ticket is not None:
            self._after[ticket[0].id] = ticket[0], ticket[1] + 1
        if task.ticket_hash:
            self._drawn_tickets.add(task.ticket_hash)
        if task.round is not None:
            # The draw is the first record of its request.
            self.rounds.take(task.caller, task.round, self._first_id + (place << REQUEST_BITS))
        self._placements[place] = _Placement(runs, ticket)
        return True

    def _take(self, task: BindTask, wanted: int) -> list[tuple[PoolCursor, int, int]] | None:
        """Find ``wanted`` slots as (pool, first, count) runs in the order of use; None when there are too few."""
        runs: list[tuple[PoolCursor, int, int]] = []
        if not wanted:
            return runs
        if task.queue is None:
            raise LedgerError("a task that takes slots names the queue they come from")
        for cursor in task.queue.pools(task.lane):
            start = self._after[cursor.id][1] if cursor.id in self._after else cursor.next_slot
            count = min(wanted, cursor.size - start)
            if count > 0:
                runs.append((cursor, start, count))
                wanted -= count
            if not wanted:
                break
        # One record a run, one more for a reservation that shares the last run.
        return None if wanted or len(runs) >= MAX_RECORDS_PER_REQUEST else runs

    def _place_settlement(self, place: int, task: BindTask) -> bool:
        self._placements[place] = _Placement([], None)
        if task.settlement is None:
            raise LedgerError("a settlement names the bettor's place that it takes")
        row = (*task.settlement, self._first_id + (place << REQUEST_BITS))
        columns = ("pool_id", "slot", "bettor", "record_id")
        suffix = "ON CONFLICT DO NOTHING RETURNING record_id"
        if insert_rows(self._connection, "settlements", columns, [row], suffix):
            return True
        already = (
            "this outcome is settled, and its draw's stake was of one bettor"
            if task.settlement[2] == SOLE_BETTOR
            else "this bettor was already settled for this outcome"
        )
        task.error = InvalidArgument(("bettor", already))
        return False

    def _admit_ticket(self, task: BindTask) -> bool:
        ticket = self._tickets.get(task.ticket_hash)
        if ticket is None or ticket.caller != task.caller:
            # The same answer for a foreign ticket and none at all.
            task.error = NotFound("ticket_hash: no such ticket of this caller")
            return False
        if ticket.state == TICKET_DRAWN or task.ticket_hash in self._drawn_tickets:
            task.error = FailedPrecondition("TICKET_EXPIRED", "the ticket was drawn by another request id")
            return False
        if ticket.state != TICKET_OPEN or ticket.expires_us < self._now_us:
            task.error = FailedPrecondition("TICKET_EXPIRED", "the ticket has expired; its slot is void")
            return False
        said = read_binding(ticket.binding)
        if said["client_seed_hash"] != task.client_seed_hash.hex():
            task.error = FailedPrecondition("SEED_MISMATCH", "client_seed does not hash to what the ticket holds")
            return False
        binding = task.binding
        if not isinstance(binding, DrawBinding):
            raise LedgerError("only a draw can name a ticket")
        if task.queue is None or not task.queue.owns(ticket.pool_id):
            task.error = InvalidArgument(("ticket_hash", "the ticket is for another game, version, program or class"))
            return False
        if binding.session != said.get("session", ""):
            task.error = InvalidArgument(("session", "the ticket belongs to another session"))
            return False
        binding.session_sequence = said.get("session_seq", 0)
        binding.ticket = task.ticket_hash.hex()
        return True

    def number_sessions(self, placed: Sequence[tuple[int, BindTask]]) -> None:
        """Give each new draw and ticket of a session its number, with one statement for the group."""
        takers = []
        for place, task in placed:
            session = "" if isinstance(task.binding, SettleBinding) else task.binding.session
            placement = self._placements[place]
            numbers = len(placement.draws) + (placement.ticket is not None)
            if session and numbers:
                takers.append((task, (task.caller, session), numbers))
        if not takers:
            return
        counts: dict[tuple[str, str], int] = {}
        for _, key, numbers in takers:
            counts[key] = counts.get(key, 0) + numbers
        rows = insert_rows(
            self._connection,
            "sessions",
            ("caller", "session", "last_sequence"),
            [(*key, count) for key, count in sorted(counts.items())],
            "ON CONFLICT (caller, session) DO UPDATE SET last_sequence = sessions.last_sequence + "
            "excluded.last_sequence RETURNING caller, session, last_sequence",
        )
        following = {(row[0], row[1]): row[2] - counts[row[0], row[1]] + 1 for row in rows}
        for task, key, numbers in takers:
            first = following[key]
            following[key] = first + numbers
            if not task.ticket_hash and not isinstance(task.binding, SettleBinding):
                task.binding.session_sequence = first
            if task.next_ticket is not None:
                task.next_ticket.session_sequence = first + numbers - 1

    def build(self, place: int, task: BindTask) -> None:
        """Build the bindings of a placed task."""
        placement, binding = self._placements[place], task.binding
        first_id = self._first_id + (place << REQUEST_BITS)
        if isinstance(binding, SettleBinding):
            pool = task.settled_pool
            data = binding.to_bytes(self._now_us, self._nonce())
            task.records.append(BoundRecord(first_id, "settle", pool, binding.pool, binding.slot, 1, data))
        elif task.ticket_hash and isinstance(binding, DrawBinding):
            ticket = self._tickets[task.ticket_hash]
            data = binding.to_bytes(ticket.pool_id, ticket.slot, self._now_us, self._nonce())
            task.records.append(
                BoundRecord(first_id, "draw", ticket.pool, ticket.pool_id, ticket.slot, 1, data, ticket.binding)
            )
        elif isinstance(binding, DrawBinding):
            wanted = binding.count
            for cursor, start, count in placement.draws:
                binding.count = count
                data = binding.to_bytes(cursor.pool_id, start, self._now_us, self._nonce())
                record_id = first_id + len(task.records)
                task.records.append(BoundRecord(record_id, "draw", cursor.id, cursor.pool_id, start, count, data))
                binding.session_sequence += 1
            # The task is bound again, for all its slots, when the guard turns out to be lost.
            binding.count = wanted
        if placement.ticket is not None:
            reserved = binding if isinstance(binding, TicketBinding) else task.next_ticket
            if reserved is not None:
                self._reserve(task, reserved, first_id + len(task.records), *placement.ticket)
        if task.tags is not None:
            self._tags.append((first_id, *task.tags))
        self.records.extend(task.records)

    def _reserve(self, task: BindTask, binding: TicketBinding, record_id: int, cursor: PoolCursor, slot: int) -> None:
        expires_us = self._now_us + self._rules.ticket_lifetime_us
        data = binding.to_bytes(cursor.pool_id, slot, self._now_us, self._nonce(), expires_us)
        task.records.append(BoundRecord(record_id, "ticket", cursor.id, cursor.pool_id, slot, 1, data))
        self._new_tickets.append((binding_hash(data), cursor.id, slot, record_id, task.caller, expires_us, TICKET_OPEN))

    def _nonce(self) -> str:
        return self._random_bytes(NONCE_BYTES).hex()

    def write(self) -> None:
        """Write the group; GuardLost when a pool or ticket is not as it was read."""
        # In one order for everybody: two fronts that each wait for the other's pool would be a deadlock.
        for _, (cursor, after) in sorted(self._after.items()):
            moved = execute(
                self._connection,
                "UPDATE pools SET next_slot = ? WHERE id = ? AND next_slot = ? AND state = 'active'",
                (after, cursor.id, cursor.next_slot),
            )
            if moved.rowcount != 1:
                raise GuardLost(f"pool {cursor.pool_id} was advanced or taken out of use by somebody else")
        rows = [
            (r.id, r.pool, r.slot, r.count, r.kind, FAMILIES[r.kind], r.id if r.kind == "settle" else 0, r.binding)
            for r in self.records
        ]
        insert_rows(self._connection, "records", _RECORD_COLUMNS, rows)
        if self._drawn_tickets:
            drawn = execute(
                self._connection,
                f"UPDATE tickets SET state = {TICKET_DRAWN} WHERE state = {TICKET_OPEN} "  # noqa: S608
                f"AND hash IN ({marks(len(self._drawn_tickets))})",
                sorted(self._drawn_tickets),
            )
            if drawn.rowcount != len(self._drawn_tickets):
                raise GuardLost("a ticket was drawn or expired by somebody else")
        if self._new_tickets:
            insert_rows(self._connection, "tickets", _TICKET_COLUMNS, self._new_tickets)
        if self._tags:
            insert_rows(self._connection, "tags", ("record_id", "salt", "tags"), self._tags)

    def advanced(self) -> list[tuple[PoolCursor, int]]:
        """Return the cursors that the transaction moves, and where to."""
        return list(self._after.values())
