"""Worlds for the tests of the front: on SQLite, and where the database matters on PostgreSQL too."""

import pytest
from front_world import FrontWorld


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request, tmp_path):
    """A front's world on each database that the ledger supports; a test adds the pools that it needs."""
    url = ""
    if request.param == "postgresql":
        from postgres import new_database

        url = new_database()
    made = FrontWorld(tmp_path, url=url)
    yield made
    made.close()


@pytest.fixture
def sqlite_world(tmp_path):
    """A world whose database does not matter."""
    made = FrontWorld(tmp_path)
    yield made
    made.close()
