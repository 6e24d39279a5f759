"""Tables of returns that lie, under open and under committed totals, and who finds out."""

import copy
from dataclasses import replace
from fractions import Fraction

import pytest
from operator_simulator import SECOND, START_S, Operator, tell

from rng_service.log_entries import RtpTable, Totals
from rng_service.names import Stream
from rng_service.rtp.rollup import SeriesKey, Sums
from rng_service.verify import Fault, verify_export, verify_log
from rng_service.verify.openings import Openings, open_openings
from tests.support.simulated_tables import write_all_openings

EUROS = SeriesKey("dice-99", 1, "base", "real", "EUR")
# So that midnight lies between the two totals entries of the story.
TO_MIDNIGHT_S = 86_400 - START_S % 86_400


class Publishes(Operator):
    """An honest operator with a table over everything."""

    def after(self):
        self.tick(1)
        self.table()
        self.publish()


def told(kind, directory, *, policy="open", midnight=False):
    operator = kind(directory / "public", policy=policy)
    if midnight:
        operator.now_us += (TO_MIDNIGHT_S - 27) * SECOND - SECOND // 2
    tell(operator)
    return operator


def audit_log(operator, directory):
    return verify_log(operator.source, operator.vkey)


def audit_export(operator, directory):
    return verify_export(operator.export(directory / "export.jsonl"), operator.source, operator.vkey)


def audit_log_with_openings(operator, directory):
    openings = open_openings(write_all_openings(operator, directory / "openings.jsonl"))
    return verify_log(operator.source, operator.vkey, openings=openings)


def audit_export_with_openings(operator, directory):
    openings = open_openings(write_all_openings(operator, directory / "openings.jsonl"))
    export = operator.export(directory / "export.jsonl")
    return verify_export(export, operator.source, operator.vkey, openings=openings)


ALL = [audit_log, audit_export, audit_log_with_openings, audit_export_with_openings]


@pytest.mark.parametrize("midnight", [False, True])
def test_an_honest_table_passes_both_audits(tmp_path, midnight):
    operator = told(Publishes, tmp_path, midnight=midnight)
    report = audit_log(operator, tmp_path)
    assert report.entries["rtp.table"] == 1
    assert report.skipped == ()
    assert report.table_gaps == ()
    assert audit_export(operator, tmp_path).tables == 1


@pytest.mark.parametrize("audit", ALL)
def test_an_honest_committed_table_passes_every_audit_and_says_what_was_not_opened(tmp_path, audit):
    operator = told(Publishes, tmp_path, policy="committed")
    found = audit(operator, tmp_path)
    opened = audit in {audit_log_with_openings, audit_export_with_openings}
    assert bool(found.skipped) is not opened
    if audit is audit_export:
        assert (found.tables, found.totals) == (1, 0)
    if audit is audit_export_with_openings:
        assert (found.tables, found.totals) == (1, 2)


def test_a_committed_log_states_no_money(tmp_path):
    operator = told(Publishes, tmp_path, policy="committed")
    stake = sum(row.stake_minor for row in _open_rows(operator))
    assert stake > 0
    for path in [*operator.directory.glob("rtp/*")]:
        assert f"{stake}".encode() not in path.read_bytes()
    assert not any(b"stake_minor" in data for data in operator.entries)
    assert not any(b"stake_minor" in path.read_bytes() for path in operator.directory.glob("rtp/*.json"))


def _open_rows(operator):
    from rng_service.records.openings import read_totals_row

    return [read_totals_row(item) for item in operator.tables.openings if item.kind == "totals"]


# What follows is of open totals.


class BetterReturn(Publishes):
    """States a better return than its own sums give."""

    def on_table(self, document):
        found = copy.deepcopy(document)
        found["rows"][0]["rtp_percent"] = "99.9999"
        return found


class MorePaid(Publishes):
    """Adds to what was paid, everything else made to fit."""

    def on_table_rows(self, rows):
        first(rows).payout_minor += 100
        return rows


class HitsInvented(Publishes):
    def on_table_rows(self, rows):
        sums = first(rows)
        sums.hits += 1 if sums.hits < sums.plays else -1
        return rows


