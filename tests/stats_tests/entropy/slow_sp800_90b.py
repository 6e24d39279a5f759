"""The estimators of SP 800-90B section 6.3, written down as the publication has them, one symbol after the other.

Where NIST's program takes another way than the text (ties, a model that says nothing), this follows the program.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from math import comb, log2, sqrt

Z = 2.5758293035489008


def upper(p: float, n: int) -> float:
    return min(1.0, p + Z * sqrt(p * (1 - p) / (n - 1)))


def most_common_value(s: Sequence[int]) -> float:
    return -log2(upper(max(Counter(s).values()) / len(s), len(s)))


def collision_times(s: Sequence[int]) -> list[int]:
    times, start = [], 0
    while start < len(s):
        seen: set[int] = set()
        for place in range(start, len(s)):
            if s[place] in seen:
                times.append(place - start + 1)
                start = place + 1
                break
            seen.add(s[place])
        else:
            break
    return times


def markov(s: Sequence[int]) -> float:
    p = [s.count(0) / len(s), s.count(1) / len(s)]
    pairs = Counter(pairwise(s))
    step = {}
    for a in (0, 1):
        total = pairs[a, 0] + pairs[a, 1]
        for b in (0, 1):
            step[a, b] = pairs[a, b] / total if total else 0.0
    likeliest = float("-inf")
    for path in ("0" * 128, "01" * 64, "0" + "1" * 127, "1" + "0" * 127, "10" * 64, "1" * 128):
        factors = [p[int(path[0])], *(step[int(a), int(b)] for a, b in pairwise(path))]
        if all(factors):
            likeliest = max(likeliest, sum(log2(factor) for factor in factors))
    return min(-likeliest / 128, 1.0)


def compression_distances(s: Sequence[int]) -> list[int]:
    blocks = [tuple(s[i : i + 6]) for i in range(0, len(s) // 6 * 6, 6)]
    last: dict[tuple[int, ...], int] = {}
    found = []
    for number, block in enumerate(blocks, 1):
        found.append(number - last.get(block, 0))
        last[block] = number
    return found


def compression_expectation(p: float, blocks: int, filling: int) -> float:
    """Step 7 of 6.3.4, both sums as they stand."""

    def g(z: float) -> float:
        total = 0.0
        for t in range(filling + 1, blocks + 1):
            total += sum(log2(u) * z * z * (1 - z) ** (u - 1) for u in range(1, t))
            total += log2(t) * z * (1 - z) ** (t - 1)
        return total / (blocks - filling)

    return g(p) + 63 * g((1 - p) / 63)


def tuple_counts(s: Sequence[int]) -> tuple[list[int], list[int]]:
    most, pairs = [1], [0]
    for length in range(1, len(s)):
        counts = Counter(tuple(s[i : i + length]) for i in range(len(s) - length + 1))
        if max(counts.values()) < 2:
            break
        most.append(max(counts.values()))
        pairs.append(sum(comb(count, 2) for count in counts.values()))
    return most, pairs


class Board:
    """Steps 3c and 3d of the predictors: the believed one's success is noted, then the scores are brought up to date."""

    def __init__(self, predictors: int) -> None:
        self.scores = [0] * predictors
        self.winner = 0
        self.correct: list[bool] = []

    def round(self, predictions: Sequence[int | None], actual: int, *, silence_counts: bool) -> None:
        believed = predictions[self.winner]
        if believed is not None or silence_counts:
            self.correct.append(believed == actual)
        for number, prediction in enumerate(predictions):
            if prediction == actual:
                self.scores[number] += 1
                if self.scores[number] >= self.scores[self.winner]:
                    self.winner = number


def longest_run(correct: Sequence[bool]) -> int:
    longest = run = 0
    for value in correct:
        run = run + 1 if value else 0
        longest = max(longest, run)
    return longest


def multi_mcw(s: Sequence[int], windows: Sequence[int]) -> list[bool]:
    board = Board(len(windows))
    for i in range(windows[0], len(s)):
        predictions: list[int | None] = []
        for window in windows:
            if i < window:
                predictions.append(None)
                continue
            seen = s[i - window : i]
            counts = Counter(seen)
            most = max(counts.values())
            predictions.append(next(x for x in reversed(seen) if counts[x] == most))
        board.round(predictions, s[i], silence_counts=True)
    return board.correct


def lag(s: Sequence[int]) -> list[bool]:
    board = Board(128)
    for i in range(1, len(s)):
        board.round([s[i - d] if i >= d else None for d in range(1, 129)], s[i], silence_counts=True)
    return board.correct


def commonest(counts: Counter[int]) -> tuple[int, int]:
    return max((count, symbol) for symbol, count in counts.items())


def multi_mmc(s: Sequence[int], most_pairs: int) -> list[bool]:
    models: list[dict[tuple[int, ...], Counter[int]]] = [defaultdict(Counter) for _ in range(17)]
    entries = [0] * 17
    board = Board(16)
    for i in range(1, len(s)):
        predictions: list[int | None] = []
        for depth in range(1, 17):
            context = tuple(s[i - depth : i]) if i >= depth else None
            known = models[depth].get(context) if context else None
            predictions.append(commonest(known)[1] if known else None)
        if i >= 2:
            board.round(predictions, s[i], silence_counts=False)
        for depth in range(1, min(16, i) + 1):
            context = tuple(s[i - depth : i])
            known = models[depth].get(context)
            if known and s[i] in known:
                known[s[i]] += 1
            elif entries[depth] < most_pairs:
                models[depth][context][s[i]] = 1
                entries[depth] += 1
    return board.correct


def lz78y(s: Sequence[int], most_contexts: int) -> list[bool]:
    dictionary: dict[tuple[int, ...], Counter[int]] = {}
    correct = []
    for i in range(16, len(s)):
        best: tuple[int, int] | None = None
        for length in range(16, 0, -1):
            known = dictionary.get(tuple(s[i - length : i]))
            if known:
                found = commonest(known)
                if best is None or found[0] > best[0]:
                    best = found
        if i > 16:
            correct.append(best is not None and best[1] == s[i])
        for length in range(16, 0, -1):
            context = tuple(s[i - length : i])
            if context not in dictionary and len(dictionary) < most_contexts:
                dictionary[context] = Counter()
            if context in dictionary:
                dictionary[context][s[i]] += 1
    return correct


def no_run_probability(p: float, run: int, rounds: int) -> float:
    """The probability that ``rounds`` guesses have no ``run`` good ones in a row, by the state of the run."""
    states = [1.0] + [0.0] * (run - 1)
    for _ in range(rounds):
        states = [(1 - p) * sum(states), *(p * value for value in states[:-1])]
    return sum(states)


def local_bound(run: int, rounds: int) -> float:
    """The p at which no run as long as ``run`` + 1 is seen with 99 %, by halving."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if no_run_probability(middle, run + 1, rounds) > 0.99:
            low = middle
        else:
            high = middle
    return high
