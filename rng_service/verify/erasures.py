"""The end of closed pools: their keys are destroyed in time, and the vault says what it opened them for.

The statement covers the counts and the bindings of the vault's own journal, so that a log which tells another story
than the vault is found out (PROTOCOL.md, section 11).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anchor.errors import VerificationError
from rng_service.encoding import erase_statement
from rng_service.log_entries import PoolClose, PoolErase
from rng_service.verify.fault import located, require
from rng_service.verify.outages import Outage, due_after
from rng_service.verify.registry import Registry


@dataclass(slots=True)
class _Closed:
    slot_root: bytes
    drawn: int
    void: int
    due_us: int


class Erasures:
    """Holds what a pool.erase is compared with, for the pools that are closed and not erased yet."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._closed: dict[str, _Closed] = {}
        self._fresh: list[_Closed] = []
        self._unsigned: list[tuple[int, PoolErase]] = []
        self.erased = 0

    def close(self, entry: PoolClose, slot_root: bytes) -> None:
        """Expect the erasure of a pool that was closed."""
        due_us = entry.time_us + self._registry.close_delay_us
        closed = self._closed[entry.pool] = _Closed(slot_root, entry.drawn, entry.void, due_us)
        self._fresh.append(closed)

    def erase(self, index: int, entry: PoolErase) -> None:
        """Take the vault's word; raises VerificationError ``erase-…``."""
        closed = self._closed.pop(entry.pool, None)
        if closed is None:
            raise VerificationError("erase-unclosed", f"{entry.pool} is not closed, or was erased before")
        require(closed.slot_root == entry.slot_root, "erase-root", f"{entry.pool} has another slot root")
        require(
            (closed.drawn, closed.void) == (entry.drawn, entry.void),
            "erase-census",
            f"{entry.pool}: the close says {closed.drawn} drawn and {closed.void} void, "
            f"the vault opened {entry.drawn} and {entry.void}",
        )
        if entry.key_id in self._registry.receipt_keys:
            self._check_signature(entry)
        else:
            # A receipt key may be announced anywhere in the log, so its signatures wait until the end.
            self._unsigned.append((index, entry))
        self.erased += 1

    def digest(self, time_us: int) -> None:
        """Take the time of a digest, and hold the operator to what was due by then; raises ``erase-missing``."""
        delay_us = self._registry.close_delay_us
        for closed in self._fresh:
            # A close before this digest was not made after it, whatever time it states.
            closed.due_us = min(closed.due_us, time_us + delay_us)
        self._fresh.clear()
        for pool, closed in self._closed.items():
            require(
                time_us <= closed.due_us,
                "erase-missing",
                f"{pool} was closed, and until {closed.due_us} the vault said nothing about its key",
            )

    def excuse(self, outages: Sequence[Outage]) -> None:
        """Let erasures that were due in an admitted outage count from its end."""
        delay_us = self._registry.close_delay_us
        for closed in self._closed.values():
            closed.due_us = due_after(outages, closed.due_us, delay_us)

    def finish(self) -> None:
        """Check the signatures that had to wait for the end of the log."""
        for index, entry in self._unsigned:
            with located(entry=index):
                require(
                    entry.key_id in self._registry.receipt_keys,
                    "receipt-key-unknown",
                    f"no key.receipt announces {entry.key_id.hex()}",
                )
                self._check_signature(entry)

    def _check_signature(self, entry: PoolErase) -> None:
        key = Ed25519PublicKey.from_public_bytes(self._registry.receipt_keys[entry.key_id])
        message = erase_statement(
            entry.origin,
            entry.pool,
            entry.slot_root,
            drawn=entry.drawn,
            void=entry.void,
            bindings_digest=entry.bindings_digest,
        )
        try:
            key.verify(entry.signature, message)
        except InvalidSignature:
            raise VerificationError("erase-signature", f"{entry.pool}: not signed by its key") from None
