"""The schema of finite deals; `rng_service.ledger.models` says what each table is for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make its table and column."""
    op.add_column("streams", sa.Column("deal", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "deal_approvals",
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("log_entry_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"]),
        sa.PrimaryKeyConstraint("pool_id"),
    )


def downgrade() -> None:
    """Refuse: who approved what is never dropped."""
    raise NotImplementedError("approvals of deals are not dropped")
