"""From API requests to tasks for the draw engine: validation, payload hash, and the binding's own half.

Nothing is bound here. Whatever is wrong with a request is found before a slot is touched.
"""

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from sealdraw.v1 import draw_pb2

from anchor import canonical
from rng_service.encoding import TAGS_LABEL
from rng_service.errors import InvalidArgument
from rng_service.front.catalog import Stream
from rng_service.front.checks import Checks
from rng_service.front.rounds import refused
from rng_service.games import Bet
from rng_service.games.definition import TicketPrice
from rng_service.games.placing import PlayError, is_plain
from rng_service.games.rounds import check_alone
from rng_service.ledger.tasks import BindTask
from rng_service.names import lane_of, request_hash
from rng_service.records.binding import DrawBinding, TicketBinding
from rng_service.records.payload import payload_hash

MAX_BATCH = 1_000
MAX_BET_BYTES = 4_096
# A ticket on this would be drawn without a seed.
_NO_SEED = sha256(b"").digest()


class Streams(Protocol):
    """Where a request's stream is looked up: the catalog."""

    def stream(self, game: str, version: int, program: str, play_class: str, /) -> Stream:
        """Return the stream; raises the RequestError that answers a request for one that there is not."""


@dataclass(frozen=True, slots=True)
class Play:
    """A task and what its response needs besides: where it plays, and the bet that pays it."""

    task: BindTask
    stream: Stream
    client_seed: bytes
    bet: Bet | None
    stake_minor: int


def reserve(request: draw_pb2.ReserveRequest, caller: str, catalog: Streams) -> Play:
    """Return the play of a Reserve call; raises the RequestError that answers it otherwise."""
    checks = Checks()
    request_id = checks.request_id(request.request_id)
    session = checks.session(request.session)
    seed_hash = checks.exactly("client_seed_hash", request.client_seed_hash, 32)
    if seed_hash == _NO_SEED:
        checks.refuse("client_seed_hash", "the hash of no seed at all, which everybody can foresee")
    tags = checks.tags(request.tags)
    stream = _stream(request, checks, catalog)
    if stream.price is not None:
        raise InvalidArgument(("program", "a finite deal takes no client seed, so nothing of it is reserved"))
    payload = payload_hash(
        {
            "method": "Reserve",
            **_where(request, stream, session),
            "client_seed_hash": seed_hash.hex(),
            "tags": tags,
        },
    )
    commitment, kept = _commit_tags(tags)
    binding = TicketBinding(
        caller=caller,
        request=request_hash(caller, request_id).hex(),
        payload=payload.hex(),
        program=stream.program_id,
        client_seed_hash=seed_hash.hex(),
        session=session,
        tags=commitment,
    )
    task = BindTask(
        caller,
        request_id,
        payload,
        "Reserve",
        binding,
        queue=stream,
        lane=_lane(caller, session, request_id, stream),
        tags=kept,
    )
    return Play(task, stream, b"", None, 0)


def draw(request: draw_pb2.DrawRequest, caller: str, catalog: Streams) -> Play:
    """Return the play of a Draw call; raises the RequestError that answers it otherwise."""
    checks = Checks()
    round_id, step = checks.round(request.round_id, request.step)
    if request.ticket_hash:
        checks.exactly("ticket_hash", request.ticket_hash, 32)
        if not request.client_seed:
            checks.refuse("client_seed", "a draw on a ticket reveals the seed that the ticket holds the hash of")
    if request.next_client_seed_hash:
        checks.exactly("next_client_seed_hash", request.next_client_seed_hash, 32)
        if request.next_client_seed_hash == _NO_SEED:
            checks.refuse("next_client_seed_hash", "the hash of no seed at all, which everybody can foresee")
    return _draw(
        "Draw",
        request,
        checks,
        caller,
        catalog,
        {
            "ticket": request.ticket_hash.hex(),
            "next_client_seed_hash": request.next_client_seed_hash.hex(),
            "round": round_id,
            "step": step,
        },
    )


def batch_draw(request: draw_pb2.BatchDrawRequest, caller: str, catalog: Streams) -> Play:
    """Return the play of a BatchDraw call; raises the RequestError that answers it otherwise."""
    checks = Checks()
    if not 1 <= request.count <= MAX_BATCH:
        checks.refuse("count", f"expected 1 to {MAX_BATCH}, found {request.count}")
    return _draw("BatchDraw", request, checks, caller, catalog, {"count": request.count})


