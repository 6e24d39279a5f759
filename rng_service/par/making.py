"""Making a sheet beside a running service: in a process of its own, so that minutes of fractions hold nobody up."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from anchor import canonical
from rng_service.games import parse_game
from rng_service.par.page import par_page
from rng_service.par.sheet import par_sheet

__all__ = ["make_par", "make_par_aside"]


def make_par(definition: bytes) -> tuple[bytes, bytes]:
    """Return the sheet (canonical JSON) and the page of a definition; raises GameError."""
    sheet = par_sheet(parse_game(definition))
    return canonical.encode(sheet), par_page(sheet)


def make_par_aside(definition: bytes) -> tuple[bytes, bytes]:
    """Return the same as `make_par`, computed in a process of its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(make_par, definition).result()
