"""From an opened slot secret to the integers of an outcome; pure, and all that an auditor needs for it."""

from rng_service.outcome.derivation import DrawKeyDeriver, OutcomeStream, draw_key
from rng_service.outcome.lookup import LookupTable
from rng_service.outcome.primitives import Program, compile_program
from rng_service.outcome.steps import Lookup, Reels, Sample, Shuffle, Step, StepError, Uniform, Weighted

__all__ = [
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
    "draw_key",
]
