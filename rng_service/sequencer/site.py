"""The front page of the public directory: plain HTML that says what lies here and how to check it."""

from html import escape

from sqlalchemy import select

from anchor.files import atomic_write
from rng_service.ledger.models import GameRow
from rng_service.public_files import game_path
from rng_service.sequencer.context import Context

__all__ = ["index_page", "write_index_page"]

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
<tr><td><code>games/</code><td>the definitions that commitments name
<tr><td><code>keys/</code><td>the keys, for reading
</table>
<h2>Games</h2>
<table>
<tr><th>game<th>version<th>definition
{games}
</table>
</html>
"""


def index_page(origin: str, vkey: str, games: list[tuple[str, int, bytes]], *, where: str = "URL") -> str:
    """Return the page for ``games``, each (name, version, digest)."""
    rows = "\n".join(
        f'<tr><td>{escape(name)}<td>{version}<td><a href="{game_path(digest)}"><code>{digest.hex()}</code></a>'
        for name, version, digest in games
    )
    return _PAGE.format(origin=escape(origin), vkey=escape(vkey), where=escape(where), games=rows)


def write_index_page(context: Context) -> None:
    """Write index.html as the ledger's games are now."""
    with context.reading() as connection:
        rows = connection.execute(select(GameRow.name, GameRow.version, GameRow.digest).order_by(GameRow.id))
        games = [(name, version, bytes(digest)) for name, version, digest in rows]
    page = index_page(context.origin, context.log_key.vkey(), games)
    atomic_write(context.config.public_dir / "index.html", page.encode("ascii"))
