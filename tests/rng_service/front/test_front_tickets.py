"""Tickets: the slot is fixed before the seed is known, and is drawn once by who holds the ticket."""

from hashlib import sha256

import pytest
from front_world import said, seed, wager
from sealdraw.v1 import types_pb2

from rng_service.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from rng_service.ledger.engine import writing
from rng_service.records.record import binding_hash
from rng_service.vault.errors import VaultUnavailableError


def reserve(world, service, secret, caller="server", **fields):
    return service.reserve(world.reserve_request(secret, **fields), caller, 5)


def redeem(world, service, ticket, secret, caller="server", **fields):
    request = world.draw_request(client_seed=secret, ticket_hash=ticket.ticket_hash, **fields)
    return service.draw(request, caller, 5)


@pytest.fixture
def service(world):
    world.add_pool()
    return world.service()


def test_a_chain_of_pipelined_tickets_draws_each_slot_that_was_promised(world, service):
    secret = seed()
    ticket = reserve(world, service, secret, session="s")
    for number in range(1, 5):
        following = seed()
        answer = redeem(
            world, service, ticket, secret, session="s", next_client_seed_hash=sha256(following).digest(), wager=wager()
        )
        assert answer.receipt.slot == ticket.ticket.slot == number - 1
        assert answer.session_sequence == ticket.session_sequence == number
        assert said(answer.receipt)["ticket"] == ticket.ticket_hash.hex()
        assert answer.receipt.ticket_record == ticket.ticket.record
        assert answer.receipt.protection.assignment == "ticketed"
        assert answer.receipt.protection.foreseen == "fresh-seed"
        ticket, secret = answer.next_ticket, following
    assert world.rows("SELECT state, count(*) FROM tickets GROUP BY state ORDER BY state") == [(0, 1), (1, 4)]


def test_a_ticket_opens_nothing(world, service):
    ticket = reserve(world, service, seed()).ticket
    assert (list(ticket.values), b"secrets" in ticket.record, ticket.count) == ([], False, 1)


def test_the_ticket_hash_is_the_hash_of_its_binding(world, service):
    answer = reserve(world, service, seed())
    binding = answer.ticket.record.removeprefix(b'{"binding":').removesuffix(b',"kind":"ticket","v":1}')
    assert answer.ticket_hash == binding_hash(binding)
    assert answer.expires_us == said(answer.ticket)["expires"]


def test_another_seed_is_refused_and_the_right_one_still_draws(world, service):
    secret = seed()
    ticket = reserve(world, service, secret)
    with pytest.raises(FailedPrecondition) as caught:
        redeem(world, service, ticket, seed())
    assert caught.value.reason == "SEED_MISMATCH"
    assert redeem(world, service, ticket, secret).receipt.slot == 0


def test_a_foreign_ticket_looks_like_none_at_all(world, service):
    secret = seed()
    ticket = reserve(world, service, secret)
    messages = []
    for caller, hashed in (("server-b", ticket.ticket_hash), ("server", bytes(32))):
        with pytest.raises(NotFound) as caught:
            service.draw(world.draw_request(client_seed=secret, ticket_hash=hashed), caller, 5)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert redeem(world, service, ticket, secret).receipt.slot == 0


def test_a_ticket_is_drawn_once(world, service):
    secret = seed()
    ticket = reserve(world, service, secret)
    first = redeem(world, service, ticket, secret)
    with pytest.raises(FailedPrecondition) as caught:
        redeem(world, service, ticket, secret)
    assert caught.value.reason == "TICKET_EXPIRED"
    assert "another request id" in str(caught.value)
    assert world.rows("SELECT kind FROM records ORDER BY id") == [("ticket",), ("draw",)]
    assert first.receipt.slot == 0


def test_an_expired_ticket_is_refused(world):
    world.add_pool()
    service = world.service(ticket_lifetime_us=0)
    secret = seed()
    ticket = reserve(world, service, secret)
    world.stop_clock(ticket.expires_us + 1)
    with pytest.raises(FailedPrecondition) as caught:
        redeem(world, service, ticket, secret)
    assert caught.value.reason == "TICKET_EXPIRED"


def test_a_ticket_draws_at_the_very_microsecond_of_its_expiry(world):
    world.add_pool()
    service = world.service(ticket_lifetime_us=60_000_000)
    secret = seed()
    ticket = reserve(world, service, secret)
    world.stop_clock(ticket.expires_us)
    assert redeem(world, service, ticket, secret).receipt.slot == 0


def test_a_ticket_that_the_sequencer_voided_is_refused(world, service):
    secret = seed()
    ticket = reserve(world, service, secret)
    with writing(world.ledger) as connection:
        connection.exec_driver_sql("UPDATE tickets SET state = 2")
    with pytest.raises(FailedPrecondition) as caught:
        redeem(world, service, ticket, secret)
    assert caught.value.reason == "TICKET_EXPIRED"


