"""What operators ask for: these only write the wish into the ledger; the sequencer does the rest.

A front binds slots only where `pools.state` says active, in the same statement: once one of these has committed, no
further slot of the pool can be bound, and the sequencer knows exactly where its voids begin.
"""

from sqlalchemy import Connection, select, update

from rng_service.errors import FailedPrecondition, NotFound
from rng_service.games import parse_game
from rng_service.ledger.models import GameRow, PoolRow, StreamRow
from rng_service.names import check_reason
from rng_service.pools.lifecycle import Event, sources, target

__all__ = ["WITHDRAWN", "request_quarantine", "retire_game"]

WITHDRAWN = "withdrawn"
"""The reason of a pool.quarantine by which an operator ends the sale of a deal."""


def request_quarantine(connection: Connection, pool_id: str, reason: str = "quarantine") -> bool:
    """Stop a pool for ever, durable when the caller commits; False when it had ended or was stopped before.

    ``reason`` is that of the log's pool.quarantine. Raises NotFound for a pool that does not exist.
    """
    check_reason(reason)
    pool = connection.execute(
        select(PoolRow.id, StreamRow.deal, StreamRow.program, GameRow.definition)
        .join(StreamRow, StreamRow.id == PoolRow.stream_id)
        .join(GameRow, GameRow.id == StreamRow.game_id)
        .where(PoolRow.pool_id == pool_id)
    ).one_or_none()
    if pool is None:
        raise NotFound(f"pool {pool_id[:200]!r} does not exist")
    if pool.deal and reason == WITHDRAWN and not _withdrawable(bytes(pool.definition), pool.program):
        raise FailedPrecondition(
            "SOLD_OUT_ONLY", f"{pool_id} is sold to the last ticket: its game says so to everybody"
        )
    stopped = connection.execute(
        update(PoolRow)
        .where(PoolRow.pool_id == pool_id, PoolRow.state.in_(sorted(sources(Event.QUARANTINE))))
        .values(state=target(Event.QUARANTINE).value, reason=reason)
    )
    return stopped.rowcount == 1


def retire_game(connection: Connection, game: str, version: int, *, now_us: int) -> int:
    """Take a game version out of use, durable when the caller commits; returns how many of its pools were stopped.

    Tickets of its pools stay good until they expire. Repeating it stops what came after. Raises NotFound.
    """
    row = connection.execute(
        select(GameRow.id, GameRow.retired_us).where(GameRow.name == game, GameRow.version == version)
    ).one_or_none()
    if row is None:
        raise NotFound(f"game {game[:64]!r} version {version} is not registered")
    if row.retired_us is None:
        connection.execute(update(GameRow).where(GameRow.id == row.id).values(retired_us=now_us))
    stopped = connection.execute(
        update(PoolRow)
        .where(
            PoolRow.stream_id.in_(select(StreamRow.id).where(StreamRow.game_id == row.id)),
            PoolRow.state.in_(sorted(sources(Event.QUARANTINE))),
        )
        .values(state=target(Event.QUARANTINE).value, reason="retired")
    )
    return stopped.rowcount


def _withdrawable(definition: bytes, program: str) -> bool:
    return parse_game(definition).program(program).end_of_deal == "withdrawable"
