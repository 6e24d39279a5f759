"""PAR sheets in the log: the mathematics that the operator published is that of the registered definition."""

import time
from collections.abc import Callable
from hashlib import sha256

from anchor import canonical
from anchor.source import Source
from rng_service.log_entries import GamePar
from rng_service.par import par_sheet
from rng_service.public_files import par_paths
from rng_service.verify.fault import located, require
from rng_service.verify.registry import Registry, read_game
from rng_service.verify.time_limit import OutOfTimeError, time_limit

MAX_DOCUMENT_BYTES = 64 * 2**20
# All sheets of a log together. The games that we ship take a few seconds, the largest slots twenty each; a definition
# that was made to keep auditors busy takes hours.
SHEETS_S = 600.0


class SheetBook:
    """Checks the sheets of one log, each definition's once, and stops when they take too long altogether."""

    def __init__(self, source: Source, registry: Registry, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._registry = registry
        self._clock_s = clock_s
        self._left_s = SHEETS_S
        # By the definition's digest: SHA-256 of its sheet, or None where it was not computed.
        self._expected: dict[bytes, bytes | None] = {}
        self.skipped: set[str] = set()

    def check(self, entry: GamePar) -> None:
        """Compute the sheet again from the definition; raises Fault ``par-game``, ``par-file`` or ``par-sheet``.

        The page is only held against its hash: how a page looks may change, what a sheet says may not.
        """
        registered = self._registry.games.get((entry.game, entry.version))
        require(
            registered is not None and registered.digest == entry.digest,
            "par-game",
            f"the sheet is for {entry.game} version {entry.version} as {entry.digest.hex()}, which is not registered",
        )
        for path, named in zip(par_paths(entry.digest), (entry.sheet, entry.page), strict=True):
            with located(path=path):
                found = sha256(self._source.read(path, limit=MAX_DOCUMENT_BYTES)).digest()
                require(found == named, "par-file", f"does not hash to {named.hex()}, which the log names")
        if entry.digest not in self._expected:
            self._expected[entry.digest] = self._compute(entry)
        expected = self._expected[entry.digest]
        with located(path=par_paths(entry.digest)[0]):
            require(expected in {None, entry.sheet}, "par-sheet", "is not what the registered definition gives")

    def _compute(self, entry: GamePar) -> bytes | None:
        began_s = self._clock_s()
        try:
            with time_limit(self._left_s):
                return sha256(canonical.encode(par_sheet(read_game(self._source, entry.digest)))).digest()
        except OutOfTimeError:
            self.skipped.add(
                f"the PAR sheet of {entry.game} version {entry.version}: those of this log take more than "
                f"{SHEETS_S:.0f} seconds"
            )
            return None
        finally:
            self._left_s -= self._clock_s() - began_s
