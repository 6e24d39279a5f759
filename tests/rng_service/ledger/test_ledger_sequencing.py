from rng_service.ledger.engine import reading, writing
from rng_service.ledger.sequencing import append_entry, assign_indices, indexed_entries, next_index
from rng_service.log_entries import Incident, LogConfig

ORIGIN = "example.org/test"


def incident(number):
    return Incident(origin=ORIGIN, time_us=number, kind="test", reason=f"number-{number}")


def queue(engine, *entries):
    with writing(engine) as connection:
        return [append_entry(connection, entry) for entry in entries]


def assign(engine, limit=100):
    with writing(engine) as connection:
        return assign_indices(connection, limit=limit)


def test_indices_are_dense_in_the_order_of_the_rows_and_never_given_twice(ledger):
    queue(ledger, incident(0), incident(1), incident(2))
    assert assign(ledger, limit=2) == 2
    queue(ledger, incident(3))
    assert assign(ledger) == 2
    assert assign(ledger) == 0
    with reading(ledger) as connection:
        found = indexed_entries(connection, 0, 10)
        assert next_index(connection) == 4
    assert [entry.log_index for entry in found] == [0, 1, 2, 3]
    assert [entry.data for entry in found] == [incident(number).to_bytes() for number in range(4)]
    assert {entry.type for entry in found} == {"incident"}


def test_the_configuration_gets_index_0_whenever_it_was_written(ledger):
    config = LogConfig(
        origin=ORIGIN,
        time_us=1,
        environment="test",
        log_key="key",
        merge_delay_s=60,
        heartbeat_s=60,
        close_delay_s=60,
        beacon_margin_s=10,
    )
    queue(ledger, incident(0), config)
    assign(ledger)
    with reading(ledger) as connection:
        assert [entry.type for entry in indexed_entries(connection, 0, 2)] == ["log.config", "incident"]


def test_an_empty_ledger_begins_at_0(ledger):
    assert assign(ledger) == 0
    with reading(ledger) as connection:
        assert next_index(connection) == 0
        assert indexed_entries(connection, 0, 10) == []
