import pytest
from log_fixture import ORIGIN, VERIFIER, entries_of, snapshot, write_log

from anchor import merkle
from anchor.checkpoint import Checkpoint
from anchor.errors import MissingError, VerificationError
from anchor.note import VerifierKey, parse_note
from anchor.proof import LogProof, verify_proof
from anchor.reader import LogReader
from anchor.source import DirectorySource
from anchor.tile import TILE_WIDTH, tiles_of


def reader_of(directory):
    return LogReader(DirectorySource(directory), VERIFIER)


def refused(directory):
    with pytest.raises(VerificationError) as caught:
        list(reader_of(directory).entries())
    return caught.value


def check_whole_log(directory, size):
    """Everything a reader can ask of the log at ``size`` fits the recursive tree over its entries."""
    reader = reader_of(directory)
    entries = entries_of(size)
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    levels = merkle.levels_of(leaves)
    assert reader.checkpoint() == Checkpoint(ORIGIN, size, merkle.root_of(leaves))
    assert list(reader.entries()) == entries
    for index in {0, 1, 100, 255, 256, size // 2, size - 1}:
        if 0 <= index < size:
            assert reader.entry(index) == entries[index]
            assert reader.inclusion_proof(index) == merkle.inclusion_path(levels, index)
    for old_size in {0, 1, 3, 255, 256, 257, size // 3, size - 1, size}:
        if 0 <= old_size <= size:
            assert reader.consistency_proof(old_size) == merkle.consistency_path(leaves, old_size)
            reader.verify_extends(Checkpoint(ORIGIN, old_size, merkle.root_of(leaves[:old_size])))


@pytest.mark.parametrize("batches", [(0,), (1,), (2,), (255,), (256,), (257,), (1, 1, 254, 1), (250, 300, 20)])
def test_a_log_reads_as_it_was_written(tmp_path, batches):
    write_log(tmp_path, *batches)
    check_whole_log(tmp_path, sum(batches))


def test_a_log_of_70000_entries_reads_as_it_was_written(tmp_path):
    write_log(tmp_path, 65_500, 4_500)
    check_whole_log(tmp_path, 70_000)
    expected = {tile.path() for tile in tiles_of(70_000)}
    assert expected < set(snapshot(tmp_path))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    directory = tmp_path_factory.mktemp("log")
    write_log(directory, 300, 300)
    return directory


def test_a_flipped_bit_in_any_tile_or_bundle_is_blamed_on_its_file(log):
    implied = [tile.path() for tile in tiles_of(600)]
    implied += [tile.path().replace("tile/0/", "tile/entries/") for tile in tiles_of(600) if tile.level == 0]
    for path in implied:
        file = log / path
        good = file.read_bytes()
        for position in sorted({0, 1, 2, len(good) // 2, len(good) - 1}):
            file.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
            error = refused(log)
            assert error.reason in {"tile-mismatch", "entry-mismatch"}
            assert path in error.message
        for changed in (good[:-1], good + b"\0", b""):
            file.write_bytes(changed)
            assert path in refused(log).message
        file.write_bytes(good)
    assert len(list(reader_of(log).entries())) == 600


def test_a_missing_file_is_reported_as_missing_and_named(log):
    for path in ("tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001", "checkpoint"):
        file = log / path
        good = file.read_bytes()
        file.unlink()
        with pytest.raises(MissingError, match=f"^{path}"):
            list(reader_of(log).entries())
        file.write_bytes(good)


def test_tiles_of_another_history_do_not_reach_the_signed_root(tmp_path):
    write_log(tmp_path / "a", 5)
    write_log(tmp_path / "b", 4, 2)
    (tmp_path / "a/checkpoint").replace(tmp_path / "a/old")
    note = (tmp_path / "b/checkpoint").read_bytes()
    (tmp_path / "a/checkpoint").write_bytes(note)
    for kind in ("0", "entries"):
        source = tmp_path / f"a/tile/{kind}/000.p/5"
        source.with_name("6").write_bytes((tmp_path / f"b/tile/{kind}/000.p/6").read_bytes())
    assert len(list(reader_of(tmp_path / "a").entries())) == 6
    for kind, data in (("0", merkle.leaf_hash(b"x") * 6), ("entries", b"\0\1x" * 6)):
        (tmp_path / f"a/tile/{kind}/000.p/6").write_bytes(data)
    assert refused(tmp_path / "a").reason == "root-mismatch"


def test_a_checkpoint_by_another_key_is_refused(log):
    stranger = VerifierKey(ORIGIN, 1, bytes(32))
    with pytest.raises(VerificationError, match="note-unsigned"):
        LogReader(DirectorySource(log), stranger).checkpoint()


def test_a_partial_tile_may_be_replaced_by_the_full_one(tmp_path):
    write_log(tmp_path, 200)
    note = (tmp_path / "checkpoint").read_bytes()
    write_log(tmp_path / "full", 256)
    for path in ("tile/0/000", "tile/entries/000"):
        (tmp_path / path).write_bytes((tmp_path / "full" / path).read_bytes())
        (tmp_path / f"{path}.p/200").unlink()
    reader = reader_of(tmp_path)
    assert reader.checkpoint_note() == note
    assert list(reader.entries()) == entries_of(200)


def test_a_range_of_entries_is_read_without_the_rest(log):
    reader = reader_of(log)
    assert list(reader.entries(250, 520)) == entries_of(270, 250)
    assert list(reader.entries(300)) == entries_of(300, 300)
    assert list(reader.entries(7, 7)) == []
    assert list(reader.entries(256, 512)) == entries_of(256, 256)


class CountingSource(DirectorySource):
    def __init__(self, directory):
        super().__init__(directory)
        self.paths = []

    def read(self, path, *, limit):
        self.paths.append(path)
        return super().read(path, limit=limit)


def test_only_files_that_the_checkpoint_implies_are_fetched_each_once(tmp_path):
    write_log(tmp_path, 100, 500)
    source = CountingSource(tmp_path)
    reader = LogReader(source, VERIFIER)
    assert len(list(reader.entries())) == 600
    for index in (0, 300, 599):
        reader.inclusion_proof(index)
    tiles = [tile.path() for tile in tiles_of(600)]
    bundles = [path.replace("tile/0/", "tile/entries/") for path in tiles if path.startswith("tile/0/")]
    assert sorted(source.paths) == sorted(["checkpoint", *tiles, *bundles])


def test_memory_stays_bounded_over_a_long_log(tmp_path):
    write_log(tmp_path, 80 * TILE_WIDTH)
    reader = reader_of(tmp_path)
    assert sum(1 for _ in reader.entries()) == 80 * TILE_WIDTH
    assert len(reader._open()[2]._cache) == 64


@pytest.mark.parametrize("position", [-1, 600, 10**9])
def test_positions_beyond_the_checkpoint_are_refused(log, position):
    reader = reader_of(log)
    for call in (reader.entry, reader.inclusion_proof):
        with pytest.raises(IndexError):
            call(position)
    with pytest.raises(IndexError):
        reader.entries(0, 601)
    with pytest.raises(IndexError):
        reader.consistency_proof(601)


def test_a_checkpoint_that_does_not_extend_an_older_one_is_refused(log):
    reader = reader_of(log)
    for old in (Checkpoint(ORIGIN, 300, bytes(32)), Checkpoint(ORIGIN, 601, bytes(32))):
        with pytest.raises(VerificationError) as caught:
            reader.verify_extends(old)
        assert caught.value.reason == "consistency"


def test_what_the_reader_proves_makes_an_offline_proof(log):
    reader = reader_of(log)
    proof = LogProof(299, tuple(reader.inclusion_proof(299)), reader.checkpoint_note())
    leaf = merkle.leaf_hash(reader.entry(299))
    assert verify_proof(proof, leaf, VERIFIER) == reader.checkpoint()
    assert parse_note(reader.checkpoint_note()).text == reader.checkpoint().text()
