"""Settlement model "lookup": a row of a weighted lookup table, and what it pays.

Payouts in the table are hundredths of the base bet. The stake of a mode is ``cost`` base bets (a bought bonus costs a
hundred of them), so one unit staked gets back ``payout / 100 / cost``. The book of a row, which says what the player
is shown, is committed to by the root of a Merkle tree and changes no money.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from anchor.canonical import JSONValue
from rng_service.games.errors import GameError
from rng_service.games.models.base import Bet, BetFields, ModelKind, Priced, bet_name, only_fields, only_step
from rng_service.games.prizes import PrizeDistribution
from rng_service.games.reading import Node
from rng_service.outcome import Lookup, Step
from rng_service.outcome.lookup import MAX_ROWS, PAYOUT_UNIT, LookupTable
from rng_service.outcome.primitives import Outcome

_BETS = ("spin",)


@dataclass(frozen=True, slots=True)
class Books:
    """What a definition says of its books.

    ``file`` is SHA-256 of the compressed file as it was made; ``root`` that of the tree over its lines in the order of
    the table's rows (PROTOCOL.md, section 4).
    """

    file: bytes
    root: bytes
    size: int


@dataclass(frozen=True, slots=True)
class LookupBet:
    """The only bet: one row."""

    table: LookupTable
    unit: Fraction

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded."""
        return {"bet": "spin"}

    @property
    def highest(self) -> Fraction:
        """The largest payout that can be drawn."""
        return max(self.table.weight_by_payout) * self.unit

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return what the row pays."""
        return self.table.payouts[outcome[0]] * self.unit

    def rtp(self) -> Fraction:
        """Return the sum over all rows, in integers until the end."""
        paid = sum(payout * weight for payout, weight in self.table.weight_by_payout.items())
        return Fraction(paid, self.table.total) * self.unit

    def prizes(self) -> PrizeDistribution:
        """Return the probability of each multiplier."""
        total = self.table.total
        weights = self.table.weight_by_payout.items()
        return PrizeDistribution({payout * self.unit: Fraction(weight, total) for payout, weight in weights})


@dataclass(frozen=True, slots=True)
class LookupModel:
    """A table, what one draw of it costs in base bets, and its books if it has any."""

    table: LookupTable
    cost: Fraction
    books: Books | None

    def resolve(self, bet: BetFields) -> Bet:
        """Take ``{"bet": "spin"}``."""
        bet_name(bet, _BETS)
        only_fields(bet, ("bet",))
        return self._spin()

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List the only bet."""
        return [("spin", self._spin())]

    def _spin(self) -> LookupBet:
        return LookupBet(self.table, 1 / (PAYOUT_UNIT * self.cost))


def read_lookup(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> LookupModel:
    """Read ``{"model": "lookup", "cost": "1", "books": {"file", "root", "size"}}``; books may be left out."""
    table = only_step(steps_node, steps, Lookup, "a lookup").table
    fields = settlement.fields(("model", "cost"), ("books",))
    cost = fields["cost"].fraction()
    if not cost:
        fields["cost"].fail("a draw costs more than 0 base bets")
    return LookupModel(table, cost, _read_books(fields["books"], table) if "books" in fields else None)


def _read_books(node: Node, table: LookupTable) -> Books:
    fields = node.fields(("file", "root", "size"))
    size = fields["size"].integer(1, MAX_ROWS)
    if size != table.rows:
        raise GameError(fields["size"].path, f"the table has {table.rows} rows, so there are as many books, not {size}")
    return Books(fields["file"].digest(), fields["root"].digest(), size)


MODEL = ModelKind(
    "lookup",
    read_lookup,
    {
        "required": ["cost"],
        "properties": {
            "cost": {"$ref": "#/$defs/multiplier"},
            "books": {
                "type": "object",
                "additionalProperties": False,
                "required": ["file", "root", "size"],
                "properties": {
                    "file": {"$ref": "#/$defs/sha256"},
                    "root": {"$ref": "#/$defs/sha256"},
                    "size": {"type": "integer", "minimum": 1, "maximum": MAX_ROWS},
                },
            },
        },
    },
)
