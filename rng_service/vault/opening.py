"""Opening a group of bindings: decide, journal, reveal, sign, in this order. The path of every draw."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from anchor.merkle import root_of
from rng_service.encoding import OPENING_LABEL, lp
from rng_service.records.record import draw_record, record_digest, ticket_record, void_record
from rng_service.vault.entries import encode_opened
from rng_service.vault.errors import VaultRefusedError
from rng_service.vault.journal import Journal, Mark
from rng_service.vault.pool_state import Kind, PoolState, Refusal
from rng_service.vault.pools import PoolTable
from rng_service.vault.receipt_keys import ReceiptKeys
from rng_service.vault.settlement import settlement_record
from rng_service.vault.steps import OnStep

__all__ = ["MAX_GROUP_OPENINGS", "MAX_GROUP_SLOTS", "GroupOpener", "GroupResult", "OpeningRequest"]

MAX_GROUP_OPENINGS = 8192
MAX_GROUP_SLOTS = 65_536


class OpeningRequest(Protocol):
    """One binding as the request states it; the proto's message fits."""

    @property
    def pool_id(self) -> str:
        """The pool's name."""

    @property
    def slot(self) -> int:
        """The first slot."""

    @property
    def count(self) -> int:
        """How many consecutive slots."""

    @property
    def kind(self) -> int:
        """A number of `Kind`."""

    @property
    def binding(self) -> bytes:
        """The binding's canonical JSON."""

    @property
    def ticket_binding(self) -> bytes:
        """The ticket's binding for a draw on a ticket, else empty."""


class GroupResult(NamedTuple):
    """For each opening its secrets and its refusal (either is empty), and the signature over the group.

    ``journal`` is the newest frame, which holds the group or stands behind what held it before.
    """

    openings: list[tuple[bytes, str]]
    signature: bytes
    key_id: str
    journal: Mark


class GroupOpener:
    """Opens groups on ``pools``, journaling in ``journal``. Not thread-safe: the owner serialises."""

    def __init__(
        self, pools: PoolTable, journal: Journal, receipt_keys: ReceiptKeys, origin: str, *, on_step: OnStep
    ) -> None:
        self._pools = pools
        self._journal = journal
        self._receipt_keys = receipt_keys
        self._statement = OPENING_LABEL + lp(origin.encode())
        self._on_step = on_step
        self.refused_bindings = 0

    def open(
        self, openings: Sequence[OpeningRequest], settlements: Sequence[bytes], *, sign: bool, key_id: str = ""
    ) -> GroupResult:
        """Return secrets only for what is bound in the journal, durably, to the given binding.

        ``settlements`` are bindings; the signature covers their records behind those of the openings. Signed with
        the receipt key ``key_id``, the current one when it is empty. Raises VaultRefusedError ``group-too-large``,
        ``settlement-mismatch`` or ``receipt-key-gone``, which have bound nothing, and JournalError when the group
        could not be made durable; nothing is known to the caller then.
        """
        _check_group(openings, settlements)
        settled = [record_digest(settlement_record(binding)) for binding in settlements]
        if sign:
            self._receipt_keys.require(key_id)
        refusals = self._bind(openings)
        self._on_step("open.answering")
        results: list[tuple[bytes, str]] = []
        digests: list[bytes] = []
        for opening, refused in zip(openings, refusals, strict=True):
            if refused:
                results.append((b"", refused))
                continue
            secrets, record = self._reveal(opening)
            results.append((secrets, ""))
            if sign:
                digests.append(record_digest(record))
        digests += settled
        if not sign or not digests:
            return GroupResult(results, b"", "", self._journal.mark)
        signature = self._receipt_keys.sign(self._statement + root_of(digests), key_id)
        return GroupResult(results, signature, key_id or self._receipt_keys.current.key_id, self._journal.mark)

    def _bind(self, openings: Sequence[OpeningRequest]) -> list[str]:
        refusals: list[str] = []
        frame: list[bytes] = []
        applied: list[tuple[PoolState, int, int, int]] = []
        for opening in openings:
            pool_id, slot, count, kind = opening.pool_id, opening.slot, opening.count, opening.kind
            pool = self._pools.find(pool_id)
            if pool is None:
                refusals.append(Refusal.UNKNOWN_POOL)
                continue
            decision = pool.plan(slot, count, kind, opening.binding, opening.ticket_binding)
            refused = decision.refused
            if refused is None and self._pools.stream(pool_id) is None:
                refused = Refusal.KEY_UNREADABLE
            if refused is not None:
                self.refused_bindings += refused is Refusal.BOUND_OTHERWISE
                refusals.append(refused)
                continue
            refusals.append("")
            if decision.fresh:
                # Applied at once, so that a second opening of the same slot within this group sees it.
                pool.apply(slot, count, kind, decision.binding_hash)
                applied.append((pool, slot, count, kind))
                frame.append(encode_opened(pool_id, slot, count, kind, decision.binding_hash))
        if frame:
            try:
                self._journal.append(b"".join(frame))
            except BaseException:
                # Nobody saw anything. Where nothing of the frame can be on the disk a later group may use these slots;
                # otherwise the journal takes no further frame, so that nothing is bound before a restart reads what
                # is there. Left applied, they would be answered as bound without a durable frame behind them.
                for pool, slot, count, kind in reversed(applied):
                    pool.revert(slot, count, kind)
                raise
        return refusals

    def _reveal(self, opening: OpeningRequest) -> tuple[bytes, bytes]:
        binding, kind = opening.binding, opening.kind
        if kind == Kind.TICKET:
            return b"", ticket_record(binding)
        stream = self._pools.stream(opening.pool_id)
        if stream is None:
            raise KeyError(opening.pool_id)
        secrets = stream.secrets(opening.slot, opening.count)
        record = draw_record if kind == Kind.DRAW else void_record
        return secrets, record(binding, secrets)


def _check_group(openings: Sequence[OpeningRequest], settlements: Sequence[bytes]) -> None:
    slots = sum([opening.count for opening in openings])
    if len(openings) + len(settlements) > MAX_GROUP_OPENINGS or slots > MAX_GROUP_SLOTS:
        raise VaultRefusedError(
            "group-too-large",
            f"{len(openings) + len(settlements)} records over {slots} slots, at most {MAX_GROUP_OPENINGS} "
            f"over {MAX_GROUP_SLOTS}",
        )
