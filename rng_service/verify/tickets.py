"""Tickets of an export: each drawn by the seed it was made for, or thrown away no earlier than it said.

Which slots have a ticket the audit of the log knows; what a ticket says only its record does, which an export may not
have.
"""

from collections.abc import Sequence

from anchor.errors import VerificationError
from rng_service.verify.coverage import Coverage
from rng_service.verify.fault import require
from rng_service.verify.opened import OpenedRecord
from rng_service.verify.outages import Outage, due_after
from rng_service.verify.receipt_steps import check_ticket, check_ticket_seed, check_ticket_term

Place = tuple[str, int]
"""(pool, slot)."""


class OpenTickets:
    """The tickets that wait for what becomes of their slot."""

    def __init__(self) -> None:
        self._tickets: dict[Place, OpenedRecord] = {}
        self.unseen = 0

    def ticket(self, record: OpenedRecord) -> None:
        """Take a ticket's record; raises ``ticket-stillborn``."""
        check_ticket_term(record)
        self._tickets[record.pool, record.slot] = record

    def draw(self, record: OpenedRecord, coverage: Coverage) -> None:
        """Take a draw: on a ticket it must fit it, and a slot with a ticket has no other draw.

        ``coverage`` is what the log's digests say about the pool up to this one. Raises ``ticket-ignored``,
        ``ticket-missing`` and what `check_ticket` raises.
        """
        promised = coverage.first_with_ticket(record.slot, record.slot + record.slots)
        if "ticket" not in record.binding:
            if promised is not None:
                raise VerificationError(
                    "ticket-ignored", f"slot {promised} of {record.pool} has a ticket, and a draw without it"
                )
            return
        require(
            promised is not None,
            "ticket-missing",
            f"slot {record.slot} of {record.pool} was drawn on a ticket that no digest up to this one has",
        )
        ticket = self._tickets.pop((record.pool, record.slot), None)
        if ticket is None:
            check_ticket_seed(record)
            self.unseen += 1
        else:
            check_ticket(record, ticket)

    def void(self, record: OpenedRecord, coverage: Coverage, digest_us: int, *, quarantined: bool) -> None:
        """Take a void: of a ticket by its name; as expired not before its time; for any other reason in quarantine.

        Raises ``void-ticket``, ``void-unquarantined``, ``ticket-voided-early``.
        """
        binding, slot, end = record.binding, record.slot, record.slot + record.slots
        named, expired = binding.get("ticket"), binding["reason"] == "ticket-expired"
        promised = coverage.first_with_ticket(slot, end)
        require(
            (named is not None) == (promised is not None),
            "void-ticket",
            f"slot {slot if promised is None else promised} of {record.pool} is void, and "
            + ("had no ticket" if promised is None else "its ticket is not named"),
        )
        require(
            named is not None or not expired,
            "void-ticket",
            f"slot {slot} of {record.pool} is void for a ticket that it does not name",
        )
        require(
            expired or quarantined,
            "void-unquarantined",
            f"slot {slot} of {record.pool} is void as {binding['reason']}, and the pool was not quarantined before",
        )
        ticket = self._tickets.pop((record.pool, slot), None)
        if named is None:
            return
        if ticket is None:
            self.unseen += 1
            return
        require(
            named == ticket.binding_hash.hex(),
            "void-ticket",
            f"slot {slot} of {record.pool} is void for another ticket than it has",
        )
        require(
            not expired or digest_us >= ticket.binding["expires"],
            "ticket-voided-early",
            f"slot {slot} of {record.pool}: void in a digest of {digest_us}, "
            f"its ticket is good until {ticket.binding['expires']}",
        )

    def finish(self, newest_us: int, close_delay_us: int, outages: Sequence[Outage]) -> None:
        """Check that no ticket's slot was forgotten; raises ``ticket-abandoned``.

        Only for an export with every record up to a digest of ``newest_us``.
        """
        for (pool, slot), ticket in self._tickets.items():
            due_us = due_after(outages, ticket.binding["expires"] + close_delay_us, close_delay_us)
            if newest_us > due_us:
                raise VerificationError(
                    "ticket-abandoned",
                    f"the ticket of slot {slot} of {pool} was good until {ticket.binding['expires']}, "
                    f"and at {newest_us} the slot is neither drawn nor void",
                )
