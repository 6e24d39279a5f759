"""Finite deals for operators: approval and inventory. What is left of a deal that is on sale is told to nobody."""

import time
from collections import Counter
from typing import Any

from sealdraw.v1 import operator_pb2
from sqlalchemy import Connection, Engine, func, select

from rng_service.config import Config
from rng_service.errors import InvalidArgument
from rng_service.front.audit_service import pool_message
from rng_service.front.checks import Checks
from rng_service.front.paging import page_token, read_page
from rng_service.games import GameDefinition, parse_game
from rng_service.games.definition import GameProgram
from rng_service.games.reference import reference_of
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import DealApprovalRow, GameRow, PoolRow, RecordRow, StreamRow
from rng_service.outcome.steps import Deal
from rng_service.pools.lifecycle import State
from rng_service.sequencer.approval import AUTOMATIC, approve_deal
from rng_service.sequencer.deal_closing import sold_tiers

_CLOSED = (State.CLOSED.value, State.ERASED.value)
_MOST_REFERENCE = 120


class DealService:
    """Handlers of the operator's calls about deals."""

    def __init__(self, ledger: Engine, config: Config) -> None:
        self._ledger = ledger
        self._config = config
        self._definitions: dict[bytes, GameDefinition] = {}

    def approve_deal(
        self, request: operator_pb2.ApproveDealRequest, _caller: str, _timeout_s: float
    ) -> operator_pb2.ApproveDealResponse:
        """Let the sale of an activated deal begin; again changes nothing."""
        checks = Checks()
        checks.pool_id(request.pool_id)
        checks.slug("approver", request.approver)
        if request.approver == AUTOMATIC:
            checks.refuse("approver", "this name stands for nobody: say who approves")
        if len(request.reference) > _MOST_REFERENCE or not request.reference.isascii():
            checks.refuse("reference", f"at most {_MOST_REFERENCE} ASCII characters")
        checks.finish()
        with writing(self._ledger) as connection:
            approve_deal(
                connection,
                request.pool_id,
                request.approver,
                origin=self._config.service.origin,
                now_us=time.time_ns() // 1_000,
                reference=request.reference or None,
            )
            row = connection.execute(_QUERY.where(PoolRow.pool_id == request.pool_id)).one()
            deal = self._deal(connection, row)
        return operator_pb2.ApproveDealResponse(deal=deal)

    def list_deals(
        self, request: operator_pb2.ListDealsRequest, _caller: str, _timeout_s: float
    ) -> operator_pb2.ListDealsResponse:
        """List deals, newest first."""
        size, before = read_page(request.page_size, request.page_token, 1 << 62)
        query = _QUERY.where(PoolRow.id < before).order_by(PoolRow.id.desc()).limit(size + 1)
        if request.game:
            query = query.where(GameRow.name == request.game)
        with reading(self._ledger) as connection:
            rows = connection.execute(query).all()
            deals = [self._deal(connection, row) for row in rows[:size]]
        token = page_token(rows[size - 1].id) if len(rows) > size else ""
        return operator_pb2.ListDealsResponse(deals=deals, next_page_token=token)

    def _deal(self, connection: Connection, row: Any) -> operator_pb2.Deal:
        program = self._program(bytes(row.digest), bytes(row.definition), row.program)
        step, price, bet = program.outcome.steps[0], program.price, reference_of(program)
        if not isinstance(step, Deal) or price is None or bet is None:
            raise InvalidArgument(("pool_id", f"{row.pool_id} is no deal"))
        sold = sold_tiers(connection, row, program) if row.state in _CLOSED else None
        records = connection.execute(
            select(RecordRow.kind, func.sum(RecordRow.slots))
            .where(RecordRow.pool_id == row.id, RecordRow.kind.in_(["draw", "void"]))
            .group_by(RecordRow.kind)
        )
        counts = Counter({kind: int(slots) for kind, slots in records})
        tiers = []
        for tier, tickets in enumerate(step.counts):
            message = operator_pb2.DealTier(multiplier=str(bet.multiplier((tier,))), tickets=tickets)
            if sold is not None:
                message.sold = sold[tier]
            tiers.append(message)
        return operator_pb2.Deal(
            pool=pool_message(row),
            approved=row.approval is not None,
            sold=counts["draw"],
            void=counts["void"],
            price_minor=price.minor,
            currency=price.currency,
            end_of_deal=program.end_of_deal or "",
            tiers=tiers,
            game_digest=bytes(row.digest),
        )

    def _program(self, digest: bytes, definition: bytes, program: str) -> GameProgram:
        found = self._definitions.get(digest)
        if found is None:
            found = self._definitions[digest] = parse_game(definition)
        return found.program(program)


_QUERY = (
    select(
        PoolRow.__table__,
        GameRow.digest,
        GameRow.definition,
        StreamRow.program,
        DealApprovalRow.log_entry_id.label("approval"),
    )
    .join(StreamRow, StreamRow.id == PoolRow.stream_id)
    .join(GameRow, GameRow.id == StreamRow.game_id)
    .outerjoin(DealApprovalRow, DealApprovalRow.pool_id == PoolRow.id)
    .where(StreamRow.deal)
)
