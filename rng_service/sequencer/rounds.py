"""Beacon rounds: fetched beside everything else, verified, and kept for good once they were used."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from anchor.errors import AnchorError
from rng_service.beacon import ChainInfo
from rng_service.beacon.relay import fetch_round

__all__ = ["NoRounds", "RelayRounds", "RoundSource"]

_LONGEST_PAUSE_S: Final = 60.0


class RoundSource(Protocol):
    """Where signatures of rounds come from, without ever waiting for one."""

    def signature(self, round_number: int) -> bytes | None:
        """Return the verified signature of a published round; None while it is not at hand, which asks for it."""
        ...

    def close(self) -> None:
        """Stop fetching."""
        ...


class NoRounds:
    """For a service without a beacon."""

    def signature(self, round_number: int) -> bytes | None:
        """Return None: there are no rounds."""
        del round_number
        return None

    def close(self) -> None:
        """Do nothing."""


class RelayRounds:
    """Asks the relays at ``urls`` from a thread of its own; a failure is repeated after a growing pause.

    Only rounds that were asked for are fetched, and never another one in their place. ``report`` is told each failure.
    """

    def __init__(
        self,
        urls: Sequence[str],
        chain: ChainInfo,
        *,
        report: Callable[[str], None],
        timeout_s: float = 5.0,
        first_pause_s: float = 0.5,
    ) -> None:
        self._urls = tuple(urls)
        self._chain = chain
        self._report = report
        self._timeout_s = timeout_s
        self._first_pause_s = first_pause_s
        self._lock = threading.Lock()
        self._wanted: dict[int, None] = {}
        self._found: dict[int, bytes] = {}
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beacon-rounds", daemon=True)
        self._thread.start()

    def signature(self, round_number: int) -> bytes | None:
        """Return the round's signature once; a round that is asked for again later is fetched again."""
        with self._lock:
            found = self._found.pop(round_number, None)
            if found is None and round_number not in self._wanted:
                self._wanted[round_number] = None
                self._wake.set()
        return found

    def close(self) -> None:
        """Stop the thread; a fetch under way ends by its own deadline."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=self._timeout_s * (len(self._urls) + 1))

    def _run(self) -> None:
        pause_s = self._first_pause_s
        while not self._stop.is_set():
            self._wake.wait()
            with self._lock:
                wanted = next(iter(self._wanted), None)
                if wanted is None:
                    self._wake.clear()
                    continue
            if self._fetch(wanted):
                pause_s = self._first_pause_s
            else:
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _fetch(self, wanted: int) -> bool:
        began_s = time.monotonic()
        try:
            found = fetch_round(self._urls, self._chain, wanted, timeout_s=self._timeout_s)
        except AnchorError as error:
            self._report(f"{error} (after {time.monotonic() - began_s:.1f} s)")
            with self._lock:
                # Behind the others: one round that no relay gives must not hold up the rest.
                self._wanted[wanted] = self._wanted.pop(wanted, None)
            return False
        with self._lock:
            self._found[wanted] = found.signature
            self._wanted.pop(wanted, None)
        return True
