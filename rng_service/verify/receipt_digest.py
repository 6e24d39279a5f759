"""The last step of a receipt: exactly one digest has its record, in time, and nobody else has its slot.

Source: PROTOCOL.md, section 8, step 9.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from anchor.errors import VerificationError
from anchor.source import Source
from rng_service.log_entries import Digest
from rng_service.verify.clock import CLOCK_TOLERANCE_US, OWN_CLOCK_TOLERANCE_US
from rng_service.verify.digests import check_digest_form, read_digest_file
from rng_service.verify.fault import require
from rng_service.verify.opened import OpenedRecord
from rng_service.verify.outages import Outage, due_after
from rng_service.verify.place import check_place, overlaps

CLOCK_SKIPPED = "no clock was given: whether the operator is still within its promise was asked of the operator's own"


@dataclass(slots=True)
class Found:
    """A record and the digest that has it; ``late_by`` names the outage that made it late.

    ``taken_by`` is the digest that gave the record's slot to another one.
    """

    record: OpenedRecord
    promised_us: int
    latest_us: int
    entry: Digest | None = None
    late_by: str | None = None
    taken_by: int | None = None


class DigestSearch:
    """Looks for a record, and the ticket that it was drawn on, in the digests behind its pool's activation."""

    def __init__(
        self, record: OpenedRecord, ticket: OpenedRecord | None, outages: Sequence[Outage], merge_delay_us: int
    ) -> None:
        self._outages = outages
        self._delay_us = merge_delay_us
        self._own = self._sought(record)
        self._ticket = None if ticket is None else self._sought(ticket)
        self.skipped: list[str] = []

    def take(self, entry: Digest, source: Source) -> list[OpenedRecord]:
        """Look into the next digest with a range of the pool, and return which of the records it has.

        Raises VerificationError ``digest-…``, ``merge-delay``, ``bind-time-ahead``, Fault for a bad file.
        """
        check_digest_form(entry)
        file = read_digest_file(source, entry)
        places = {file[at : at + 32]: at // 32 for at in range(0, len(file), 32)}
        held = []
        for found in filter(None, (self._own, self._ticket)):
            place = places.get(found.record.digest)
            if place is not None:
                self._place(found, entry, place)
                held.append(found.record)
            elif found.taken_by is None and _gives_away(entry, found):
                found.taken_by = entry.seq
        return held

    def finish(self, newest_us: int | None, now_us: int | None) -> Found:
        """Say what became of the record once all digests were seen.

        ``newest_us`` is the time of the log's newest digest, ``now_us`` the verifier's own clock. Raises
        VerificationError ``ticket-late``, ``slot-taken``, ``promise-broken``, ``bind-time-ahead``.
        """
        self._check_ticket_first()
        for found in filter(None, (self._own, self._ticket)):
            if found.taken_by is not None:
                raise VerificationError(
                    "slot-taken",
                    f"digest {found.taken_by} gave slot {found.record.slot} of {found.record.pool} to another record "
                    f"than this {found.record.kind}",
                )
            if found.entry is None:
                self._check_pending(found, newest_us, now_us)
        return self._own

    def _sought(self, record: OpenedRecord) -> Found:
        promised_us = record.binding["bind_time"] + self._delay_us
        return Found(record, promised_us, due_after(self._outages, promised_us, self._delay_us))

    def _place(self, found: Found, entry: Digest, place: int) -> None:
        bind_us = found.record.binding["bind_time"]
        require(found.entry is None, "digest-twice", f"digest {entry.seq} has the record once more")
        require(
            entry.time_us <= found.latest_us,
            "merge-delay",
            f"digest {entry.seq} of {entry.time_us}, promised was {found.latest_us} at the latest",
        )
        check_bind_time(bind_us, entry)
        check_place(entry, found.record, place)
        found.entry = entry
        if entry.time_us > found.promised_us:
            found.late_by = next(
                item.text() for item in self._outages if item.start_us <= found.promised_us <= item.end_us
            )

    def _check_ticket_first(self) -> None:
        drawn, ticket = self._own.entry, self._ticket
        if drawn is None or ticket is None:
            return
        if ticket.entry is None or ticket.entry.seq > drawn.seq:
            raise VerificationError(
                "ticket-late", f"digest {drawn.seq} has the draw, and no digest up to it has the ticket"
            )

    def _check_pending(self, found: Found, newest_us: int | None, now_us: int | None) -> None:
        if newest_us is not None:
            require(
                newest_us <= found.latest_us,
                "promise-broken",
                f"no digest up to {newest_us} has the {found.record.kind}, promised was one until {found.latest_us}",
            )
        if now_us is None:
            self.skipped = [CLOCK_SKIPPED]
            return
        bind_us = found.record.binding["bind_time"]
        require(
            bind_us <= now_us + OWN_CLOCK_TOLERANCE_US,
            "bind-time-ahead",
            f"the {found.record.kind} is of {bind_us}, and it is {now_us}: a promise that never falls due",
        )
        require(
            now_us <= found.latest_us,
            "promise-broken",
            f"it is {now_us}, promised was a digest until {found.latest_us}; if this is an older copy of the log, "
            "verify against a newer one",
        )


def check_bind_time(bind_us: int, entry: Digest) -> None:
    """Check that a record was not bound after the digest that has it; raises ``bind-time-ahead``."""
    require(
        bind_us <= entry.time_us + CLOCK_TOLERANCE_US,
        "bind-time-ahead",
        f"bound at {bind_us}, in digest {entry.seq} of {entry.time_us}",
    )


def _gives_away(entry: Digest, found: Found) -> bool:
    """Say whether a digest that does not have the record gives its slots to another one."""
    if found.record.kind == "draw":
        kinds = {"draw", "void"}
    else:
        # Once the ticket is logged, its slot is drawn or void. Before that, nothing may have its slot.
        kinds = {"draw", "ticket", "void"} if found.entry is None else {"ticket"}
    return any(item.kind in kinds and overlaps(item, found.record) for item in entry.ranges)
