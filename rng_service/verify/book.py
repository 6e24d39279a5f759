"""A book beside a receipt: the one that the definition commits to for the drawn row, saying what that row pays."""

import json
from collections.abc import Sequence
from typing import Any, Final

from anchor.errors import VerificationError
from rng_service.books import Book, verify_book
from rng_service.games import GameProgram
from rng_service.games.models.lookup import LookupModel

__all__ = ["check_book"]

_PAYOUT: Final = "payoutMultiplier"


def check_book(book: Book, program: GameProgram, outcome: Sequence[int]) -> None:
    """Check the book of one outcome; raises VerificationError ``book``."""
    model = program.model
    if not isinstance(model, LookupModel) or model.books is None:
        raise VerificationError("book", f"the program {program.program_id} has no books")
    row = outcome[0]
    verify_book(book, row, model.books)
    # Whoever made the tree may have put another row's story under this one: a win that is not paid.
    said, pays = _payouts(book.data), model.table.payouts[row]
    if len(said) != 1 or type(said[0]) is not int or said[0] != pays:
        raise VerificationError("book", f"row {row} pays {pays} hundredths, its book says something else")


def _payouts(data: bytes) -> list[Any]:
    """Return what the outermost object of a book says that it pays, as often as it says it."""
    outermost: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> None:
        # The outermost object is the last to be complete.
        outermost[:] = pairs

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=keep)
    except (ValueError, RecursionError):
        raise VerificationError("book", "it is no JSON") from None
    # `keep` gives None for an object; of anything else the objects inside it must not be asked.
    return [paid for key, paid in outermost if key == _PAYOUT] if value is None else []
