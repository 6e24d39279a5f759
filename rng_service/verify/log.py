"""Verify a whole log: every tile, entry, pool, digest and total, from static files alone."""

from collections.abc import Callable

from anchor.checkpoint import open_checkpoint
from anchor.note import VerifierKey
from anchor.reader import LogReader
from anchor.source import Source
from rng_service.verify.audit import Audit, AuditObserver
from rng_service.verify.fault import located
from rng_service.verify.openings import Openings
from rng_service.verify.outages import require_total, total_us
from rng_service.verify.report import LogReport, chain_text


def verify_log(
    source: Source,
    vkey: str | VerifierKey,
    *,
    old_checkpoint: bytes | None = None,
    now_us: int | None = None,
    max_outage_s: int | None = None,
    openings: Openings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LogReport:
    """Check everything that PROTOCOL.md demands of a log, and return what was found.

    ``old_checkpoint`` is a note that was kept from an earlier visit: the log must extend it. ``now_us`` is the
    verifier's clock, from which ages are counted (the newest digest's time without it). ``max_outage_s`` is how many
    seconds of admitted outages the verifier puts up with, all together. ``openings`` open committed totals and tables.
    ``progress`` is told (entries done, entries in all). Raises Fault, a VerificationError, for the first thing that is
    wrong.
    """
    audit, report = run_audit(
        source, vkey, old_checkpoint=old_checkpoint, now_us=now_us, progress=progress, openings=openings
    )
    with located():
        require_total(audit.digests.outages, max_outage_s)
    return report


def run_audit(
    source: Source,
    vkey: str | VerifierKey,
    *,
    old_checkpoint: bytes | None = None,
    now_us: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    observer: AuditObserver | None = None,
    openings: Openings | None = None,
) -> tuple[Audit, LogReport]:
    """Do as `verify_log` while ``observer`` looks on; return the audit's last state as well."""
    with located():
        key = vkey if isinstance(vkey, VerifierKey) else VerifierKey.parse(vkey)
        reader = LogReader(source, key)
        with located(path="checkpoint"):
            checkpoint = reader.checkpoint()
        old = None
        if old_checkpoint is not None:
            old = open_checkpoint(old_checkpoint, key)
            reader.verify_extends(old)
        audit = Audit(source, reader, key, observer, openings)
        size = checkpoint.size
        audit.feed_all(reader.entries(), None if progress is None else lambda done: progress(done, size))
    return audit, LogReport(
        origin=checkpoint.origin,
        size=size,
        root=checkpoint.root.hex(),
        entries=dict(sorted(audit.types.items())),
        records=dict(audit.digests.records),
        pools_open=len(audit.pools.open_pools()),
        pools_closed=audit.pools.closed,
        pools_erased=audit.pools.erasures.erased,
        pools_voided=audit.pools.voided,
        newest_digest_us=audit.digests.newest_us,
        extends_size=None if old is None else old.size,
        development_beacon=any(chain.development for chain in audit.registry.chains.values()),
        beacon_chains=tuple(chain_text(chain) for chain in audit.registry.chains.values()),
        incidents=dict(sorted(audit.incidents.items())),
        outages=tuple(outage.text() for outage in audit.digests.outages),
        outage_total_s=total_us(audit.digests.outages) / 1_000_000,
        table_gaps=tuple(audit.tables.gaps()),
        pool_tests=audit.pools.tests.counts(),
        pool_test_notes=tuple(audit.pools.tests.lines()),
        statistics=audit.statistics.counts(),
        statistics_notes=tuple(audit.statistics.lines(audit.digests.newest_us or 0)),
        unopened=tuple(_unopened(audit, now_us)),
        opened_voids=tuple(line.text() for line in audit.pools.bias_lines()),
        only_records_show=tuple(_only_records_show(audit)),
        skipped=tuple(audit.skipped),
    )


def _unopened(audit: Audit, now_us: int | None) -> list[str]:
    """Say which activated pools have slots that are neither drawn nor void, those that wait longest first."""
    asked_us = now_us if now_us is not None else audit.digests.newest_us or 0
    waiting = [
        (state.activation.time_us, state.commit.pool, state)
        for state in audit.pools.open_pools()
        if state.activation is not None
    ]
    return [
        f"{state.unopened} of {state.commit.size} slots of {pool}, "
        f"activated {max(0, asked_us - since_us) / 3_600_000_000:.1f} hours before"
        + (", and not tested" if state.test.waits else "")
        for since_us, pool, state in sorted(waiting, key=lambda item: item[:2])
        if state.unopened
    ]


def _only_records_show(audit: Audit) -> list[str]:
    """Say what a log alone cannot tell of the tables in it."""
    tables = audit.types["rtp.table"]
    if not tables:
        return []
    noun = "table" if tables == 1 else "tables"
    return [f"hits, expected figures and returns of pools in {tables} {noun} of returns (sealdraw verify export)"]
