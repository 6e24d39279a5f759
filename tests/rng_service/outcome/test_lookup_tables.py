"""Lookup tables draw as weighted steps do, whatever the guide skips."""

from array import array
from hashlib import sha256
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rng_service.outcome import Lookup, LookupTable, OutcomeStream, Weighted, compile_program
from rng_service.outcome.lookup import MAX_TOTAL, compile_lookup


def table(weights, payouts=None):
    return LookupTable(bytes(32), array("Q", accumulate(weights)), array("Q", payouts or [0] * len(weights)))


class Fixed:
    """A stream whose next value is known."""

    def __init__(self, value):
        self.value = value

    def below(self, _bound, _size, _mask):
        return self.value


@given(st.lists(st.integers(1, 2**40), min_size=1, max_size=300), st.binary(min_size=1, max_size=8))
def test_a_lookup_draws_the_index_that_a_weighted_step_draws(weights, seed):
    key = sha256(seed).digest()
    lookup = compile_program([Lookup(table(weights))])
    weighted = compile_program([Weighted(tuple(weights))])
    assert lookup.width == 1
    assert lookup.derive(OutcomeStream(key)) == weighted.derive(OutcomeStream(key))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40).filter(any))
def test_every_value_below_the_total_gives_the_row_it_belongs_to(weights):
    derive = compile_lookup(table(weights))
    expected = [row for row, weight in enumerate(weights) for _ in range(weight)]
    assert [derive(Fixed(value))[0] for value in range(sum(weights))] == expected


@given(st.lists(st.integers(0, 2**58), min_size=1, max_size=40).filter(any), st.data())
def test_heavy_rows_are_found_at_both_of_their_ends(weights, data):
    made = table(weights)
    derive = compile_lookup(made)
    row = data.draw(st.sampled_from([row for row, weight in enumerate(weights) if weight]))
    assert derive(Fixed(made.cumulative[row] - 1)) == (row,)
    assert derive(Fixed(made.cumulative[row] - weights[row])) == (row,)


def test_the_largest_total_is_drawn_from():
    derive = compile_lookup(table([MAX_TOTAL - 1, 1]))
    assert (derive(Fixed(0)), derive(Fixed(MAX_TOTAL - 2)), derive(Fixed(MAX_TOTAL - 1))) == ((0,), (0,), (1,))


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0, 10, 20])), min_size=1).filter(any))
def test_payouts_that_are_never_drawn_have_no_weight(rows):
    weights, payouts = [row[0] for row in rows], [row[1] for row in rows]
    if not any(weights):
        with pytest.raises(ValueError, match="more than 0"):
            table(weights, payouts)
        return
    found = table(weights, payouts).weight_by_payout
    assert sum(found.values()) == sum(weights)
    assert all(found[payout] == sum(w for w, p in rows if p == payout) for payout in found)
    assert list(found) == sorted(found)
    assert 0 not in found.values()


def test_a_table_has_rows_and_a_payout_for_each():
    with pytest.raises(ValueError, match="each with a payout"):
        LookupTable(bytes(32), array("Q", [1]), array("Q", [1, 2]))
    with pytest.raises(ValueError, match="1 to"):
        LookupTable(bytes(32), array("Q"), array("Q"))
