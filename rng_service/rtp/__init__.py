"""Two kinds of bound for a realised return, and the evidence of finite deals; pure, standard library only."""

from rng_service.rtp.bands import (
    LEVELS,
    Band,
    ConfidenceRow,
    StakeSums,
    band,
    confidence_table,
    deal_band,
    plays_for,
    plays_for_normality,
)
from rng_service.rtp.betting import BetGrid, bet_grid
from rng_service.rtp.confidence import Cell, Evidence
from rng_service.rtp.deals import DealEvidence
from rng_service.rtp.families import alpha_for, alpha_of_row, average_log_e_value
from rng_service.rtp.rounding import percent_text
from rng_service.rtp.views import capped_prizes, hit_prizes

__all__ = [
    "LEVELS",
    "Band",
    "BetGrid",
    "Cell",
    "ConfidenceRow",
    "DealEvidence",
    "Evidence",
    "StakeSums",
    "alpha_for",
    "alpha_of_row",
    "average_log_e_value",
    "band",
    "bet_grid",
    "capped_prizes",
    "confidence_table",
    "deal_band",
    "hit_prizes",
    "percent_text",
    "plays_for",
    "plays_for_normality",
]
