"""Rounds in the ledger: where one stands, and the guard that lets each step be drawn once (PROTOCOL.md, section 7)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from anchor import canonical
from rng_service.errors import FailedPrecondition, RequestError, Unavailable
from rng_service.ledger.statements import execute, insert_rows, marks
from rng_service.ledger.tasks import BindTask, RoundMove

_COLUMNS = ("caller", "round", "last_step", "record_id", "stake_minor", "currency", "awards")
# A step is only written on top of the one before it; what was taken meanwhile is not returned.
_ADVANCE = (
    "ON CONFLICT (caller, round) DO UPDATE SET last_step = excluded.last_step, record_id = excluded.record_id, "
    "stake_minor = excluded.stake_minor, currency = excluded.currency, awards = excluded.awards "
    "WHERE rounds.last_step = excluded.last_step - 1 RETURNING last_step"
)

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class KnownRound:
    """A round as its row says, and the newest step's draw: where it was drawn from, and its binding.

    ``awarded`` are the draws that were left when that step was bound: what its own outcome awards comes on top.
    """

    last_step: int
    record_id: int
    stake_minor: int
    currency: str
    awarded: Mapping[str, int]
    pool_id: str
    binding: bytes


def find_round(connection: Connection, caller: str, round_id: str) -> KnownRound | None:
    """Return a caller's round, or None when no step of it was drawn."""
    found = execute(
        connection,
        "SELECT o.last_step, o.record_id, o.stake_minor, o.currency, o.awards, p.pool_id, r.binding FROM rounds o "
        "JOIN records r ON r.id = o.record_id JOIN pools p ON p.id = r.pool_id WHERE o.caller = ? AND o.round = ?",
        (caller, round_id),
    ).first()
    if found is None:
        return None
    last_step, record_id, stake_minor, currency, awards, pool_id, binding = found
    return KnownRound(last_step, record_id, stake_minor, currency, json.loads(awards), pool_id, bytes(binding))


def step_refusal(move: RoundMove, last_step: int, record_id: int) -> RequestError | None:
    """Return why a step cannot be drawn when ``last_step`` was the last, by ``record_id``; None when it can."""
    if move.step != last_step + 1:
        # A step that was skipped, or that another request id drew: the re-roll that a round must not have.
        return FailedPrecondition(
            "ROUND_STEP", f"the next step of this round is {last_step + 1}, the request is of step {move.step}"
        )
    if move.after != record_id:
        # It is the next step now, and was not when the request was looked at.
        return Unavailable("LEDGER_UNAVAILABLE", "the step before this one was drawn only just now; try again")
    return None


class RoundGuard:
    """The rounds of one commit group: read and locked, held against its draws, and moved on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # (last step, its record) as the ledger has it, and behind what the group itself takes.
        self._places: dict[_Key, tuple[int, int]] = {}
        self._rows: dict[_Key, tuple[object, ...]] = {}

    def read(self, tasks: Iterable[BindTask]) -> None:
        """Read the rounds that ``tasks`` move, on PostgreSQL locked; asks nothing when they move none."""
        keys = sorted({(task.caller, task.round.round_id) for task in tasks if task.round is not None})
        if not keys:
            return
        lock = " FOR UPDATE" if self._connection.dialect.name == "postgresql" else ""
        rows = execute(
            self._connection,
            "SELECT caller, round, last_step, record_id FROM rounds WHERE (caller, round) IN "  # noqa: S608
            f"(VALUES {', '.join([f'({marks(2)})'] * len(keys))}) ORDER BY caller, round{lock}",
            [part for key in keys for part in key],
        )
        for caller, round_id, last_step, record_id in rows:
            self._places[caller, round_id] = last_step, record_id

    def refusal(self, caller: str, move: RoundMove) -> RequestError | None:
        """Return why a step cannot be drawn, None when it can."""
        return step_refusal(move, *self._places.get((caller, move.round_id), (0, 0)))

    def take(self, caller: str, move: RoundMove, record_id: int) -> None:
        """Note that the draw ``record_id`` is the next step of its round."""
        key = caller, move.round_id
        self._places[key] = move.step, record_id
        awards = canonical.encode(dict(move.awarded)).decode("ascii")
        self._rows[key] = (*key, move.step, record_id, move.stake_minor, move.currency, awards)

    def write(self) -> bool:
        """Move the rounds on; False when one was moved by somebody else since it was read, and nothing may be kept."""
        rows = [row for _, row in sorted(self._rows.items())]
        return not rows or len(insert_rows(self._connection, "rounds", _COLUMNS, rows, _ADVANCE)) == len(rows)
