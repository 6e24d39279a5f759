"""What every test of raw bits in this room is."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stats_tests.results import TestResult

__all__ = ["WeaknessTest"]


class WeaknessTest(Protocol):
    """A test with its parameters: a frozen dataclass whose fields are the parameters."""

    @property
    def name(self) -> str:
        """Its name in results, with what sets it apart from others of its kind."""

    @property
    def p_value_count(self) -> int:
        """How many P-values it gives."""

    def unsuitable(self, size: int) -> str | None:
        """Say why ``size`` bytes are too few, if they are."""

    def run(self, data: NDArray[np.uint8]) -> TestResult:
        """Test ``data``, one dimension of bytes, for which `unsuitable` has nothing to say."""
