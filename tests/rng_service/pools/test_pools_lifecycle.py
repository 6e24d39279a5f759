import pytest
from hypothesis import given
from hypothesis import strategies as st

from rng_service.pools.lifecycle import (
    Activation,
    Event,
    PoolUse,
    State,
    missing_pools,
    next_activation,
    next_state,
    sources,
    target,
)

ENDS = {State.VOID, State.ERASED, State.HALTED}


def test_the_straight_way_leads_from_sealed_to_erased():
    state = State.SEALED
    for event in (
        Event.COMMIT_PUBLISHED,
        Event.ACTIVATION_WRITTEN,
        Event.VAULT_ENABLED,
        Event.COMPLETED,
        Event.KEY_DESTROYED,
    ):
        state = next_state(state, event)
    assert state is State.ERASED


@given(st.lists(st.sampled_from(Event), max_size=30))
def test_no_state_is_ever_entered_twice_and_ends_are_final(events):
    state, seen = State.SEALED, {State.SEALED}
    for event in events:
        if state in sources(event):
            state = next_state(state, event)
            assert state not in seen
            seen.add(state)
        else:
            with pytest.raises(ValueError, match=state):
                next_state(state, event)
    assert (
        {State.QUARANTINED, State.VOID} & seen == set()
        or State.VOID not in seen
        or State.ACTIVE not in seen
        or (State.QUARANTINED in seen)
    )


def test_a_pool_with_a_plan_is_used_behind_its_pass_and_in_no_other_way():
    state = State.SEALED
    for event in (Event.COMMIT_PUBLISHED, Event.TEST_DUE, Event.TEST_PASSED, Event.VAULT_ENABLED):
        state = next_state(state, event)
    assert state is State.ACTIVE
    without_pass = set(Event) - {Event.TEST_PASSED}
    reached = {State.TESTING}
    while more := {target(event) for event in without_pass if sources(event) & reached} - reached:
        reached |= more
    assert not {State.ACTIVATING, State.ACTIVE} & reached
    assert State.VOID in reached


def test_what_has_ended_undergoes_nothing():
    assert not [event for event in Event if sources(event) & ENDS]


def test_a_quarantine_is_never_reversed():
    after = {target(event) for event in Event if State.QUARANTINED in sources(event)}
    assert after == {State.VOID, State.CLOSED, State.HALTED}


def test_a_lane_counts_pools_on_their_way_and_not_those_that_are_used_up():
    full = PoolUse(State.ACTIVE, 8, 8)
    assert missing_pools(2, []) == 2
    assert missing_pools(2, [full, PoolUse(State.SEALED, 0, 8)]) == 1
    assert missing_pools(2, [PoolUse(State.ACTIVE, 7, 8), PoolUse(State.COMMITTED, 0, 8)]) == 0
    assert missing_pools(1, [PoolUse(State.QUARANTINED, 0, 8)]) == 1
    assert missing_pools(1, [PoolUse(State.TESTING, 0, 8)]) == 0
    assert missing_pools(1, [PoolUse(State.ACTIVE, 0, 8)] * 3) == 0


@pytest.mark.parametrize(
    ("now_us", "opens_us", "known", "expected"),
    [
        (5, None, False, Activation.ACTIVATE),
        (999, None, False, Activation.ACTIVATE),
        (9, 10, False, Activation.WAIT),
        (10, 10, False, Activation.ASK_BEACON),
        (10, 10, True, Activation.ACTIVATE),
        (100, 10, True, Activation.ACTIVATE),
        (101, 10, True, Activation.THROW_AWAY),
        (101, 10, False, Activation.THROW_AWAY),
    ],
)
def test_a_committed_pool_waits_for_its_round_until_its_deadline(now_us, opens_us, known, expected):
    assert next_activation(now_us=now_us, deadline_us=100, opens_us=opens_us, round_known=known) is expected
