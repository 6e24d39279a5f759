"""Tickets of an export: each drawn by the seed it was made for, or thrown away no earlier than it said."""

from anchor.errors import VerificationError
from rng_service.verify.fault import require
from rng_service.verify.opened import OpenedRecord
from rng_service.verify.receipt import check_ticket

Place = tuple[str, int]
"""(pool, slot)."""


class OpenTickets:
    """The tickets that wait for their draw, and the draws whose ticket has not been seen."""

    def __init__(self) -> None:
        self._tickets: dict[Place, OpenedRecord] = {}
        self._waiting: dict[Place, OpenedRecord] = {}

    def ticket(self, record: OpenedRecord) -> None:
        """Take a ticket's record."""
        place = record.pool, record.slot
        waiting = self._waiting.pop(place, None)
        if waiting is not None:
            check_ticket(waiting, record)
        else:
            self._tickets[place] = record

    def draw(self, record: OpenedRecord) -> None:
        """Take a draw: on a ticket it must fit it, and a slot with a ticket has no other draw."""
        if "ticket" in record.binding:
            ticket = self._tickets.pop((record.pool, record.slot), None)
            if ticket is not None:
                check_ticket(record, ticket)
            else:
                self._waiting[record.pool, record.slot] = record
        elif self._tickets:
            for slot in range(record.slot, record.slot + record.slots):
                require(
                    (record.pool, slot) not in self._tickets,
                    "ticket-ignored",
                    f"slot {slot} of {record.pool} has a ticket, and a draw without it",
                )

    def void(self, record: OpenedRecord) -> None:
        """Take a void: a ticket is thrown away by its name, and as expired not before its time."""
        binding = record.binding
        named = binding.get("ticket")
        require(
            (named is not None) or binding["reason"] != "ticket-expired",
            "void-ticket",
            f"slot {record.slot} of {record.pool} is void for a ticket that it does not name",
        )
        for slot in range(record.slot, record.slot + record.slots):
            ticket = self._tickets.pop((record.pool, slot), None)
            if ticket is None:
                continue
            if named is not None:
                require(
                    named == ticket.binding_hash.hex(),
                    "void-ticket",
                    f"slot {slot} of {record.pool} is void for another ticket than it has",
                )
            require(
                binding["reason"] != "ticket-expired" or binding["bind_time"] >= ticket.binding["expires"],
                "ticket-voided-early",
                f"slot {slot} of {record.pool}: void at {binding['bind_time']}, "
                f"its ticket is good until {ticket.binding['expires']}",
            )

    def finish(self, *, complete_from_start: bool) -> int:
        """Return how many draws' tickets were not in the export; in one from the start none may be missing."""
        if complete_from_start and self._waiting:
            pool, slot = min(self._waiting)
            raise VerificationError("ticket-missing", f"slot {slot} of {pool} was drawn on a ticket that is nowhere")
        return len(self._waiting)
