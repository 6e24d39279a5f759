"""A game server that never forgets: every request is repeated under its own id until it is answered.

Players in threads mix everything that the API has: one-step draws, draws on tickets that ask for the next ticket,
tickets that are abandoned, batches, settlements, rounds, repeats of old requests, and other fields under a used id. Every
answer is kept as the very bytes that came, so that `check_everything` can hold them against the ledger.
"""

import hashlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from sealdraw.v1 import draw_pb2, draw_pb2_grpc, operator_pb2, operator_pb2_grpc, types_pb2

from rng_service.client.channel import CALLER_KEY
from rng_service.request_id import new_request_id

CALLER = "casino"
METADATA = ((CALLER_KEY, CALLER),)
PROGRAM = "base"
BET = '{"bet":"over","threshold":4999}'
CALL_S = 2.0
PAUSE_S = 0.02
# Nothing in here lasts longer; a request that is not answered by then is a failure of the service.
PATIENCE_S = 90.0
_RETRIED = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        # A front that is killed in the middle of an answer.
        grpc.StatusCode.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One acknowledged request: its id, the request as it was sent, and the bytes of the answer."""

    request_id: str
    method: str
    request: bytes
    response: bytes


class Unanswered(Exception):  # noqa: N818 - it is what the request is
    """The load was told to give up while a request was under way."""


class Load:
    """Players on `channel()`; ``operator`` adds somebody who rotates keys and quarantines pools meanwhile."""

    def __init__(
        self, channel: Callable[[], grpc.Channel], game: str, *, threads: int, seed: int, operator: bool = False
    ) -> None:
        self._open_channel = channel
        self._game = game
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._abandoned = threading.Event()
        self.answers: list[Answer] = []
        self.refused: list[tuple[str, str]] = []
        self.failures: list[str] = []
        self._tries = 0
        self._seed = seed
        self._threads = [self._thread(self._play, number) for number in range(threads)]
        if operator:
            self._threads.append(self._thread(self._operate, threads))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def add_operator(self) -> None:
        """Let somebody rotate keys and quarantine pools from now on."""
        thread = self._thread(self._operate, len(self._threads))
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Return once every request that was begun is answered; raises what a player ran into."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE_S + 10)
        assert not any(thread.is_alive() for thread in self._threads), "a player hangs"
        assert not self.failures, self.failures

    def abandon(self) -> None:
        """Stop without waiting for answers."""
        self._abandoned.set()
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def await_answers(self, more: int, timeout_s: float = PATIENCE_S) -> None:
        """Return once ``more`` further requests were answered."""
        wanted = len(self.answers) + more
        deadline = time.monotonic() + timeout_s
        while len(self.answers) < wanted:
            assert not self.failures, self.failures
            assert time.monotonic() < deadline, f"{len(self.answers)} answers, waited for {wanted}: {self.refused[-3:]}"
            time.sleep(0.01)

    def await_tries(self, more: int) -> None:
        """Return once ``more`` further calls were made, whatever became of them."""
        wanted, deadline = self._tries + more, time.monotonic() + PATIENCE_S
        while self._tries < wanted:
            assert not self.failures, self.failures
            assert time.monotonic() < deadline, "no calls are made any more"
            time.sleep(0.01)

    def _thread(self, job: Callable[[random.Random, grpc.Channel], None], number: int) -> threading.Thread:
        choice = random.Random(f"{self._seed}/{number}")
        return threading.Thread(target=self._run, args=(job, choice), name=f"player-{number}")

    def _run(self, job: Callable[[random.Random, grpc.Channel], None], choice: random.Random) -> None:
        try:
            with self._open_channel() as channel:
                job(choice, channel)
        except Unanswered:
            pass
        except Exception as error:  # noqa: BLE001 - `stop` tells the test
            self.failures.append(f"{type(error).__name__}: {error}")

    def _play(self, choice: random.Random, channel: grpc.Channel) -> None:
        stub = draw_pb2_grpc.DrawServiceStub(channel)
        player = _Player(self, stub, choice, self._game)
        while not self._stopping.is_set():
            player.turn()
            self._abandoned.wait(choice.uniform(0, 0.01))

    def _operate(self, choice: random.Random, channel: grpc.Channel) -> None:
        """Rotate keys, quarantine pools, ask for tables; what is in doubt is simply asked for again."""
        stub = operator_pb2_grpc.OperatorServiceStub(channel)
        keys = (operator_pb2.KEY_KEY_ENCRYPTION, operator_pb2.KEY_DRBG, operator_pb2.KEY_RECEIPT)
        while not self._stopping.wait(choice.uniform(0.1, 0.4)):
            try:
                stub.RotateKeys(
                    operator_pb2.RotateKeysRequest(request_id=new_request_id(), keys=[choice.choice(keys)]),
                    timeout=CALL_S, metadata=METADATA,
                )  # fmt: skip
                if choice.random() < 0.5:
                    self._quarantine(stub, choice)
                # Of everything so far, or of a day before there was anything, which is refused.
                to_day = "" if choice.random() < 0.5 else "2020-02-29"
                stub.PublishRtpTable(
                    operator_pb2.PublishRtpTableRequest(request_id=new_request_id(), to_day=to_day),
                    timeout=CALL_S, metadata=METADATA,
                )  # fmt: skip
            except grpc.RpcError as error:
                if error.code() not in _RETRIED | {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND}:
                    raise

    def _quarantine(self, stub: operator_pb2_grpc.OperatorServiceStub, choice: random.Random) -> None:
        with self._lock:
            drawn = self.answers[-1] if self.answers else None
        if drawn is None or drawn.method != "Draw":
            return
        pool_id = draw_pb2.DrawResponse.FromString(drawn.response).receipt.pool_id
        path, _, number = pool_id.rpartition("/")
        # The pool in use, or the next one, of which nothing was bound yet.
        stub.QuarantinePool(
            operator_pb2.QuarantinePoolRequest(
                request_id=new_request_id(), pool_id=f"{path}/{int(number) + choice.randrange(2)}", reason="drill"
            ),
            timeout=CALL_S,
            metadata=METADATA,
        )

    def acknowledge(self, answer: Answer) -> None:
        with self._lock:
            self.answers.append(answer)

    def some_answer(self, choice: random.Random) -> Answer | None:
        with self._lock:
            return choice.choice(self.answers) if self.answers else None

    def perform(self, stub: draw_pb2_grpc.DrawServiceStub, method: str, request: Message) -> Message | str:
        """Send until answered; returns the response, or the reason of a refusal that decides the request."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            if self._abandoned.is_set():
                raise Unanswered
            self._tries += 1
            try:
                response = getattr(stub, method)(request, timeout=CALL_S, metadata=METADATA)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                    with self._lock:
                        self.refused.append((request.request_id, reason_of(error)))
                    return reason_of(error)
                if error.code() not in _RETRIED:
                    raise
                if time.monotonic() > deadline:
                    raise AssertionError(f"{method} {request.request_id} is not answered: {error.details()}") from None
                self._abandoned.wait(PAUSE_S)
                continue
            self.acknowledge(
                Answer(request.request_id, method, request.SerializeToString(), response.SerializeToString())
            )
            return response


