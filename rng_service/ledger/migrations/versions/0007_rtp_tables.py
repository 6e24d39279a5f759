"""Published tables of returns; `rng_service.ledger.models` says what each table is for."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make its tables."""
    op.create_table(
        "rtp_tables",
        sa.Column("seq", KEY, nullable=False),
        sa.Column("from_totals", sa.BigInteger(), nullable=False),
        sa.Column("to_totals", sa.BigInteger(), nullable=False),
        sa.Column("from_digest", sa.BigInteger(), nullable=False),
        sa.Column("to_digest", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "rtp_table_requests",
        sa.Column("request_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("from_day", sa.Integer(), nullable=True),
        sa.Column("end_day", sa.Integer(), nullable=True),
        sa.Column("expected", sa.LargeBinary(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("table_seq", sa.BigInteger(), nullable=True),
        sa.Column("refused", sa.String(length=400), nullable=True),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_table(
        "pool_returns",
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("outcomes", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.String(), nullable=False),
        sa.Column("close_entry_id", KEY, nullable=True),
        sa.PrimaryKeyConstraint("pool_id"),
    )
    op.create_index("ix_pool_returns_close", "pool_returns", ["close_entry_id"], unique=False)
    op.add_column("totals", sa.Column("log_entry_id", KEY, nullable=True))


def downgrade() -> None:
    """Refuse: tables that were published are never dropped."""
    raise NotImplementedError("published tables are not dropped")
