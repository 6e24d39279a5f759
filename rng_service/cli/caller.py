"""`sealdraw caller`: who may call, and as what. Run on the machine that has the ledger."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

from pathlib import Path

import click

from rng_service.cli.ledger import open_ledger
from rng_service.cli.options import config_option, json_option, read_config
from rng_service.cli.output import print_json, print_table
from rng_service.errors import ConfigError

__all__ = ["caller"]

_ROLES = click.Choice(["game-server", "auditor", "operator"])


@click.group(short_help="Who may call, and as what.")
def caller() -> None:
    """Registered callers: a name, a role, and the client certificate that proves it."""


@caller.command(epilog="Example: sealdraw caller add table-games --role game-server --certificate table-games.pem")
@click.argument("name")
@click.option("--role", type=_ROLES, required=True)
@click.option("--certificate", type=click.Path(path_type=Path), required=True, help="The client's certificate (PEM).")
@config_option
@json_option
def add(name: str, role: str, certificate: Path, config_path: Path, as_json: bool) -> None:
    """Register a caller by its certificate. A name and a certificate are registered once."""
    from sqlalchemy import insert, or_, select

    from rng_service.front.callers import certificate_digest
    from rng_service.ledger.engine import writing
    from rng_service.ledger.models import CallerRow
    from rng_service.names import check_name

    config = read_config(config_path)
    check_name(name, "caller")
    try:
        digest = certificate_digest(certificate.read_bytes())
    except ValueError:
        raise ConfigError(f"{certificate}: not a certificate in PEM form") from None
    with open_ledger(config) as engine, writing(engine) as connection:
        known = connection.execute(
            select(CallerRow.name, CallerRow.role, CallerRow.certificate_digest).where(
                or_(CallerRow.name == name, CallerRow.certificate_digest == digest)
            )
        ).all()
        if any(tuple(row) != (name, role, digest) for row in known):
            raise ConfigError(f"{known[0].name}: is registered with another role or certificate; names are for ever")
        if not known:
            connection.execute(insert(CallerRow).values(name=name, role=role, certificate_digest=digest))
    if as_json:
        print_json({"name": name, "role": role, "certificate_sha256": digest.hex()})
        return
    click.echo(f"{name}: {role}, certificate {digest.hex()}")


@caller.command("list", epilog="Example: sealdraw caller list")
@config_option
@json_option
def list_callers(config_path: Path, as_json: bool) -> None:
    """List the registered callers."""
    from sqlalchemy import select

    from rng_service.ledger.engine import reading
    from rng_service.ledger.models import CallerRow

    with open_ledger(read_config(config_path)) as engine, reading(engine) as connection:
        found = connection.execute(
            select(CallerRow.name, CallerRow.role, CallerRow.certificate_digest).order_by(CallerRow.name)
        ).all()
    rows = [(row.name, row.role, bytes(row.certificate_digest).hex()) for row in found]
    if as_json:
        print_json([dict(zip(("name", "role", "certificate_sha256"), row, strict=True)) for row in rows])
        return
    print_table(("name", "role", "certificate"), rows, left=3)
