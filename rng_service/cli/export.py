"""`sealdraw export`: the records behind the log, for an auditor."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

from pathlib import Path

import click

from rng_service.cli.ledger import open_ledger
from rng_service.cli.options import config_option, json_option, read_config
from rng_service.cli.output import print_json

__all__ = ["export"]


@click.command(
    short_help="Write the records behind the log to a file.",
    epilog="Example: sealdraw export january.jsonl --from 0 --to 86399",
)
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@click.option("--from", "first", type=click.IntRange(0), help="The first digest; by default the first there is.")
@click.option("--to", "last", type=click.IntRange(0), help="The last digest; by default the newest.")
@click.option("--session", nargs=2, metavar="CALLER SESSION", help="Only this session of this caller.")
@json_option
def export(
    file: Path,
    config_path: Path,
    first: int | None,
    last: int | None,
    session: tuple[str, str] | None,
    as_json: bool,
) -> None:
    """Write every record of the digests chosen to FILE, which must not exist yet.

    Check it with `sealdraw verify export`. It holds what receipts hold: no keys, and no tags in clear.
    """
    from rng_service.games.files import directory_files
    from rng_service.ledger.exporting import digest_range, export_digests

    config = read_config(config_path)
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
    if as_json:
        print_json({"file": str(file), "from_digest": chosen[0], "to_digest": chosen[1], "records": records})
        return
    click.echo(f"{file}: {records} records of digests {chosen[0]} to {chosen[1]}")
    click.echo(f"Check it: sealdraw verify export {file} --log {config.public_dir} --key VKEY")
