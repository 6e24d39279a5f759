"""Tables of returns in the log: what they say follows from the log's totals, and from the definitions.

What the totals cannot tell (hits, what bets were expected to return, what closed pools returned) is taken as the table
states it here, and held against the records by `verify.export_tables`.
"""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from typing import Any, NamedTuple

from anchor import canonical
from anchor.errors import MalformedError, VerificationError
from anchor.reader import LogReader
from anchor.source import Source
from rng_service.games import GameDefinition
from rng_service.games.reference import reference_of
from rng_service.log_entries import PoolClose, RtpTable, Totals, parse_entry
from rng_service.names import parse_pool_id
from rng_service.public_files import rtp_table_paths
from rng_service.rtp.periods import Grain, hour_of, period_of, period_text
from rng_service.rtp.rollup import SeriesKey, Sums
from rng_service.rtp.table import PoolReturn, PoolsKey, TableHeader, TableRow, first_difference, rtp_table
from rng_service.rtp.table_files import table_csv
from rng_service.rtp.table_reading import ReadTable, read_table
from rng_service.verify.fault import located, require
from rng_service.verify.registry import Registry, read_game

MAX_TABLE_BYTES = 64 * 2**20
# Digests that no totals cover yet; an operator who publishes none is reported, not followed.
_MOST_PENDING = 1_000_000
TABLES_SKIPPED = "tables of returns were not compared: too many digests without a totals entry"
# What totals have of a row: the rest of its sums only records can tell.
_OF_TOTALS = ("outcomes", "plays", "stake_minor", "payout_minor", "unsettled")


class ClosedPool(NamedTuple):
    """A pool that was closed, and how many of its slots were drawn."""

    pool: str
    drawn: int


class _Entry(NamedTuple):
    """A totals entry: where it stands, its digests, and their times."""

    log_index: int
    from_digest: int
    to_digest: int
    from_us: int
    to_us: int


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """A table that agrees with the log, and the pools that were closed in what it covers."""

    entry: RtpTable
    table: ReadTable
    document: dict[str, Any]
    closed: tuple[ClosedPool, ...]


