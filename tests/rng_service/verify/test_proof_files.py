"""Proof files of the worked example, read without the log, by the library and from the shell."""

import io
import json
from pathlib import Path

import pytest
from operator_simulator import Operator

from anchor import canonical
from anchor.proof import LogProof, parse_proof
from rng_service.cli.main import run
from rng_service.log_entries import Incident
from rng_service.records.proof import parse_record_place
from rng_service.verify import Fault, verify_proof_file

PROTOCOL = Path(__file__).resolve().parents[2] / "vectors" / "protocol"
VKEY = (PROTOCOL / "log.vkey").read_text().strip()
NAMES = ["batch", "one-step", "ticket", "ticketed"]


def files(name):
    return (
        (PROTOCOL / "receipts" / f"{name}.json").read_bytes(),
        (PROTOCOL / "proofs" / f"{name}.tlog-proof").read_bytes(),
    )


def refused(receipt, proof, vkey=VKEY):
    with pytest.raises(Fault) as caught:
        verify_proof_file(receipt, proof, vkey)
    return caught.value.reason


@pytest.mark.parametrize("name", NAMES)
def test_a_proof_file_leads_from_the_record_to_the_checkpoint(name):
    report = verify_proof_file(*files(name), VKEY)
    assert (report.digest_seq, report.entry_index, report.log_size) == (0, 7, 8)
    assert any(line.startswith("NOT CHECKED: commitment") for line in report.lines())


def test_the_proof_of_another_record_is_refused():
    assert refused(files("batch")[0], files("one-step")[1]) == "record-digest"


def test_the_proof_of_another_key_is_refused(tmp_path):
    other = Operator(tmp_path, origin="example.org/demo").vkey
    assert refused(*files("batch"), other) == "note-unsigned"


def test_a_proof_with_a_changed_path_is_refused():
    receipt, data = files("batch")
    proof = parse_proof(data)
    bent = LogProof(proof.index, (bytes(32), *proof.path[1:]), proof.checkpoint, proof.extra)
    assert refused(receipt, bent.render()) == "inclusion"


def changed_extra(name, **changes):
    receipt, data = files(name)
    proof = parse_proof(data)
    extra = json.loads(proof.extra) | changes
    return receipt, LogProof(proof.index, proof.path, proof.checkpoint, canonical.encode(extra)).render()


def test_a_proof_over_another_entry_than_a_digest_is_refused():
    entry = Incident(origin="example.org/demo", time_us=1, kind="outage", reason="none").to_bytes()
    assert refused(*changed_extra("batch", entry=entry.hex())) == "proof-extra"


def test_a_place_outside_the_digest_is_refused():
    assert refused(*changed_extra("batch", index=99)) == "record-digest"


def test_a_digest_whose_ranges_have_no_room_for_the_record_is_refused():
    _, data = files("batch")
    entry = parse_record_place(parse_proof(data).extra).entry
    moved = entry.replace(b'"slot":2,"slots":2', b'"slot":9,"slots":2')
    assert refused(*changed_extra("batch", entry=moved.hex())) == "digest-range"


def test_a_proof_without_extra_is_refused():
    receipt, data = files("batch")
    proof = parse_proof(data)
    assert refused(receipt, LogProof(proof.index, proof.path, proof.checkpoint).render()) == "proof-extra"


def call(*arguments):
    errors = io.StringIO()
    return run(list(arguments), errors=errors), errors.getvalue()


def test_the_shell_reads_proof_files(capsys):
    receipt, key = str(PROTOCOL / "receipts" / "ticketed.json"), str(PROTOCOL / "log.vkey")
    proof = str(PROTOCOL / "proofs" / "ticketed.tlog-proof")
    assert call("verify", "receipt", receipt, "--proof", proof, "--key", key, "--json") == (0, "")
    told = json.loads(capsys.readouterr().out)
    assert (told["verified"], told["digest_seq"]) == (True, 0)
    other = str(PROTOCOL / "proofs" / "batch.tlog-proof")
    status, text = call("verify", "receipt", receipt, "--proof", other, "--key", key)
    assert status == 1
    assert "record-digest" in text


@pytest.mark.parametrize("arguments", [[], ["--log", "x", "--proof", "y"]])
def test_the_shell_wants_a_log_or_a_proof(arguments):
    status, text = call("verify", "receipt", "r.json", "--key", "k", *arguments)
    assert status == 2
    assert "either --log or --proof" in text


def test_the_shell_fails_a_log_with_more_outage_than_is_put_up_with(tmp_path):
    operator = Operator(tmp_path / "public", beacon=False)
    operator.start()
    operator.digest()
    operator.tick(7200)
    operator.append(Incident(**operator.head(), kind="outage", reason="heartbeat-missed"))
    operator.digest()
    operator.publish()
    log = [str(operator.directory), "--key", operator.vkey]
    assert call("verify", "log", *log, "--max-outage", "7200") == (0, "")
    status, text = call("verify", "log", *log, "--max-outage", "7199")
    assert status == 1
    assert "outage-too-long" in text