class ExpectedInvented(Publishes):
    def on_table_rows(self, rows):
        first(rows).expected_payout += 1
        return rows


class BandWidened(Publishes):
    def on_table_rows(self, rows):
        first(rows).expected_variance *= 4
        return rows


class PlaysUnpriced(Publishes):
    """Says that no theory is known of some plays, which makes the band go away."""

    def on_table_rows(self, rows):
        first(rows).unpriced += 1
        return rows


class PercentWithoutFraction(Publishes):
    def on_table(self, document):
        found = copy.deepcopy(document)
        next(row for row in found["rows"] if "bands" in row)["bands"][0]["high_percent"] += "0"
        return found


class OtherTheory(Publishes):
    def on_table(self, document):
        found = copy.deepcopy(document)
        found["rows"][0]["theoretical"]["highest_percent"] = "99.5000"
        return found


class DayLeftOut(Publishes):
    """Leaves the second day out of a table that says that it covers it."""

    def on_table_rows(self, rows):
        row = rows[EUROS]
        del row.days[max(row.days)]
        return rows


class ExpectationMoved(Publishes):
    """Moves expected money from one day to the other: the sums of the row stay."""

    def on_table_rows(self, rows):
        one, other = (sums for _, sums in sorted(rows[EUROS].days.items()))
        one.expected_payout, other.expected_payout = one.expected_payout - 1, other.expected_payout + 1
        return rows


class MidDay(Publishes):
    """Begins after the first totals of the day."""

    def after(self):
        self.tick(1)
        self.table(from_totals=1)
        self.publish()


class OtherDigests(Publishes):
    def on_table_header(self, header):
        return replace(header, from_digest=header.from_digest + 1)


class TotalsThatAreNot(Publishes):
    def on_table_header(self, header):
        return replace(header, to_totals=header.to_totals + 1)


class OtherTimes(Publishes):
    def on_table_header(self, header):
        return replace(header, from_us=header.from_us - 1)


class OtherCsv(Publishes):
    def on_table_files(self, contents):
        return [contents[0], contents[1].replace(b",99.0000,", b",99.9000,", 1), contents[2]]


class SwappedLater(Publishes):
    def after(self):
        super().after()
        path = self.directory / "rtp/000.json"
        path.write_bytes(path.read_bytes().replace(b'"level":99', b'"level":98', 1))


class FileLost(Publishes):
    def put(self, path, data):
        if not path.endswith(".csv"):
            super().put(path, data)


class PoolsReturnedMore(Publishes):
    def on_table_pools(self, pools):
        return {key: replace(item, returned=item.returned + Fraction(1, 2)) for key, item in pools.items()}


class PoolLeftOut(Publishes):
    def on_table_pools(self, pools):
        return {key: replace(item, pools=item.pools - 1) for key, item in pools.items()}


class NoPools(Publishes):
    def on_table_pools(self, pools):
        return {}


class NumberSkipped(Publishes):
    def on_entry(self, entry):
        return replace(entry, seq=1) if isinstance(entry, RtpTable) else entry


class RowLeftOut(Publishes):
    def on_table_rows(self, rows):
        return {key: row for key, row in rows.items() if key != EUROS}


class UnknownGame(Publishes):
    """Adds plays of a game that was never registered, to totals and table alike."""

    def on_totals(self, fold):
        ghost = Stream("ghost", 1, "base", "real")
        fold.settlement(ghost, "EUR", status="final", stake_minor=100, payout_minor=300, first=False)

    def on_table(self, document):
        found = copy.deepcopy(document)
        row = copy.deepcopy(found["rows"][0])
        row |= {"game": "ghost", "currency": "EUR", "class": "real"}
        money = {"outcomes": 0, "plays": 2, "hits": 2, "unsettled": 0, "stake_minor": "200", "payout_minor": "600"}
        row.update(money)
        row["days"] = [{**row["days"][0], **money, "expected_hits": "0"}]
        found["rows"].append(row)
        return found


