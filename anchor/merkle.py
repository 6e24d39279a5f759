"""The Merkle tree of RFC 9162, section 2: hashes, roots, inclusion and consistency.

Trees are handled as *levels*: ``levels[0]`` holds the leaf hashes, every further list holds the pairwise
parents of the one before, and an odd last node moves up unchanged. Then ``levels[k][i]`` is the Merkle tree
hash of the leaves ``[i·2^k, min((i+1)·2^k, n))``, which is exactly what the recursive definition of the RFC
needs: its split at the largest power of two below ``n`` never cuts such a node. Both kinds of proof are
first described as *ranges* of leaves (`inclusion_ranges`, `consistency_ranges`); memory, tiles and the
writer's right edge each look the hashes of these ranges up in their own way.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from anchor.errors import VerificationError

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
MAX_SIZE = 2**63 - 1
# A path in a tree of at most 2^63 - 1 leaves has no more hashes than this; longer ones are refused unhashed.
MAX_PATH = 63

Range = tuple[int, int]


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 || data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def levels_of(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return every level of the tree over the leaf hashes, the leaves first and the root last.

    The tree without leaves has the single, empty level. Costs one SHA-256 call per inner node.
    """
    level = list(leaves)
    levels = [level]
    while len(level) > 1:
        parents = _parents(level)
        if len(level) & 1:
            parents.append(level[-1])
        level = parents
        levels.append(level)
    return levels


def packed_levels(leaves: bytes) -> list[bytes]:
    """Return the levels of `levels_of`, each as one bytes object of 32 bytes a node.

    ``leaves`` are leaf hashes, concatenated. For trees that are kept: 64 bytes a leaf instead of more than twice that.
    """
    levels = [leaves]
    while len(leaves) > HASH_SIZE:
        paired = len(leaves) // (2 * HASH_SIZE) * (2 * HASH_SIZE)
        parents = [sha256(b"\x01" + leaves[start : start + 64]).digest() for start in range(0, paired, 64)]
        leaves = b"".join(parents) + leaves[paired:]
        levels.append(leaves)
    return levels


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash over the leaf hashes (RFC 9162, section 2.1.1)."""
    return levels_of(leaves)[-1][0] if leaves else EMPTY_ROOT


def inclusion_path(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """Return the inclusion path of leaf ``index`` from the tree's levels, the leaf's sibling first.

    Raises IndexError when there is no such leaf (RFC 9162, section 2.1.3.1).
    """
    if not 0 <= index < len(levels[0]):
        raise IndexError(f"leaf {index} of a tree with {len(levels[0])} leaves")
    path = []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        index >>= 1
    return path


def consistency_path(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof that the tree over ``leaves`` extends the one over its first ``old_size`` leaf hashes.

    Raises IndexError when the old tree would be the larger one (RFC 9162, section 2.1.4.1).
    """
    levels = levels_of(leaves)
    return [
        levels[(end - start - 1).bit_length()][start >> (end - start - 1).bit_length()]
        for start, end in consistency_ranges(old_size, len(leaves))
    ]


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the leaf ranges whose hashes are the inclusion path of ``index``, in path order.

    Raises IndexError when ``index`` is not a leaf of a tree with ``size`` leaves.
    """
    if not 0 <= index < size:
        raise IndexError(f"leaf {index} of a tree with {size} leaves")
    ranges: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split_point(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    ranges.reverse()
    return ranges


def consistency_ranges(old_size: int, size: int) -> list[Range]:
    """Return the leaf ranges whose hashes prove that ``size`` extends ``old_size``, in proof order.

    Every range lies entirely before or entirely behind ``old_size``. Raises IndexError when ``old_size >
    size``.
    """
    if not 0 <= old_size <= size:
        raise IndexError(f"a tree with {size} leaves does not extend one with {old_size}")
    if old_size in {0, size}:
        return []
    ranges: list[Range] = []
    start, end = 0, size
    while end != old_size:
        middle = start + split_point(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:
        # Only then is the old root not itself the subtree from which the proof starts.
        ranges.append((start, end))
    ranges.reverse()
    return ranges


def root_from_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Return the root that ``path`` implies for leaf hash ``leaf`` at ``index`` of ``size``.

    Raises VerificationError ``inclusion`` when the path cannot belong to that position (RFC 9162, 2.1.3.2).
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise VerificationError("inclusion", f"index {index} does not lie in a tree with {size} leaves")
    _check_hashes("inclusion", leaf, *path)
    inner = (index ^ (size - 1)).bit_length()
    expected = inner + (index >> inner).bit_count()
    if len(path) != expected:
        raise VerificationError(
            "inclusion",
            f"the path of index {index} in {size} leaves has {expected} hashes, found {len(path)}",
        )
    node = leaf
    # Up to `inner` the sibling may stand on either side; above it the leaf is on the right edge.
    for depth, sibling in enumerate(path):
        on_the_left = depth < inner and not index >> depth & 1
        node = node_hash(node, sibling) if on_the_left else node_hash(sibling, node)
    return node


def verify_inclusion(*, index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Check that leaf hash ``leaf`` stands at ``index`` in the tree with ``size`` leaves and ``root``.

    Raises VerificationError ``inclusion`` (RFC 9162, section 2.1.3.2).
    """
    found = root_from_inclusion(index, size, leaf, path)
    if found != root:
        raise VerificationError(
            "inclusion",
            f"the path of index {index} in {size} leaves leads to {found.hex()}, the root is {root.hex()}",
        )


