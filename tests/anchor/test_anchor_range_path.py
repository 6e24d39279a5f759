from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import VerificationError
from anchor.merkle import inclusion_path, levels_of
from anchor.range_path import range_path, root_from_range


def leaves_of(size):
    return [sha256(b"%d" % number).digest() for number in range(size)]


@st.composite
def ranges(draw):
    size = draw(st.integers(1, 70))
    first = draw(st.integers(0, size - 1))
    return size, first, draw(st.integers(1, size - first))


@given(ranges())
def test_the_path_of_every_range_leads_to_the_root(shape):
    size, first, count = shape
    leaves = leaves_of(size)
    levels = levels_of(leaves)
    path = range_path(levels, first, count)
    assert root_from_range(size, first, leaves[first : first + count], path) == levels[-1][0]


@given(ranges(), st.data())
def test_one_changed_hash_leads_to_another_root(shape, data):
    size, first, count = shape
    leaves = leaves_of(size)
    levels = levels_of(leaves)
    path = range_path(levels, first, count)
    part = leaves[first : first + count]
    victim = data.draw(st.integers(0, len(path) + count - 1))
    changed = part if victim >= len(path) else path
    position = victim - len(path) if victim >= len(path) else victim
    changed[position] = sha256(changed[position]).digest()
    assert root_from_range(size, first, part, path) != levels[-1][0]


def test_a_range_of_one_holds_the_hashes_of_the_inclusion_path_in_tree_order():
    levels = levels_of(leaves_of(13))
    for index in range(13):
        assert sorted(range_path(levels, index, 1)) == sorted(inclusion_path(levels, index))


def test_the_whole_tree_needs_no_path():
    levels = levels_of(leaves_of(5))
    assert range_path(levels, 0, 5) == []
    assert root_from_range(5, 0, leaves_of(5), []) == levels[-1][0]


def test_a_path_of_two_hashes_a_level_is_enough():
    levels = levels_of(leaves_of(1 << 10))
    assert len(range_path(levels, 1, 1022)) == 2 * 9 + 2 - 18
    assert len(range_path(levels, 511, 2)) == 18


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (0, 0), (4, 2), (5, 1)])
def test_a_range_outside_the_tree_has_no_path(first, count):
    with pytest.raises(IndexError):
        range_path(levels_of(leaves_of(5)), first, count)


@pytest.mark.parametrize(
    ("size", "first", "count", "path"),
    [(5, 0, 0, 0), (5, 4, 2, 0), (0, 0, 1, 0), (5, -1, 1, 3), (5, 1, 2, 2), (5, 1, 2, 4), (2**64, 0, 1, 64)],
)
def test_ranges_and_paths_of_another_shape_are_refused(size, first, count, path):
    with pytest.raises(VerificationError) as caught:
        root_from_range(size, first, leaves_of(count), leaves_of(path))
    assert caught.value.reason == "inclusion"


def test_a_hash_of_another_length_is_refused():
    with pytest.raises(VerificationError) as caught:
        root_from_range(2, 0, leaves_of(1), [b"short"])
    assert caught.value.reason == "inclusion"
