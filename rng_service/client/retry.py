"""How often and how soon a request is tried again, as pure arithmetic."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Capped exponential backoff with full jitter.

    At most ``attempts`` tries of ``attempt_timeout_s`` each, and none that would begin more than ``total_s`` after the
    first. Before try n + 1 the pause is a random part of min(``first_pause_s`` * 2^(n - 1), ``longest_pause_s``),
    unless the service named a pause of its own, which is kept exactly and begins the backoff anew (gRFC A6).
    """

    attempts: int = 6
    attempt_timeout_s: float = 5.0
    total_s: float = 30.0
    first_pause_s: float = 0.05
    longest_pause_s: float = 2.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts: expected at least 1, found {self.attempts}")
        if min(self.attempt_timeout_s, self.total_s, self.first_pause_s, self.longest_pause_s) <= 0:
            raise ValueError("timeouts and pauses are above 0 seconds")

    def pause_s(self, failures: int, fraction: float) -> float:
        """Return the pause after ``failures`` failed tries in a row; ``fraction`` in [0, 1) is random."""
        # 2^30 times any pause is beyond every cap, and keeps the power small.
        return fraction * min(self.first_pause_s * 2.0 ** min(failures - 1, 30), self.longest_pause_s)
