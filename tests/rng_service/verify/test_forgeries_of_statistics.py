"""The fourth part of the catalogue: cheats with scheduled statistics, each caught by the audit of the log."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest
from operator_simulator import Operator
from simulated_statistics import FAILS, OUTCOME_PLAN, PASSES_LATER, PLAN, STAYS_SUSPICIOUS, Statistics

from rng_service.log_entries import Digest, StatsBegin, StatsReport
from rng_service.pools.plans import BUILT_IN_PLAN
from rng_service.public_files import plan_path
from rng_service.statistics.plans import StatisticsPlan
from rng_service.verify import Fault, verify_log

CATALOGUE = []
DICE = "dice-99/1/base/real"


def forgery(reason):
    """Enter an operator, whom the audit of its log catches with ``reason``."""

    def enter(kind):
        CATALOGUE.append(pytest.param(kind, reason, id=f"{kind.__name__}-{reason}"))
        return kind

    return enter


class Laboratory(Operator):
    """An operator with two digests, and statistics; by itself it runs one test, that passes."""

    statistics_of = Statistics

    def live(self):
        self.statistics = self.statistics_of(self)
        self.start()
        self.register("dice-99")
        self.register("pull-tab")
        pool = self.commit(DICE, 8)
        self.publish()
        self.tick(20)
        self.activate(pool)
        for _ in range(2):
            self.draw(pool)
            self.digest()
        self.run()
        self.digest()

    def run(self):
        self.statistics.report(self.statistics.begin())

    def begun(self, entry):
        """See the announcement of a test before it is logged."""
        return entry

    def reported(self, entry):
        """See what came of a test before it is logged."""
        return entry

    def on_entry(self, entry):
        if isinstance(entry, StatsBegin):
            return self.begun(entry)
        return self.reported(entry) if isinstance(entry, StatsReport) else entry


def says(**changed):
    """Return statistics whose reports have other members than they should."""

    class Changed(Statistics):
        def on_document(self, document):
            return document | changed

    return Changed


# A run is not told, or told differently.


@forgery("stats-run")
class LeavesARunOut(Laboratory):
    def run(self):
        self.statistics.report(self.statistics.begin())
        self.statistics.run += 1
        self.statistics.report(self.statistics.begin())


@forgery("stats-run")
class CountsARunTwice(Laboratory):
    def run(self):
        for _ in range(2):
            self.statistics.report(self.statistics.begin(), FAILS)
            self.statistics.run = 0


@forgery("stats-run")
class CountsDumpsApart(Laboratory):
    def run(self):
        self.statistics.dump()
        self.statistics.run = 0
        super().run()


@forgery("stats-unreported")
class RunsAgainUntilItPasses(Laboratory):
    def run(self):
        self.statistics.begin()
        self.statistics.report(self.statistics.begin())


@forgery("stats-unannounced")
class ReportsWhatItNeverAnnounced(Laboratory):
    def on_bytes(self, entry, data):
        if isinstance(entry, StatsReport):
            del self.entries[-1]
        return data


@forgery("stats-unannounced")
class ReportsTwice(Laboratory):
    def run(self):
        begun = self.statistics.begin()
        for _ in range(2):
            self.statistics.report(begun)


@forgery("stats-unannounced")
class ReportsADump(Laboratory):
    def run(self):
        self.statistics.dump()
        self.statistics.interrupt(1)


@forgery("stats-unannounced")
class ReportsAnEarlierRun(Laboratory):
    def run(self):
        first = self.statistics.begin()
        self.statistics.report(first)
        self.statistics.begin()
        self.statistics.report(first)


# Another plan than the one that was fixed.


@forgery("plan-file")
class ChangesThePlanAfterTheRun(Laboratory):
    def on_file(self, path, data):
        return replace(PLAN, bits=100).to_bytes() if path == plan_path(PLAN.digest) else data


@forgery("file-missing")
class NamesAPlanThatNobodyHas(Laboratory):
    def begun(self, entry):
        return replace(entry, plan=bytes(32))


@forgery("malformed")
class NamesThePlanOfPoolTests(Laboratory):
    def begun(self, entry):
        self.put(plan_path(BUILT_IN_PLAN.digest), BUILT_IN_PLAN.to_bytes())
        return replace(entry, plan=BUILT_IN_PLAN.digest)


@forgery("stats-document")
class ReportsByAnotherPlan(Laboratory):
    statistics_of = says(plan=StatisticsPlan("weakness", bits=100).digest.hex())


@forgery("stats-looks")
class LooksAtMoreThanThePlanSays(Laboratory):
    class Eager(Statistics):
        def on_document(self, document):
            document["looks"][0]["sequences"] = 150
            return document

    statistics_of = Eager


@forgery("stats-looks")
class SpendsLessThanThePlanSays(Laboratory):
    class Mild(Statistics):
        def on_document(self, document):
            document["looks"][0] |= {"fail_below": 1e-12, "verdict": "suspicious"}
            return document | {"verdict": "suspicious"}

    statistics_of = Mild

    def run(self):
        self.statistics.report(self.statistics.begin(), FAILS)


@forgery("stats-looks")
class LooksOnAfterAFailure(Laboratory):
    class Again(Statistics):
        def on_document(self, document):
            look = document["looks"][0]
            later = look | {"sequences": 200, "fail_below": 2.5e-5, "smallest_adjusted_p": 0.5, "verdict": "pass"}
            return document | {"looks": [look, later], "verdict": "pass"}

    statistics_of = Again

    def run(self):
        self.statistics.report(self.statistics.begin(), FAILS)


@forgery("stats-looks")
class LooksMoreOftenThanThePlanSays(Laboratory):
    class Endless(Statistics):
        def on_document(self, document):
            last = document["looks"][-1]
            return document | {"looks": [*document["looks"], last | {"sequences": 1600, "verdict": "suspicious"}]}

    statistics_of = Endless

    def run(self):
        self.statistics.report(self.statistics.begin(), STAYS_SUSPICIOUS)


# The verdict is another one.


@forgery("stats-verdict")
class LogsAPassForAFailure(Laboratory):
    def run(self):
        self.statistics.report(self.statistics.begin(), FAILS)

    def reported(self, entry):
        return replace(entry, verdict="pass")


@forgery("stats-verdict")
class CallsAFailureAPass(LogsAPassForAFailure):
    statistics_of = says(verdict="pass")


@forgery("stats-verdict")
class CallsAFailedLookAPass(LogsAPassForAFailure):
    class Kind(Statistics):
        def on_document(self, document):
            document["looks"][0]["verdict"] = "pass"
            return document | {"verdict": "pass"}

    statistics_of = Kind


@forgery("stats-verdict")
class HidesTheSmallestPValue(LogsAPassForAFailure):
    class Hiding(Statistics):
        def on_document(self, document):
            document["looks"][0] |= {"verdict": "pass", "smallest_adjusted_p": 0.5}
            return document | {"verdict": "pass"}

    statistics_of = Hiding


@forgery("stats-verdict")
class DecidesOnOtherPValuesThanTheLast(LogsAPassForAFailure):
    class Other(Statistics):
        def on_document(self, document):
            document["looks"][0] |= {"verdict": "pass", "smallest_adjusted_p": 0.5}
            document["decision"]["smallest_adjusted_p"] = 1.0
            return document | {"verdict": "pass", "hypotheses": [{"p_value": 0.5}, {"p_value": 0.75}]}

    statistics_of = Other


@forgery("stats-looks")
class PassesWithoutALook(Laboratory):
    statistics_of = says(looks=[], decision=None, hypotheses=[])


# The report is another one.


@forgery("stats-file")
class ChangesTheReportAfterwards(Laboratory):
    changed = "statistics/1.json"

    def on_file(self, path, data):
        return data + b" " if path == self.changed else data


@forgery("stats-file")
class ChangesThePageAfterwards(ChangesTheReportAfterwards):
    changed = "statistics/1.html"


@forgery("file-missing")
class KeepsThePageToItself(ChangesTheReportAfterwards):
    def on_file(self, path, data):
        return super().on_file("", data)

    def after_publication(self):
        (self.directory / "statistics/1.html").unlink()


@forgery("stats-document")
class ShowsTheReportOfAnotherRun(Laboratory):
    statistics_of = says(run=2)


@forgery("stats-document")
class ShowsARunThatIsNoNumber(Laboratory):
    statistics_of = says(run=True)


@forgery("stats-document")
class ShowsTheReportOfSomethingElse(Laboratory):
    statistics_of = says(subject="input")


@forgery("stats-document")
class ShowsAReportOfAnotherForm(Laboratory):
    statistics_of = says(format="sealdraw/statistics@v2")


@forgery("malformed")
class ShowsPValuesThatAreNone(Laboratory):
    statistics_of = says(hypotheses=[{"p_value": float("nan")}, {"p_value": 0.75}])


@forgery("malformed")
class ShowsPValuesOutOfRange(Laboratory):
    statistics_of = says(hypotheses=[{"p_value": 2}, {"p_value": 0.75}])


@forgery("malformed")
class ShowsNoHypotheses(Laboratory):
    statistics_of = says(hypotheses="none")


@forgery("malformed")
class ShowsNoDecision(Laboratory):
    statistics_of = says(decision=None)


# What was tested is something else.


@forgery("stats-stream")
class TestsOneStreamTwice(Laboratory):
    __test__ = False

    def run(self):
        for _ in range(2):
            self.statistics.report(self.statistics.begin())
            self.statistics.streams = 0


@forgery("stats-stream")
class DoesNotSayWhichStreamItWas(Laboratory):
    def reported(self, entry):
        return replace(entry, drbg_instance=None, drbg_epoch=None, stream=None)


@forgery("stats-stream")
class NamesAStreamForOpenedOutcomes(Laboratory):
    def run(self):
        self.statistics.report(self.statistics.begin_opened("dice-99", "base", 0, 1))

    def reported(self, entry):
        return replace(entry, drbg_instance="vault-1", drbg_epoch=1, stream=1)


@forgery("stats-battery")
class AsksOutcomesWhatOnlyBitsAnswer(Laboratory):
    def run(self):
        game = next(found.digest for (name, _), found in self.games.items() if name == "dice-99")
        self.statistics.begin(PLAN, game_digest=game, program="base", from_digest=0, to_digest=1)


@forgery("stats-battery")
class AsksBitsWhatOnlyOutcomesAnswer(Laboratory):
    def run(self):
        self.statistics.begin(OUTCOME_PLAN)


@forgery("stats-looks")
class PassesBecauseNothingWasAsked(Laboratory):
    statistics_of = says(
        looks=[
            {
                "fail_below": float(PLAN.looks[0].spend),
                "hypotheses": 0,
                "sequences": PLAN.looks[0].sequences,
                "smallest_adjusted_p": 1.0,
                "suspicious_below": float(PLAN.suspicious),
                "verdict": "pass",
            }
        ],
        decision={"hypotheses": 0, "smallest_adjusted_p": 1.0},
        hypotheses=[],
    )


class Opened(Laboratory):
    """Tests opened outcomes; ``what`` is said of them."""

    what = ("dice-99", "base", 0, 1)

    def run(self):
        self.statistics.report(self.statistics.begin_opened(*self.what))


@forgery("stats-digests")
class TestsDigestsThatDoNotExist(Opened):
    __test__ = False
    what = ("dice-99", "base", 0, 2)


@forgery("stats-digests")
class TestsDigestsBackwards(Opened):
    __test__ = False
    what = ("dice-99", "base", 1, 0)


@forgery("stats-game")
class TestsAProgramThatIsNone(Opened):
    __test__ = False
    what = ("dice-99", "bonus", 0, 1)


@forgery("stats-game")
class TestsADeal(Opened):
    __test__ = False
    what = ("pull-tab", "base", 0, 1)


@forgery("stats-game")
class TestsAGameThatIsNotRegistered(Opened):
    __test__ = False

    def begun(self, entry):
        return replace(entry, game_digest=bytes(32))


@pytest.mark.parametrize(("kind", "reason"), CATALOGUE)
def test_the_cheat_with_statistics_is_caught_with_its_reason(kind, reason, tmp_path):
    operator = kind(tmp_path / "public")
    operator.live()
    operator.publish()
    if hasattr(operator, "after_publication"):
        operator.after_publication()
    with pytest.raises(Fault) as caught:
        verify_log(operator.source, operator.vkey)
    assert caught.value.reason == reason, caught.value


def test_a_report_in_which_a_member_stands_twice_is_refused(tmp_path):
    class Twice(Laboratory):
        def on_file(self, path, data):
            return data.replace(b'"run"', b'"verdict": "pass", "run"') if path.endswith("/1.json") else data

        def reported(self, entry):
            files = ("statistics/1.json", "statistics/1.html")
            digests = [sha256((self.directory / path).read_bytes()).digest() for path in files]
            return replace(entry, report=digests[0], page=digests[1])

    operator = Twice(tmp_path / "public")
    operator.live()
    operator.publish()
    with pytest.raises(Fault) as caught:
        verify_log(operator.source, operator.vkey)
    assert (caught.value.reason, caught.value.path) == ("malformed", "statistics/1.json")


# What is no cheat.


def audited(operator):
    operator.live()
    operator.publish()
    return verify_log(operator.source, operator.vkey)


def test_runs_of_every_kind_are_counted_by_what_came_of_them(tmp_path):
    class All(Laboratory):
        def run(self):
            self.statistics.all_kinds()

    report = audited(All(tmp_path / "public"))
    assert report.statistics == {
        "dumped_bits": 16_000_000,
        "dumps": 2,
        "fail": 1,
        "interrupted": 1,
        "pass": 2,
        "runs": 7,
        "suspicious": 1,
        "unreported": 0,
    }
    text = "\n".join(report.lines())
    assert "statistics: dumped bits 16000000, dumps 2, fail 1, interrupted 1, pass 2, runs 7, suspicious 1" in text
    assert "2 pass, 1 suspicious, 0 fail, 1 interrupted; a perfect source fails at most one run in 10000" in text
    assert "dice-99 version 1, base: 1 runs over the digests 0 to 1; 0 of these were left out" in text
    assert "test streams that were read" not in text
    assert json.loads(json.dumps(report.as_json()))["statistics"]["runs"] == 7


def test_a_run_without_a_report_yet_is_told_with_its_age(tmp_path):
    class Waiting(Laboratory):
        def run(self):
            self.statistics.begin()
            for _ in range(72):
                self.tick(50)
                self.digest()

    report = audited(Waiting(tmp_path / "public"))
    assert report.statistics["unreported"] == 1
    assert "run 1 began 1.0 hours before the end of the log, and has no report yet" in report.statistics_notes


def test_streams_that_no_report_names_are_told(tmp_path):
    class Peeking(Laboratory):
        def run(self):
            self.statistics.dump()
            for _ in range(2):
                self.statistics.streams += 2
                self.statistics.report(self.statistics.begin())

    report = audited(Peeking(tmp_path / "public"))
    assert (
        "test streams that were read and stand in no report: 5, of them at most 1 by interrupted runs and dumps"
        in report.statistics_notes
    )


def test_digests_that_no_test_of_outcomes_covers_are_told(tmp_path):
    class Choosing(Laboratory):
        def run(self):
            for _ in range(4):
                self.digest()
            for first, last in ((0, 1), (4, 5), (5, 5)):
                self.statistics.report(self.statistics.begin_opened("dice-99", "base", first, last))

    report = audited(Choosing(tmp_path / "public"))
    assert any(
        line.endswith("3 runs over the digests 0 to 5; 2 of these were left out, 1 came up again")
        for line in report.statistics_notes
    )


def test_digests_that_are_tested_out_of_order_are_neither_left_out_nor_repeated(tmp_path):
    class Jumping(Laboratory):
        def run(self):
            for _ in range(8):
                self.digest()
            for first, last in ((0, 1), (6, 9), (2, 5)):
                self.statistics.report(self.statistics.begin_opened("dice-99", "base", first, last))

    report = audited(Jumping(tmp_path / "public"))
    assert any(
        line.endswith("3 runs over the digests 0 to 9; 0 of these were left out, 0 came up again")
        for line in report.statistics_notes
    )


def test_a_run_whose_data_ended_before_a_look_stays_suspicious(tmp_path):
    class Short(Statistics):
        def on_document(self, document):
            more = {"decision": {"hypotheses": 1, "smallest_adjusted_p": 0.5}, "hypotheses": [{"p_value": 0.5}]}
            return document | more

    class Ending(Laboratory):
        statistics_of = Short

        def run(self):
            self.statistics.report(self.statistics.begin(), PASSES_LATER[:1])

    assert audited(Ending(tmp_path / "public")).statistics["suspicious"] == 1


def test_a_log_without_statistics_says_nothing_of_them(tmp_path):
    class Quiet(Laboratory):
        def run(self):
            pass

    report = audited(Quiet(tmp_path / "public"))
    assert report.statistics["runs"] == 0
    assert not any(line.startswith("statistics") for line in report.lines())
    assert OUTCOME_PLAN.digest != PLAN.digest
    assert report.entries[Digest.TYPE] == 3
