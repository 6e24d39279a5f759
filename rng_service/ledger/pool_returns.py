"""What the reference bet would have returned on the outcomes of each pool, added up with every digest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy import Connection, delete, insert, select, update

from rng_service.ledger.models import PoolReturnRow

__all__ = ["ReturnSum", "add_returns", "clear_returns", "read_returns"]

_POOLS_AT_ONCE = 400


@dataclass(slots=True)
class ReturnSum:
    """The multipliers of the reference bet over outcomes."""

    outcomes: int = 0
    returned: Fraction = Fraction(0)

    def add(self, outcomes: int, returned: Fraction) -> None:
        """Add what further outcomes return."""
        self.outcomes += outcomes
        self.returned += returned


def add_returns(connection: Connection, returns: Mapping[int, ReturnSum]) -> None:
    """Add to the pools' sums, in the transaction of the digest that the outcomes join; only the leader does."""
    known = read_returns(connection, returns)
    for pool, added in returns.items():
        before = known.get(pool)
        if before is None:
            values = {"pool_id": pool, "outcomes": added.outcomes, "returned": str(added.returned)}
            connection.execute(insert(PoolReturnRow).values(**values))
            continue
        before.add(added.outcomes, added.returned)
        connection.execute(
            update(PoolReturnRow)
            .where(PoolReturnRow.pool_id == pool)
            .values(outcomes=before.outcomes, returned=str(before.returned))
        )


def clear_returns(connection: Connection) -> None:
    """Forget the sums of every pool: whoever calls it adds all of them up again in the same transaction."""
    connection.execute(delete(PoolReturnRow))


def read_returns(connection: Connection, pools: Iterable[int]) -> dict[int, ReturnSum]:
    """Return the sums of these pools; those of which nothing was drawn are left out."""
    wanted = sorted(pools)
    found: dict[int, ReturnSum] = {}
    for start in range(0, len(wanted), _POOLS_AT_ONCE):
        part = wanted[start : start + _POOLS_AT_ONCE]
        rows = connection.execute(select(PoolReturnRow.__table__).where(PoolReturnRow.pool_id.in_(part)))
        found |= {row.pool_id: ReturnSum(row.outcomes, Fraction(row.returned)) for row in rows}
    return found
