"""From an opened slot secret to the integers of an outcome; pure, and all that an auditor needs for it."""

from rng_service.outcome.deals import DealDeriver, Deriver, deriver_of
from rng_service.outcome.derivation import DrawKeyDeriver, OutcomeStream, draw_key
from rng_service.outcome.lookup import LookupTable
from rng_service.outcome.primitives import Program, compile_program
from rng_service.outcome.steps import Deal, Lookup, Reels, Sample, Shuffle, Step, StepError, Uniform, Weighted

__all__ = [
    "Deal",
    "DealDeriver",
    "Deriver",
    "DrawKeyDeriver",
    "Lookup",
    "LookupTable",
    "OutcomeStream",
    "Program",
    "Reels",
    "Sample",
    "Shuffle",
    "Step",
    "StepError",
    "Uniform",
    "Weighted",
    "compile_program",
    "deriver_of",
    "draw_key",
]