class TableBook:
    """Checks tables one after the other; its size follows the number of totals and of closed pools."""

    def __init__(self, registry: Registry, reader: LogReader, source: Source) -> None:
        self._registry = registry
        self._reader = reader
        self._source = source
        self._times: deque[tuple[int, int]] = deque()
        self._totals: list[_Entry] = []
        self._close_indices: list[int] = []
        self._closes: list[ClosedPool] = []
        self._definitions: dict[tuple[str, int], GameDefinition] = {}
        self._measured: dict[tuple[str, int, str], bool] = {}
        self.next_seq = 0
        self.skipped: set[str] = set()

    def digest(self, seq: int, time_us: int) -> None:
        """Remember when a digest was made, until totals cover it."""
        if not self.skipped:
            self._times.append((seq, time_us))
        if len(self._times) > _MOST_PENDING:
            self._times.clear()
            self.skipped.add(TABLES_SKIPPED)

    def totals(self, index: int, entry: Totals) -> None:
        """Take a totals entry that was checked."""
        if self.skipped:
            return
        times = {}
        while self._times and self._times[0][0] <= entry.to_digest:
            seq, time_us = self._times.popleft()
            times[seq] = time_us
        self._totals.append(
            _Entry(index, entry.from_digest, entry.to_digest, times[entry.from_digest], times[entry.to_digest])
        )

    def close(self, index: int, entry: PoolClose) -> None:
        """Take a close that was checked."""
        self._close_indices.append(index)
        self._closes.append(ClosedPool(entry.pool, entry.drawn))

    def check(self, entry: RtpTable) -> CheckedTable | None:
        """Check the next table against everything before it; raises VerificationError with the reason.

        None when tables cannot be checked any more, which `skipped` says.
        """
        if self.skipped:
            return None
        require(entry.seq == self.next_seq, "rtp-table-seq", f"expected table {self.next_seq}, found {entry.seq}")
        first, last = self._covered(entry)
        document = self._read(entry)
        with located(path=rtp_table_paths(entry.seq)[0]):
            try:
                table = read_table(document)
            except MalformedError as error:
                raise VerificationError("rtp-table-form", str(error)) from None
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
            self._check_sums(entry, table)
            closed = self._closed(entry, last)
            self._check_pools(table, closed)
            self._check_document(header, table, document)
        self.next_seq += 1
        return CheckedTable(entry, table, document, closed)

    def definition(self, game: str, version: int) -> GameDefinition:
        """Return a registered game; raises VerificationError ``rtp-table-game``."""
        found = self._definitions.get((game, version))
        if found is None:
            registered = self._registry.games.get((game, version))
            if registered is None:
                raise VerificationError("rtp-table-game", f"{game} version {version} is not registered")
            found = self._definitions[game, version] = read_game(self._source, registered.digest)
        return found

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

    def _read(self, entry: RtpTable) -> dict[str, Any]:
        table_path, csv_path, page_path = rtp_table_paths(entry.seq)
        data = self._file(table_path, entry.table)
        with located(path=table_path):
            document = canonical.decode_object(data, limit=MAX_TABLE_BYTES, what="table of returns")
        csv = self._file(csv_path, entry.csv)
        self._file(page_path, entry.page)
        with located(path=csv_path):
            try:
                expected = table_csv(document)
            except (KeyError, TypeError, AttributeError, ValueError):
                raise VerificationError("rtp-table-form", "the document is no table of returns") from None
            require(csv == expected, "rtp-table-csv", "is not what its document gives")
        return document

    def _file(self, path: str, digest: bytes) -> bytes:
        with located(path=path):
            data = self._source.read(path, limit=MAX_TABLE_BYTES)
            require(
                sha256(data).digest() == digest,
                "rtp-table-file",
                f"does not hash to {digest.hex()}, which the log names",
            )
            return data

    def _check_sums(self, entry: RtpTable, table: ReadTable) -> None:
        """Hold each day of each row against the totals of that day."""
        stated: dict[tuple[SeriesKey, int], Sums] = {}
        for place in self._totals[entry.from_totals : entry.to_totals + 1]:
            day = _day(place.from_us)
            require(
                day == _day(place.to_us),
                "rtp-table-day",
                f"the totals of the digests {place.from_digest} … {place.to_digest} are not of one day",
            )
            totals = parse_entry(self._reader.entry(place.log_index))
            for row in totals.rows if isinstance(totals, Totals) else ():
                key = SeriesKey(row.game, row.version, row.program, row.play_class, row.currency)
                sums = stated.setdefault((key, day), Sums())
                for name in _OF_TOTALS:
                    setattr(sums, name, getattr(sums, name) + getattr(row, name))
        found = {(key, day): sums for key, row in table.rows.items() for day, sums in row.days.items()}
        kept = _with_something({key for key, _ in stated}, stated)
        for series, day in sorted(found.keys() | {place for place in stated if place[0] in kept}):
            one, other = found.get((series, day)), stated.get((series, day), Sums())
            for name in _OF_TOTALS:
                value = 0 if one is None else getattr(one, name)
                require(
                    value == getattr(other, name),
                    "rtp-table-totals",
                    f"{name} of {'/'.join(map(str, series))} on {period_text(Grain.DAY, day)} is {value} in the "
                    f"table, {getattr(other, name)} by the totals",
                )

    def _closed(self, entry: RtpTable, last: _Entry) -> tuple[ClosedPool, ...]:
        after = self._totals[entry.from_totals - 1].log_index if entry.from_totals else -1
        low, high = bisect_left(self._close_indices, after + 1), bisect_left(self._close_indices, last.log_index)
        return tuple(pool for pool in self._closes[low:high] if pool.drawn and self._is_measured(pool.pool))

    def _is_measured(self, pool: str) -> bool:
        """Return whether the pool's program has a bet by which pools are measured."""
        stream = parse_pool_id(pool).stream
        key = stream.game, stream.version, stream.program
        if key not in self._measured:
            program = self.definition(stream.game, stream.version).program(stream.program)
            self._measured[key] = reference_of(program) is not None
        return self._measured[key]

    @staticmethod
    def _check_pools(table: ReadTable, closed: tuple[ClosedPool, ...]) -> None:
        expected: dict[PoolsKey, PoolReturn] = {}
        for pool in closed:
            stream = parse_pool_id(pool.pool).stream
            key = PoolsKey(stream.game, stream.version, stream.program, stream.play_class)
            added = PoolReturn(1, pool.drawn, Fraction(0))
            expected[key] = expected[key] + added if key in expected else added
        found = {key: replace(item, returned=Fraction(0)) for key, item in table.pools.items()}
        require(
            found == expected,
            "rtp-table-pools",
            "the pools of the table are not those that were closed in the time that it covers",
        )

    def _check_document(self, header: TableHeader, table: ReadTable, document: dict[str, Any]) -> None:
        """Make the whole table again from its own sums: percentages, bands, theory and header."""
        wanted = {(key.game, key.version) for key in table.rows} | {(key.game, key.version) for key in table.pools}
        definitions = {key: self.definition(*key) for key in wanted}
        difference = first_difference(document, rtp_table(header, table.rows, table.pools, definitions))
        require(not difference, "rtp-table-figures", difference)


def _with_something(keys: set[SeriesKey], stated: dict[tuple[SeriesKey, int], Sums]) -> set[SeriesKey]:
    """Return the series that a table shows: those in which something happened, all days together."""
    rows = {key: TableRow() for key in keys}
    for (key, day), sums in stated.items():
        rows[key].add(day, sums)
    totals = {key: row.total() for key, row in rows.items()}
    return {key for key, sums in totals.items() if sums.outcomes or sums.plays or sums.unsettled}


def _day(time_us: int) -> int:
    return period_of(Grain.DAY, hour_of(time_us))
