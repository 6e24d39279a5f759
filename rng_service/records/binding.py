"""Bindings (PROTOCOL.md, section 7): the canonical JSON that a slot is bound to.

These builders are on the path of every draw, so they lay the members out in canonical order themselves instead of
sorting a dictionary; a test holds them against `anchor.canonical`. Every argument was validated before it came here:
names, sessions and reasons hold no character that JSON would escape.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class DrawBinding:
    """What a draw says before its slot is known; ``session_sequence`` and ``ticket`` are set when it is bound."""

    caller: str
    request: str
    payload: str
    program: str
    client_seed: str = ""
    count: int = 1
    session: str = ""
    session_sequence: int = 0
    stake_minor: int = 0
    currency: str = ""
    bet: str = ""
    tags: str = ""
    ticket: str = ""
    round_id: str = ""
    step: int = 0

    def to_bytes(self, pool: str, slot: int, bind_time_us: int, nonce: str) -> bytes:
        """Return the binding's bytes for ``slot`` of ``pool``; hex arguments are lowercase text."""
        parts = ["{"]
        if self.bet:
            parts.append(f'"bet":{self.bet},')
        parts.append(f'"bind_time":{bind_time_us},"caller":"{self.caller}",')
        if self.client_seed:
            parts.append(f'"client_seed":"{self.client_seed}",')
        if self.count > 1:
            parts.append(f'"count":{self.count},')
        if self.currency:
            parts.append(f'"currency":"{self.currency}",')
        parts.append(
            f'"nonce":"{nonce}","payload":"{self.payload}","pool":"{pool}","program":"{self.program}",'
            f'"request":"{self.request}",',
        )
        if self.round_id:
            parts.append(f'"round":"{self.round_id}",')
        if self.session:
            parts.append(f'"session":"{self.session}","session_seq":{self.session_sequence},')
        parts.append(f'"slot":{slot},')
        if self.currency:
            parts.append(f'"stake_minor":{self.stake_minor},')
        if self.round_id:
            parts.append(f'"step":{self.step},')
        if self.tags:
            parts.append(f'"tags":"{self.tags}",')
        if self.ticket:
            parts.append(f'"ticket":"{self.ticket}",')
        parts.append('"v":1}')
        return "".join(parts).encode("ascii")


@dataclass(slots=True)
class TicketBinding:
    """What a reservation says before its slot is known."""

    caller: str
    request: str
    payload: str
    program: str
    client_seed_hash: str
    session: str = ""
    session_sequence: int = 0
    tags: str = ""

    def to_bytes(self, pool: str, slot: int, bind_time_us: int, nonce: str, expires_us: int) -> bytes:
        """Return the binding's bytes for ``slot`` of ``pool``."""
        session = f'"session":"{self.session}","session_seq":{self.session_sequence},' if self.session else ""
        tags = f'"tags":"{self.tags}",' if self.tags else ""
        return (
            f'{{"bind_time":{bind_time_us},"caller":"{self.caller}","client_seed_hash":"{self.client_seed_hash}",'
            f'"expires":{expires_us},"nonce":"{nonce}","payload":"{self.payload}","pool":"{pool}",'
            f'"program":"{self.program}","request":"{self.request}",{session}"slot":{slot},{tags}"v":1}}'
        ).encode("ascii")


@dataclass(frozen=True, slots=True)
class SettleBinding:
    """One bettor's settlement for one outcome."""

    caller: str
    request: str
    payload: str
    pool: str
    slot: int
    draw: str
    bettor: str
    stake_minor: int
    payout_minor: int
    currency: str
    status: str
    bet: str = ""
    reason: str = ""

    def to_bytes(self, bind_time_us: int, nonce: str) -> bytes:
        """Return the binding's bytes."""
        bet = f'"bet":{self.bet},' if self.bet else ""
        reason = f'"reason":"{self.reason}",' if self.reason else ""
        return (
            f'{{{bet}"bettor":"{self.bettor}","bind_time":{bind_time_us},"caller":"{self.caller}",'
            f'"currency":"{self.currency}","draw":"{self.draw}","nonce":"{nonce}","payload":"{self.payload}",'
            f'"payout_minor":{self.payout_minor},"pool":"{self.pool}",{reason}"request":"{self.request}",'
            f'"slot":{self.slot},"stake_minor":{self.stake_minor},"status":"{self.status}","v":1}}'
        ).encode("ascii")


def void_binding(
    *,
    pool: str,
    slot: int,
    count: int,
    reason: str,
    bind_time_us: int,
    nonce: str,
    ticket: str = "",
) -> bytes:
    """Return the binding that throws ``count`` slots away from ``slot`` on; ``ticket`` is an expired ticket's hash."""
    several = f'"count":{count},' if count > 1 else ""
    of_ticket = f'"ticket":"{ticket}",' if ticket else ""
    return (
        f'{{"bind_time":{bind_time_us},{several}"nonce":"{nonce}","pool":"{pool}","reason":"{reason}",'
        f'"slot":{slot},{of_ticket}"v":1}}'
    ).encode("ascii")
