"""What `sealdraw recover` does: looks at a stopped service with its vault running, and repairs what it is told to.

The vault is started as a process of its own for as long as this takes: keys never come into the command's process.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from anchor.errors import RefusedError
from rng_service.config import Config
from rng_service.errors import StartRefused
from rng_service.ledger.engine import open_engine, writing
from rng_service.ledger.leases import release_lease
from rng_service.sequencer.inspection import Finding, Remedy, inspect
from rng_service.sequencer.process import holder_name, lock_installation, system_clock_us
from rng_service.sequencer.rebuild import rebuild_public
from rng_service.sequencer.recovery import Burned, burn
from rng_service.sequencer.sequencer import open_context
from rng_service.supervision.child import Child
from rng_service.supervision.lock import take_lock
from rng_service.supervision.plan import plan
from rng_service.vault.client import VaultClient
from rng_service.vault.errors import VaultUnavailableError

__all__ = ["examine", "repair"]

_VAULT_WAIT_S: Final = 30.0


def examine(config: Config) -> list[Finding]:
    """Return what does not belong together; nothing is changed. Raises StartRefused while the service runs."""
    with _stopped_service(config) as vault:
        engine = open_engine(config.ledger_url)
        try:
            return inspect(config, engine, vault)
        finally:
            engine.dispose()


def repair(config: Config) -> tuple[list[Finding], list[str]]:
    """Rebuild and burn what `examine` finds, and return what is left together with what was done."""
    done: list[str] = []
    with _stopped_service(config) as vault:
        engine = open_engine(config.ledger_url)
        try:
            findings = inspect(config, engine, vault)
            if any(finding.remedy in {Remedy.CONFIGURE, Remedy.RESTORE} for finding in findings):
                # What is burned cannot be had back, and a newer copy may still turn up.
                return findings, done
            if findings:
                context = open_context(config, engine, vault, holder=holder_name(config), clock_us=system_clock_us)
                if any(finding.remedy is Remedy.REBUILD for finding in findings):
                    done.append(f"{rebuild_public(context)} public files written again from the ledger")
                done += _told(burn(context, findings))
                with writing(engine) as connection:
                    release_lease(connection, context.lease)
            return inspect(config, engine, vault), done
        finally:
            engine.dispose()


def _told(burned: Burned) -> list[str]:
    lines = []
    if burned.replayed is not None:
        lines.append(f"showed the vault {burned.replayed.bindings} bindings again, which it gave before")
        lines += [f"ended the pool {pool} in the vault again" for pool in burned.replayed.ended]
        lines += [f"{error}; it stays refused" for error in burned.replayed.refused]
    return lines + [f"stopped the pool {pool}" for pool in burned.stopped]


@contextmanager
def _stopped_service(config: Config) -> Iterator[VaultClient]:
    """Give a client of the vault while nothing else runs on the data directory."""
    locks = [take_lock(config.vault_socket.parent / "serve.lock")]
    try:
        locks.append(lock_installation(config))
        spec = next(spec for spec in plan(config, config.service.data_dir, 1) if spec.name == "vault")
        child = Child(spec, environment=os.environ, keep_open=(), now=time.monotonic())
        try:
            with VaultClient(config.vault_socket) as vault:
                _await_vault(vault, child)
                yield vault
        finally:
            child.signal(signal.SIGTERM)
            _await_end(child)
    finally:
        for lock in locks:
            os.close(lock)


def _await_vault(vault: VaultClient, child: Child) -> None:
    deadline = time.monotonic() + _VAULT_WAIT_S
    while True:
        child.read_lines()
        if child.poll() is not None:
            raise StartRefused(child.last_line or "the vault ended without a word")
        try:
            vault.wait_ready(0.5)
        except VaultUnavailableError:
            if time.monotonic() > deadline:
                raise RefusedError(f"the vault does not answer: {child.last_line}") from None
        else:
            return


def _await_end(child: Child) -> None:
    deadline = time.monotonic() + child.spec.stop_s
    while child.poll() is None:
        if time.monotonic() > deadline:
            child.signal(signal.SIGKILL)
        time.sleep(0.02)
    child.close()
