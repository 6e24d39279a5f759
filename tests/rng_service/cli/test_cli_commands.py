"""The command line: help, exit statuses, one-line errors, and what the base install can do."""

import io
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest

from anchor.errors import MalformedError, MissingError, RefusedError, VerificationError
from rng_service.cli import main as module
from rng_service.cli.main import TRACEBACK_VARIABLE, cli, run
from rng_service.config import load_config
from rng_service.errors import ConfigError, LedgerError, StartRefused
from rng_service.sequencer.process import lock_installation
from rng_service.vault.errors import VaultUnavailableError

GAMES = Path(__file__).resolve().parents[3] / "games"
EXTRAS = ("grpc", "google", "sealdraw", "sqlalchemy", "alembic", "pyblst", "numpy", "scipy")


def commands(group=cli, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def call(*arguments):
    errors = io.StringIO()
    status = run(arguments, errors=errors)
    return status, errors.getvalue()


@pytest.mark.parametrize(
    ("path", "command"), list(commands()), ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_has_help_and_every_leaf_an_example_of_itself(path, command, capsys):
    assert call(*path, "--help") == (0, "")
    shown = " ".join(capsys.readouterr().out.split())
    assert "Usage: sealdraw " + " ".join(path) in shown
    assert command.help
    if not isinstance(command, click.Group):
        assert "Example: sealdraw " + " ".join(path) in shown


def test_commands_stand_in_the_order_in_which_one_meets_them(capsys):
    assert call("--help")[0] == 0
    shown = capsys.readouterr().out
    places = [shown.index(f"\n  {name} ") for name in ("demo", "init", "serve", "doctor", "game", "draw", "verify")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("error", "status", "beginning"),
    [
        (VerificationError("outcome", "expected 3, found 4"), 1, "sealdraw: FOUND WRONG: outcome: expected 3, found 4"),
        (MalformedError("receipt: not JSON"), 2, "sealdraw: receipt: not JSON"),
        (MissingError("checkpoint: is not there"), 2, "sealdraw: checkpoint: is not there"),
        (RefusedError("two histories"), 2, "sealdraw: two histories"),
        (ConfigError("pools.size: expected\n1"), 2, "sealdraw: pools.size: expected 1"),
        (LedgerError("locked"), 2, "sealdraw: locked"),
        (StartRefused("another one runs"), 2, "sealdraw: another one runs"),
        (VaultUnavailableError("no answer"), 2, "sealdraw: no answer"),
        (FileNotFoundError(2, "No such file or directory", "x.json"), 2, "sealdraw: x.json: No such file or directory"),
        (KeyboardInterrupt(), 130, "sealdraw: interrupted"),
        (click.UsageError("no\nsuch thing"), 2, "sealdraw: no such thing"),
        (ModuleNotFoundError("", name="grpc.aio"), 2, "sealdraw: this command needs grpc.aio: pip install 'sealdraw["),
        (ModuleNotFoundError("", name="moon"), 2, "sealdraw: internal error, ModuleNotFoundError"),
        (ZeroDivisionError("division by zero"), 2, "sealdraw: internal error, ZeroDivisionError: division by zero"),
    ],
)
def test_whatever_goes_wrong_is_one_line_and_an_exit_status(monkeypatch, error, status, beginning):
    def fail(**_options):
        raise error

    monkeypatch.delenv(TRACEBACK_VARIABLE, raising=False)
    monkeypatch.setattr(module.cli, "main", fail)
    found, text = call("anything")
    assert found == status
    assert text.startswith(beginning)
    assert text.count("\n") == 1
    assert "Traceback" not in text


def test_an_internal_error_can_be_seen_whole(monkeypatch):
    def fail(**_options):
        raise ZeroDivisionError

    monkeypatch.setenv(TRACEBACK_VARIABLE, "1")
    monkeypatch.setattr(module.cli, "main", fail)
    with pytest.raises(ZeroDivisionError):
        call("anything")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["gmae"], "No such command 'gmae'"),
        (["verify", "receipt"], "Missing argument 'FILE'. See: sealdraw verify receipt --help"),
        (["verify", "log", "x"], "Missing option '--key'"),
        (["game", "check", "nowhere.json"], "nowhere.json: No such file or directory"),
        (["serve", "--config", "nowhere.toml"], "nowhere.toml: cannot be read"),
        (["serve", "--workers", "0"], "--workers"),
        (["verify", "log", "http://127.0.0.1:1", "--key", "nokey"], "no log here"),
        (["verify", "log", "nowhere", "--key", "nokey"], "nowhere is neither a directory"),
        (["anchor", "status", "--log", ".", "--key", "nokey"], "--key nokey: neither a file nor a verifier key"),
        (["game", "retire", "dice-99", "1", "--server", "127.0.0.1:1"], "cannot be undone; repeat with --yes"),
        (
            ["pool", "quarantine", "p", "--reason", "r", "--server", "127.0.0.1:1"],
            "cannot be undone; repeat with --yes",
        ),
        (["game", "list", "--server", "example.com:1"], "loopback address only"),
        (
            ["game", "list", "--server", "127.0.0.1:1", "--ca", "ca.pem"],
            "--certificate, --private-key and --ca go together",
        ),
        (["settle", "id", "--bettor", "zz", "--stake", "1", "--payout", "0", "--server", "127.0.0.1:1"], "--bettor zz"),
    ],
)
def test_misuse_is_status_2_and_says_what_to_do(arguments, expected):
    status, text = call(*arguments)
    assert status == 2
    assert expected in text
    assert text.count("\n") == 1