def _draw(
    method: str,
    request: draw_pb2.DrawRequest | draw_pb2.BatchDrawRequest,
    checks: Checks,
    caller: str,
    catalog: Streams,
    special: dict[str, Any],
) -> Play:
    request_id = checks.request_id(request.request_id)
    session = checks.session(request.session)
    seed = checks.seed("client_seed", request.client_seed)
    tags = checks.tags(request.tags)
    stake, currency = _wager(request, checks)
    stream = _stream(request, checks, catalog)
    bet_text, bet = _bet(stream, request.wager.bet, stake) if request.wager.bet else ("", None)
    payload = payload_hash(
        {
            "method": method,
            **_where(request, stream, session),
            "client_seed": seed.hex(),
            "stake_minor": stake,
            "currency": currency,
            "bet": bet_text,
            "tags": tags,
            **special,
        },
    )
    commitment, kept = _commit_tags(tags)
    hashed_request = request_hash(caller, request_id).hex()
    binding = DrawBinding(
        caller=caller,
        request=hashed_request,
        payload=payload.hex(),
        program=stream.program_id,
        client_seed=seed.hex(),
        count=special.get("count", 1),
        session=session,
        stake_minor=stake,
        currency=currency,
        bet=bet_text,
        tags=commitment,
        round_id=special.get("round", ""),
        step=special.get("step", 0),
    )
    if not binding.round_id:
        _check_alone(stream, bet)
    if stream.price is not None:
        _check_deal(stream.price, binding, bet, special)
    task = BindTask(
        caller,
        request_id,
        payload,
        method,
        binding,
        queue=stream,
        lane=_lane(caller, session, request_id, stream),
        tags=kept,
    )
    if isinstance(request, draw_pb2.DrawRequest):
        if request.ticket_hash:
            task.ticket_hash = request.ticket_hash
            task.client_seed_hash = sha256(seed).digest()
        if request.next_client_seed_hash:
            task.next_ticket = TicketBinding(
                caller=caller,
                request=hashed_request,
                payload=payload.hex(),
                program=stream.program_id,
                client_seed_hash=request.next_client_seed_hash.hex(),
                session=session,
            )
    return Play(task, stream, seed, bet, stake)


def _wager(request: draw_pb2.DrawRequest | draw_pb2.BatchDrawRequest, checks: Checks) -> tuple[int, str]:
    if not request.HasField("wager"):
        return 0, ""
    wager = request.wager
    if len(wager.bet) > MAX_BET_BYTES:
        checks.refuse("wager.bet", f"at most {MAX_BET_BYTES} characters")
    return (
        checks.money("wager.stake_minor", wager.stake_minor, least=1),
        checks.currency("wager.currency", wager.currency),
    )


def _bet(stream: Stream, text: str, stake: int) -> tuple[str, Bet]:
    try:
        canonical_bet, bet = stream.bet(text)
    except InvalidArgument as error:
        raise InvalidArgument(*((f"wager.{path}", description) for path, description in error.violations)) from None
    # A receipt that cannot state what it pays must be prevented before its slot is bound.
    most = stream.most_stake(canonical_bet, bet)
    if stake > most:
        raise InvalidArgument(("wager.stake_minor", f"at most {most}, so that this bet's top prize can be recorded"))
    return canonical_bet, bet


def _check_deal(price: TicketPrice, binding: DrawBinding, bet: Bet | None, special: dict[str, Any]) -> None:
    """Hold a ticket of a finite deal to its price; nothing but the sealed order decides it."""
    for field, given in (
        ("client_seed", binding.client_seed),
        ("ticket_hash", special.get("ticket")),
        ("next_client_seed_hash", special.get("next_client_seed_hash")),
        ("round_id", binding.round_id),
    ):
        if given:
            raise InvalidArgument((field, "a finite deal has none: its order is sealed, and each ticket stands alone"))
    if bet is None or (binding.stake_minor, binding.currency) != price:
        raise InvalidArgument(("wager", f"a ticket of this deal costs {price.minor} {price.currency}, and has its bet"))


def _check_alone(stream: Stream, bet: Bet | None) -> None:
    # What every draw passes by: the whole question is only asked where the answer may be no.
    if stream.in_rounds or not is_plain(bet):
        try:
            check_alone(stream.definition.program(stream.program_id), bet)
        except PlayError as error:
            raise refused(error) from None


def _stream(
    request: draw_pb2.ReserveRequest | draw_pb2.DrawRequest | draw_pb2.BatchDrawRequest,
    checks: Checks,
    catalog: Streams,
) -> Stream:
    game = checks.name("game", request.game)
    program = checks.name("program", request.program)
    play_class = checks.play_class(request.play_class)
    checks.finish()
    return catalog.stream(game, request.version, program, play_class)


def _where(
    request: draw_pb2.ReserveRequest | draw_pb2.DrawRequest | draw_pb2.BatchDrawRequest,
    stream: Stream,
    session: str,
) -> dict[str, Any]:
    # The version as it was asked for: a repeat after a new version was registered is still the same request.
    return {
        "game": request.game,
        "version": request.version,
        "program": stream.program_id,
        "class": stream.play_class,
        "session": session,
    }


def _lane(caller: str, session: str, request_id: bytes, stream: Stream) -> int:
    return lane_of(caller, session or request_id, stream.lanes) if stream.lanes > 1 else 0


def _commit_tags(tags: dict[str, str]) -> tuple[str, tuple[bytes, bytes] | None]:
    if not tags:
        return "", None
    salt, clear = os.urandom(32), canonical.encode(tags)
    return sha256(TAGS_LABEL + salt + clear).hexdigest(), (salt, clear)
