"""The auditor's part of the demo: everything from the public files, as `sealdraw verify` does it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from anchor.errors import VerificationError
from anchor.note import VerifierKey
from anchor.reader import LogReader
from anchor.source import DirectorySource
from rng_service.config import Config
from rng_service.demo.books import GameBook
from rng_service.ledger.engine import open_engine
from rng_service.ledger.exporting import digest_range, export_digests
from rng_service.log_entries import Totals, parse_entry
from rng_service.verify.export import verify_export
from rng_service.verify.log import verify_log
from rng_service.verify.receipt import verify_receipt
from rng_service.verify.report import ExportReport, LogReport

__all__ = ["Findings", "audit", "compare_totals", "require_tested", "write_export"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Findings:
    """What an audit without a fault has seen."""

    log: LogReport
    export: ExportReport
    receipts: int


def write_export(config: Config, path: Path) -> int:
    """Write the complete export, as the operator would for an auditor; return its number of records."""
    engine = open_engine(config.ledger_url)
    try:
        first, last = digest_range(engine)
        with path.open("wb") as stream:
            return export_digests(engine, stream, origin=config.service.origin, first=first, last=last)
    finally:
        engine.dispose()


def audit(public: Path, vkey: str, receipts: list[Path], export: Path, progress: Progress) -> Findings:
    """Check the log, the receipts and the export; raises VerificationError for the first thing that is wrong."""
    source = DirectorySource(public)
    now_us = time.time_ns() // 1_000
    log = verify_log(source, vkey, now_us=now_us, progress=progress)
    for done, path in enumerate(receipts, start=1):
        report = verify_receipt(path.read_bytes(), source, vkey, now_us=now_us)
        if report.pending:
            raise VerificationError("receipt-pending", f"{path}: is in no digest although everything was published")
        progress(done, len(receipts))
    return Findings(log, verify_export(export, source, vkey, now_us=now_us, progress=progress), len(receipts))


def require_tested(log: LogReport) -> None:
    """Check that pools were tested, and that none failed or named no plan; raises VerificationError ``pool-tests``."""
    found = log.pool_tests
    if not found["pass"] or found["fail"] or found["without_plan"] or found["unlogged_failures"]:
        raise VerificationError("pool-tests", f"every pool should name a plan and pass it: {found}")


def compare_totals(public: Path, vkey: str, books: Mapping[str, GameBook]) -> None:
    """Hold the published totals against the game server's own books; raises VerificationError ``totals``."""
    published: dict[str, list[int]] = {game: [0, 0, 0, 0] for game in books}
    for data in LogReader(DirectorySource(public), VerifierKey.parse(vkey)).entries():
        entry = parse_entry(data)
        if isinstance(entry, Totals):
            for row in entry.rows:
                found = (row.outcomes, row.plays, row.stake_minor, row.payout_minor)
                published[row.game] = [a + b for a, b in zip(published[row.game], found, strict=True)]
    for game, book in books.items():
        own = [book.outcomes, book.plays, book.stake_minor, book.payout_minor]
        if own != published[game]:
            raise VerificationError(
                "totals", f"{game}: the log says (outcomes, plays, stake, payout) {published[game]}, the books {own}"
            )