@pytest.mark.parametrize(("promised", "drawn"), [("a", "b"), ("a", ""), ("", "b")])
def test_a_ticket_is_drawn_in_its_own_session_only(world, service, promised, drawn):
    secret = seed()
    ticket = reserve(world, service, secret, session=promised)
    with pytest.raises(InvalidArgument) as caught:
        redeem(world, service, ticket, secret, session=drawn)
    assert [field for field, _ in caught.value.violations] == ["session"]
    assert redeem(world, service, ticket, secret, session=promised).receipt.slot == 0


def test_a_ticket_of_the_other_play_class_or_version_is_refused(world, service):
    world.register_version(2, lambda _: None)
    world.add_stream("free")
    secret = seed()
    ticket = reserve(world, service, secret, version=1)
    for fields in ({"play_class": types_pb2.PLAY_CLASS_FREE, "version": 1}, {"version": 2}):
        with pytest.raises(InvalidArgument) as caught:
            redeem(world, service, ticket, secret, **fields)
        assert [field for field, _ in caught.value.violations] == ["ticket_hash"]
    assert redeem(world, service, ticket, secret, version=1).receipt.slot == 0


@pytest.mark.parametrize("named", [0, 1])
def test_a_ticket_outlives_the_retirement_of_its_version(world, service, named):
    secret = seed()
    ticket = reserve(world, service, secret)
    world.retire(1)
    assert redeem(world, service, ticket, secret, version=named, wager=wager()).receipt.slot == 0


def test_a_retired_version_gives_no_next_ticket(world, service):
    secret = seed()
    ticket = reserve(world, service, secret)
    world.retire(1)
    with pytest.raises(FailedPrecondition) as caught:
        redeem(world, service, ticket, secret, version=1, next_client_seed_hash=bytes(32))
    assert caught.value.reason == "VERSION_RETIRED"


def test_a_ticket_in_a_quarantined_pool_draws_until_the_sequencer_ends_it(world, service):
    secret = seed()
    ticket = reserve(world, service, secret)
    world.set_state(ticket.ticket.pool_id, "quarantined")
    # The pool gives no further slot, not even for the next ticket.
    with pytest.raises(Unavailable):
        redeem(world, service, ticket, secret, next_client_seed_hash=bytes(32))
    assert redeem(world, service, ticket, secret).receipt.slot == 0


def test_the_vault_may_be_down_between_the_ticket_and_the_draw(world, service):
    secret = seed()
    ticket = reserve(world, service, secret)
    request = world.draw_request(client_seed=secret, ticket_hash=ticket.ticket_hash)
    world.vault.down = VaultUnavailableError("gone")
    with pytest.raises(Unavailable):
        service.draw(request, "server", 5)
    world.vault.down = None
    assert service.draw(request, "server", 5).receipt.slot == 0


def test_sessions_count_draws_tickets_and_each_run_of_a_batch_densely(world, service):
    secret = seed()
    found = [service.draw(world.draw_request(session="s"), "server", 5).session_sequence]
    ticket = reserve(world, service, secret, session="s")
    found.append(ticket.session_sequence)
    batch = service.batch_draw(world.batch_request(3, session="s"), "server", 5)
    found += [said(receipt)["session_seq"] for receipt in batch.receipts]
    answer = redeem(world, service, ticket, secret, session="s", next_client_seed_hash=bytes(32))
    assert answer.session_sequence == ticket.session_sequence
    found.append(answer.next_ticket.session_sequence)
    answer = service.draw(world.draw_request(session="s", next_client_seed_hash=bytes(32)), "server", 5)
    found += [answer.session_sequence, answer.next_ticket.session_sequence]
    assert found == [1, 2, 3, 4, 5, 6]
    other = service.draw(world.draw_request(session="s"), "server-b", 5)
    assert other.session_sequence == 1
    assert service.draw(world.draw_request(), "server", 5).session_sequence == 0


def test_tags_stand_in_their_table_and_as_a_salted_hash_in_the_binding_and_nowhere_else(world, service, caplog):
    tags = {"player": "player-4711", "source_address": "203.0.113.77"}
    answer = service.draw(world.draw_request(tags=tags), "server", 5)
    secret = seed()
    reserve(world, service, secret, tags=tags)
    service.batch_draw(world.batch_request(2, tags=tags), "server", 5)
    kept = world.rows("SELECT record_id, salt, tags FROM tags ORDER BY record_id")
    commitments = set()
    for record_id, salt, clear in kept:
        ((binding,),) = world.rows(f"SELECT binding FROM records WHERE id = {record_id}")
        from rng_service.encoding import TAGS_LABEL

        commitment = sha256(TAGS_LABEL + bytes(salt) + bytes(clear)).hexdigest()
        assert f'"tags":"{commitment}"'.encode() in bytes(binding)
        commitments.add(commitment)
    assert len(commitments) == 3
    assert said(answer.receipt)["tags"] in commitments
    for table in ("requests", "records", "sessions", "tickets", "commit_groups", "settlements"):
        for row in world.rows(f"SELECT * FROM {table}"):
            for value in row:
                data = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                assert b"4711" not in data
                assert b"203.0.113" not in data
    assert b"4711" not in answer.SerializeToString()
    assert "4711" not in caplog.text
