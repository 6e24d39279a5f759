import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from anchor import note
from anchor.encoding import base64_text
from anchor.errors import MalformedError, VerificationError

VECTOR = json.loads((Path(__file__).parents[1] / "vectors/tlog/signed_note.json").read_text())
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
VERIFIER = note.VerifierKey.of("example.org/log", KEY)
TEXT = "example.org/log\n3\nroot\n"
SIGNED = note.sign_note(TEXT, "example.org/log", KEY)


def refused(data, keys=(VERIFIER,)):
    with pytest.raises(VerificationError) as caught:
        note.open_note(data, keys)
    return caught.value.reason


def test_the_example_of_the_specification_verifies():
    key = note.VerifierKey.parse(VECTOR["vkey"])
    data = f"{VECTOR['text']}\n\N{EM DASH} {VECTOR['name']} {VECTOR['signature']}\n".encode()
    opened = note.open_note(data, [key])
    assert opened.text == VECTOR["text"]
    assert [signature.name for signature in opened.verified] == [VECTOR["name"]]
    assert key.vkey() == VECTOR["vkey"]
    assert refused(data.replace(b"example message", b"exbmple message"), [key]) == "note-signature"


def test_what_is_signed_opens_with_the_signer_s_key():
    opened = note.open_note(SIGNED, [VERIFIER])
    assert opened.text == TEXT
    assert opened.verified[0].key_id == VERIFIER.key_id
    assert opened.unverified == ()


def test_every_flipped_bit_of_a_note_is_refused():
    for position in range(len(SIGNED)):
        for bit in range(8):
            flipped = bytearray(SIGNED)
            flipped[position] ^= 1 << bit
            with pytest.raises((VerificationError, MalformedError)):
                note.open_note(bytes(flipped), [VERIFIER])


def test_a_note_without_a_known_signature_is_refused():
    assert refused(SIGNED, [note.VerifierKey.of("example.org/log", OTHER)]) == "note-unsigned"
    assert refused(SIGNED, [note.VerifierKey.of("example.org/other", KEY)]) == "note-unsigned"
    assert refused(SIGNED, []) == "note-unsigned"


def test_lines_of_unknown_keys_are_kept_but_not_believed():
    stranger = note.Signature("stranger", b"abcd", bytes(64))
    opened = note.open_note(note.append_signatures(SIGNED, [stranger]), [VERIFIER])
    assert opened.unverified == (stranger,)
    assert len(opened.verified) == 1


def test_a_bad_line_of_a_known_key_spoils_the_note_even_beside_a_good_one():
    bad = note.Signature("example.org/log", VERIFIER.key_id, bytes(64))
    assert refused(note.append_signatures(SIGNED, [bad])) == "note-signature"


def test_a_key_that_signed_twice_counts_once():
    time = {"timestamp_s": 5}
    witness = note.VerifierKey.of("witness", OTHER, note.COSIGNATURE_V1)
    lines = [note.cosign(TEXT, "witness", OTHER, **time), note.cosign(TEXT, "witness", OTHER, timestamp_s=6)]
    opened = note.open_note(note.append_signatures(SIGNED, lines), [witness])
    assert [line.timestamp_s() for line in opened.verified] == [5]


def test_repeated_lines_are_dropped():
    line = note.parse_note(SIGNED).unverified
    assert note.parse_note(note.append_signatures(SIGNED, line)).unverified == line


def test_two_keys_with_one_identity_are_refused():
    class Colliding(note.VerifierKey):
        key_id = VERIFIER.key_id

    with pytest.raises(MalformedError, match="two different keys"):
        note.open_note(SIGNED, [VERIFIER, Colliding("example.org/log", note.ED25519, bytes(32))])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\nnot a signature\n",
        SIGNED[:-1],
        SIGNED + b"\n",
        SIGNED + b"tail",
        SIGNED.replace(b"\n", b"\r\n"),
        SIGNED.replace(b"root", b"ro\tt"),
        SIGNED.replace(b"root", b"ro\xff"),
        SIGNED.replace(b"\xe2\x80\x94", b"-"),
        SIGNED.replace("\N{EM DASH} ".encode(), "\N{EM DASH}  ".encode()),
        "text\n\n\N{EM DASH} name\n".encode(),
        "text\n\n\N{EM DASH} name AAAA\n".encode(),
        "text\n\n\N{EM DASH} na+me AAAAAAAA\n".encode(),
        "text\n\n\N{EM DASH} na\N{NO-BREAK SPACE}me AAAAAAAA\n".encode(),
        "text\n\n\N{EM DASH} name AAAAAAB=\n".encode(),
        "text\n\n\N{EM DASH} name AAAAAAA\n".encode(),
        "text\n\n\N{EM DASH} name AAAAAAAA \n".encode(),
        SIGNED + b"x" * note.MAX_NOTE,
        SIGNED + SIGNED.split(b"\n\n")[1] * 100,
    ],
)
def test_what_is_not_a_canonical_note_is_refused(data):
    with pytest.raises(MalformedError):
        note.parse_note(data)


