"""The connection of operator and auditor commands to a running service."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from rng_service.cli.options import CONFIG_FILE, read_config
from rng_service.errors import ConfigError

if TYPE_CHECKING:
    import grpc

    from rng_service.client.channel import Tls

__all__ = ["Connection", "call", "connection_options", "open_connection", "stream", "tls_files"]

_TIMEOUT_S: Final = 30.0

Command = TypeVar("Command", bound=Callable[..., Any])
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Connection:
    """Where to call and as whom; no certificate files means plain text, which only loopback in development takes."""

    target: str
    development: bool
    caller: str
    config_path: Path
    certificate: Path | None
    private_key: Path | None
    ca: Path | None


def connection_options(command: Command) -> Command:
    """Add the options of a connection; the command gets a `Connection` as ``connection``.

    A command with a flag ``register`` gets None while that is not set: then no settings are needed either.
    """

    @functools.wraps(command)
    def gather(
        *arguments: Any,
        target: str | None,
        config_path: Path,
        caller: str,
        certificate: Path | None,
        private_key: Path | None,
        ca: Path | None,
        **options: Any,
    ) -> Any:
        if not options.get("register", True):
            return command(*arguments, connection=None, **options)
        development = True
        if target is None:
            config = read_config(config_path)
            target, development = config.api.listen, config.service.development
        files = (certificate, private_key, ca)
        if any(files) and not all(files):
            raise ConfigError("--certificate, --private-key and --ca go together; give all three")
        return command(*arguments, connection=Connection(target, development, caller, config_path, *files), **options)

    wrapped: Any = gather
    path = click.Path(path_type=Path, dir_okay=False)
    for option in (
        click.option("--ca", type=path, envvar="SEALDRAW_CA", help="Authority of the service's certificate (PEM)."),
        click.option("--private-key", type=path, envvar="SEALDRAW_PRIVATE_KEY", help="Its private key (PEM)."),
        click.option("--certificate", type=path, envvar="SEALDRAW_CERTIFICATE", help="The caller's certificate (PEM)."),
        click.option("--caller", default="local", show_default=True, help="Who calls, in development without TLS."),
        click.option(
            "--config",
            "config_path",
            type=click.Path(path_type=Path),
            default=Path(CONFIG_FILE),
            envvar="SEALDRAW_CONFIG",
            show_default=True,
            help="Settings to take the address from.",
        ),
        click.option("--server", "target", metavar="HOST:PORT", help="The service; by default that of the settings."),
    ):
        wrapped = option(wrapped)
    result: Command = wrapped
    return result


@contextmanager
def open_connection(connection: Connection) -> Iterator["grpc.Channel"]:
    """Give a channel to the service; raises ConfigError when it may not be opened like this."""
    from rng_service.client.channel import open_channel

    try:
        channel = open_channel(connection.target, tls_files(connection), development=connection.development)
    except ValueError as error:
        raise ConfigError(f"{connection.target}: {error}") from None
    with channel:
        yield channel


def tls_files(connection: Connection) -> "Tls | None":
    """Return the files of a mutually authenticated connection, None when none were given."""
    from rng_service.client.channel import Tls

    if connection.certificate is None or connection.private_key is None or connection.ca is None:
        return None
    return Tls(ca=connection.ca, certificate=connection.certificate, key=connection.private_key)


def call(
    method: "grpc.UnaryUnaryMultiCallable[Any, Answer] | grpc.StreamUnaryMultiCallable[Any, Answer]",
    request: Any,
    connection: Connection,
    *,
    timeout_s: float = _TIMEOUT_S,
) -> Answer:
    """Make one call as the connection's caller; a status that is no answer becomes a CallError of one line."""
    import grpc

    from rng_service.client.channel import CALLER_KEY
    from rng_service.client.status import read_failure

    try:
        return method(request, timeout=timeout_s, metadata=((CALLER_KEY, connection.caller),))
    except grpc.RpcError as error:
        raise read_failure(error, getattr(request, "request_id", "")).error from None


def stream(
    method: "grpc.UnaryStreamMultiCallable[Any, Answer]", request: Any, connection: Connection
) -> Iterator[Answer]:
    """Yield what a call streams to the connection's caller, for as long as it lasts; errors as for `call`."""
    import grpc

    from rng_service.client.channel import CALLER_KEY
    from rng_service.client.status import read_failure

    try:
        yield from method(request, metadata=((CALLER_KEY, connection.caller),))
    except grpc.RpcError as error:
        raise read_failure(error, "").error from None