def test_a_service_that_does_not_answer_is_status_2():
    status, text = call("game", "list", "--server", "127.0.0.1:1")
    assert status == 2
    assert text.startswith("sealdraw: UNAVAILABLE")


def test_a_log_that_is_not_there_is_no_finding_about_a_log(tmp_path):
    key = tmp_path / "log.vkey"
    key.write_text("acme.example/test+00000000+AQ==\n")
    status, text = call("verify", "log", str(tmp_path), "--key", str(key))
    assert status == 2
    assert "no log here" in text


def test_game_check_prints_the_exact_theory(capsys):
    assert call("game", "check", str(GAMES / "european-roulette.json"), "--json") == (0, "")
    found = json.loads(capsys.readouterr().out)
    assert (found["game"], found["version"]) == ("european-roulette", 1)
    assert len(found["digest"]) == 64
    program = found["programs"]["base"]
    assert (program["rtp"], program["rtp_percent"]) == ("36/37", "97.2973")
    assert program["top_prize"] == {"multiplier": "36", "odds": "1/37"}
    assert {bet["rtp"] for bet in program["bets"].values()} == {"36/37"}
    assert isinstance(program["standard_deviation"], float)
    assert isinstance(program["volatility_index_95"], float)
    assert program["hit_frequency"] == "1/37"


@pytest.mark.parametrize("name", ["european-roulette", "dice-99", "keno-80", "fruit-lines"])
def test_game_check_shows_every_bet_in_columns_that_fit(name, capsys):
    assert call("game", "check", str(GAMES / f"{name}.json")) == (0, "")
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("program base: returns 9") for line in lines)
    assert max(map(len, lines)) <= 110


@pytest.mark.parametrize("path", sorted(GAMES.glob("*.json")), ids=lambda path: path.stem)
def test_game_check_shows_every_shipped_game_in_lines_that_fit(path, capsys):
    assert call("game", "check", str(path)) == (0, "")
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 110


def test_game_check_says_that_a_program_takes_no_bets(capsys):
    assert call("game", "check", str(GAMES / "integers.json")) == (0, "")
    assert "program raffle: no bets: outcomes only" in capsys.readouterr().out.splitlines()


def test_a_game_that_does_not_hold_is_named_with_file_and_field(tmp_path):
    game = json.loads((GAMES / "dice-99.json").read_text())
    game["programs"]["base"]["steps"][0]["n"] = 0
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(game))
    status, text = call("game", "check", str(path))
    assert status == 2
    assert f"{path}: $.programs.base.steps[0].n: expected an integer" in text


def test_init_makes_a_service_and_refuses_to_make_it_twice(tmp_path, capsys):
    target = tmp_path / "service"
    arguments = ("init", str(target), "--origin", "acme.example", "--env", "dev")
    assert call(*arguments, "--json") == (0, "")
    found = json.loads(capsys.readouterr().out)
    assert found["origin"] == "acme.example/dev"
    assert (Path(found["public"]) / "keys" / "log.vkey").read_text().strip() == found["vkey"]
    status, text = call(*arguments)
    assert status == 2
    assert "is initialised already" in text


