"""Verify one pool: the audit of its log, told from this pool's side.

What a pool may claim depends on its whole lane, on every digest and on the promises of the log, so that
nothing less than the audit would do.
"""

from collections.abc import Callable

from anchor.note import VerifierKey
from anchor.source import Source
from rng_service.names import parse_pool_id
from rng_service.records.protection import BEACON_UNWITNESSED, NO_BEACON
from rng_service.verify.audit import AuditObserver
from rng_service.verify.fault import located
from rng_service.verify.log import run_audit
from rng_service.verify.pools import PoolState
from rng_service.verify.report import PoolReport, chain_text


class _Watch(AuditObserver):
    """Remembers one pool when it ends."""

    def __init__(self, pool: str) -> None:
        self._pool = pool
        self.ended: tuple[str, PoolState] | None = None

    def on_pool_closed(self, state: PoolState, voids: list[tuple[int, bytes]]) -> None:  # noqa: ARG002
        self._remember("closed", state)

    def on_pool_voided(self, state: PoolState) -> None:
        self._remember("void, opened in full", state)

    def _remember(self, word: str, state: PoolState) -> None:
        if state.commit.pool == self._pool:
            self.ended = word, state


def verify_pool(
    pool_id: str,
    source: Source,
    vkey: str | VerifierKey,
    *,
    now_us: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PoolReport:
    """Audit the log and say what became of one pool.

    Raises Fault for the first thing in the log that is wrong, ``pool-unknown`` for a pool that it does not have.
    """
    with located():
        pool = parse_pool_id(pool_id)
    watch = _Watch(pool_id)
    audit, report = run_audit(source, vkey, now_us=now_us, progress=progress, observer=watch)
    with located():
        if watch.ended is None:
            state = audit.pools.require_open(pool_id)
            word = _open_word(state)
        else:
            word, state = watch.ended
    stream = f"{pool.stream}:"
    return _report(word, state, [line for line in report.opened_voids if line.startswith(stream)], report.skipped)


def _open_word(state: PoolState) -> str:
    if state.quarantined_from is not None:
        return "quarantined"
    return "open" if state.activation is not None else "committed, not activated"


def _report(word: str, state: PoolState, voids: list[str], skipped: tuple[str, ...]) -> PoolReport:
    coverage, commit = state.coverage, state.commit
    return PoolReport(
        pool=commit.pool,
        state=word,
        size=commit.size,
        drawn=0 if coverage is None else coverage.drawn,
        void=0 if coverage is None else coverage.void,
        bound=state.bound,
        test=state.test.text(),
        commit_index=state.commit_index,
        content=NO_BEACON if commit.beacon is None else BEACON_UNWITNESSED,
        beacon_chain=None if state.chain is None else chain_text(state.chain),
        development_beacon=state.chain is not None and state.chain.development,
        opened_voids=tuple(voids),
        skipped=skipped,
    )
