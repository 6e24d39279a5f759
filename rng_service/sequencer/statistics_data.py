"""Where the data of a run come from: a test stream out of the vault, or outcomes that published digests opened.

Both are read part by part into the runner and kept nowhere. A test stream's bits are nothing that was ever drawn; of
opened draws the runner gets the outcomes and numbers in the place of names.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from typing import NamedTuple, Protocol

from sqlalchemy import Engine, select

from rng_service.errors import LedgerError
from rng_service.games import parse_game
from rng_service.games.files import GameFiles
from rng_service.ledger.engine import reading
from rng_service.ledger.exporting import read_digests
from rng_service.ledger.models import GameRow
from rng_service.ledger.statistics_runs import OPENED, TEST_STREAM, OpenedRange, StreamSource
from rng_service.names import parse_pool_id
from rng_service.statistics.plans import StatisticsPlan, parse_statistics_plan
from rng_service.statistics.runner_process import RunnerAnswer, RunnerProcess
from rng_service.statistics.runner_protocol import Job
from rng_service.vault.client import VaultClient

__all__ = ["REAL", "Conduct", "Tested", "opened_outcomes", "test_stream"]

REAL = "real"

_HOUR_US = 3_600_000_000


class Tested(NamedTuple):
    """What a runner answered, and which test stream it was about, None for opened outcomes."""

    answer: RunnerAnswer
    source: StreamSource | None


class Conduct(Protocol):
    """Carries out a run with a runner that is ready; called in a thread of its own."""

    def __call__(self, runner: RunnerProcess) -> Tested:
        """Return what came of it; raises RunnerFailedError, and what the source of the data raises."""


def test_stream(vault: VaultClient, run: int, plan: bytes) -> Conduct:
    """Return what tests a new test stream by the document ``plan``: of so many bits as its last look could need."""

    def conduct(runner: RunnerProcess) -> Tested:
        # Leaving it early ends the call: the vault gives as fast as the runner takes, and no longer.
        with closing(vault.stream_test_bits(_stream_bytes(parse_statistics_plan(plan)))) as parts:
            first = next(parts)
            source = StreamSource(first.drbg_instance, first.drbg_epoch, first.stream)
            facts = (
                ("generator", source.instance),
                ("generator epoch", str(source.epoch)),
                ("test stream", str(source.stream)),
            )
            job = Job(run, TEST_STREAM, plan, "A test-only stream of the vault's generator.", facts)
            answer = runner.conduct(job, chain([first.data], (part.data for part in parts)))
        return Tested(answer, source)

    return conduct


def opened_outcomes(
    engine: Engine, run: int, plan: bytes, opened: OpenedRange, *, files: GameFiles | None, pause: Callable[[], None]
) -> Conduct:
    """Return what tests the first outcomes of ``opened``, as many as the document ``plan`` looks at.

    ``pause`` is called after each digest: others use the processor, too.
    """

    def conduct(runner: RunnerProcess) -> Tested:
        # Imported here: without the extra `stats` there is no numpy, and then there are no runs either.
        from rng_service.statistics.runner_shapes import shape_document  # noqa: PLC0415
        from rng_service.statistics.shapes import shape_of  # noqa: PLC0415

        with reading(engine) as connection:
            definition = connection.scalar(select(GameRow.definition).where(GameRow.digest == opened.game_digest))
        if definition is None:
            raise LedgerError("an announced run is about a game that the ledger does not have")
        game = parse_game(bytes(definition), files)
        program = game.program(opened.program)
        facts = (
            ("game", f"{game.game} version {game.version}"),
            ("program", opened.program),
            ("digests", f"{opened.first} to {opened.last}"),
        )
        job = Job(
            run,
            OPENED,
            plan,
            "Outcomes of draws for real money that published digests contain.",
            facts,
            shape_document(shape_of(program.outcome.steps)),
        )
        rows = _rows(engine, opened, (game.game, game.version), program.outcome.width, files, pause)
        return Tested(runner.conduct(job, rows), None)

    return conduct


def _stream_bytes(plan: StatisticsPlan) -> int:
    if plan.bits is None or plan.outcomes is not None:
        raise ValueError(f"a plan of {plan.battery} is not about a stream of bits")
    return -(-plan.looks[-1].sequences * plan.bits // 8)


def _rows(
    engine: Engine,
    opened: OpenedRange,
    game: tuple[str, int],
    width: int,
    files: GameFiles | None,
    pause: Callable[[], None],
) -> Iterator[bytes]:
    """Yield the outcomes of each digest as the runner reads them; who and where become numbers on the way."""
    from rng_service.statistics.runner_shapes import outcome_row  # noqa: PLC0415 - as above

    callers: dict[str, int] = {}
    pools: dict[str, int] = {}
    first_hour: int | None = None
    for lines in read_digests(engine, opened.first, opened.last, files=files):
        rows = []
        for line in lines:
            if not line.stated:
                continue
            # What is stated of a draw ends with the comma before its record.
            stated = json.loads(b"{" + line.stated[:-1] + b"}")
            binding = json.loads(line.record)["binding"]
            stream = parse_pool_id(binding["pool"]).stream
            # Free play is anybody's to make: mixed in, it would crowd out what players paid for.
            if (stream.game, stream.version, stream.program, stream.play_class) != (*game, opened.program, REAL):
                continue
            hour = binding["bind_time"] // _HOUR_US
            first_hour = hour if first_hour is None else first_hour
            caller = callers.setdefault(binding["caller"], len(callers))
            pool = pools.setdefault(binding["pool"], len(pools))
            values = [int(value) for value in stated["outcome"]]
            rows += [
                outcome_row(caller, max(0, hour - first_hour), pool, values[at : at + width])
                for at in range(0, len(values), width)
            ]
        if rows:
            yield b"".join(rows)
        pause()
