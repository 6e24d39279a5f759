import pytest
from sequencer_world import World

from tests.support.postgres import new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request, tmp_path):
    return f"sqlite:///{tmp_path / 'ledger.db'}" if request.param == "sqlite" else new_database()


@pytest.fixture
def make_world(tmp_path):
    made = []

    def make(ledger_url=None, **options):
        url = ledger_url or f"sqlite:///{tmp_path / 'ledger.db'}"
        made.append(World(tmp_path, url, **options))
        return made[-1]

    yield make
    for item in made:
        item.close()
