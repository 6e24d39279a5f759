"""The schema of rounds of play; `rng_service.ledger.models` says what each table is for."""

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make its tables and columns."""
