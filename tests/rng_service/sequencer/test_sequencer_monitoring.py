"""Alarms: raised once when a game's return is not what it states, in the log, seen by the auditor, never before."""

from dataclasses import replace
from fractions import Fraction

import pytest
from sequencer_world import ORIGIN, START_US, Killed
from sqlalchemy import insert, select, update

from anchor.errors import MalformedError, VerificationError
from rng_service.config import RtpConfig
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import LogEntryRow, RtpAlarmRow, RtpCellRow, RtpSeriesRow
from rng_service.ledger.rollups import EVER
from rng_service.log_entries import RtpAlarm, parse_entry
from rng_service.log_entries.rtp import e_value_text
from rng_service.sequencer.monitoring import alpha_of_series
from rng_service.verify.alarms import check_alarm

BET = {"bet": "under", "threshold": 50}


def watched(make_world, **rtp):
    world = make_world(size=64)
    world.config = replace(world.config, rtp=RtpConfig(fold_interval_s=1, monitor_interval_s=1, **rtp))
    world.register()
    world.start()
    world.steps(3)
    world.binder().draws(4, stake=100, bet=BET)
    world.steps(3, seconds=2)
    return world


def pretend(world, *, hits, misses, day=EVER):
    """Put plays into the histogram that no honest sequencer would have put there."""
    with writing(world.engine) as connection:
        series = connection.scalars(select(RtpSeriesRow.id)).one()
        connection.execute(RtpCellRow.__table__.delete())
        connection.execute(
            insert(RtpCellRow),
            [
                {"series_id": series, "day": day, "weight": 64, "multiplier": text, "expected": "99/100", "plays": n}
                for text, n in (("63/32", hits), ("0", misses))
            ],
        )


def alarms(world):
    with reading(world.engine) as connection:
        rows = connection.scalars(select(LogEntryRow.entry).where(LogEntryRow.type == RtpAlarm.TYPE)).all()
    return [parse_entry(bytes(row)) for row in rows]


def play_on(world):
    world.binder().draws(1, stake=100, bet=BET)
    world.steps(3, seconds=2)


@pytest.mark.parametrize(("hits", "misses", "direction"), [(900, 100, "high"), (1_000, 9_000, "low")])
def test_an_alarm_is_raised_once_and_passes_the_audit(make_world, hits, misses, direction):
    world = watched(make_world)
    assert alarms(world) == []
    pretend(world, hits=hits, misses=misses)
    play_on(world)
    (alarm,) = alarms(world)
    assert (alarm.game, alarm.version, alarm.program, alarm.play_class, alarm.currency) == (
        "dice",
        1,
        "base",
        "real",
        "EUR",
    )
    assert alarm.direction == direction
    assert alarm.alpha == "1/400"
    assert float(alarm.e_value) > 400
    play_on(world)
    assert len(alarms(world)) == 1
    world.sequencer.finish()
    report = world.verify()
    assert report.entries["rtp.alarm"] == 1
    assert report.incidents == {f"rtp.alarm: the return of dice/1/base/real in EUR is {direction}": 1}


def test_a_death_around_an_alarm_leaves_it_in_the_log_once(make_world):
    world = watched(make_world)
    pretend(world, hits=900, misses=100)
    world.abandon()

    def die(name):
        if name == "alarm.recorded":
            raise Killed(name)

    world.start(on_step=die)
    with pytest.raises(Killed):
        play_on(world)
    world.abandon()
    world.start()
    play_on(world)
    assert len(alarms(world)) == 1
    world.sequencer.finish()
    assert world.verify().entries["rtp.alarm"] == 1


def test_an_acknowledged_series_begins_anew_and_at_a_stricter_level(make_world):
    world = watched(make_world)
    pretend(world, hits=900, misses=100)
    play_on(world)
    with writing(world.engine) as connection:
        connection.execute(update(RtpAlarmRow).values(acknowledged_us=1, acknowledged_by="op"))
        connection.execute(update(RtpSeriesRow).values(since_day=START_US // 86_400_000_000, since_digest=3))
    play_on(world)
    # What was there before counts no more.
    assert len(alarms(world)) == 1
    pretend(world, hits=3_000, misses=100, day=START_US // 86_400_000_000)
    play_on(world)
    assert [alarm.alpha for alarm in alarms(world)] == ["1/400", "1/1200"]
    assert alarms(world)[1].from_digest == 3


def test_an_honest_game_raises_nothing_and_a_service_may_raise_nothing_at_all(make_world):
    world = watched(make_world, one_false_alarm_in=0)
    pretend(world, hits=900, misses=100)
    play_on(world)
    assert alarms(world) == []
    world.sequencer.finish()
    assert world.verify().incidents == {}


def test_levels_add_up_to_the_error_that_was_allowed():
    spent = sum(alpha_of_series(number, epoch, 100) for number in range(1, 300) for epoch in range(300))
    assert Fraction(98, 100) / 100 < spent < Fraction(1, 100)


@pytest.mark.parametrize(
    ("logarithm", "text"),
    [(0.0, "1.00000e0"), (6.0, "4.03428e2"), (2.302585092994046, "1.00000e1"), (23_025.9, "1.05029e10000")],
)
def test_e_values_are_stated_by_their_decades(logarithm, text):
    assert abs(float(e_value_text(logarithm)[:7]) - float(text[:7])) < 2e-5
    assert e_value_text(logarithm)[7:] == text[7:]


def alarm(**changes):
    fields = {
        "game": "dice", "version": 1, "program": "base", "play_class": "real", "currency": "EUR", "from_digest": 1,
        "to_digest": 2, "direction": "high", "e_value": "4.00000e2", "alpha": "1/400",
    }  # fmt: skip
    return RtpAlarm(origin=ORIGIN, time_us=START_US, **(fields | changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"game": "other"}, "alarm-game"),
        ({"program": "other"}, "alarm-game"),
        ({"version": 2}, "alarm-game"),
        ({"to_digest": 3}, "alarm-digests"),
        ({"from_digest": 3}, "alarm-digests"),
        ({"e_value": "3.99990e2"}, "alarm-level"),
        ({"alpha": "1/401"}, "alarm-level"),
    ],
)
def test_an_alarm_that_says_what_cannot_be_is_refused(changes, reason):
    from types import SimpleNamespace

    registry = SimpleNamespace(games={("dice", 1): SimpleNamespace(programs=("base",))})
    check_alarm(alarm(), registry, 3)
    with pytest.raises(VerificationError) as caught:
        check_alarm(alarm(**changes), registry, 3)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "changes", [{"e_value": "inf"}, {"e_value": "0.5e3"}, {"alpha": "0.01"}, {"direction": "up"}, {"currency": ""}]
)
def test_an_alarm_in_another_form_is_not_read(changes):
    assert parse_entry(alarm().to_bytes()) == alarm()
    with pytest.raises(MalformedError):
        parse_entry(alarm(**changes).to_bytes())
