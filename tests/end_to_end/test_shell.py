"""A service run from the shell: serve, register, draw, settle, rotate, quarantine, stop; and what refuses meanwhile."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest

from rng_service.cli.main import run

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
BETTOR = "07" * 32

pytestmark = pytest.mark.slow


class Shell:
    """A directory with a service in it, and commands given there."""

    def __init__(self, directory):
        self.directory = directory
        self.settings = directory / "service" / "sealdraw.toml"
        self.public = directory / "service" / "public"

    def __call__(self, *arguments, status=0):
        done = subprocess.run(
            [sys.executable, "-m", "rng_service.cli.main", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.directory,
            env=os.environ | {"SEALDRAW_CONFIG": str(self.settings), "XDG_STATE_HOME": str(self.directory / "state")},
        )
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout) if "--json" in arguments else done.stdout + done.stderr


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A served service with dice and roulette, whose pools are active; stopped by SIGTERM at the end."""
    directory = tmp_path_factory.mktemp("s")
    errors = io.StringIO()
    assert run(["init", str(directory / "service"), "--origin", "acme.example", "--env", "test"], errors=errors) == 0
    shell = Shell(directory)
    text = shell.settings.read_text()
    for setting, value in (
        ('listen = "127.0.0.1:7443"', f'listen = "127.0.0.1:{port()}"'),
        ('listen = "127.0.0.1:7480"', f'listen = "127.0.0.1:{port()}"'),
        ('listen = "127.0.0.1:7481"', f'listen = "127.0.0.1:{port()}"'),
        ("size = 65536", "size = 512"),
        ("margin_s = 10", "margin_s = 1"),
        ("digest_interval_ms = 1000", "digest_interval_ms = 200"),
    ):
        assert f"# {setting}" in text
        text = text.replace(f"# {setting}", value)
    shell.settings.write_text(text)
    command = [sys.executable, "-m", "rng_service.cli.main", "serve", "--config", str(shell.settings), "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        lines = []
        ready = threading.Event()

        def read():
            for line in process.stderr:
                lines.append(line)
                if '"event": "ready"' in line:
                    ready.set()

        reader = threading.Thread(target=read)
        reader.start()
        try:
            assert ready.wait(PATIENCE_S), lines
            for game in ("dice-99", "european-roulette"):
                shell("game", "register", ROOT / "games" / f"{game}.json", "--class", "real")
            await_active(shell, 4)
            yield shell
        finally:
            process.send_signal(signal.SIGTERM)
            reader.join(PATIENCE_S)
        assert process.wait(PATIENCE_S) == 0
    stopped = [json.loads(line)["process"] for line in lines if '"event": "stopped"' in line]
    assert set(stopped[:2]) == {"front-1", "front-2"}
    assert stopped[2] == "sequencer"
    # After the clean stop everything that was bound is published, and the whole log holds.
    report = shell("verify", "log", shell.public, "--key", shell.public / "keys" / "log.vkey", "--json")
    assert report["records"]["settle"] >= 1
    assert shell("recover", "--json") == {"findings": [], "done": []}


def port():
    with socket.socket() as item:
        item.bind(("127.0.0.1", 0))
        return item.getsockname()[1]


def await_active(shell, count):
    deadline = time.monotonic() + PATIENCE_S
    while sum(pool["state"] == "active" for pool in shell("pool", "list", "--json")) < count:
        assert time.monotonic() < deadline


def test_a_draw_is_checked_shown_and_can_be_verified_by_anybody(service, tmp_path):
    receipt = tmp_path / "receipt.json"
    bet = '{"bet":"under","threshold":5000}'
    shown = service("draw", "dice-99", "--stake", "100", "--bet", bet, "--out", receipt)
    assert "development beacon: protects nobody" in shown
    report = service(
        "verify", "receipt", receipt, "--log", service.public, "--key", service.public / "keys" / "log.vkey", "--json"
    )
    assert report["payouts_minor"] in (["0"], ["198"])
    assert report["protection"]["assignment"] == "steerable"


def test_a_ticket_is_reserved_kept_secret_and_drawn(service, tmp_path):
    ticket = tmp_path / "ticket.json"
    reserved = service("reserve", "dice-99", "--session", "s1", "--out", ticket, "--json")
    assert ticket.stat().st_mode & 0o777 == 0o600
    assert json.loads(ticket.read_text())["seed"] not in json.dumps(reserved)
    (drawn,) = service("draw", "dice-99", "--session", "s1", "--ticket", ticket, "--json")
    assert drawn["protection"]["foreseen"] == "fresh-seed"
    assert json.loads(drawn["record"])["binding"]["slot"] == reserved["slot"]
    refused = service("draw", "dice-99", "--session", "s1", "--ticket", ticket, status=2)
    assert "TICKET_EXPIRED" in refused


def test_a_request_is_resolved_and_bettors_are_settled_on_it_once(service):
    (drawn,) = service("draw", "european-roulette", "--json")
    request_id, number = drawn["request_id"], drawn["outcome"][0]
    assert str(number) in service("resolve", request_id)
    settle = (
        "settle",
        request_id,
        "--bettor",
        BETTOR,
        "--stake",
        "100",
        "--bet",
        json.dumps({"bet": "straight", "numbers": [number]}),
    )
    assert "payout_minor" in service(*settle, "--payout", "100", status=2)
    assert "payout 3600 EUR" in service(*settle, "--payout", "3600")
    assert "already settled" in service(*settle, "--payout", "3600", status=2)
    unknown = "0190b5a4-7b1c-7e2f-8a3d-5f6e7d8c9b0a"
    assert service("resolve", unknown, "--json") == {"request_id": unknown, "bound": False}


def test_many_outcomes_are_drawn_at_once(service, tmp_path):
    (drawn,) = service("draw", "european-roulette", "--count", "5", "--stake", "100", "--bet", "red", "--json")
    assert len(drawn["outcome"]) == 5
    assert set(drawn["payouts_minor"]) <= {"0", "200"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("draw", "nogame"), "NOT_FOUND"),
        (("draw", "dice-99", "--stake", "5", "--bet", '{"bet":"under"}'), "threshold"),
        (
            ("draw", "dice-99", "--stake", "5", "--currency", "eur", "--bet", '{"bet":"under","threshold":5000}'),
            "currency",
        ),
        (("pool", "quarantine", "test/dice-99/1/base/real/0/99", "--reason", "x", "--yes"), "NOT_FOUND"),
        (("serve",), "another `sealdraw serve`"),
        (("recover",), "another `sealdraw serve`"),
    ],
)
def test_a_refusal_is_one_line_that_says_why(service, arguments, expected):
    said = service(*arguments, status=2)
    assert expected in said
    assert said.count("\n") == 1


