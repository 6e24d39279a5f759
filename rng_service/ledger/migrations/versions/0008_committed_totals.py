"""Openings of committed totals and tables; `rng_service.ledger.models` says what the table is for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make its table, and the column of wishes that say what to show."""
    op.create_table(
        "openings",
        sa.Column("kind", sa.String(length=6), nullable=False),
        sa.Column("seq", KEY, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "seq", "place"),
    )
    op.add_column(
        "rtp_table_requests",
        sa.Column("show_plays", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("rtp_table_requests", sa.Column("caller", sa.String(length=32), nullable=False, server_default=""))
    # Which pools a table has follows from the closes themselves.
    op.drop_index("ix_pool_returns_close", table_name="pool_returns")
    op.drop_column("pool_returns", "close_entry_id")


def downgrade() -> None:
    """Refuse: without the salts nothing that was committed to can ever be shown."""
    raise NotImplementedError("openings of published commitments are not dropped")
