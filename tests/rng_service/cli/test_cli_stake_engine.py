"""`sealdraw game import-stake-engine` without a service: what it shows, what it writes, how it refuses."""

import io
import json
import sys
from pathlib import Path

import math_package
import pytest

from rng_service.cli.main import run

VECTOR = Path(__file__).resolve().parents[2] / "vectors" / "stake_engine"


@pytest.fixture
def sealdraw(capsys, monkeypatch, tmp_path):
    # No settings are needed, so there are none.
    monkeypatch.chdir(tmp_path)

    def call(*arguments, status=0):
        errors = io.StringIO()
        assert run([str(argument) for argument in arguments], errors=errors) == status, errors.getvalue()
        return capsys.readouterr().out, errors.getvalue()

    return call


def test_what_programs_read_is_that_of_the_vector(sealdraw):
    out, _ = sealdraw("game", "import-stake-engine", VECTOR, "--game", "rage", "--json")
    assert json.loads(out) == json.loads((VECTOR / "expected.json").read_text())


def test_people_see_each_mode_with_its_return(sealdraw):
    out, _ = sealdraw("game", "import-stake-engine", VECTOR)
    lines = out.splitlines()
    assert lines[0] == "stake-engine: stake-engine version 1"
    assert lines[4].split() == [
        "base",
        "base",
        "1",
        "200",
        "95.7580",
        "%",
        "1",
        "in",
        "1.89",
        "5000",
        "1",
        "in",
        "18,240,604,190,667.29",
    ]
    assert lines[5].split()[:4] == ["rage_mode", "rage-mode", "25/2", "100"]


@pytest.mark.parametrize("place", ["Rage Game/library/publish_files", "Rage Game"])
def test_the_game_is_called_after_its_directory(sealdraw, tmp_path, place):
    directory = math_package.write_package(tmp_path / place)
    assert sealdraw("game", "import-stake-engine", directory)[0].startswith("rage-game: rage-game version 1\n")


def test_what_is_written_is_a_game_that_can_be_checked(sealdraw, tmp_path):
    arguments = ("--game", "rage", "--title", "Rage", "--version", 3, "--out", tmp_path / "out")
    out, _ = sealdraw("game", "import-stake-engine", VECTOR, *arguments)
    digest = out.splitlines()[1].split()[1]
    checked = json.loads(sealdraw("game", "check", tmp_path / "out" / "game.json", "--json")[0])
    expected = json.loads((VECTOR / "expected.json").read_text())
    assert (checked["digest"], checked["version"]) == (digest, 3)
    assert checked["programs"] == expected["programs"]
    names = {mode[kind]["sha256"] for mode in expected["modes"] for kind in ("weights", "books")}
    assert {path.name.partition(".")[0] for path in (tmp_path / "out" / "files").iterdir()} == names


def test_a_package_that_does_not_hold_is_refused_in_one_line_and_nothing_is_written(sealdraw, tmp_path):
    directory = math_package.write_package(tmp_path / "package")
    weights = directory / "lookUpTable_rage_mode_0.csv"
    weights.write_bytes(weights.read_bytes().replace(b"\n3,", b"\n3,-", 1))
    out, errors = sealdraw("game", "import-stake-engine", directory, "--out", tmp_path / "out", status=2)
    assert errors.startswith("sealdraw: lookUpTable_rage_mode_0.csv, line 3: '3,-")
    assert errors.count("\n") == 1
    assert out == ""
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_none_is_refused(sealdraw):
    _, errors = sealdraw("game", "import-stake-engine", VECTOR, "--game", "No Name", status=2)
    assert "the game 'No Name' cannot be made: $.game" in errors


def test_registering_needs_a_service(sealdraw):
    _, errors = sealdraw("game", "import-stake-engine", VECTOR, "--register", status=2)
    assert "sealdraw.toml" in errors


def test_an_installation_without_the_server_says_what_is_missing(sealdraw, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("rng_service.stake_engine", "zstandard"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent("zstandard"), *sys.meta_path])
    _, errors = sealdraw("game", "import-stake-engine", VECTOR, status=2)
    assert "this command needs zstandard: pip install 'sealdraw[server]'" in errors


class Absent:
    """A module that is not installed."""

    def __init__(self, name):
        self.name = name

    def find_spec(self, name, _path=None, _target=None):
        if name.partition(".")[0] == self.name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
