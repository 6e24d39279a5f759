"""Where the vault's journal stood: each digest remembers it, so that an older vault or ledger is noticed at start."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from rng_service.ledger.models import DigestRow
from rng_service.sequencer.context import get_meta, set_meta

__all__ = ["JournalMark", "journal_mark", "reset_journal_mark"]

_RESET = "journal-reset"


class JournalMark(NamedTuple):
    """Number and head of a journal frame."""

    sequence: int
    head: bytes


def journal_mark(connection: Connection) -> JournalMark:
    """Return the newest frame that the ledger knows the vault's journal to contain; sequence 0 is its beginning."""
    row = connection.execute(
        select(DigestRow.seq, DigestRow.journal_sequence, DigestRow.journal_head)
        .order_by(DigestRow.seq.desc())
        .limit(1)
    ).one_or_none()
    seq = -1 if row is None else row.seq
    reset = get_meta(connection, _RESET)
    if reset is not None:
        at, sequence, head = reset.split(":")
        if int(at) == seq:
            return JournalMark(int(sequence), bytes.fromhex(head))
    return JournalMark(0, bytes(32)) if row is None else JournalMark(row.journal_sequence, bytes(row.journal_head))


def reset_journal_mark(connection: Connection, mark: JournalMark) -> None:
    """Accept the vault's journal as it is now, after what was lost was burned; holds until the next digest."""
    seq = connection.execute(select(DigestRow.seq).order_by(DigestRow.seq.desc()).limit(1)).scalar()
    set_meta(connection, _RESET, f"{-1 if seq is None else seq}:{mark.sequence}:{mark.head.hex()}")
