"""The demo, from an empty directory to three cheats caught: the order of things, and nothing else."""

import random
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import grpc

from rng_service.client import Client, RetryPolicy
from rng_service.client.channel import open_channel
from rng_service.demo.auditor import Findings, audit, compare_totals, require_tested, write_export
from rng_service.demo.bets import BetBook
from rng_service.demo.books import Books
from rng_service.demo.cheats import Caught, Forger, catch_all
from rng_service.demo.game_server import CALLER, GameServer
from rng_service.demo.operator_side import OperatorSide
from rng_service.demo.place import POOL_SIZE, load_games, prepare
from rng_service.demo.service import Service
from rng_service.games import GameDefinition
from rng_service.initialise import Initialised
from rng_service.public_files import rtp_table_paths

__all__ = ["Demo", "Narrator", "Places", "run_demo"]

# A vault that was killed is back within a second; meanwhile its clients ask again and again.
_RETRY: Final = RetryPolicy(attempts=200, attempt_timeout_s=10.0, total_s=60.0, longest_pause_s=0.5)

_LOOK_S: Final = 0.2


class Narrator(Protocol):
    """Whoever tells what happens. ``step`` begins a part, ``progress`` shows how far it is, ``done`` ends it."""

    def step(self, name: str) -> None:
        """Begin a part of the demo."""

    def progress(self, done: int, total: int) -> None:
        """Show how far the part is; called from any thread."""

    def done(self, text: str) -> None:
        """End the part with what came of it."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is."""

    directory: Path

    @property
    def public(self) -> Path:
        """The public directory."""
        return self.directory / "public"

    @property
    def vkey(self) -> Path:
        """The log's verifier key."""
        return self.directory / "keys" / "log.vkey"

    @property
    def table(self) -> Path:
        """The page of the published table of returns."""
        return self.public / rtp_table_paths(0)[2]

    @property
    def receipts(self) -> Path:
        """Receipts as the game server got them."""
        return self.directory / "receipts"

    @property
    def export(self) -> Path:
        """The auditor's export."""
        return self.directory / "export.jsonl"

    @property
    def kept_checkpoint(self) -> Path:
        """The checkpoint that the auditor took home."""
        return self.directory / "auditor" / "checkpoint"

    @property
    def log(self) -> Path:
        """What the service logged."""
        return self.directory / "serve.log"

    @property
    def cheats(self) -> Path:
        """The forged copies of the public directory."""
        return self.directory / "cheats"


@dataclass(frozen=True, slots=True)
class Demo:
    """What came of it."""

    places: Places
    vkey: str
    books: Books
    findings: Findings
    caught: list[Caught]
    checkpoint: str
    vault_back_s: float
    play_s: float
    seconds: float


def run_demo(directory: Path, draws: int, narrator: Narrator, *, clock: Callable[[], float] = time.monotonic) -> Demo:
    """Run everything in ``directory``; raises what any of the parts raises, after the service was stopped."""
    began = clock()
    places = Places(directory)
    narrator.step("set-up")
    done = prepare(directory, clock_us=lambda: time.time_ns() // 1_000)
    places.receipts.mkdir()
    games = load_games()
    books = Books(game.game for game in games)
    narrator.done("a fresh directory, keys in the vault, an empty ledger")
    narrator.step("service")
    with Service(done.settings_path, places.log) as service:
        service.wait_ready()
        narrator.done("vault, beacon, sequencer, gRPC front and public files run as processes of their own")
        with open_channel(done.config.api.listen, None, development=True) as channel:
            vault_back_s, play_s = _open_for_business(service, channel, done, games, books, draws, places, narrator)
    narrator.step("audit")
    write_export(done.config, places.export)
    kept = (places.public / "checkpoint").read_bytes()
    places.kept_checkpoint.parent.mkdir()
    places.kept_checkpoint.write_bytes(kept)
    receipts = sorted(places.receipts.glob("*.json"))
    findings = audit(places.public, done.vkey, receipts, places.export, narrator.progress)
    compare_totals(places.public, done.vkey, books.games)
    require_tested(findings.log)
    narrator.done(
        f"{findings.log.size:,} log entries, {findings.receipts} receipts, {sum(findings.export.records.values()):,} "
        "exported records: all correct"
    )
    narrator.step("cheats")
    forger = Forger(done.config, done.vkey, places.export, places.cheats)
    roulette = next(game for game in games if game.game == "european-roulette")
    caught = catch_all(forger, roulette, done.vkey, places.kept_checkpoint, places.vkey)
    narrator.done(f"{len(caught)} tried, {len(caught)} caught")
    return Demo(places, done.vkey, books, findings, caught, kept.decode("utf-8"), vault_back_s, play_s, clock() - began)


def _open_for_business(
    service: Service,
    channel: grpc.Channel,
    done: Initialised,
    games: list[GameDefinition],
    books: Books,
    draws: int,
    places: Places,
    narrator: Narrator,
) -> tuple[float, float]:
    """Register, play, retire; return how long the vault was away, and how long the playing took."""
    operator = OperatorSide(channel, narrator.progress)
    narrator.step("pools")
    operator.register(games)
    ready = done.config.pools.ready
    pools = operator.await_pools(ready, len(games))
    narrator.done(
        f"{len(games)} games registered; {pools} pools of {POOL_SIZE:,} slots sealed, published, activated, tested"
    )
    narrator.step("draws")
    began = time.monotonic()
    vault_back_s = _play(service, channel, done, games, books, draws, places, narrator)
    play_s = time.monotonic() - began
    narrator.done(f"{books.draws:,} outcomes over gRPC in {play_s:.1f} s, the vault killed in the middle")
    narrator.step("closing")
    operator.retire(games)
    closed = operator.await_closed()
    operator.publish_table()
    service.stop()
    narrator.done(
        f"games retired, unused slots opened, all {closed} pools ended, totals, table and checkpoint published"
    )
    return vault_back_s, play_s


def _play(
    service: Service,
    channel: grpc.Channel,
    done: Initialised,
    games: list[GameDefinition],
    books: Books,
    draws: int,
    places: Places,
    narrator: Narrator,
) -> float:
    """Let the game server play, kill the vault half-way, and return the seconds until it was back."""
    choice = random.Random(secrets.randbits(64))  # noqa: S311 - what players bet needs no secrecy
    half = threading.Event()
    failures: list[BaseException] = []

    def progress(count: int) -> None:
        narrator.progress(min(count, draws), draws)
        if count >= draws // 2:
            half.set()

    stopped = threading.Event()
    with Client(
        done.config.api.listen,
        caller=CALLER,
        journal=places.directory / "game-server" / "requests.journal",
        development=True,
        public=places.public,
        vkey=done.vkey,
        retry=_RETRY,
    ) as client:
        server = GameServer(
            client, channel, BetBook(games, choice), books, places.receipts, progress=progress, stopped=stopped
        )

        def play() -> None:
            try:
                server.play(draws, choice)
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                failures.append(error)
            finally:
                half.set()

        player = threading.Thread(target=play, name="game-server", daemon=True)
        player.start()
        try:
            half.wait()
            vault_back_s = service.kill("vault")
            while player.is_alive():
                player.join(_LOOK_S)
                service.require_running()
        except BaseException:
            stopped.set()
            raise
        if failures:
            raise failures[0]
        client.check()
    return vault_back_s
