"""The schema of finite deals; `rng_service.ledger.models` says what each table is for."""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make its tables and columns."""
