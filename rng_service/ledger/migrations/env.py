"""Alembic's environment: migrations run on the connection, and in the transaction, that `upgrade` hands over."""

from alembic import context

from rng_service.ledger.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
