"""What a record must repeat of the request that it answers: the operator may not answer another question.

A receipt can verify in every step and still be of somebody else's draw, of another seed or another stake. Only who
made the request can tell.
"""

from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message
from sealdraw.v1 import draw_pb2, types_pb2

from anchor.errors import VerificationError
from rng_service.client.journal import JournalEntry
from rng_service.games import GameDefinition, parse_bet, resolve_bet
from rng_service.names import parse_pool_id, request_hash
from rng_service.request_id import parse_request_id
from rng_service.verify.fault import require
from rng_service.verify.opened import OpenedRecord

CLASSES: Final = {"real": types_pb2.PLAY_CLASS_REAL, "free": types_pb2.PLAY_CLASS_FREE}
_CLASS_NAMES: Final = {value: name for name, value in CLASSES.items()}
# Chosen by the service, or by a random salt: the request does not fix them.
_FREE: Final = frozenset({"v", "pool", "slot", "count", "bind_time", "nonce", "payload", "session_seq", "expires"})

Request = draw_pb2.ReserveRequest | draw_pb2.DrawRequest | draw_pb2.BatchDrawRequest | draw_pb2.SettleRequest
REQUESTS: Final[dict[str, type[Request]]] = {
    "Reserve": draw_pb2.ReserveRequest,
    "Draw": draw_pb2.DrawRequest,
    "BatchDraw": draw_pb2.BatchDrawRequest,
    "Settle": draw_pb2.SettleRequest,
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """The members of a binding that a request fixes.

    ``members`` are all of them but the bet, which is ``bet`` as it was sent; ``stream`` is (game, version, program,
    class) with version 0 for any. With ``open_ended`` further members may stand there: the request itself is not
    known any more, only who made it under which id.
    """

    caller: str
    request_id: str
    members: dict[str, Any]
    stream: tuple[str, int, str, str] | None = None
    bet: str = ""
    tagged: bool = False
    open_ended: bool = False

    def check(self, record: OpenedRecord) -> None:
        """Check a record against everything but the bet; raises VerificationError ``request-mismatch``."""
        binding = record.binding
        for name, value in self._all_members().items():
            require(
                binding.get(name) == value,
                "request-mismatch",
                f"{name} of the record is {binding.get(name)}, asked was for {value}",
            )
        if self.open_ended:
            return
        known = _FREE | self._all_members().keys() | ({"tags"} if self.tagged else set())
        known |= {"bet"} if self.bet else set()
        missing = {"tags"} - binding.keys() if self.tagged else set()
        if difference := (binding.keys() - known) | missing:
            raise VerificationError("request-mismatch", f"{min(difference)} is not as in the request")
        if self.stream is not None:
            self._check_stream(record.pool)

    def check_bet(self, record: OpenedRecord, game: GameDefinition) -> None:
        """Check that the record's bet is the one that was sent, in its canonical form."""
        if not self.bet or self.open_ended:
            return
        program = parse_pool_id(record.pool).stream.program
        wanted = resolve_bet(game, program, parse_bet(self.bet.encode())).canonical
        require(
            record.binding.get("bet") == wanted,
            "request-mismatch",
            f"the bet of the record is {record.binding.get('bet')}, asked was for {wanted}",
        )

    def _all_members(self) -> dict[str, Any]:
        request = request_hash(self.caller, parse_request_id(self.request_id)).hex()
        return {"caller": self.caller, "request": request, **self.members}

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


def expected_of(entry: JournalEntry, caller: str) -> Expected:
    """Return what the answer to a journaled request must have."""
    request = parse_request(entry)
    key = entry.request_id
    if isinstance(request, draw_pb2.SettleRequest):
        return Expected(settlement=_settlement(request, caller))
    stream = (request.game, request.version, request.program, _CLASS_NAMES.get(request.play_class, ""))
    members = {"program": request.program, **({"session": request.session} if request.session else {})}
    tagged = request.HasField("tags") and request.tags.ByteSize() > 0
    if isinstance(request, draw_pb2.ReserveRequest):
        holds = {**members, "client_seed_hash": request.client_seed_hash.hex()}
        return Expected(ticket=Expectation(caller, key, holds, stream, tagged=tagged))
    batch = isinstance(request, draw_pb2.BatchDrawRequest)
    wager = request.wager
    drawn: dict[str, Any] = {**members, **({"client_seed": request.client_seed.hex()} if request.client_seed else {})}
    if request.HasField("wager"):
        drawn |= {"stake_minor": wager.stake_minor, "currency": wager.currency}
    if isinstance(request, draw_pb2.BatchDrawRequest):
        outcomes, next_hash = request.count, b""
    else:
        outcomes, next_hash = 1, request.next_client_seed_hash
        drawn |= {"ticket": request.ticket_hash.hex()} if request.ticket_hash else {}
    draw = Expectation(caller, key, drawn, stream, wager.bet, tagged)
    if batch or not next_hash:
        return Expected(outcomes, draw)
    return Expected(outcomes, draw, Expectation(caller, key, {**members, "client_seed_hash": next_hash.hex()}, stream))


def expected_of_id(request_id: str, caller: str) -> Expectation:
    """Return what is known of a record when only the id of its request is."""
    return Expectation(caller, request_id, {}, open_ended=True)


def parse_request(entry: JournalEntry) -> Request:
    """Return the message of a journaled request."""
    message = REQUESTS[entry.method]()
    message.ParseFromString(entry.request)
    return message


def serialize(message: Message) -> bytes:
    """Return a message's bytes, always the same ones for the same fields."""
    return message.SerializeToString(deterministic=True)


def _settlement(request: draw_pb2.SettleRequest, caller: str) -> Expectation:
    members = {
        "bettor": request.bettor.hex(),
        "stake_minor": request.stake_minor,
        "payout_minor": request.payout_minor,
        "currency": request.currency,
    }
    if request.reason:
        members["reason"] = request.reason
    if request.status == draw_pb2.SETTLEMENT_STATUS_VOID:
        members["status"] = "void"
    # Whether a final settlement is `final` or only confirms what the draw's own bet paid, the draw decides; and a
    # settlement names the digest of its draw, not the program.
    return Expectation(caller, request.request_id, members, open_ended=True)
