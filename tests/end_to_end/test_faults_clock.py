"""A clock that is set back while the service runs, stays wrong over restarts, and is put right again.

`shifted_clock` says how the clock is set, and why in this way.
"""

from pathlib import Path

import shifted_clock
from sqlalchemy import select
from system import NAMES, System

from rng_service.ledger.engine import open_engine, reading
from rng_service.ledger.models import GroupRow

TWO_HOURS_S = 7_200


class Clock:
    """The clock of every process of a system."""

    def __init__(self, system: System) -> None:
        self._file = system.root / "clock"
        system.wrappers = dict.fromkeys(NAMES, (str(Path(shifted_clock.__file__)), str(self._file)))
        self.set(0)

    def set(self, seconds: int) -> None:
        temporary = self._file.with_suffix(".new")
        temporary.write_text(str(seconds), encoding="ascii")
        temporary.replace(self._file)


def bind_times(system):
    """Return the times of all commit groups in their order."""
    ledger = open_engine(system.config.ledger_url)
    with reading(ledger) as connection:
        found = connection.scalars(select(GroupRow.created_us).order_by(GroupRow.id)).all()
    ledger.dispose()
    return found


def test_a_clock_that_is_set_back_by_hours_stops_nothing_and_turns_nothing_around():
    with System() as system:
        clock = Clock(system)
        load = system.begin(operator=True)
        load.await_answers(20)
        clock.set(-TWO_HOURS_S)
        # Requests carry the clients' own, right time; they must not look as if they came from the future.
        load.await_answers(30)
        # A front that starts under the wrong clock finds in the ledger how late it was already.
        system.kill_all()
        system.start_together()
        load.await_answers(30)
        clock.set(0)
        load.await_answers(30)
        for name in NAMES:
            system.kill(name)
            system.start(name)
        load.await_answers(20)
        system.settle_down()
        report = system.check()
        assert {name for name in report.incidents if not name.startswith("outage")} == set()
        times = bind_times(system)
        assert times == sorted(times)


def test_a_clock_that_ran_ahead_and_is_put_right_stops_nothing_and_turns_nothing_around():
    with System() as system:
        clock = Clock(system)
        clock.set(TWO_HOURS_S)
        load = system.begin()
        load.await_answers(20)
        clock.set(0)
        load.await_answers(20)
        system.kill_all()
        system.start_together()
        load.await_answers(20)
        system.settle_down()
        system.check()
        times = bind_times(system)
        assert times == sorted(times)
