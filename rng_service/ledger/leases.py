"""Leases: which process leads. Every write of a leader checks the epoch in the same transaction.

A holder that comes back under its own name takes its lease over at once; the caller makes sure that its earlier self
is dead (the sequencer holds a file lock beside it). Everybody else waits until the lease has expired.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from rng_service.errors import LedgerError, StartRefused
from rng_service.ledger.models import LeaseRow

__all__ = ["Lease", "LeaseLostError", "acquire_lease", "hold_lease", "release_lease"]


class LeaseLostError(LedgerError):
    """Another process leads; whatever this one still wanted to write was rolled back."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as it was taken. ``epoch`` grows with every taking; ``lifetime_us`` is renewed by every write."""

    name: str
    holder: str
    epoch: int
    lifetime_us: int


def acquire_lease(connection: Connection, name: str, holder: str, *, now_us: int, lifetime_us: int) -> Lease:
    """Take the lease, durable when the caller commits. Raises StartRefused, naming the holder, while another has it."""
    row = connection.execute(select(LeaseRow.__table__).where(LeaseRow.name == name).with_for_update()).one_or_none()
    if row is None:
        try:
            with connection.begin_nested():
                connection.execute(
                    insert(LeaseRow).values(name=name, holder=holder, epoch=1, expires_us=now_us + lifetime_us)
                )
        except IntegrityError:
            raise StartRefused(f"another {name} is starting at this moment; try again") from None
        return Lease(name, holder, 1, lifetime_us)
    if row.holder != holder and row.expires_us > now_us:
        seconds = -(-(row.expires_us - now_us) // 1_000_000)
        raise StartRefused(
            f"the {name} of this ledger is run by {row.holder} (epoch {row.epoch}), whose lease lasts "
            f"{seconds} s more; stop it, or wait until it has expired"
        )
    epoch = row.epoch + 1
    connection.execute(
        update(LeaseRow)
        .where(LeaseRow.name == name)
        .values(holder=holder, epoch=epoch, expires_us=now_us + lifetime_us)
    )
    return Lease(name, holder, epoch, lifetime_us)


def hold_lease(connection: Connection, lease: Lease, *, now_us: int) -> None:
    """Renew the lease inside a transaction of its holder. Raises LeaseLostError when somebody else has it."""
    renewed = connection.execute(
        update(LeaseRow)
        .where(LeaseRow.name == lease.name, LeaseRow.epoch == lease.epoch, LeaseRow.holder == lease.holder)
        .values(expires_us=now_us + lease.lifetime_us)
    )
    if renewed.rowcount != 1:
        raise LeaseLostError(f"{lease.holder} no longer leads the {lease.name} (epoch {lease.epoch})")


def release_lease(connection: Connection, lease: Lease) -> None:
    """Let the lease end now; a lease that was lost already is left alone."""
    connection.execute(
        update(LeaseRow)
        .where(LeaseRow.name == lease.name, LeaseRow.epoch == lease.epoch, LeaseRow.holder == lease.holder)
        .values(expires_us=0)
    )
