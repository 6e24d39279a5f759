"""`sealdraw stats health`: the health tests of a noise source over recorded samples, and how much entropy they show."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs: without the extra `stats` there is no numpy

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from rng_service.cli.inputs import open_input, size_of
from rng_service.cli.options import json_option
from rng_service.cli.output import print_json, print_table
from rng_service.cli.progress import ProgressBar
from stats_tests.health import (
    BINARY_WINDOW,
    DEFAULT_FALSE_POSITIVE_BITS,
    START_UP_SAMPLES,
    WINDOW,
    HealthFailureError,
    HealthTests,
)

if TYPE_CHECKING:
    from stats_tests.entropy import Assessment, Estimate

__all__ = ["health"]

_FOUND_WRONG: Final = 1
_INTERRUPTED: Final = 130
_BLOCK_BYTES: Final = 1 << 20
_ESTIMATED_SAMPLES: Final = 1_000_000
_TEXT_SAMPLE: Final = 4_096
# Fewer bits than this cannot show letters.
_TEXT_BITS: Final = 7
_LEAST_ALPHA, _MOST_ALPHA = 20, 40
# The kernel's bytes should have 8 bits of entropy, and the vault claims 7 of them; so do we of other widths.
_CLAIMED_OF_A_BIT: Final = Fraction(7, 8)
_MEANING: Final = (
    "estimates are about the raw samples of a noise source; what a generator (DRBG) puts out passes them whatever its"
    " seed was, and so they prove nothing about the seed"
)


class _Alpha(click.ParamType[int]):
    name = "2^-20..2^-40"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"2\^-([1-9][0-9])", value)
        if not found or not _LEAST_ALPHA <= int(found[1]) <= _MOST_ALPHA:
            self.fail(f"{value!r}: expected 2^-{_LEAST_ALPHA} to 2^-{_MOST_ALPHA}, for instance 2^-30", param, ctx)
        return int(found[1])


class _MinEntropy(click.ParamType[Fraction]):
    name = "H"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        if not re.fullmatch(r"[0-8](\.[0-9]{1,3})?", value):
            self.fail(f"{value!r}: expected bits a sample with up to three decimals, for instance 6.5", param, ctx)
        return Fraction(value)


@click.command(epilog="Example: sealdraw stats health noise.bin --symbol-bits 4 --min-entropy 2.5")
@click.argument("file", metavar="FILE|-")
@click.option(
    "--symbol-bits",
    type=click.IntRange(1, 8),
    default=8,
    show_default=True,
    help="Bits in a sample; each sample is one byte, and its value in the low bits.",
)
@click.option(
    "--min-entropy",
    "claimed",
    type=_MinEntropy(),
    help="What is claimed of the source, in bits a sample; by default seven eighths of a sample's bits.",
)
@click.option(
    "--alpha",
    "false_positive_bits",
    type=_Alpha(),
    default=f"2^-{DEFAULT_FALSE_POSITIVE_BITS}",
    show_default=True,
    help="How often a test may accuse a source that keeps its claim, 2^-20 to 2^-40.",
)
@json_option
def health(
    file: str, symbol_bits: int, claimed: Fraction | None, false_positive_bits: int, *, as_json: bool
) -> int | None:
    """Test raw samples of a noise source as SP 800-90B does, and estimate their min-entropy.

    The start-up, repetition count and adaptive proportion tests go over all of FILE, the ten estimators (for sources
    that are not IID) over its first 1,000,000 samples.

    Estimates are about raw noise. The output of a generator passes whatever its seed was: they prove nothing about it.

    Exit status 0: no test failed. 1: one did. 2: the input cannot be used.
    """
    # Without the extra `stats` this says so now, and not after hours of reading.
    import stats_tests.entropy  # noqa: F401

    claim = _CLAIMED_OF_A_BIT * symbol_bits if claimed is None else claimed
    if not 0 < claim <= symbol_bits:
        raise click.UsageError(
            f"--min-entropy {float(claim):g}: a sample has more than 0 and at most {symbol_bits} bits"
        )
    tests = HealthTests(claim, false_positive_bits, window=BINARY_WINDOW if symbol_bits == 1 else WINDOW)
    with open_input(file) as stream:
        beginning, interrupted = _watch(file, stream, symbol_bits, tests)
    assessment, interrupted = (None, True) if interrupted else _estimate(beginning, symbol_bits)
    report = _Report(symbol_bits, claim, false_positive_bits, tests, assessment, claimed is not None, interrupted)
    if as_json:
        print_json(report.as_json())
    else:
        report.print()
    if interrupted:
        return _INTERRUPTED
    return None if tests.failure is None else _FOUND_WRONG


def _watch(file: str, stream: BinaryIO, symbol_bits: int, tests: HealthTests) -> tuple[bytes, bool]:
    """Feed everything to ``tests`` until one fails; return the first million samples, and whether Ctrl-C came.

    Raises ClickException for what cannot be samples.
    """
    beginning = bytearray()
    size = size_of(stream)
    place = 0
    with ProgressBar("testing") as bar:
        try:
            for block in _blocks(stream):
                if place == 0:
                    _refuse_text(file, block, symbol_bits)
                _refuse_wide(file, block, place, symbol_bits)
                beginning += block[: _ESTIMATED_SAMPLES - len(beginning)]
                place += len(block)
                bar.update(place >> 20, size >> 20, "MB")
                if tests.failure is None:
                    _feed(tests, block)
                if tests.failure is not None and len(beginning) == _ESTIMATED_SAMPLES:
                    break
        except KeyboardInterrupt:
            return bytes(beginning), True
    if place < START_UP_SAMPLES:
        found = "is empty" if place == 0 else f"has {place:,} samples"
        raise click.ClickException(f"{file}: {found}; the start-up test alone takes {START_UP_SAMPLES:,}, one a byte")
    return bytes(beginning), False


def _feed(tests: HealthTests, block: bytes) -> None:
    # The failure is kept in ``tests``, and reported with everything else.
    with suppress(HealthFailureError):
        tests.feed(block)


def _estimate(samples: bytes, symbol_bits: int) -> "tuple[Assessment | None, bool]":
    """Return what the estimators say, and whether Ctrl-C came first."""
    from stats_tests.entropy import assess, read_samples

    with ProgressBar("estimating") as bar:
        try:
            return assess(read_samples(samples, symbol_bits), symbol_bits, bar.update), False
        except KeyboardInterrupt:
            return None, True


@dataclass(frozen=True)
class _Report:
    """What was found, for people and for programs."""

    symbol_bits: int
    claim: Fraction
    false_positive_bits: int
    tests: HealthTests
    assessment: "Assessment | None"
    claim_was_made: bool
    interrupted: bool

    @property
    def verdict(self) -> str:
        return "fail" if self.tests.failure is not None else "pass"

    def as_json(self) -> dict[str, Any]:
        failure = self.tests.failure
        return {
            "symbol_bits": self.symbol_bits,
            "claimed_min_entropy": float(self.claim),
            "alpha": f"2^-{self.false_positive_bits}",
            "samples": self.tests.samples,
            "tests": [
                {"name": name, "cutoff": cutoff, "window": window, "result": self._result(name)}
                for name, cutoff, window in self._tests()
            ],
            "failure": failure and {"test": failure.test, "position": failure.position, "message": failure.message},
            "estimates": self.assessment and self.assessment.as_json(),
            "verdict": self.verdict,
            "interrupted": self.interrupted,
            "notes": self.notes(),
        }

    def print(self) -> None:
        click.echo(
            f"{self.tests.samples:,} samples of {self.symbol_bits} bits passed; claimed min-entropy"
            f" {float(self.claim):g} bits a sample, false alarms at 2^-{self.false_positive_bits}\n"
        )
        rows = [
            (name, "" if cutoff is None else f"{cutoff:,}", "" if window is None else f"{window:,}", self._result(name))
            for name, cutoff, window in self._tests()
        ]
        print_table(("test", "cut-off", "samples", "result"), rows)
        if self.tests.failure is not None:
            click.echo(f"\n{self.tests.failure}")
        if self.assessment is not None:
            click.echo()
            self._print_estimates(self.assessment)
        click.echo()
        for note in self.notes():
            click.echo(f"note: {note}")
        click.echo(f"verdict: {self.verdict}  (of the health tests; the estimates are for whoever makes the claim)")

    def notes(self) -> list[str]:
        """Return what one must know to read the rest."""
        notes = []
        if self.interrupted:
            notes.append("interrupted; what is shown was finished")
        if self.tests.failure is not None:
            notes.append("samples behind the failure were not tested")
        if self.assessment is not None:
            found = self.assessment
            if found.samples < _ESTIMATED_SAMPLES:
                notes.append(f"the estimates rest on {found.samples:,} samples; the publication asks for 1,000,000")
            if found.alphabet < 2:
                notes.append("all samples are equal: there is no entropy")
            if self.claim_was_made and found.min_entropy < self.claim:
                notes.append(f"the estimate, {found.min_entropy:.3f}, is below the claim: the lesser of the two counts")
        notes.append(_MEANING)
        return notes

    def _tests(self) -> Iterator[tuple[str, int | None, int | None]]:
        yield "start-up", None, START_UP_SAMPLES
        yield "repetition-count", self.tests.repetition_cutoff, None
        yield "adaptive-proportion", self.tests.proportion_cutoff, self.tests.window

    def _result(self, name: str) -> str:
        failure = self.tests.failure
        if name == "start-up":
            # The same two tests, over the first samples.
            return "fail" if failure is not None and failure.position < START_UP_SAMPLES else "pass"
        return "fail" if failure is not None and failure.test == name else "pass"

    def _print_estimates(self, found: "Assessment") -> None:
        of_samples = {estimate.name: estimate for estimate in found.original}
        of_bits = {estimate.name: estimate for estimate in found.bits}
        names = list(of_bits or of_samples)
        if names:
            rows = [(name, _shown(of_samples.get(name)), _shown(of_bits.get(name))) for name in names]
            print_table(("estimator", "bits a sample", "bits a bit"), rows)
            click.echo()
        for estimate in (*found.original, *found.bits):
            if estimate.reason is not None:
                click.echo(f"{estimate.name}: cannot say: {estimate.reason}")
        click.echo(
            f"estimated min-entropy: {found.min_entropy:.6f} bits a sample, over the first {found.samples:,}"
            f" ({found.alphabet} different)"
        )


def _shown(estimate: "Estimate | None") -> str:
    return "-" if estimate is None or estimate.min_entropy is None else f"{estimate.min_entropy:.6f}"


def _refuse_text(file: str, block: bytes, symbol_bits: int) -> None:
    sample = block[:_TEXT_SAMPLE]
    # A character that is cut off at the end of the sample is no sign against text.
    letters = set(codecs.getincrementaldecoder("utf-8")("replace").decode(sample))
    spaces = {letter for letter in letters if letter.isspace()}
    written = all(letter.isprintable() for letter in letters - spaces) and "\ufffd" not in letters
    # Samples may be printable by chance, or stuck at a letter; they do not come in words or lines.
    if symbol_bits >= _TEXT_BITS and written and (letters == {"0", "1"} or (spaces and len(letters) > 2)):
        raise click.ClickException(f"{file}: the input is text; expected raw samples, one in each byte")


def _refuse_wide(file: str, block: bytes, place: int, symbol_bits: int) -> None:
    wide = block.translate(None, bytes(range(1 << symbol_bits))) if symbol_bits < 8 else b""
    if wide:
        at = next(index for index, sample in enumerate(block) if sample >> symbol_bits)
        raise click.ClickException(
            f"{file}: sample {place + at:,} is {block[at]:#04x}, which has more than {symbol_bits} bits; expected one"
            " sample in the low bits of each byte (--symbol-bits)"
        )


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield pieces until the end; the first one is as long as there are samples to look at for text."""
    first = b""
    while len(first) < _TEXT_SAMPLE and (part := stream.read(_BLOCK_BYTES)):
        first += part
    if first:
        yield first
    while block := stream.read(_BLOCK_BYTES):
        yield block
