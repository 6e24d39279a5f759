"""Two sorted lists of rounds, merged: what only one side has, and what both have and do not agree on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from rng_service.reconcile.rows import FileRound

__all__ = ["KINDS", "Compared", "Difference", "LedgerRound", "compare"]

KINDS: Final = ("missing", "extra", "different", "unsettled", "twice")
"""Ours and not theirs; theirs and not ours; both, and not the same; drawn, and never settled; twice in their list."""


class LedgerRound(NamedTuple):
    """One outcome of a draw, or one settlement (``kind``), as the service has it."""

    request_id: bytes
    item: int
    kind: str
    pool: str
    slot: int
    outcome: tuple[int, ...]
    stake_minor: int
    payout_minor: int
    currency: str
    status: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What does not agree. ``line`` is theirs, None when they lack the round; ``fields`` has (theirs, ours) by name."""

    kind: str
    request_id: bytes
    item: int
    line: int | None
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Compared:
    """Counts, as far as the comparison has come. ``open`` rounds are in no digest yet and were compared in part."""

    equal: int = 0
    open: int = 0
    settlements_left_out: int = 0
    by_kind: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    @property
    def differences(self) -> int:
        """How many rounds do not agree."""
        return sum(self.by_kind.values())


def compare(
    theirs: Iterable[FileRound], ours: Iterable[LedgerRound], counts: Compared, *, settlements: bool = False
) -> Iterator[Difference]:
    """Yield the differences between two lists that are sorted by request id and item, and count them in ``counts``.

    A settlement has a request id of its own. It is missing in their list only with ``settlements``: otherwise they may
    well list rounds by their draws alone, which state what their settlements come to.
    """
    left, right = _once(theirs), iter(ours)
    their, our = next(left, None), next(right, None)
    while their is not None or our is not None:
        if our is None or (their is not None and _key(their[0]) < _key(our)):
            if their is None:
                return
            found: Difference | None = Difference("extra", *_key(their[0]), their[0].line)
            found, their = _twice(their, found), next(left, None)
        elif their is None or _key(our) < _key(their[0]):
            found = _missing(our, counts, settlements=settlements)
            our = next(right, None)
        else:
            found = _twice(their, _compared(their[0], our, counts))
            their, our = next(left, None), next(right, None)
        if found is not None:
            counts.by_kind[found.kind] += 1
            yield found


def _key(item: FileRound | LedgerRound) -> tuple[bytes, int]:
    return item.request_id, item.item


def _once(rounds: Iterable[FileRound]) -> Iterator[tuple[FileRound, int]]:
    """Yield each round of their list with the number of times that it stands there."""
    before: FileRound | None = None
    times = 0
    for item in rounds:
        if before is not None and _key(item) == _key(before):
            times += 1
            continue
        if before is not None:
            yield before, times
        before, times = item, 1
    if before is not None:
        yield before, times


def _twice(their: tuple[FileRound, int], found: Difference | None) -> Difference | None:
    row, times = their
    return found if times == 1 else Difference("twice", *_key(row), row.line, {"rows": (times, 1)})


def _missing(our: LedgerRound, counts: Compared, *, settlements: bool) -> Difference | None:
    if our.kind == "settle" and not settlements:
        counts.settlements_left_out += 1
        return None
    return Difference("missing", *_key(our), None)


def _compared(their: FileRound, our: LedgerRound, counts: Compared) -> Difference | None:
    pairs = {
        "stake_minor": (their.stake_minor, our.stake_minor),
        "currency": (their.currency, our.currency),
        "pool": (their.pool, our.pool),
        "slot": (their.slot, our.slot),
    }
    if our.status == "open":
        counts.open += 1
    elif our.status == "unsettled" and their.status != "unsettled":
        pairs |= {"outcome": (their.outcome, our.outcome)}
        return Difference("unsettled", *_key(our), their.line, _unequal(pairs))
    else:
        pairs |= {"payout_minor": (their.payout_minor, our.payout_minor), "status": (their.status, our.status)}
        if our.kind == "draw":
            pairs["outcome"] = (their.outcome, our.outcome)
    unequal = _unequal(pairs)
    if unequal:
        return Difference("different", *_key(our), their.line, unequal)
    counts.equal += our.status != "open"
    return None


def _unequal(pairs: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    # What they do not say cannot differ.
    return {name: (their, our) for name, (their, our) in pairs.items() if their is not None and their != our}
