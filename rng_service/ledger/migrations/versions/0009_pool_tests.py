"""Tests of pools before their first draw; `rng_service.ledger.models` says what the columns are for."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; pools that were committed to before name no plan and stay as they are."""
    op.add_column("pools", sa.Column("test_plan", sa.LargeBinary(length=32), nullable=True))
    op.add_column("pools", sa.Column("test_verdict", sa.String(length=4), nullable=True))
    op.add_column("pools", sa.Column("test_entry", sa.LargeBinary(), nullable=True))
    op.add_column("pools", sa.Column("test_index", sa.BigInteger(), nullable=True))
    op.create_index("ix_pools_tests", "pools", ["test_verdict", "test_plan"])


def downgrade() -> None:
    """Refuse: a pool that waits for its test would be drawn from without one."""
    raise NotImplementedError("tests of pools are not dropped")
