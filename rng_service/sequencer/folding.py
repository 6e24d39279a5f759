"""Folding: what digests added is brought into the rollups, some seconds later and off everybody's way."""

from typing import Final

from rng_service.ledger.rollups import pending_deltas, plan_fold, read_deltas
from rng_service.sequencer.context import Context

__all__ = ["fold_rollups"]

_MICROSECONDS: Final = 1_000_000
_DIGESTS_AT_ONCE: Final = 64
# So many deltas do not wait for the time: what waits is read by every question about the newest hour.
_MOST_WAITING: Final = 256


def fold_rollups(context: Context, folded_us: int | None) -> int | None:
    """Fold what waits, if the last time, ``folded_us``, is long enough ago; return when it was done last.

    At most 64 digests at a time, so that no transaction is long. Raises LedgerError when another process did it.
    """
    now_us = context.clock_us()
    interval_us = context.config.rtp.fold_interval_s * _MICROSECONDS
    with context.reading() as connection:
        rested = folded_us is None or not 0 <= now_us - folded_us < interval_us
        if not rested and pending_deltas(connection) < _MOST_WAITING:
            return folded_us
        deltas = read_deltas(connection, limit=_DIGESTS_AT_ONCE)
        plan = plan_fold(connection, deltas)
    if deltas:
        with context.writing() as connection:
            plan.write(connection)
        # A crash before the commit leaves the deltas and none of their sums; after it the sums and no deltas.
        context.on_step("rollups.folded")
    # What is left after a long pause follows at the next step.
    return folded_us if len(deltas) == _DIGESTS_AT_ONCE else now_us
