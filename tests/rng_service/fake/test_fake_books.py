"""The fake gives the books of a math package as the real service does."""

import json
from pathlib import Path

import pytest

from rng_service.client import Client
from rng_service.client.errors import CallError
from rng_service.fake import FakeServer
from rng_service.fake.__main__ import _load
from rng_service.game_file_store import GameFileStore
from rng_service.games import load_game
from rng_service.stake_engine.package import read_package
from rng_service.stake_engine.packing import pack_books

VECTOR = Path(__file__).resolve().parents[2] / "vectors" / "stake_engine"
DICE = Path(__file__).resolve().parents[3] / "games" / "dice-99.json"


@pytest.fixture
def client(tmp_path):
    (tmp_path / "game").mkdir()
    package = read_package(VECTOR)
    (tmp_path / "game" / "game.json").write_bytes(package.definition("rage", 1, "Rage").canonical)
    for path in package.files().values():
        (tmp_path / "game" / path.name).write_bytes(path.read_bytes())
    files = GameFileStore(tmp_path / "store", pack_books=pack_books)
    games = [_load(tmp_path / "game" / "game.json", files), load_game(DICE)]
    with (
        FakeServer(games, files=files) as fake,
        Client(
            fake.target,
            caller="local",
            journal=tmp_path / "journal",
            development=True,
            verify="off",
            origin=fake.origin,
        ) as made,
    ):
        fake.force("rage", "base", [[0], [1], [199]])
        yield made
    files.close()


def test_forced_rows_come_with_their_books(client):
    assert json.loads(client.draw("rage", "base").book.data)["id"] == 1
    (receipt,) = client.batch_draw("rage", "base", 2)
    assert receipt.book is None
    assert [json.loads(client.get_book(receipt, item).data)["id"] for item in range(2)] == [2, 200]
    with pytest.raises(IndexError):
        client.get_book(receipt, 2)


def test_a_game_without_books_has_none(client):
    receipt = client.draw("dice-99", "base")
    assert receipt.book is None
    with pytest.raises(CallError, match="has no books"):
        client.get_book(receipt)
