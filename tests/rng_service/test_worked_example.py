"""The worked example of PROTOCOL.md is what the code computes, and what the auditor accepts and refuses."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from anchor import canonical
from anchor.merkle import leaf_hash, verify_inclusion
from anchor.note import VerifierKey
from anchor.proof import parse_proof, verify_proof
from anchor.source import DirectorySource
from rng_service.verify import Fault, verify_export, verify_log, verify_pool, verify_receipt

TESTS = Path(__file__).resolve().parents[1]
PROTOCOL = TESTS / "vectors" / "protocol"
REJECTED = PROTOCOL / "rejected"
EXPECTED = json.loads((REJECTED / "expected.json").read_bytes())
sys.path.insert(0, str(TESTS / "tools"))
VKEY = (PROTOCOL / "log.vkey").read_text().strip()
SOURCE = DirectorySource(PROTOCOL / "public")
VALUES = [value for part in json.loads((PROTOCOL / "worked-example.json").read_bytes()) for value in part["values"]]


def test_no_frozen_vector_differs_from_what_the_code_computes():
    done = subprocess.run(
        [sys.executable, TESTS / "tools" / "check_vectors.py"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr


def test_the_auditor_accepts_the_log():
    report = verify_log(SOURCE, VKEY)
    assert report.records == {"draw": 3, "settle": 1, "ticket": 2, "void": 1}
    assert (report.pools_open, report.development_beacon, report.skipped) == (1, False, ())
    assert verify_pool("demo/ten-wheel/1/base/real/0/1", SOURCE, VKEY).bound == 5


@pytest.mark.parametrize(
    ("name", "outcome", "payouts", "labels"),
    [
        ("ticket", (), None, ("steerable", "operator-foreseeable")),
        ("ticketed", (3,), (0,), ("ticketed", "fresh-seed")),
        ("one-step", (1,), (188,), ("steerable", "caller-seed")),
        ("batch", (2, 4), None, ("steerable", "operator-foreseeable")),
    ],
)
def test_the_auditor_accepts_the_receipts(name, outcome, payouts, labels):
    report = verify_receipt((PROTOCOL / "receipts" / f"{name}.json").read_bytes(), SOURCE, VKEY)
    assert (report.outcome, report.payouts_minor, report.digest_seq) == (outcome, payouts, 0)
    assert (report.protection.assignment, report.protection.foreseen) == labels


def test_the_auditor_accepts_the_export():
    report = verify_export(PROTOCOL / "export.jsonl", SOURCE, VKEY)
    assert report.complete
    assert (report.outcomes, report.sessions) == (4, 1)


@pytest.mark.parametrize("name", ["ticket", "ticketed", "one-step", "batch"])
def test_the_proofs_lead_from_the_record_to_the_checkpoint(name):
    receipt = json.loads((PROTOCOL / "receipts" / f"{name}.json").read_bytes())
    proof = parse_proof((PROTOCOL / "proofs" / f"{name}.tlog-proof").read_bytes())
    extra = canonical.decode_object(proof.extra, limit=100_000, what="extra")
    entry = bytes.fromhex(extra["entry"])
    verify_proof(proof, leaf_hash(entry), VerifierKey.parse(VKEY))
    digest = json.loads(entry)
    verify_inclusion(
        index=extra["index"],
        size=sum(digest["counts"].values()),
        leaf=leaf_hash(receipt["record"].encode("ascii")),
        path=[bytes.fromhex(item) for item in extra["path"]],
        root=bytes.fromhex(digest["root"]),
    )


@pytest.mark.parametrize("item", EXPECTED, ids=lambda item: item["file"].removesuffix(".json"))
def test_the_auditor_refuses_each_lie_for_its_reason(item):
    with pytest.raises(Fault) as caught:
        verify_receipt((REJECTED / item["file"]).read_bytes(), SOURCE, VKEY, now_us=item["now_us"])
    assert caught.value.reason == item["reason"], item["lie"]


def test_every_step_of_a_receipts_verification_is_lied_to():
    assert {item["step"] for item in EXPECTED} == set(range(1, 10))
    assert {path.name for path in REJECTED.glob("*.json")} == {item["file"] for item in EXPECTED} | {"expected.json"}


def test_the_vectors_can_be_followed_with_nothing_but_a_hash_function():
    hashes = [value for value in VALUES if value["how"].startswith("SHA-256(")]
    assert len(hashes) >= 20
    for value in hashes:
        assert sha256(bytes.fromhex(value["input"])).hexdigest() == value["output"], value["name"]


def test_the_document_shows_every_value():
    document = (TESTS.parent / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")
    section = document.partition("<!-- worked example: begin -->")[2].replace("\n", "").replace(" ", "")
    for value in VALUES:
        assert value.get("text", "").replace(" ", "") in section, value["name"]
        if len(value.get("output", "")) == 64:
            assert value["output"] in section, value["name"]


def test_the_first_difference_of_a_vector_is_named(tmp_path):
    from vector_files import check_files, write_files

    wanted = {"a/one.json": b"{}\n", "b.bin": b"line\nother line\n"}
    write_files(tmp_path, {**wanted, "stale": b""})
    write_files(tmp_path, wanted)
    check_files(tmp_path, wanted)
    with pytest.raises(SystemExit, match=r"b\.bin: differs in line 2, byte 6: found b'ther"):
        check_files(tmp_path, {**wanted, "b.bin": b"line\nolder line\n"})
    with pytest.raises(SystemExit, match=r"b\.bin: differs in line 3, byte 16"):
        check_files(tmp_path, {**wanted, "b.bin": wanted["b.bin"] + b"more"})
    with pytest.raises(SystemExit, match=r"c: is missing"):
        check_files(tmp_path, {**wanted, "c": b""})
    with pytest.raises(SystemExit, match=r"one\.json: is there, and nothing generates it"):
        check_files(tmp_path, {"b.bin": wanted["b.bin"]})


def test_a_sum_that_comes_out_differently_by_hand_stops_the_example():
    from worked_example_steps import hashed, tree

    with pytest.raises(SystemExit, match="worked example: D: by hand"):
        hashed("D", "SHA-256", b"entry", bytes(32))
    with pytest.raises(SystemExit, match="worked example: root: by hand"):
        tree("root", [bytes(32), bytes(32)], bytes(32))
