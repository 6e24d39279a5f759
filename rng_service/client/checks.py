"""Checks of one answer against the log's facts: steps 2 to 8 of PROTOCOL.md, section 8, and the request itself.

Whether the record reaches a digest in time (step 9) shows only later: `sealdraw verify receipt` checks that from the
saved receipt file.
"""

from collections.abc import Sequence
from functools import partial

from anchor.errors import VerificationError
from rng_service.books import Book
from rng_service.client.expectation import Expectation
from rng_service.client.facts import LogFacts, PoolFacts
from rng_service.client.receipt import Receipt, Settlement
from rng_service.names import parse_pool_id
from rng_service.records.receipt import parse_receipt
from rng_service.verify.book import check_book
from rng_service.verify.fault import require
from rng_service.verify.receipt_steps import (
    WitnessPolicy,
    check_held_ticket,
    check_labels,
    check_opening,
    check_outcome,
    check_program,
    check_slots,
)


def check_receipt(
    receipt: Receipt, expectation: Expectation, facts: LogFacts, policy: WitnessPolicy | None = None
) -> None:
    """Check the receipt of a draw or a ticket; raises VerificationError, MalformedError, or MissingError (later)."""
    file, record = receipt.file, receipt.record
    # What is saved must be readable by everybody else, byte for byte.
    require(parse_receipt(file.to_bytes()) == file, "receipt-form", "the answer has no receipt file")
    expectation.check(record)
    bound_us = record.binding["bind_time"]
    pool = facts.pool(record.pool, file.commit_index, file.activate_index, bound_us)
    key = facts.receipt_key(file.opening.key_id, bound_us)
    # From here on nothing is missing any more, but perhaps a change of lanes.
    check_program(record, pool.commit)
    if record.kind != "ticket":
        check_slots(record, file.slot_path, pool.commit)
    else:
        # The commitment fixes the slot's secret whatever the path says, and the draw proves it with the secret
        # itself; checking the path now would take the pool's whole file of leaves.
        require(record.slot < pool.commit.size, "slot-range", f"{record.pool} has {pool.commit.size} slots")
    check_outcome(record, file.outcome, file.payouts_minor, pool.evaluator)
    if receipt.book is not None:
        check_book(receipt.book, pool.game.program(pool.commit.program), file.outcome)
    expectation.check_game(record, pool.game)
    check_held_ticket(record, file.ticket)
    check_opening(record, file.opening, file.origin, key)
    check_labels(file.protection, record, pool.commit, pool.activation, pool.chain, policy)
    if "ticket" not in record.binding:
        # A draw on a ticket is in the lane of the ticket, which was an answer of its own.
        facts.check_lane(parse_pool_id(record.pool), partial(expectation.lane_among, record), bound_us)


def check_book_of(receipt: Receipt, item: int, book: Book, facts: LogFacts) -> None:
    """Check the book of outcome ``item`` of a receipt that is checked for itself; errors as for `check_receipt`."""
    file = receipt.file
    pool = facts.pool(receipt.pool_id, file.commit_index, file.activate_index, receipt.record.binding["bind_time"])
    check_book(book, pool.game.program(pool.commit.program), receipt.outcomes[item])


def check_settlement(
    settlement: Settlement, expectation: Expectation, settled: Sequence[Receipt], origin: str, facts: LogFacts
) -> None:
    """Check a settlement against its request and the draw that it settles; errors as for `check_receipt`.

    ``settled`` are all receipts of that draw, none when only the id of the settlement's own request is known.
    """
    record, binding = settlement.record, settlement.record.binding
    expectation.check(record)
    bound_us = binding["bind_time"]
    key = facts.receipt_key(settlement.opening.key_id, bound_us)
    check_opening(record, settlement.opening, origin, key)
    if expectation.open_ended:
        return
    draw, number = _item(settled, expectation.payload["item"])
    for name, value in {"draw": draw.record.digest.hex(), "pool": draw.pool_id, "slot": draw.slot + number}.items():
        require(
            binding[name] == value,
            "settlement-draw",
            f"{name} of the settlement is {binding[name]}, the draw's {value}",
        )
    require(bound_us >= draw.record.binding["bind_time"], "settlement-draw", "the settlement was bound before its draw")
    status = _status(draw, expectation)
    require(
        binding["status"] == status, "settlement-status", f"the settlement is {binding['status']}, it must be {status}"
    )
    file = draw.file
    pool = facts.pool(draw.pool_id, file.commit_index, file.activate_index, bound_us)
    expectation.with_payload(status=status).check_game(record, pool.game)
    _check_amounts(settlement, draw, number, pool)


def _item(receipts: Sequence[Receipt], item: int) -> tuple[Receipt, int]:
    """Return the receipt of outcome ``item``, counted over all of them, and the outcome's place in it."""
    for receipt in receipts:
        if receipt.first_item <= item < receipt.first_item + receipt.count:
            return receipt, item - receipt.first_item
    raise VerificationError("settlement-draw", f"the settled draw has no outcome {item}")


def _status(draw: Receipt, expectation: Expectation) -> str:
    """Return the status that the settlement must have: a draw with its own bet is only confirmed."""
    if expectation.voids:
        return "void"
    return "confirm" if "bet" in draw.record.binding else "final"


def _check_amounts(settlement: Settlement, draw: Receipt, number: int, pool: PoolFacts) -> None:
    """Check that the payout is what the paytable pays; the other amounts are those of the request."""
    binding, drawn = settlement.record.binding, draw.record.binding
    if binding["status"] == "void":
        expected = 0
        require("reason" in binding, "settlement-amount", "a void settlement has a reason")
    elif binding["status"] == "confirm":
        for name in ("stake_minor", "currency"):
            require(
                binding[name] == drawn[name],
                "settlement-amount",
                f"{name} of the settlement is {binding[name]}, the draw's {drawn[name]}",
            )
        expected = (draw.payouts_minor or ())[number]
    else:
        require("bet" in binding, "settlement-amount", "a final settlement has a bet")
        outcome = draw.outcomes[number]
        expected = pool.evaluator.payouts(binding["bet"], binding["stake_minor"], [outcome])[0]
    require(
        binding["payout_minor"] == expected,
        "settlement-amount",
        f"the settlement pays {binding['payout_minor']}, the paytable {expected}",
    )
