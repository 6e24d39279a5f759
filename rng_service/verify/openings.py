"""What an auditor was given of committed totals and tables: each opening is held against what the log committed to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anchor.errors import VerificationError
from rng_service.log_entries import CommittedTotals, RtpTable, Totals
from rng_service.records.openings import Opening, OpeningsHeader, read_openings, read_totals_row
from rng_service.records.totals import row_key
from rng_service.verify.fault import located, require

__all__ = ["Openings", "open_openings"]

_Key = tuple[str, int]


@dataclass(slots=True)
class Openings:
    """The openings of a file by what they open; without a file there are none, and nothing is opened."""

    path: str = ""
    header: OpeningsHeader | None = None
    rows: dict[_Key, dict[int, Opening]] = field(default_factory=dict)
    _used: set[_Key] = field(default_factory=set)

    def totals(self, entry: CommittedTotals) -> Totals | None:
        """Return a totals entry with its rows opened, None when the file does not cover it.

        Raises Fault ``opening-missing``, ``opening-commitment`` or ``opening-row``.
        """
        if not self._covers(entry.seq, entry.seq):
            return None
        found = self._opened(("totals", entry.seq), [row.commitment for row in entry.rows])
        rows = []
        for opening, committed in zip(found, entry.rows, strict=True):
            with located(path=self.path):
                row = read_totals_row(opening)
                clear = (committed.game, committed.version, committed.program, committed.play_class, committed.currency)
                require(
                    (row_key(row), row.outcomes) == (clear, committed.outcomes),
                    "opening-row",
                    f"row {opening.place} of totals {entry.seq} opens to {'/'.join(map(str, row_key(row)))} with "
                    f"{row.outcomes} outcomes, the log says {'/'.join(map(str, clear))} with {committed.outcomes}",
                )
            rows.append(row)
        return Totals(
            origin=entry.origin,
            time_us=entry.time_us,
            seq=entry.seq,
            from_digest=entry.from_digest,
            to_digest=entry.to_digest,
            rows=tuple(rows),
        )

    def table(self, entry: RtpTable, commitments: Sequence[bytes]) -> list[bytes] | None:
        """Return the rows of a table, None when the file does not cover its totals; raises as `totals`."""
        if not self._covers(entry.from_totals, entry.to_totals):
            return None
        return [item.row.encode("ascii") for item in self._opened(("table", entry.seq), commitments)]

    def finish(self, origin: str) -> None:
        """Check that the file is of this log and opens nothing that the log does not have; raises Fault."""
        header = self.header
        if header is None:
            return
        with located(path=self.path):
            require(header.origin == origin, "opening-origin", f"opens {header.origin}, the log is {origin}")
            unused = sorted(self.rows.keys() - self._used)
            if unused:
                raise VerificationError("opening-extra", f"opens {unused[0][0]} {unused[0][1]}, which the log has not")

    def _covers(self, first: int, last: int) -> bool:
        return self.header is not None and self.header.from_totals <= first and last <= self.header.to_totals

    def _opened(self, key: _Key, commitments: Sequence[bytes]) -> list[Opening]:
        rows = self.rows.get(key, {})
        self._used.add(key)
        with located(path=self.path):
            require(
                rows.keys() == set(range(len(commitments))),
                "opening-missing",
                f"has {len(rows)} rows of {key[0]} {key[1]}, the log commits to {len(commitments)}",
            )
            found = [rows[place] for place in range(len(commitments))]
            for opening, named in zip(found, commitments, strict=True):
                require(
                    opening.commitment == named,
                    "opening-commitment",
                    f"row {opening.place} of {key[0]} {key[1]} gives {opening.commitment.hex()}, "
                    f"the log holds {named.hex()}",
                )
        return found


def open_openings(path: Path) -> Openings:
    """Read a file of openings; raises Fault ``malformed``, and ``opening-twice`` for a row that stands there twice."""
    with located(path=str(path)), path.open("rb") as stream:
        header, lines = read_openings(stream)
        rows: dict[_Key, dict[int, Opening]] = {}
        for line in lines:
            places = rows.setdefault((line.kind, line.seq), {})
            require(line.place not in places, "opening-twice", f"row {line.place} of {line.kind} {line.seq}")
            places[line.place] = line
    return Openings(str(path), header, rows)
