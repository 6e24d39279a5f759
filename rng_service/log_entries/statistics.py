"""Scheduled statistics and raw-output dumps (PROTOCOL.md, section 5).

A run is in the log before its first bit exists, and what came of it follows: nobody runs again until it passes.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from anchor.errors import MalformedError
from rng_service.entry_fields import Count, Hash, Name, Positive, ShortText, one_of
from rng_service.log_entries.base import Entry


@dataclass(frozen=True, kw_only=True)
class StatsBegin(Entry):
    """Run number ``run`` begins: a ``test`` under ``plan``, or a ``dump`` of so many ``bits`` for a laboratory.

    Its subject is a test-only stream, or the outcomes of one program that the digests ``from_digest`` … ``to_digest``
    opened.
    """

    TYPE: ClassVar[str] = "stats.begin"

    run: Positive
    purpose: Annotated[str, one_of("dump", "test")]
    subject: Annotated[str, one_of("opened", "test-stream")]
    plan: Hash | None = None
    game_digest: Hash | None = None
    program: Name | None = None
    from_digest: Count | None = None
    to_digest: Count | None = None
    bits: Positive | None = None

    def __post_init__(self) -> None:
        dump = self.purpose == "dump"
        if dump and self.subject != "test-stream":
            raise MalformedError("stats.begin: only test streams are dumped")
        if (self.plan is None) != dump:
            raise MalformedError("stats.begin: a test, and nothing else, names its plan")
        if (self.bits is not None) != dump:
            raise MalformedError("stats.begin: a dump, and nothing else, states its bits")
        opened = self.subject == "opened"
        which = (self.game_digest, self.program, self.from_digest, self.to_digest)
        if any((item is not None) != opened for item in which):
            raise MalformedError(
                "stats.begin: game_digest, program, from_digest and to_digest stand with opened outcomes, and only then"
            )


@dataclass(frozen=True, kw_only=True)
class StatsReport(Entry):
    """What came of a test: its verdict, SHA-256 of its report and page, and for a test stream which one it was."""

    TYPE: ClassVar[str] = "stats.report"

    run: Positive
    verdict: Annotated[str, one_of("fail", "interrupted", "pass", "suspicious")]
    report: Hash | None = None
    page: Hash | None = None
    drbg_instance: ShortText | None = None
    drbg_epoch: Count | None = None
    stream: Positive | None = None

    def __post_init__(self) -> None:
        interrupted = self.verdict == "interrupted"
        if any((item is None) != interrupted for item in (self.report, self.page)):
            raise MalformedError("stats.report: report and page stand with every verdict but interrupted")
        source = (self.drbg_instance, self.drbg_epoch, self.stream)
        if any(item is None for item in source) != all(item is None for item in source):
            raise MalformedError("stats.report: drbg_instance, drbg_epoch and stream stand together")
        if interrupted and self.stream is not None:
            raise MalformedError("stats.report: an interrupted run names no stream")
