"""What the four predictors share: which of several is believed, and what their successes say."""

from math import inf, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.entropy.results import Estimate, upper_bound
from stats_tests.entropy.search import falling_root

__all__ = ["Predictions", "Scoreboard"]

_CONFIDENCE: Final = 0.99
# In eighty-bit arithmetic this converges to the last bit.
_ROUNDS: Final = 66


class Predictions:
    """How many predictions came true, and the most in a row."""

    def __init__(self) -> None:
        self.correct = 0
        self.longest_run = 0
        self._run = 0

    def feed(self, came_true: NDArray[np.bool_]) -> None:
        """Count the next predictions, in their order."""
        self.correct += int(np.count_nonzero(came_true))
        wrong = np.flatnonzero(~came_true)
        if not wrong.size:
            self._run += len(came_true)
            self.longest_run = max(self.longest_run, self._run)
            return
        inside = int(np.diff(wrong).max(initial=1)) - 1
        self.longest_run = max(self.longest_run, self._run + int(wrong[0]), inside)
        self._run = len(came_true) - 1 - int(wrong[-1])
        self.longest_run = max(self.longest_run, self._run)

    def estimate(self, name: str, rounds: int, alphabet: int) -> Estimate:
        """Return the estimate of a predictor over ``rounds`` predictions of one of ``alphabet`` symbols.

        The chance of a good guess is the greatest of: that of a blind one, the upper bound of the share of good ones,
        and the chance at which a run as long as the longest would be seen with a probability of 1 %.
        """
        run = self.longest_run + 1
        share = self.correct / rounds
        bound = upper_bound(share, rounds) if self.correct else 1.0 - (1.0 - _CONFIDENCE) ** (1.0 / rounds)
        guess = max(1.0 / alphabet, bound)
        statistics: dict[str, float] = {
            "C": self.correct,
            "r": run,
            "N": rounds,
            "P_global": share,
            "P_global_u": bound,
        }
        if guess < 1.0:
            local = falling_root(lambda p: _log_no_run(p, run, rounds), log(_CONFIDENCE), guess, 1.0)
            if local > guess:
                guess = statistics["P_local"] = local
        return Estimate(name, float(-np.log2(guess)) + 0.0, statistics)


def _log_no_run(guess: float, run: int, rounds: int) -> float:
    """Return the logarithm of the probability that ``rounds`` guesses have no run of ``run`` good ones.

    Feller, An Introduction to Probability Theory, volume 1, XIII.7: (1 - p x) / ((r + 1 - r x) q) x^-(n+1), with x the
    root near 1 of 1 - x + q p^r x^(r+1).
    """
    one = np.longdouble(1)
    right = np.longdouble(guess)
    wrong = one - right
    log_run = run * np.log(right) + np.log(wrong)
    root = one
    for _ in range(_ROUNDS):
        before = root
        root = one + np.exp(log_run + (run + 1) * np.log(root))
        if root <= before:
            break
    # Beyond p = r / (r + 1) the iteration finds the other root, 1 / p: the probability is nothing there.
    left = one - right * root
    if left <= 0:
        return -inf
    return float(np.log(left) - np.log((run + 1 - run * root) * wrong) - (rounds + 1) * np.log(root))


class Scoreboard:
    """Several predictors, of which in each round the one with the most good predictions so far is believed.

    Of equals it is the one whose score reached theirs last, in a round the one with the greatest number. Rounds go in
    blocks: an array of one row a predictor.
    """

    def __init__(self, predictors: int) -> None:
        self.believed = Predictions()
        self._scores = np.zeros(predictors, dtype=np.int64)
        self._winner = 0

    def feed(self, hits: NDArray[np.bool_], predicted: NDArray[np.bool_] | None = None) -> None:
        """Take in a block of at most 8,192 rounds: which predictors were right, and which said anything (all).

        Rounds in which the believed one said nothing are left out of its runs, as in NIST's program.
        """
        rounds = hits.shape[1]
        # Scores relative to the best, so that they fit into 16 bits; who is that far behind does not catch up here.
        best = int(self._scores.max())
        behind = np.maximum(self._scores - best, -(1 << 14)).astype(np.int16)
        running = np.cumsum(hits, axis=1, dtype=np.int16)
        running += behind[:, np.newaxis]
        leading = running == running.max(axis=0)
        leading &= hits
        winners = np.full(rounds + 1, -1, dtype=np.int16)
        winners[0] = self._winner
        for number, row in enumerate(leading):
            winners[1:][row] = number
        # A round in which nobody came up to the lead changes nothing.
        last = np.maximum.accumulate(np.where(winners >= 0, np.arange(rounds + 1), 0))
        winners = winners[last]
        believed = (winners[:-1], np.arange(rounds))
        came_true = hits[believed]
        self.believed.feed(came_true if predicted is None else came_true[predicted[believed]])
        self._scores += np.count_nonzero(hits, axis=1)
        self._winner = int(winners[-1])
