"""Scheduled statistics in the log: every run is announced with its plan, and every run says what came of it.

Nobody can compute a run again: its bits stayed in the vault, or its outcomes in records that auditors may hold. What
the log shows is that a plan was fixed before, that no run was taken back or repeated until it passed, and that the
report says what the log does (PROTOCOL.md, section 5).
"""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from anchor.errors import VerificationError
from anchor.source import Source
from rng_service.log_entries import StatsBegin, StatsReport
from rng_service.public_files import statistics_paths
from rng_service.statistics.plans import MAX_PLAN_BYTES, StatisticsPlan, parse_statistics_plan
from rng_service.verify.fault import located, require
from rng_service.verify.plans import read_plan
from rng_service.verify.registry import Registry
from rng_service.verify.statistics_report import MAX_REPORT_BYTES, check_report

__all__ = ["StatisticsBook"]

_BATTERIES: Final = {"test-stream": frozenset({"nist", "weakness", "bits"}), "opened": frozenset({"gaming"})}
_VERDICTS: Final = ("pass", "suspicious", "fail", "interrupted")


@dataclass(frozen=True, slots=True)
class _Begun:
    """A test that waits for its report; ``game`` is what (game, version) its opened outcomes are of."""

    entry: StatsBegin
    plan: StatisticsPlan
    game: tuple[str, int] | None


@dataclass(slots=True)
class _Generator:
    """The test streams of one instance of the vault's generator that reports name; streams count from 1."""

    named: int = 0
    last: int = 0


