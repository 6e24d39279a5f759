"""The ledger for commands that read or change it directly, on the machine that has it."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rng_service.config import Config
from rng_service.errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["open_ledger"]


@contextmanager
def open_ledger(config: Config) -> Iterator["Engine"]:
    """Give the ledger's engine; a database that fails is a LedgerError of one line that quotes no values."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    from rng_service.ledger.engine import open_engine

    path = make_url(config.ledger_url).database if config.ledger_url.startswith("sqlite") else None
    if path is not None and not (config.service.data_dir / path).exists():
        raise LedgerError(f"{path}: no ledger here; `sealdraw init` makes one")
    engine = open_engine(config.ledger_url)
    try:
        yield engine
    except SQLAlchemyError as error:
        cause = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
        raise LedgerError(f"the ledger of {config.service.data_dir} cannot be used: {cause}") from None
    finally:
        engine.dispose()