def test_keys_rotate_while_draws_go_on(service):
    before = service("keys", "rotate", "all", "--json")
    after = service("keys", "rotate", "receipt", "--json")
    assert set(before) == {"kek", "drbg", "receipt"}
    assert after["receipt"] == before["receipt"] + 1
    assert "dice-99" in service("draw", "dice-99")


def test_a_quarantined_pool_is_replaced_and_opened(service):
    # The last pool of the lane: the one in front of it goes on being drawn from.
    pool = next(item for item in service("pool", "list", "--game", "european-roulette", "--json"))
    (stopped,) = service("pool", "quarantine", pool["pool"], "--reason", "test-run", "--yes", "--json")
    assert stopped["state"] in {"quarantined", "void"}
    await_active(service, 4)


def test_the_doctor_and_the_log_served_over_http_are_well(service):
    report = service("doctor", "--json")
    assert report["wrong"] == 0, report
    names = {check["name"] for check in report["checks"]}
    assert {"vault", "log", "ledger", "digests", "api", "public files", "vault memory locked"} <= names
    listen = next(check["finding"] for check in report["checks"] if check["name"] == "public files").split()[-1]
    key = ("--key", service.public / "keys" / "log.vkey")
    status = service("anchor", "status", "--log", f"http://{listen}", *key, "--json")
    assert status["digest_age_s"] < status["digest_limit_s"]
    assert status["cosignatures"] == 0


def test_a_registered_game_can_be_listed_and_registered_again_without_change(service):
    before = service("game", "list", "--json")
    service("game", "register", ROOT / "games" / "dice-99.json", "--class", "real")
    assert service("game", "list", "--json") == before
    assert {(item["game"], item["retired"]) for item in before} == {("dice-99", False), ("european-roulette", False)}


TABLES = ("--caller", "tables")


