"""The front page of the public directory: plain HTML that says what lies here and how to check it."""

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

from sqlalchemy import select

from anchor.files import atomic_write
from rng_service.ledger.models import DigestRow, DocumentRow, GameRow, RtpTableRow, StatisticsRunRow
from rng_service.ledger.statistics_runs import INTERRUPTED
from rng_service.public_files import game_path, par_paths, rtp_table_paths, statistics_paths
from rng_service.rtp.periods import Grain, hour_of, period_of, period_text
from rng_service.sequencer.context import Context

__all__ = ["Game", "Run", "Table", "index_page", "write_index_page"]

_MOST_TABLES: Final = 400
_MOST_RUNS: Final = 100

_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{origin}: public log</title>
<style>
body {{ max-width: 44rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }}
code, pre {{ font: 0.9rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }}
pre {{ padding: 0.8rem; background: #8881; white-space: pre-wrap; }}
td, th {{ padding: 0.2rem 1rem 0.2rem 0; text-align: left; vertical-align: top; }}
</style>
<h1>{origin}</h1>
<p>This directory is the public log of a provably-fair draw service. Every outcome comes from a pool that was sealed
and committed to here before anybody asked for it; every draw is covered by a digest here; every slot that was thrown
away is opened here.</p>
<h2>Check it</h2>
<pre>sealdraw verify log {where} --key '{vkey}'
sealdraw verify receipt RECEIPT.json --log {where} --key '{vkey}'</pre>
<p>Compare the key with one that you have from elsewhere: a key from this page proves nothing. The log is a
<a href="https://c2sp.org/tlog-tiles">tlog-tiles</a> log, so other tools read it as well.</p>
<h2>What lies here</h2>
<table>
<tr><td><a href="checkpoint"><code>checkpoint</code></a><td>the signed head of the log
<tr><td><code>tile/</code><td>hashes, and under <code>tile/entries/</code> the entries
<tr><td><code>leaves/</code><td>the leaf hashes of every pool
<tr><td><code>digests/</code><td>the record digests of every second
<tr><td><code>voids/</code><td>the secrets of slots that were thrown away
<tr><td><code>games/</code><td>the definitions that commitments name, and their PAR sheets
<tr><td><code>rtp/</code><td>tables of returns to player
<tr><td><code>statistics/</code><td>reports of fairness tests, by the plans in <code>plans/</code>
<tr><td><code>keys/</code><td>the keys, for reading
</table>
<h2>Games</h2>
<table>
<tr><th>game<th>version<th>PAR sheet<th>definition
{games}
</table>
<h2>Returns to player</h2>
{tables}
<h2>Fairness tests</h2>
{runs}
</html>
"""


class Game(NamedTuple):
    """A registered game version; ``sheet`` says whether its PAR sheet is published."""

    name: str
    version: int
    digest: bytes
    sheet: bool


class Table(NamedTuple):
    """A published table of returns, and the times of its first and its last digest in microseconds UTC."""

    seq: int
    from_us: int
    to_us: int


class Run(NamedTuple):
    """A run of statistics that has come to an end, when that was (microseconds UTC), and what it was about."""

    run: int
    ended_us: int
    subject: str
    verdict: str


def index_page(
    origin: str, vkey: str, games: list[Game], tables: list[Table], runs: Sequence[Run] = (), *, where: str = "URL"
) -> str:
    """Return the page for ``games``, and for the newest ``tables`` and ``runs``, newest first."""
    return _PAGE.format(
        origin=escape(origin),
        vkey=escape(vkey),
        where=escape(where),
        games="\n".join(map(_game_row, games)),
        tables=_tables(tables),
        runs=_runs(runs),
    )


def _game_row(game: Game) -> str:
    sheet = f'<a href="{par_paths(game.digest)[1]}">sheet</a>' if game.sheet else ""
    definition = f'<a href="{game_path(game.digest)}"><code>{game.digest.hex()}</code></a>'
    return f"<tr><td>{escape(game.name)}<td>{game.version}<td>{sheet}<td>{definition}"


def _tables(tables: list[Table]) -> str:
    if not tables:
        return "<p>No table was published yet.</p>"
    rows = "\n".join(
        f'<tr><td><a href="{page}">table {table.seq}</a><td>{_day(table.from_us)} to {_day(table.to_us)}'
        f'<td><a href="{csv}">CSV</a>, <a href="{document}">JSON</a>'
        for table in tables
        for document, csv, page in (rtp_table_paths(table.seq),)
    )
    return f"<table>\n<tr><th>table<th>days UTC<th>files\n{rows}\n</table>"


def _runs(runs: Sequence[Run]) -> str:
    if not runs:
        return "<p>No run has come to an end yet.</p>"
    rows = "\n".join(
        f"<tr><td>{run.run}<td>{_day(run.ended_us)}<td>{escape(run.subject)}<td>{escape(run.verdict)}"
        f"<td>{_run_files(run)}"
        for run in runs
    )
    return f"<table>\n<tr><th>run<th>day UTC<th>of<th>verdict<th>files\n{rows}\n</table>"


def _run_files(run: Run) -> str:
    if run.verdict == INTERRUPTED:
        return ""
    document, page = statistics_paths(run.run)
    return f'<a href="{page}">report</a>, <a href="{document}">JSON</a>'


def _day(time_us: int) -> str:
    return period_text(Grain.DAY, period_of(Grain.DAY, hour_of(time_us)))


def write_index_page(context: Context) -> None:
    """Write index.html as the ledger's games are now."""
    with context.reading() as connection:
        rows = connection.execute(select(GameRow.name, GameRow.version, GameRow.digest).order_by(GameRow.id)).all()
        sheets = set(connection.scalars(select(DocumentRow.path).where(DocumentRow.path.like("games/%.par.html"))))
        games = [Game(name, version, bytes(digest), par_paths(digest)[1] in sheets) for name, version, digest in rows]
        first, last = DigestRow.__table__.alias(), DigestRow.__table__.alias()
        newest = connection.execute(
            select(RtpTableRow.seq, first.c.created_us, last.c.created_us)
            .join(first, first.c.seq == RtpTableRow.from_digest)
            .join(last, last.c.seq == RtpTableRow.to_digest)
            .order_by(RtpTableRow.seq.desc())
            .limit(_MOST_TABLES)
        ).all()
        ended = connection.execute(
            select(StatisticsRunRow.run, StatisticsRunRow.ended_us, StatisticsRunRow.subject, StatisticsRunRow.verdict)
            .where(StatisticsRunRow.verdict.is_not(None))
            .order_by(StatisticsRunRow.run.desc())
            .limit(_MOST_RUNS)
        ).all()
    page = index_page(
        context.origin,
        context.log_key.vkey(),
        games,
        [Table(*row) for row in newest],
        [Run(row.run, row.ended_us or 0, row.subject, row.verdict or "") for row in ended],
    )
    atomic_write(context.config.public_dir / "index.html", page.encode("ascii"))
