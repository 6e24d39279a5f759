"""Finite deals: from an opened slot to the ticket that it is (PROTOCOL.md, section 4, kind `deal`).

    c_i        the last eight bytes of the slot's secret: its place in the sealed order
    sigma      shuffle(N) on the stream of blocks HMAC(HMAC(B, label("sealdraw/v1/deal") || D), u32(j))
    ticket     sigma[c_i]; the composition is laid out in the order of the definition's tiers

c is fixed by the commitment, sigma by a beacon round that came after it: neither alone says who wins.
"""

from array import array
from collections.abc import Callable
from hmac import digest

from anchor.errors import MalformedError
from rng_service.encoding import DEAL_LABEL
from rng_service.outcome.derivation import DrawKeyDeriver, OutcomeStream, uniform_constants

__all__ = ["DealDeriver", "DealTicket", "Deriver", "deal_permutation", "deriver_of", "shuffled"]

_PLACE_BYTES = 8


def shuffled(size: int, below: Callable[[int, int, int], int]) -> "array[int]":
    """Return 0 … size - 1 by Fisher-Yates: i from size - 1 down to 1, swap with uniform(i + 1).

    ``below`` gives the next integer under (bound, bytes per attempt, mask); see `uniform_constants`.
    """
    cards = array("I", range(size))
    for i in range(size - 1, 0, -1):
        j = below(*uniform_constants(i + 1))
        cards[i], cards[j] = cards[j], cards[i]
    return cards


def deal_permutation(commit_hash: bytes, beacon: bytes, size: int) -> "array[int]":
    """Return sigma of the deal whose pool.commit hashes to ``commit_hash`` (D), activated with ``beacon`` (B)."""
    key = digest(beacon, DEAL_LABEL + commit_hash, "sha256")
    return shuffled(size, OutcomeStream(key).below)


class DealTicket(OutcomeStream):
    """A ticket in the place of a stream: nothing can be read from it but its number in the composition."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class DealDeriver:
    """Tickets of one deal, in the place of `DrawKeyDeriver`; sigma is worked out when it is first needed."""

    def __init__(self, commit_hash: bytes, beacon: bytes, size: int) -> None:
        self._commit_hash = commit_hash
        self._beacon = beacon
        self._size = size
        self._permutation: array[int] | None = None

    @property
    def permutation(self) -> "array[int]":
        """sigma: which ticket of the composition stands at each place of the sealed order."""
        if self._permutation is None:
            self._permutation = deal_permutation(self._commit_hash, self._beacon, self._size)
        return self._permutation

    def outcome_stream(self, secret: bytes, slot: int, client_seed: bytes) -> OutcomeStream:
        """Return the ticket of ``slot``, opened to ``secret``; raises MalformedError for what no deal has."""
        if client_seed:
            raise MalformedError(f"slot {slot}: a deal takes no client seed")
        if len(secret) != 32:
            raise MalformedError(f"slot secret: {len(secret)} bytes, expected 32")
        place = int.from_bytes(secret[-_PLACE_BYTES:], "big")
        if place >= self._size:
            raise MalformedError(f"slot {slot}: place {place} of a deal of {self._size}")
        return DealTicket(self.permutation[place])


Deriver = DrawKeyDeriver | DealDeriver


def deriver_of(kind: str, commit_hash: bytes, beacon: bytes, program_id: str, size: int) -> Deriver:
    """Return what opens the slots of a pool of ``kind``, as its pool.commit states it, with ``size`` slots."""
    if kind == "deal":
        return DealDeriver(commit_hash, beacon, size)
    return DrawKeyDeriver(commit_hash, beacon, program_id)
