"""Settlements of an export: each for an outcome that was drawn, each bettor once, none against its own bet."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from anchor.errors import VerificationError
from rng_service.games import Bet
from rng_service.games.placing import PlayError, check_settled_with, stakes
from rng_service.verify.evaluation import PoolEvaluator
from rng_service.verify.fault import require
from rng_service.verify.opened import OpenedRecord

# How a settlement's record names its draw, as the record stands inside a line of an export.
_SETTLE_MARK = b'\\"kind\\":\\"settle\\"'
_DRAW_MARK = b'\\"draw\\":\\"'


@dataclass(frozen=True, slots=True)
class SettledDraw:
    """What a settlement is held against: the draw's slots, outcomes, and its own bet when it had one."""

    record: OpenedRecord
    outcomes: list[tuple[int, ...]]
    payouts: list[int] | None
    evaluator: PoolEvaluator

    @property
    def sole(self) -> bool:
        """Whether it fixed a stake and no bet: then it has one bettor, who told the bet afterwards."""
        return self.payouts is None and "stake_minor" in self.record.binding


@dataclass(slots=True)
class Settlements:
    """Keeps the draws that settlements name, and nothing of the others."""

    named: set[bytes]
    complete_from_start: bool
    unknown: int = 0
    # How many gave a stake back, in sight of the outcome: no fault, and a way not to pay.
    voids: int = 0
    _draws: dict[bytes, SettledDraw] = field(default_factory=dict)
    _bettors: set[tuple[bytes, int, str]] = field(default_factory=set)
    _settled: set[tuple[bytes, int]] = field(default_factory=set)

    def drawn(
        self,
        record: OpenedRecord,
        outcomes: list[tuple[int, ...]],
        payouts: list[int] | None,
        evaluator: PoolEvaluator,
    ) -> None:
        """Keep a draw when a settlement of the export names it."""
        if record.digest in self.named:
            self._draws[record.digest] = SettledDraw(record, outcomes, payouts, evaluator)

    def take(self, record: OpenedRecord) -> bool:
        """Check one settlement; return whether it is the first for an outcome without a bet of its own."""
        binding = record.binding
        _check_form(binding)
        name = bytes.fromhex(binding["draw"])
        bettor = name, record.slot, binding["bettor"]
        require(bettor not in self._bettors, "settle-twice", f"slot {record.slot}: settled twice for one bettor")
        self._bettors.add(bettor)
        self.voids += binding["status"] == "void"
        draw = self._draws.get(name)
        if draw is None:
            # A draw before the first digest of the export is not wrong, only out of sight.
            require(not self.complete_from_start, "settle-draw", f"no draw before it has the digest {name.hex()}")
            self.unknown += 1
            return False
        _check_place(record, draw.record)
        number = record.slot - draw.record.slot
        outcome = name, record.slot
        if draw.sole:
            _check_stake(record, draw)
            require(
                outcome not in self._settled, "settle-sole", f"slot {record.slot}: a second bettor of one draw's stake"
            )
        _check_money(binding, draw, number)
        first = draw.payouts is None and outcome not in self._settled
        self._settled.add(outcome)
        return first


def named_draws(lines: Iterable[bytes]) -> set[bytes]:
    """Return the record digests of the draws that an export's settlements name."""
    found = set()
    for line in lines:
        if _SETTLE_MARK in line:
            # The last one: a bet, which stands before it, may have a member of that name, to hide the draw from us.
            at = line.rfind(_DRAW_MARK) + len(_DRAW_MARK)
            try:
                found.add(bytes.fromhex(line[at : at + 64].decode("ascii")))
            except ValueError:
                # Whoever reads the record properly will say what is wrong with it.
                continue
    return found


def _check_form(binding: dict[str, Any]) -> None:
    """Check what a settlement must say whatever it settles."""
    if binding["status"] == "final":
        require("bet" in binding, "settle-bet", "a final settlement without a bet pays what nobody can check")
    elif binding["status"] == "void":
        require(
            binding["payout_minor"] == 0 and "reason" in binding,
            "settle-void",
            f"a void settlement has a reason and pays 0, this one pays {binding['payout_minor']}",
        )


def _check_place(record: OpenedRecord, draw: OpenedRecord) -> None:
    require(
        record.pool == draw.pool and draw.slot <= record.slot < draw.slot + draw.slots,
        "settle-slot",
        f"settles slot {record.slot} of {record.pool}, its draw took {draw.slot} of {draw.pool}",
    )
    require(
        record.binding["caller"] == draw.binding["caller"],
        "settle-caller",
        f"{record.binding['caller']} settles a draw of {draw.binding['caller']}",
    )


def _check_stake(record: OpenedRecord, draw: SettledDraw) -> None:
    """Check the settlement of a stake that stood fast before the outcome, and whose bet was told afterwards."""
    binding, own = record.binding, draw.record.binding
    times = stakes(draw.evaluator.resolve(binding["bet"])) if "bet" in binding else 1
    found, fixed = (binding["stake_minor"], binding["currency"]), (own["stake_minor"] * times, own["currency"])
    require(
        found == fixed,
        "settle-stake",
        f"slot {record.slot}: settles {found[0]} {found[1]}, the draw had {fixed[0]} {fixed[1]} at stake",
    )


def _check_money(binding: dict[str, Any], draw: SettledDraw, number: int) -> None:
    stake, payout = binding["stake_minor"], binding["payout_minor"]
    if binding["status"] == "confirm":
        if draw.payouts is None:
            raise VerificationError("settle-confirm", "confirms a draw that had no bet of its own")
        own = draw.record.binding
        require(
            (stake, payout, binding["currency"]) == (own["stake_minor"], draw.payouts[number], own["currency"]),
            "settle-confirm",
            f"confirms stake {stake} and payout {payout}, the draw had {own['stake_minor']} and {draw.payouts[number]}",
        )
        return
    # What the draw itself paid cannot be taken back, and not be paid by another bet.
    require(draw.payouts is None, "settle-own-bet", f"a {binding['status']} settlement of a draw with a bet of its own")
    if binding["status"] == "final":
        _check_bet(draw.evaluator.resolve(binding["bet"]), staked=draw.sole)
        expected = draw.evaluator.payouts(binding["bet"], stake, [draw.outcomes[number]])[0]
        require(payout == expected, "settle-payout", f"pays {payout}, the bet gives {expected}")


def _check_bet(bet: Bet, *, staked: bool) -> None:
    try:
        check_settled_with(bet, staked=staked)
    except PlayError as error:
        raise VerificationError(error.kind, error.message) from None
