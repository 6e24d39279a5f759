"""The schema of rounds of play; `rng_service.ledger.models` says what each table is for."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make its tables and columns."""
    op.create_table(
        "rounds",
        sa.Column("caller", sa.String(length=32), nullable=False),
        sa.Column("round", sa.String(length=64), nullable=False),
        sa.Column("last_step", sa.Integer(), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.Column("stake_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("awards", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "round"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Refuse: steps that were drawn could be drawn again."""
    raise NotImplementedError("rounds cannot be forgotten: their steps could be drawn again")