class RowTwice(Publishes):
    def on_table(self, document):
        return {**document, "rows": [document["rows"][0], *document["rows"]]}


class EndlessNumber(Publishes):
    """Writes a number that would take all memory to read."""

    def on_table(self, document):
        found = copy.deepcopy(document)
        found["rows"][0]["days"][0]["expected_payout"] = "1e999999999"
        return found


class EmptyDay(Publishes):
    """Adds a day on which nothing happened, and a hit all the same."""

    def on_table_rows(self, rows):
        rows[EUROS].days[1] = Sums(expected_payout=Fraction(7))
        return rows

    def on_table(self, document):
        found = copy.deepcopy(document)
        row = next(row for row in found["rows"] if row["plays"])
        row["days"].insert(
            0, {**row["days"][0], "day": "1970-01-02", **dict.fromkeys(_ZERO, 0), **dict.fromkeys(_NONE, "0")}
        )
        return found


_ZERO = ("outcomes", "plays", "hits", "unsettled")
_NONE = ("stake_minor", "payout_minor", "expected_hits", "expected_variance")


class PolicyOfTheOther(Publishes):
    def on_table(self, document):
        return {**document, "policy": "committed"}


def first(rows):
    row = rows[EUROS]
    return row.days[min(row.days)]


@pytest.mark.parametrize(
    ("kind", "audit", "reason"),
    [
        (BetterReturn, audit_log, "rtp-table-figures"),
        (MorePaid, audit_log, "rtp-table-totals"),
        (HitsInvented, audit_export, "rtp-table-records"),
        (ExpectedInvented, audit_export, "rtp-table-records"),
        (BandWidened, audit_export, "rtp-table-records"),
        (PlaysUnpriced, audit_export, "rtp-table-records"),
        (PercentWithoutFraction, audit_log, "rtp-table-figures"),
        (OtherTheory, audit_log, "rtp-table-figures"),
        (MidDay, audit_log, "rtp-table-day"),
        (OtherDigests, audit_log, "rtp-table-range"),
        (TotalsThatAreNot, audit_log, "rtp-table-range"),
        (OtherTimes, audit_log, "rtp-table-figures"),
        (OtherCsv, audit_log, "rtp-table-csv"),
        (SwappedLater, audit_log, "rtp-table-file"),
        (FileLost, audit_log, "file-missing"),
        (PoolsReturnedMore, audit_export, "rtp-table-returns"),
        (PoolLeftOut, audit_log, "rtp-table-pools"),
        (NoPools, audit_log, "rtp-table-pools"),
        (NumberSkipped, audit_log, "rtp-table-seq"),
        (RowLeftOut, audit_log, "rtp-table-totals"),
        (UnknownGame, audit_log, "rtp-table-game"),
        (RowTwice, audit_log, "rtp-table-form"),
        (EndlessNumber, audit_log, "rtp-table-form"),
        (EmptyDay, audit_log, "rtp-table-figures"),
        (PolicyOfTheOther, audit_log, "rtp-table-policy"),
    ],
)
def test_a_table_that_lies_is_caught(tmp_path, kind, audit, reason):
    operator = told(kind, tmp_path)
    if audit is audit_export:
        # Nothing but the records can tell.
        audit_log(operator, tmp_path)
    with pytest.raises(Fault) as caught:
        audit(operator, tmp_path)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("kind", "audit", "reason"),
    [(DayLeftOut, audit_log, "rtp-table-totals"), (ExpectationMoved, audit_export, "rtp-table-records")],
)
def test_what_is_moved_between_days_is_caught(tmp_path, kind, audit, reason):
    operator = told(kind, tmp_path, midnight=True)
    with pytest.raises(Fault) as caught:
        audit(operator, tmp_path)
    assert caught.value.reason == reason


class OtherPage(Publishes):
    def on_table_files(self, contents):
        return [*contents[:2], contents[2].replace(b"99.0000", b"99.9000")]


def test_a_page_that_shows_something_else_is_named_as_not_compared(tmp_path):
    operator = told(OtherPage, tmp_path)
    assert any("pages of tables" in line for line in audit_log(operator, tmp_path).skipped)


