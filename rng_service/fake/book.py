"""The fake's ledger: who asked for what under which id, in memory, with the rules of the real one."""

from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor.merkle import inclusion_path, levels_of
from rng_service.encoding import OPENING_LABEL, lp
from rng_service.errors import FailedPrecondition, InvalidArgument, NotFound
from rng_service.fake.catalog import FakeCatalog, FakePool
from rng_service.fake.outcomes import ForcedOutcomes
from rng_service.front.opening import OpenedRecord
from rng_service.front.requests import Play
from rng_service.ledger.rounds import KnownRound, step_refusal
from rng_service.ledger.tasks import BindTask, BoundRecord, RoundMove
from rng_service.records.binding import DrawBinding, SettleBinding, TicketBinding
from rng_service.records.record import binding_hash, draw_record, record_digest, settle_record, ticket_record
from rng_service.request_id import request_id_time_us
from rng_service.vault.binding import read_binding

WINDOW_BACK_US = 72 * 3600 * 1_000_000
WINDOW_AHEAD_US = 300 * 1_000_000


@dataclass(slots=True)
class Known:
    """A request id that was used; ``payload`` is None for one that was fenced."""

    method: str
    payload: bytes | None
    records: list[OpenedRecord] = field(default_factory=list)


@dataclass(slots=True)
class _Ticket:
    caller: str
    pool: FakePool
    slot: int
    expires_us: int
    binding: bytes
    drawn: bool = False


