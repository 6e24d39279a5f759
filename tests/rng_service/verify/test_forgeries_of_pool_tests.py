"""The third part of the catalogue: cheats with the test of a pool before its first draw, each caught by the log's audit."""

from dataclasses import replace
from hashlib import sha256
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from operator_simulator import Operator
from simulated_statistics import PLAN as STATISTICS_PLAN

from rng_service.log_entries import PoolCommit, PoolQuarantine, PoolTest
from rng_service.pools.plans import BUILT_IN_PLAN, TestPlan
from rng_service.public_files import plan_path
from rng_service.verify import Fault, verdicts, verify_export, verify_log, verify_pool

CATALOGUE = []
DICE = "dice-99/1/base/real"
ROGUE = Ed25519PrivateKey.from_private_bytes(b"a receipt key that no vault made")


def forgery(reason):
    """Enter an operator, whom the audit of its log catches with ``reason``."""

    def enter(kind):
        CATALOGUE.append(pytest.param(kind, reason, id=f"{kind.__name__}-{reason}"))
        return kind

    return enter


class Examiner(Operator):
    """An operator with two activated pools, that of ``broken`` numbers with secrets that stand still."""

    size = 64
    broken: ClassVar[set[int]] = set()

    def __init__(self, directory, **shape):
        super().__init__(directory, **{"plan": BUILT_IN_PLAN} | shape)

    def on_sealed(self, pool_id, secrets):
        return bytes(len(secrets)) if int(pool_id.rpartition("/")[2]) in self.broken else secrets

    def boot(self):
        """Activate two pools; whoever wants them tested does that."""
        self.start()
        self.register("dice-99")
        found = [self.commit(DICE, self.size) for _ in range(2)]
        self.publish()
        self.tick(20)
        self.before_activation(found)
        for pool in found:
            self.activate(pool)
        return found

    def before_activation(self, pools):
        """Come in between the commitments and the activations."""

    def bury(self, pool):
        """Throw the rest of a stopped pool away, and close it."""
        self.throw_away(pool)
        self.digest()
        self.close(pool)
        self.erase(pool)


# A pool is drawn from before its test, or in spite of it.


@forgery("test-missing")
class DrawsFromAPoolThatWasNotTested(Examiner):
    def live(self):
        first, _ = self.boot()
        self.draw(first)
        self.digest()
        self.test(first)


@forgery("test-missing")
class PromisesASlotOfAPoolThatWasNotTested(Examiner):
    def live(self):
        first, _ = self.boot()
        self.reserve(first, b"a seed of the caller's")
        self.digest()


@forgery("test-failed")
class DrawsFromAPoolThatFailed(Examiner):
    broken: ClassVar = {1}

    def stop(self, pool, reason="operator"):
        pass

    def live(self):
        first, _ = self.boot()
        self.test(first)
        self.draw(first)
        self.digest()


@forgery("pool-quarantined")
class DrawsFromAFailedPoolBehindItsQuarantine(Examiner):
    broken: ClassVar = {1}

    def live(self):
        first, _ = self.boot()
        self.test(first)
        self.draw(first)
        self.digest()


# A pool failed, and nobody is to see what it was.


@forgery("test-unquarantined")
class LeavesAFailedPoolAlone(Examiner):
    broken: ClassVar = {1}

    def stop(self, pool, reason="operator"):
        pass

    def live(self):
        first, _ = self.boot()
        self.test(first)
        self.digest()


@forgery("test-unquarantined")
class ThrowsAFailedPoolAwayLikeAnyOther(LeavesAFailedPoolAlone):
    def live(self):
        first, _ = self.boot()
        self.test(first)
        self.void_pool(first)

    def verdict(self, pool):
        return {"verdict": "fail", "test": "cells"}

    broken: ClassVar = set()


@forgery("quarantine-unopened")
class NeverOpensAFailedPool(Examiner):
    broken: ClassVar = {1}

    def live(self):
        first, second = self.boot()
        self.test(first)
        self.test(second)
        for _ in range(3):
            self.digest()
            self.tick(50)
        self.draw(second)
        self.digest()


@forgery("test-quarantine")
class KeepsTheFirstSlotsOfAFailedPool(Examiner):
    broken: ClassVar = {1}

    def on_entry(self, entry):
        return replace(entry, from_slot=8) if isinstance(entry, PoolQuarantine) else entry

    def live(self):
        first, _ = self.boot()
        self.test(first)


