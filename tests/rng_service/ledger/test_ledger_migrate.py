import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, inspect, text

from rng_service.errors import LedgerError
from rng_service.ledger.migrate import upgrade
from rng_service.ledger.models import Base
from tests.support.postgres import new_database


def described(engine):
    """Everything that the database says about its tables, apart from alembic's own."""
    inspector = inspect(engine)
    names = [name for name in sorted(inspector.get_table_names()) if name != "alembic_version"]
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"], c.get("autoincrement")) for c in inspector.get_columns(name)],
            inspector.get_pk_constraint(name)["constrained_columns"],
            sorted(tuple(item["column_names"]) for item in inspector.get_unique_constraints(name)),
            sorted((i["name"], tuple(i["column_names"]), i["unique"]) for i in inspector.get_indexes(name)),
            sorted((tuple(k["constrained_columns"]), k["referred_table"]) for k in inspector.get_foreign_keys(name)),
        )
        for name in names
    }


def unreflected(engine):
    """What only SQLite's own text says: which tables have no rowid, and what an index leaves out."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"))
        return {name: sql if kind == "index" else "WITHOUT ROWID" in sql for name, kind, sql in rows}


def test_the_migrated_schema_is_that_of_the_models(empty_engine, tmp_path):
    upgrade(empty_engine)
    with empty_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    postgres = empty_engine.dialect.name == "postgresql"
    other = create_engine(new_database() if postgres else f"sqlite:///{tmp_path / 'models.db'}")
    Base.metadata.create_all(other)
    assert described(empty_engine) == described(other)
    if not postgres:
        found = unreflected(empty_engine)
        del found["alembic_version"]
        assert found == unreflected(other)
        assert found["requests"] is True
    other.dispose()


def test_an_up_to_date_ledger_is_left_alone(ledger):
    before = described(ledger)
    upgrade(ledger)
    assert described(ledger) == before


def test_a_database_that_refuses_stays_as_it_was(empty_engine):
    foreign = MetaData()
    with empty_engine.begin() as connection:
        connection.execute(text("CREATE TABLE pools (something_else INTEGER)"))
    with pytest.raises(LedgerError, match="schema"):
        upgrade(empty_engine)
    foreign.reflect(empty_engine)
    assert sorted(foreign.tables) == ["pools"]
