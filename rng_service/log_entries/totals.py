"""Totals: money and counts over runs of digests (PROTOCOL.md, section 10)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from rng_service.entry_fields import Amount, Count, Hash, Name, Positive, Signed, array, one_of, text
from rng_service.log_entries.base import Entry
from rng_service.names import check_currency


def _check_currency(value: str) -> None:
    # Outcomes without a stake are counted in a row without a currency.
    if value:
        check_currency(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsRow:
    """The money and the counts of one game version, program, class and currency (PROTOCOL.md, section 10)."""

    game: Name
    version: Positive
    program: Name
    play_class: Annotated[str, one_of("free", "real")]
    currency: Annotated[str, text(_check_currency)]
    outcomes: Count
    plays: Count
    stake_minor: Amount
    payout_minor: Amount
    unsettled: Signed


@dataclass(frozen=True, kw_only=True)
class Totals(Entry):
    """The totals of the digests ``from_digest`` … ``to_digest``."""

    TYPE: ClassVar[str] = "totals"

    seq: Count
    from_digest: Count
    to_digest: Count
    rows: Annotated[tuple[TotalsRow, ...], array(TotalsRow)]
    policy: Annotated[str, one_of("open")] = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedRow:
    """A row whose money is withheld: what the digests show anyway, and a commitment to the whole row."""

    game: Name
    version: Positive
    program: Name
    play_class: Annotated[str, one_of("free", "real")]
    currency: Annotated[str, text(_check_currency)]
    outcomes: Count
    commitment: Hash


@dataclass(frozen=True, kw_only=True)
class CommittedTotals(Entry):
    """The totals of the digests ``from_digest`` … ``to_digest`` under the policy ``committed``."""

    TYPE: ClassVar[str] = "totals"

    seq: Count
    from_digest: Count
    to_digest: Count
    rows: Annotated[tuple[CommittedRow, ...], array(CommittedRow)]
    policy: Annotated[str, one_of("committed")] = "committed"
