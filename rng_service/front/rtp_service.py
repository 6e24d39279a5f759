"""Realised return over gRPC: rows of the rollups for auditors and operators, and an operator's word on an alarm."""

import threading
import time
from typing import Any, Final

from sealdraw.v1 import audit_pb2, operator_pb2
from sqlalchemy import Engine, func, select, update

from anchor.errors import MalformedError
from rng_service.config import Config
from rng_service.errors import InvalidArgument, NotFound
from rng_service.front.checks import Checks
from rng_service.front.paging import page_token, read_page
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import DigestRow, RtpAlarmRow, RtpSeriesRow
from rng_service.ledger.rtp_evidence import open_alarms
from rng_service.ledger.rtp_query import DIMENSIONS, RtpQuery, covered_digests, query_rollups
from rng_service.ledger.rtp_report import INTERVAL_LEVEL, Evidences, ReportRow, report_row
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import Incident
from rng_service.rtp.figures import LEVELS_SHOWN
from rng_service.rtp.periods import Grain, hour_of, parse_time, period_of
from rng_service.rtp.stakes import parse_stake_bands

__all__ = ["RtpService"]

_GRAINS: Final = {
    audit_pb2.RTP_GRAIN_UNSPECIFIED: None,
    audit_pb2.RTP_GRAIN_HOUR: Grain.HOUR,
    audit_pb2.RTP_GRAIN_DAY: Grain.DAY,
    audit_pb2.RTP_GRAIN_MONTH: Grain.MONTH,
}
_MOST_VALUES: Final = 100
_MAX_VERSION: Final = 2**31 - 1


