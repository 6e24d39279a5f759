"""The schema of realised rtp; `rng_service.ledger.models` says what each table is for."""

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make its tables and columns."""
