"""From a draw without replacement to independent values: the rank of each card among those not drawn yet."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["remaining_ranks"]

_BLOCK: Final = 1 << 14


def remaining_ranks(deals: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.unsignedinteger[Any]]:
    """Return for each card how many lower ones were still to be drawn; same shape as ``deals``, which is by column.

    In a fair draw of m from n column i is uniform over 0 … n - i - 1 and the columns are independent: the digits of
    the factorial number system, one to one with the draws.
    """
    ranks = np.empty_like(deals, order="F")
    for first in range(0, len(deals), _BLOCK):
        block = np.ascontiguousarray(deals[first : first + _BLOCK].T)
        found = block.copy()
        for place in range(1, len(block)):
            found[place] -= np.count_nonzero(block[:place] < block[place], axis=0).astype(block.dtype)
        ranks[first : first + _BLOCK] = found.T
    return ranks
