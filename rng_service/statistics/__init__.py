"""Where the service and the statistical batteries meet: what outcomes look like, and where they are read from."""

from rng_service.statistics.outcomes import RecordedOutcomes, read_outcomes
from rng_service.statistics.shapes import shape_of

__all__ = ["RecordedOutcomes", "read_outcomes", "shape_of"]