@dataclass(slots=True)
class _Outcomes:
    """Which digests the finished tests of one program's opened outcomes were over, as ascending [start, end)."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    runs: int = 0
    digests: int = 0

    def add(self, first: int, last: int) -> None:
        """Count a run over the digests ``first`` … ``last``."""
        self.runs += 1
        self.digests += last - first + 1
        start, end = first, last + 1
        apart = [known for known in self.ranges if known[1] < start or known[0] > end]
        for known in self.ranges:
            if known[1] >= start and known[0] <= end:
                start, end = min(start, known[0]), max(end, known[1])
        self.ranges = sorted([*apart, (start, end)])

    def text(self) -> str:
        """Return the same for people; an operator who chose among ranges had to leave some out."""
        start, end = self.ranges[0][0], self.ranges[-1][1]
        covered = sum(upto - first for first, upto in self.ranges)
        return (
            f"{self.runs} runs over the digests {start} to {end - 1}; {end - start - covered} of these were left out, "
            f"{self.digests - covered} came up again"
        )


class StatisticsBook:
    """Checks the runs of one log in order; it grows with plans, generators and tested programs, not with runs."""

    def __init__(self, source: Source, registry: Registry) -> None:
        self._source = source
        self._registry = registry
        self._next_run = 1
        self._open: _Begun | None = None
        self._plans: dict[bytes, tuple[StatisticsPlan, Counter[str]]] = {}
        self._generators: dict[tuple[str, int], _Generator] = {}
        self._outcomes: dict[tuple[str, int, str], _Outcomes] = {}
        self.verdicts: Counter[str] = Counter()
        self.dumps = 0
        self.dumped_bits = 0

    def begin(self, entry: StatsBegin, next_digest: int) -> None:
        """Take the announcement of a run; ``next_digest`` is the number that the log's next digest will have.

        Raises ``stats-run``, ``stats-unreported``, ``stats-battery``, ``stats-game``, ``stats-digests``, and
        what `read_plan` raises.
        """
        require(entry.run == self._next_run, "stats-run", f"run {self._next_run} comes next, this is run {entry.run}")
        self._next_run += 1
        if entry.plan is None:
            self.dumps += 1
            self.dumped_bits += entry.bits or 0
            return
        if self._open is not None:
            raise VerificationError("stats-unreported", f"run {self._open.entry.run} has no report, and another begins")
        if entry.plan not in self._plans:
            plan = read_plan(self._source, entry.plan, parse_statistics_plan, limit=MAX_PLAN_BYTES)
            self._plans[entry.plan] = plan, Counter()
        plan, _ = self._plans[entry.plan]
        require(
            plan.battery in _BATTERIES[entry.subject],
            "stats-battery",
            f"run {entry.run} is over {entry.subject}, and its plan has the battery {plan.battery}",
        )
        self._open = _Begun(entry, plan, self._game(entry, next_digest) if entry.subject == "opened" else None)

    def report(self, entry: StatsReport) -> None:
        """Take what came of the run that began last.

        Raises ``stats-unannounced``, ``stats-stream``, ``stats-file``, and what `check_report` raises.
        """
        begun = self._open
        if begun is None or begun.entry.run != entry.run:
            raise VerificationError("stats-unannounced", f"no test of run {entry.run} waits for a report")
        finished = entry.verdict != "interrupted"
        require(
            (entry.stream is not None) == (finished and begun.entry.subject == "test-stream"),
            "stats-stream",
            f"run {entry.run}: a finished test of a test stream, and nothing else, names the stream",
        )
        if finished:
            self._take_stream(entry)
            self._take_range(begun)
            self._check_files(begun, entry)
        if begun.entry.plan is not None:
            self._plans[begun.entry.plan][1][entry.verdict] += 1
        self.verdicts[entry.verdict] += 1
        self._open = None

    def counts(self) -> dict[str, int]:
        """Return what came of all runs, for programs."""
        return {
            **{verdict: self.verdicts[verdict] for verdict in sorted(_VERDICTS)},
            "dumped_bits": self.dumped_bits,
            "dumps": self.dumps,
            "runs": self._next_run - 1,
            "unreported": int(self._open is not None),
        }

    def lines(self, newest_us: int) -> list[str]:
        """Return the same for people; ``newest_us`` is the operator's time at the end of the log."""
        lines = [_plan_line(digest, plan, verdicts) for digest, (plan, verdicts) in sorted(self._plans.items())]
        if self._open is not None:
            entry = self._open.entry
            hours = max(0, newest_us - entry.time_us) / 3_600_000_000
            lines.append(f"run {entry.run} began {hours:.1f} hours before the end of the log, and has no report yet")
        if self.dumps:
            lines.append(f"raw output given to laboratories: {self.dumps} dumps, {self.dumped_bits} bits")
        # Streams count from 1 for each instance, so those that no report names were read by somebody. An interrupted
        # run or a dump may have been it.
        unnamed = sum(generator.last - generator.named for generator in self._generators.values())
        excused = self.dumps + self.verdicts["interrupted"]
        if unnamed > excused:
            lines.append(
                f"test streams that were read and stand in no report: {unnamed}, of them at most {excused} by "
                "interrupted runs and dumps"
            )
        return lines + [
            f"opened outcomes of {game} version {version}, {program}: {outcomes.text()}"
            for (game, version, program), outcomes in sorted(self._outcomes.items())
        ]

    def _game(self, entry: StatsBegin, next_digest: int) -> tuple[str, int]:
        """Return which game a run over opened outcomes is about, once its digests are known to be in the log."""
        require(
            (entry.from_digest or 0) <= (entry.to_digest or 0) < next_digest,
            "stats-digests",
            f"run {entry.run} is about the digests {entry.from_digest} to {entry.to_digest}, the log has {next_digest}",
        )
        for key, game in self._registry.games.items():
            # A deal's outcomes are no sample.
            if game.digest == entry.game_digest and entry.program in set(game.programs) - game.deals:
                return key
        raise VerificationError(
            "stats-game", f"run {entry.run} is about {entry.program} of a game that is not registered, or about a deal"
        )

    def _take_range(self, begun: _Begun) -> None:
        entry = begun.entry
        if begun.game is None or entry.program is None or entry.from_digest is None or entry.to_digest is None:
            return
        place = (*begun.game, entry.program)
        self._outcomes.setdefault(place, _Outcomes()).add(entry.from_digest, entry.to_digest)

    def _take_stream(self, entry: StatsReport) -> None:
        if entry.stream is None or entry.drbg_instance is None or entry.drbg_epoch is None:
            return
        generator = self._generators.setdefault((entry.drbg_instance, entry.drbg_epoch), _Generator())
        require(
            entry.stream > generator.last,
            "stats-stream",
            f"run {entry.run} was over stream {entry.stream} of {entry.drbg_instance}, an earlier one over stream "
            f"{generator.last}: a stream is tested once",
        )
        generator.named += 1
        generator.last = entry.stream

    def _check_files(self, begun: _Begun, entry: StatsReport) -> None:
        contents = []
        for path, named in zip(statistics_paths(entry.run), (entry.report, entry.page), strict=True):
            with located(path=path):
                data = self._source.read(path, limit=MAX_REPORT_BYTES)
                found = sha256(data).digest()
                require(found == named, "stats-file", f"hashes to {found.hex()}, the log names {(named or b'').hex()}")
                contents.append(data)
        with located(path=statistics_paths(entry.run)[0]):
            check_report(contents[0], begun.entry, begun.plan, entry)


def _plan_line(digest: bytes, plan: StatisticsPlan, verdicts: Counter[str]) -> str:
    found = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in _VERDICTS)
    units = " and ".join(f"{size} {unit}" for unit, size in (("bits", plan.bits), ("outcomes", plan.outcomes)) if size)
    looks = ", ".join(str(look.sequences) for look in plan.looks)
    return (
        f"plan {digest.hex()[:16]} ({plan.battery}, sequences of {units}, looks at {looks}): {found}; a perfect source "
        f"fails at most one run in {int(1 / plan.error_rate)}"
    )
