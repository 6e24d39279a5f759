"""The sequencer: the one process that seals pools, publishes the log, and ends what has to end.

It leads by a lease whose epoch every write checks, and it keeps nothing that the ledger does not say: a new process
goes on wherever the old one was stopped. One `step` does one round of everything in a fixed order.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Engine

from anchor.errors import AnchorError, MissingError
from anchor.note import VerifierKey
from anchor.writer import LogWriter
from rng_service.beacon import QUICKNET, ChainInfo
from rng_service.beacon.development_key import chain_info_for
from rng_service.config import Config
from rng_service.errors import LedgerError, StartRefused
from rng_service.ledger.engine import writing
from rng_service.ledger.leases import Lease, LeaseLostError, acquire_lease, release_lease
from rng_service.ledger.sequencing import log_time_us
from rng_service.sequencer.activation import enable_activated, write_activations
from rng_service.sequencer.clock import LogClock
from rng_service.sequencer.closing import close_pools, erase_pools
from rng_service.sequencer.context import Context
from rng_service.sequencer.digests import DigestMaker
from rng_service.sequencer.disposal import dispose
from rng_service.sequencer.expiry import expire_tickets
from rng_service.sequencer.facts import PoolFactsCache
from rng_service.sequencer.faults import OnStep, no_step
from rng_service.sequencer.folding import fold_rollups
from rng_service.sequencer.genesis import begin_log
from rng_service.sequencer.inspection import inspect, refusal
from rng_service.sequencer.judging import judge_activated
from rng_service.sequencer.keys import refresh_keys
from rng_service.sequencer.monitoring import Watch
from rng_service.sequencer.publication import publish, settle_published
from rng_service.sequencer.refill import refill
from rng_service.sequencer.rounds import NoRounds, RelayRounds, RoundSource
from rng_service.sequencer.rtp_tables import TableDesk
from rng_service.sequencer.signer import VaultSigner
from rng_service.sequencer.site import write_index_page
from rng_service.sequencer.statistics import StatisticsDesk
from rng_service.sequencer.totals import write_totals
from rng_service.vault.client import VaultClient
from rng_service.vault.errors import VaultUnavailableError

__all__ = ["LEASE", "Sequencer", "beacon_chain", "beacon_relays", "open_context"]

LEASE: Final = "sequencer"
_LEASE_US: Final = 15_000_000
_KEYS_EVERY_US: Final = 10_000_000
# Sealing takes up to a second for each pool, and digests wait for it.
_POOLS_A_STEP: Final = 4
_IDLE_S: Final = 0.2
_AFTER_FAILURE_S: Final = 1.0
_MOST_DRAIN_STEPS: Final = 1_000

_logger = logging.getLogger(__name__)


def beacon_chain(config: Config) -> ChainInfo | None:
    """Return the chain that the configuration names; raises StartRefused when the development one is not there."""
    if config.beacon.kind == "quicknet":
        return QUICKNET
    if config.beacon.kind == "development":
        try:
            return chain_info_for(config.service.data_dir / "beacon")
        except MissingError as error:
            raise StartRefused(str(error)) from None
    return None


def beacon_relays(config: Config) -> Sequence[str]:
    """Return the relays to ask; the development beacon listens where the configuration says."""
    return (f"http://{config.beacon.listen}",) if config.beacon.kind == "development" else config.beacon.relays


def open_context(
    config: Config,
    engine: Engine,
    vault: VaultClient,
    *,
    holder: str,
    clock_us: Callable[[], int],
    random_bytes: Callable[[int], bytes] = os.urandom,
    on_step: OnStep = no_step,
) -> Context:
    """Take the lead and return what every part works with. Raises StartRefused while somebody else leads."""
    with writing(engine) as connection:
        floor_us = log_time_us(connection)
        lease: Lease = acquire_lease(connection, LEASE, holder, now_us=clock_us(), lifetime_us=_LEASE_US)
    state = vault.get_state()
    return Context(
        config=config,
        engine=engine,
        vault=vault,
        lease=lease,
        clock_us=LogClock(clock_us, floor_us=floor_us),
        random_bytes=random_bytes,
        on_step=on_step,
        log_key=VerifierKey.parse(state.log_vkey),
        chain=beacon_chain(config),
        receipt_key_id=max(state.receipt_keys, key=lambda key: key.epoch).key_id,
    )


class Sequencer:
    """Leads one ledger. `open` it, `step` it or `run` it, `close` it.

    ``holder`` names this installation; a process that starts under the same name takes over at once, so the caller
    makes sure that only one runs (`process` holds a file lock). ``rounds`` is where beacon rounds come from, the
    configured relays when None. Opening raises StartRefused, and takes nothing, when something does not belong
    together.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        vault: VaultClient,
        *,
        holder: str,
        clock_us: Callable[[], int],
        rounds: RoundSource | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        on_step: OnStep = no_step,
    ) -> None:
        self._context = open_context(
            config,
            engine,
            vault,
            holder=holder,
            clock_us=clock_us,
            random_bytes=random_bytes,
            on_step=on_step,
        )
        self._rounds = rounds
        self._writer = LogWriter(config.public_dir, VaultSigner(vault), on_step=_writer_steps(on_step))
        self._digests = DigestMaker(PoolFactsCache(self._context.store.files))
        self._keys_at_us: int | None = None
        self._renewed_us: int | None = None
        self._folded_us: int | None = None
        self._watch = Watch()
        self._tables = TableDesk()
        self._statistics = StatisticsDesk()

    def open(self) -> None:
        """Check that ledger, vault and public directory belong together, and finish what a crash interrupted."""
        context = self._context
        findings = inspect(context.config, context.engine, context.vault)
        if findings:
            raise StartRefused(refusal(findings))
        try:
            self._writer.open()
        except AnchorError as error:
            raise StartRefused(f"{error}; `sealdraw recover` says more") from error
        if self._rounds is None:
            self._rounds = self._relays()
        begin_log(context)
        write_index_page(context)
        if self._writer.size:
            settle_published(context, self._writer.size)

    def step(self, *, force: bool = False) -> bool:
        """Do one round of everything and return whether anything was done; ``force`` makes digests at once.

        Raises LeaseLostError when another process leads, VaultUnavailableError and LedgerError when this round could
        not be finished: the next one goes on. Other errors mean that going on could break a promise.
        """
        context = self._context
        self._stay_leader()
        self._refresh_keys()
        done = self._statistics.work(context)
        if not self._statistics.sealing_stopped(context):
            done += refill(context, limit=_POOLS_A_STEP)
        done += expire_tickets(context)
        done += dispose(context)
        done += self._digests.make(context, force=force)
        done += close_pools(context)
        done += write_totals(context)
        self._folded_us = fold_rollups(context, self._folded_us)
        done += self._tables.work(context)
        done += self._watch.look(context)
        done += publish(context, self._writer)
        done += write_activations(context, self._rounds or NoRounds())
        done += publish(context, self._writer)
        if judged := judge_activated(context):
            done += judged + publish(context, self._writer)
        done += enable_activated(context)
        done += erase_pools(context, self._writer.size)
        done += publish(context, self._writer)
        self._report_warnings()
        return done > 0

    def finish(self) -> None:
        """Publish everything that is bound, and totals over it: for a clean stop."""
        # A pool that was stopped a moment ago holds up those behind it until it is announced.
        dispose(self._context)
        for _ in range(_MOST_DRAIN_STEPS):
            if not self._digests.make(self._context, force=True):
                break
            publish(self._context, self._writer)
        close_pools(self._context)
        write_totals(self._context, force=True)
        fold_rollups(self._context, None)
        self._statistics.finish(self._context)
        publish(self._context, self._writer)
        erase_pools(self._context, self._writer.size)
        publish(self._context, self._writer)

    def run(self, stop: threading.Event) -> None:
        """Step until ``stop`` is set, then `finish`. What the vault or the ledger cannot do now is tried again.

        Raises LeaseLostError when another process leads.
        """
        failures = 0
        while not stop.is_set():
            try:
                if failures:
                    self._reopen()
                busy = self.step()
                failures = 0
            except LeaseLostError:
                raise
            except (VaultUnavailableError, LedgerError) as error:
                failures += 1
                _logger.warning("the sequencer waits (%s failures in a row): %s", failures, error)
                stop.wait(_AFTER_FAILURE_S * min(failures, 10))
                continue
            if not busy:
                stop.wait(_IDLE_S)
        if failures:
            self._reopen()
        self.finish()

    def close(self) -> None:
        """Let go of the log, the relays and the lease."""
        self._statistics.close()
        self._writer.close()
        if self._rounds is not None:
            self._rounds.close()
        with writing(self._context.engine) as connection:
            release_lease(connection, self._context.lease)

    def _reopen(self) -> None:
        # After a failure while publishing the writer has closed itself: what was reached is known once it is open.
        self._writer.close()
        self._writer.open()

    def _stay_leader(self) -> None:
        # Every write renews the lease; this is for the times in which there is nothing to write.
        now_us = self._context.clock_us()
        if self._renewed_us is None or now_us - self._renewed_us >= _LEASE_US // 3:
            with self._context.writing():
                self._renewed_us = now_us

    def _refresh_keys(self) -> None:
        now_us = self._context.clock_us()
        if self._keys_at_us is None or now_us - self._keys_at_us >= _KEYS_EVERY_US:
            refresh_keys(self._context)
            self._keys_at_us = now_us

    def _relays(self) -> RoundSource:
        context = self._context
        if context.chain is None:
            return NoRounds()
        return RelayRounds(
            beacon_relays(context.config), context.chain, report=lambda text: _logger.warning("beacon: %s", text)
        )

    def _report_warnings(self) -> None:
        for text in self._context.warnings:
            _logger.warning("%s", text)
        self._context.warnings.clear()


def _writer_steps(on_step: OnStep) -> Callable[[str], None]:
    """Return the writer's hook: its steps by name, all tiles and bundles under one."""

    def step(name: str) -> None:
        if name in {"sign", "checkpoint", "published"}:
            on_step(f"publish.{name}")

    return step
