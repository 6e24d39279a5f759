"""Dumps of test streams for laboratories: announced in the signed log first, streamed, and kept nowhere."""

import pytest
from sealdraw.v1 import operator_pb2

from rng_service.errors import InvalidArgument, NotFound, Unavailable
from rng_service.front.statistics_service import MAX_DUMP_BITS, StatisticsService
from rng_service.ledger.engine import reading
from rng_service.ledger.models import LogEntryRow
from rng_service.log_entries import StatsBegin, parse_entry
from rng_service.vault.errors import VaultRefusedError, VaultUnavailableError


@pytest.fixture
def world(make_world):
    made = make_world(size=64)
    made.start()
    return made


def service(world, vault=None):
    """Return the service whose waiting lets the sequencer do a step."""
    return StatisticsService(world.engine, vault or world.vault, world.config, lambda _seconds: world.steps(1))


def dump(world, bits, made=None, active=lambda: True):
    request = operator_pb2.DumpTestStreamRequest(bits=bits)
    return (made or service(world)).dump_test_stream(request, "laboratory", active)


def announced(world):
    with reading(world.engine) as connection:
        rows = connection.execute(LogEntryRow.__table__.select()).all()
    found = [(parse_entry(bytes(row.entry)), row.log_index) for row in rows]
    return [(entry, index) for entry, index in found if isinstance(entry, StatsBegin)]


def test_a_dump_is_in_the_signed_log_before_its_first_bit_exists(world):
    before = world.vault.get_state().test_stream_bytes
    parts = dump(world, 8 * 100_000)
    first = next(parts)
    ((entry, index),) = announced(world)
    assert (entry.purpose, entry.subject, entry.bits, entry.run) == ("dump", "test-stream", 800_000, 1)
    assert index < world.verify().size
    assert (first.run, first.stream) == (1, 1)
    assert first.drbg_instance == world.vault.get_state().drbg_instance
    data = first.data + b"".join(part.data for part in parts)
    assert len(data) == 100_000
    assert world.vault.get_state().test_stream_bytes == before + 100_000


def test_two_dumps_are_two_streams(world):
    made = service(world)
    one, two = (b"".join(part.data for part in dump(world, 8 * 64, made)) for _ in range(2))
    assert one != two
    assert [entry.run for entry, _ in announced(world)] == [1, 2]


@pytest.mark.parametrize("bits", [0, 7, 12, MAX_DUMP_BITS + 8])
def test_a_dump_of_no_bytes_of_parts_of_them_or_of_more_than_a_gibibyte_is_refused_and_not_announced(world, bits):
    with pytest.raises(InvalidArgument, match="multiple of 8"):
        next(dump(world, bits))
    assert announced(world) == []


def test_one_dump_is_given_at_a_time_and_a_caller_that_leaves_makes_room(world):
    made = service(world)
    first = dump(world, 8 * 1_000_000, made)
    next(first)
    with pytest.raises(Unavailable, match="one is given at a time"):
        next(dump(world, 8, made))
    first.close()
    assert len(b"".join(part.data for part in dump(world, 8, made))) == 1


def test_a_caller_that_is_gone_gets_nothing_more(world):
    gone = []
    parts = dump(world, 8 * 1_000_000, active=lambda: not gone)
    assert len(next(parts).data) < 1_000_000
    gone.append(True)
    assert list(parts) == []


def test_a_dump_that_the_log_does_not_take_gives_no_bit(world):
    made = StatisticsService(world.engine, world.vault, world.config, lambda _seconds: None)
    before = world.vault.get_state().test_stream_bytes
    with pytest.raises(Unavailable, match="does not have it yet"):
        next(dump(world, 8, made))
    assert world.vault.get_state().test_stream_bytes == before


class Refusing:
    def __init__(self, error):
        self.error = error

    def stream_test_bits(self, _n_bytes):
        raise self.error
        yield


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (VaultRefusedError("test-stream-busy", "another stream is being read"), "TEST_STREAM_BUSY"),
        (VaultUnavailableError("gone"), "VAULT_UNAVAILABLE"),
    ],
)
def test_a_vault_that_gives_no_stream_is_said_to_the_caller(world, error, reason):
    with pytest.raises(Unavailable) as refused:
        next(dump(world, 8, service(world, Refusing(error))))
    assert refused.value.reason == reason


def test_runs_are_listed_in_pages_and_only_failures_can_be_acknowledged(world):
    made = service(world)
    for _ in range(3):
        list(dump(world, 8, made))
    first = made.list_statistics_runs(operator_pb2.ListStatisticsRunsRequest(page_size=2), "lab", 1.0)
    assert [(run.run, run.purpose, run.bits) for run in first.runs] == [(3, "dump", 8), (2, "dump", 8)]
    rest = made.list_statistics_runs(
        operator_pb2.ListStatisticsRunsRequest(page_size=2, page_token=first.next_page_token), "lab", 1.0
    )
    assert ([run.run for run in rest.runs], rest.next_page_token) == ([1], "")
    with pytest.raises(NotFound, match="no failed run"):
        made.acknowledge_statistics(operator_pb2.AcknowledgeStatisticsRequest(run=1, reason="drill"), "lab", 1.0)
    with pytest.raises(InvalidArgument, match="reason"):
        made.acknowledge_statistics(operator_pb2.AcknowledgeStatisticsRequest(run=1, reason="Not a slug"), "lab", 1.0)
