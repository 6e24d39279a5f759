"""Tables, progress bars and the places that options name."""

import io

import pytest

from rng_service.cli.options import read_vkey
from rng_service.cli.output import table_lines
from rng_service.cli.progress import ProgressBar
from rng_service.errors import ConfigError

VKEY = "acme.example/test+bf3c624c+AZbWOTQbpNiSnTBV5yGbF0ohSFXCmcm66CUbagS2H0Rp"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_table_aligns_names_left_and_numbers_right():
    assert table_lines(("bet", "return"), [("red", "97.3 %"), ("straight", "9 %")]) == [
        "bet       return",
        "red       97.3 %",
        "straight     9 %",
    ]


def test_a_table_has_no_trailing_spaces():
    assert table_lines(("a", "b"), [("x", "")], left=2) == ["a  b", "x"]


def test_a_bar_in_a_pipe_writes_nothing():
    stream = io.StringIO()
    with ProgressBar("work", stream=stream) as bar:
        bar.update(1, 2)
        bar.update(2, 2)
    assert stream.getvalue() == ""


def test_a_bar_on_a_terminal_is_drawn_over_itself_and_leaves_nothing(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    with ProgressBar("work", stream=stream, clock=lambda: 0.0) as bar:
        bar.update(1, 4, "later")
        assert "work  ██████░" in stream.getvalue()
        assert "1 of 4  later" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[2K")
    assert "\n" not in stream.getvalue()


def test_a_bar_is_drawn_at_most_ten_times_a_second_but_always_at_the_end():
    stream, now = Terminal(), [0.0]
    bar = ProgressBar("work", stream=stream, clock=lambda: now[0])
    for done in range(1, 51):
        now[0] = done / 100
        bar.update(done, 100)
    drawn = stream.getvalue().count("work")
    assert 4 <= drawn <= 6
    bar.update(100, 100)
    assert stream.getvalue().count("work") == drawn + 1


def test_a_bar_without_a_total_says_that_something_goes_on():
    stream = Terminal()
    ProgressBar("work", stream=stream, clock=lambda: 0.0).update(0, 0)
    assert stream.getvalue().endswith("work  …")


def test_a_line_never_wraps(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    ProgressBar("a rather long label", stream=stream, clock=lambda: 0.0).update(1, 2)
    assert len(stream.getvalue().rpartition("\x1b[2K")[2]) == 19


def test_a_verifier_key_is_itself_or_in_a_file(tmp_path):
    path = tmp_path / "log.vkey"
    path.write_text(VKEY + "\n")
    assert read_vkey(VKEY) == VKEY
    assert read_vkey(str(path)) == VKEY


@pytest.mark.parametrize("content", [b"", b"one\ntwo\n", b"\xff\n", b"x" * 2_000])
def test_a_file_that_holds_no_key_is_refused_by_name(tmp_path, content):
    path = tmp_path / "log.vkey"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"log\.vkey: not a verifier key"):
        read_vkey(str(path))
