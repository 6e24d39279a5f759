"""The verdict on a pool, computed again from secrets that are open: it is what the vault said, or somebody lied."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rng_service.games.tested import without_tables
from rng_service.log_entries import PoolTest
from rng_service.outcome import Deriver, DrawKeyDeriver, Program
from rng_service.pools.plans import TestPlan
from rng_service.pools.testing import judge_pool
from rng_service.verify.fault import require
from rng_service.verify.time_limit import OutOfTimeError, time_limit

__all__ = ["TestState", "Verdicts"]

# All pools of a log together. A pool of 131,072 values takes a second or two, and few are opened in full; a plan over
# millions of values for pools that are thrown away was made to keep auditors busy.
VERDICTS_S = 600.0
_NAMED = 32


@dataclass(slots=True)
class TestState:
    """The plan that a pool's commitment names, and what the vault said of the pool under it."""

    __test__ = False  # pytest collects classes by this name's beginning

    plan: TestPlan | None
    entry: PoolTest | None = None

    @property
    def failed(self) -> bool:
        """Whether the vault said that the pool failed."""
        return self.entry is not None and self.entry.verdict == "fail"

    @property
    def waits(self) -> bool:
        """Whether a plan is named, and nothing was said under it: who holds a failure back leaves a pool like this."""
        return self.plan is not None and self.entry is None

    def text(self) -> str:
        """Return how the pool stands, for people."""
        if self.plan is None:
            return "none named"
        if self.entry is None:
            return "none yet"
        return self.entry.verdict if self.entry.test is None else f"{self.entry.verdict}: {self.entry.test}"


class Verdicts:
    """Computes verdicts again, and stops when they take too long altogether."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._left_s = VERDICTS_S
        self._named: list[str] = []
        self._not_computed = 0
        self.computed = 0
        self.unlogged_failures = 0

    @property
    def skipped(self) -> set[str]:
        """What could not be checked, for people: pools by name."""
        if not self._not_computed:
            return set()
        others = self._not_computed - len(self._named)
        names = ", ".join(self._named) + (f" and {others} more" if others else "")
        what = f"verdicts on {self._not_computed} pools whose secrets are open"
        why = f"all verdicts take more than {VERDICTS_S:.0f} seconds"
        return {f"{what}, since {why}: {names}. Until they are computed, they are only the vault's word"}

    def _skip(self, pool: str, state: TestState) -> None:
        self._not_computed += 1
        if len(self._named) < _NAMED:
            self._named.append(f"{pool} ({state.text()})")

    def check(self, pool: str, state: TestState, program: Program, deriver: Deriver, secrets: bytes) -> None:
        """Run the plan of an activated pool, if it names one, over all its secrets.

        Raises VerificationError ``test-verdict`` when the vault said something else. A pool that fails, and of which
        the vault said nothing, is counted.
        """
        if state.plan is None or not isinstance(deriver, DrawKeyDeriver):
            return
        began_s = self._clock_s()
        try:
            with time_limit(self._left_s):
                verdict = judge_pool(state.plan, without_tables(program), deriver, secrets)
        except OutOfTimeError:
            self._skip(pool, state)
            return
        finally:
            self._left_s -= self._clock_s() - began_s
        self.computed += 1
        if state.entry is None:
            self.unlogged_failures += not verdict.passed
            return
        stated, found = state.text(), "pass" if verdict.passed else f"fail: {verdict.test}"
        require(stated == found, "test-verdict", f"{pool}: its secrets give {found}, the vault said {stated}")
