"""Tables of returns held against an export: hits, expectations and the returns of closed pools, from the records."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from anchor.errors import VerificationError
from rng_service.games import BetError, GameDefinition, resolve_bet
from rng_service.games.models import Bet
from rng_service.games.reference import reference_of
from rng_service.log_entries import CommittedTotals, Digest, Totals
from rng_service.names import Stream, parse_pool_id
from rng_service.outcome.primitives import Outcome
from rng_service.records.export import ExportHeader
from rng_service.rtp.committed_table import public_row, shows_plays
from rng_service.rtp.periods import Grain, period_text
from rng_service.rtp.prices import PriceBook
from rng_service.rtp.rollup import Play, RollupFold, RollupKey, SeriesKey, Sums
from rng_service.rtp.table import PoolReturn, PoolsKey, TableRow, first_difference, rtp_table, series_of
from rng_service.rtp.table_reading import read_pools
from rng_service.verify.evaluation import PoolEvaluator
from rng_service.verify.rtp_tables import CheckedTable
from rng_service.verify.table_checks import public_rows

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
_Days = dict[SeriesKey, TableRow]
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
        self.pools_unseen = 0

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
        # Of a deal a table has only what its closed pools returned, as the totals have none of its money.
        counted = not evaluator.program.deal_size
        if counted:
            self._fold.outcomes(key, len(outcomes), unsettled=payouts is None)
        if counted and payouts is not None:
            bet = evaluator.resolve(binding["bet"])
            price = program.prices.price(bet, str(binding["bet"]))
            for payout in payouts:
                self._fold.play(key, Play(binding["stake_minor"], payout, price, None, b"", 0), None)
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
        play = Play(binding["stake_minor"], binding["payout_minor"], price, None, b"", 0)
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

    def totals(self, entry: Totals | CommittedTotals) -> None:
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

        A table of which the export has only a part is counted and left alone. The export need not open the rows of
        a committed table: what the public document says follows from the records, too.
        """
        entry = checked.entry
        wanted = range(entry.from_totals, entry.to_totals + 1)
        if any(seq not in self._totals for seq in wanted):
            self.partial += 1
            return
        found: _Days = {}
        for seq, day in zip(wanted, checked.days, strict=True):
            for key, sums in self._totals[seq].items():
                found.setdefault(key, TableRow()).add(day, sums)
        if checked.table is None:
            self._compare_public(checked, found)
            self._compare_pools(checked, read_pools(checked.document))
        else:
            _compare_days(found, checked.table.rows)
            self._compare_pools(checked, checked.table.pools)
        self.checked += 1

    def _compare_public(self, checked: CheckedTable, found: _Days) -> None:
        """Compare what is shown of a table whose rows were not opened with the same table made of the records."""
        rows = dict(public_rows(checked.document))
        # A settlement of an earlier outcome that moves no money gives a row, of which records show nothing.
        absent = [key for key, row in found.items() if row.total().plays and key not in rows]
        if absent:
            raise VerificationError("rtp-table-records", f"the row {'/'.join(map(str, min(absent)))} is left out")
        if self._define is None:
            raise ValueError("a table came before the audit began")
        define = self._define
        games = {(key.game, key.version): define(key.game, key.version) for key in rows}
        seen = {key: found.get(key, TableRow({0: Sums(unsettled=-1)})) for key in rows}
        made = rtp_table(checked.header, seen, {}, games)
        show_plays = shows_plays(checked.document)
        for (key, stated), row in zip(sorted(rows.items()), made["rows"], strict=True):
            ours = public_row(row, show_plays=show_plays) | {"commitment": stated["commitment"]}
            _require_same(first_difference(stated, ours, "/".join(map(str, key))))
        for stated, game in zip(checked.document["games"], made["games"], strict=True):
            ours = {name: game[name] for name in ("rtp_percent",) if name in game}
            theirs = {name: stated[name] for name in ("rtp_percent",) if name in stated}
            _require_same(first_difference(theirs, ours, f"$.games, {game['game']}"))

    def _compare_pools(self, checked: CheckedTable, pools: Mapping[PoolsKey, PoolReturn]) -> None:
        found: dict[PoolsKey, PoolReturn] = {}
        unseen: set[PoolsKey] = set()
        for pool in checked.closed:
            key = PoolsKey(*parse_pool_id(pool.pool).stream)
            returns = self._returns.get(pool.pool)
            if returns is None:
                # A pool that was begun before the export: its first records are not here.
                unseen.add(key)
                continue
            added = PoolReturn.of_pool(pool.program, *returns)
            found[key] = found[key] + added if key in found else added
        for key, stated in pools.items():
            if key not in unseen and found.get(key) != stated:
                raise VerificationError(
                    "rtp-table-returns",
                    f"what the closed pools of {'/'.join(map(str, key))} returned is not what their records give",
                )
        self.pools_unseen += bool(unseen)

    def _program(self, stream: Stream) -> "_Program":
        key = stream.game, stream.version, stream.program
        known = self._programs.get(key)
        if known is None:
            if self._define is None:
                raise ValueError("a record came before the audit began")
            known = self._programs[key] = _Program(self._define(stream.game, stream.version), stream.program)
        return known


def _compare_days(found: Mapping[SeriesKey, TableRow], stated: Mapping[SeriesKey, TableRow]) -> None:
    """Hold each day of each row against its records, in both directions."""
    for key in sorted(found.keys() | stated.keys()):
        ours, theirs = (rows[key].days if key in rows else {} for rows in (found, stated))
        for day in sorted(ours.keys() | theirs.keys()):
            one, other = ours.get(day, Sums()), theirs.get(day, Sums())
            for name in _COMPARED:
                if getattr(one, name) != getattr(other, name):
                    raise VerificationError(
                        "rtp-table-records",
                        f"{name} of {'/'.join(map(str, key))} on {period_text(Grain.DAY, day)} is "
                        f"{getattr(other, name)} in the table, {getattr(one, name)} by the records",
                    )


def _require_same(difference: str) -> None:
    if difference:
        raise VerificationError("rtp-table-records", difference)


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
