"""A wrong clock for one process: ``python shifted_clock.py FILE -m module arguments…``.

The service reads time in two places: `time.time_ns`, and SQLite's julianday('now') in the transaction that binds. Both
are replaced here, before the module runs, by the true time plus the seconds that stand in FILE, read
again at every call, so that a clock can be set while the process runs. Nothing in the service knows of it. `time.time`
is left alone: grpc adds its timeouts to it and hands the sum to its core, which would look at the true clock.

The alternatives: setting the machine's clock hits everything else on it; a time namespace shifts only the monotonic
clocks; libfaketime is not everywhere.
"""

import runpy
import sqlite3
import sqlite3.dbapi2
import sys
import time
from pathlib import Path

_UNIX_EPOCH_AS_JULIAN_DAY = 2440587.5
_true_time_ns = time.time_ns
_true_connect = sqlite3.connect


def main() -> None:
    """Take FILE and -m off the command line and run the module as `python -m` would."""
    shift = Path(sys.argv[1])
    assert sys.argv[2] == "-m", sys.argv

    def time_ns() -> int:
        return _true_time_ns() + int(shift.read_text(encoding="ascii")) * 1_000_000_000

    def julian_day(what: str) -> float:
        assert what == "now", what
        return _UNIX_EPOCH_AS_JULIAN_DAY + time_ns() / 86_400e9

    def connect(*arguments, **options):
        connection = _true_connect(*arguments, **options)
        # A function of the same name takes the place of the built-in one.
        connection.create_function("julianday", 1, julian_day)
        return connection

    time.time_ns = time_ns
    sqlite3.connect = sqlite3.dbapi2.connect = connect
    sys.argv = sys.argv[3:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
