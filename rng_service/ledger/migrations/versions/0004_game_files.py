"""The schema of files of games; `rng_service.ledger.models` says what each table is for."""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make its tables and columns."""