class _Player:
    """One player's turns, one after the other."""

    def __init__(self, load: Load, stub: draw_pb2_grpc.DrawServiceStub, choice: random.Random, game: str) -> None:
        self._load = load
        self._stub = stub
        self._choice = choice
        self._common = {"game": game, "program": PROGRAM, "play_class": types_pb2.PLAY_CLASS_REAL}
        self._turns = (
            self.one_step,
            self.one_step,
            self.ticketed,
            self.batch,
            self.settled,
            self.staked,
            self.rounds,
            self.repeat,
            self.misuse,
        )

    def turn(self) -> None:
        self._choice.choice(self._turns)()

    def one_step(self) -> None:
        self._draw(wager=self._wager(), client_seed=self._choice.choice([b"", self._choice.randbytes(32)]))

    def batch(self) -> None:
        request = draw_pb2.BatchDrawRequest(
            request_id=new_request_id(), count=self._choice.randint(2, 30), wager=self._wager(),
            client_seed=self._choice.randbytes(16), **self._common,
        )  # fmt: skip
        self._load.perform(self._stub, "BatchDraw", request)

    def ticketed(self) -> None:
        """A session of draws, each on the ticket that the one before brought along; the last ticket is abandoned."""
        session = f"s-{self._choice.randbytes(6).hex()}"
        seed = self._choice.randbytes(32)
        reserve = draw_pb2.ReserveRequest(
            request_id=new_request_id(), session=session, client_seed_hash=hashlib.sha256(seed).digest(), **self._common
        )
        ticket = self._load.perform(self._stub, "Reserve", reserve)
        for _ in range(self._choice.randint(0, 3)):
            if isinstance(ticket, str):
                return
            following = self._choice.randbytes(32)
            answer = self._draw(
                session=session, client_seed=seed, ticket_hash=ticket.ticket_hash, wager=self._wager(),
                next_client_seed_hash=hashlib.sha256(following).digest(),
            )  # fmt: skip
            if isinstance(answer, str):
                # It waited longer than the ticket lives, because something was dead.
                assert answer == "TICKET_EXPIRED", answer
                return
            ticket, seed = answer.next_ticket, following

    def settled(self) -> None:
        drawn = self._draw(client_seed=self._choice.randbytes(32))
        assert not isinstance(drawn, str), drawn
        for _ in range(self._choice.randint(0, 2)):
            request = draw_pb2.SettleRequest(
                request_id=new_request_id(), draw_request_id=self._last_id, bettor=self._choice.randbytes(32),
                stake_minor=100, payout_minor=self._payout(drawn), currency="EUR", bet=BET,
                status=draw_pb2.SETTLEMENT_STATUS_FINAL,
            )  # fmt: skip
            answer = self._load.perform(self._stub, "Settle", request)
            assert not isinstance(answer, str), answer

    def staked(self) -> None:
        """A stake that stands at the draw, and its one bettor afterwards."""
        drawn = self._draw(wager=types_pb2.Wager(stake_minor=100, currency="EUR"))
        assert not isinstance(drawn, str), drawn
        request = draw_pb2.SettleRequest(
            request_id=new_request_id(), draw_request_id=self._last_id, bettor=self._choice.randbytes(32),
            stake_minor=100, payout_minor=self._payout(drawn), currency="EUR", bet=BET,
            status=draw_pb2.SETTLEMENT_STATUS_FINAL,
        )  # fmt: skip
        answer = self._load.perform(self._stub, "Settle", request)
        assert not isinstance(answer, str), answer

    def rounds(self) -> None:
        """A round of some steps; now and then somebody tries to have the last one again, under another id."""
        round_id = new_request_id()
        for step in range(1, self._choice.randint(2, 4)):
            answer = self._draw(round_id=round_id, step=step, wager=self._wager())
            assert not isinstance(answer, str), answer
        if self._choice.random() < 0.5:
            assert self._draw(round_id=round_id, step=step) == "ROUND_STEP"

    def repeat(self) -> None:
        """An old request once more: the answer must be the same bytes, which the check at the end looks at."""
        answer = self._load.some_answer(self._choice)
        if answer is not None:
            again = self._load.perform(self._stub, answer.method, _REQUESTS[answer.method].FromString(answer.request))
            assert not isinstance(again, str), (answer.request_id, again)

    def misuse(self) -> None:
        """Another draw under a used id is refused, whatever has crashed in between."""
        answer = self._load.some_answer(self._choice)
        if answer is None:
            return
        seed = self._choice.randbytes(20)
        request = draw_pb2.DrawRequest(request_id=answer.request_id, client_seed=seed, **self._common)
        assert self._load.perform(self._stub, "Draw", request) == "REQUEST_ID_REUSED"

    def _draw(self, **fields: object) -> Message | str:
        request = draw_pb2.DrawRequest(request_id=new_request_id(), **self._common, **fields)
        self._last_id = request.request_id
        return self._load.perform(self._stub, "Draw", request)

    def _wager(self) -> types_pb2.Wager:
        return types_pb2.Wager(stake_minor=self._choice.choice([50, 100, 200]), currency="EUR", bet=BET)

    @staticmethod
    def _payout(drawn: draw_pb2.DrawResponse) -> int:
        # dice-99: over 4999 wins 198 for 100.
        return 198 if drawn.receipt.values[0] > 4999 else 0


_REQUESTS = {
    "Reserve": draw_pb2.ReserveRequest,
    "Draw": draw_pb2.DrawRequest,
    "BatchDraw": draw_pb2.BatchDrawRequest,
    "Settle": draw_pb2.SettleRequest,
}


def reason_of(error: grpc.RpcError) -> str:
    """Return the ErrorInfo reason of a refusal."""
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return ""
