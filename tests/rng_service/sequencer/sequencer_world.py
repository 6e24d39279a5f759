"""A whole installation in one process: real vault behind its socket, real ledger, real directory, a clock by hand."""

import json
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from anchor.source import DirectorySource
from rng_service.beacon.development_key import load_or_create
from rng_service.config import (
    BeaconConfig,
    Config,
    LedgerConfig,
    LogConfig,
    PoolsConfig,
    ServiceConfig,
    StatisticsConfig,
)
from rng_service.ledger.engine import open_engine, writing
from rng_service.ledger.migrate import upgrade
from rng_service.ledger.registry import register_game
from rng_service.sequencer.sequencer import Sequencer
from rng_service.vault.client import VaultClient
from rng_service.vault.core import Vault
from rng_service.vault.layout import initialise_vault, lock_directory
from rng_service.vault.process import serve_vault
from rng_service.verify.log import verify_log
from tests.support.binder import Binder

ORIGIN = "example.org/test"
START_US = 1_790_000_000_000_000
SECOND = 1_000_000
GAME = {
    "v": 1,
    "game": "dice",
    "version": 1,
    "title": "Dice",
    "programs": {
        "base": {
            "steps": [{"step": "uniform", "n": 100}],
            "settlement": {"model": "threshold", "rtp": "99/100", "fewest_wins": 1, "most_wins": 95},
            "play_classes": ["real"],
        }
    },
}


class Killed(BaseException):
    """The process died here."""


class Clock:
    def __init__(self):
        self.now_us = START_US

    def __call__(self):
        return self.now_us

    def advance(self, seconds):
        self.now_us += int(seconds * SECOND)


class KeyRounds:
    """Rounds of the development key, once they are due by the world's clock."""

    def __init__(self, key, clock):
        self.key = key
        self.clock = clock
        self.reachable = True

    def signature(self, round_number):
        due = self.key.chain.time_of(round_number) <= self.clock()
        return self.key.sign(round_number) if due and self.reachable else None

    def close(self):
        pass


class World:
    def __init__(self, directory: Path, ledger_url: str, *, size=64, ready=2, beacon="none", policy="open"):
        self.directory = directory
        self.clock = Clock()
        # Unix sockets have short names, and temporary directories of tests long ones.
        self.run = Path(tempfile.mkdtemp(prefix="sd-"))
        self.config = Config(
            service=ServiceConfig(origin=ORIGIN, data_dir=directory),
            ledger=LedgerConfig(url=ledger_url),
            pools=PoolsConfig(size=size, ready=ready),
            beacon=BeaconConfig(kind=beacon, margin_s=10),
            log=LogConfig(totals_policy=policy),
            statistics=StatisticsConfig(interval_hours=0),
        )
        self.rounds = None
        if beacon == "development":
            self.rounds = KeyRounds(load_or_create(directory / "beacon"), self.clock)
        self.vkey = initialise_vault(self.config.vault_dir, ORIGIN, clock_us=self.clock)
        self.start_vault()
        self.engine = open_engine(ledger_url)
        upgrade(self.engine)
        self.sequencer = None

    def start_vault(self):
        self.lock = lock_directory(self.config.vault_dir)
        self.vault_core = Vault(self.config.vault_dir, ORIGIN, clock_us=self.clock)
        self.server = serve_vault(self.vault_core, self.run / "vault.sock", {})
        self.vault = VaultClient(self.run / "vault.sock", timeout_s=20.0)
        self.vault.wait_ready(20.0)

    def stop_vault(self):
        self.vault.close()
        self.server.stop(1).wait()
        self.vault_core.close()
        import os

        os.close(self.lock)

    def close(self):
        if self.sequencer is not None:
            self.sequencer.close()
        self.stop_vault()
        self.engine.dispose()
        shutil.rmtree(self.run, ignore_errors=True)

    def register(self, **changes):
        definition = json.dumps({**GAME, **changes}).encode()
        with writing(self.engine) as connection:
            return register_game(
                connection, definition, origin=ORIGIN, now_us=self.clock(), pool_size=self.config.pools.size
            )

    def start(self, *, holder="one", on_step=lambda _name: None):
        self.sequencer = Sequencer(
            self.config,
            self.engine,
            self.vault,
            holder=holder,
            clock_us=self.clock,
            rounds=self.rounds,
            on_step=on_step,
        )
        self.sequencer.open()
        return self.sequencer

    def abandon(self):
        """Forget the sequencer as a kill would: nothing is said to anybody, only the kernel lets go of the lock."""
        if self.sequencer is not None:
            self.sequencer._writer.close()
        self.sequencer = None

    def steps(self, number=1, *, seconds=1):
        for _ in range(number):
            self.clock.advance(seconds)
            self.sequencer.step()

    def binder(self):
        return Binder(self.engine, self.vault, self.clock)

    def verify(self):
        return verify_log(DirectorySource(self.config.public_dir), self.vkey)

    def with_config(self, **sections):
        self.config = replace(self.config, **sections)


@contextmanager
def world(*arguments, **options):
    made = World(*arguments, **options)
    try:
        yield made
    finally:
        made.close()
