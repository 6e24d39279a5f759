"""Bring a ledger's schema up to date, by the migrations that stand beside this module."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from rng_service.errors import LedgerError

__all__ = ["upgrade"]

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Apply every migration that ``engine``'s database lacks, in one transaction; an up-to-date ledger is left alone.

    Raises LedgerError when the database refuses; it is then as it was.
    """
    config = Config()
    # Alembic reads percent signs as interpolation, and a directory may have them.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        raise LedgerError(
            f"the ledger's schema cannot be brought up to date: {type(error).__name__}: {error}"
        ) from error
