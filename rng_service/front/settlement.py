"""Settle: one bettor's stake and payout on an outcome, checked against the paytable before it is recorded."""

from collections.abc import Callable, Mapping

from sealdraw.v1 import draw_pb2

from anchor import canonical
from rng_service.errors import InvalidArgument, NotFound
from rng_service.front import receipts
from rng_service.front.catalog import Catalog
from rng_service.front.checks import Checks
from rng_service.front.opening import OpenedRecord
from rng_service.front.requests import MAX_BET_BYTES
from rng_service.games import Bet, BetError
from rng_service.games.placing import PlayError, check_settled_with, stakes
from rng_service.ledger.tasks import SOLE_BETTOR, BindTask
from rng_service.names import request_hash
from rng_service.outcome.primitives import Outcome
from rng_service.records.binding import SettleBinding
from rng_service.records.payload import payload_hash
from rng_service.records.record import record_digest
from rng_service.vault.binding import read_binding

FIND_DRAW = Callable[[bytes, str], list[OpenedRecord]]


def settlement_task(
    request: draw_pb2.SettleRequest,
    caller: str,
    catalog: Catalog,
    find_draw: FIND_DRAW,
) -> BindTask:
    """Return the task of a settlement; raises InvalidArgument when the report contradicts the paytable."""
    checks = Checks()
    request_id = checks.request_id(request.request_id)
    draw_id = checks.request_id(request.draw_request_id, "draw_request_id")
    checks.exactly("bettor", request.bettor, 32)
    checks.money("stake_minor", request.stake_minor, least=1)
    checks.money("payout_minor", request.payout_minor, least=0)
    checks.currency("currency", request.currency)
    if len(request.bet) > MAX_BET_BYTES:
        checks.refuse("bet", f"at most {MAX_BET_BYTES} characters")
    void = request.status == draw_pb2.SETTLEMENT_STATUS_VOID
    if request.status not in {draw_pb2.SETTLEMENT_STATUS_FINAL, draw_pb2.SETTLEMENT_STATUS_VOID}:
        checks.refuse("status", "expected SETTLEMENT_STATUS_FINAL or SETTLEMENT_STATUS_VOID")
    if void:
        checks.reason(request.reason)
        if request.payout_minor:
            checks.refuse("payout_minor", "a void settlement gives the stake back and pays 0")
    elif request.reason:
        checks.refuse("reason", "only a void settlement has a reason")
    checks.finish()
    opened, offset = _item(find_draw(draw_id, caller), request.item)
    said = read_binding(opened.bound.binding)
    pool = catalog.pool(opened.bound.pool)
    stream = catalog.stream_of(opened.bound.pool_id)
    outcome = receipts.outcomes(pool, opened, bytes.fromhex(said.get("client_seed", "")))[offset]
    slot = opened.bound.slot + offset
    status, bet_text, bet = "void" if void else "final", "", None
    if request.bet:
        bet_text, bet = stream.bet(request.bet)
    # A stake without a bet was staked by one bettor, who decides afterwards (mines, video poker): there is no second.
    sole = "stake_minor" in said and "bet" not in said
    if "bet" in said:
        if bet_text and bet_text != canonical.encode(said["bet"]).decode("ascii"):
            raise InvalidArgument(("bet", "the draw itself fixed another bet"))
        receipt = receipts.read_back(catalog, opened)
        _require_same(request, said["stake_minor"], said["currency"], receipt.payouts_minor[offset], void=void)
        status = "confirm"
    else:
        if bet is not None:
            _require_later(bet, staked=sole)
        if sole:
            _require_drawn(request, {"stake_minor": said["stake_minor"] * stakes(bet), "currency": said["currency"]})
    if status == "final":
        if bet is None:
            raise InvalidArgument(
                ("bet", "this program's paytable is complete: say the bet, and the payout is checked")
            )
        expected = _pays(outcome, bet, request.stake_minor)
        if request.payout_minor != expected:
            raise InvalidArgument(
                ("payout_minor", f"the paytable pays {expected}, the report says {request.payout_minor}")
            )
    payload = payload_hash(
        {
            "method": "Settle",
            "receipt": request.draw_request_id,
            "item": request.item,
            "bettor": request.bettor.hex(),
            "stake_minor": request.stake_minor,
            "payout_minor": request.payout_minor,
            "currency": request.currency,
            "status": status,
            "reason": request.reason,
            "bet": bet_text,
        },
    )
    binding = SettleBinding(
        caller=caller,
        request=request_hash(caller, request_id).hex(),
        payload=payload.hex(),
        pool=opened.bound.pool_id,
        slot=slot,
        draw=record_digest(opened.record).hex(),
        bettor=request.bettor.hex(),
        stake_minor=request.stake_minor,
        payout_minor=request.payout_minor,
        currency=request.currency,
        status=status,
        bet=bet_text,
        reason=request.reason,
    )
    return BindTask(
        caller,
        request_id,
        payload,
        "Settle",
        binding,
        settled_pool=opened.bound.pool,
        # One stake is one bettor's, also where it only has to be confirmed: two tokens would be paid for one win.
        settlement=(opened.bound.pool, slot, SOLE_BETTOR if "stake_minor" in said else request.bettor),
    )


def _item(opened: list[OpenedRecord], item: int) -> tuple[OpenedRecord, int]:
    for record in opened:
        if item < record.bound.count:
            return record, item
        item -= record.bound.count
    raise NotFound("item: the draw has fewer outcomes")


def _require_same(
    request: draw_pb2.SettleRequest, stake_minor: int, currency: str, payout_minor: int, *, void: bool
) -> None:
    if void:
        raise InvalidArgument(("status", "the draw fixed its own bet and was paid by it; it cannot be voided"))
    _require_drawn(request, {"stake_minor": stake_minor, "currency": currency, "payout_minor": payout_minor})


def _require_drawn(request: draw_pb2.SettleRequest, fixed: Mapping[str, int | str]) -> None:
    """Check that a settlement repeats what its draw fixed."""
    for field, expected in fixed.items():
        found = getattr(request, field)
        if found != expected:
            raise InvalidArgument((field, f"the draw itself fixed {expected}, the report says {found}"))


def _require_later(bet: Bet, *, staked: bool) -> None:
    """Check that a bet may be told after its draw."""
    try:
        check_settled_with(bet, staked=staked)
    except PlayError as error:
        raise InvalidArgument(("bet", error.message)) from None


def _pays(outcome: Outcome, bet: Bet, stake_minor: int) -> int:
    try:
        return receipts.payouts([outcome], bet, stake_minor)[0]
    except BetError as error:
        # Decisions that the outcome does not allow: a tile opened behind a mine.
        raise InvalidArgument((f"bet{error.path.removeprefix('$')}", error.message)) from None
