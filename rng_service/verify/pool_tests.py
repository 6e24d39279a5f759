"""The tests of pools before their first draw (PROTOCOL.md, section 6).

Of a pool that is drawn from, only the vault's signature says that it passed. A pool that was opened in full without a
draw shows more: anybody runs its plan again. That is every pool that failed, so a vault cannot throw away what it
does not like and call it a failure; and every pool that was thrown away untested, so a failure that nobody logged is
seen as well.
"""

from dataclasses import dataclass
from math import comb
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anchor.errors import VerificationError
from anchor.source import Source
from rng_service.encoding import pool_test_statement
from rng_service.log_entries import PoolCommit, PoolTest
from rng_service.outcome import Deriver, Program
from rng_service.pools.plans import KNOWN_PLANS, MAX_PLAN_BYTES, TestPlan, parse_plan
from rng_service.verify.fault import located, require
from rng_service.verify.plans import read_plan
from rng_service.verify.registry import Registry
from rng_service.verify.verdicts import TestState, Verdicts

__all__ = ["PoolTests"]


@dataclass(slots=True)
class _PlanCounts:
    """What came of the pools that named one plan."""

    plan: TestPlan
    pools: int = 0
    passed: int = 0
    failed: int = 0

    def lines(self, digest: bytes) -> list[str]:
        plan, tested = self.plan, self.passed + self.failed
        name = f"plan {digest.hex()[:16]}"
        known = "" if digest in KNOWN_PLANS else ", which is not built into this version"
        what = f"{', '.join(plan.tests)} over at most {plan.values} values"
        found = f"{self.pools} pools, {self.passed} pass, {self.failed} fail"
        lines = [
            f"{name}{known} ({what}): {found}; a perfect source fails at most one pool in 2^{plan.error_bits}",
        ]
        if self.failed:
            # The chance of k or more failures among n pools is at most C(n, k) · 2^-(bits · k).
            rarity = plan.error_bits * self.failed - (comb(tested, self.failed) - 1).bit_length()
            lines.append(
                f"{name}: {self.failed} of {tested} failed, which a perfect source does with a chance of at most "
                f"2^{-max(0, rarity)}: somebody has to find out why"
            )
        return lines


class _Word(NamedTuple):
    """The vault's signature on a verdict, which stands in entry ``entry`` of the log."""

    entry: int
    key_id: bytes
    signature: bytes
    message: bytes
    pool: str


