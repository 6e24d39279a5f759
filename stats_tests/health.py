"""The health tests of a noise source, SP 800-90B section 4.4: repetition count and adaptive proportion.

Samples are bytes, one symbol in each. The source claims ``H`` bits of min-entropy for each of them (0 < H ≤ 8), and a
test may signal a failure of a source that keeps its claim with probability at most 2^-k at each sample (repetition
count) or window (adaptive proportion). Standard library only: what runs these tests all the time also keeps keys.

    repetition count       C = 1 + ceil(k / H)                          failure at C equal samples in a row
    adaptive proportion    C = 1 + critbinom(W, 2^-H, 1 - 2^-k)         failure at C samples equal to the first of W

W is 512 for samples of more than two values, 1,024 for bits. critbinom is worked out in integers: 2^-H is irrational
for a fractional H, so it is enclosed between two fractions, and both ends must give the same cut-off.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import ceil, log2, sqrt
from typing import Final

from stats_tests.errors import StatsError

__all__ = [
    "BINARY_WINDOW",
    "DEFAULT_FALSE_POSITIVE_BITS",
    "START_UP_SAMPLES",
    "WINDOW",
    "HealthFailureError",
    "HealthTests",
    "adaptive_proportion_cutoff",
    "most_common_value_bits",
    "repetition_cutoff",
]

# One false alarm in 2^30 questions: within the range 2^-20 to 2^-40 that section 4.4 recommends.
DEFAULT_FALSE_POSITIVE_BITS: Final = 30
WINDOW: Final = 512
BINARY_WINDOW: Final = 1024
# Section 4.3: start-up tests run over at least this many consecutive samples.
START_UP_SAMPLES: Final = 1024

_MOST_BITS: Final = 8
_MOST_FALSE_POSITIVE_BITS: Final = 64
_MOST_DENOMINATOR: Final = 1000
# The quantile 0.995 of the standard normal distribution.
_Z_ALPHA: Final = 2.5758293035489008
# Bits behind the point of the fractions around 2^-H.
_PRECISION: Final = 192
# Long inputs are taken in pieces, so that the integers in between stay in the processor's cache.
_PIECE: Final = 1 << 16


class HealthFailureError(StatsError):
    """A noise source failed: ``test`` says at which test, ``position`` at which sample, counted from nought.

    It is the sample with which the count reached its cut-off, whatever the pieces were in which samples came.
    """

    def __init__(self, test: str, position: int, message: str) -> None:
        super().__init__(f"{test}: sample {position}: {message}")
        self.test = test
        self.position = position
        self.message = message


def repetition_cutoff(claimed: Fraction | int, false_positive_bits: int = DEFAULT_FALSE_POSITIVE_BITS) -> int:
    """Return C of the repetition count test (section 4.4.1) for H = ``claimed`` bits a sample.

    Raises ValueError for a claim outside 0 < H ≤ 8 and for error rates outside 2^-1 … 2^-64.
    """
    return 1 + ceil(false_positive_bits / _checked(claimed, false_positive_bits))


@cache  # A tenth of a second for integers of a hundred thousand bits, and always the same ones.
def adaptive_proportion_cutoff(
    claimed: Fraction | int, false_positive_bits: int = DEFAULT_FALSE_POSITIVE_BITS, *, window: int = WINDOW
) -> int:
    """Return C of the adaptive proportion test (section 4.4.2) for H = ``claimed`` bits a sample, in exact integers.

    ``window`` + 1, which no window reaches, for claims so low that a window of one value alone may come by chance; the
    repetition count finds a stuck source then. Raises ValueError as `repetition_cutoff`.
    """
    low, high = _power_of_half(_checked(claimed, false_positive_bits))
    at_most = 1 + _critical_value(window, high, false_positive_bits)
    if low != high and at_most != 1 + _critical_value(window, low, false_positive_bits):
        raise ValueError(f"the cut-off for H = {claimed} is not decided at {_PRECISION} bits")
    return at_most


def most_common_value_bits(samples: bytes) -> float:
    """Return bits of min-entropy a sample by the most common value estimate, section 6.3.1, of 2 or more samples.

    The one estimator that costs next to nothing: a bound at 99.5 % for the share of the commonest value. It sees a
    source that prefers a value too little for the other tests.
    """
    share = max(map(samples.count, range(256))) / len(samples)
    return -log2(min(1.0, share + _Z_ALPHA * sqrt(share * (1.0 - share) / (len(samples) - 1)))) + 0.0


def _checked(claimed: Fraction | int, false_positive_bits: int) -> Fraction:
    entropy = Fraction(claimed)
    if not 0 < entropy <= _MOST_BITS or entropy.denominator > _MOST_DENOMINATOR:
        raise ValueError(f"a byte has more than 0 and at most 8 bits of min-entropy, in thousandths; not {claimed}")
    if not 1 <= false_positive_bits <= _MOST_FALSE_POSITIVE_BITS:
        raise ValueError(f"the rate of false alarms is 2^-1 to 2^-64, not 2^-{false_positive_bits}")
    return entropy


def _power_of_half(exponent: Fraction) -> tuple[int, int]:
    """Return integers around 2^(_PRECISION - exponent), equal when it is an integer itself."""
    power = _PRECISION * exponent.denominator - exponent.numerator
    root = _root(1 << power, exponent.denominator)
    return root, root + (root**exponent.denominator != 1 << power)


def _root(value: int, degree: int) -> int:
    # Newton's iteration from above: it falls until it has passed the root.
    guess = 1 << -(-value.bit_length() // degree)
    while True:
        better = ((degree - 1) * guess + value // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better


def _critical_value(trials: int, scaled: int, false_positive_bits: int) -> int:
    """Return the least c with P(X ≤ c) ≥ 1 - 2^-k for X binomial with p = scaled / 2^_PRECISION."""
    whole = 1 << _PRECISION
    other = whole - scaled
    # P(X > c) summed from the far end: terms are p^i q^(n-i) C(n, i), all times whole^n.
    limit = (whole**trials) >> false_positive_bits
    tail = 0
    term = scaled**trials
    for count in range(trials, 0, -1):
        tail += term
        if tail > limit:
            return count
        # Exactly divisible: this is the next coefficient times the next power.
        term = term * other * count // (scaled * (trials - count + 1))
    return 0


@dataclass(slots=True)
class _Window:
    """An adaptive proportion window that has begun: where, its first sample, how often it came, how many are left."""

    start: int
    value: int
    count: int
    left: int


class HealthTests:
    """Both tests on one source, sample after sample, across calls.

    ``claimed`` is H, ``false_positive_bits`` is k, ``window`` is W: `BINARY_WINDOW` for samples of two values. A
    failure is final: every later call raises it again, because what made a source fail once is not known to be over.
    Not thread-safe.
    """

    def __init__(
        self,
        claimed: Fraction | int,
        false_positive_bits: int = DEFAULT_FALSE_POSITIVE_BITS,
        *,
        window: int = WINDOW,
    ) -> None:
        self.repetition_cutoff = repetition_cutoff(claimed, false_positive_bits)
        self.proportion_cutoff = adaptive_proportion_cutoff(claimed, false_positive_bits, window=window)
        self.window = window
        self.samples = 0
        self.failure: HealthFailureError | None = None
        self._last = -1
        self._run = 0
        self._window = _Window(0, -1, 0, 0)

    @property
    def started(self) -> bool:
        """Whether enough samples passed for the start-up test: before this nothing of the source may be used."""
        return self.failure is None and self.samples >= START_UP_SAMPLES

    def feed(self, samples: bytes) -> None:
        """Test the next ``samples``. Raises HealthFailureError, now and at every later call, when a test fails.

        ``samples`` counts those that passed. At the first failure the samples behind it were not looked at.
        """
        if self.failure is not None:
            raise self.failure
        for start in range(0, len(samples), _PIECE):
            piece = samples[start : start + _PIECE]
            found = [failure for failure in (self._repetitions(piece), self._proportions(piece)) if failure is not None]
            if found:
                self.failure = min(found, key=lambda failure: failure.position)
                self.samples = self.failure.position
                raise self.failure
            self.samples += len(piece)

    def _repetitions(self, piece: bytes) -> HealthFailureError | None:
        # Where the piece goes on with the run before it.
        first = len(piece) - len(piece.lstrip(bytes((self._last,)))) if self._last >= 0 else 0
        if self._run + first >= self.repetition_cutoff:
            return self._repeated(self.repetition_cutoff - self._run - 1, self._last)
        # A sample that equals its neighbour is a zero byte of the exclusive or of the piece with itself, shifted; so a
        # run of C is C - 1 zeros, which `find` looks for at the speed of memory.
        size = len(piece) - 1
        if size > 0:
            number = int.from_bytes(piece, "little")
            # The last byte has nothing behind it to differ from.
            differences = (number ^ (number >> 8)).to_bytes(size + 1, "little")
            found = differences.find(bytes(self.repetition_cutoff - 1), 0, size)
            if found >= 0:
                return self._repeated(found + self.repetition_cutoff - 1, piece[found])
        last = len(piece) - len(piece.rstrip(piece[-1:]))
        self._run = self._run + last if last == len(piece) and piece[-1] == self._last else last
        self._last = piece[-1]
        return None

    def _proportions(self, piece: bytes) -> HealthFailureError | None:
        position = 0
        window = self._window
        size = len(piece)
        cutoff = self.proportion_cutoff
        if window.left:
            position = min(window.left, size)
            count = window.count + piece.count(window.value, 0, position)
            if count >= cutoff:
                return self._too_many(window, piece, 0)
            window.count = count
            window.left -= position
        while position < size:
            end = position + self.window
            count = piece.count(piece[position], position, end)
            if count >= cutoff:
                return self._too_many(_Window(self.samples + position, piece[position], 0, 0), piece, position)
            if end > size:
                self._window = _Window(self.samples + position, piece[position], count, end - size)
            position = end
        return None

    def _repeated(self, offset: int, value: int) -> HealthFailureError:
        return HealthFailureError(
            "repetition-count",
            self.samples + offset,
            f"the value {value:#04x} came {self.repetition_cutoff} times in a row",
        )

    def _too_many(self, window: _Window, piece: bytes, offset: int) -> HealthFailureError:
        """Return the failure of ``window``, of which the part from ``offset`` of ``piece`` on was not counted yet."""
        offset -= 1
        for _ in range(self.proportion_cutoff - window.count):
            offset = piece.index(window.value, offset + 1)
        return HealthFailureError(
            "adaptive-proportion",
            self.samples + offset,
            f"the value {window.value:#04x} came {self.proportion_cutoff} times in the window of {self.window} samples"
            f" that begins at sample {window.start}",
        )
