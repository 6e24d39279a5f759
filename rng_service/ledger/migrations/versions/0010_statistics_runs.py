"""Runs of statistics and dumps; `rng_service.ledger.models` says what the columns are for."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table; a ledger that is older has no runs."""
    op.create_table(
        "statistics_runs",
        sa.Column("run", _KEY, primary_key=True, autoincrement=False),
        sa.Column("purpose", sa.String(length=4), nullable=False),
        sa.Column("subject", sa.String(length=11), nullable=False),
        sa.Column("begun_us", sa.BigInteger(), nullable=False),
        sa.Column("begin_entry_id", _KEY, nullable=False),
        sa.Column("game_digest", sa.LargeBinary(length=32), nullable=True),
        sa.Column("program", sa.String(length=32), nullable=True),
        sa.Column("from_digest", sa.BigInteger(), nullable=True),
        sa.Column("to_digest", sa.BigInteger(), nullable=True),
        sa.Column("bits", sa.BigInteger(), nullable=True),
        sa.Column("caller", sa.String(length=32), nullable=True),
        sa.Column("verdict", sa.String(length=11), nullable=True),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_us", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=32), nullable=True),
    )


def downgrade() -> None:
    """Refuse: run numbers that the log has would be given again."""
    raise NotImplementedError("runs of statistics are not dropped")