@forgery("test-quarantine")
class KeepsTheFirstSlotsOfAPoolThatIsAboutToFail(KeepsTheFirstSlotsOfAFailedPool):
    def live(self):
        first, _ = self.boot()
        self.stop(first)
        self.test(first)


# The verdict is another one.


@forgery("test-twice")
class AsksUntilThePoolPasses(Examiner):
    broken: ClassVar = {1}

    def on_verdict(self, word):
        self.asked = getattr(self, "asked", 0) + 1
        return word if self.asked == 1 else word | {"verdict": "pass", "test": None}

    def live(self):
        first, _ = self.boot()
        self.test(first)
        self.test(first)


@forgery("test-signature")
class TurnsAFailureIntoAPass(Examiner):
    broken: ClassVar = {1}

    def on_entry(self, entry):
        return replace(entry, verdict="pass", test=None) if isinstance(entry, PoolTest) else entry

    def live(self):
        first, _ = self.boot()
        self.test(first)


@forgery("test-signature")
class TurnsAPassIntoAFailure(Examiner):
    def on_entry(self, entry):
        return replace(entry, verdict="fail", test="cells") if isinstance(entry, PoolTest) else entry

    def live(self):
        first, _ = self.boot()
        self.test(first)


@forgery("test-signature")
class ShowsThePassOfAnotherPool(Examiner):
    broken: ClassVar = {2}

    def on_entry(self, entry):
        if not isinstance(entry, PoolTest):
            return entry
        if entry.verdict == "pass":
            self.kept = entry
        return replace(self.kept, pool=entry.pool)

    def live(self):
        for pool in self.boot():
            self.test(pool)


@forgery("test-signature")
class SignsTheVerdictWithoutTheVault(Examiner):
    def live(self):
        first, _ = self.boot()
        vault, self.receipt_key = self.receipt_key, ROGUE
        self.claimed = sha256(vault.public_key().public_bytes_raw()).digest()[:8]
        self.test(first)

    def on_entry(self, entry):
        return replace(entry, key_id=self.claimed) if isinstance(entry, PoolTest) else entry


@forgery("receipt-key-unknown")
class SignsTheVerdictWithAKeyThatNobodyKnows(Examiner):
    def live(self):
        first, _ = self.boot()
        self.receipt_key = ROGUE
        self.test(first)


@forgery("test-verdict")
class VaultThrowsAGoodPoolAwayAsAFailure(Examiner):
    def verdict(self, pool):
        return {"verdict": "fail", "test": "cells"}

    def live(self):
        first, _ = self.boot()
        self.test(first)
        self.bury(first)


@forgery("test-verdict")
class VaultOpensAGoodPoolThatItCalledAFailureByItsKey(VaultThrowsAGoodPoolAwayAsAFailure):
    def bury(self, pool):
        self.void_pool(pool)


@forgery("test-verdict")
class VaultLetsABrokenPoolPass(Examiner):
    broken: ClassVar = {1}

    def verdict(self, pool):
        return {"verdict": "pass", "test": None}

    def live(self):
        first, _ = self.boot()
        self.test(first)
        self.stop(first)
        self.bury(first)


@forgery("test-verdict")
class VaultNamesAnotherTestThanTheOneThatFailed(Examiner):
    broken: ClassVar = {1}

    def on_verdict(self, word):
        return word | {"test": "pairs"}

    def live(self):
        first, _ = self.boot()
        self.test(first)
        self.bury(first)


@forgery("test-name")
class FailsATestThatThePlanDoesNotHave(VaultNamesAnotherTestThanTheOneThatFailed):
    def on_verdict(self, word):
        return word | {"test": "full-moon"}


# The test comes at another time.


@forgery("pool-inactive")
class ExaminesBeforeTheBeaconDecidedTheOutcomes(Examiner):
    def before_activation(self, pools):
        self.test(pools[0])

    def live(self):
        self.boot()


@forgery("test-late")
class ExaminesWhatIsOpenAlready(Examiner):
    def live(self):
        first, _ = self.boot()
        self.quarantine(first)
        self.digest()
        self.test(first)


# The plan is another one.


class Replanned(Examiner):
    """Tests by another plan than its commitments name."""

    def on_entry(self, entry):
        return replace(entry, plan=TestPlan(error_bits=200).digest) if isinstance(entry, PoolTest) else entry

    def live(self):
        first, _ = self.boot()
        self.test(first)


