"""Every estimator against one that goes symbol by symbol, on sequences of every kind, with small dictionaries too."""

from math import log2

import numpy as np
import pytest
import slow_sp800_90b as slow
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stats_tests.entropy import (
    Symbols,
    collision,
    compression,
    lag,
    lz78y,
    markov,
    most_common_value,
    multi_mcw,
    multi_mmc,
    symbols_of,
    t_tuple,
)
from stats_tests.entropy import compression as compression_function
from stats_tests.entropy.compression import _Expectation
from stats_tests.entropy.longest_repeat import longest_repeat
from stats_tests.entropy.tuple_counts import count_tuples

KINDS = ("uniform", "biased", "periodic", "sticky", "repeats", "constant-but-one")


def make(kind: str, size: int, alphabet: int, seed: int) -> NDArray[np.uint8]:
    """Return a sequence of one kind; every symbol comes at least once, so that the alphabet is what it says."""
    random = np.random.Generator(np.random.PCG64(seed))
    if kind == "uniform":
        values = random.integers(0, alphabet, size)
    elif kind == "biased":
        values = np.minimum(random.geometric(0.6, size) - 1, alphabet - 1)
    elif kind == "periodic":
        values = np.resize(random.integers(0, alphabet, int(random.integers(1, 40))), size)
    elif kind == "sticky":
        steps = (random.random(size) < 0.1) * random.integers(0, alphabet, size)
        values = np.cumsum(steps) % alphabet
    elif kind == "repeats":
        part = random.integers(0, alphabet, size // 3 + 1)
        values = np.concatenate([part, part, part])[:size]
    else:
        values = np.zeros(size, dtype=np.int64)
        values[int(random.integers(0, size))] = 1
    values[-alphabet:] = np.arange(alphabet)
    return values.astype(np.uint8)


sequences = st.builds(
    make,
    kind=st.sampled_from(KINDS),
    size=st.integers(20, 700),
    alphabet=st.sampled_from([2, 2, 3, 5, 16]),
    seed=st.integers(0, 1 << 32),
)
# Counting every tuple of every length is slow; 64 symbols is where the fast way changes.
short_sequences = st.builds(
    make,
    kind=st.sampled_from(KINDS),
    size=st.integers(20, 260),
    alphabet=st.sampled_from([2, 2, 3, 16]),
    seed=st.integers(0, 1 << 32),
)
bits = st.builds(
    make, kind=st.sampled_from(KINDS), size=st.integers(20, 700), alphabet=st.just(2), seed=st.integers(0, 1 << 32)
)


@given(sequences)
def test_the_most_common_value(values: NDArray[np.uint8]) -> None:
    found = most_common_value(symbols_of(values)).min_entropy
    assert found == pytest.approx(slow.most_common_value(values.tolist()), abs=1e-12)


@given(bits)
def test_the_collision_times(values: NDArray[np.uint8]) -> None:
    times = slow.collision_times(values.tolist())
    assume(len(times) >= 2)
    found = collision(symbols_of(values)).statistics
    assert found["v"] == len(times)
    assert found["mean"] == pytest.approx(np.mean(times))
    assert found["deviation"] == pytest.approx(np.std(times, ddof=1))


@given(bits)
def test_the_likeliest_path_of_the_markov_chain(values: NDArray[np.uint8]) -> None:
    assert markov(symbols_of(values)).min_entropy == pytest.approx(slow.markov(values.tolist()), abs=1e-9)


@given(st.sampled_from(KINDS), st.integers(0, 1 << 32))
@settings(deadline=None, max_examples=20)
def test_the_distances_of_blocks(kind: str, seed: int) -> None:
    values = make(kind, 6 * 1_203 + seed % 6, 2, seed)
    logs = np.log2(slow.compression_distances(values.tolist())[1_000:])
    found = compression(symbols_of(values)).statistics
    assert found["mean"] == pytest.approx(logs.mean(), abs=1e-9)
    # The publication divides the squares by one less, and subtracts the square of the mean as it is.
    variance = max(0.0, (logs**2).sum() / (len(logs) - 1) - logs.mean() ** 2)
    assert found["deviation"] == pytest.approx(0.5907 * np.sqrt(variance), abs=1e-6)


@pytest.mark.parametrize("guess", [1 / 64, 0.05, 0.3, 0.9, 0.999])
def test_the_expected_statistic_is_the_double_sum_of_the_publication(guess: float) -> None:
    assert _Expectation(1_040)(guess) == pytest.approx(slow.compression_expectation(guess, 1_040, 1_000), rel=1e-9)


@given(short_sequences)
@settings(deadline=None, max_examples=40)
def test_how_often_tuples_come(values: NDArray[np.uint8]) -> None:
    alphabet = int(values.max()) + 1
    most, pairs = slow.tuple_counts(values.tolist())
    found = count_tuples(values, max(2, alphabet))
    assert found.most.tolist() == most
    assert found.pairs.tolist() == pairs


@given(short_sequences)
@settings(deadline=None, max_examples=40)
def test_the_tuple_estimates(values: NDArray[np.uint8]) -> None:
    symbols = symbols_of(values)
    most, pairs = slow.tuple_counts(values.tolist())
    size = len(values)
    often = [w for w in range(1, len(most)) if most[w] >= 35]
    if often:
        best = max((most[w] / (size - w + 1)) ** (1 / w) for w in often)
        assert t_tuple(symbols).min_entropy == pytest.approx(-log2(slow.upper(best, size)), abs=1e-9)
    else:
        assert t_tuple(symbols).min_entropy is None
    rare = [w for w in range(1, len(most)) if w > len(often)]
    if rare:
        best = max((pairs[w] / ((size - w + 1) * (size - w) / 2)) ** (1 / w) for w in rare)
        assert longest_repeat(symbols).min_entropy == pytest.approx(-log2(slow.upper(best, size)), abs=1e-9)
    else:
        assert longest_repeat(symbols).min_entropy is None


@given(st.sampled_from(KINDS), st.sampled_from([2, 3, 40]), st.integers(0, 1 << 32))
@settings(deadline=None, max_examples=8)
def test_windows(kind: str, alphabet: int, seed: int) -> None:
    values = make(kind, 4_300 + seed % 100, alphabet, seed)
    correct = slow.multi_mcw(values.tolist(), (63, 255, 1023, 4095))
    check(multi_mcw(symbols_of(values)).statistics, correct)


@given(sequences)
@settings(deadline=None, max_examples=40)
def test_lags(values: NDArray[np.uint8]) -> None:
    check(lag(symbols_of(values)).statistics, slow.lag(values.tolist()))


@given(sequences, st.sampled_from([3, 40, 300, 100_000]))
@settings(deadline=None, max_examples=40)
def test_markov_models_with_counting(values: NDArray[np.uint8], most_pairs: int) -> None:
    found = multi_mmc(symbols_of(values), most_pairs=most_pairs).statistics
    check(found, slow.multi_mmc(values.tolist(), most_pairs))


@given(sequences, st.sampled_from([20, 37, 300, 65_536]))
@settings(deadline=None, max_examples=40)
def test_the_dictionary(values: NDArray[np.uint8], most_contexts: int) -> None:
    found = lz78y(symbols_of(values), most_contexts=most_contexts).statistics
    check(found, slow.lz78y(values.tolist(), most_contexts))


def check(statistics: object, correct: list[bool]) -> None:
    assert isinstance(statistics, dict)
    assert statistics["C"] == sum(correct)
    assert statistics["r"] == slow.longest_run(correct) + 1


@given(st.integers(1, 12), st.integers(20, 300))
@settings(deadline=None, max_examples=20)
def test_the_bound_from_the_longest_run_is_the_exact_one(run: int, rounds: int) -> None:
    from stats_tests.entropy.prediction import Predictions

    believed = Predictions()
    believed.feed(np.array([True] * run + [False] * (rounds - run)))
    found = believed.estimate("any", rounds, 256).statistics
    exact = slow.local_bound(run, rounds)
    # Feller's formula leaves out the other roots, which fall off with the number of rounds.
    if "P_local" in found:
        assert found["P_local"] == pytest.approx(exact, rel=0.01)
    else:
        assert exact <= found["P_global_u"] * 1.01


def test_all_estimators_agree_on_the_alphabet_they_are_given() -> None:
    values = make("uniform", 500, 5, 1)
    assert symbols_of(values).alphabet == 5
    for only_bits in (collision, markov, compression_function):
        with pytest.raises(ValueError, match="takes bits, not 5 symbols"):
            only_bits(Symbols(values, 5))
