"""Which tests a shape calls for, what is said when there is too little, and input that cannot be used."""

import numpy as np
import pytest
from bad_mappings import fair_shuffles, generator

from stats_tests.errors import InputError
from stats_tests.gaming import (
    OutcomeShape,
    Permutation,
    PublishedList,
    Split,
    Stops,
    Uniform,
    Weighted,
    WithoutReplacement,
    battery_for,
    interplay,
    outcomes_of,
    run,
)

WHEEL = OutcomeShape((Uniform(37),))


def names(shape, published=None):
    return {test.name for test in battery_for(shape) if published is None or published in test.lists}


def test_a_wheel_is_asked_everything_that_the_published_lists_name():
    assert names(WHEEL, PublishedList.GLI_2020) == {
        "chi-square",
        "overlapping tuples",
        "coupon collector",
        "runs up and down",
        "runs above and below",
        "serial correlation",
        "duplicates: neighbours",
        "duplicates: stretches",
    }
    assert names(WHEEL, PublishedList.FIFTEEN) == {
        "chi-square",
        "kolmogorov-smirnov",
        "overlapping tuples",
        "gap",
        "poker",
        "coupon collector",
        "permutation",
        "order statistics",
        "runs up and down",
        "runs above and below",
        "serial correlation",
        "subsequences",
        "poisson",
    }
    # Interplay and adjacency need columns, or cards.
    assert "interplay correlation" in names(OutcomeShape((Stops((20, 20)),)), PublishedList.GLI_2020)
    assert "adjacency" in names(OutcomeShape((Permutation(52),)), PublishedList.FIFTEEN)


def test_deals_are_asked_as_deals_and_shuffles_as_shuffles():
    lottery, deck = names(OutcomeShape((WithoutReplacement(49, 6),))), names(OutcomeShape((Permutation(52),)))
    assert {"numbers drawn", "overlaps between draws", "card by position"} <= lottery
    assert {"adjacency", "arrangements", "card by position"} <= deck
    assert "adjacency" not in lottery
    assert "numbers drawn" not in deck


def test_weighted_values_are_not_asked_what_only_equal_ones_can_answer():
    weighted = names(OutcomeShape((Weighted((1, 2, 3)),)))
    assert not {"collision", "birthday spacings"} & weighted
    assert {"collision", "birthday spacings"} <= names(OutcomeShape((Weighted((2, 2, 2)),)))


def test_each_reel_is_asked_for_itself():
    subjects = {test.subject for test in battery_for(OutcomeShape((Stops((20, 1, 30)),)))}
    assert {"reel 1", "reel 3"} <= subjects
    assert "reel 2" not in subjects


def test_a_game_with_one_outcome_is_asked_nothing_about_chance():
    shape = OutcomeShape((Uniform(1), Weighted((5,)), Weighted((0, 3))))
    results = list(run(outcomes_of(shape, np.array([[0, 0, 1]] * 10))))
    assert [result.result.name for result in results] == ["possible", "duplicates: neighbours", "duplicates: stretches"]
    assert [result.result.applicable for result in results] == [True, True, False]
    assert results[1].result.p_values == (1.0,)


def test_the_plan_does_not_depend_on_the_outcomes():
    plan = battery_for(WHEEL)
    assert [(test.name, test.subject) for test in plan] == [(test.name, test.subject) for test in battery_for(WHEEL)]
    assert len({(test.name, test.subject) for test in plan}) == len(plan)


def test_too_few_outcomes_give_none_and_say_why():
    results = list(run(outcomes_of(WHEEL, generator(1).integers(0, 37, (20, 1)))))
    skipped = [result for result in results if not result.result.applicable]
    assert len(skipped) > 15
    assert all(result.result.reason for result in skipped)
    chi_square = next(result for result in results if result.result.name == "chi-square")
    assert chi_square.result.p_values == (None,)
    assert chi_square.result.reason == "20 observations leave no two cells that are expected 25 times each"


@pytest.mark.parametrize("count", [1, 2, 3, 7, 30, 300])
@pytest.mark.parametrize(
    "shape",
    [
        WHEEL,
        OutcomeShape((Uniform(2, 5),)),
        OutcomeShape((Uniform(2**64),)),
        OutcomeShape((Permutation(52),)),
        OutcomeShape((Permutation(2),)),
        OutcomeShape((WithoutReplacement(80, 20),)),
        OutcomeShape((WithoutReplacement(3, 2), Weighted((1, 10**9)))),
        OutcomeShape((Stops((5, 7), ((1,) * 5, (0, 1, 1, 1, 1, 1, 1))),)),
    ],
)
def test_any_number_of_outcomes_is_answered(shape, count):
    rng = generator(count)
    columns = []
    for part in shape.parts:
        match part:
            case Uniform(n, width):
                columns.append(rng.integers(0, n, (count, width), dtype=np.uint64))
            case Weighted():
                columns.append(np.ones((count, 1), dtype=np.uint64))
            case WithoutReplacement(n, m):
                columns.append(fair_shuffles(rng, count, n)[:, :m].astype(np.uint64))
            case Permutation(n):
                columns.append(fair_shuffles(rng, count, n).astype(np.uint64))
            case Stops():
                columns.append(
                    np.stack([rng.integers(0, 5, count), rng.integers(1, 7, count)], axis=1).astype(np.uint64)
                )
    callers = Split("caller", rng.integers(0, 3, count))
    plan = battery_for(shape, [callers])
    results = list(run(outcomes_of(shape, np.hstack(columns)), plan))
    assert len(results) == len(plan)
    assert [result.result.name for result in results] == [test.name for test in plan]