def test_a_text_may_contain_empty_lines():
    text = "one\n\n\ntwo\n"
    assert note.open_note(note.sign_note(text, "example.org/log", KEY), [VERIFIER]).text == text


@pytest.mark.parametrize("text", ["", "no newline", "tab\there\n", "nul\x00\n"])
def test_texts_that_no_note_can_carry_are_not_signed(text):
    with pytest.raises(MalformedError):
        note.sign_note(text, "example.org/log", KEY)


@given(st.text(max_size=80))
def test_arbitrary_text_either_survives_signing_or_is_refused(text):
    try:
        data = note.sign_note(text, "example.org/log", KEY)
    except MalformedError:
        return
    assert note.open_note(data, [VERIFIER]).text == text


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_note_or_malformed(data):
    try:
        parsed = note.parse_note(data)
    except MalformedError:
        return
    lines = "".join(line.line() for line in parsed.unverified)
    assert data.decode().startswith(parsed.text + "\n")
    assert set(lines.splitlines()) <= set(data.decode().splitlines())


def test_a_verifier_key_survives_its_text_form():
    for algorithm in (note.ED25519, note.COSIGNATURE_V1):
        key = note.VerifierKey.of("example.org/log", KEY, algorithm)
        assert note.VerifierKey.parse(key.vkey()) == key


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+12345678",
        VERIFIER.vkey() + "\n",
        " " + VERIFIER.vkey(),
        VERIFIER.vkey().replace(VERIFIER.key_id.hex(), VERIFIER.key_id.hex().upper()),
        VERIFIER.vkey().replace(VERIFIER.key_id.hex(), "00000000"),
        VERIFIER.vkey().replace("example", "exam ple"),
        "name+00000000+" + base64_text(b""),
        "name+00000000+" + base64_text(b"\x02" + bytes(32)),
        "name+00000000+" + base64_text(b"\x01" + bytes(31)),
        "name+00000000+" + "A" * 5000,
        "na\ud800me+00000000+" + base64_text(b"\x01" + bytes(32)),
    ],
)
def test_a_verifier_key_that_is_not_canonical_is_refused(vkey):
    with pytest.raises(MalformedError):
        note.VerifierKey.parse(vkey)


def test_a_cosignature_binds_its_time_its_text_and_its_type():
    witness = note.VerifierKey.of("witness.example", OTHER, note.COSIGNATURE_V1)
    line = note.cosign(TEXT, "witness.example", OTHER, timestamp_s=1_700_000_000)
    witness.verify(TEXT, line)
    assert line.timestamp_s() == 1_700_000_000
    assert len(line.payload) == 72
    later = (1_700_000_001).to_bytes(8, "big") + line.payload[8:]
    outside = (2**63).to_bytes(8, "big") + line.payload[8:]
    for payload in (later, outside, line.payload[:-1], line.payload + b"\0", b""):
        with pytest.raises(VerificationError) as caught:
            witness.verify(TEXT, note.Signature(line.name, line.key_id, payload))
        assert caught.value.reason == "note-signature"
    with pytest.raises(VerificationError):
        witness.verify(TEXT + "extension\n", line)
    with pytest.raises(VerificationError):
        note.VerifierKey.of("witness.example", OTHER).verify(TEXT, line)
    with pytest.raises(ValueError, match="between 0"):
        note.cosign(TEXT, "witness.example", OTHER, timestamp_s=2**63)


def test_a_cosignature_signs_the_message_of_the_specification():
    line = note.cosign(TEXT, "witness.example", OTHER, timestamp_s=42)
    message = b"cosignature/v1\ntime 42\n" + TEXT.encode()
    OTHER.public_key().verify(line.payload[8:], message)


def test_the_answer_of_a_witness_parses_as_signature_lines():
    lines = [note.cosign(TEXT, f"witness{n}", OTHER, timestamp_s=n) for n in range(3)]
    assert note.parse_signatures("".join(line.line() for line in lines)) == tuple(lines)
    for text in ("", "\n", lines[0].line()[:-1]):
        with pytest.raises(MalformedError):
            note.parse_signatures(text)
