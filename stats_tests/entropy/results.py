"""What an estimator says: so many bits of min-entropy a symbol, or why it cannot say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log2, sqrt
from typing import Any, Final

__all__ = ["Z_ALPHA", "Estimate", "bounded", "upper_bound"]

# The quantile 0.995 of the standard normal distribution: all bounds are one-sided at 99.5 %.
Z_ALPHA: Final = 2.5758293035489008


@dataclass(frozen=True)
class Estimate:
    """The min-entropy of a symbol by one estimator, in bits; or the reason why there is none.

    ``statistics`` are the values on the way, by the letters of the publication.
    """

    name: str
    min_entropy: float | None
    statistics: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as JSON; ``min_entropy`` is null where the estimator cannot say."""
        found: dict[str, Any] = {"name": self.name, "min_entropy": self.min_entropy}
        if self.reason is not None:
            found["reason"] = self.reason
        return {**found, "statistics": dict(self.statistics)}


def upper_bound(proportion: float, samples: int) -> float:
    """Return the upper end of the confidence interval for a ``proportion`` that was seen among ``samples``."""
    return min(1.0, proportion + Z_ALPHA * sqrt(proportion * (1.0 - proportion) / (samples - 1)))


def bounded(name: str, proportion: float, samples: int, **statistics: float) -> Estimate:
    """Return the estimate of a source whose best guess is right with ``proportion``, seen among ``samples``."""
    bound = upper_bound(proportion, samples)
    # Plus nought: a source without any entropy has 0 bits, not -0.
    return Estimate(name, -log2(bound) + 0.0, {**statistics, "p": proportion, "p_u": bound})
