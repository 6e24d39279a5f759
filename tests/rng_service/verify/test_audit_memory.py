import gc
import tracemalloc

from operator_simulator import Operator

from anchor.note import VerifierKey
from anchor.reader import LogReader
from rng_service.verify.audit import Audit


def pool_after_pool(operator, cycles):
    """Let pools be committed, drawn, closed and erased one after the other."""
    for _ in range(cycles):
        pool = operator.commit("dice-99/1/base/real", 2)
        operator.publish()
        operator.activate(pool)
        operator.draw(pool)
        operator.quarantine(pool)
        operator.digest()
        operator.close(pool)
        operator.erase(pool)
        operator.totals()
        operator.tick(1)


def test_what_an_audit_keeps_follows_open_pools_and_not_the_log(tmp_path):
    operator = Operator(tmp_path / "public", beacon=False)
    operator.start()
    operator.register("dice-99")
    pool_after_pool(operator, 20)
    half = len(operator.entries)
    pool_after_pool(operator, 60)
    operator.publish()
    reader = LogReader(operator.source, VerifierKey.parse(operator.vkey))
    audit = Audit(operator.source, reader, VerifierKey.parse(operator.vkey))
    # Caches of compiled expressions and tiles fill up in the first part.
    for data in operator.entries[:half]:
        audit.feed(data)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for data in operator.entries[half:]:
        audit.feed(data)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    audit.finish()
    assert audit.pools.closed == 80
    assert audit.pools.open_pools() == []
    # 420 entries of several hundred bytes were read. What is kept is a line for each pool; caches of the interpreter,
    # which other tests of the same process fill differently, come on top.
    assert grown < 63_000