forgery("test-plan")(Replanned)


@forgery("test-unplanned")
class ExaminesWhatNamedNoPlan(Replanned):
    def on_entry(self, entry):
        return replace(entry, test_plan=None) if isinstance(entry, PoolCommit) else entry


@forgery("plan-file")
class ChangesThePlanAfterwards(Examiner):
    def on_file(self, path, data):
        return TestPlan(error_bits=200).to_bytes() if path == plan_path(BUILT_IN_PLAN.digest) else data

    def live(self):
        self.boot()


@forgery("file-missing")
class KeepsThePlanToItself(ChangesThePlanAfterwards):
    def on_entry(self, entry):
        return replace(entry, test_plan=bytes(32)) if isinstance(entry, PoolCommit) else entry


class NamesSomethingElse(Examiner):
    """Names a document that is no plan of pools' tests."""

    document = STATISTICS_PLAN.to_bytes()

    def on_entry(self, entry):
        if not isinstance(entry, PoolCommit):
            return entry
        digest = sha256(self.document).digest()
        self.put(plan_path(digest), self.document)
        return replace(entry, test_plan=digest)

    def live(self):
        self.boot()


forgery("malformed")(NamesSomethingElse)


@forgery("malformed")
class NamesAPlanThatTestsNothing(NamesSomethingElse):
    document = BUILT_IN_PLAN.to_bytes().replace(b'["repeats","bits","neighbours","cells","pairs"]', b"[]")


@forgery("malformed")
class NamesAPlanThatNothingFails(NamesSomethingElse):
    document = BUILT_IN_PLAN.to_bytes().replace(b'"error_bits":40', b'"error_bits":4000')


@forgery("test-deal")
class ExaminesADealThatItOnlyWantsToSee(Operator):
    def on_entry(self, entry):
        if isinstance(entry, PoolCommit):
            self.put(plan_path(BUILT_IN_PLAN.digest), BUILT_IN_PLAN.to_bytes())
            return replace(entry, test_plan=BUILT_IN_PLAN.digest)
        return entry

    def live(self):
        self.start()
        self.register("pull-tab")
        self.commit("pull-tab/1/base/real", self.games["pull-tab", 1].program("base").deal_size)


@pytest.mark.parametrize(("kind", "reason"), CATALOGUE)
def test_the_cheat_with_a_test_is_caught_with_its_reason(kind, reason, tmp_path):
    operator = kind(tmp_path / "public")
    operator.live()
    operator.publish()
    with pytest.raises(Fault) as caught:
        verify_log(operator.source, operator.vkey)
    assert caught.value.reason == reason, caught.value


# What is no cheat.


class HonestExaminer(Examiner):
    """Has one pool that fails in the open, and one that is drawn from."""

    broken: ClassVar = {1}

    def live(self):
        first, second = self.boot()
        for pool in (first, second):
            self.test(pool)
        self.digest()
        self.bury(first)
        self.draw(second)
        self.digest()
        self.publish()


@pytest.mark.parametrize("shape", [{}, {"beacon": False}], ids=str)
def test_a_pool_that_fails_is_opened_and_its_verdict_computed_again(shape, tmp_path):
    operator = HonestExaminer(tmp_path / "public", **shape)
    operator.live()
    report = verify_log(operator.source, operator.vkey)
    assert report.pool_tests == {
        "fail": 1,
        "named": 2,
        "pass": 1,
        "recomputed": 1,
        "unlogged_failures": 0,
        "without_plan": 0,
    }
    text = "\n".join(report.lines())
    assert "at most one pool in 2^40" in text
    assert "1 of 2 failed" in text
    assert "2^-39" in text
    tests = [verify_pool(pool.pool_id, operator.source, operator.vkey).test for pool in operator.pools]
    assert tests == ["fail: repeats", "pass"]


def test_a_failure_that_nobody_logged_is_counted(tmp_path):
    class Silent(Examiner):
        broken: ClassVar = {1, 2}

        def live(self):
            for pool in self.boot():
                self.stop(pool)
                self.bury(pool)
            self.publish()

    operator = Silent(tmp_path / "public")
    operator.live()
    report = verify_log(operator.source, operator.vkey)
    assert (report.pool_tests["unlogged_failures"], report.pool_tests["recomputed"]) == (2, 2)
    assert any(line.endswith("thrown away untested that fail their plan: 2") for line in report.lines())


