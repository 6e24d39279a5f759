"""The front's read model: one game's trouble is not the others', and what takes long is not done under a draw."""

import json

import pytest
from front_world import GAMES, FrontWorld, wager
from sqlalchemy import insert

from rng_service.errors import NotFound
from rng_service.games import parse_game
from rng_service.games.files import GameFiles
from rng_service.games.weights import read_weights
from rng_service.ledger.engine import writing
from rng_service.ledger.models import GameRow, StreamRow


@pytest.fixture
def world(tmp_path):
    made = FrontWorld(tmp_path)
    made.add_pool(8)
    yield made
    made.close()


def register(world, definition):
    """Enter a game and its stream of the program ``base`` into the ledger, as other processes do."""
    with writing(world.ledger) as connection:
        game = insert(GameRow).values(
            name=definition.game,
            version=definition.version,
            digest=definition.digest,
            definition=definition.canonical,
        )
        key = connection.execute(game.returning(GameRow.id)).scalar_one()
        stream = insert(StreamRow).values(game_id=key, program="base", play_class="real", lanes=1, pool_size=64)
        connection.execute(stream)


def game_of_a_table(tmp_path):
    path = tmp_path / "weights.csv"
    path.write_bytes(b"1,3,0\n2,1,200\n")
    with path.open("rb") as file:
        table = read_weights(file, name="weights").table
    program = {
        "steps": [{"step": "lookup", "file": table.digest.hex(), "rows": 2, "total": 4}],
        "settlement": {"model": "lookup", "cost": 1},
    }
    value = {"v": 1, "game": "book-of", "version": 1, "title": "Book of", "programs": {"base": program}}
    return parse_game(json.dumps(value).encode(), GameFiles.of([table]))


def test_a_game_whose_file_is_lost_cannot_be_played_and_every_other_can(world, tmp_path, caplog):
    register(world, game_of_a_table(tmp_path))
    world.catalog.refresh()
    assert world.service().draw(world.draw_request(wager=wager()), "server", 5).receipt.slot == 0
    with pytest.raises(NotFound):
        world.catalog.stream("book-of", 0, "base", "real")
    assert "book-of version 1 cannot be played" in caplog.text


def test_a_game_whose_file_comes_back_can_be_played_from_then_on(world, tmp_path):
    definition = game_of_a_table(tmp_path)
    register(world, definition)
    world.catalog.refresh()
    data = (tmp_path / "weights.csv").read_bytes()
    world.store.take_weights(definition.program("base").outcome.steps[0].table.digest, [data])
    world.catalog.refresh()
    assert world.catalog.stream("book-of", 0, "base", "real").definition == definition


def test_a_guard_that_is_lost_under_a_draw_does_not_make_it_wait_for_new_games(world):
    world.catalog.refresh()
    register(world, parse_game((GAMES / "dice-99.json").read_bytes()))
    world.catalog.reload_cursors()
    with pytest.raises(NotFound):
        world.catalog.stream("dice-99", 0, "base", "real")
    assert world.catalog.stream(world.definition.game, 0, "base", "real").pools(0)
    world.catalog.refresh()
    world.catalog.reload_cursors()
    assert world.catalog.stream("dice-99", 0, "base", "real").definition.game == "dice-99"
