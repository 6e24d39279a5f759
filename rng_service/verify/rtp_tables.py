"""Tables of returns in the log: what they say follows from the log's totals, and from the definitions.

What the totals cannot tell (hits, what bets were expected to return, what closed pools returned) is taken as the table
states it here, and held against the records by `verify.export_tables`. Of tables under committed totals only what is
public is looked at, unless there are openings.
"""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from anchor import canonical
from anchor.errors import MalformedError, VerificationError
from anchor.reader import LogReader
from anchor.source import Source
from rng_service.games import GameDefinition
from rng_service.games.definition import GameProgram
from rng_service.games.reference import reference_of
from rng_service.log_entries import CommittedTotals, PoolClose, RtpTable, Totals, parse_entry
from rng_service.names import parse_pool_id
from rng_service.public_files import rtp_table_paths
from rng_service.rtp.committed_table import COMMITTED, public_table, shows_plays, whole_table
from rng_service.rtp.periods import Grain, hour_of, period_of, period_text
from rng_service.rtp.rollup import SeriesKey, Sums
from rng_service.rtp.table import PoolsKey, TableHeader, TableRow, Theories, first_difference, rtp_table
from rng_service.rtp.table_files import table_csv, table_page
from rng_service.rtp.table_reading import ReadTable, read_pools, read_table
from rng_service.verify.fault import located, require
from rng_service.verify.openings import Openings
from rng_service.verify.registry import Registry, read_game
from rng_service.verify.table_checks import (
    ClosedPool,
    DaySums,
    check_pools,
    check_public,
    check_sums,
    commitments_of,
    public_rows,
)
from rng_service.verify.table_coverage import CoveredTotals, gaps, overlaps

__all__ = ["MAX_TABLE_BYTES", "CheckedTable", "TableBook"]

MAX_TABLE_BYTES = 64 * 2**20
# Digests that no totals cover yet; an operator who publishes none is reported, not followed.
_MOST_PENDING = 1_000_000
TABLES_SKIPPED = "tables of returns were not compared: too many digests without a totals entry"
PAGES_SKIPPED = "pages of tables that this version does not draw the same: `sealdraw rtp table` draws them"
ROWS_SKIPPED = "rows of tables of returns that are committed to and were not opened"
_OF_TOTALS = ("outcomes", "plays", "stake_minor", "payout_minor", "unsettled")


class _Entry(NamedTuple):
    """A totals entry: where it stands, its digests, their times, and whether anything was drawn or played in them."""

    log_index: int
    from_digest: int
    to_digest: int
    from_us: int
    to_us: int
    played: bool


