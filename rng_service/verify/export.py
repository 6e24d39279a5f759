"""Verify an export: every record against the digests, every outcome and payout recomputed, the totals added up.

The log is audited while the export is read beside it, digest by digest. No signature is checked for a record:
the digests that the log holds say more than the vault's promise to put it there.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anchor.note import VerifierKey
from anchor.source import Source
from rng_service.records.export import MAX_LINE_BYTES, read_header
from rng_service.verify.export_records import ExportRecords
from rng_service.verify.fault import located
from rng_service.verify.log import run_audit
from rng_service.verify.openings import Openings
from rng_service.verify.report import ExportReport
from rng_service.verify.settlements import named_draws


def verify_export(
    path: Path,
    source: Source,
    vkey: str | VerifierKey,
    *,
    now_us: int | None = None,
    openings: Openings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ExportReport:
    """Check an export file against the log in ``source``, auditing the log on the way.

    ``now_us`` is the verifier's clock, see `verify_log`; ``openings`` open committed totals and tables. ``progress``
    is told (log entries done, log entries in all).
    Raises Fault for the first thing that is wrong.
    """
    with located(path=str(path)), path.open("rb") as stream:
        header = read_header(stream)
        named = named_draws(iter(lambda: stream.readline(MAX_LINE_BYTES), b""))
        stream.seek(0)
        read_header(stream)
        records = ExportRecords(header, stream, named, str(path))
        with _rare_collections():
            _, report = run_audit(source, vkey, now_us=now_us, progress=progress, observer=records, openings=openings)
        notes = records.finish()
    return ExportReport(
        origin=header.origin,
        complete=header.complete,
        from_digest=header.from_digest,
        to_digest=header.to_digest,
        records=records.counts,
        outcomes=records.outcomes,
        sessions=len(records.sessions),
        rounds=len(records.rounds),
        open_rounds=records.rounds.open,
        totals=records.totals_checked,
        tables=records.tables_checked,
        bindings=records.bindings_checked,
        verdicts=records.verdicts.computed,
        notes=tuple(notes),
        skipped=tuple(sorted({*report.skipped, *records.verdicts.skipped})),
    )


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the garbage collector look less often: records hold no cycles, and it would find nothing each time."""
    thresholds = gc.get_threshold()
    gc.set_threshold(100_000, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
