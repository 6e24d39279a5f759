"""The most common value estimate, SP 800-90B section 6.3.1."""

from typing import Final

import numpy as np

from stats_tests.entropy.results import Estimate, bounded
from stats_tests.entropy.symbols import Symbols

__all__ = ["most_common_value"]

_NAME: Final = "most_common_value"


def most_common_value(symbols: Symbols) -> Estimate:
    """Take the share of the most common symbol for the chance to guess the next one."""
    mode = int(np.bincount(symbols.values).max())
    return bounded(_NAME, mode / len(symbols), len(symbols), mode=mode)