class OneDayOnly(Publishes):
    """Publishes the day that went well, and nothing of the other."""

    def after(self):
        self.tick(1)
        self.table(to_totals=0)
        self.publish()


class Twice(Publishes):
    def after(self):
        self.tick(1)
        self.table()
        self.table(from_totals=1)
        self.publish()


def test_days_that_no_table_covers_are_named(tmp_path):
    operator = told(OneDayOnly, tmp_path, midnight=True)
    report = audit_log(operator, tmp_path)
    assert report.table_gaps == ("plays of 2023-11-15 are in no table",)
    assert "tables of returns: plays of 2023-11-15 are in no table" in report.lines()


def test_a_day_that_a_table_covers_in_part_is_named(tmp_path):
    operator = told(OneDayOnly, tmp_path)
    assert audit_log(operator, tmp_path).table_gaps == ("only a part of the plays of 2023-11-14 is in a table",)


def test_tables_that_overlap_are_named(tmp_path):
    operator = told(Twice, tmp_path, midnight=True)
    assert audit_log(operator, tmp_path).table_gaps == ("tables 0 and 1 both cover 2023-11-15",)


def test_a_log_without_tables_says_nothing_of_days(tmp_path):
    operator = told(Operator, tmp_path)
    assert audit_log(operator, tmp_path).table_gaps == ()


# What follows is of committed totals.


class OpensOtherNumbers(Publishes):
    """Gives auditors a row of totals with more paid."""

    def on_openings(self, openings):
        return [_changed(item, "payout_minor") if item.kind == "totals" else item for item in openings]


class OpensOtherRow(Publishes):
    def on_openings(self, openings):
        return [_changed(item, "payout_minor") if item.kind == "table" else item for item in openings]


class OpensWithOtherSalt(Publishes):
    def on_openings(self, openings):
        return [replace(openings[0], salt=bytes(32)), *openings[1:]]


class OpensOneRowLess(Publishes):
    def on_openings(self, openings):
        return openings[1:]


class OpensTooMuch(Publishes):
    def on_openings(self, openings):
        return [*openings, replace(openings[0], seq=9)]


class OpensTwice(Publishes):
    def on_openings(self, openings):
        return [openings[0], *openings]


class CommitsToAnotherKey(Publishes):
    """Commits to a row of another currency than the log says in clear."""

    def on_opened_total(self, row):
        return replace(row, currency="USD") if row.currency else row


class CommitsToMore(Publishes):
    """Commits to more paid than the records have, in totals and table alike."""

    def on_opened_total(self, row):
        return replace(row, payout_minor=row.payout_minor + 1) if row.payout_minor else row


class BetterPublicReturn(Publishes):
    def on_table(self, document):
        found = copy.deepcopy(document)
        next(row for row in found["rows"] if "rtp_percent" in row)["rtp_percent"] = "99.9999"
        return found


class MorePlaysShown(Publishes):
    def on_table(self, document):
        found = copy.deepcopy(document)
        next(row for row in found["rows"] if "plays_at_least" in row)["plays_at_least"] = 1_000_000
        return found


class NoBands(Publishes):
    def on_table(self, document):
        found = copy.deepcopy(document)
        for row in found["rows"]:
            row.pop("bands", None)
        return found


class RowNotShown(Publishes):
    def on_table(self, document):
        return {**document, "rows": document["rows"][1:]}


class OtherOutcomes(Publishes):
    def on_table(self, document):
        found = copy.deepcopy(document)
        found["rows"][0]["outcomes"] += 1
        return found


class OtherPublicTheory(Publishes):
    def on_table(self, document):
        found = copy.deepcopy(document)
        found["rows"][0]["theoretical"]["lowest"] = "1"
        return found


class FreeText(Publishes):
    def on_table(self, document):
        found = copy.deepcopy(document)
        next(row for row in found["rows"] if "rtp_percent" in row)["rtp_percent"] = "99.999900"
        return found


