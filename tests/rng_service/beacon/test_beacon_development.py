import json
import pickle
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anchor.errors import MalformedError, MissingError, RefusedError
from rng_service.beacon import QUICKNET, RoundNotYet, verify_round
from rng_service.beacon.development import DevelopmentBeacon, answer, chain_info_for, main, serve_beacon
from rng_service.beacon.development_key import load_or_create
from rng_service.beacon.relay import fetch_info, fetch_round, open_url

NOW = 1_700_000_000


class Clock:
    """A clock that stands still until it is set, in seconds for the tests and microseconds for the beacon."""

    def __init__(self, second: float = NOW) -> None:
        self.second = second

    def __call__(self) -> int:
        return int(self.second * 1_000_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def beacon(tmp_path, clock):
    with serve_beacon(tmp_path / "beacon", clock=clock) as running:
        yield running


def get(beacon: DevelopmentBeacon, path: str) -> tuple[int, object]:
    status, body = open_url(beacon.url + path, 10.0, 10_000)
    return status, json.loads(body)


def test_a_relay_client_fetches_real_rounds_from_it(beacon):
    chain = fetch_info(beacon.url, beacon.chain.chain_hash)
    got = fetch_round([beacon.url], chain, NOW)
    verify_round(chain, NOW, got.signature)
    assert got.round == NOW
    assert got.chain_hash == chain.chain_hash


def test_a_round_is_never_given_before_its_time(beacon, clock):
    with pytest.raises(RoundNotYet):
        fetch_round([beacon.url], beacon.chain, NOW + 1)
    clock.second = NOW + 0.999999
    with pytest.raises(RoundNotYet):
        fetch_round([beacon.url], beacon.chain, NOW + 1)
    clock.second = NOW + 1
    assert fetch_round([beacon.url], beacon.chain, NOW + 1).round == NOW + 1


def test_an_old_round_stays_available_and_the_same(beacon, clock):
    before = fetch_round([beacon.url], beacon.chain, 5)
    clock.second = NOW + 86_400
    assert fetch_round([beacon.url], beacon.chain, 5) == before


def test_the_number_of_a_round_is_its_second(beacon):
    assert beacon.chain.time_of(NOW) == NOW * 1_000_000
    assert beacon.chain.round_at(NOW * 1_000_000) == NOW


def test_its_chain_is_marked_and_is_no_real_one(beacon):
    assert beacon.chain.development
    assert beacon.chain.beacon_id == "sealdraw-development"
    assert beacon.chain.chain_hash != QUICKNET.chain_hash


def test_it_speaks_the_interface_of_drand(beacon):
    name = beacon.chain.chain_hash.hex()
    assert get(beacon, "/chains") == (200, [name])
    assert get(beacon, "/health") == (200, {"current": NOW, "expected": NOW})
    assert get(beacon, "/info") == get(beacon, f"/{name}/info")
    status, latest = get(beacon, f"/{name}/public/latest")
    assert (status, latest) == get(beacon, f"/{name}/public/{NOW}")
    assert latest["round"] == NOW
    assert sorted(latest) == ["randomness", "round", "signature"]


@pytest.mark.parametrize(
    "path",
    ["/", "/{}/public/0", "/{}/public/-1", "/{}/public/01", "/{}/public/9999999999999999", "/{}/public/"],
)
def test_what_it_does_not_know_is_not_found(beacon, path):
    assert get(beacon, path.format(beacon.chain.chain_hash.hex()))[0] == 404


def test_a_round_of_another_chain_is_not_found(beacon):
    assert get(beacon, f"/{QUICKNET.chain_hash.hex()}/public/42") == (404, {"error": "not found"})


def test_before_the_first_round_there_is_no_latest(tmp_path):
    key = load_or_create(tmp_path)
    status, _ = answer(f"/{key.chain.chain_hash.hex()}/public/latest", key, lambda: 999_999)
    assert status == 404
    status, value = answer(f"/{key.chain.chain_hash.hex()}/public/latest", key, lambda: 1_000_000)
    assert (status, value["round"]) == (200, 1)


def test_a_restart_goes_on_with_the_same_chain_and_the_same_signatures(tmp_path, clock):
    with serve_beacon(tmp_path, clock=clock) as first:
        before = fetch_round([first.url], first.chain, NOW)
    with serve_beacon(tmp_path, clock=clock) as second:
        assert second.chain == first.chain
        assert fetch_round([second.url], second.chain, NOW) == before


def test_two_directories_are_two_chains(tmp_path):
    assert load_or_create(tmp_path / "a").chain != load_or_create(tmp_path / "b").chain


def test_the_public_facts_are_read_without_the_key(tmp_path, monkeypatch):
    key = load_or_create(tmp_path)
    (tmp_path / "development-beacon.key").unlink()
    monkeypatch.setitem(sys.modules, "pyblst", None)
    chain = chain_info_for(tmp_path)
    assert chain == key.chain
    assert chain.name == "development"


def test_the_public_facts_are_missing_before_the_first_start(tmp_path):
    with pytest.raises(MissingError, match="start the development beacon"):
        chain_info_for(tmp_path)


def test_public_facts_of_a_real_chain_are_refused(tmp_path):
    from rng_service.beacon import chain_information

    (tmp_path / "chain.json").write_text(json.dumps(chain_information(QUICKNET)), encoding="ascii")
    with pytest.raises(MalformedError, match="not a development chain"):
        chain_info_for(tmp_path)


def test_the_key_file_is_for_its_owner_alone_and_nothing_else_is_left(tmp_path):
    load_or_create(tmp_path)
    assert (tmp_path / "development-beacon.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chain.json", "development-beacon.key"]


def test_a_crash_between_the_key_and_its_public_facts_is_repaired(tmp_path):
    chain = load_or_create(tmp_path).chain
    (tmp_path / "chain.json").unlink()
    assert load_or_create(tmp_path).chain == chain
    assert chain_info_for(tmp_path) == chain


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_reach_is_refused(tmp_path, mode):
    load_or_create(tmp_path)
    (tmp_path / "development-beacon.key").chmod(mode)
    with pytest.raises(RefusedError, match="chmod 600"):
        load_or_create(tmp_path)


def test_a_key_behind_a_symbolic_link_is_refused(tmp_path):
    load_or_create(tmp_path / "real")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "development-beacon.key").symlink_to(tmp_path / "real" / "development-beacon.key")
    with pytest.raises(OSError, match="symbolic"):
        load_or_create(tmp_path / "linked")