class _Entries:
    """All totals entries so far, six numbers each: years of them are kept."""

    def __init__(self) -> None:
        self._columns = tuple(array("Q") for _ in _Entry._fields)

    def __len__(self) -> int:
        return len(self._columns[0])

    def __getitem__(self, seq: int) -> _Entry:
        index, first, last, from_us, to_us, played = (column[seq] for column in self._columns)
        return _Entry(index, first, last, from_us, to_us, bool(played))

    def append(self, entry: _Entry) -> None:
        for column, value in zip(self._columns, entry, strict=True):
            column.append(int(value))

    def between(self, first: int, last: int) -> Iterator[_Entry]:
        return (self[seq] for seq in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """A table that agrees with the log.

    ``table`` has its sums, and is None where they are withheld; ``days`` the day of each of its totals entries;
    ``closed`` the pools that were closed in what it covers.
    """

    entry: RtpTable
    header: TableHeader
    document: dict[str, Any]
    table: ReadTable | None
    days: tuple[int, ...]
    closed: tuple[ClosedPool, ...]


class TableBook:
    """Checks tables one after the other; its size follows the number of totals and of closed pools."""

    def __init__(self, registry: Registry, reader: LogReader, source: Source, openings: Openings) -> None:
        self._registry = registry
        self._reader = reader
        self._source = source
        self._openings = openings
        self._times: deque[tuple[int, int]] = deque()
        self._totals = _Entries()
        self._close_indices = array("Q")
        self._closes: list[tuple[str, int]] = []
        self._definitions: dict[tuple[str, int], GameDefinition] = {}
        self._measured: dict[tuple[str, int, str], GameProgram | None] = {}
        self._tables: list[tuple[int, int]] = []
        self.theories = Theories()
        self._blind = False
        self.skipped: set[str] = set()

    def digest(self, seq: int, time_us: int) -> None:
        """Remember when a digest was made, until totals cover it."""
        if not self._blind:
            self._times.append((seq, time_us))
        if len(self._times) > _MOST_PENDING:
            self._times.clear()
            self._blind = True
            self.skipped.add(TABLES_SKIPPED)

    def totals(self, index: int, entry: Totals | CommittedTotals, opened: Totals | None) -> None:
        """Take a totals entry that was checked."""
        if self._blind:
            return
        times = {}
        while self._times and self._times[0][0] <= entry.to_digest:
            seq, time_us = self._times.popleft()
            times[seq] = time_us
        played = any(row.outcomes for row in entry.rows)
        played = played or (opened is not None and any(row.plays for row in opened.rows))
        first, last = entry.from_digest, entry.to_digest
        self._totals.append(_Entry(index, first, last, times[first], times[last], played))

    def close(self, index: int, entry: PoolClose) -> None:
        """Take a close that was checked."""
        self._close_indices.append(index)
        self._closes.append((entry.pool, entry.drawn))

    def check(self, entry: RtpTable) -> CheckedTable | None:
        """Check the next table against everything before it; raises VerificationError with the reason.

        None when tables cannot be checked any more, which `skipped` says.
        """
        if self._blind:
            return None
        number = len(self._tables)
        require(entry.seq == number, "rtp-table-seq", f"expected table {number}, found {entry.seq}")
        first, last = self._covered(entry)
        days = self._days(entry)
        header = TableHeader(
            origin=entry.origin,
            seq=entry.seq,
            from_totals=entry.from_totals,
            to_totals=entry.to_totals,
            from_digest=entry.from_digest,
            to_digest=entry.to_digest,
            from_us=first.from_us,
            to_us=last.to_us,
        )
        table_path, csv_path, page_path = rtp_table_paths(entry.seq)
        data = self._file(table_path, entry.table)
        csv, page = self._file(csv_path, entry.csv), self._file(page_path, entry.page)
        closed = self._closed(entry, last)
        with located(path=table_path):
            document = canonical.decode_object(data, limit=MAX_TABLE_BYTES, what="table of returns")
            try:
                table = self._check_document(entry, header, document, days, closed)
            except MalformedError as error:
                raise VerificationError("rtp-table-form", str(error)) from None
        # From here on the document is what a table must be: whatever is made of it can be made.
        with located(path=csv_path):
            require(csv == table_csv(document), "rtp-table-csv", "is not what its document gives")
        if page != table_page(document):
            # How a page looks may change from version to version; what is not compared is said.
            self.skipped.add(PAGES_SKIPPED)
        self._tables.append((entry.from_totals, entry.to_totals))
        return CheckedTable(entry, header, document, table, days, closed)

    def definition(self, game: str, version: int) -> GameDefinition:
        """Return a registered game; raises VerificationError ``rtp-table-game``."""
        found = self._definitions.get((game, version))
        if found is None:
            registered = self._registry.games.get((game, version))
            if registered is None:
                raise VerificationError("rtp-table-game", f"{game} version {version} is not registered")
            found = self._definitions[game, version] = read_game(self._source, registered.digest)
        return found

    def gaps(self) -> list[str]:
        """Say which days with plays no table covers, and which tables overlap: windows may be chosen by their result.

        Nothing when no table was published.
        """
        if not self._tables:
            return []
        totals = [
            CoveredTotals(_day(item.from_us), item.played) for item in self._totals.between(0, len(self._totals) - 1)
        ]
        return gaps(totals, self._tables) + overlaps(totals, self._tables)

    def definitions(self, keys: Sequence[SeriesKey | PoolsKey]) -> dict[tuple[str, int], GameDefinition]:
        """Return the definitions of the game versions in ``keys``; raises as `definition`."""
        return {wanted: self.definition(*wanted) for wanted in {(key.game, key.version) for key in keys}}

    def _covered(self, entry: RtpTable) -> tuple[_Entry, _Entry]:
        require(
            entry.from_totals <= entry.to_totals < len(self._totals),
            "rtp-table-range",
            f"table {entry.seq} is over the totals {entry.from_totals} … {entry.to_totals}, "
            f"before it there are {len(self._totals)}",
        )
        first, last = self._totals[entry.from_totals], self._totals[entry.to_totals]
        require(
            (entry.from_digest, entry.to_digest) == (first.from_digest, last.to_digest),
            "rtp-table-range",
            f"these totals cover the digests {first.from_digest} … {last.to_digest}, "
            f"table {entry.seq} names {entry.from_digest} … {entry.to_digest}",
        )
        before = self._totals[entry.from_totals - 1] if entry.from_totals else None
        require(
            before is None or _day(before.to_us) < _day(first.from_us),
            "rtp-table-day",
            f"table {entry.seq} begins in the middle of {period_text(Grain.DAY, _day(first.from_us))}",
        )
        return first, last

    def _days(self, entry: RtpTable) -> tuple[int, ...]:
        days = []
        for place in self._totals.between(entry.from_totals, entry.to_totals):
            require(
                _day(place.from_us) == _day(place.to_us),
                "rtp-table-day",
                f"the totals of the digests {place.from_digest} … {place.to_digest} are not of one day",
            )
            days.append(_day(place.from_us))
        return tuple(days)

    def _file(self, path: str, digest: bytes) -> bytes:
        with located(path=path):
            data = self._source.read(path, limit=MAX_TABLE_BYTES)
            require(
                sha256(data).digest() == digest,
                "rtp-table-file",
                f"does not hash to {digest.hex()}, which the log names",
            )
            return data

    def _check_document(
        self,
        entry: RtpTable,
        header: TableHeader,
        document: dict[str, Any],
        days: Sequence[int],
        closed: Sequence[ClosedPool],
    ) -> ReadTable | None:
        """Make the whole table again from its own sums, or from those that were opened; return the sums."""
        policy = self._registry.require_config().totals_policy
        stated_policy = document.get("policy", "open")
        require(
            stated_policy == policy and document.get("policy") != "open",
            "rtp-table-policy",
            f"the log declared {policy} totals",
        )
        commitments = commitments_of(document) if policy == COMMITTED else []
        whole = document
        if policy == COMMITTED:
            rows = self._openings.table(entry, commitments)
            if rows is None:
                self._check_withheld(header, document, closed)
                self.skipped.add(ROWS_SKIPPED)
                return None
            opened = [canonical.decode_object(row, limit=MAX_TABLE_BYTES, what="row of a table") for row in rows]
            whole = whole_table(document, opened)
        table = read_table(whole)
        check_sums(table.rows, self._stated(header, days))
        check_pools(table.pools, closed)
        made = rtp_table(header, table.rows, table.pools, self.definitions([*table.rows, *table.pools]), self.theories)
        if policy == COMMITTED:
            difference = first_difference(whole["rows"], made["rows"], "$.rows")
            require(not difference, "rtp-table-figures", f"the opened rows: {difference}")
            made = public_table(made, commitments, show_plays=shows_plays(document))
        difference = first_difference(document, made)
        require(not difference, "rtp-table-figures", difference)
        return table

    def _check_withheld(self, header: TableHeader, document: dict[str, Any], closed: Sequence[ClosedPool]) -> None:
        """Check of a table whose rows were not opened what outcomes, closed pools and definitions say."""
        outcomes: dict[SeriesKey, int] = {}
        for entry in self._entries(header):
            for row in entry.rows:
                key = SeriesKey(row.game, row.version, row.program, row.play_class, row.currency)
                outcomes[key] = outcomes.get(key, 0) + row.outcomes
        keys = [key for key, _ in public_rows(document)]
        unknown = [key for key in keys if key not in outcomes]
        require(not unknown, "rtp-table-totals", f"no totals have the row {unknown and unknown[0]}")
        pools = read_pools(document)
        check_pools(pools, closed)
        # A row without outcomes has settlements of earlier ones.
        rows = {key: TableRow({0: Sums(outcomes=outcomes[key], unsettled=not outcomes[key])}) for key in keys}
        made = rtp_table(header, rows, pools, self.definitions([*keys, *pools]), self.theories)
        check_public(document, made, [key for key, number in outcomes.items() if number])

    def _stated(self, header: TableHeader, days: Sequence[int]) -> DaySums:
        stated: DaySums = {}
        for day, entry in zip(days, self._entries(header), strict=True):
            opened = self._openings.totals(entry) if isinstance(entry, CommittedTotals) else entry
            for row in () if opened is None else opened.rows:
                key = SeriesKey(row.game, row.version, row.program, row.play_class, row.currency)
                sums = stated.setdefault((key, day), Sums())
                for name in _OF_TOTALS:
                    setattr(sums, name, getattr(sums, name) + getattr(row, name))
        return stated

    def _entries(self, header: TableHeader) -> list[Totals | CommittedTotals]:
        indices = [place.log_index for place in self._totals.between(header.from_totals, header.to_totals)]
        entries = [parse_entry(self._reader.entry(index)) for index in indices]
        return [entry for entry in entries if isinstance(entry, Totals | CommittedTotals)]

    def _closed(self, entry: RtpTable, last: _Entry) -> tuple[ClosedPool, ...]:
        after = self._totals[entry.from_totals - 1].log_index if entry.from_totals else -1
        low, high = bisect_left(self._close_indices, after + 1), bisect_left(self._close_indices, last.log_index)
        found = [(pool, drawn, self._measured_program(pool)) for pool, drawn in self._closes[low:high] if drawn]
        return tuple(ClosedPool(pool, drawn, program) for pool, drawn, program in found if program is not None)

    def _measured_program(self, pool: str) -> GameProgram | None:
        """Return the pool's program where it has a bet by which pools are measured."""
        stream = parse_pool_id(pool).stream
        key = stream.game, stream.version, stream.program
        if key not in self._measured:
            program = self.definition(stream.game, stream.version).program(stream.program)
            self._measured[key] = None if reference_of(program) is None else program
        return self._measured[key]


def _day(time_us: int) -> int:
    return period_of(Grain.DAY, hour_of(time_us))
