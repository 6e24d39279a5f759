"""The operator's copy of game files: whole and checked under its name, or not there."""

import fcntl
from hashlib import sha256

import math_package
import pytest

from anchor.errors import MalformedError, MissingError, RefusedError
from rng_service.game_file_store import GameFileStore, named_weights
from rng_service.games.files import file_digest
from rng_service.public_files import weights_path
from rng_service.stake_engine.package import read_package
from rng_service.stake_engine.packing import pack_books


@pytest.fixture
def package(tmp_path):
    return read_package(math_package.write_package(tmp_path / "package"))


@pytest.fixture
def store(tmp_path):
    # In this process: a test has no draws to keep waiting.
    made = GameFileStore(tmp_path / "store", pack_books=pack_books)
    yield made
    made.close()


def chunks(path, size=1_000):
    data = path.read_bytes()
    return (data[at : at + size] for at in range(0, len(data), size))


def taken(store, package):
    for mode in package.modes:
        weights, books = package.directory / mode.mode.weights, package.directory / mode.mode.books
        store.take_weights(file_digest(weights), chunks(weights))
        store.take_books(file_digest(books), file_digest(weights), chunks(books))


def test_what_was_taken_is_there_under_its_digest_and_nothing_else_is(store, package, tmp_path):
    taken(store, package)
    definition = package.definition("g", 1, "G")
    store.check(definition)
    assert len(list((tmp_path / "store").iterdir())) == 4
    for mode in package.modes:
        assert store.has_weights(mode.table.digest)
        assert store.has_books(mode.books.file, mode.table.digest)
        assert store.files.table(mode.table.digest).rows == mode.table.rows
        model = definition.program(mode.mode.program).model
        assert store.pack(model).root == mode.books.root
        assert store.pack(model) is store.pack(model)


def test_the_same_again_reads_nothing(store, package):
    taken(store, package)

    def never():
        raise AssertionError("it was read")
        yield b""

    mode = package.modes[0]
    store.take_weights(mode.table.digest, never())
    store.take_books(mode.books.file, mode.table.digest, never())


def test_what_is_not_what_was_announced_leaves_nothing(store, tmp_path):
    with pytest.raises(MalformedError, match="announced was"):
        store.take_weights(bytes(32), [b"1,1,0\n"])
    bad = b"1,1\n"
    with pytest.raises(MalformedError, match="weights, line 1: 2 columns"):
        store.take_weights(sha256(bad).digest(), [bad])
    with pytest.raises(MissingError, match="uploaded before their books"):
        store.take_books(bytes(32), bytes(32), [])
    assert list((tmp_path / "store").iterdir()) == []


def test_an_upload_that_is_cut_off_is_made_again(store, package, tmp_path):
    weights = package.directory / package.modes[0].mode.weights

    def cut():
        yield b"1,1"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.take_weights(file_digest(weights), cut())
    # What a crash leaves.
    (tmp_path / "store" / f"incoming-{file_digest(weights).hex()}").write_bytes(b"rubbish")
    store.take_weights(file_digest(weights), chunks(weights))
    assert [path.name for path in (tmp_path / "store").iterdir()] == [f"{file_digest(weights).hex()}.csv"]


def test_two_fronts_do_not_write_into_one_file(store, package, tmp_path):
    weights = package.directory / package.modes[0].mode.weights
    (tmp_path / "store").mkdir()
    with (tmp_path / "store" / f"incoming-{file_digest(weights).hex()}").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RefusedError, match="being uploaded already"):
            store.take_weights(file_digest(weights), chunks(weights))


def test_publishing_copies_the_weights_once_and_refuses_another_file_in_their_place(store, package, tmp_path):
    definition = package.definition("g", 1, "G").canonical
    with pytest.raises(MissingError, match="upload it again"):
        store.publish(definition, tmp_path / "public")
    taken(store, package)
    for _ in range(2):
        store.publish(definition, tmp_path / "public")
    digests = named_weights(definition)
    assert digests == sorted(mode.table.digest for mode in package.modes)
    for digest in digests:
        assert file_digest(tmp_path / "public" / weights_path(digest)) == digest
    (tmp_path / "public" / weights_path(digests[0])).write_bytes(b"1,1,0\n")
    with pytest.raises(RefusedError, match="must never change"):
        store.publish(definition, tmp_path / "public")


def test_a_place_that_was_thrown_away_while_it_was_waited_for_is_not_written_to(store, tmp_path, monkeypatch):
    data = b"1,1,0\n"
    digest = sha256(data).digest()
    place = tmp_path / "store" / f"incoming-{digest.hex()}"
    honest = fcntl.flock

    def late(file, how):
        # Another front ended with this file and threw it away, and a third began a new one.
        honest(file, how)
        place.unlink()
        place.write_bytes(b"half of it")

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(RefusedError):
        store.take_weights(digest, [data])
    assert place.read_bytes() == b"half of it"
    assert not store.has_weights(digest)
