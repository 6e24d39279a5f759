"""Tables and openings from the shell: what is checked, what is said not to be, and which files are refused."""

import io
import json
from contextlib import redirect_stdout

import pytest
from operator_simulator import Operator, tell
from simulated_tables import write_all_openings

from rng_service.cli.main import run


class Publishes(Operator):
    def after(self):
        self.tick(1)
        self.table()
        self.publish()


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    directory = tmp_path_factory.mktemp("committed")
    operator = Publishes(directory / "public", policy="committed")
    tell(operator)
    operator.openings = write_all_openings(operator, directory / "openings.jsonl")
    operator.export_file = operator.export(directory / "export.jsonl")
    return operator


def shell(*arguments):
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out):
        status = run([str(item) for item in arguments], errors=errors)
    return status, out.getvalue(), errors.getvalue()


def test_a_committed_log_says_what_was_not_opened_until_it_is(committed):
    log = ("verify", "log", committed.directory, "--key", committed.vkey)
    status, text, _ = shell(*log)
    assert status == 0
    assert "NOT CHECKED: plays, stakes and payouts of committed totals" in text
    status, text, _ = shell(*log, "--openings", committed.openings)
    assert (status, "NOT CHECKED" in text) == (0, False)
    status, text, _ = shell(*log, "--openings", committed.openings, "--json")
    assert json.loads(text)["skipped"] == []


def test_an_export_is_checked_with_and_without_openings(committed):
    export = (
        "verify",
        "export",
        committed.export_file,
        "--log",
        committed.directory,
        "--key",
        committed.vkey,
        "--json",
    )
    without, opened = (json.loads(shell(*export, *more)[1]) for more in ((), ("--openings", committed.openings)))
    assert (without["totals"], without["tables"]) == (0, 1)
    assert (opened["totals"], opened["tables"], opened["skipped"]) == (2, 1, [])


def test_openings_that_were_changed_are_found_and_a_file_that_is_none_is_refused(committed, tmp_path):
    log = ("verify", "log", committed.directory, "--key", committed.vkey, "--openings")
    changed = tmp_path / "changed.jsonl"
    changed.write_bytes(committed.openings.read_bytes().replace(b'unsettled\\":2', b'unsettled\\":3'))
    assert changed.read_bytes() != committed.openings.read_bytes()
    status, _, errors = shell(*log, changed)
    assert status == 1
    assert "opening-commitment" in errors
    status, _, errors = shell(*log, tmp_path / "absent")
    assert status == 2
    assert "no such file" in errors


def test_a_table_is_drawn_from_its_document(committed, tmp_path):
    status, text, _ = shell("rtp", "table", committed.directory / "rtp/000.json", "--out", tmp_path)
    assert status == 0
    assert text.count("SHA-256") == 2
    for name in ("000.csv", "000.html"):
        assert (tmp_path / name).read_bytes() == (committed.directory / "rtp" / name).read_bytes()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"format":"sealdraw/rtp-table@v1"}', b"\xff"])
def test_a_file_that_is_no_table_is_refused_in_one_line(content, tmp_path):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    status, _, errors = shell("rtp", "table", path, "--out", tmp_path)
    assert status == 2
    assert len(errors.splitlines()) == 1
    assert str(path) in errors
