"""What the sequencer knows of a pool beyond its row: name, stream, and what recomputes its outcomes."""

from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import Connection, select

from anchor.merkle import leaf_hash
from rng_service.games import Bet, GameDefinition, parse_game
from rng_service.games.files import GameFiles
from rng_service.games.reference import reference_of
from rng_service.ledger.models import GameRow, PoolRow, StreamRow
from rng_service.log_entries import PoolActivate, PoolCommit, parse_entry
from rng_service.names import Stream, parse_pool_id
from rng_service.rtp.prices import PriceBook
from rng_service.verify.evaluation import PoolEvaluator

__all__ = ["PoolFacts", "PoolFactsCache"]

_MOST = 4_096


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """An activated pool. ``evaluator`` is the auditor's own, so that both compute the same.

    ``prices`` and ``reference``, its reference bet, are those of the pool's program, shared by all of its pools.
    """

    id: int
    name: str
    stream: Stream
    size: int
    kind: str
    evaluator: PoolEvaluator
    prices: PriceBook
    reference: Bet | None


class PoolFactsCache:
    """Reads the facts of a pool once; they never change after its activation."""

    def __init__(self, files: GameFiles | None = None) -> None:
        """Read definitions whose files are ``files``."""
        self._files = files
        self._facts: OrderedDict[int, PoolFacts] = OrderedDict()
        self._games: dict[bytes, GameDefinition] = {}
        self._prices: dict[tuple[bytes, str], PriceBook] = {}
        self._references: dict[tuple[bytes, str], Bet | None] = {}

    def get(self, connection: Connection, pool: int) -> PoolFacts:
        """Return the facts of the pool of row ``pool``, which is activated."""
        found = self._facts.get(pool)
        if found is None:
            found = self._facts[pool] = self._read(connection, pool)
            if len(self._facts) > _MOST:
                self._facts.popitem(last=False)
        return found

    def _read(self, connection: Connection, pool: int) -> PoolFacts:
        row = connection.execute(
            select(PoolRow.pool_id, PoolRow.size, PoolRow.commit_entry, PoolRow.activate_entry, GameRow.definition)
            .join(StreamRow, StreamRow.id == PoolRow.stream_id)
            .join(GameRow, GameRow.id == StreamRow.game_id)
            .where(PoolRow.id == pool)
        ).one()
        commit_entry = bytes(row.commit_entry)
        commit, activation = parse_entry(commit_entry), parse_entry(bytes(row.activate_entry or b""))
        if not isinstance(commit, PoolCommit) or not isinstance(activation, PoolActivate):
            raise TypeError(f"{row.pool_id}: its entries are {commit.TYPE} and {activation.TYPE}")
        game = self._games.get(commit.game_digest)
        if game is None:
            game = self._games[commit.game_digest] = parse_game(bytes(row.definition), self._files)
        evaluator = PoolEvaluator(commit, leaf_hash(commit_entry), activation.beacon_value or b"", game)
        program = commit.game_digest, commit.program
        prices = self._prices.get(program)
        if prices is None:
            prices = self._prices[program] = PriceBook(game.program(commit.program))
            self._references[program] = reference_of(game.program(commit.program))
        stream = parse_pool_id(row.pool_id).stream
        return PoolFacts(pool, row.pool_id, stream, row.size, commit.kind, evaluator, prices, self._references[program])