def test_whoever_stops_early_keeps_what_there_is():
    results = run(outcomes_of(WHEEL, generator(1).integers(0, 37, (1_000, 1))))
    kept = [next(results), next(results)]
    results.close()
    assert [result.result.name for result in kept] == ["possible", "chi-square"]


def test_results_are_the_same_whatever_the_type_of_the_input():
    rows = generator(1).integers(0, 37, (3_000, 1))
    shown = [[result.as_json() for result in run(outcomes_of(WHEEL, rows.astype(kind)))] for kind in ("u1", "i8", "u8")]
    assert shown[0] == shown[1] == shown[2]
    assert set(shown[0][1]) == {"name", "p_values", "reason", "subject", "lists", "statistics"}


def test_input_is_never_written_to():
    rows = generator(1).integers(0, 37, (3_000, 1)).astype(np.uint8)
    rows.flags.writeable = False
    assert len(list(run(outcomes_of(WHEEL, rows)))) > 20


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((0, 1), dtype=np.int64), "there are no outcomes"),
        (np.zeros((5, 2), dtype=np.int64), "an outcome of this game has 1 integers; found 2"),
        (np.zeros(5, dtype=np.int64), "found an array of 1 dimensions"),
        (np.zeros((5, 1)), "outcomes are integers; found float64"),
        (np.full((5, 1), np.nan), "outcomes are integers; found float64"),
        (np.array([[True]]), "outcomes are integers; found bool"),
        (np.full((5, 1), -1), "not one outcome is possible"),
    ],
)
def test_what_is_no_outcome_is_refused(rows, message):
    with pytest.raises(InputError, match=message):
        outcomes_of(WHEEL, rows)


@pytest.mark.parametrize(
    ("shape", "row", "why"),
    [
        (OutcomeShape((Uniform(6, 2),)), [3, 6], "has 6 in column 1: it lies outside 0 … 5"),
        (OutcomeShape((Uniform(6, 2),)), [-1, 2], "has -1 in column 0: it lies outside 0 … 5"),
        (OutcomeShape((Uniform(3), Weighted((1, 0)))), [2, 1], "has 1 in column 1: its weight is 0"),
        (OutcomeShape((WithoutReplacement(9, 3),)), [4, 2, 4], "outcome 1 holds a number twice"),
        (OutcomeShape((Permutation(70),)), [0, *range(69)], "outcome 1 holds a number twice"),
        (OutcomeShape((Stops((4, 5)),)), [4, 4], "has 4 in column 0: it lies outside 0 … 3"),
    ],
)
def test_an_impossible_outcome_is_a_finding_and_left_out_of_the_rest(shape, row, why):
    fine = list(range(shape.width)) if not isinstance(shape.parts[0], (Uniform, Stops)) else [0] * shape.width
    outcomes = outcomes_of(shape, np.array([fine, row, fine]))
    assert outcomes.count == 2
    assert outcomes.left_out == 1
    assert outcomes.impossible.row == 1
    assert why in outcomes.impossible.why
    assert next(run(outcomes)).result.p_values == (0.0,)


def test_keys_of_outcomes_that_were_left_out_are_left_out_too():
    rng = generator(3)
    rows = rng.integers(0, 10, (5_000, 1))
    rows[17] = 99
    callers = Split("caller", np.arange(5_000) % 4)
    shape = OutcomeShape((Uniform(10),))
    results = {result.result.name: result for result in run(outcomes_of(shape, rows), battery_for(shape, [callers]))}
    assert results["subsequences by caller"].result.p_values[0] > 1e-4


def test_keys_that_do_not_fit_are_refused():
    shape = OutcomeShape((Uniform(10),))
    outcomes = outcomes_of(shape, generator(3).integers(0, 10, (900, 1)))
    plan = [
        test for test in battery_for(shape, [Split("caller", np.zeros(5, dtype=np.int64))]) if "caller" in test.name
    ]
    with pytest.raises(InputError, match="5 keys were given for 900 outcomes"):
        list(run(outcomes, plan))


def test_records_without_enough_in_common_are_refused():
    few = outcomes_of(WHEEL, generator(3).integers(0, 37, (900, 1)))
    with pytest.raises(InputError, match="900 outcomes in common; 1,000 are needed"):
        interplay(few, few, subject="twice the same")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(0),
        lambda: Uniform(2**64 + 1),
        lambda: Uniform(6, 0),
        lambda: Weighted(()),
        lambda: Weighted((0, 0)),
        lambda: Weighted((1, -1)),
        lambda: WithoutReplacement(5, 6),
        lambda: Permutation(0),
        lambda: Stops(()),
        lambda: Stops((3,), ((1, 1),)),
        lambda: OutcomeShape(()),
    ],
)
def test_shapes_that_do_not_exist_are_refused(make):
    with pytest.raises(ValueError, match="expected"):
        make()
