"""Statistics for operators and laboratories: dumps of test-only streams, what runs came to, and who has seen to it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final

from sealdraw.v1 import operator_pb2
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from rng_service.config import Config
from rng_service.errors import InvalidArgument, NotFound, Unavailable
from rng_service.front.checks import Checks
from rng_service.front.paging import page_token, read_page
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import LogEntryRow, StatisticsRunRow
from rng_service.ledger.sequencing import log_time_us
from rng_service.ledger.statistics_runs import RunRow, acknowledge_run, begin_dump, failed_runs, list_runs
from rng_service.sequencer.publication import settled_size
from rng_service.vault.client import VaultClient
from rng_service.vault.errors import VaultError, VaultRefusedError

__all__ = ["MAX_DUMP_BITS", "StatisticsService"]

MAX_DUMP_BITS: Final = 1 << 33
_BITS_IN_BYTE: Final = 8
_TRIES: Final = 5
_PUBLISHED_WITHIN_S: Final = 60.0
_POLL_S: Final = 0.1
_BEHIND_EVERY_RUN: Final = 10**17


class StatisticsService:
    """The handlers; runs themselves are the sequencer's. ``pause`` waits for so many seconds."""

    def __init__(
        self, ledger: Engine, vault: VaultClient, config: Config, pause: Callable[[float], object] = time.sleep
    ) -> None:
        self._ledger = ledger
        self._vault = vault
        self._config = config
        self._pause = pause
        self._one_dump = threading.Lock()

    def dump_test_stream(
        self, request: operator_pb2.DumpTestStreamRequest, caller: str, active: Callable[[], bool]
    ) -> Iterator[operator_pb2.DumpTestStreamResponse]:
        """Announce a dump, wait until the signed log has it, and stream the bits; nothing of them is kept here."""
        if not 1 <= request.bits <= MAX_DUMP_BITS or request.bits % _BITS_IN_BYTE:
            raise InvalidArgument(("bits", f"expected a multiple of 8 up to {MAX_DUMP_BITS}"))
        if not self._one_dump.acquire(blocking=False):
            raise Unavailable("DUMP_RUNNING", "another dump is running; one is given at a time", 5_000)
        try:
            run = self._announce(request.bits, caller)
            # A crash right here, or a caller that goes away, leaves an announced dump of which nobody got a bit.
            self._await_published(run, active)
            yield from self._stream(run, request.bits // _BITS_IN_BYTE, active)
        finally:
            self._one_dump.release()

    def list_statistics_runs(
        self, request: operator_pb2.ListStatisticsRunsRequest, _caller: str, _timeout_s: float
    ) -> operator_pb2.ListStatisticsRunsResponse:
        """List runs and dumps, newest first."""
        size, before = read_page(request.page_size, request.page_token, _BEHIND_EVERY_RUN)
        with reading(self._ledger) as connection:
            rows = list_runs(connection, before=before, limit=size + 1)
        token = page_token(rows[size - 1].run) if len(rows) > size else ""
        return operator_pb2.ListStatisticsRunsResponse(runs=map(_message, rows[:size]), next_page_token=token)

    def acknowledge_statistics(
        self, request: operator_pb2.AcknowledgeStatisticsRequest, caller: str, _timeout_s: float
    ) -> operator_pb2.AcknowledgeStatisticsResponse:
        """Note that somebody has seen to a failed run; the reason stands in the log."""
        checks = Checks()
        reason = checks.reason(request.reason)
        checks.finish()
        with writing(self._ledger) as connection:
            done = request.run < _BEHIND_EVERY_RUN and acknowledge_run(
                connection,
                origin=self._config.service.origin,
                now_us=max(time.time_ns() // 1_000, log_time_us(connection)),
                run=request.run,
                reason=reason,
                caller=caller,
            )
        if not done:
            raise NotFound(f"run {request.run} is no failed run that nobody has seen to")
        return operator_pb2.AcknowledgeStatisticsResponse()

    def failed_runs(self) -> list[int]:
        """Return the failed runs that nobody has seen to."""
        with reading(self._ledger) as connection:
            return failed_runs(connection)

    def _announce(self, bits: int, caller: str) -> int:
        for _ in range(_TRIES):
            try:
                with writing(self._ledger) as connection:
                    return begin_dump(
                        connection,
                        origin=self._config.service.origin,
                        now_us=max(time.time_ns() // 1_000, log_time_us(connection)),
                        bits=bits,
                        caller=caller,
                    ).run
            except IntegrityError:
                # The sequencer took the number for a run of its own.
                continue
        raise Unavailable("RUN_NUMBER_TAKEN", "no number for this dump could be had", 1_000)

    def _await_published(self, run: int, active: Callable[[], bool]) -> None:
        waited_s = 0.0
        while waited_s < _PUBLISHED_WITHIN_S and active():
            with reading(self._ledger) as connection:
                index = connection.scalar(
                    select(LogEntryRow.log_index)
                    .join(StatisticsRunRow, StatisticsRunRow.begin_entry_id == LogEntryRow.id)
                    .where(StatisticsRunRow.run == run)
                )
                if index is not None and index < settled_size(connection):
                    return
            self._pause(_POLL_S)
            waited_s += _POLL_S
        raise Unavailable("LOG_BEHIND", f"dump {run} is announced, and the log does not have it yet", 5_000)

    def _stream(
        self, run: int, n_bytes: int, active: Callable[[], bool]
    ) -> Iterator[operator_pb2.DumpTestStreamResponse]:
        try:
            with closing(self._vault.stream_test_bits(n_bytes)) as parts:
                for part in parts:
                    if not active():
                        return
                    head = {"run": run} if part.drbg_instance else {}
                    yield operator_pb2.DumpTestStreamResponse(
                        drbg_instance=part.drbg_instance,
                        drbg_epoch=part.drbg_epoch,
                        stream=part.stream,
                        data=part.data,
                        **head,
                    )
        except VaultRefusedError as error:
            raise Unavailable("TEST_STREAM_BUSY", str(error), 10_000) from None
        except VaultError:
            raise Unavailable("VAULT_UNAVAILABLE", "the vault does not answer; ask for another dump") from None


def _message(row: RunRow) -> operator_pb2.StatisticsRun:
    return operator_pb2.StatisticsRun(
        run=row.run,
        purpose=row.purpose,
        subject=row.subject,
        begun_us=row.begun_us,
        verdict=row.verdict or "",
        ended_us=row.ended_us or 0,
        bits=row.bits or 0,
        game_digest=row.game_digest or b"",
        program=row.program or "",
        acknowledged=row.acknowledged_us is not None,
    )
