"""Test plans: what is asked of a pool between its activation and its first draw (PROTOCOL.md, section 6).

A plan is canonical JSON, named in ``pool.commit`` by its SHA-256 and published as ``plans/<digest>.json``:

    {"error_bits":40,"format":"sealdraw/test-plan@v1","outcomes":"empty-seed","tests":["…"],"values":131072}

The verdict on a perfect pool is ``fail`` with probability at most 2^-error_bits, over all tests together.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from anchor import canonical
from anchor.errors import MalformedError

__all__ = ["BUILT_IN_PLAN", "KNOWN_PLANS", "MAX_PLAN_BYTES", "TESTS", "TestPlan", "parse_plan"]

MAX_PLAN_BYTES: Final = 4096
# In the order in which they are run; a verdict names the first that failed.
TESTS: Final = ("repeats", "bits", "neighbours", "cells", "pairs")

_FORMAT: Final = "sealdraw/test-plan@v1"
_OUTCOMES: Final = "empty-seed"
# A pool with a prize so rare that its mere coming fails the test must be rarer still than that: with fewer bits, a plan
# could throw the pools with the jackpot away, and every verdict would be right.
_ERROR_BITS: Final = (40, 200)
# Ten seconds of a core in a vault that has other things to do, and in every verifier.
_MOST_VALUES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class TestPlan:
    """Which ``tests`` are run, over how many outcome ``values`` at most, and how rarely a perfect pool may fail."""

    __test__ = False  # pytest collects classes by this name's beginning

    error_bits: int = 40
    tests: tuple[str, ...] = TESTS
    values: int = 1 << 17

    def to_bytes(self) -> bytes:
        """Return the plan's document, whose SHA-256 names it."""
        return canonical.encode(
            {
                "error_bits": self.error_bits,
                "format": _FORMAT,
                "outcomes": _OUTCOMES,
                "tests": list(self.tests),
                "values": self.values,
            }
        )

    @property
    def digest(self) -> bytes:
        """The SHA-256 by which a commitment names the plan."""
        return sha256(self.to_bytes()).digest()


def parse_plan(data: bytes) -> TestPlan:
    """Return the plan that ``data`` states; raises MalformedError for anything but a plan in canonical form."""
    fields = canonical.decode_object(data, limit=MAX_PLAN_BYTES, what="test plan")
    if fields.keys() != {"error_bits", "format", "outcomes", "tests", "values"}:
        raise MalformedError("test plan: not the members of one")
    if (fields["format"], fields["outcomes"]) != (_FORMAT, _OUTCOMES):
        raise MalformedError(f"test plan: expected the format {_FORMAT} over outcomes of the {_OUTCOMES}")
    tests = fields["tests"]
    if not isinstance(tests, list) or not tests or [name for name in TESTS if name in tests] != tests:
        raise MalformedError(f"test plan: tests are some of {', '.join(TESTS)}, in this order")
    return TestPlan(
        _integer(fields["error_bits"], "error_bits", *_ERROR_BITS),
        tuple(tests),
        _integer(fields["values"], "values", 1, _MOST_VALUES),
    )


def _integer(value: object, name: str, low: int, high: int) -> int:
    # bool is a subclass of int, and true is not the number 1.
    if type(value) is not int or not low <= value <= high:
        raise MalformedError(f"test plan: {name}: expected an integer from {low} to {high}")
    return value


# What this version names in new commitments. Pools that were committed to under an older one are tested by theirs: a
# plan that was ever built in stays in the table below.
BUILT_IN_PLAN: Final = TestPlan()
KNOWN_PLANS: Final = {plan.digest: plan.to_bytes() for plan in (BUILT_IN_PLAN,)}
