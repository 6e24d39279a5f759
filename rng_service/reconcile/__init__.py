"""Reconciliation: a game server's own list of rounds against what the ledger has. Pure but for the file it reads."""

from rng_service.reconcile.comparing import Difference, LedgerRound, compare
from rng_service.reconcile.rows import FileRound, read_rounds
from rng_service.reconcile.sorting import sorted_rounds

__all__ = ["Difference", "FileRound", "LedgerRound", "compare", "read_rounds", "sorted_rounds"]
