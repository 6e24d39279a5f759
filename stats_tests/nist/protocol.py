"""What every test of the suite is."""

from typing import Protocol

from stats_tests.bits import Batch
from stats_tests.nist.mode import Mode
from stats_tests.results import TestResult

__all__ = ["NistTest"]


class NistTest(Protocol):
    """A test with its parameters: a frozen dataclass whose fields are the parameters, the published ones by default."""

    @property
    def name(self) -> str:
        """Its name in results."""

    @property
    def p_value_count(self) -> int:
        """How many P-values it gives for a sequence."""

    def unsuitable(self, bits: int) -> str | None:
        """Say why sequences of ``bits`` bits are too short for the approximations behind the P-values, if they are."""

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:
        """Test every sequence of ``batch``, whatever its length: the examples of the publication are shorter."""