class MoreIsSaid(Publishes):
    def on_table(self, document):
        found = copy.deepcopy(document)
        found["rows"][0]["approved"] = True
        return found


class OpenRowsAfterAll(Publishes):
    """Declares committed totals and publishes open ones."""

    def on_entry(self, entry):
        if entry.TYPE == "totals":
            return Totals(
                origin=entry.origin,
                time_us=entry.time_us,
                seq=entry.seq,
                from_digest=entry.from_digest,
                to_digest=entry.to_digest,
                rows=(),
            )
        return entry


class NoPolicy(Publishes):
    def on_table(self, document):
        return {name: item for name, item in document.items() if name != "policy"}


def _changed(opening, name):
    from anchor import canonical

    row = canonical.decode_object(opening.row.encode(), what="row")
    row[name] = str(int(row[name]) + 5)
    return replace(opening, row=canonical.encode(row).decode())


@pytest.mark.parametrize(
    ("kind", "audit", "reason"),
    [
        (OpensOtherNumbers, audit_log_with_openings, "opening-commitment"),
        (OpensOtherRow, audit_log_with_openings, "opening-commitment"),
        (OpensWithOtherSalt, audit_log_with_openings, "opening-commitment"),
        (OpensOneRowLess, audit_log_with_openings, "opening-missing"),
        (OpensTooMuch, audit_log_with_openings, "opening-extra"),
        (OpensTwice, audit_log_with_openings, "opening-twice"),
        (CommitsToAnotherKey, audit_log_with_openings, "opening-row"),
        (CommitsToMore, audit_log_with_openings, "rtp-table-totals"),
        (CommitsToMore, audit_export_with_openings, "totals-mismatch"),
        (BetterPublicReturn, audit_log_with_openings, "rtp-table-figures"),
        (BetterPublicReturn, audit_export, "rtp-table-records"),
        (MorePlaysShown, audit_log_with_openings, "rtp-table-figures"),
        (MorePlaysShown, audit_export, "rtp-table-records"),
        (NoBands, audit_export, "rtp-table-records"),
        (HitsInvented, audit_export_with_openings, "rtp-table-records"),
        (MorePaid, audit_log_with_openings, "rtp-table-totals"),
        (MorePaid, audit_export, "rtp-table-records"),
        (RowNotShown, audit_log, "rtp-table-totals"),
        (OtherOutcomes, audit_log, "rtp-table-figures"),
        (OtherPublicTheory, audit_log, "rtp-table-figures"),
        (FreeText, audit_log, "rtp-table-form"),
        (MoreIsSaid, audit_log, "rtp-table-form"),
        (PoolsReturnedMore, audit_export, "rtp-table-returns"),
        (NoPools, audit_log, "rtp-table-pools"),
        (OpenRowsAfterAll, audit_log, "totals-policy"),
        (NoPolicy, audit_log, "rtp-table-policy"),
    ],
)
def test_a_committed_table_that_lies_is_caught(tmp_path, kind, audit, reason):
    operator = told(kind, tmp_path, policy="committed")
    with pytest.raises(Fault) as caught:
        audit(operator, tmp_path)
    assert caught.value.reason == reason


def test_openings_of_another_log_are_refused(tmp_path):
    operator = told(Publishes, tmp_path, policy="committed")
    path = write_all_openings(operator, tmp_path / "openings.jsonl")
    path.write_bytes(path.read_bytes().replace(b"example.org/dev", b"example.org/prd"))
    with pytest.raises(Fault) as caught:
        verify_log(operator.source, operator.vkey, openings=open_openings(path))
    assert caught.value.reason == "opening-origin"


def test_openings_of_some_totals_open_those(tmp_path):
    operator = told(Publishes, tmp_path, policy="committed")
    path = write_all_openings(operator, tmp_path / "openings.jsonl")
    whole = open_openings(path)
    rows = {key: item for key, item in whole.rows.items() if key == ("totals", 0)}
    part = Openings(str(path), replace(whole.header, to_totals=0), rows)
    skipped = verify_log(operator.source, operator.vkey, openings=part).skipped
    assert len(skipped) == 2
