"""`sealdraw demo`, run as a newcomer runs it, and everything that it leaves behind."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from anchor.checkpoint import open_checkpoint
from anchor.note import VerifierKey

EXTRAS = ("grpc", "google", "sealdraw", "sqlalchemy", "alembic", "pyblst", "numpy", "scipy")
GAMES = {"european-roulette", "dice-99", "keno-80", "fruit-lines"}
DRAWS = 1_500

pytestmark = pytest.mark.slow


def sealdraw(*arguments, **options):
    command = [sys.executable, "-m", "rng_service.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The directory and the JSON of one run."""
    directory = tmp_path_factory.mktemp("d") / "demo"
    done = sealdraw("demo", "--dir", directory, "--draws", DRAWS, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return directory, json.loads(done.stdout)


def test_the_result_has_what_other_programs_read(demo):
    directory, result = demo
    assert result["verified"] is True
    assert result["draws"] >= DRAWS
    assert set(result["games"]) == GAMES
    for game in result["games"].values():
        assert 0.9 < game["rtp_theoretical"] < 1
        assert game["rtp_realised"] >= 0
        assert game["plays"] > 0
    assert result["public"] == str(directory / "public")
    assert result["seconds"] > 0
    vkey = VerifierKey.parse((directory / "keys" / "log.vkey").read_text().strip())
    checkpoint = open_checkpoint(result["checkpoint"].encode(), vkey)
    assert checkpoint.size == result["log_size"]
    assert result["checkpoint"].encode() == (directory / "public" / "checkpoint").read_bytes()


def test_every_protection_is_there_and_the_development_beacon_is_named(demo):
    _, result = demo
    assert {(item["assignment"], item["foreseen"]) for item in result["protections"]} == {
        ("ticketed", "fresh-seed"),
        ("steerable", "caller-seed"),
        ("steerable", "operator-foreseeable"),
    }
    assert sum(item["outcomes"] for item in result["protections"]) == result["draws"]
    assert result["development_beacon"] is True


def test_every_pool_was_tested_before_its_first_draw(demo):
    _, result = demo
    tests = result["pool_tests"]
    assert tests["pass"] >= 12
    assert (tests["fail"], tests["without_plan"], tests["unlogged_failures"]) == (0, 0, 0)


def test_the_three_cheats_are_caught_each_for_its_own_reason(demo):
    _, result = demo
    assert [item["reason"] for item in result["cheats"]] == ["game-file", "slot-skipped", "consistency"]


def test_each_forged_log_fails_again_from_the_command_line(demo):
    directory, _ = demo
    key = ("--key", directory / "keys" / "log.vkey")
    kept = ("--previous", directory / "auditor" / "checkpoint")
    for name, more, reason in (
        ("swapped-paytable", (), "game-file"),
        ("dropped-slot", (), "slot-skipped"),
        ("rewritten-log", kept, "consistency"),
    ):
        done = sealdraw("verify", "log", directory / "cheats" / name, *key, *more)
        assert done.returncode == 1
        assert done.stderr.startswith(f"sealdraw: FOUND WRONG: {reason}")
    # Who has no memory is shown a second history and cannot tell: this is what witnesses are for.
    assert sealdraw("verify", "log", directory / "cheats" / "rewritten-log", *key).returncode == 0


def test_an_auditor_with_the_base_install_accepts_all_of_it(demo):
    directory, result = demo
    program = textwrap.dedent(f"""
        import sys

        class Blocked:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {EXTRAS!r}:
                    raise ModuleNotFoundError(f"blocked {{name}}", name=name)

        sys.meta_path.insert(0, Blocked())
        from rng_service.cli.main import run
        sys.exit(run(sys.argv[1:], errors=sys.stderr))
    """)

    def verify(*arguments):
        command = [sys.executable, "-c", program, "verify", *map(str, arguments), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    public, key = directory / "public", ("--key", directory / "keys" / "log.vkey")
    log = verify("log", public, *key)
    assert log["size"] == result["log_size"]
    assert any("beacon signatures were not checked" in line for line in log["skipped"])
    assert log["not_proven"]
    export = verify("export", directory / "export.jsonl", "--log", public, *key)
    assert export["complete"] is True
    # A draw may have several outcomes, and tickets and settlements are records as well.
    assert export["outcomes"] == result["draws"]
    receipts = sorted((directory / "receipts").glob("*.json"))
    kinds = {(json.loads(path.read_text())["record"].count('"ticket":'), path.stem[:-2]) for path in receipts}
    assert {name for _, name in kinds} >= {
        f"{game}-{kind}" for game in GAMES for kind in ("batch", "one-step", "ticketed")
    }
    assert all((tickets == 1) == name.endswith("ticketed") for tickets, name in kinds)
    found = [verify("receipt", path, "--log", public, *key) for path in receipts[:4]]
    assert all(item["verified"] and not item["pending"] for item in found)
    pool = verify("pool", found[0]["pool"], "--log", public)
    assert pool["state"] == "closed"
    assert any("taken from the log itself" in line for line in pool["skipped"])


def test_a_receipt_of_another_log_or_with_another_outcome_is_found_wrong(demo, tmp_path):
    directory, _ = demo
    receipt = json.loads(next((directory / "receipts").glob("dice-99-one-step-*.json")).read_text())
    receipt["outcome"] = [(receipt["outcome"][0] + 1) % 10_000]
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(receipt, separators=(",", ":"), sort_keys=True))
    arguments = ("--log", directory / "public", "--key", directory / "keys" / "log.vkey")
    done = sealdraw("verify", "receipt", forged, *arguments)
    assert done.returncode == 1
    assert "outcome" in done.stderr
    forged.write_text("{}")
    done = sealdraw("verify", "receipt", forged, *arguments)
    assert done.returncode in {1, 2}
    assert done.stderr.count("\n") == 1


def test_one_session_can_be_exported_and_verified_on_its_own(demo, tmp_path):
    directory, _ = demo
    receipt = json.loads(next((directory / "receipts").glob("*-ticketed-1.json")).read_text())
    session = json.loads(receipt["record"])["binding"]["session"]
    target = tmp_path / "session.jsonl"
    done = sealdraw(
        "export", target, "--config", directory / "sealdraw.toml", "--session", "demo-casino", session, "--json"
    )
    assert done.returncode == 0, done.stderr
    # Twenty draws, each on a ticket of its own.
    assert json.loads(done.stdout)["records"] == 40
    arguments = ("--log", directory / "public", "--key", directory / "keys" / "log.vkey", "--json")
    verified = json.loads(sealdraw("verify", "export", target, *arguments).stdout)
    assert (verified["complete"], verified["sessions"]) == (False, 1)
    again = sealdraw("export", target, "--config", directory / "sealdraw.toml")
    assert again.returncode == 2
    assert "File exists" in again.stderr


def test_ledger_vault_and_log_belong_together_after_the_clean_stop(demo):
    directory, _ = demo
    done = sealdraw("recover", "--config", directory / "sealdraw.toml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"findings": [], "done": []}


def test_nothing_of_the_service_is_left_running(demo):
    directory, _ = demo
    running = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if os.fsencode(str(directory)) in command:
            running.append(command)
    assert running == []


def test_nothing_secret_is_logged(demo):
    directory, _ = demo
    log = (directory / "serve.log").read_bytes()
    for path in directory.glob("vault/**/*"):
        if path.is_file() and path.suffix != ".json":
            data = path.read_bytes()
            secrets = [data[at : at + 32].hex().encode() for at in range(0, min(len(data), 4_096) - 32, 8)]
            assert not any(secret in log for secret in secrets)
    for line in log.splitlines():
        assert json.loads(line) if line.startswith(b"{") else line.startswith(b"sealdraw")


def test_a_directory_with_something_else_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = sealdraw("demo", "--dir", tmp_path)
    assert done.returncode == 2
    assert "is not empty and no former demo" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
