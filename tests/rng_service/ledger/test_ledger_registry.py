import json
from pathlib import Path

import pytest
from sqlalchemy import func, select

from rng_service.errors import InvalidArgument
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import GameRow, LogEntryRow, StreamRow
from rng_service.ledger.registry import register_game
from rng_service.log_entries import parse_entry

GAMES = Path(__file__).resolve().parents[3] / "games"
DICE = (GAMES / "dice-99.json").read_bytes()


def register(engine, data=DICE, **options):
    with writing(engine) as connection:
        options = {"pool_size": 1_024, **options}
        return register_game(connection, data, origin="example.org/test", now_us=5, **options)


def count(engine, table):
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def queued(engine):
    with reading(engine) as connection:
        return [
            parse_entry(bytes(data)) for data in connection.scalars(select(LogEntryRow.entry).order_by(LogEntryRow.id))
        ]


def test_a_game_is_registered_with_its_streams_and_entries(ledger):
    definition, added = register(ledger, lanes=3)
    assert added
    game, *lanes = queued(ledger)
    assert (game.game, game.version, game.digest, game.programs) == ("dice-99", 1, definition.digest, ("base",))
    assert [(entry.stream, entry.lanes) for entry in lanes] == [("dice-99/1/base/real", 3), ("dice-99/1/base/free", 3)]
    with reading(ledger) as connection:
        assert connection.scalars(select(StreamRow.pool_size)).all() == [1_024, 1_024]
        assert bytes(connection.scalars(select(GameRow.definition)).one()) == definition.canonical


def test_the_same_definition_again_changes_nothing_however_it_is_laid_out(ledger):
    register(ledger)
    again = register(ledger, json.dumps(json.loads(DICE), indent=7).encode())
    assert not again.added
    assert count(ledger, LogEntryRow) == 3


def test_another_definition_needs_another_version(ledger):
    register(ledger)
    changed = {**json.loads(DICE), "title": "Dice 98"}
    with pytest.raises(InvalidArgument, match="another version"):
        register(ledger, json.dumps(changed).encode())
    assert register(ledger, json.dumps({**changed, "version": 2}).encode()).added
    assert count(ledger, GameRow) == 2


def test_only_the_play_classes_that_were_asked_for_get_pools(ledger):
    register(ledger, play_classes=("free",))
    with reading(ledger) as connection:
        assert connection.scalars(select(StreamRow.play_class)).all() == ["free"]


@pytest.mark.parametrize(
    ("data", "options", "field"),
    [
        (b"{}", {}, "definition"),
        (DICE, {"lanes": 0}, "lanes"),
        (DICE, {"lanes": 257}, "lanes"),
        (DICE, {"pool_size": 0}, "pool_size"),
        (DICE, {"pool_size": (1 << 20) + 1}, "pool_size"),
        (DICE, {"play_classes": ("gold",)}, "play_classes"),
    ],
)
def test_what_does_not_hold_is_refused_by_field_and_leaves_nothing(ledger, data, options, field):
    with pytest.raises(InvalidArgument) as refused:
        register(ledger, data, **options)
    assert refused.value.violations[0][0] == field
    assert count(ledger, GameRow) == count(ledger, LogEntryRow) == 0
