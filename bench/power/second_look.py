"""The second look that docs/power.md tells of: one question, fixed beforehand, asked of new data.

`python -m bench.power.second_look`. In run 4 of our own generator the P-values of template 85 of the non-overlapping
template test were not uniform. Are they on sequences that no run has seen?
"""

import io
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.power.batteries import SEQUENCE_BITS
from bench.power.bits import our_drbg
from stats_tests.bits import SequenceReader
from stats_tests.nist import NonOverlappingTemplate, run_stream
from stats_tests.second_level import uniformity

__all__ = ["look"]

TEMPLATE = 85
SEEDS = (5, 6)
SEQUENCES = 320


def look(
    make: Callable[[int, int], NDArray[np.uint8]], seeds: Sequence[int], *, template: int, sequences: int
) -> float:
    """Return the Kolmogorov-Smirnov P-value of one template's P-values over ``sequences`` sequences of each seed."""
    found: list[float] = []
    for seed in seeds:
        stream = io.BytesIO(make(sequences * SEQUENCE_BITS // 8, seed).tobytes())
        results = run_stream(SequenceReader(stream, bits=SEQUENCE_BITS), suite=(NonOverlappingTemplate(),))
        p_values = [result.tests[0].p_values[template] for result in results]
        found.extend(p_value for p_value in p_values if p_value is not None)
    return uniformity(np.array(found))


if __name__ == "__main__":
    answer = look(our_drbg, SEEDS, template=TEMPLATE, sequences=SEQUENCES)
    print(f"template {TEMPLATE}, {len(SEEDS) * SEQUENCES} new sequences of our generator: P = {answer:.3f}")