class PoolTests:
    """Holds pools to the plans that their commitments name, and counts what came of them."""

    def __init__(self, registry: Registry, source: Source) -> None:
        self._registry = registry
        self._source = source
        self._verdicts = Verdicts()
        self._plans: dict[bytes, _PlanCounts] = {}
        # Failed, and not quarantined yet.
        self._loose: set[str] = set()
        self._unsigned: list[_Word] = []
        self.without_plan = 0

    @property
    def skipped(self) -> set[str]:
        """What could not be checked, in sentences."""
        return self._verdicts.skipped

    def commit(self, entry: PoolCommit) -> TestState:
        """Read the plan that a commitment names; raises ``test-deal``, and what `read_plan` raises."""
        if entry.test_plan is None:
            self.without_plan += entry.kind == "independent"
            return TestState(None)
        # A deal's outcomes are no sample; its close shows that its composition is exact.
        require(entry.kind == "independent", "test-deal", f"{entry.pool} is a deal, and names a test plan")
        counts = self._plans.get(entry.test_plan)
        if counts is None:
            plan = read_plan(self._source, entry.test_plan, parse_plan, limit=MAX_PLAN_BYTES)
            counts = self._plans[entry.test_plan] = _PlanCounts(plan)
        counts.pools += 1
        return TestState(counts.plan)

    def take(self, index: int, entry: PoolTest, state: TestState, *, commit: bytes, beacon: bytes) -> None:
        """Take the vault's word on an activated pool of which nothing is bound; ``commit`` is D, ``beacon`` is B.

        Raises ``test-unplanned``, ``test-twice``, ``test-name``, ``test-signature``, ``receipt-key-unknown``.
        """
        plan = state.plan
        if plan is None:
            raise VerificationError("test-unplanned", f"{entry.pool} named no plan that it could be tested by")
        require(plan.digest == entry.plan, "test-plan", f"{entry.pool} named the plan {plan.digest.hex()}")
        require(state.entry is None, "test-twice", f"{entry.pool} was tested before")
        require(
            entry.test is None or entry.test in plan.tests,
            "test-name",
            f"{entry.pool} failed {entry.test}, which is no test of its plan",
        )
        message = pool_test_statement(
            entry.origin,
            entry.pool,
            commit=commit,
            beacon=beacon,
            plan=entry.plan,
            verdict=entry.verdict,
            test=entry.test or "",
        )
        word = _Word(index, entry.key_id, entry.signature, message, entry.pool)
        if entry.key_id in self._registry.receipt_keys:
            self._check_signature(word)
        else:
            # A receipt key may be announced anywhere in the log, so its signatures wait until the end.
            self._unsigned.append(word)
        state.entry = entry
        counts = self._plans[entry.plan]
        if entry.verdict == "pass":
            counts.passed += 1
        else:
            counts.failed += 1
            self._loose.add(entry.pool)

    def quarantined(self, pool: str, state: TestState, from_slot: int) -> None:
        """Take the quarantine of a pool; raises ``test-quarantine`` when it leaves slots of a failed one."""
        require(
            not state.failed or from_slot == 0,
            "test-quarantine",
            f"{pool} failed its test, and is quarantined from slot {from_slot} on only",
        )
        self._loose.discard(pool)

    def require_passed(self, pool: str, state: TestState, slot: int) -> None:
        """Check that a slot may be bound to somebody; raises ``test-missing``, ``test-failed``."""
        if state.plan is None:
            return
        require(state.entry is not None, "test-missing", f"slot {slot} of {pool} is bound, and it was never tested")
        require(not state.failed, "test-failed", f"slot {slot} of {pool} is bound, and it failed its test")

    def digest(self) -> None:
        """Check that no failed pool is left behind at a digest; raises ``test-unquarantined``."""
        for pool in self._loose:
            raise VerificationError("test-unquarantined", f"{pool} failed its test, and a digest follows no quarantine")

    def opened(self, pool: str, state: TestState, program: Program, deriver: Deriver, secrets: bytes) -> None:
        """Run the plan again on an activated pool that is opened in full, and was never drawn from.

        Raises ``test-unquarantined`` for one that failed and was not quarantined, and what `Verdicts.check` raises.
        """
        require(pool not in self._loose, "test-unquarantined", f"{pool} failed its test, and ends without quarantine")
        self._verdicts.check(pool, state, program, deriver, secrets)

    def finish(self) -> None:
        """Check the signatures that had to wait for the end of the log."""
        for word in self._unsigned:
            with located(entry=word.entry):
                require(
                    word.key_id in self._registry.receipt_keys,
                    "receipt-key-unknown",
                    f"no key.receipt announces {word.key_id.hex()}",
                )
                self._check_signature(word)

    def counts(self) -> dict[str, int]:
        """Return what came of all pools, for programs."""
        found = self._plans.values()
        return {
            "fail": sum(counts.failed for counts in found),
            "named": sum(counts.pools for counts in found),
            "pass": sum(counts.passed for counts in found),
            "recomputed": self._verdicts.computed,
            "unlogged_failures": self._verdicts.unlogged_failures,
            "without_plan": self.without_plan,
        }

    def lines(self) -> list[str]:
        """Return the same for people, and how often each plan failed beside how often it may."""
        lines = [line for digest, counts in sorted(self._plans.items()) for line in counts.lines(digest)]
        if self.without_plan:
            lines.append(f"independent pools that name no plan, and were not tested: {self.without_plan}")
        if self._verdicts.computed:
            lines.append(
                f"pools that were opened in full, and whose verdict was computed again: {self._verdicts.computed}"
            )
        if self._verdicts.unlogged_failures:
            lines.append(f"pools thrown away untested that fail their plan: {self._verdicts.unlogged_failures}")
        return lines

    def _check_signature(self, word: _Word) -> None:
        key = Ed25519PublicKey.from_public_bytes(self._registry.receipt_keys[word.key_id])
        try:
            key.verify(word.signature, word.message)
        except InvalidSignature:
            raise VerificationError("test-signature", f"{word.pool}: the verdict is not signed by its key") from None
