"""What the tests of pools have come to, over the whole log."""

from collections import Counter

from sqlalchemy import Connection, func, select

from rng_service.ledger.documents import read_document
from rng_service.ledger.models import PoolRow, StreamRow
from rng_service.pools.lifecycle import State
from rng_service.pools.plans import parse_plan
from rng_service.pools.rejections import RejectionRate, rejection_rate
from rng_service.public_files import plan_path

__all__ = ["FAIL", "PASS", "count_pool_tests", "count_waiting"]

PASS = "pass"  # noqa: S105 - a verdict
FAIL = "fail"


def count_pool_tests(connection: Connection) -> RejectionRate:
    """Return how many pools passed and failed, and what the plans that tested them allow.

    Reads an index and the few plans that were ever used. Raises LedgerError when the ledger lacks one of the plans.
    """
    rows = connection.execute(
        select(PoolRow.test_plan, PoolRow.test_verdict, func.count())
        .where(PoolRow.test_verdict.in_([PASS, FAIL]))
        .group_by(PoolRow.test_plan, PoolRow.test_verdict)
    ).all()
    tests: Counter[int] = Counter()
    failed = 0
    for plan, verdict, count in rows:
        tests[parse_plan(read_document(connection, plan_path(plan or b""))).error_bits] += count
        failed += count if verdict == FAIL else 0
    return rejection_rate(tests, failed)


def count_waiting(connection: Connection) -> int:
    """Return how many activated pools wait for their test."""
    # Naming all streams lets the index on stream and state answer.
    return connection.execute(
        select(func.count())
        .select_from(PoolRow)
        .where(PoolRow.stream_id.in_(select(StreamRow.id)), PoolRow.state == State.TESTING.value)
    ).scalar_one()
