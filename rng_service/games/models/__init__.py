"""The settlement models, in one table; a new model is one file and one line here."""

from collections.abc import Mapping

from rng_service.games.models.base import Bet, ModelReader, SettlementModel
from rng_service.games.models.hits import read_hits
from rng_service.games.models.lines import read_lines
from rng_service.games.models.table import read_table
from rng_service.games.models.threshold import read_threshold

MODELS: Mapping[str, ModelReader] = {
    "hits": read_hits,
    "lines": read_lines,
    "table": read_table,
    "threshold": read_threshold,
}

__all__ = ["MODELS", "Bet", "ModelReader", "SettlementModel"]
