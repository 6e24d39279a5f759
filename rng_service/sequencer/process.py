"""The sequencer's process: ``python -m rng_service.sequencer.process --config FILE``.

It ends cleanly on SIGTERM or SIGINT, with everything published. Exit status: 0 after a clean stop, 2 when it refused
to start or another process took the lead; the reason is one line on standard error.
"""

import argparse
import fcntl
import hashlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from anchor.errors import AnchorError
from anchor.files import make_directory
from rng_service.config import Config, load_config
from rng_service.errors import SealdrawError, StartRefused
from rng_service.ledger.engine import open_engine
from rng_service.ledger.migrate import upgrade
from rng_service.sequencer.faults import OnStep, fault_point, no_step
from rng_service.sequencer.sequencer import Sequencer
from rng_service.vault.client import VaultClient
from rng_service.vault.errors import VaultError

__all__ = ["holder_name", "lock_installation", "run_sequencer", "system_clock_us"]

_VAULT_WAIT_S: Final = 30.0


def system_clock_us() -> int:
    """Return the machine's clock in microseconds UTC."""
    return time.time_ns() // 1000


def holder_name(config: Config) -> str:
    """Return the name under which this installation leads: the host, and a mark of the data directory."""
    mark = hashlib.sha256(os.fsencode(config.service.data_dir.resolve())).hexdigest()[:16]
    return f"{socket.gethostname()[:40]}/{mark}"


def lock_installation(config: Config) -> int:
    """Take the lock that makes this the only sequencer of its data directory; the kernel lets go when it ends.

    Raises StartRefused while another one runs here.
    """
    directory = config.service.data_dir / "run"
    make_directory(directory)
    path = directory / "sequencer.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StartRefused(f"{path}: another sequencer runs on this data directory; stop it first") from None
    return descriptor


def run_sequencer(
    config: Config,
    *,
    stop: threading.Event,
    ready: Callable[[], None] = lambda: None,
    clock_us: Callable[[], int] = system_clock_us,
    on_step: OnStep = no_step,
) -> None:
    """Lead until ``stop`` is set; calls ``ready`` once it leads.

    Raises StartRefused, with the reason, when it must not start, and LeaseLostError when another process took over.
    """
    lock = lock_installation(config)
    try:
        engine = open_engine(config.ledger_url)
        upgrade(engine)
        with VaultClient(config.vault_socket) as vault:
            vault.wait_ready(_VAULT_WAIT_S)
            sequencer = Sequencer(config, engine, vault, holder=holder_name(config), clock_us=clock_us, on_step=on_step)
            try:
                sequencer.open()
                ready()
                sequencer.run(stop)
            finally:
                sequencer.close()
        engine.dispose()
    finally:
        os.close(lock)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal ends it; the first line on standard output is ``sequencer ready``."""
    parser = argparse.ArgumentParser(
        prog="python -m rng_service.sequencer.process",
        description="Seal pools, publish the log.",
        epilog="example: python -m rng_service.sequencer.process --config ./sealdraw.toml",
    )
    parser.add_argument("--config", type=Path, required=True, help="the service's sealdraw.toml")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # At each start it would tell which database it has before it.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        config = load_config(arguments.config, os.environ)
        on_step = fault_point(os.environ, config.service.environment)
        run_sequencer(config, stop=stop, ready=_say_ready, on_step=on_step)
    except (SealdrawError, AnchorError, VaultError) as error:
        sys.stderr.write(f"sequencer: {error}\n")
        return 2
    return 0


def _say_ready() -> None:
    sys.stdout.write("sequencer ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
