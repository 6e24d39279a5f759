"""Tables of returns held against an export: hits, expectations and the returns of closed pools, from the records."""

from collections import deque
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from anchor.errors import VerificationError
from rng_service.games import BetError, GameDefinition, resolve_bet
from rng_service.games.models import Bet
from rng_service.games.reference import reference_of
from rng_service.log_entries import Digest, Totals
from rng_service.names import Stream, parse_pool_id
from rng_service.outcome.primitives import Outcome
from rng_service.records.export import ExportHeader
from rng_service.rtp.prices import PriceBook
from rng_service.rtp.rollup import Play, RollupFold, RollupKey, SeriesKey, Sums
from rng_service.rtp.table import PoolReturn, PoolsKey, series_of
from rng_service.verify.evaluation import PoolEvaluator
from rng_service.verify.rtp_tables import CheckedTable

__all__ = ["ExportTables"]

# Everything but what draws before the export may have a part in.
_COMPARED = (
    "plays",
    "hits",
    "unpriced",
    "by_strategy",
    "stake_minor",
    "payout_minor",
    "expected_payout",
    "expected_hits",
    "expected_variance",
)
_Rows = dict[SeriesKey, Sums]
_MOST_BETS = 4_096
Define = Callable[[str, int], GameDefinition]


class ExportTables:
    """Adds up the records of a complete export as the service does, and compares each table with the sums.

    Kept by totals entry, since a table covers whole ones; and by pool until its close.
    """

    def __init__(self, header: ExportHeader) -> None:
        self._header = header
        self._fold = RollupFold()
        self._digests: deque[tuple[int, _Rows]] = deque()
        self._totals: dict[int, _Rows] = {}
        self._programs: dict[tuple[str, int, str], _Program] = {}
        self._define: Define | None = None
        self._running: dict[str, list[Any]] = {}
        self._returns: dict[str, tuple[int, Fraction]] = {}
        self.checked = 0
        self.partial = 0

    def begin(self, define: Define) -> None:
        """Take what gives the definition of a registered game version."""
        self._define = define

    def draw(
        self,
        pool: str,
        stream: Stream,
        evaluator: PoolEvaluator,
        binding: dict[str, Any],
        outcomes: Sequence[Outcome],
        payouts: Sequence[int] | None,
    ) -> None:
        """Count the slots of one draw."""
        program = self._program(stream)
        key = _key(stream, binding.get("currency", ""))
        self._fold.outcomes(key, len(outcomes), unsettled=payouts is None)
        if payouts is not None:
            bet = evaluator.resolve(binding["bet"])
            price = program.prices.price(bet, str(binding["bet"]))
            for payout in payouts:
                self._fold.play(key, Play(binding["stake_minor"], payout, price, None, 0), None)
        reference = program.reference
        if reference is not None:
            running = self._running.setdefault(pool, [0, Fraction(0)])
            running[0] += len(outcomes)
            running[1] += sum(map(reference.multiplier, outcomes), Fraction(0))

    def settle(self, stream: Stream, binding: dict[str, Any]) -> None:
        """Count one settlement that pays; its draw may lie before the export."""
        if binding["status"] != "final":
            return
        program = self._program(stream)
        price = program.prices.price(program.resolve(binding["bet"]), str(binding["bet"]))
        play = Play(binding["stake_minor"], binding["payout_minor"], price, None, 0)
        self._fold.play(_key(stream, binding["currency"]), play, None)

    def digest(self, entry: Digest) -> None:
        """End a digest: what was counted since the last one belongs to it."""
        rows: _Rows = {}
        for key, sums in self._fold.rows().items():
            rows.setdefault(series_of(key), Sums()).add(sums)
        self._digests.append((entry.seq, rows))
        self._fold = RollupFold()

    def close(self, pool: str, *, whole: bool) -> None:
        """End a pool; ``whole`` says that the export has every record of it."""
        running = self._running.pop(pool, None)
        if running is not None and whole:
            self._returns[pool] = running[0], running[1]

    def totals(self, entry: Totals) -> None:
        """Put the digests of a totals entry together, when a complete export has all of them."""
        rows: _Rows = {}
        while self._digests and self._digests[0][0] <= entry.to_digest:
            for key, sums in self._digests.popleft()[1].items():
                rows.setdefault(key, Sums()).add(sums)
        header = self._header
        if header.complete and header.from_digest <= entry.from_digest and entry.to_digest <= header.to_digest:
            self._totals[entry.seq] = rows

    def compare(self, checked: CheckedTable) -> None:
        """Compare a table; raises VerificationError ``rtp-table-records`` or ``rtp-table-returns``.

        A table of which the export has only a part is counted and left alone.
        """
        entry = checked.entry
        wanted = range(entry.from_totals, entry.to_totals + 1)
        if any(seq not in self._totals for seq in wanted):
            self.partial += 1
            return
        found: _Rows = {}
        for seq in wanted:
            for key, sums in self._totals[seq].items():
                found.setdefault(key, Sums()).add(sums)
        for key, row in checked.table.rows.items():
            self._compare_row(key, found.get(key, Sums()), row.total())
        self._compare_pools(checked)
        self.checked += 1

    @staticmethod
    def _compare_row(key: SeriesKey, found: Sums, stated: Sums) -> None:
        for name in _COMPARED:
            if getattr(found, name) != getattr(stated, name):
                raise VerificationError(
                    "rtp-table-records",
                    f"{name} of {'/'.join(map(str, key))} is {getattr(stated, name)} in the table, "
                    f"{getattr(found, name)} by the records",
                )

    def _compare_pools(self, checked: CheckedTable) -> None:
        found: dict[PoolsKey, PoolReturn] = {}
        for pool in checked.closed:
            returns = self._returns.get(pool.pool)
            if returns is None:
                # A pool that was begun before the export: its first records are not here.
                return
            stream = parse_pool_id(pool.pool).stream
            key = PoolsKey(stream.game, stream.version, stream.program, stream.play_class)
            added = PoolReturn(1, *returns)
            found[key] = found[key] + added if key in found else added
        if found != dict(checked.table.pools):
            raise VerificationError(
                "rtp-table-returns", "what the closed pools returned is not what their records give"
            )

    def _program(self, stream: Stream) -> "_Program":
        key = stream.game, stream.version, stream.program
        known = self._programs.get(key)
        if known is None:
            if self._define is None:
                raise ValueError("a record came before the audit began")
            known = self._programs[key] = _Program(self._define(stream.game, stream.version), stream.program)
        return known


class _Program:
    """A program's prices, its reference bet, and the bets that settlements named."""

    def __init__(self, definition: GameDefinition, program_id: str) -> None:
        self._definition = definition
        self._program_id = program_id
        self._bets: dict[str, Bet] = {}
        program = definition.program(program_id)
        self.prices = PriceBook(program)
        self.reference = reference_of(program)

    def resolve(self, bet: Any) -> Bet:
        """Return a bet ready to be priced; raises VerificationError ``bet-invalid``."""
        key = str(bet)
        found = self._bets.get(key)
        if found is None:
            try:
                found = resolve_bet(self._definition, self._program_id, bet)
            except BetError as error:
                raise VerificationError("bet-invalid", str(error)) from None
            if len(self._bets) >= _MOST_BETS:
                self._bets.clear()
            self._bets[key] = found
        return found


def _key(stream: Stream, currency: str) -> RollupKey:
    return RollupKey(stream.game, stream.version, stream.program, stream.play_class, currency, "", "", "", "")
