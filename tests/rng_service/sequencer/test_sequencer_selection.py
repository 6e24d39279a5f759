from hypothesis import given
from hypothesis import strategies as st

from rng_service.sequencer.selection import Candidate, Run, select_groups

NO_LIMIT = {"most_records": 10_000, "most_slots": 10_000}


def group(number, *binds, follows=(), records=1):
    runs = tuple(Run(*run) for run in binds)
    return Candidate(number, records, sum(run.slots for run in runs), runs, tuple(Run(*run) for run in follows))


@st.composite
def histories(draw):
    """Groups that bound slots of one lane of pools in order, shown in any order, with slots of their own size."""
    size = 6
    groups, pool, slot = [], 0, 0
    for number in range(draw(st.integers(1, 12))):
        binds = []
        for _ in range(draw(st.integers(1, 3))):
            if slot == size:
                pool, slot = pool + 1, 0
            taken = draw(st.integers(1, size - slot))
            binds.append((pool, slot, taken))
            slot += taken
        groups.append(group(number, *binds))
    return draw(st.permutations(groups)), {
        pool: [(earlier, size) for earlier in range(pool)] for pool in range(1, pool + 1)
    }


@given(histories(), st.integers(1, 20))
def test_whatever_the_order_of_ids_all_groups_join_and_every_digest_leaves_prefixes(history, most_slots):
    waiting, before = history
    bound = {}
    total = sum(candidate.slots for candidate in waiting)
    while waiting:
        chosen = select_groups(waiting, bound, before, most_records=100, most_slots=most_slots)
        assert chosen.groups
        taken = [candidate for candidate in waiting if candidate.id in chosen.groups]
        for candidate in taken:
            for run in candidate.binds:
                assert all(chosen.bound[earlier] == full for earlier, full in before.get(run.pool, ()))
        joined = sum(run.slots for candidate in taken for run in candidate.binds)
        assert sum(chosen.bound.values()) == sum(bound.values()) + joined
        assert len(taken) == 1 or joined <= most_slots
        bound = chosen.bound
        waiting = [candidate for candidate in waiting if candidate.id not in chosen.groups]
    assert sum(bound.values()) == total


def test_a_group_whose_slots_have_a_hole_before_them_waits():
    late = group(1, (7, 3, 1))
    assert select_groups([late], {7: 2}, {}, **NO_LIMIT).groups == ()
    assert select_groups([late, group(2, (7, 2, 1))], {7: 2}, {}, **NO_LIMIT).groups == (2, 1)


def test_what_follows_from_a_slot_waits_for_it():
    settlement = group(1, follows=[(7, 2, 1)])
    assert select_groups([settlement], {7: 2}, {}, **NO_LIMIT).groups == ()
    assert select_groups([settlement], {7: 3}, {}, **NO_LIMIT).groups == (1,)
    assert select_groups([group(2, (7, 2, 1), follows=[(7, 2, 1)])], {7: 2}, {}, **NO_LIMIT).groups == (2,)


def test_the_next_pool_waits_until_the_one_before_is_used_up():
    first = group(1, (8, 0, 1))
    assert select_groups([first], {7: 5, 8: 0}, {8: [(7, 6)]}, **NO_LIMIT).groups == ()
    assert select_groups([group(2, (7, 5, 1)), first], {7: 5, 8: 0}, {8: [(7, 6)]}, **NO_LIMIT).groups == (2, 1)


def test_one_group_joins_even_when_it_alone_passes_the_limits():
    large = group(1, (7, 0, 50), records=50)
    chosen = select_groups([large, group(2, (7, 50, 1))], {7: 0}, {}, most_records=10, most_slots=10)
    assert chosen.groups == (1,)
