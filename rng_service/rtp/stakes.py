"""Stake bands: which configured range a stake lies in, under a name that says what the range is."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from anchor.errors import MalformedError
from rng_service.names import check_currency

__all__ = ["StakeBands", "parse_stake_bands"]

_MAX_LIMITS = 32
_MAX_DIGITS = 15


@dataclass(frozen=True, slots=True)
class StakeBands:
    """The upper limits of the bands in minor units, ascending; a currency with limits of its own has only those."""

    limits: tuple[int, ...]
    by_currency: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def band(self, currency: str, stake_minor: int) -> str:
        """Return the band of a stake: ``1..100``, ``101..1000``, ``1001..``; the limits belong to the lower band."""
        limits = self.by_currency.get(currency, self.limits)
        place = bisect_left(limits, stake_minor)
        low = limits[place - 1] + 1 if place else 1
        return f"{low}..{limits[place]}" if place < len(limits) else f"{low}.."


def parse_stake_bands(texts: Sequence[str]) -> StakeBands:
    """Read limits like ``1000``, for every currency, and ``JPY:100000``, for one; raises MalformedError."""
    found: dict[str, list[int]] = {}
    for text in texts:
        currency, colon, limit = text.rpartition(":")
        if colon:
            check_currency(currency)
        if not limit.isascii() or not limit.isdigit() or len(limit) > _MAX_DIGITS or int(limit) == 0:
            raise MalformedError(f"stake band {text[:40]!r}: expected minor units like 1000, or JPY:100000")
        found.setdefault(currency, []).append(int(limit))
    for limits in found.values():
        if len(limits) > _MAX_LIMITS or any(low >= high for low, high in pairwise(limits)):
            raise MalformedError(f"stake bands: expected at most {_MAX_LIMITS} ascending limits, got {limits}")
    common = tuple(found.pop("", ()))
    return StakeBands(common, {currency: tuple(limits) for currency, limits in found.items()})
