"""Documents: files that a log entry names by their hash, kept until they are in the public directory and after."""

from collections.abc import Mapping

from sqlalchemy import Connection, insert, select

from rng_service.errors import LedgerError
from rng_service.ledger.models import DocumentRow

__all__ = ["add_documents", "read_document"]


def add_documents(connection: Connection, documents: Mapping[str, bytes]) -> None:
    """Keep documents by their public path; durable with the caller's transaction, which queues the entry too.

    The same bytes again change nothing; other bytes under a path that is taken are refused with LedgerError.
    """
    for path, content in documents.items():
        known = connection.execute(select(DocumentRow.content).where(DocumentRow.path == path)).scalar()
        if known is None:
            connection.execute(insert(DocumentRow).values(path=path, content=content))
        elif bytes(known) != content:
            raise LedgerError(f"{path} is another document already")


def read_document(connection: Connection, path: str) -> bytes:
    """Return the document for ``path``; raises LedgerError when there is none."""
    content = connection.execute(select(DocumentRow.content).where(DocumentRow.path == path)).scalar()
    if content is None:
        raise LedgerError(f"an entry names {path}, and the ledger does not have it")
    return bytes(content)
