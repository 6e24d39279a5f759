"""Alarms about realised return (PROTOCOL.md, section 10)."""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

from anchor.errors import MalformedError
from rng_service.entry_fields import Count, Name, Positive, one_of, text
from rng_service.log_entries.base import Entry
from rng_service.names import check_currency

MAX_E_VALUE_DIGITS = 12
_DECIMAL = re.compile(r"[1-9](\.[0-9]{1,5})?e[0-9]{1,6}")
_ONE_IN = re.compile(r"1/[1-9][0-9]{0,14}")


def _check_e_value(value: str) -> None:
    if not _DECIMAL.fullmatch(value):
        raise MalformedError("expected an e-value like 1.2345e6")


def _check_alpha(value: str) -> None:
    if not _ONE_IN.fullmatch(value):
        raise MalformedError("expected a level like 1/100")


@dataclass(frozen=True, kw_only=True)
class RtpAlarm(Entry):
    """The plays of the digests ``from_digest`` … ``to_digest`` are evidence against the stated return of a game.

    Evidence is an e-value: were the return as stated, it would ever reach 1 / ``alpha`` with probability ``alpha`` at
    most. ``direction`` says to which side the plays lie. It flags; no outcome follows from it.
    """

    TYPE: ClassVar[str] = "rtp.alarm"

    game: Name
    version: Positive
    program: Name
    play_class: Annotated[str, one_of("free", "real")]
    currency: Annotated[str, text(check_currency)]
    from_digest: Count
    to_digest: Count
    direction: Annotated[str, one_of("high", "low")]
    e_value: Annotated[str, text(_check_e_value)]
    alpha: Annotated[str, text(_check_alpha)]


def e_value_text(log_e_value: float) -> str:
    """Return e to the ``log_e_value`` (at least 0) with five decimals, rounded down: ``2.71828e0``."""
    # From the logarithm: e-values leave the range of floats.
    decades = log_e_value / 2.302585092994046
    exponent = int(decades)
    digits = min(int(10 ** (decades - exponent) * 100_000), 999_999)
    return f"{digits // 100_000}.{digits % 100_000:05d}e{exponent}"
