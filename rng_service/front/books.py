"""The books of a program, as the front hands them out beside receipts."""

import logging
from dataclasses import dataclass

from anchor.errors import AnchorError
from rng_service.books import Book
from rng_service.errors import Unavailable
from rng_service.game_file_store import GameFileStore
from rng_service.games import GameProgram
from rng_service.games.models.lookup import LookupModel

_log = logging.getLogger(__name__)

__all__ = ["BooksOfProgram", "books_of"]


@dataclass(frozen=True, slots=True)
class BooksOfProgram:
    """The books of one program, found by the drawn row."""

    model: LookupModel
    store: GameFileStore

    def find(self, row: int) -> Book | None:
        """Return the book of a row; None, with a line in the operator's log, when its pack cannot be read.

        An outcome that is bound is answered whatever became of a file beside it; `get` gives the book later.
        """
        try:
            return self.store.pack(self.model).book(row)
        except (AnchorError, OSError) as error:
            _log.error("a book cannot be served: %s: %s", type(error).__name__, error)
            return None

    def get(self, row: int) -> Book:
        """Return the book of a row; raises Unavailable when it cannot be read."""
        found = self.find(row)
        if found is None:
            raise Unavailable("BOOKS_UNAVAILABLE", "the books of this program cannot be read; see the operator's log")
        return found


def books_of(program: GameProgram, store: GameFileStore) -> BooksOfProgram | None:
    """Return the books of a program that has them."""
    model = program.model
    if isinstance(model, LookupModel) and model.books is not None:
        return BooksOfProgram(model, store)
    return None
