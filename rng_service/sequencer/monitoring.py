"""Watching realised returns: evidence that may be looked at as often as one likes, and an alarm when it is strong.

An alarm flags. No outcome, pool or game changes by it: somebody looks, and acknowledges it with a reason.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from sqlalchemy import insert

from rng_service.ledger.models import RtpAlarmRow
from rng_service.ledger.rtp_evidence import KnownSeries, evidence, known_series, open_alarms
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import RtpAlarm
from rng_service.log_entries.rtp import e_value_text
from rng_service.rtp.families import alpha_of_row
from rng_service.rtp.joint import JointEvidence
from rng_service.rtp.stakes import StakeBands, parse_stake_bands
from rng_service.sequencer.context import Context

__all__ = ["Watch", "alpha_of_series"]

_MICROSECONDS: Final = 1_000_000
_FOREVER: Final = 1 << 30
# Evaluating thousands of cells takes a tenth of a second, and digests wait for it.
_SERIES_AT_ONCE: Final = 2


def alpha_of_series(number: int, acknowledged: int, one_in: int) -> Fraction:
    """Return the level of a series that was the ``number``-th to begin and had ``acknowledged`` alarms.

    Over all series and all their new beginnings these add up to 1 / ``one_in`` at most.
    """
    return alpha_of_row(acknowledged + 1, alpha_of_row(number, Fraction(1, one_in)))


class Watch:
    """Looks at every series that was played since it looked last, once in the configured time."""

    def __init__(self) -> None:
        self._looked_us: int | None = None
        self._seen: dict[int, int] = {}

    def look(self, context: Context) -> int:
        """Look at the series that are due and return how many alarms were raised."""
        settings = context.config.rtp
        now_us = context.clock_us()
        if not settings.one_false_alarm_in:
            return 0
        if self._looked_us is not None and 0 <= now_us - self._looked_us < settings.monitor_interval_s * _MICROSECONDS:
            return 0
        with context.reading() as connection:
            known = known_series(connection)
            alarmed = open_alarms(connection)
        played = [item for item in known if item.id not in alarmed and self._seen.get(item.id, -1) < item.last_digest]
        bands = parse_stake_bands(settings.stake_bands)
        raised = sum(self._weigh(context, item, bands, now_us) for item in played[:_SERIES_AT_ONCE])
        if len(played) <= _SERIES_AT_ONCE:
            # Otherwise the others follow with the next steps, and then it rests.
            self._looked_us = now_us
        return raised

    def _weigh(self, context: Context, series: KnownSeries, bands: StakeBands, now_us: int) -> bool:
        days = None if series.since_day is None else (series.since_day, _FOREVER)
        with context.reading() as connection:
            found = evidence(connection, [series], bands, days)
        self._seen[series.id] = series.last_digest
        if found is None:
            return False
        level = alpha_of_series(series.id, series.acknowledged, context.config.rtp.one_false_alarm_in)
        if not found.alarm(level):
            return False
        self._raise(context, series, found, level, now_us)
        return True

    def _raise(self, context: Context, series: KnownSeries, found: JointEvidence, level: Fraction, now_us: int) -> None:
        start = series.first_digest if series.since_digest is None else series.since_digest
        entry = RtpAlarm(
            origin=context.origin,
            time_us=now_us,
            **series.key._asdict(),
            from_digest=start,
            to_digest=series.last_digest,
            direction="high" if found.difference > 0 else "low",
            e_value=e_value_text(found.log_e_value()),
            alpha=str(level),
        )
        with context.writing() as connection:
            if series.id in open_alarms(connection):
                return
            connection.execute(
                insert(RtpAlarmRow).values(
                    series_id=series.id,
                    direction=entry.direction,
                    raised_us=now_us,
                    log_entry_id=append_entry(connection, entry),
                )
            )
        # A crash before the commit leaves no alarm, and the next look finds the same evidence; after it, an entry
        # that waits in the queue of the log.
        context.on_step("alarm.recorded")
        context.warnings.append(
            f"rtp.alarm: the return of {_words(series.key)} is {entry.direction} against what is stated: e-value "
            f"{entry.e_value} over digests {start} to {series.last_digest}, level {level}"
        )


def _words(parts: Sequence[object]) -> str:
    return "/".join(map(str, parts))
