"""`sealdraw stats dump`: raw output of the generator for a laboratory, in the form that its test suite reads."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from struct import iter_unpack
from typing import BinaryIO, Final, NamedTuple

import click

from rng_service.cli.connection import Connection, connection_options, open_connection, stream
from rng_service.cli.progress import ProgressBar

__all__ = ["dump"]

MAX_BITS: Final = 1 << 33
_STANDARD_OUTPUT: Final = "-"
_INTERRUPTED: Final = 130
_WORD_BITS: Final = 32
_LINE_DIGITS: Final = 64
_DIGITS: Final = tuple(format(value, "08b").encode("ascii") for value in range(256))

_EXAMPLES: Final = """Example: sealdraw stats dump --bits 8000000 -o bits.bin

\b
For each suite:
  NIST sts-2.1.2     sealdraw stats dump --bits 100000000 -o bits.bin     (file format 1: binary)
                     sealdraw stats dump --bits 100000000 --format nist-ascii -o bits.txt   (format 0)
  dieharder          sealdraw stats dump --bits 8589934592 -o - | dieharder -a -g 200
                     sealdraw stats dump --bits 320000000 --format dieharder -o words.txt
                     dieharder -a -g 202 -f words.txt
  PractRand          sealdraw stats dump --bits 8589934592 -o - | RNG_test stdin32 -tlmax 1GB
  TestU01            sealdraw stats dump --bits 8589934592 -o bits.bin    (ufile_CreateReadBin,
                     bbattery_RabbitFile, bbattery_AlphabitFile)
"""


class _Format(NamedTuple):
    """How bits are written: what stands in front of so many, and each part of them; ``unit`` bits are one item."""

    head: Callable[[int], bytes]
    part: Callable[[bytes], bytes]
    unit: int
    text: bool


def _no_head(_bits: int) -> bytes:
    return b""


def _as_it_is(data: bytes) -> bytes:
    return data


def _digits(data: bytes) -> bytes:
    """Return digits 0 and 1, the most significant bit of each byte first, in lines of 64."""
    text = b"".join([_DIGITS[value] for value in data])
    lines = [text[at : at + _LINE_DIGITS] for at in range(0, len(text), _LINE_DIGITS)]
    return b"\n".join([*lines, b""])


def _dieharder_head(bits: int) -> bytes:
    return (
        "#==================================================================\n"
        "# generator sealdraw test stream\n"
        "#==================================================================\n"
        f"type: d\ncount: {bits // _WORD_BITS}\nnumbit: {_WORD_BITS}\n"
    ).encode("ascii")


def _words(data: bytes) -> bytes:
    """Return decimal numbers of 32 bits, one a line, least significant byte first as on common machines."""
    return b"".join([b"%10d\n" % word for (word,) in iter_unpack("<I", data)])


_FORMATS: Final[Mapping[str, _Format]] = {
    "raw": _Format(_no_head, _as_it_is, 8, text=False),
    "practrand": _Format(_no_head, _as_it_is, 64, text=False),
    "testu01": _Format(_no_head, _as_it_is, 32, text=False),
    "nist-ascii": _Format(_no_head, _digits, 8, text=True),
    "dieharder": _Format(_dieharder_head, _words, _WORD_BITS, text=True),
}


@click.command(epilog=_EXAMPLES)
@click.option(
    "--bits", type=click.IntRange(min=8, max=MAX_BITS), required=True, help="How many; at most 8,589,934,592 (1 GiB)."
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(_FORMATS)),
    default="raw",
    show_default=True,
    help="Bytes as they come (raw, practrand, testu01), digits 0 and 1, or dieharder's numbers with their header.",
)
@click.option("-o", "--output", metavar="FILE|-", default=_STANDARD_OUTPUT, show_default=True, help="Where to.")
@connection_options
def dump(bits: int, format_name: str, output: str, connection: Connection) -> int | None:
    """Write raw output of the generator, for the test suites of a laboratory.

    The bits are a new stream that is used for nothing else: no outcome ever comes from it. Every dump is announced in
    the log before its first bit exists, so a laboratory can say which one it tested. Needs the operator's role.
    """
    chosen = _FORMATS[format_name]
    if bits % chosen.unit:
        raise click.BadParameter(f"{format_name} is made of {chosen.unit} bits each", param_hint="--bits")
    if output == _STANDARD_OUTPUT and not chosen.text and sys.stdout.isatty():
        raise click.UsageError("binary data on a terminal help nobody: name a file with -o, or use a pipe")
    try:
        if output == _STANDARD_OUTPUT:
            done = _write(connection, bits, chosen, sys.stdout.buffer)
        else:
            done = _write_file(connection, bits, chosen, Path(output))
    except KeyboardInterrupt:
        click.echo("interrupted: what was written is not whole", err=True)
        return _INTERRUPTED
    except BrokenPipeError:
        # The suite has read what it wanted. Nothing may be written any more, not even by the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return None
    click.echo(done, err=True)
    return None


def _write_file(connection: Connection, bits: int, chosen: _Format, path: Path) -> str:
    """Write the file under another name first: what has its name is whole."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            done = _write(connection, bits, chosen, file)
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    return done


def _write(connection: Connection, bits: int, chosen: _Format, file: BinaryIO) -> str:
    """Write a dump and return what to say of it: its number in the log, its stream, and SHA-256 of the raw bytes."""
    digest = sha256()
    size = bits // 8
    written = 0
    name = ""
    left = b""
    with ProgressBar("dumping") as bar:
        file.write(chosen.head(bits))
        for run, source, data in _parts(connection, bits):
            name = name or f"dump {run}: {size:,} bytes of {source}"
            digest.update(data)
            written += len(data)
            left += data
            whole = len(left) - len(left) % (chosen.unit // 8)
            file.write(chosen.part(left[:whole]))
            left = left[whole:]
            bar.update(written, size, "bytes")
        file.flush()
    if written != size:
        raise click.ClickException(f"the service sent {written} bytes of {size}; ask for another dump")
    return f"{name}; SHA-256 of the raw bytes {digest.hexdigest()}"


def _parts(connection: Connection, bits: int) -> Iterator[tuple[int, str, bytes]]:
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    with open_connection(connection) as channel:
        stub = operator_pb2_grpc.OperatorServiceStub(channel)
        for part in stream(stub.DumpTestStream, operator_pb2.DumpTestStreamRequest(bits=bits), connection):
            yield part.run, f"test stream {part.stream} of {part.drbg_instance}, epoch {part.drbg_epoch}", part.data
