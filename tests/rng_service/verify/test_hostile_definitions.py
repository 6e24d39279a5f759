"""Definitions and entries that were made to keep an auditor busy, or to make it fall over."""

import json
import threading
from dataclasses import replace
from fractions import Fraction

import pytest
from operator_simulator import Operator, tell

from rng_service.games import GameDefinition, GameError, parse_game
from rng_service.games.definition import GameProgram
from rng_service.games.models.base import Strategy
from rng_service.games.prizes import winning
from rng_service.games.theory import program_theory
from rng_service.log_entries import GamePar, parse_entry
from rng_service.outcome import Uniform, compile_program
from rng_service.verify import par, verify_log
from rng_service.verify.time_limit import OutOfTimeError, time_limit


def wheel_paying(fractions):
    prizes = [{"pays": pays, "numbers": [number]} for number, pays in enumerate(fractions)]
    program = {
        "steps": [{"step": "uniform", "n": len(fractions)}],
        "settlement": {"model": "table", "bets": {"spin": {"prizes": prizes}}},
    }
    return json.dumps({"v": 1, "game": "x", "version": 1, "title": "x", "programs": {"base": program}}).encode()


def test_prizes_that_have_no_denominator_in_common_are_refused():
    primes = [number for number in range(10_007, 12_000, 2) if all(number % divisor for divisor in range(3, 110, 2))]
    with pytest.raises(GameError) as refused:
        parse_game(wheel_paying([f"1/{prime}" for prime in primes]))
    assert refused.value.path == "$.programs.base.settlement"
    assert parse_game(wheel_paying([f"{number}/1000" for number in range(1, 200)])).game == "x"


def test_figures_that_cannot_be_written_down_are_out_of_reach():
    class Endless:
        def listed_bets(self):
            tiny = Fraction(1, 3**10_000)
            return [("spin", Strategy("spin", tiny, winning({Fraction(1): tiny})))]

    program = GameProgram("base", compile_program((Uniform(2, 1),)), "endless", Endless())
    with pytest.raises(GameError, match="out of reach"):
        program_theory(GameDefinition("x", 1, "x", {"base": program}, b"{}", bytes(32)), "base")


def forever():
    while True:
        pass


@pytest.fixture
def operator(tmp_path):
    told = Operator(tmp_path / "public")
    tell(told)
    told.publish()
    return told


def test_sheets_that_take_too_long_are_skipped_and_said_to_be(operator, monkeypatch):
    monkeypatch.setattr(par, "SHEETS_S", 0.05)
    monkeypatch.setattr(par, "par_sheet", lambda _definition: forever())
    report = verify_log(operator.source, operator.vkey)
    skipped = [line for line in report.skipped if "PAR sheet" in line]
    assert len(skipped) == report.entries["game.par"]
    assert all(f"NOT CHECKED: {line}" in report.lines() for line in skipped)


def test_a_sheet_that_is_announced_again_is_computed_once(operator, monkeypatch):
    computed = []
    honest = par.par_sheet
    monkeypatch.setattr(par, "par_sheet", lambda definition: computed.append(definition.digest) or honest(definition))
    for entry in map(parse_entry, list(operator.entries)):
        if isinstance(entry, GamePar):
            operator.append(replace(entry, time_us=operator.now_us))
    operator.digest()
    operator.publish()
    verify_log(operator.source, operator.vkey)
    assert len(computed) == len(set(computed)) > 0


def test_work_is_stopped_when_its_time_is_over_and_only_then():
    with pytest.raises(OutOfTimeError), time_limit(0.01):
        forever()
    with pytest.raises(OutOfTimeError), time_limit(0):
        raise AssertionError("there was no time left")
    with time_limit(60):
        pass


def test_elsewhere_than_in_the_main_thread_work_takes_as_long_as_it_takes():
    done = []

    def work():
        with time_limit(1e-6):
            done.append(sum(range(100_000)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [4_999_950_000]
