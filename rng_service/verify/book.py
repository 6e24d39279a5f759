"""A book beside a receipt: the one that the game's definition commits to for the drawn row."""

from collections.abc import Sequence

from anchor.errors import VerificationError
from rng_service.books import Book, verify_book
from rng_service.games import GameProgram
from rng_service.games.models.lookup import LookupModel

__all__ = ["check_book"]


def check_book(book: Book, program: GameProgram, outcome: Sequence[int]) -> None:
    """Check the book of one outcome; raises VerificationError ``book``."""
    model = program.model
    if not isinstance(model, LookupModel) or model.books is None:
        raise VerificationError("book", f"the program {program.program_id} has no books")
    verify_book(book, outcome[0], model.books)
