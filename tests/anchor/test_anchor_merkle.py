from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor import merkle
from anchor.errors import VerificationError

LEAVES = [merkle.leaf_hash(b"leaf %d" % index) for index in range(300)]
SIZES = range(66)


def naive_root(leaves):
    """The recursive definition of RFC 9162, section 2.1.1, as it stands there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def naive_inclusion(index, leaves):
    """Section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*naive_inclusion(index, leaves[:split]), naive_root(leaves[split:])]
    return [*naive_inclusion(index - split, leaves[split:]), naive_root(leaves[:split])]


def naive_consistency(old_size, leaves, whole=True):
    """Section 2.1.4.1."""
    if old_size in {0, len(leaves)}:
        return [] if whole or old_size == 0 else [naive_root(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if old_size <= split:
        return [*naive_consistency(old_size, leaves[:split], whole), naive_root(leaves[split:])]
    return [*naive_consistency(old_size - split, leaves[split:], False), naive_root(leaves[:split])]


def test_the_empty_root_is_the_hash_of_nothing():
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.root_of([]) == merkle.EMPTY_ROOT
    assert merkle.CompactTree().root() == merkle.EMPTY_ROOT


def test_leaves_and_nodes_are_hashed_under_different_prefixes():
    assert merkle.leaf_hash(b"ab") == sha256(b"\x00ab").digest()
    assert merkle.node_hash(b"a", b"b") == sha256(b"\x01ab").digest()


@given(st.lists(st.binary(max_size=4), max_size=300))
def test_promoting_odd_nodes_gives_the_tree_of_the_rfc(entries):
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    levels = merkle.levels_of(leaves)
    assert merkle.root_of(leaves) == merkle.CompactTree(leaves).root() == naive_root(leaves)
    for height, level in enumerate(levels):
        assert level == [naive_root(leaves[at : at + 2**height]) for at in range(0, len(leaves), 2**height)]


@pytest.mark.parametrize("size", SIZES)
def test_every_inclusion_path_is_that_of_the_rfc_and_verifies(size):
    leaves = LEAVES[:size]
    levels, root = merkle.levels_of(leaves), naive_root(leaves)
    for index in range(size):
        path = merkle.inclusion_path(levels, index)
        assert path == naive_inclusion(index, leaves)
        assert path == [naive_root(leaves[a:b]) for a, b in merkle.inclusion_ranges(index, size)]
        merkle.verify_inclusion(index=index, size=size, leaf=leaves[index], path=path, root=root)


@pytest.mark.parametrize("size", SIZES)
def test_every_consistency_path_is_that_of_the_rfc_and_verifies(size):
    leaves = LEAVES[:size]
    for old_size in range(size + 1):
        path = merkle.consistency_path(leaves, old_size)
        assert path == naive_consistency(old_size, leaves)
        assert all(end <= old_size or start >= old_size for start, end in merkle.consistency_ranges(old_size, size))
        merkle.verify_consistency(
            old_size=old_size,
            size=size,
            old_root=naive_root(leaves[:old_size]),
            root=naive_root(leaves),
            path=path,
        )


def refused_inclusion(**arguments):
    with pytest.raises(VerificationError) as caught:
        merkle.verify_inclusion(**arguments)
    assert caught.value.reason == "inclusion"


@given(st.integers(1, 300), st.data())
def test_a_changed_inclusion_proof_is_refused(size, data):
    index = data.draw(st.integers(0, size - 1))
    leaves = LEAVES[:size]
    path = merkle.inclusion_path(merkle.levels_of(leaves), index)
    good = {"index": index, "size": size, "leaf": leaves[index], "path": path, "root": naive_root(leaves)}
    refused_inclusion(**good | {"leaf": merkle.leaf_hash(b"other")})
    refused_inclusion(**good | {"root": merkle.leaf_hash(b"other")})
    refused_inclusion(**good | {"path": [*path, LEAVES[0]]})
    refused_inclusion(**good | {"leaf": leaves[index][:-1]})
    refused_inclusion(**good | {"index": size})
    refused_inclusion(**good | {"index": -1})
    if size > 1:
        refused_inclusion(**good | {"index": data.draw(st.integers(0, size - 1).filter(lambda n: n != index))})
        refused_inclusion(**good | {"path": path[:-1]})
        broken = data.draw(st.integers(0, len(path) - 1))
        for changed in (merkle.leaf_hash(b"other"), path[broken][1:]):
            refused_inclusion(**good | {"path": [*path[:broken], changed, *path[broken + 1 :]]})


def refused_consistency(**arguments):
    with pytest.raises(VerificationError) as caught:
        merkle.verify_consistency(**arguments)
    assert caught.value.reason == "consistency"


@given(st.integers(2, 299), st.data())
def test_a_changed_consistency_proof_is_refused(size, data):
    old_size = data.draw(st.integers(1, size - 1))
    leaves = LEAVES[:size]
    old_root, root = naive_root(leaves[:old_size]), naive_root(leaves)
    path = merkle.consistency_path(leaves, old_size)
    good = {"old_size": old_size, "size": size, "old_root": old_root, "root": root, "path": path}
    other = merkle.leaf_hash(b"other")
    refused_consistency(**good | {"old_root": other})
    refused_consistency(**good | {"root": other})
    refused_consistency(**good | {"old_root": root, "root": old_root})
    refused_consistency(**good | {"path": [*path, other]})
    refused_consistency(**good | {"path": path[:-1]})
    refused_consistency(**good | {"path": []})
    refused_consistency(**good | {"old_size": size, "size": old_size})
    refused_consistency(**good | {"old_size": size})
    refused_consistency(**good | {"old_size": 0})
    broken = data.draw(st.integers(0, len(path) - 1))
    refused_consistency(**good | {"path": [*path[:broken], other, *path[broken + 1 :]]})
    refused_consistency(**good | {"path": [*path[:broken], b"", *path[broken + 1 :]]})


def test_consistency_with_the_empty_tree_and_with_itself_takes_an_empty_proof():
    root = naive_root(LEAVES[:5])
    same = {"old_size": 5, "size": 5, "old_root": root, "root": root}
    merkle.verify_consistency(**same, path=[])
    refused_consistency(**same, path=[root])
    refused_consistency(**same | {"old_root": LEAVES[0]}, path=[])
    empty = {"old_size": 0, "size": 5, "old_root": merkle.EMPTY_ROOT, "root": root}
    merkle.verify_consistency(**empty, path=[])
    refused_consistency(**empty, path=[root])
    refused_consistency(**empty | {"old_root": root}, path=[])
    nothing = {"old_size": 0, "size": 0, "old_root": merkle.EMPTY_ROOT}
    merkle.verify_consistency(**nothing, root=merkle.EMPTY_ROOT, path=[])
    refused_consistency(**nothing, root=root, path=[])


def test_overlong_paths_and_sizes_are_refused_before_they_are_hashed():
    refused_inclusion(index=0, size=2**63, leaf=LEAVES[0], path=[LEAVES[0]] * 63, root=LEAVES[0])
    refused_inclusion(index=0, size=2, leaf=LEAVES[0], path=[LEAVES[0]] * 10_000, root=LEAVES[0])
    refused_consistency(old_size=1, size=2**63, old_root=LEAVES[0], root=LEAVES[0], path=[LEAVES[0]] * 63)


def test_positions_outside_the_tree_have_no_path():
    levels = merkle.levels_of(LEAVES[:3])
    for index in (-1, 3):
        with pytest.raises(IndexError):
            merkle.inclusion_path(levels, index)
        with pytest.raises(IndexError):
            merkle.inclusion_ranges(index, 3)
    with pytest.raises(IndexError):
        merkle.consistency_path(LEAVES[:3], 4)
    assert merkle.levels_of([]) == [[]]


@given(st.integers(0, 300))
def test_a_compact_tree_keeps_one_hash_for_each_bit_of_its_size(size):
    tree = merkle.CompactTree(LEAVES[:size])
    assert tree.size == size
    assert len(tree._subtrees) == size.bit_count()


@pytest.mark.parametrize("size", [*range(1, 70), 255, 256, 257, 1_000])
def test_packed_levels_are_the_levels_end_to_end(size):
    leaves = [bytes([index & 255]) * 31 + bytes([index >> 8]) for index in range(size)]
    expected = [b"".join(level) for level in merkle.levels_of(leaves)]
    assert merkle.packed_levels(b"".join(leaves)) == expected
