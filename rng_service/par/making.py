"""Making a sheet beside a running service: in a process of its own, so that minutes of fractions hold nobody up."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from anchor import canonical
from rng_service.games import parse_game
from rng_service.games.files import directory_files
from rng_service.par.page import par_page
from rng_service.par.sheet import par_sheet

__all__ = ["make_par", "make_par_aside"]


def make_par(definition: bytes, files: Path | None = None) -> tuple[bytes, bytes]:
    """Return the sheet (canonical JSON) and the page of a definition; raises as `parse_game`.

    ``files`` is the directory in which the files that it names stand under their digests.
    """
    sheet = par_sheet(parse_game(definition, None if files is None else directory_files(files)))
    return canonical.encode(sheet), par_page(sheet)


def make_par_aside(definition: bytes, files: Path | None = None) -> tuple[bytes, bytes]:
    """Return the same as `make_par`, computed in a process of its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(make_par, definition, files).result()