def test_the_doctor_finds_a_stopped_service_and_what_protects_it_weakly(tmp_path, capsys):
    target = tmp_path / "service"
    assert call("init", str(target), "--origin", "acme.example", "--env", "dev")[0] == 0
    capsys.readouterr()
    settings = str(target / "sealdraw.toml")
    assert call("doctor", "--config", settings, "--json") == (1, "")
    checks = {item["name"]: item for item in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["vault"]["verdict"] == "wrong"
    assert checks["api"]["verdict"] == "wrong"
    assert checks["key files"]["verdict"] == "ok"
    assert checks["key-encryption key apart"]["verdict"] == "note"
    assert checks["ledger"]["verdict"] == "ok"
    assert checks["beacon"]["verdict"] == "weak"
    assert checks["witnesses"]["verdict"] == "weak"
    (target / "vault" / "kek").chmod(0o755)
    assert call("doctor", "--config", settings) == (1, "")
    shown = capsys.readouterr().out
    assert "WRONG  key files:" in shown
    assert "chmod go=" in shown


def test_recover_on_a_fresh_service_finds_nothing(tmp_path, capsys):
    target = tmp_path / "service"
    assert call("init", str(target), "--origin", "acme.example", "--env", "dev")[0] == 0
    capsys.readouterr()
    settings = str(target / "sealdraw.toml")
    assert call("recover", "--config", settings, "--json") == (0, "")
    assert json.loads(capsys.readouterr().out) == {"findings": [], "done": []}


def test_rollups_are_rebuilt_while_nothing_else_runs_on_the_ledger(tmp_path, capsys):
    target = tmp_path / "service"
    assert call("init", str(target), "--origin", "acme.example", "--env", "dev")[0] == 0
    capsys.readouterr()
    settings = str(target / "sealdraw.toml")
    assert call("ledger", "rebuild-rollups", "--config", settings, "--json") == (0, "")
    assert json.loads(capsys.readouterr().out) == {"digests": 0, "records": 0}
    lock = lock_installation(load_config(Path(settings), {}))
    try:
        status, text = call("ledger", "rebuild-rollups", "--config", settings)
    finally:
        os.close(lock)
    assert status == 2
    assert "another sequencer runs on this data directory" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("recall", "--server", "127.0.0.1:1"), "give either a request id or --player"),
        (("recall", "x", "--player", "y", "--server", "127.0.0.1:1"), "give either a request id or --player"),
        (("recall", "x", "--server", "127.0.0.1:1"), "--of: a request id is one caller's"),
        (("reconcile", "list.csv"), "Missing option '--of'"),
        (("reconcile", "list.csv", "--of", "c", "--from", "May", "--server", "127.0.0.1:1"), "--from, --to: expected"),
        (("reconcile", "nowhere.csv", "--of", "c", "--server", "127.0.0.1:1"), "nowhere.csv: No such file"),
        (("rtp", "show", "--by", "game,game", "--server", "127.0.0.1:1"), "--by game,game: expected each once"),
        (("rtp", "show", "--by", "day,hour", "--server", "127.0.0.1:1"), "one of hour, day, month"),
    ],
)
def test_questions_about_rounds_and_returns_say_what_they_lack(arguments, expected):
    status, text = call(*arguments)
    assert status == 2
    assert expected in text
    assert text.count("\n") == 1


def test_callers_are_registered_once_by_their_certificate(tmp_path, capsys):
    target = tmp_path / "service"
    assert call("init", str(target), "--origin", "acme.example", "--env", "dev")[0] == 0
    settings = ("--config", str(target / "sealdraw.toml"))
    pem = tmp_path / "caller.pem"
    pem.write_bytes(certificate())
    add = ("caller", "add", "tables", "--certificate", str(pem), *settings)
    assert call(*add, "--role", "game-server") == (0, "")
    assert call(*add, "--role", "game-server") == (0, "")
    status, text = call(*add, "--role", "operator")
    assert status == 2
    assert "names are for ever" in text
    pem.write_text("no certificate")
    assert "not a certificate" in call(*add, "--role", "game-server")[1]
    capsys.readouterr()
    assert call("caller", "list", "--json", *settings) == (0, "")
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["role"]) == ("tables", "game-server")


def test_a_ledger_that_is_not_there_is_said_to_be(tmp_path):
    target = tmp_path / "service"
    assert call("init", str(target), "--origin", "acme.example", "--env", "dev")[0] == 0
    (target / "ledger.db").unlink()
    status, text = call("caller", "list", "--config", str(target / "sealdraw.toml"))
    assert status == 2
    assert "no ledger here" in text
    assert not (target / "ledger.db").exists()


def test_the_base_install_starts_without_any_extra():
    program = textwrap.dedent(f"""
        import io, sys

        class Blocked:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {EXTRAS!r}:
                    raise ModuleNotFoundError(f"blocked {{name}}", name=name)

        sys.meta_path.insert(0, Blocked())
        from rng_service.cli.main import run
        import rng_service.verify.log, rng_service.verify.receipt, rng_service.verify.pool, rng_service.verify.export
        errors = io.StringIO()
        for arguments in (["--help"], ["verify", "log", "--help"], ["game", "check", {str(GAMES / "dice-99.json")!r}]):
            assert run(arguments, errors=errors) == 0, errors.getvalue()
        assert run(["init", "x", "--origin", "a", "--env", "dev"], errors=errors) == 2
        assert "pip install 'sealdraw[server]'" in errors.getvalue(), errors.getvalue()
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def certificate():
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding

    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tables")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, None).public_bytes(Encoding.PEM)
