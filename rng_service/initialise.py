"""What `sealdraw init` does: a directory with settings, keys and an empty ledger, ready to be served.

    DIR/sealdraw.toml    settings
    DIR/vault/           keys and journal; only the vault reads them
    DIR/ledger.db        unless another database is set
    DIR/public/          everything an auditor needs; any web server may serve it
    DIR/run/             sockets and locks of the running service

The settings are written first, under a name that nobody reads, and get their own name last. A crash in between
leaves that name; the same command again finishes the work, and keys that were made stay the keys.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anchor.errors import MalformedError
from anchor.files import atomic_write, sync_directory
from rng_service.config import DEVELOPMENT_ENVIRONMENTS, Config, load_config
from rng_service.errors import ConfigError
from rng_service.ledger.engine import open_engine
from rng_service.ledger.migrate import upgrade
from rng_service.names import check_name
from rng_service.settings_file import render_settings
from rng_service.vault.layout import initialise_vault

__all__ = ["SETTINGS_FILE", "Initialised", "initialise", "origin_of"]

SETTINGS_FILE: Final = "sealdraw.toml"
_UNFINISHED: Final = "sealdraw.toml.unfinished"
# A unix socket's path has at most 107 bytes; the vault takes no more than this.
_MAX_SOCKET_PATH: Final = 100


@dataclass(frozen=True, slots=True)
class Initialised:
    """A fresh service: its settings, and the verifier key by which everybody will know its log."""

    config: Config
    settings_path: Path
    vkey: str


def origin_of(name: str, environment: str) -> str:
    """Return ``name/environment``; raises ConfigError when either cannot be part of an origin."""
    try:
        check_name(environment, "--env")
    except MalformedError as error:
        raise ConfigError(str(error)) from None
    if not name or not name.isascii() or not name.isprintable() or set(name) & set(" +/"):
        raise ConfigError(f"--origin: expected a name like acme.example, without spaces, slashes or +, found {name!r}")
    return f"{name}/{environment}"


def initialise(
    directory: Path,
    origin: str,
    *,
    clock_us: Callable[[], int],
    settings: Mapping[str, object] | None = None,
) -> Initialised:
    """Make ``directory`` into a service of ``origin``; ``settings`` are `section.key` → value, above the defaults.

    Raises ConfigError when the directory has content that no interrupted call with the same origin explains, or when
    settings do not go together; VaultError and LedgerError from keys and database.
    """
    text = render_settings({"service.origin": origin, "beacon.kind": _beacon_kind(origin), **(settings or {})})
    _check_free(directory, origin)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    unfinished = directory / _UNFINISHED
    atomic_write(unfinished, text.encode("utf-8"))
    config = load_config(unfinished, {})
    _check_socket_path(config)
    vkey = _make_parts(config, clock_us)
    # A crash right here leaves everything but the name; the next call comes here again.
    unfinished.rename(directory / SETTINGS_FILE)
    sync_directory(directory)
    return Initialised(config, directory / SETTINGS_FILE, vkey)


def _make_parts(config: Config, clock_us: Callable[[], int]) -> str:
    # Each of these, repeated, leaves what is there as it is.
    vkey = initialise_vault(config.vault_dir, config.service.origin, clock_us=clock_us, kek_directory=config.kek_dir)
    config.vault_socket.parent.mkdir(mode=0o700, exist_ok=True)
    engine = open_engine(config.ledger_url)
    try:
        upgrade(engine)
    finally:
        engine.dispose()
    for directory in (config.public_dir, config.public_dir / "keys"):
        directory.mkdir(mode=0o755, exist_ok=True)
    atomic_write(config.public_dir / "keys" / "log.vkey", f"{vkey}\n".encode("ascii"))
    return vkey


def _check_free(directory: Path, origin: str) -> None:
    if not directory.exists():
        return
    if not directory.is_dir():
        raise ConfigError(f"{directory}: exists and is not a directory; name another")
    found = {path.name for path in directory.iterdir()}
    if SETTINGS_FILE in found:
        settings = directory / SETTINGS_FILE
        raise ConfigError(f"{directory}: is initialised already; run it with: sealdraw serve --config {settings}")
    if found and _UNFINISHED not in found:
        raise ConfigError(f"{directory}: is not empty ({min(found)}, …); name a directory that is new or empty")
    if found:
        begun = load_config(directory / _UNFINISHED, {}).service.origin
        if begun != origin:
            raise ConfigError(f"{directory}: was begun for {begun}, not for {origin}; finish that, or remove it")


def _check_socket_path(config: Config) -> None:
    socket = config.vault_socket
    if len(str(socket).encode()) > _MAX_SOCKET_PATH:
        raise ConfigError(
            f"{socket}: longer than {_MAX_SOCKET_PATH} bytes, which a unix socket cannot have; "
            "use a directory with a shorter path"
        )


def _beacon_kind(origin: str) -> str:
    return "development" if origin.rpartition("/")[2] in DEVELOPMENT_ENVIRONMENTS else "quicknet"