class RtpService:
    """The handlers. One question at a time: adding up years takes a core, and draws come first."""

    def __init__(self, ledger: Engine, config: Config) -> None:
        self._ledger = ledger
        self._config = config
        self._bands = parse_stake_bands(config.rtp.stake_bands)
        self._one_at_a_time = threading.Lock()

    def list_rtp_rows(
        self, request: audit_pb2.ListRtpRowsRequest, _caller: str, _timeout_s: float
    ) -> audit_pb2.ListRtpRowsResponse:
        """Add up what is asked for; money totals of open deals are among it, so callers are auditors or operators."""
        query = _query(request)
        size, start = read_page(request.page_size, request.page_token, 0)
        with self._one_at_a_time, reading(self._ledger) as connection:
            groups = query_rollups(connection, query)
            known = Evidences(connection, query, self._bands)
            page = groups[start : start + size]
            rows = [report_row(known, query, group, interval=request.with_intervals) for group in page]
            digests = covered_digests(connection, query.first_hour, query.end_hour)
        response = audit_pb2.ListRtpRowsResponse(
            rows=[_message(row) for row in rows],
            next_page_token=page_token(start + size) if start + size < len(groups) else "",
        )
        if digests is not None:
            response.from_digest, response.to_digest = digests
        return response

    def acknowledge_rtp_alarm(
        self, request: operator_pb2.AcknowledgeRtpAlarmRequest, caller: str, _timeout_s: float
    ) -> operator_pb2.AcknowledgeRtpAlarmResponse:
        """Close an alarm: its reason goes to the log, and evidence begins anew with the next day."""
        checks = Checks()
        game, program = checks.name("game", request.game), checks.name("program", request.program)
        play_class = checks.play_class(request.play_class)
        currency = checks.currency("currency", request.currency)
        reason = checks.reason(request.reason)
        if not 1 <= request.version <= _MAX_VERSION:
            checks.refuse("version", f"expected 1 to {_MAX_VERSION}")
        checks.finish()
        with writing(self._ledger) as connection:
            series = connection.execute(
                select(RtpSeriesRow.id).where(
                    RtpSeriesRow.game == game,
                    RtpSeriesRow.version == request.version,
                    RtpSeriesRow.program == program,
                    RtpSeriesRow.play_class == play_class,
                    RtpSeriesRow.currency == currency,
                )
            ).scalar()
            alarm = open_alarms(connection).get(series or 0)
            if alarm is None:
                raise NotFound("no alarm of this game, version, program, class and currency is open")
            newest = connection.execute(select(func.max(DigestRow.seq))).scalar_one()
            # The log's clock, which the sequencer keeps, may be ahead of this machine's: never behind it.
            logged_us = connection.execute(select(DigestRow.created_us).where(DigestRow.seq == newest)).scalar_one()
            now_us = max(time.time_ns() // 1_000, logged_us)
            tomorrow = period_of(Grain.DAY, hour_of(now_us)) + 1
            connection.execute(
                update(RtpAlarmRow)
                .where(RtpAlarmRow.id == alarm.id)
                .values(acknowledged_us=now_us, acknowledged_by=caller)
            )
            connection.execute(
                update(RtpSeriesRow)
                .where(RtpSeriesRow.id == series)
                .values(since_day=tomorrow, since_digest=int(newest) + 1)
            )
            append_entry(
                connection,
                Incident(
                    origin=self._config.service.origin, time_us=now_us, kind="rtp-alarm-acknowledged", reason=reason
                ),
            )
        return operator_pb2.AcknowledgeRtpAlarmResponse(raised_us=alarm.raised_us)


def _query(request: audit_pb2.ListRtpRowsRequest) -> RtpQuery:
    problems: list[tuple[str, str]] = []
    where: dict[str, frozenset[Any]] = {}
    for place, item in enumerate(request.filters):
        path = f"filters[{place}]"
        if item.dimension not in DIMENSIONS or item.dimension in where:
            problems.append((f"{path}.dimension", f"expected each once of {', '.join(DIMENSIONS)}"))
        elif not 1 <= len(item.values) <= _MOST_VALUES:
            problems.append((f"{path}.values", f"expected 1 to {_MOST_VALUES} values"))
        elif item.dimension == "version" and not all(_is_version(value) for value in item.values):
            problems.append((f"{path}.values", "expected version numbers"))
        else:
            where[item.dimension] = frozenset(int(v) if item.dimension == "version" else v for v in item.values)
    by = tuple(request.group_by)
    if len(set(by)) < len(by) or not set(by) <= set(DIMENSIONS):
        problems.append(("group_by", f"expected each once of {', '.join(DIMENSIONS)}"))
    if request.grain not in _GRAINS:
        problems.append(("grain", "expected RTP_GRAIN_HOUR, RTP_GRAIN_DAY or RTP_GRAIN_MONTH"))
    hours = {}
    for name, text, end in (("from_period", request.from_period, False), ("to_period", request.to_period, True)):
        try:
            hours[name] = parse_time(text, end=end) if text else None
        except MalformedError as error:
            problems.append((name, str(error)))
    if problems:
        raise InvalidArgument(*problems)
    every = RtpQuery()
    first, end_hour = hours["from_period"], hours["to_period"]
    return RtpQuery(
        where,
        by,
        every.first_hour if first is None else max(first, 0),
        every.end_hour if end_hour is None else min(end_hour, every.end_hour),
        _GRAINS[request.grain],
    )


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_VERSION))


def _message(row: ReportRow) -> audit_pb2.RtpRow:
    sums, figures = row.group.sums, row.figures
    message = audit_pb2.RtpRow(
        period=row.period,
        values=[str(value) for value in row.group.values],
        outcomes=sums.outcomes,
        plays=sums.plays,
        hits=sums.hits,
        unsettled=sums.unsettled,
        stake_minor=str(sums.stake_minor),
        payout_minor=str(sums.payout_minor),
        state="alarm" if row.alarmed else "ok",
        notes=[text for text in (figures.reason, row.no_interval and f"no interval: {row.no_interval}") if text],
        bands=[
            audit_pb2.RtpBand(level=level, lower=str(band.lower), upper=str(band.upper))
            for level, band in zip(LEVELS_SHOWN, figures.bands, strict=False)
        ],
    )
    for name in ("theoretical", "realised", "theoretical_hit_rate", "hit_rate"):
        value = getattr(figures, name)
        if value is not None:
            setattr(message, name, str(value))
    if row.interval is not None:
        found = row.interval
        message.interval.CopyFrom(
            audit_pb2.RtpInterval(
                lower=found.lower,
                upper=found.upper,
                alpha=str(INTERVAL_LEVEL),
                e_value=found.e_value,
                plays=found.plays,
            )
        )
    return message
