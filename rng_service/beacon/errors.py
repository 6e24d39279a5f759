"""The failures of the beacon, one class for each party that must act.

AnchorError
└── BeaconError
    ├── BeaconLibraryMissing   whoever installed the program: BLS signatures cannot be checked here
    ├── RoundNotYet            nobody: every relay says that the round lies in the future; ask again later
    └── BeaconUnavailable      the operator on call: no relay gave the round, each for the reason stated

A signature that was checked and found wrong is `anchor.errors.VerificationError` with the reason
``beacon-signature``, never one of these.
"""

from collections.abc import Sequence

from anchor.errors import AnchorError


class BeaconError(AnchorError):
    """The root of what can keep a beacon round from being fetched or checked."""


class BeaconLibraryMissing(BeaconError):  # noqa: N818 - names the state that the verifier reports and skips
    """The pairing library is not installed, so a round was neither accepted nor refused.

    An auditor who runs without it still checks everything else, and must say aloud that BLS was skipped.
    """


class RoundNotYet(BeaconError):  # noqa: N818 - an expected state of the world, not a fault
    """Every relay answered that it does not have the round yet."""


class BeaconUnavailable(BeaconError):  # noqa: N818 - an expected state of the world, not a fault
    """No relay gave the round; ``reasons`` holds one (relay URL, reason) pair for each that was asked."""

    def __init__(self, message: str, reasons: Sequence[tuple[str, str]]) -> None:
        listing = "; ".join(f"{url}: {reason}" for url, reason in reasons)
        super().__init__(f"{message} ({listing or 'no relay is configured'})")
        self.reasons = tuple(reasons)
