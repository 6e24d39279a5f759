import pytest

from rng_service.ledger.engine import open_engine
from rng_service.ledger.migrate import upgrade
from tests.support.postgres import new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_engine(request, tmp_path):
    """An engine on a database without any table."""
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}" if request.param == "sqlite" else new_database())
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(empty_engine):
    """An engine on an empty ledger."""
    upgrade(empty_engine)
    return empty_engine
