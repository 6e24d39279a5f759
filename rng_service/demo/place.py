"""Where the demo lives: a directory of its own, four games, free ports, settings that make everything quick."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from anchor.errors import MissingError
from anchor.files import atomic_write
from rng_service.errors import ConfigError
from rng_service.games import GameDefinition, load_game
from rng_service.initialise import Initialised, initialise
from rng_service.supervision.lock import take_lock

__all__ = ["POOL_SIZE", "load_games", "prepare"]

ORIGIN: Final = "sealdraw.example/demo"
POOL_SIZE: Final = 4_096
_MARKER: Final = ".sealdraw-demo"
_GAMES: Final = ("european-roulette", "dice-99", "keno-80", "fruit-lines")


def prepare(directory: Path, *, clock_us: Callable[[], int]) -> Initialised:
    """Make ``directory`` into a fresh service for the demo; a former demo in it is replaced.

    Raises ConfigError when it holds anything else, StartRefused while a service runs on it.
    """
    if directory.exists():
        _clear(directory)
    directory.mkdir(parents=True, exist_ok=True)
    api, public, beacon = _free_ports(3)
    done = initialise(
        directory,
        ORIGIN,
        clock_us=clock_us,
        settings={
            "api.listen": f"127.0.0.1:{api}",
            "public.listen": f"127.0.0.1:{public}",
            "beacon.listen": f"127.0.0.1:{beacon}",
            "beacon.margin_s": 2,
            "pools.size": POOL_SIZE,
            "pools.ready": 3,
            "log.heartbeat_s": 5,
            "log.digest_interval_ms": 500,
            "log.totals_interval_s": 3,
        },
    )
    atomic_write(directory / _MARKER, b"made by sealdraw demo; the next one replaces this directory\n")
    atomic_write(directory / "keys" / "log.vkey", f"{done.vkey}\n".encode("ascii"))
    return done


def load_games() -> list[GameDefinition]:
    """Return the four games of the demo: those of the source tree, or those that were installed with the package."""
    here = Path(__file__).resolve().parent
    for directory in (here / "games", here.parent.parent / "games"):
        if directory.is_dir():
            return [load_game(directory / f"{name}.json") for name in _GAMES]
    raise MissingError(f"{here / 'games'}: the demo's games were not installed")


def _clear(directory: Path) -> None:
    if not directory.is_dir():
        raise ConfigError(f"{directory}: exists and is not a directory; give another with --dir")
    found = {path.name for path in directory.iterdir()}
    if not found:
        return
    # A demo that was interrupted before its marker was there has at most what init makes first.
    if _MARKER not in found and not found <= {"sealdraw.toml.unfinished", "vault", "run", "ledger.db", "public"}:
        raise ConfigError(f"{directory}: is not empty and no former demo; give another with --dir")
    lock = take_lock(directory / "run" / "serve.lock")
    try:
        for name in found:
            path = directory / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    finally:
        os.close(lock)


def _free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago; all are held until the last is found, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]
    finally:
        for item in sockets:
            item.close()
