"""The first schema of the ledger; `rng_service.ledger.models` says what each table is for."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "beacon_rounds",
        sa.Column("chain", sa.LargeBinary(length=32), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "round"),
    )
    op.create_table(
        "callers",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("certificate_digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("certificate_digest"),
    )
    op.create_table(
        "commit_groups",
        sa.Column("id", KEY, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("digest_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_groups_digest", "commit_groups", ["digest_seq"], unique=False)
    op.create_index(
        "ix_groups_unclaimed",
        "commit_groups",
        ["id"],
        unique=False,
        sqlite_where=sa.text("digest_seq IS NULL"),
        postgresql_where=sa.text("digest_seq IS NULL"),
    )
    op.create_table(
        "digest_totals",
        sa.Column("digest_seq", KEY, nullable=False),
        sa.Column("game", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("program", sa.String(length=32), nullable=False),
        sa.Column("play_class", sa.String(length=4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("outcomes", sa.BigInteger(), nullable=False),
        sa.Column("plays", sa.BigInteger(), nullable=False),
        sa.Column("stake_minor", sa.String(length=40), nullable=False),
        sa.Column("payout_minor", sa.String(length=40), nullable=False),
        sa.Column("unsettled", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest_seq", "game", "version", "program", "play_class", "currency"),
    )
    op.create_table(
        "digests",
        sa.Column("seq", KEY, nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("log_entry_id", KEY, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("journal_sequence", sa.BigInteger(), nullable=False),
        sa.Column("journal_head", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "games",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("definition", sa.LargeBinary(), nullable=False),
        sa.Column("retired_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", "version"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "log_entries",
        sa.Column("id", KEY, nullable=False),
        sa.Column("type", sa.String(length=24), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("log_index"),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "records",
        sa.Column("id", KEY, nullable=False),
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=6), nullable=False),
        sa.Column("family", sa.SmallInteger(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("binding", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("pool_id", "slot", "family", "ordinal"),
    )
    op.create_table(
        "requests",
        sa.Column("request_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("caller", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.LargeBinary(length=32), nullable=False),
        sa.Column("method", sa.String(length=10), nullable=False),
        sa.Column("first_record", KEY, nullable=False),
        sa.PrimaryKeyConstraint("request_id", "caller"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sessions",
        sa.Column("caller", sa.String(length=32), nullable=False),
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("last_sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "session"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "settlements",
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("bettor", sa.LargeBinary(length=32), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("pool_id", "slot", "bettor"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tags",
        sa.Column("record_id", KEY, nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tags", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("record_id"),
    )
    op.create_table(
        "tickets",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.Column("caller", sa.String(length=32), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("ix_tickets_pool", "tickets", ["pool_id", "state"], unique=False)
    op.create_index("ix_tickets_state", "tickets", ["state", "expires_us"], unique=False)
    op.create_table(
        "totals",
        sa.Column("seq", KEY, nullable=False),
        sa.Column("from_digest", sa.BigInteger(), nullable=False),
        sa.Column("to_digest", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "streams",
        sa.Column("id", KEY, nullable=False),
        sa.Column("game_id", KEY, nullable=False),
        sa.Column("program", sa.String(length=32), nullable=False),
        sa.Column("play_class", sa.String(length=4), nullable=False),
        sa.Column("lanes", sa.Integer(), nullable=False),
        sa.Column("pool_size", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["game_id"],
            ["games.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("game_id", "program", "play_class"),
    )
    op.create_table(
        "pools",
        sa.Column("id", KEY, nullable=False),
        sa.Column("pool_id", sa.String(length=160), nullable=False),
        sa.Column("stream_id", KEY, nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("next_slot", sa.Integer(), nullable=False),
        sa.Column("slot_root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("deadline_us", sa.BigInteger(), nullable=False),
        sa.Column("beacon_chain", sa.LargeBinary(length=32), nullable=True),
        sa.Column("beacon_round", sa.BigInteger(), nullable=True),
        sa.Column("commit_entry", sa.LargeBinary(), nullable=False),
        sa.Column("commit_index", sa.BigInteger(), nullable=True),
        sa.Column("activate_entry", sa.LargeBinary(), nullable=True),
        sa.Column("activate_index", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("pool_id"),
        sa.UniqueConstraint("stream_id", "lane", "number"),
    )
    op.create_index("ix_pools_live", "pools", ["stream_id", "state"], unique=False)


def downgrade() -> None:
    """Refuse: there is no schema before the first, and records are never dropped."""
    raise NotImplementedError("the ledger has no schema before its first")