@pytest.mark.parametrize(
    "text",
    ["", "00" * 32 + "\n", "ff" * 32 + "\n", "01" * 32, "01" * 33 + "\n", "AB" * 32 + "\n", " 1" * 32 + "\n"],
)
def test_a_file_that_is_no_key_is_malformed(tmp_path, text):
    path = tmp_path / "development-beacon.key"
    path.write_text(text, encoding="ascii")
    path.chmod(0o600)
    with pytest.raises(MalformedError) as caught:
        load_or_create(tmp_path)
    assert text[:8] not in str(caught.value) or not text


def test_a_replaced_key_is_refused_rather_than_begin_another_chain(tmp_path):
    load_or_create(tmp_path)
    (tmp_path / "development-beacon.key").unlink()
    with pytest.raises(RefusedError, match="put its key back"):
        load_or_create(tmp_path)


def test_the_key_comes_from_the_given_randomness_and_is_in_range(tmp_path):
    low = load_or_create(tmp_path / "low", random_bytes=bytes)
    assert (tmp_path / "low" / "development-beacon.key").read_text() == f"{1:064x}\n"
    again = load_or_create(tmp_path / "again", random_bytes=bytes)
    assert low.chain == again.chain


def test_the_key_is_neither_shown_nor_pickled(tmp_path):
    key = load_or_create(tmp_path)
    secret = (tmp_path / "development-beacon.key").read_text().strip()
    assert secret not in repr(key)
    assert str(int(secret, 16)) not in f"{key!r}{key}"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)


def test_closing_twice_is_harmless_and_frees_the_port(tmp_path, clock):
    beacon = serve_beacon(tmp_path, clock=clock)
    port = int(beacon.url.rpartition(":")[2])
    beacon.close()
    beacon.close()
    with serve_beacon(tmp_path, port=port, clock=clock) as again:
        assert again.url == beacon.url


def test_the_process_serves_until_it_is_told_to_stop(tmp_path):
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "rng_service.beacon.development",
        "--directory",
        str(tmp_path),
    ]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        try:
            words = process.stdout.readline().split()
            assert words[:2] == ["development", "beacon"]
            chain = chain_info_for(tmp_path)
            assert words[3:] == ["chain", chain.chain_hash.hex()]
            number = chain.round_at(time.time_ns() // 1_000)
            assert fetch_round([words[2]], chain, number).round == number
            with pytest.raises(RoundNotYet):
                fetch_round([words[2]], chain, number + 3_600)
            process.send_signal(signal.SIGTERM)
            rest, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, rest, errors) == (0, "", "")


def test_a_port_that_is_taken_is_one_line_and_status_two(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status = main(["--directory", str(tmp_path), "--port", str(taken.getsockname()[1])])
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, "")
    assert captured.err.startswith("development beacon: ")
    assert captured.err.count("\n") == 1
