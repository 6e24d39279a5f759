import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from anchor.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from anchor.errors import MalformedError, VerificationError
from anchor.merkle import EMPTY_ROOT
from anchor.note import VerifierKey, sign_note

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
VERIFIER = VerifierKey.of("example.org/log", KEY)
EMPTY_TEXT = "example.org/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


def test_the_empty_log_has_the_text_of_the_specification():
    checkpoint = Checkpoint("example.org/log", 0, EMPTY_ROOT)
    assert checkpoint.text() == EMPTY_TEXT
    assert parse_checkpoint(EMPTY_TEXT) == checkpoint


@given(
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(st.text("abc é/", min_size=1), max_size=3),
)
def test_a_checkpoint_survives_its_text_form(size, root, extensions):
    checkpoint = Checkpoint("example.org/log", size, root, tuple(extensions))
    assert parse_checkpoint(checkpoint.text()) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        EMPTY_TEXT[:-1],
        EMPTY_TEXT + "\n",
        "\n" + EMPTY_TEXT,
        EMPTY_TEXT.replace("\n0\n", "\n00\n"),
        EMPTY_TEXT.replace("\n0\n", "\n-1\n"),
        EMPTY_TEXT.replace("\n0\n", "\n+1\n"),
        EMPTY_TEXT.replace("\n0\n", "\n1_0\n"),
        EMPTY_TEXT.replace("\n0\n", "\n \n"),
        EMPTY_TEXT.replace("\n0\n", "\n\N{ARABIC-INDIC DIGIT ONE}\n"),
        EMPTY_TEXT.replace("\n0\n", f"\n{2**63}\n"),
        EMPTY_TEXT.replace("=", ""),
        EMPTY_TEXT.replace("FU=", "FV="),
        EMPTY_TEXT.replace("47DE", ""),
        EMPTY_TEXT.replace("\n", "\r\n"),
        EMPTY_TEXT + "extension",
        EMPTY_TEXT + "x" * 70_000 + "\n",
    ],
)
def test_a_text_that_is_not_a_canonical_checkpoint_is_refused(text):
    with pytest.raises(MalformedError):
        parse_checkpoint(text)


def test_a_signed_checkpoint_opens():
    checkpoint = Checkpoint("example.org/log", 7, bytes(32))
    assert open_checkpoint(sign_note(checkpoint.text(), "example.org/log", KEY), VERIFIER) == checkpoint


def reason_of(checkpoint, **arguments):
    with pytest.raises(VerificationError) as caught:
        open_checkpoint(sign_note(checkpoint.text(), "example.org/log", KEY), VERIFIER, **arguments)
    return caught.value.reason


def test_a_checkpoint_of_another_origin_is_refused():
    assert reason_of(Checkpoint("example.org/other", 7, bytes(32))) == "origin"
    assert reason_of(Checkpoint("example.org/log", 7, bytes(32)), origin="example.org/other") == "origin"
    other = Checkpoint("example.org/other", 7, bytes(32))
    data = sign_note(other.text(), "example.org/log", KEY)
    assert open_checkpoint(data, VERIFIER, origin="example.org/other") == other


def test_an_empty_log_with_a_root_is_refused():
    assert reason_of(Checkpoint("example.org/log", 0, bytes(32))) == "root-mismatch"


def test_a_checkpoint_that_cannot_be_written_cannot_be_made():
    for arguments in (("", 0, EMPTY_ROOT), ("a\nb", 0, EMPTY_ROOT), ("a", -1, EMPTY_ROOT), ("a", 0, b"")):
        with pytest.raises(MalformedError):
            Checkpoint(*arguments)
