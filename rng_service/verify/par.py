"""PAR sheets in the log: the mathematics that the operator published is that of the registered definition."""

from hashlib import sha256

from anchor import canonical
from anchor.source import Source
from rng_service.log_entries import GamePar
from rng_service.par import par_sheet
from rng_service.public_files import par_paths
from rng_service.verify.fault import located, require
from rng_service.verify.registry import Registry, read_game

MAX_DOCUMENT_BYTES = 64 * 2**20


def check_par(source: Source, registry: Registry, entry: GamePar) -> None:
    """Compute the sheet again from the definition; raises Fault ``par-game``, ``par-file`` or ``par-sheet``.

    The page is only held against its hash: how a page looks may change, what a sheet says may not.
    """
    registered = registry.games.get((entry.game, entry.version))
    require(
        registered is not None and registered.digest == entry.digest,
        "par-game",
        f"the sheet is for {entry.game} version {entry.version} as {entry.digest.hex()}, which is not registered",
    )
    expected = canonical.encode(par_sheet(read_game(source, entry.digest)))
    for path, named in zip(par_paths(entry.digest), (entry.sheet, entry.page), strict=True):
        with located(path=path):
            data = source.read(path, limit=MAX_DOCUMENT_BYTES)
            require(sha256(data).digest() == named, "par-file", f"does not hash to {named.hex()}, which the log names")
            if path.endswith(".json"):
                require(data == expected, "par-sheet", "is not what the registered definition gives")
