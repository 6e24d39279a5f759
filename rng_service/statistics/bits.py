"""Bits under test: SP 800-22 sequence by sequence, and what catches weak generators on all of them together."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import BinaryIO, Final

import numpy as np

from rng_service.statistics.examination import Details, Watch
from rng_service.statistics.report import ReportedTest
from rng_service.statistics.tallies import Tally
from rng_service.statistics.taps import TappedStream
from stats_tests.bits import DEFAULT_SEQUENCE_BITS, SequenceReader, refuse_text
from stats_tests.errors import InputError
from stats_tests.multiple import Hypothesis
from stats_tests.nist import NIST_WORD_BITS, SUITE, Mode, run_stream
from stats_tests.results import SequenceResult, TestResult
from stats_tests.second_level import Column, SecondLevel
from stats_tests.weakness import SAMPLE_BYTES, WEAKNESS, StreamDuplicates, run_on_sample

__all__ = ["NIST_LIST", "WEAKNESS_LIST", "NistExamination", "WeaknessExamination"]

NIST_LIST: Final = "NIST SP 800-22 Rev. 1a"
WEAKNESS_LIST: Final = "additional"
_PIECE_BYTES: Final = 1 << 20
_WHOLE_STREAM: Final = "all bits"
# The duplicates are asked last.
_WEAKNESS_TESTS: Final = len(WEAKNESS) + 1


class NistExamination:
    """SP 800-22 over sequences of a stream, which follow each other, with their second level.

    Raises InputError for a stream that is empty, text, or too short for every test.
    """

    def __init__(
        self,
        stream: BinaryIO | TappedStream,
        *,
        mode: Mode = Mode.EXACT,
        bits: int | None = None,
        jobs: int = 1,
        watch: Watch | None = None,
        hear: Callable[[SequenceResult], None] | None = None,
    ) -> None:
        align = NIST_WORD_BITS if mode is Mode.NIST_2_1_2 else 1
        self.reader = SequenceReader(stream, bits=bits, align=align)  # type: ignore[arg-type] # it has read()
        reasons = [test.unsuitable(self.reader.bits) for test in SUITE]
        if None not in reasons:
            raise InputError(f"{self.reader.bits} bits are too few for every test; the first {reasons[0]}")
        self.mode = mode
        self._jobs = jobs
        self._watch = watch or Watch()
        self._hear = hear
        self._second_level = SecondLevel(as_nist=mode is Mode.NIST_2_1_2)
        self._tally = Tally("nist")

    @property
    def sequences(self) -> int:
        """How many sequences were tested."""
        return self._second_level.sequences

    def extend(self, sequences: int | None) -> int:
        """Test further sequences, until there are ``sequences`` in all or the stream ends."""
        before = self.sequences
        wanted = None if sequences is None else sequences - before
        self._watch.progress("sequences", before, sequences or 0)
        found = run_stream(
            self.reader,
            sequences=wanted,
            mode=self.mode,
            jobs=self._jobs,
            progress=lambda done: self._watch.progress("sequences", before + done, sequences or 0),
        )
        with closing(found):
            for result in found:
                with self._watch.undisturbed():
                    self._add(result, before)
        return self.sequences

    def columns(self) -> list[Column]:
        """Return the second level."""
        return self._second_level.columns()

    def hypotheses(self) -> list[Hypothesis]:
        """Return every exact P-value of the second level."""
        return self._second_level.hypotheses()

    def tests(self) -> tuple[ReportedTest, ...]:
        """Return the fifteen tests."""
        return self._tally.tests()

    def details(self) -> Details:
        """Return mode, length and number of the sequences, and the second level."""
        return Details(
            mode=str(self.mode),
            bits=self.reader.bits,
            sequences=self.sequences,
            second_level=tuple(column.as_json() for column in self.columns()),
        )

    @property
    def finished(self) -> str:
        """How many sequences."""
        return f"{self.sequences:,} sequences"

    def _add(self, result: SequenceResult, before: int) -> None:
        # A second look goes on where the first one ended, and so do its numbers.
        result = SequenceResult(result.index + before, result.bits, result.tests)
        self._second_level.add([result])
        for test in result.tests:
            self._tally.add(test, subject="each sequence", lists=(NIST_LIST,))
        if self._hear is not None:
            self._hear(result)


class WeaknessExamination:
    """The battery `stats_tests.weakness` over all bytes since the beginning of a stream.

    It reads ``stream`` itself, or `hear` is given what somebody else reads, for two batteries over the same bytes. A
    sequence is ``bits`` bits of it. Of the beginning 80 MB are kept; the duplicates see everything, in bounded memory.
    """

    def __init__(
        self,
        stream: BinaryIO | TappedStream | None = None,
        *,
        bits: int | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._stream = stream
        self.bits = DEFAULT_SEQUENCE_BITS if bits is None else bits
        self._watch = watch or Watch()
        self._sample = bytearray()
        self._duplicates = StreamDuplicates()
        self._size = 0
        self.results: list[TestResult] = []

    @property
    def sequences(self) -> int:
        """How many whole sequences were read."""
        return self._size * 8 // self.bits

    def hear(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._sample += data[: SAMPLE_BYTES - len(self._sample)]
        self._duplicates.update(np.frombuffer(data, dtype=np.uint8))
        self._size += len(data)

    def extend(self, sequences: int | None) -> int:
        """Read on until there are ``sequences`` sequences in all, or to the end, and run every test on all of it.

        Raises InputError for a stream that is empty or text.
        """
        if self._stream is not None:
            self._read(None if sequences is None else -(-sequences * self.bits // 8))
        refuse_text(bytes(self._sample[:4_096]))
        self.results = []
        for result in self._run():
            self.results.append(result)
            self._watch.progress("tests for weak generators", len(self.results), _WEAKNESS_TESTS)
        return self.sequences

    def hypotheses(self) -> list[Hypothesis]:
        """Return every P-value."""
        return [
            Hypothesis(f"{result.name}[{index}]", p_value)
            for result in self.results
            for index, p_value in enumerate(result.p_values)
            if p_value is not None
        ]

    def tests(self) -> tuple[ReportedTest, ...]:
        """Return every test that was run at the last look."""
        tally = Tally("weakness")
        for result in self.results:
            tally.add(result, subject=_WHOLE_STREAM, lists=(WEAKNESS_LIST,))
        return tally.tests()

    def details(self) -> Details:
        """Return how many sequences of which length there were."""
        return Details(bits=self.bits, sequences=self.sequences)

    @property
    def finished(self) -> str:
        """How many tests."""
        return f"{len(self.results)} of {_WEAKNESS_TESTS} tests for weak generators"

    def _read(self, size: int | None) -> None:
        assert self._stream is not None  # noqa: S101 - asked by whoever calls
        while size is None or self._size < size:
            data = self._stream.read(_PIECE_BYTES if size is None else min(_PIECE_BYTES, size - self._size))
            if not data:
                return
            with self._watch.undisturbed():
                self.hear(data)
            self._watch.progress("bytes", self._size, size or 0)

    def _run(self) -> Iterator[TestResult]:
        # A view: nothing is added to the sample before the tests are over and have let go of it.
        data = np.frombuffer(self._sample, dtype=np.uint8)
        yield from run_on_sample(data)
        yield self._duplicates.result()