@pytest.fixture(scope="module")
def rounds(service):
    """What a game server called `tables` played, as its own list has it; and the request that was settled later."""
    bet = '{"bet":"under","threshold":5000}'
    played = []
    for stake in (100, 250, 7):
        (drawn,) = service("draw", "dice-99", "--stake", stake, "--bet", bet, *TABLES, "--json")
        played.append((drawn, stake, int(drawn["payouts_minor"][0])))
    (batch,) = service("draw", "european-roulette", "--count", 2, "--stake", 50, "--bet", "red", *TABLES, "--json")
    (bare,) = service("draw", "european-roulette", *TABLES, "--json")
    straight = json.dumps({"bet": "straight", "numbers": bare["outcome"]})
    settled = service(
        "settle", bare["request_id"], "--bettor", BETTOR, "--stake", 10, "--payout", 360, "--bet", straight, *TABLES,
        "--json",
    )  # fmt: skip
    rows = [(drawn["request_id"], 0, drawn["outcome"], stake, payout) for drawn, stake, payout in played]
    rows += [
        (batch["request_id"], item, [batch["outcome"][item]], 50, int(batch["payouts_minor"][item])) for item in (0, 1)
    ]
    rows.append((bare["request_id"], 0, bare["outcome"], 10, 360))
    # Everything is in a published digest before anybody compares.
    deadline = time.monotonic() + PATIENCE_S
    while (service("recall", bare["request_id"], "--of", "tables", "--json")["records"][0].get("anchor")) is None:
        assert time.monotonic() < deadline
    return rows, settled["request_id"]


def as_csv(path, rows):
    lines = ["item,request_id,payout_minor,currency,stake_minor,outcome"]
    for request_id, item, outcome, stake, payout in rows:
        lines.append(f"{item},{request_id},{payout},EUR,{stake},{' '.join(map(str, outcome))}")
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


def test_a_game_servers_own_list_agrees_in_any_order_and_form(service, rounds, tmp_path):
    rows, settlement = rounds
    csv_file = as_csv(tmp_path / "rounds.csv", rows[::-1])
    found = service("reconcile", csv_file, "--of", "tables", "--json")
    # The settlement came after the last round of the list, which ends what is compared.
    assert (found["rounds"], found["equal"], found["settlements_left_out"]) == (6, 6, 0)
    assert found["differences"] == []
    lines = [
        json.dumps({"request_id": i, "item": n, "outcome": o, "stake_minor": s, "payout_minor": p, "currency": "EUR"})
        for i, n, o, s, p in rows
    ]
    final = {"request_id": settlement, "stake_minor": 10, "payout_minor": "360", "currency": "EUR", "status": "final"}
    lines.append(json.dumps(final))
    json_file = tmp_path / "rounds.jsonl"
    json_file.write_text("\n".join(lines))
    assert service("reconcile", json_file, "--of", "tables", "--settlements", "--json")["equal"] == 7
    # Periods that are named bring in all of the caller's rounds, and leave out nothing of the list.
    day = time.strftime("%Y-%m", time.gmtime())
    found = service("reconcile", csv_file, "--of", "tables", "--from", day, "--to", day, "--json")
    assert (found["equal"], found["settlements_left_out"]) == (6, 1)


def test_every_way_in_which_a_list_is_wrong_is_found_and_named(service, rounds, tmp_path):
    rows, _ = rounds
    stranger = "0190b5a4-7b1c-7e2f-8a3d-5f6e7d8c9b0a"
    wrong = [*rows[1:], (stranger, 0, [1], 5, 0), rows[1]]
    wrong[2] = (*wrong[2][:4], wrong[2][4] + 1)
    path = as_csv(tmp_path / "wrong.csv", wrong)
    day = time.strftime("%Y-%m", time.gmtime())
    found = service("reconcile", path, "--of", "tables", "--to", day, "--json", status=1)
    assert {kind: found[kind] for kind in ("missing", "extra", "different", "unsettled", "twice")} == {
        "missing": 1, "extra": 1, "different": 1, "unsettled": 0, "twice": 1,
    }  # fmt: skip
    by_kind = {item["kind"]: item for item in found["differences"]}
    assert (by_kind["missing"]["request_id"], by_kind["missing"]["line"]) == (rows[0][0], None)
    assert (by_kind["extra"]["request_id"], by_kind["extra"]["line"]) == (stranger, 7)
    assert by_kind["different"]["line"] == 4
    assert by_kind["different"]["fields"] == {
        "payout_minor": {"file": str(wrong[2][4]), "ledger": str(wrong[2][4] - 1)}
    }
    assert by_kind["twice"]["line"] == 2
    said = service("reconcile", path, "--of", "tables", "--to", day, "--most", 1, status=1)
    assert "… and 3 more" in said
    broken = tmp_path / "broken.csv"
    broken.write_text("request_id,stake_minor,payout_minor,currency\n" + f"{stranger},1.5,0,EUR\n")
    assert f"{broken}:2: stake_minor: expected a whole number, found '1.5'" in service(
        "reconcile", broken, "--of", "tables", status=2
    )


