"""The demo's game server: players in threads, who do over real gRPC what players and networks do."""

import hashlib
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import Final

import grpc
from sealdraw.v1 import draw_pb2, draw_pb2_grpc, types_pb2

from anchor.errors import VerificationError
from rng_service.client import Client, FailedPrecondition, Receipt, TicketedSession, Wager
from rng_service.client.channel import CALLER_KEY
from rng_service.demo.bets import CURRENCY, PROGRAM, BetBook, Play
from rng_service.demo.books import Books
from rng_service.request_id import new_request_id

__all__ = ["CALLER", "GameServer"]

CALLER: Final = "demo-casino"
_THREADS: Final = 24
_BATCH: Final = 100
_SPINS: Final = 20
_BETTORS: Final = 3
# So short that the answer is mostly lost although the draw is made.
_LOST_AFTER_S: Final = 0.004
_KEPT_RECEIPTS: Final = 2


class GameServer:
    """Plays ``draws`` outcomes or a few more. ``progress`` is told how many are done, from any thread."""

    def __init__(
        self,
        client: Client,
        channel: grpc.Channel,
        bets: BetBook,
        books: Books,
        receipts: Path,
        *,
        progress: Callable[[int], None],
        stopped: Event,
    ) -> None:
        self._client = client
        self._stub = draw_pb2_grpc.DrawServiceStub(channel)
        self._bets = bets
        self._books = books
        self._receipts = receipts
        self._progress = progress
        self._stopped = stopped
        self._kept: Counter[str] = Counter()
        self._lock = Lock()

    def play(self, draws: int, choice: random.Random) -> None:
        """Play everything; raises what any of the players ran into, after all have ended."""
        jobs = list(self._jobs(draws))
        choice.shuffle(jobs)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="player") as players:
            try:
                for job in [players.submit(job) for job in jobs]:
                    job.result()
            except BaseException:
                self._stopped.set()
                players.shutdown(cancel_futures=True)
                raise

    def _jobs(self, draws: int) -> Iterator[Callable[[], None]]:
        """Yield jobs for at least ``draws`` outcomes: by batch, in one step, on tickets, and with mishaps."""
        planned = 0
        while planned < draws:
            yield self._batches
            planned += 2 * _BATCH
            for _ in range(3):
                yield self._one_step
            yield self._ticketed
            yield self._ticketed
            planned += 5 * _SPINS
            yield self._repeated
            yield self._answer_lost
            yield self._table
            planned += 3

    def _batches(self) -> None:
        for _ in range(2):
            play = self._bets.play(self._bets.turn("batch"))
            for receipt in self._client.batch_draw(play.bet.game, PROGRAM, _BATCH, wager=_wager(play)):
                self._took("batch", receipt, play)

    def _one_step(self) -> None:
        for _ in range(_SPINS):
            play = self._bets.play(self._bets.turn("one-step"))
            # Some game servers send no seed at all: then the operator could foresee the outcome, and the label says so.
            seed = b"" if play.stake_minor == 50 else None
            receipt = self._client.draw(play.bet.game, PROGRAM, client_seed=seed, wager=_wager(play))
            self._took("one-step", receipt, play)

    def _ticketed(self) -> None:
        game = self._bets.turn("ticketed")
        name = f"player-{secrets.token_hex(6)}"
        session = TicketedSession(self._client, game, PROGRAM, session=name)
        for _ in range(_SPINS - 1):
            play = self._bets.play(game)
            self._took("ticketed", session.draw(wager=_wager(play)), play)
        # The last draw uses the ticket that the one before brought along, and asks for no other.
        play = self._bets.play(game)
        if session.ticket is None:
            raise AssertionError("a session that drew holds the next ticket")
        self._client.wait_verified(session.ticket)
        receipt = self._client.draw(game, PROGRAM, session=name, ticket=session.ticket, wager=_wager(play))
        self._took("ticketed", receipt, play)

    def _repeated(self) -> None:
        """A client that sends the same request three times gets one outcome, byte for byte the same receipt."""
        play = self._bets.play(self._bets.any_game())
        request_id, seed = new_request_id(), secrets.token_bytes(32)
        receipts = [
            self._client.draw(play.bet.game, PROGRAM, client_seed=seed, wager=_wager(play), request_id=request_id)
            for _ in range(3)
        ]
        if len({receipt.to_bytes() for receipt in receipts}) != 1:
            raise VerificationError("repeat-differs", f"request {request_id}: a repeat gave other bytes")
        self._took("one-step", receipts[0], play)
        self._books.count("repeats", 2)
        try:
            self._client.draw(play.bet.game, PROGRAM, client_seed=b"another seed, same id", request_id=request_id)
        except FailedPrecondition:
            self._books.count("other fields refused")
        else:
            raise VerificationError("request-id-reused", f"request {request_id} was drawn with other fields")

    def _answer_lost(self) -> None:
        """A call whose answer never arrives is asked for again under its id: drawn once, whenever it was bound."""
        play = self._bets.play(self._bets.any_game())
        request_id, seed = new_request_id(), secrets.token_bytes(32)
        request = draw_pb2.DrawRequest(
            request_id=request_id,
            game=play.bet.game,
            program=PROGRAM,
            play_class=types_pb2.PLAY_CLASS_REAL,
            client_seed=seed,
            wager=types_pb2.Wager(stake_minor=play.stake_minor, currency=CURRENCY, bet=play.bet.text),
        )
        try:
            self._stub.Draw(request, timeout=_LOST_AFTER_S, metadata=((CALLER_KEY, CALLER),))
        except grpc.RpcError:
            self._books.count("answers lost")
        receipt = self._client.draw(play.bet.game, PROGRAM, client_seed=seed, wager=_wager(play), request_id=request_id)
        found = self._client.resolve(request_id)
        if [item.to_bytes() for item in found.receipts] != [receipt.to_bytes()]:
            raise VerificationError("repeat-differs", f"request {request_id}: resolving it gave other bytes")
        self._took("one-step", receipt, play)

    def _table(self) -> None:
        """One outcome without a bet of its own, and several bettors who are settled on it afterwards."""
        game = "european-roulette"
        receipt = self._client.draw(game, PROGRAM)
        self._took("table", receipt, None)
        for seat in range(_BETTORS):
            play = self._bets.play(game)
            payout = self._payout(play, receipt)
            self._client.settle(
                receipt,
                bettor=hashlib.sha256(f"{receipt.request_id}/{seat}".encode("ascii")).digest(),
                stake_minor=play.stake_minor,
                payout_minor=payout,
                currency=CURRENCY,
                bet=play.bet.text,
            )
            self._books.settled(play, payout)

    def _payout(self, play: Play, receipt: Receipt) -> int:
        return self._bets.payout(play, receipt.outcomes[0])

    def _took(self, kind: str, receipt: Receipt, play: Play | None) -> None:
        self._books.drawn(kind, receipt, play)
        name = f"{receipt.pool_id.split('/')[1]}-{kind}"
        with self._lock:
            self._kept[name] += 1
            number = self._kept[name]
        if number <= _KEPT_RECEIPTS:
            # As it came over the wire: this is what a player takes home.
            receipt.save(self._receipts / f"{name}-{number}.json")
        self._progress(self._books.draws)
        if self._stopped.is_set():
            raise InterruptedError


def _wager(play: Play) -> Wager:
    return Wager(play.stake_minor, CURRENCY, play.bet.text)
