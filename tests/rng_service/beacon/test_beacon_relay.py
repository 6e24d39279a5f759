import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from anchor.errors import MalformedError, VerificationError
from rng_service.beacon import (
    QUICKNET,
    BeaconLibraryMissing,
    BeaconUnavailable,
    ChainInfo,
    RoundNotYet,
    beacon_value,
    chain_information,
)
from rng_service.beacon.relay import BeaconRound, fetch_info, fetch_round, open_url, parse_round

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "beacon" / "drand_rounds.json").read_text(encoding="ascii")
)
FIRST, SECOND = VECTORS["quicknet"]["rounds"][:2]
TRUE_ROUND = BeaconRound(QUICKNET.chain_hash, FIRST["round"], bytes.fromhex(FIRST["signature"]))
PATH = f"/{QUICKNET.chain_hash.hex()}/public/42"


def v1(vector: dict, **change: object) -> bytes:
    members = {name: vector[name] for name in ("round", "randomness", "signature")}
    return json.dumps(members | change).encode()


@contextmanager
def relay(status: int = 200, body: bytes = b"", **headers: str) -> Iterator[tuple[str, list[str]]]:
    """One real HTTP server that gives the same answer to everything, with the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def closed_port() -> str:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return f"http://127.0.0.1:{server.server_port}"


def reason_for(url: str) -> str:
    with pytest.raises(BeaconUnavailable) as caught:
        fetch_round([url], QUICKNET, 42)
    ((named, reason),) = caught.value.reasons
    assert named == url
    assert reason in str(caught.value)
    return reason


def test_a_round_is_fetched_by_its_number_under_the_chain_hash():
    with relay(body=v1(FIRST)) as (url, asked):
        got = fetch_round([url + "/"], QUICKNET, 42)
    assert got == TRUE_ROUND
    assert got.value.hex() == FIRST["randomness"]
    assert asked == [PATH]


def test_the_answer_of_the_second_version_is_understood():
    body = json.dumps({"round": 42, "signature": FIRST["signature"]}).encode()
    with relay(body=body) as (url, _):
        assert fetch_round([url], QUICKNET, 42) == TRUE_ROUND


def test_later_relays_are_not_asked_once_one_gave_the_round():
    with relay(body=v1(FIRST)) as (good, _), relay(body=v1(FIRST)) as (spare, asked):
        fetch_round([good, spare], QUICKNET, 42)
    assert asked == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        pytest.param(v1(SECOND), "asked for round 42, was given 123", id="another-round"),
        pytest.param(v1(SECOND, round=42), "does not fit", id="another-round-renamed"),
        pytest.param(v1(FIRST, randomness="00" * 32), "not the hash", id="wrong-randomness"),
        pytest.param(v1(FIRST, randomness=None), "lowercase hex", id="no-randomness"),
        pytest.param(v1(FIRST, signature="c0" + "00" * 47), "infinity", id="infinity"),
        pytest.param(v1(FIRST, signature=FIRST["signature"].upper()), "lowercase hex", id="uppercase"),
        pytest.param(v1(FIRST, signature=FIRST["signature"][:-2]), "48 bytes", id="short"),
        pytest.param(v1(FIRST, round="42"), "integer", id="round-is-a-string"),
        pytest.param(v1(FIRST, round=42.0), "integer", id="round-is-a-float"),
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"[" * 4_000, "not JSON", id="deep"),
        pytest.param(b"[42]", "an object", id="a-list"),
        pytest.param(v1(FIRST) + b" " * 10_000, "at most 4096", id="too-long"),
    ],
)
def test_a_lying_relay_is_passed_over_and_the_next_one_used(body, complaint):
    with relay(body=body) as (liar, _), relay(body=v1(FIRST)) as (honest, _):
        assert complaint in reason_for(liar)
        assert fetch_round([liar, honest], QUICKNET, 42) == TRUE_ROUND


@pytest.mark.parametrize("status", [301, 404, 425, 429, 500, 503])
def test_a_relay_that_fails_is_passed_over_even_with_a_good_body(status):
    with (
        relay(status, v1(FIRST)) as (failing, asked_failing),
        relay(body=v1(FIRST)) as (working, _),
    ):
        assert fetch_round([closed_port(), failing, working], QUICKNET, 42) == TRUE_ROUND
    assert asked_failing == [PATH]


def test_a_redirect_is_not_followed():
    with relay(body=v1(FIRST)) as (target, asked), relay(302, Location=target + PATH) as (url, _):
        assert reason_for(url) == "HTTP status 302"
    assert asked == []


def test_a_relay_that_refuses_the_connection_is_named():
    assert "refused" in reason_for(closed_port())


def test_every_relay_is_named_with_its_reason():
    with (
        relay(500) as (broken, _),
        relay(404) as (behind, _),
        pytest.raises(BeaconUnavailable) as caught,
    ):
        fetch_round([broken, behind], QUICKNET, 42)
    assert caught.value.reasons == ((broken, "HTTP status 500"), (behind, "HTTP status 404"))


@pytest.mark.parametrize("statuses", [(404,), (425, 404)])
def test_a_round_that_no_relay_has_is_not_yet(statuses):
    with (
        relay(statuses[0]) as (first, _),
        relay(statuses[-1]) as (second, _),
        pytest.raises(RoundNotYet, match="round 42"),
    ):
        fetch_round([first, second], QUICKNET, 42)


def test_without_relays_the_beacon_is_unavailable():
    with pytest.raises(BeaconUnavailable, match="no relay is configured"):
        fetch_round([], QUICKNET, 42)


@pytest.mark.parametrize("number", [0, -1])
def test_the_latest_round_is_never_asked_for(number):
    with relay(body=v1(FIRST)) as (url, asked), pytest.raises(ValueError, match="from 1"):
        fetch_round([url], QUICKNET, number)
    assert asked == []


def test_a_chained_chain_is_not_fetched():
    facts = VECTORS["default"]
    chain = ChainInfo(
        name="default",
        scheme=facts["scheme"],
        public_key=bytes.fromhex(facts["public_key"]),
        period_s=facts["period"],
        genesis_time=facts["genesis_time"],
        group_hash=bytes.fromhex(facts["group_hash"]),
        beacon_id=facts["beacon_id"],
    )
    with pytest.raises(VerificationError) as caught:
        fetch_round([closed_port()], chain, 1)
    assert caught.value.reason == "beacon-scheme"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example",
        "file:///etc/hostname",
        "ftp://relay.example",
        "http://",
        "http://[",
        "http://relay.example?a=b",
        "http://127.0.0.1:99999",
    ],
)
def test_a_relay_that_is_no_web_address_is_a_reason_and_not_a_crash(url):
    assert reason_for(url)


def test_a_password_in_a_relay_address_is_refused_and_not_repeated():
    with pytest.raises(BeaconUnavailable) as caught:
        fetch_round(["http://user:hunter2@relay.example"], QUICKNET, 42)
    assert caught.value.reasons == (("relay.example", "a relay's URL holds no user name or password"),)
    assert "hunter2" not in str(caught.value)


def test_the_opener_does_not_read_files():
    with pytest.raises(OSError, match="unknown url type"):
        open_url("file:///etc/hostname", 1.0, 100)


def test_the_opener_reads_one_byte_more_than_the_limit_and_no_further():
    with relay(body=b"x" * 100_000) as (url, _):
        assert open_url(url, 5.0, 1_000) == (200, b"x" * 1_001)


def test_a_body_that_outlasts_the_time_limit_is_given_up():
    ticks = iter([0.0, 3.0])
    with relay(body=v1(FIRST)) as (url, _), pytest.raises(TimeoutError, match=r"2\.0 s"):
        open_url(url, 2.0, 4_096, monotonic=lambda: next(ticks))


def test_the_missing_library_is_no_fault_of_the_relay(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyblst", None)
    with pytest.raises(BeaconLibraryMissing):
        fetch_round(["http://relay.example"], QUICKNET, 42, opener=lambda *_: (200, v1(FIRST)))


def test_an_opener_may_be_handed_in_and_gets_the_limits():
    calls = []

    def opener(url: str, timeout_s: float, limit: int) -> tuple[int, bytes]:
        calls.append((url, timeout_s, limit))
        return 200, io.BytesIO(v1(FIRST)).read(limit)

    assert fetch_round(["https://r.example/x/"], QUICKNET, 42, timeout_s=1.5, opener=opener) == TRUE_ROUND
    assert calls == [("https://r.example/x" + PATH, 1.5, 4_096)]


def test_the_information_of_the_pinned_chain_is_fetched():
    with relay(body=json.dumps(chain_information(QUICKNET)).encode()) as (url, asked):
        assert fetch_info(url, QUICKNET.chain_hash) == QUICKNET
    assert asked == [f"/{QUICKNET.chain_hash.hex()}/info"]


def test_the_information_of_another_chain_is_refused():
    body = json.dumps(chain_information(QUICKNET)).encode()
    with relay(body=body) as (url, _), pytest.raises(VerificationError) as caught:
        fetch_info(url, bytes(32))
    assert caught.value.reason == "beacon-chain"


def test_information_that_is_too_long_is_malformed():
    with relay(body=b" " * 9_000) as (url, _), pytest.raises(MalformedError, match="at most 8192"):
        fetch_info(url, QUICKNET.chain_hash)


def test_a_relay_without_information_is_named():
    with relay(404) as (url, _), pytest.raises(BeaconUnavailable, match="404"):
        fetch_info(url, QUICKNET.chain_hash)
    with pytest.raises(BeaconUnavailable, match="refused"):
        fetch_info(closed_port(), QUICKNET.chain_hash)


def test_a_round_is_parsed_without_any_network():
    got = parse_round(v1(FIRST), QUICKNET, 42)
    assert got == TRUE_ROUND
    assert got.value == beacon_value(TRUE_ROUND.signature)
