"""Numbers in a session: dense, each once, in whatever order the answers of several threads come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import VerificationError
from rng_service.client import session_numbers
from rng_service.client.session_numbers import SessionNumbers


def ask(numbers, *given_numbers, session="s", **options):
    numbers.begin(session)
    numbers.answered(session, given_numbers, **options)


def test_the_first_number_may_be_any_and_the_next_follow_it():
    numbers = SessionNumbers()
    for number in (7, 8, 9):
        ask(numbers, number)
    ask(numbers, 10, 11)
    ask(numbers, 1, session="another")
    ask(numbers)
    ask(numbers, 5, session="")
    with pytest.raises(VerificationError, match=r"known, now came \[13\]"):
        ask(numbers, 13)


@pytest.mark.parametrize("number", [1, 8, 9])
def test_a_number_that_came_before_is_refused_unless_the_request_is_a_repeat(number):
    numbers = SessionNumbers()
    ask(numbers, 8)
    ask(numbers, 9)
    ask(numbers, number, repeatable=True)
    with pytest.raises(VerificationError, match="came twice, or behind 9"):
        ask(numbers, number)


@given(st.permutations(range(2, 12)))
def test_answers_that_were_under_way_together_may_come_in_any_order(order):
    numbers = SessionNumbers()
    ask(numbers, 1)
    for _ in order:
        numbers.begin("s")
    for number in order:
        numbers.answered("s", [number])
    ask(numbers, 12)


@given(st.permutations(range(2, 12)), st.integers(2, 10))
def test_a_number_that_is_missing_when_all_answers_are_there_is_noticed(order, missing):
    numbers = SessionNumbers()
    ask(numbers, 1)
    given_numbers = [number for number in order if number != missing]
    for _ in given_numbers:
        numbers.begin("s")
    for number in given_numbers[:-1]:
        numbers.answered("s", [number])
    with pytest.raises(VerificationError, match="session-sequence"):
        numbers.answered("s", given_numbers[-1:])


def test_a_request_in_doubt_may_have_a_number_until_it_is_resolved():
    numbers = SessionNumbers()
    ask(numbers, 1)
    numbers.begin("s")
    numbers.doubt("s", "lost")
    ask(numbers, 2)
    # The request in doubt was bound after all, as number 3.
    ask(numbers, 4)
    numbers.resolved("s", "lost")
    ask(numbers, 5)
    with pytest.raises(VerificationError):
        ask(numbers, 7)


def test_a_request_that_is_refused_takes_no_number():
    numbers = SessionNumbers()
    ask(numbers, 1)
    ask(numbers)
    with pytest.raises(VerificationError):
        ask(numbers, 3)


def test_where_other_processes_draw_in_the_same_sessions_only_numbers_that_repeat_are_refused():
    numbers = SessionNumbers(exclusive=False)
    ask(numbers, 1)
    ask(numbers, 5)
    with pytest.raises(VerificationError):
        ask(numbers, 5)


def test_sessions_that_are_over_are_forgotten_and_those_in_use_are_not(monkeypatch):
    monkeypatch.setattr(session_numbers, "_KEPT_SESSIONS", 3)
    numbers = SessionNumbers()
    numbers.begin("waiting")
    for name in "abcdefgh":
        ask(numbers, 1, session=name)
    assert len(numbers._sessions) <= 4
    assert "waiting" in numbers._sessions
    # Forgotten, so any number begins anew.
    ask(numbers, 9, session="a")
