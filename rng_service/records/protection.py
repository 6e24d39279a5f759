"""Protections: in which of three senses a draw was fair (PROTOCOL.md, sections 1, 6 and 8).

The labels follow from the commitment, the activation and the binding; nobody chooses them.
"""

from dataclasses import dataclass
from typing import Annotated

from rng_service.entry_fields import Boolean, one_of

BEACON_WITNESSED = "beacon-witnessed"
BEACON_UNWITNESSED = "beacon-unwitnessed"
NO_BEACON = "none"
TICKETED = "ticketed"
STEERABLE = "steerable"
FRESH_SEED = "fresh-seed"
CALLER_SEED = "caller-seed"
OPERATOR_FORESEEABLE = "operator-foreseeable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """The labels of one receipt, as they stand in it."""

    content: Annotated[str, one_of(BEACON_WITNESSED, BEACON_UNWITNESSED, NO_BEACON)]
    assignment: Annotated[str, one_of(TICKETED, STEERABLE)]
    foreseen: Annotated[str, one_of(FRESH_SEED, CALLER_SEED, OPERATOR_FORESEEABLE)]
    development_beacon: Boolean


def protection_of(*, beacon: bool, witnessed: bool, development: bool, ticketed: bool, seeded: bool) -> Protection:
    """Return the labels that follow from the facts.

    ``beacon``: the commitment names a round; ``witnessed``: the activation's checkpoint carries enough
    cosignatures; ``development``: the operator signs the chain itself; ``ticketed``: the binding names a
    ticket; ``seeded``: the binding has a client seed.
    """
    witnessing = BEACON_WITNESSED if witnessed else BEACON_UNWITNESSED
    seeding = CALLER_SEED if seeded else OPERATOR_FORESEEABLE
    return Protection(
        content=witnessing if beacon else NO_BEACON,
        assignment=TICKETED if ticketed else STEERABLE,
        # A ticket always holds the hash of a seed that nobody but the caller knew.
        foreseen=FRESH_SEED if ticketed else seeding,
        development_beacon=beacon and development,
    )
