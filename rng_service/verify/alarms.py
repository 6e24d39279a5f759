"""Alarms about realised return: evidence over plays that are in the log, and strong enough for what it says."""

from fractions import Fraction

from rng_service.log_entries import RtpAlarm
from rng_service.verify.fault import require
from rng_service.verify.registry import Registry

__all__ = ["ALARM", "alarm_text", "check_alarm"]

ALARM = RtpAlarm.TYPE


def check_alarm(entry: RtpAlarm, registry: Registry, next_digest: int) -> None:
    """Check an alarm; ``next_digest`` is the number that the log's next digest will have.

    Raises VerificationError ``alarm-game``, ``alarm-digests`` or ``alarm-level``. The evidence itself is in records:
    who holds an export can add it up (docs/rtp.md).
    """
    registered = registry.games.get((entry.game, entry.version))
    require(
        registered is not None and entry.program in registered.programs,
        "alarm-game",
        f"an alarm about {entry.game} version {entry.version}, program {entry.program}, which is not registered",
    )
    require(
        entry.from_digest <= entry.to_digest < next_digest,
        "alarm-digests",
        f"an alarm about the digests {entry.from_digest} to {entry.to_digest}, the log has {next_digest}",
    )
    require(
        _strong(entry.e_value, Fraction(entry.alpha)),
        "alarm-level",
        f"an e-value of {entry.e_value} is no alarm at the level {entry.alpha}",
    )


def alarm_text(entry: RtpAlarm) -> str:
    """Return an alarm in one line."""
    stream = f"{entry.game}/{entry.version}/{entry.program}/{entry.play_class}"
    return f"{ALARM}: the return of {stream} in {entry.currency} is {entry.direction}"


def _strong(e_value: str, alpha: Fraction) -> bool:
    digits, _, decades = e_value.partition("e")
    # A million decades would be a number of a million digits, and no smaller level than 10^-15 can be stated.
    return bool(Fraction(digits) * Fraction(10) ** min(int(decades), _ENOUGH_DECADES) * alpha >= _ROUNDED_DOWN)


_ENOUGH_DECADES = 16
# Five decimals of the e-value are stated, rounded down.
_ROUNDED_DOWN = Fraction(99_999, 100_000)