def test_a_round_is_recalled_from_commitment_to_anchor(service, rounds, tmp_path):
    rows, settlement = rounds
    (record,) = service("recall", rows[-1][0], "--of", "tables", "--json")["records"]
    assert record["commitment"]["index"] < record["activation"]["index"] < record["anchor"]["digest_index"]
    assert record["commitment"]["beacon"]["round"] > 0
    assert record["outcome"] == [str(rows[-1][2][0])]
    (paid,) = record["settlements"]
    assert (paid["bettor"], paid["payout_minor"], paid["status"]) == (BETTOR, 360, "final")
    assert paid["anchor"]["digest"] >= record["anchor"]["digest"]
    assert record["anchor"]["witnesses"] == []
    (settled,) = service("recall", settlement, "--of", "tables", "--json")["records"]
    assert settled["settlement"]["draw"] == paid["draw"]
    shown = service("recall", rows[0][0], "--of", "tables")
    assert all(f"\n  {word}: " in shown for word in ("commitment", "activation", "binding", "outcome", "anchor"))
    # A bettor's token finds the settlement; another caller's word finds nothing.
    assert [item["kind"] for item in service("recall", "--player", BETTOR, "--json")["records"]].count("settle") >= 1
    assert service("recall", "--player", "nobody", "--json") == {"records": [], "verified": True}
    assert "NOT_FOUND" in service("recall", rows[0][0], "--of", "someone", status=2)
    # A public directory in which one byte of the records' digests was changed no longer proves it.
    forged = tmp_path / "public"
    shutil.copytree(service.public, forged)
    for path in (forged / "digests").rglob("*.bin"):
        path.write_bytes(bytes(len(path.read_bytes())))
    report = service("recall", rows[0][0], "--of", "tables", "--log", forged, "--json", status=1)
    assert "digest" in report["records"][0]["wrong"]
    assert report["verified"] is False


def test_a_table_of_returns_is_published_drawn_again_and_refused_with_its_reason(service, rounds, tmp_path):
    found = service("rtp", "publish", "--wait", "--json")
    assert (found["state"], found["refusal"]) == ("published", None)
    document = service.public / f"rtp/{found['sequence']:03}.json"
    deadline = time.monotonic() + PATIENCE_S
    while not document.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    service("rtp", "table", document, "--out", tmp_path)
    for suffix in (".csv", ".html"):
        assert (tmp_path / document.with_suffix(suffix).name).read_bytes() == document.with_suffix(suffix).read_bytes()
    assert document.with_suffix(".html").name in (service.public / "index.html").read_text()
    again = service("rtp", "publish", "--request-id", found["request_id"], "--json")
    assert again == found
    days = ("--from", "2020-01-01", "--to", "2020-01-02")
    assert "no totals lie in these days" in service("rtp", "publish", *days, "--wait", status=1)
    assert "expected a day UTC" in service("rtp", "publish", "--from", "2020-01", status=2)
    brought = tmp_path / "brought.json"
    brought.write_bytes(document.read_bytes())
    refused = service("rtp", "publish", "--table", brought, "--wait", status=1)
    assert "the records do not support this table: $." in refused


def test_returns_are_shown_by_whatever_they_are_asked_by(service, rounds):
    month = time.strftime("%Y-%m", time.gmtime())
    shown = service("rtp", "show", "--game", "dice-99", "--currency", "EUR", "--json")
    (row,) = shown["rows"]
    assert (row["game"], row["version"], row["program"], row["class"], row["currency"]) == (
        "dice-99", "1", "base", "real", "EUR",
    )  # fmt: skip
    assert (row["theoretical"], row["theoretical_percent"]) == ("99/100", "99.0000")
    assert row["plays"] >= 3
    assert Fraction(row["realised"]) == Fraction(int(row["payout_minor"]), int(row["stake_minor"]))
    assert set(row["bands"]) == {"95", "99"}
    assert row["state"] == "ok"
    by_band = service(
        "rtp", "show", "--game", "dice-99", "--currency", "EUR", "--by", "month,band", "--from", month, "--json"
    )["rows"]
    assert {item["period"] for item in by_band} == {month}
    assert {item["band"] for item in by_band if item["plays"]} == {"1..100", "101..1000"}
    assert sum(item["plays"] for item in by_band) == row["plays"]
    assert "realised" in service("rtp", "show", "--by", "day,game,currency")
    assert "expected each once of game" in service("rtp", "show", "--by", "player", status=2)
    assert "NOT_FOUND" in service("rtp", "acknowledge", "dice-99", 1, "base", "real", "EUR", "--reason", "x", status=2)
