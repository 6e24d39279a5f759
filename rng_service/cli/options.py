"""Options that several commands share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from rng_service.config import Config, load_config
from rng_service.errors import ConfigError

__all__ = [
    "CONFIG_FILE",
    "config_option",
    "json_option",
    "key_option",
    "log_option",
    "read_config",
    "read_vkey",
]

CONFIG_FILE: Final = "sealdraw.toml"
_MAX_VKEY_BYTES: Final = 1_024

Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(command: Command) -> Command:
    """Add ``--config FILE``."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        default=Path(CONFIG_FILE),
        envvar="SEALDRAW_CONFIG",
        show_default=True,
        help="Settings, as `sealdraw init` writes them.",
    )(command)


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def log_option(command: Command) -> Command:
    """Add ``--log DIR|URL``."""
    return click.option(
        "--log", "log", required=True, metavar="DIR|URL", help="The log's public directory, or where it is served."
    )(command)


def key_option(command: Command) -> Command:
    """Add a required ``--key VKEY``."""
    return click.option(
        "--key", "key", required=True, metavar="VKEY", help="The log's verifier key, or a file that holds it."
    )(command)


def read_config(path: Path) -> Config:
    """Read the settings at ``path`` and the environment; raises ConfigError."""
    return load_config(path, os.environ)


def read_vkey(text: str) -> str:
    """Return the verifier key that ``text`` is or that stands in the file of this name; raises ConfigError.

    A key is ``name+hash+base64``, so a text with two plus signs that names no file is the key itself.
    """
    path = Path(text)
    if path.is_file():
        data = path.read_bytes()
        try:
            lines = data[:_MAX_VKEY_BYTES].decode("ascii").splitlines()
        except UnicodeDecodeError:
            lines = []
        if len(data) > _MAX_VKEY_BYTES or len(lines) != 1:
            raise ConfigError(f"{path}: not a verifier key, which is one line of ASCII")
        return lines[0].strip()
    if text.count("+") < 2:
        raise ConfigError(f"--key {text}: neither a file nor a verifier key (name+hash+base64)")
    return text