class FakeBook:
    """Binds and opens requests, each id once. Not for several threads at once.

    Everything follows from ``seed`` and the order of the calls: nonces, keys and secrets repeat from run to run.
    """

    def __init__(
        self, catalog: FakeCatalog, forced: ForcedOutcomes, origin: str, seed: bytes, ticket_lifetime_us: int
    ) -> None:
        self._catalog = catalog
        self._forced = forced
        self._origin = origin
        self._seed = seed
        self._ticket_lifetime_us = ticket_lifetime_us
        self._key = Ed25519PrivateKey.from_private_bytes(sha256(b"fake receipt key " + seed).digest())
        self._key_id = sha256(self._key.public_key().public_bytes_raw()).hexdigest()[:16]
        self._known: dict[tuple[str, bytes], Known] = {}
        self._tickets: dict[bytes, _Ticket] = {}
        self._sessions: dict[tuple[str, str], int] = {}
        self._rounds: dict[tuple[str, str], KnownRound] = {}
        # The newest draw of each round, by `KnownRound.record_id`.
        self._steps: dict[int, OpenedRecord] = {}
        self._settled: set[tuple[int, int, bytes]] = set()
        self._made = 0
        self._moves = 0

    def find(self, caller: str, request_id: bytes) -> Known | None:
        """Return what is known of an id."""
        return self._known.get((caller, request_id))

    def round(self, caller: str, round_id: str) -> KnownRound | None:
        """Return where a round stands, None when no step of it was drawn."""
        return self._rounds.get((caller, round_id))

    def newest_step(self, known: KnownRound) -> OpenedRecord:
        """Return the newest draw of a round."""
        return self._steps[known.record_id]

    def fence(self, caller: str, request_id: bytes) -> Known:
        """Return what is known of an id, fencing it for ever when that is nothing."""
        return self._known.setdefault((caller, request_id), Known("", None))

    def perform(self, task: BindTask, play: Play | None, now_us: int) -> list[OpenedRecord]:
        """Bind and open a request, or return what the same request gave before.

        Raises the RequestError of docs/API.md otherwise, and then leaves nothing behind.
        """
        known = self.find(task.caller, task.request_id)
        if known is not None:
            if known.payload is None:
                raise FailedPrecondition("FENCED", "this request_id was resolved as never bound; make a new one")
            if known.payload != task.payload:
                raise FailedPrecondition("REQUEST_ID_REUSED", "this request_id was used with other fields")
            return known.records
        stated_us = request_id_time_us(task.request_id)
        if not now_us - WINDOW_BACK_US <= stated_us <= now_us + WINDOW_AHEAD_US:
            raise FailedPrecondition("STALE_REQUEST_ID", "the time in request_id lies outside the accepted window")
        if task.round is not None:
            self._check_step(task.caller, task.round)
        bound = self._settle(task, now_us) if play is None else self._draw(task, play, now_us)
        records = self._open(bound)
        if task.round is not None:
            self._move(task.caller, task.round, records[0])
        self._known[task.caller, task.request_id] = Known(task.method, task.payload, records)
        return records

    def _settle(self, task: BindTask, now_us: int) -> list[tuple[BoundRecord, FakePool]]:
        binding = task.binding
        if not isinstance(binding, SettleBinding):
            raise TypeError("a settlement's task has a settlement's binding")
        if task.settlement is not None:
            if task.settlement in self._settled:
                raise InvalidArgument(("bettor", "this bettor was already settled for this outcome"))
            self._settled.add(task.settlement)
        pool = self._catalog.pool(task.settled_pool)
        data = binding.to_bytes(now_us, self._nonce())
        return [(BoundRecord(0, "settle", pool.id, pool.pool_id, binding.slot, 1, data), pool)]

    def _check_step(self, caller: str, move: RoundMove) -> None:
        known = self.round(caller, move.round_id)
        refusal = step_refusal(move, *((0, 0) if known is None else (known.last_step, known.record_id)))
        if refusal is not None:
            raise refusal

    def _move(self, caller: str, move: RoundMove, opened: OpenedRecord) -> None:
        before = self.round(caller, move.round_id)
        if before is not None:
            del self._steps[before.record_id]
        self._moves += 1
        self._steps[self._moves] = opened
        self._rounds[caller, move.round_id] = KnownRound(
            last_step=move.step,
            record_id=self._moves,
            stake_minor=move.stake_minor,
            currency=move.currency,
            awarded=move.awarded,
            pool_id=opened.bound.pool_id,
            binding=opened.bound.binding,
        )

    def _draw(self, task: BindTask, play: Play, now_us: int) -> list[tuple[BoundRecord, FakePool]]:
        ticket = self._admit(task, play, now_us) if task.ticket_hash else None
        bound = []
        if isinstance(task.binding, DrawBinding):
            if ticket is not None:
                ticket.drawn = True
                runs = [(ticket.pool, ticket.slot, 1)]
            else:
                runs = self._catalog.take(play.stream, task.binding.count)
            for pool, first, count in runs:
                bound.append((self._bind_draw(task, task.binding, pool, first, count, now_us, ticket), pool))
        reserved = task.binding if isinstance(task.binding, TicketBinding) else task.next_ticket
        if reserved is not None:
            [(pool, slot, _)] = self._catalog.take(play.stream, 1)
            bound.append((self._bind_ticket(task, reserved, pool, slot, now_us), pool))
        return bound

    def _bind_draw(
        self,
        task: BindTask,
        binding: DrawBinding,
        pool: FakePool,
        first: int,
        count: int,
        now_us: int,
        ticket: _Ticket | None,
    ) -> BoundRecord:
        _, game, _, program, _, _, _ = pool.pool_id.split("/")
        for slot in range(first, first + count):
            values = self._forced.take(game, program)
            if values is not None:
                pool.forced.forced[slot] = values
        binding.count = count
        if ticket is None:
            binding.session_sequence = self._next_in_session(task.caller, binding.session)
        data = binding.to_bytes(pool.pool_id, first, now_us, self._nonce())
        held = b"" if ticket is None else ticket.binding
        return BoundRecord(0, "draw", pool.id, pool.pool_id, first, count, data, held)

    def _bind_ticket(
        self, task: BindTask, binding: TicketBinding, pool: FakePool, slot: int, now_us: int
    ) -> BoundRecord:
        expires_us = now_us + self._ticket_lifetime_us
        binding.session_sequence = self._next_in_session(task.caller, binding.session)
        data = binding.to_bytes(pool.pool_id, slot, now_us, self._nonce(), expires_us)
        self._tickets[binding_hash(data)] = _Ticket(task.caller, pool, slot, expires_us, data)
        return BoundRecord(0, "ticket", pool.id, pool.pool_id, slot, 1, data)

    def _admit(self, task: BindTask, play: Play, now_us: int) -> _Ticket:
        ticket = self._tickets.get(task.ticket_hash)
        if ticket is None or ticket.caller != task.caller:
            raise NotFound("ticket_hash: no such ticket of this caller")
        if ticket.drawn or ticket.expires_us < now_us:
            raise FailedPrecondition("TICKET_EXPIRED", "the ticket was drawn, or has expired")
        said = read_binding(ticket.binding)
        if said["client_seed_hash"] != task.client_seed_hash.hex():
            raise FailedPrecondition("SEED_MISMATCH", "client_seed does not hash to what the ticket holds")
        if not play.stream.owns(ticket.pool.pool_id):
            raise InvalidArgument(("ticket_hash", "the ticket is for another game, version, program or class"))
        if isinstance(task.binding, DrawBinding):
            if task.binding.session != said.get("session", ""):
                raise InvalidArgument(("session", "the ticket belongs to another session"))
            task.binding.session_sequence = said.get("session_seq", 0)
            task.binding.ticket = task.ticket_hash.hex()
        return ticket

    def _open(self, bound: list[tuple[BoundRecord, FakePool]]) -> list[OpenedRecord]:
        """Make records of what was bound, and sign them as one group."""
        opened = []
        for record, pool in bound:
            secrets = b""
            if record.kind == "draw":
                secrets = pool.secrets[32 * record.slot : 32 * (record.slot + record.count)]
                made = draw_record(record.binding, secrets)
            else:
                made = (ticket_record if record.kind == "ticket" else settle_record)(record.binding)
            opened.append((record, secrets, made))
        levels = levels_of([record_digest(made) for _, _, made in opened])
        signature = self._key.sign(OPENING_LABEL + lp(self._origin.encode("ascii")) + levels[-1][0])
        return [
            OpenedRecord(
                bound=record,
                secrets=secrets,
                record=made,
                key_id=self._key_id,
                index=index,
                group_size=len(opened),
                path=inclusion_path(levels, index),
                signature=signature,
            )
            for index, (record, secrets, made) in enumerate(opened)
        ]

    def _next_in_session(self, caller: str, session: str) -> int:
        if not session:
            return 0
        key = caller, session
        self._sessions[key] = self._sessions.get(key, 0) + 1
        return self._sessions[key]

    def _nonce(self) -> str:
        self._made += 1
        return sha256(b"fake nonce " + self._seed + b"%d" % self._made).hexdigest()[:32]
