"""Min-entropy of a noise source by the ten estimators of SP 800-90B, section 6.3 (the track for what is not IID)."""

from stats_tests.entropy.assessment import ENOUGH_SAMPLES, ESTIMATORS, Assessment, Estimator, assess
from stats_tests.entropy.collision import collision
from stats_tests.entropy.compression import compression
from stats_tests.entropy.lag import lag
from stats_tests.entropy.longest_repeat import longest_repeat
from stats_tests.entropy.lz78y import lz78y
from stats_tests.entropy.markov import markov
from stats_tests.entropy.most_common_value import most_common_value
from stats_tests.entropy.multi_mcw import multi_mcw
from stats_tests.entropy.multi_mmc import multi_mmc
from stats_tests.entropy.results import Estimate
from stats_tests.entropy.symbols import Symbols, bit_string, read_samples, symbol_bits_of, symbols_of
from stats_tests.entropy.t_tuple import t_tuple

__all__ = [
    "ENOUGH_SAMPLES",
    "ESTIMATORS",
    "Assessment",
    "Estimate",
    "Estimator",
    "Symbols",
    "assess",
    "bit_string",
    "collision",
    "compression",
    "lag",
    "longest_repeat",
    "lz78y",
    "markov",
    "most_common_value",
    "multi_mcw",
    "multi_mmc",
    "read_samples",
    "symbol_bits_of",
    "symbols_of",
    "t_tuple",
]
