"""The vault's process: ``python -m rng_service.vault.process --directory D --socket S --origin O``.

``--kek-directory K`` keeps the key-encryption keys apart from what they protect.

It listens on one unix socket (0600, in a directory 0700) and on nothing else, and ends cleanly on SIGTERM or
SIGINT. Exit status: 0 after a clean stop, 2 when it refused to start; the reason is one line on standard
error.
"""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import grpc
from sealdraw.vault.v1 import vault_pb2_grpc

from anchor.errors import AnchorError
from rng_service.vault.core import Vault
from rng_service.vault.durable import make_private_directory
from rng_service.vault.entropy import EntropySource, system_entropy
from rng_service.vault.errors import EntropyFailedError, KeystoreError, VaultError
from rng_service.vault.hardening import harden_process
from rng_service.vault.layout import lock_directory
from rng_service.vault.limits import MAX_MESSAGE_BYTES
from rng_service.vault.service import VaultServicer
from rng_service.vault.steps import OnStep, fault_point, no_step

__all__ = ["run_vault", "serve_vault", "system_clock_us"]

# Draws come in groups from few callers; a thread more for a seal, a journal reader and the sequencer each.
_THREADS: Final = 8
_STOP_GRACE_S: Final = 5.0
_SOURCE_TEST_S: Final = 10.0
# A seal computes for a second; at the default of 5 ms each draw beside it would wait that long for the
# interpreter.
_SWITCH_INTERVAL_S: Final = 0.0005
_MAX_SOCKET_PATH: Final = 100
# With these set, grpc prints what goes over the socket, secrets included.
_TRACING: Final = ("GRPC_TRACE", "GRPC_VERBOSITY")


def system_clock_us() -> int:
    """Return the machine's clock in microseconds UTC."""
    return time.time_ns() // 1000


def run_vault(
    directory: Path,
    socket: Path,
    origin: str,
    *,
    stop: threading.Event,
    ready: Callable[[], None] = lambda: None,
    hardening: Mapping[str, str] | None = None,
    clock_us: Callable[[], int] = system_clock_us,
    on_step: OnStep = no_step,
    kek_directory: Path | None = None,
    entropy: EntropySource = system_entropy,
    report: Callable[[str], None] = lambda _line: None,
) -> None:
    """Serve the vault of ``directory`` on ``socket`` until ``stop`` is set; calls ``ready`` once it answers.

    Raises VaultBusyError when another vault runs on the directory, and what `Vault` raises. When it returns,
    calls in flight were answered (for up to five seconds), keys are forgotten and the lock is free.
    """
    make_private_directory(directory)
    lock = lock_directory(directory)
    try:
        vault = Vault(
            directory, origin, clock_us=clock_us, on_step=on_step, kek_directory=kek_directory, entropy=entropy
        )
        try:
            server = serve_vault(vault, socket, hardening or {}, report)
            ready()
            _watch_source(vault, stop, report)
            server.stop(_STOP_GRACE_S).wait()
            socket.unlink(missing_ok=True)
        finally:
            vault.close()
    finally:
        os.close(lock)


def _watch_source(vault: Vault, stop: threading.Event, report: Callable[[str], None]) -> None:
    """Test the entropy source again and again until ``stop`` is set; report a failure once."""
    failed = False
    while True:
        try:
            # A failed source stays failed; what of its failure is not in the journal yet is written now.
            vault.test_source()
        except EntropyFailedError as error:
            if not failed:
                report(f"entropy.failed: no pool is sealed before a restart: {error}")
            failed = True
        except VaultError as error:
            report(f"entropy: the journal could not be written: {error}")
        if stop.wait(_SOURCE_TEST_S):
            return


def serve_vault(
    vault: Vault, socket: Path, hardening: Mapping[str, str], report: Callable[[str], None] = lambda _line: None
) -> grpc.Server:
    """Start a gRPC server for ``vault`` on the unix socket ``socket`` and return it; the caller stops it."""
    if len(os.fsencode(socket.absolute())) > _MAX_SOCKET_PATH:
        raise KeystoreError(f"{socket}: longer than {_MAX_SOCKET_PATH} bytes, too long for a unix socket")
    make_private_directory(socket.parent)
    # We hold the directory's lock, so a socket that is there belongs to a vault that died.
    socket.unlink(missing_ok=True)
    server = grpc.server(
        ThreadPoolExecutor(_THREADS, thread_name_prefix="vault"),
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),
        ],
    )
    vault_pb2_grpc.add_VaultServiceServicer_to_server(VaultServicer(vault, hardening, report), server)
    previous = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{socket.absolute()}")
    except RuntimeError as error:
        raise KeystoreError(f"{socket}: cannot be listened on ({error})") from error
    finally:
        os.umask(previous)
    server.start()
    return server


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the process; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m rng_service.vault.process", description="Run the vault on a unix socket."
    )
    parser.add_argument("--directory", type=Path, required=True, help="made by `sealdraw init`, mode 0700")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--origin", required=True, help="the log's origin, <operator>/<environment>")
    parser.add_argument("--kek-directory", type=Path, help="key-encryption keys, mode 0700; kek in the directory")
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        on_step = fault_point(environ, options.origin)
        hardening = harden_process()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        run_vault(
            options.directory,
            options.socket,
            options.origin,
            stop=stop,
            ready=lambda: _say(f"vault ready on {options.socket}"),
            hardening=hardening,
            on_step=on_step,
            kek_directory=options.kek_directory,
            report=lambda line: _say(f"vault: {line}"),
        )
    except (VaultError, AnchorError, OSError) as error:
        _say(f"vault: {error}")
        return 2
    return 0


def _without_tracing(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    # grpc has read these variables when it was imported, so only a fresh start of the same process gets rid of them.
    if any(name in environ for name in _TRACING):
        clean = {name: value for name, value in environ.items() if name not in _TRACING}
        os.execve(sys.executable, [sys.executable, "-m", "rng_service.vault.process", *arguments], clean)  # noqa: S606


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    _without_tracing(sys.argv[1:], os.environ)
    sys.exit(main(sys.argv[1:], os.environ))
