"""What `sealdraw demo` says at the end, for programs and for people."""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from rng_service.cli.output import table_lines

if TYPE_CHECKING:
    from rng_service.demo.run import Demo

__all__ = ["demo_json", "demo_lines"]

_WIDTH = 100
_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def demo_json(demo: "Demo") -> dict[str, Any]:
    """Return the demo's result as JSON values; returns are numbers like 0.972973."""
    return {
        "draws": demo.books.draws,
        "games": {
            game: {
                "rtp_theoretical": round(float(book.theoretical), 6),
                "rtp_realised": round(float(book.realised), 6),
                "band_99": round(book.band, 6),
                "plays": book.plays,
                "outcomes": book.outcomes,
            }
            for game, book in demo.books.games.items()
        },
        "protections": [
            {"content": label[0], "assignment": label[1], "foreseen": label[2], "outcomes": count}
            for label, count in sorted(demo.books.labels.items())
        ],
        "development_beacon": demo.books.development_beacon > 0,
        "pool_tests": demo.findings.log.pool_tests,
        "log_size": demo.findings.log.size,
        "checkpoint": demo.checkpoint,
        "cheats": [{"name": item.name, "reason": item.reason, "said": item.said} for item in demo.caught],
        "seconds": round(demo.seconds, 1),
        "public": str(demo.places.public),
        "table": str(demo.places.table),
        "key": str(demo.places.vkey),
        "verified": True,
    }


def demo_lines(demo: "Demo") -> Iterator[str]:
    """Yield the result for people."""
    yield ""
    yield _head("Return to player")
    yield from _indented(_returns(demo))
    yield ""
    yield _head("How it was drawn")
    yield from _indented(_kinds(demo))
    yield ""
    yield _head("Protections held, by what each receipt says")
    yield from _indented(_protections(demo))
    yield ""
    yield _head("The log")
    yield from _indented(_log(demo))
    for number, item in enumerate(demo.caught, start=1):
        yield ""
        yield _head(f"Cheat {number}: {item.name[0].lower()}{item.name[1:]}")
        for line in item.done:
            yield from _wrapped(line)
        yield from _wrapped(f"CAUGHT  {_HASH.sub(_shortened, item.said)}", hang=8)
        yield f"  again   {_program()} {item.command}"
    yield ""
    yield _head("Look for yourself")
    yield from _indented(_pointers(demo))
    yield ""
    yield f"{demo.books.draws:,} draws, everything verified, three cheats caught, in {demo.seconds:.0f} seconds."


def _returns(demo: "Demo") -> list[str]:
    rows = [
        (
            game,
            f"{book.plays:,}",
            f"{float(book.theoretical):.2%}",
            f"{float(book.realised):.2%}",
            f"± {book.band:.2%}",
            "inside" if abs(float(book.realised - book.theoretical)) <= book.band else "outside",
        )
        for game, book in demo.books.games.items()
    ]
    return [
        *table_lines(("game", "plays", "theory", "realised", "99 % band", ""), rows),
        "Theory is exact for the bets that were played. Realised is what the log's totals and the",
        "game server's own books agree on, to the cent. One run in a hundred lies outside its band.",
    ]


def _kinds(demo: "Demo") -> list[str]:
    kinds = demo.books.kinds
    return [
        f"{kinds['batch']:,} in batches of 100, {kinds['one-step']:,} in one step, {kinds['ticketed']:,} on tickets",
        f"{kinds['table']:,} at tables, with {kinds['settlements']:,} bettors settled afterwards",
        f"{kinds['repeats']:,} repeated requests and {kinds['answers lost']:,} lost answers: the same bytes each time",
        f"{kinds['other fields refused']:,} reused request ids with other fields: refused",
        f"The vault was killed half-way and was back after {demo.vault_back_s:.1f} s: no draw lost, none made twice",
    ]


def _protections(demo: "Demo") -> list[str]:
    rows = [(*label, f"{count:,}") for label, count in demo.books.labels.most_common()]
    lines = table_lines(("content not chosen", "assignment not steered", "outcome not foreseen", "draws"), rows, left=3)
    if demo.books.development_beacon:
        lines.append("The beacon was this machine's own development beacon: it protects nobody.")
    return lines


def _log(demo: "Demo") -> list[str]:
    log = demo.findings.log
    tests = log.pool_tests
    return [
        f"{log.origin}: {log.size:,} entries; {', '.join(f'{n:,} {kind}' for kind, n in log.records.items())} records",
        f"{tests['pass']} pools passed a test before their first draw; {tests['recomputed']} again for the auditor",
        f"{log.pools_closed} pools closed, {log.pools_voided} opened unused",
        f"{demo.findings.export.totals} totals recomputed from the export, and the table of returns",
        f"checkpoint: {log.size} entries, root {log.root}",
    ]


def _pointers(demo: "Demo") -> list[str]:
    places = demo.places
    receipt = next(iter(sorted(places.receipts.glob("*ticketed*.json"))), places.receipts)
    key = f"--key {places.vkey}"
    rows = [
        ("the public log", str(places.public)),
        ("the table of returns", str(places.table)),
        ("its key", str(places.vkey)),
        ("receipts", str(places.receipts)),
        ("the auditor's export", str(places.export)),
        ("the forged logs", str(places.cheats)),
        ("what the service logged", str(places.log)),
    ]
    width = max(len(name) for name, _ in rows)
    return [
        *(f"{name:<{width}}  {path}" for name, path in rows),
        "",
        f"{_program()} verify log {places.public} {key}",
        f"{_program()} verify receipt {receipt} --log {places.public} {key}",
        f"{_program()} verify export {places.export} --log {places.public} {key}",
    ]


def _shortened(found: re.Match[str]) -> str:
    """Return the beginning of a hash: enough to recognise it by; the command shows all of it."""
    return f"{found[1]}…"


def _program() -> str:
    """Return how this program is called from here: by its name, or by where it is when no search path has it."""
    return "sealdraw" if shutil.which("sealdraw") else os.path.relpath(sys.argv[0])


def _head(text: str) -> str:
    return click.style(text, bold=True)


def _indented(lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield f"  {line}".rstrip()


def _wrapped(text: str, hang: int = 0) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="  ",
        subsequent_indent=" " * (2 + hang),
        break_on_hyphens=False,
        break_long_words=False,
    )
