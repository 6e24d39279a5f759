"""PAR sheets: a game version's exact mathematics on paper, one JSON file and one page that prints."""

from rng_service.par.page import par_page
from rng_service.par.sheet import PAR_FORMAT, par_sheet

__all__ = ["PAR_FORMAT", "par_page", "par_sheet"]
