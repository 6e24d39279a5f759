"""The schema of realised rtp; `rng_service.ledger.models` says what each table is for."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make its tables and columns."""
    op.create_table(
        "rtp_deltas",
        sa.Column("digest_seq", KEY, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest_seq"),
    )
    op.create_table(
        "rtp_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("game", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("program", sa.String(length=32), nullable=False),
        sa.Column("play_class", sa.String(length=4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("brand", sa.String(length=128), nullable=False),
        sa.Column("jurisdiction", sa.String(length=128), nullable=False),
        sa.Column("channel", sa.String(length=128), nullable=False),
        sa.Column("band", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "game", "version", "program", "play_class", "currency", "brand", "jurisdiction", "channel", "band"
        ),
    )
    op.create_table(
        "rtp_rollups",
        sa.Column("grain", sa.SmallInteger(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("key_id", KEY, nullable=False),
        sa.Column("outcomes", sa.BigInteger(), nullable=False),
        sa.Column("plays", sa.BigInteger(), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("unsettled", sa.BigInteger(), nullable=False),
        sa.Column("unpriced", sa.BigInteger(), nullable=False),
        sa.Column("by_strategy", sa.BigInteger(), nullable=False),
        sa.Column("stake_minor", sa.String(), nullable=False),
        sa.Column("payout_minor", sa.String(), nullable=False),
        sa.Column("stake_squares", sa.String(), nullable=False),
        sa.Column("expected_variance", sa.String(), nullable=False),
        sa.Column("expected_payout", sa.String(), nullable=False),
        sa.Column("expected_hits", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("grain", "period", "key_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rtp_series",
        sa.Column("id", KEY, nullable=False),
        sa.Column("game", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("program", sa.String(length=32), nullable=False),
        sa.Column("play_class", sa.String(length=4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("highest", sa.String(), nullable=False),
        sa.Column("highest_mean", sa.String(), nullable=False),
        sa.Column("without_evidence", sa.BigInteger(), nullable=False),
        sa.Column("first_digest", sa.BigInteger(), nullable=False),
        sa.Column("last_digest", sa.BigInteger(), nullable=False),
        sa.Column("since_day", sa.Integer(), nullable=True),
        sa.Column("since_digest", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("game", "version", "program", "play_class", "currency"),
    )
    op.create_table(
        "rtp_cells",
        sa.Column("series_id", KEY, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("multiplier", sa.String(length=64), nullable=False),
        sa.Column("expected", sa.String(), nullable=False),
        sa.Column("plays", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series_id", "day", "weight", "multiplier", "expected"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rtp_alarms",
        sa.Column("id", KEY, nullable=False),
        sa.Column("series_id", KEY, nullable=False),
        sa.Column("direction", sa.String(length=4), nullable=False),
        sa.Column("raised_us", sa.BigInteger(), nullable=False),
        sa.Column("log_entry_id", KEY, nullable=False),
        sa.Column("acknowledged_us", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_rtp_alarms_series", "rtp_alarms", ["series_id"], unique=False)
