"""`sealdraw export`: the records behind the log, for an auditor."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

from pathlib import Path

import click

from rng_service.cli.ledger import open_ledger
from rng_service.cli.options import config_option, json_option, read_config
from rng_service.cli.output import print_json
from rng_service.errors import ConfigError

__all__ = ["export"]


@click.command(
    short_help="Write the records behind the log to a file.",
    epilog="Example: sealdraw export january.jsonl --from 0 --to 86399",
)
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@click.option("--from", "first", type=click.IntRange(0), help="The first digest; by default the first there is.")
@click.option("--to", "last", type=click.IntRange(0), help="The last digest; by default the newest.")
@click.option(
    "--openings",
    "openings_file",
    type=click.Path(path_type=Path),
    help="Also write what opens the committed totals of these digests, and tables over them.",
)
@click.option("--session", nargs=2, metavar="CALLER SESSION", help="Only this session of this caller.")
@json_option
def export(
    file: Path,
    config_path: Path,
    first: int | None,
    last: int | None,
    openings_file: Path | None,
    session: tuple[str, str] | None,
    as_json: bool,
) -> None:
    """Write every record of the digests chosen to FILE, which must not exist yet.

    Check it with `sealdraw verify export`, with --openings when the log commits to its totals. It holds what receipts
    hold: no keys, and no tags in clear.
    """
    from rng_service.games.files import directory_files
    from rng_service.ledger.exporting import digest_range, export_digests
    from rng_service.ledger.openings import openings_of, totals_range
    from rng_service.records.openings import OpeningsHeader, write_openings

    config = read_config(config_path)
    if openings_file is not None and config.log.totals_policy != "committed":
        raise ConfigError("--openings: the totals of this log are open (log.totals_policy): there is nothing to open")
    with open_ledger(config) as engine:
        known = digest_range(engine)
        chosen = known[0] if first is None else first, known[1] if last is None else last
        with file.open("xb") as stream:
            records = export_digests(
                engine,
                stream,
                origin=config.service.origin,
                first=chosen[0],
                last=chosen[1],
                session=session,
                files=directory_files(config.game_files_dir),
            )
        if openings_file is not None:
            totals = totals_range(engine, first_digest=chosen[0], last_digest=chosen[1])
            header = OpeningsHeader(origin=config.service.origin, from_totals=totals.first, to_totals=totals.last)
            with openings_file.open("xb") as stream:
                opened = write_openings(stream, header, openings_of(engine, totals))
    if as_json:
        found = {"file": str(file), "from_digest": chosen[0], "to_digest": chosen[1], "records": records}
        print_json(found if openings_file is None else found | {"openings": str(openings_file), "opened": opened})
        return
    click.echo(f"{file}: {records} records of digests {chosen[0]} to {chosen[1]}")
    with_openings = ""
    if openings_file is not None:
        click.echo(f"{openings_file}: {opened} rows of committed totals and tables; what is in it is not public")
        with_openings = f" --openings {openings_file}"
    click.echo(f"Check it: sealdraw verify export {file} --log {config.public_dir} --key VKEY{with_openings}")
