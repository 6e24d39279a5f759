import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_fixture import KEY, ORIGIN, VERIFIER

from anchor.checkpoint import Checkpoint
from anchor.errors import MalformedError, VerificationError
from anchor.merkle import inclusion_path, leaf_hash, levels_of, root_of
from anchor.note import sign_note
from anchor.proof import MAX_EXTRA, MAX_PROOF, LogProof, parse_proof, verify_proof

LEAVES = [leaf_hash(bytes([n])) for n in range(5)]
CHECKPOINT = Checkpoint(ORIGIN, 5, root_of(LEAVES))
NOTE = sign_note(CHECKPOINT.text(), ORIGIN, KEY)
PROOF = LogProof(2, tuple(inclusion_path(levels_of(LEAVES), 2)), NOTE)


def test_a_proof_is_written_as_the_specification_says():
    lines = PROOF.render().decode().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 2"]
    assert len(lines[2]) == 44
    assert lines[5] == ""
    assert PROOF.render().endswith(b"\n\n" + NOTE)


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    st.none() | st.binary(max_size=100),
)
def test_a_proof_survives_its_bytes(index, path, extra):
    proof = LogProof(index, tuple(path), NOTE, extra)
    assert parse_proof(proof.render()) == proof


def test_a_proof_verifies_its_leaf_and_no_other():
    assert verify_proof(PROOF, LEAVES[2], VERIFIER) == CHECKPOINT
    changed = [
        (PROOF, LEAVES[3]),
        (LogProof(3, PROOF.path, NOTE), LEAVES[2]),
        (LogProof(5, PROOF.path, NOTE), LEAVES[2]),
        (LogProof(2, PROOF.path[:-1], NOTE), LEAVES[2]),
        (LogProof(2, (*PROOF.path, LEAVES[0]), NOTE), LEAVES[2]),
    ]
    for proof, leaf in changed:
        with pytest.raises(VerificationError) as caught:
            verify_proof(proof, leaf, VERIFIER)
        assert caught.value.reason == "inclusion"


def test_a_proof_with_another_s_checkpoint_is_refused():
    other = LogProof(2, PROOF.path, sign_note(CHECKPOINT.text(), "example.org/other", KEY))
    with pytest.raises(VerificationError, match="note-unsigned"):
        verify_proof(other, LEAVES[2], VERIFIER)
    with pytest.raises(VerificationError, match="origin"):
        verify_proof(PROOF, LEAVES[2], VERIFIER, "example.org/other")


DATA = PROOF.render()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        DATA.replace(b"@v1", b"@v2"),
        DATA.replace(b"index 2", b"index 02"),
        DATA.replace(b"index 2\n", b""),
        DATA.replace(b"index 2", b"index -2"),
        DATA.replace(b"index 2", b"extra AA==\nextra AA==\nindex 2"),
        DATA.replace(b"index 2", b"extra AB==\nindex 2"),
        DATA.replace(b"index 2", b"extra AA\nindex 2"),
        DATA.replace(b"index 2", b"index 2\nextra AA=="),
        DATA.replace(b"index 2\n", b"index 2\nAAAA\n"),
        DATA.replace(b"index 2\n", b"index 2\n" + DATA.split(b"\n")[2] * 1 + b"=\n"),
        DATA.replace(b"index 2\n", b"index 2\n" + (DATA.split(b"\n")[2] + b"\n") * 61),
        DATA.replace(b"index 2", b"index 2\xc2\xa0"),
        DATA.replace(b"\n", b"\r\n"),
        DATA.split(b"\n\n")[0] + b"\n",
        DATA + bytes(MAX_PROOF),
        LogProof(2, (), NOTE, bytes(MAX_EXTRA + 1)).render(),
    ],
)
def test_what_is_not_a_canonical_proof_is_refused(data):
    with pytest.raises(MalformedError):
        parse_proof(data)
