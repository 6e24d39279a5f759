import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor import tile
from anchor.errors import MalformedError
from anchor.merkle import leaf_hash, root_of


@pytest.mark.parametrize(
    ("number", "path"),
    [(0, "000"), (5, "005"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")],
)
def test_numbers_are_written_in_groups_of_three_digits(number, path):
    assert tile.number_path(number) == path


def test_paths_name_level_number_and_width():
    assert tile.tile_path(0, 5) == "tile/0/005"
    assert tile.tile_path(1, 1234067, 17) == "tile/1/x001/x234/067.p/17"
    assert tile.entries_path(0) == "tile/entries/000"
    assert tile.entries_path(273, 112) == "tile/entries/273.p/112"
    assert tile.Tile(2, 0, 1).path() == "tile/2/000.p/1"


@pytest.mark.parametrize("width", [0, -1, 257])
def test_widths_that_no_tile_has_are_refused(width):
    with pytest.raises(ValueError, match="1 to 256"):
        tile.entries_path(0, width)


def test_levels_and_numbers_that_no_tile_has_are_refused():
    with pytest.raises(ValueError, match="level"):
        tile.tile_path(64, 0)
    with pytest.raises(ValueError, match="negative"):
        tile.tile_path(0, -1)


def test_a_log_of_70000_entries_has_the_tiles_of_the_specification():
    tiles = list(tile.tiles_of(70_000))
    assert [t for t in tiles if t.level == 0] == [
        *(tile.Tile(0, n) for n in range(273)),
        tile.Tile(0, 273, 112),
    ]
    assert [t for t in tiles if t.level > 0] == [tile.Tile(1, 0), tile.Tile(1, 1, 17), tile.Tile(2, 0, 1)]
    assert [tile.partial_width(level, 70_000) for level in range(4)] == [112, 17, 1, 0]


def test_256_entries_fill_one_tile_and_start_the_next_level():
    assert list(tile.tiles_of(256)) == [tile.Tile(0, 0), tile.Tile(1, 0, 1)]
    assert list(tile.tiles_of(0)) == []


@given(st.integers(0, 10**6), st.integers(0, 1000))
def test_growth_adds_exactly_the_tiles_that_were_not_there(old_size, growth):
    size = old_size + growth
    new = set(tile.tiles_of(size, old_size))
    assert new == set(tile.tiles_of(size)) - set(tile.tiles_of(old_size))
    assert all(t.width == tile.tile_width(t.level, t.index, size) for t in new)


def test_a_tile_beyond_the_size_has_no_width():
    assert tile.tile_width(0, 1, 256) == 0
    assert tile.tile_width(0, 1, 257) == 1
    assert tile.tile_width(1, 0, 255) == 0


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256))
def test_a_bundle_survives_its_bytes(entries):
    assert tile.decode_bundle(tile.encode_bundle(entries), len(entries)) == entries


@given(st.lists(st.binary(max_size=10), min_size=1, max_size=5), st.data())
def test_a_bundle_of_another_length_is_refused(entries, data):
    encoded = tile.encode_bundle(entries)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(MalformedError):
        tile.decode_bundle(encoded[:cut], len(entries))
    for changed, width in (
        (encoded + b"\0", len(entries)),
        (encoded, len(entries) + 1),
        (encoded, len(entries) - 1),
    ):
        with pytest.raises(MalformedError):
            tile.decode_bundle(changed, width)


def test_an_overlong_bundle_is_refused_by_its_size():
    with pytest.raises(MalformedError, match="at most"):
        tile.decode_bundle(bytes(tile.MAX_BUNDLE_BYTES + 1), 256)


def test_an_entry_of_65535_bytes_fits_and_one_more_does_not():
    assert tile.decode_bundle(tile.encode_bundle([bytes(65_535)]), 1) == [bytes(65_535)]
    with pytest.raises(MalformedError, match="65535"):
        tile.encode_bundle([bytes(65_536)])
    for count in (0, 257):
        with pytest.raises(ValueError, match="1 to 256"):
            tile.encode_bundle([b""] * count)


def test_a_tile_splits_into_its_hashes():
    hashes = [leaf_hash(bytes([n])) for n in range(3)]
    assert tile.split_tile(b"".join(hashes), 3) == hashes
    for width in (2, 4):
        with pytest.raises(MalformedError):
            tile.split_tile(b"".join(hashes), width)


@given(st.integers(1, 1200))
def test_a_root_from_the_hashes_of_tiles_is_the_root_of_the_leaves(size):
    leaves = [leaf_hash(b"%d" % n) for n in range(size)]
    levels = [leaves]
    while len(levels[-1]) >= 256:
        below = levels[-1]
        levels.append([root_of(below[at : at + 256]) for at in range(0, len(below) - 255, 256)])
    assert tile.range_hash(0, size, lambda level, index: levels[level][index]) == root_of(leaves)