def verify_consistency(*, old_size: int, size: int, old_root: bytes, root: bytes, path: Sequence[bytes]) -> None:
    """Check that the tree (``size``, ``root``) extends the tree (``old_size``, ``old_root``).

    Raises VerificationError ``consistency`` (RFC 9162, section 2.1.4.2).
    """
    if not 0 <= old_size <= size <= MAX_SIZE:
        raise _inconsistent(old_size, size, "the old tree is the larger one")
    _check_hashes("consistency", old_root, root, *path)
    if old_size in {0, size}:
        if path:
            raise _inconsistent(old_size, size, f"the proof must be empty, found {len(path)} hashes")
        if old_root != (EMPTY_ROOT if old_size == 0 else root):
            raise _inconsistent(old_size, size, f"the old root {old_root.hex()} is not the root of that size")
        if size == 0 and root != EMPTY_ROOT:
            raise _inconsistent(old_size, size, "the root of the empty tree is SHA-256 of nothing")
        return
    found_old, found = _roots_from_consistency(old_size, size, old_root, path)
    if found_old != old_root:
        raise _inconsistent(old_size, size, f"the proof leads to the old root {found_old.hex()}")
    if found != root:
        raise _inconsistent(old_size, size, f"the proof leads to the root {found.hex()}, not {root.hex()}")


def split_point(size: int) -> int:
    """Return the largest power of two below ``size``; ``size`` is at least two."""
    return 1 << (size - 1).bit_length() - 1


class CompactTree:
    """The right edge of a growing tree: appends and roots in O(log n) memory.

    Holds one hash for each set bit of the size, the largest subtree first.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._size = 0
        self._subtrees: list[bytes] = []
        for leaf in leaves:
            self.append(leaf)

    @property
    def size(self) -> int:
        """Return the number of leaves appended so far."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash on the right."""
        node, full = leaf, self._size
        while full & 1:
            node = node_hash(self._subtrees.pop(), node)
            full >>= 1
        self._subtrees.append(node)
        self._size += 1

    def root(self) -> bytes:
        """Return the Merkle tree hash over all leaves so far."""
        if not self._subtrees:
            return EMPTY_ROOT
        node = self._subtrees[-1]
        for subtree in reversed(self._subtrees[:-1]):
            node = node_hash(subtree, node)
        return node


def _parents(level: Sequence[bytes]) -> list[bytes]:
    # One allocation of the joined input per node and no Python call besides the hash: about 1 µs a leaf.
    pairs = iter(level)
    digest = sha256
    return [digest(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]


def _roots_from_consistency(old_size: int, size: int, old_root: bytes, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    ranges = consistency_ranges(old_size, size)
    if len(path) != len(ranges):
        raise _inconsistent(old_size, size, f"the proof has {len(ranges)} hashes, found {len(path)}")
    # The last split before `old_size` is either the whole old tree or the first hash of the proof.
    whole = old_size & (old_size - 1) == 0
    old_node = node = old_root if whole else path[0]
    steps = range(0 if whole else 1, len(path))
    for step in steps:
        sibling, start = path[step], ranges[step][0]
        if start >= old_size:
            node = node_hash(node, sibling)
        else:
            old_node, node = node_hash(sibling, old_node), node_hash(sibling, node)
    return old_node, node


def _check_hashes(reason: str, *hashes: bytes) -> None:
    if len(hashes) > MAX_PATH + 2:
        raise VerificationError(reason, f"a path has at most {MAX_PATH} hashes")
    for item in hashes:
        if len(item) != HASH_SIZE:
            raise VerificationError(reason, f"a hash has {HASH_SIZE} bytes, found {len(item)}")


def _inconsistent(old_size: int, size: int, detail: str) -> VerificationError:
    return VerificationError("consistency", f"from {old_size} to {size} leaves: {detail}")
