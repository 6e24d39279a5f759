"""Range paths: one proof that several consecutive leaves stand in a Merkle tree of RFC 9162.

The tree is walked from the root, left child before right (a tree of n leaves splits at the largest power of
two below n). A subtree without any leaf of the range contributes its hash, a leaf of the range contributes
nothing, and any other subtree is entered. At most two hashes stand on each level, whatever the range's
length. Source: PROTOCOL.md, section 8.
"""

from collections.abc import Iterator, Sequence

from anchor.errors import VerificationError
from anchor.merkle import HASH_SIZE, MAX_SIZE, node_hash, split_point


def range_path(levels: Sequence[Sequence[bytes]], first: int, count: int) -> list[bytes]:
    """Return the path of leaves ``first`` … ``first + count - 1`` from the tree's levels.

    ``levels`` is what `merkle.levels_of` gives. Raises IndexError when the range is empty or leaves the tree.
    """
    size = len(levels[0])
    if not 0 <= first < first + count <= size:
        raise IndexError(f"leaves {first} … {first + count - 1} of a tree with {size} leaves")
    path = []
    for start, end in _outside(0, size, first, first + count):
        level = (end - start - 1).bit_length()
        path.append(levels[level][start >> level])
    return path


def root_from_range(size: int, first: int, leaves: Sequence[bytes], path: Sequence[bytes]) -> bytes:
    """Return the root that ``path`` implies for the leaf hashes ``leaves`` that stand from ``first`` on.

    Raises VerificationError ``inclusion`` when range or path cannot belong to a tree of that size.
    """
    if not 0 <= first < first + len(leaves) <= size <= MAX_SIZE:
        raise VerificationError(
            "inclusion", f"{len(leaves)} leaves from {first} do not lie in a tree with {size} leaves"
        )
    expected = sum(1 for _ in _outside(0, size, first, first + len(leaves)))
    if len(path) != expected:
        raise VerificationError("inclusion", f"the range path has {expected} hashes, found {len(path)}")
    if any(len(item) != HASH_SIZE for item in (*leaves, *path)):
        raise VerificationError("inclusion", f"a hash has {HASH_SIZE} bytes")
    hashes = iter(path)

    def subtree(start: int, end: int) -> bytes:
        # As deep as the tree is high: 63 calls at most.
        if end <= first or start >= first + len(leaves):
            return next(hashes)
        if end - start == 1:
            return leaves[start - first]
        middle = start + split_point(end - start)
        left = subtree(start, middle)
        return node_hash(left, subtree(middle, end))

    return subtree(0, size)


def _outside(start: int, end: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the largest subtrees of [start, end) without a leaf of [first, last), from left to right."""
    if end <= first or start >= last:
        yield start, end
    elif start < first or end > last:
        middle = start + split_point(end - start)
        yield from _outside(start, middle, first, last)
        yield from _outside(middle, end, first, last)
