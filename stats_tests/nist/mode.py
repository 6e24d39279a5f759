"""Which constants a P-value is computed with."""

from enum import StrEnum

__all__ = ["Mode"]


class Mode(StrEnum):
    """The two ways to compute the same tests; docs/statistics.md lists where they differ, and why.

    EXACT takes the constants from mathematics; verdicts rest on it. NIST_2_1_2 gives what the C program sts-2.1.2
    gives, also where its constants are known to be wrong, so that results can be compared.
    """

    EXACT = "exact"
    NIST_2_1_2 = "nist-2.1.2"