def test_an_activated_pool_whose_verdict_is_held_back_is_told(tmp_path):
    operator = Examiner(tmp_path / "public")
    first, second = operator.boot()
    operator.test(first)
    operator.digest()
    operator.publish()
    notes = verify_log(operator.source, operator.vkey).unopened
    assert [note.endswith("hours before, and not tested") for note in notes] == [False, True]
    assert second.pool_id in notes[1]


def test_pools_without_a_plan_are_counted_and_need_no_test(tmp_path):
    operator = Examiner(tmp_path / "public", plan=None)
    first, _ = operator.boot()
    operator.draw(first)
    operator.digest()
    operator.publish()
    report = verify_log(operator.source, operator.vkey)
    assert (report.pool_tests["without_plan"], report.pool_tests["named"]) == (2, 0)
    assert any("name no plan, and were not tested: 2" in line for line in report.lines())
    assert verify_pool(first.pool_id, operator.source, operator.vkey).test == "none named"


@pytest.mark.parametrize("announced", [True, False])
def test_a_receipt_key_may_be_announced_behind_the_verdict_that_it_signed(announced, tmp_path):
    operator = Examiner(tmp_path / "public")
    first, _ = operator.boot()
    operator.receipt_key = ROGUE
    operator.test(first)
    operator.digest()
    if announced:
        operator.announce_key(ROGUE)
    operator.publish()
    if announced:
        assert verify_log(operator.source, operator.vkey).pool_tests["pass"] == 1
    else:
        with pytest.raises(Fault) as caught:
            verify_log(operator.source, operator.vkey)
        assert (caught.value.reason, caught.value.entry) == ("receipt-key-unknown", len(operator.entries) - 2)


def test_verdicts_that_would_take_too_long_are_named_as_not_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(verdicts, "VERDICTS_S", 0.0)
    operator = HonestExaminer(tmp_path / "public")
    operator.live()
    report = verify_log(operator.source, operator.vkey)
    assert report.pool_tests["recomputed"] == 0
    line = next(line for line in report.skipped if line.startswith("verdicts on"))
    assert "(fail: " in line
    assert "only the vault's word" in line


def test_a_plan_that_is_not_built_in_is_told(tmp_path):
    plan = TestPlan(error_bits=40, tests=("cells",), values=1)
    operator = Examiner(tmp_path / "public", plan=plan)
    for pool in operator.boot():
        operator.test(pool)
    operator.publish()
    report = verify_log(operator.source, operator.vkey)
    line = next(line for line in report.pool_test_notes if plan.digest.hex()[:16] in line)
    assert "not built into this version (cells over at most 1 values): 2 pools, 2 pass, 0 fail" in line


class Seller(Examiner):
    """Draws a whole pool, throws the end of it away, and closes it; its vault lets everything pass."""

    def live(self):
        first, _ = self.boot()
        self.test(first)
        self.draw(first, count=40)
        self.digest()
        self.draw(first, count=20)
        self.quarantine(first)
        self.digest()
        self.close(first)
        self.erase(first)
        self.digest()
        self.publish()

    def verdict(self, pool):
        return {"verdict": "pass", "test": None}


def test_an_export_of_a_whole_pool_shows_whether_it_passed_its_test(tmp_path):
    operator = Seller(tmp_path / "public")
    operator.live()
    report = verify_export(operator.export(tmp_path / "export"), operator.source, operator.vkey)
    assert report.verdicts == 1
    part = verify_export(operator.export(tmp_path / "part", first=1), operator.source, operator.vkey)
    assert part.verdicts == 0


def test_a_broken_pool_that_was_let_pass_and_sold_is_found_in_the_export(tmp_path):
    class Selling(Seller):
        broken: ClassVar = {1}

    operator = Selling(tmp_path / "public")
    operator.live()
    verify_log(operator.source, operator.vkey)
    with pytest.raises(Fault) as caught:
        verify_export(operator.export(tmp_path / "export"), operator.source, operator.vkey)
    assert caught.value.reason == "test-verdict"


def test_an_export_names_verdicts_that_would_take_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(verdicts, "VERDICTS_S", 0.0)
    operator = Seller(tmp_path / "public")
    operator.live()
    report = verify_export(operator.export(tmp_path / "export"), operator.source, operator.vkey)
    assert report.verdicts == 0
    line = next(line for line in report.skipped if line.startswith("verdicts on"))
    assert "0/1 (pass)" in line
    assert "only the vault's word" in line
