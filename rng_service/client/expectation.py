"""What a record must repeat of the request that it answers: the operator may not answer another question.

A receipt can verify in every step and still be of somebody else's draw, of another seed, stake or time. Only who made
the request can tell.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from google.protobuf.message import Message
from sealdraw.v1 import draw_pb2, types_pb2

from anchor import canonical
from anchor.errors import VerificationError
from rng_service.client.journal import JournalEntry
from rng_service.games import GameDefinition, parse_bet, resolve_bet
from rng_service.names import lane_of, parse_pool_id, request_hash
from rng_service.records.payload import payload_hash
from rng_service.request_id import parse_request_id, request_id_time_us
from rng_service.verify.clock import OWN_CLOCK_TOLERANCE_US
from rng_service.verify.fault import require
from rng_service.verify.opened import OpenedRecord

CLASSES: Final = {"real": types_pb2.PLAY_CLASS_REAL, "free": types_pb2.PLAY_CLASS_FREE}
_CLASS_NAMES: Final = {value: name for name, value in CLASSES.items()}
# Chosen by the service, or by a random salt: the request does not fix them.
_FREE: Final = frozenset(
    ("v", "pool", "slot", "count", "bind_time", "nonce", "payload", "session_seq", "expires", "draw", "status")
)

Request = draw_pb2.ReserveRequest | draw_pb2.DrawRequest | draw_pb2.BatchDrawRequest | draw_pb2.SettleRequest
REQUESTS: Final[dict[str, type[Request]]] = {
    "Reserve": draw_pb2.ReserveRequest,
    "Draw": draw_pb2.DrawRequest,
    "BatchDraw": draw_pb2.BatchDrawRequest,
    "Settle": draw_pb2.SettleRequest,
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a request fixes of the binding that answers it.

    ``members`` are all members but those below; ``stream`` is (game, version, program, class) with version 0 for any.
    ``bet`` is the one of this record as it was sent; ``payload`` are the fields of the payload hash, but for the bet,
    which takes part in its canonical form, and ``payload_bet`` is that bet as it was sent. ``received_us`` is this
    machine's clock when the answer came. With ``open_ended`` nothing but caller and id is known of the request.
    """

    caller: str
    request_id: str
    received_us: int
    members: dict[str, Any] = field(default_factory=dict)
    stream: tuple[str, int, str, str] | None = None
    bet: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    payload_bet: str = ""
    tagged: bool = False
    open_ended: bool = False

    def check(self, record: OpenedRecord) -> None:
        """Check a record against everything that needs no game; raises VerificationError.

        The reasons are ``request-mismatch``, ``bind-time-ahead``, ``bind-time-back``, ``ticket-stillborn`` and
        ``ticket-expired``.
        """
        binding = record.binding
        for name, value in self._all_members().items():
            require(
                binding.get(name) == value,
                "request-mismatch",
                f"{name} of the record is {binding.get(name)}, asked was for {value}",
            )
        self._check_times(record)
        if self.open_ended:
            return
        known = _FREE | self._all_members().keys() | ({"tags"} if self.tagged else set())
        known |= {"bet"} if self.bet else set()
        missing = {"tags"} - binding.keys() if self.tagged else set()
        if difference := (binding.keys() - known) | missing:
            raise VerificationError("request-mismatch", f"{min(difference)} is not as in the request")
        if self.stream is not None:
            self._check_stream(record.pool)

    @property
    def voids(self) -> bool:
        """Whether the request is to give a stake back."""
        return self.members.get("status") == "void"

    def with_payload(self, **fields: Any) -> "Expectation":
        """Return this with further fields of the payload hash, which only became known with the answer."""
        return replace(self, payload=self.payload | fields)

    def check_game(self, record: OpenedRecord, game: GameDefinition) -> None:
        """Check that bet and payload hash are those of the request; raises VerificationError ``request-mismatch``."""
        if self.open_ended:
            return
        wanted = _canonical_bet(self.bet, record, game)
        require(
            record.binding.get("bet") == wanted,
            "request-mismatch",
            f"the bet of the record is {record.binding.get('bet')}, asked was for {wanted}",
        )
        bet = wanted if self.payload_bet == self.bet else _canonical_bet(self.payload_bet, record, game)
        fields = self.payload if bet is None else {**self.payload, "bet": canonical.encode(bet).decode("ascii")}
        payload = payload_hash(fields).hex()
        require(
            record.binding["payload"] == payload,
            "request-mismatch",
            f"the payload hash of the record is {record.binding['payload']}, that of the request {payload}",
        )

    def lane_among(self, record: OpenedRecord, lanes: int) -> int:
        """Return the lane of the request among so many."""
        return lane_of(self.caller, record.binding.get("session") or parse_request_id(self.request_id), lanes)

    def _all_members(self) -> dict[str, Any]:
        request = request_hash(self.caller, parse_request_id(self.request_id)).hex()
        return {"caller": self.caller, "request": request, **self.members}

    def _check_times(self, record: OpenedRecord) -> None:
        """Check that the request was bound after it was made and before it was answered, by this machine's clock."""
        bound_us, asked_us = record.binding["bind_time"], request_id_time_us(parse_request_id(self.request_id))
        require(
            bound_us <= self.received_us + OWN_CLOCK_TOLERANCE_US,
            "bind-time-ahead",
            f"bound at {bound_us}, and answered at {self.received_us} by this machine's clock",
        )
        require(
            bound_us >= asked_us - OWN_CLOCK_TOLERANCE_US,
            "bind-time-back",
            f"bound at {bound_us}, and asked for at {asked_us} by the time in the request id",
        )
        expires_us = record.binding.get("expires")
        if expires_us is not None:
            require(expires_us > bound_us, "ticket-stillborn", f"the ticket of {bound_us} was good until {expires_us}")
            require(
                expires_us > asked_us,
                "ticket-expired",
                f"the ticket is good until {expires_us}, and was asked for at {asked_us} by this machine's clock",
            )

    def _check_stream(self, pool: str) -> None:
        found = parse_pool_id(pool).stream
        game, version, program, play_class = self.stream or ("", 0, "", "")
        wanted = (game, version or found.version, program, play_class)
        require(
            tuple(found) == wanted, "request-mismatch", f"drawn from {pool}, asked was for {'/'.join(map(str, wanted))}"
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """What a whole answer must have: how many outcomes, a ticket or none, a settlement or none."""

    outcomes: int = 0
    draw: Expectation | None = None
    ticket: Expectation | None = None
    settlement: Expectation | None = None

    @property
    def session(self) -> str:
        """The session that the request is of, "" for none."""
        of = self.draw or self.ticket
        return "" if of is None else of.members.get("session", "")


def expected_of(entry: JournalEntry, caller: str, received_us: int) -> Expected:
    """Return what the answer to a journaled request must have."""
    request = parse_request(entry)
    if isinstance(request, draw_pb2.SettleRequest):
        return Expected(settlement=_settlement(request, caller, received_us))
    common = Expectation(
        caller,
        entry.request_id,
        received_us,
        members={"program": request.program, **({"session": request.session} if request.session else {})},
        stream=(request.game, request.version, request.program, _CLASS_NAMES.get(request.play_class, "")),
        payload=_payload(entry.method, request),
        tagged=request.HasField("tags") and request.tags.ByteSize() > 0,
    )
    if isinstance(request, draw_pb2.ReserveRequest):
        return Expected(ticket=_with(common, client_seed_hash=request.client_seed_hash.hex()))
    common = replace(common, payload_bet=request.wager.bet)
    drawn: dict[str, Any] = {"client_seed": request.client_seed.hex()} if request.client_seed else {}
    if request.HasField("wager"):
        drawn |= {"stake_minor": request.wager.stake_minor, "currency": request.wager.currency}
    if isinstance(request, draw_pb2.BatchDrawRequest):
        return Expected(request.count, replace(_with(common, **drawn), bet=request.wager.bet))
    if request.ticket_hash:
        drawn["ticket"] = request.ticket_hash.hex()
    if request.round_id:
        drawn |= {"round": request.round_id, "step": request.step}
    draw = replace(_with(common, **drawn), bet=request.wager.bet)
    if not request.next_client_seed_hash:
        return Expected(1, draw)
    # The tags are those of the draw; the ticket for the next one has none.
    following = replace(common, tagged=False)
    return Expected(1, draw, _with(following, client_seed_hash=request.next_client_seed_hash.hex()))


def expected_of_id(request_id: str, caller: str, received_us: int) -> Expectation:
    """Return what is known of a record when only the id of its request is."""
    return Expectation(caller, request_id, received_us, open_ended=True)


def parse_request(entry: JournalEntry) -> Request:
    """Return the message of a journaled request."""
    message = REQUESTS[entry.method]()
    message.ParseFromString(entry.request)
    return message


def session_of(request: Request) -> str:
    """Return the session in which a request takes numbers, "" for none."""
    return "" if isinstance(request, draw_pb2.SettleRequest) else request.session


def serialize(message: Message) -> bytes:
    """Return a message's bytes, always the same ones for the same fields."""
    return message.SerializeToString(deterministic=True)


def _canonical_bet(text: str, record: OpenedRecord, game: GameDefinition) -> Any:
    """Return a bet as it stands in bindings, None for no bet."""
    if not text:
        return None
    program = parse_pool_id(record.pool).stream.program
    return resolve_bet(game, program, parse_bet(text.encode())).canonical


def _with(expectation: Expectation, **members: Any) -> Expectation:
    return replace(expectation, members={**expectation.members, **members})


def _payload(
    method: str, request: draw_pb2.ReserveRequest | draw_pb2.DrawRequest | draw_pb2.BatchDrawRequest
) -> dict[str, Any]:
    """Return the fields of a call's payload hash, without the bet (PROTOCOL.md, section 13)."""
    fields: dict[str, Any] = {
        "method": method,
        "game": request.game,
        "version": request.version,
        "program": request.program,
        "class": _CLASS_NAMES.get(request.play_class, ""),
        "session": request.session,
        "tags": {tag.name: value for tag, value in request.tags.ListFields()},
    }
    if isinstance(request, draw_pb2.ReserveRequest):
        return fields | {"client_seed_hash": request.client_seed_hash.hex()}
    fields |= {
        "client_seed": request.client_seed.hex(),
        "stake_minor": request.wager.stake_minor,
        "currency": request.wager.currency,
    }
    if isinstance(request, draw_pb2.BatchDrawRequest):
        return fields | {"count": request.count}
    return fields | {
        "ticket": request.ticket_hash.hex(),
        "next_client_seed_hash": request.next_client_seed_hash.hex(),
        "round": request.round_id,
        "step": request.step,
    }


def _settlement(request: draw_pb2.SettleRequest, caller: str, received_us: int) -> Expectation:
    amounts: dict[str, Any] = {
        "bettor": request.bettor.hex(),
        "stake_minor": request.stake_minor,
        "payout_minor": request.payout_minor,
        "currency": request.currency,
    }
    reason = {"reason": request.reason} if request.reason else {}
    void = {"status": "void"} if request.status == draw_pb2.SETTLEMENT_STATUS_VOID else {}
    # Draw, pool, slot, and the status unless it is void, follow from the draw that is settled.
    return Expectation(
        caller,
        request.request_id,
        received_us,
        members={**amounts, **reason, **void},
        bet=request.bet,
        payload={
            "method": "Settle",
            "receipt": request.draw_request_id,
            "item": request.item,
            "reason": request.reason,
            **amounts,
        },
        payload_bet=request.bet,
    )
