"""The retry rule against a service that fails on demand: one id, one draw, and never a real pause."""

import pytest
from client_world import CALLER, StillTime, roulette

from rng_service.client import (
    CallError,
    Client,
    FailedPrecondition,
    InDoubtError,
    InvalidArgument,
    JournalError,
    MemoryJournal,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    RetryPolicy,
    TicketedSession,
    Unauthenticated,
    Unavailable,
    UnexpectedStatus,
    Wager,
)
from rng_service.fake import FakeServer
from rng_service.request_id import new_request_id

GAME = ("european-roulette", "base")


@pytest.fixture
def fake():
    with FakeServer([roulette()]) as server:
        yield server


@pytest.fixture
def time():
    return StillTime()


def connect(fake, time, **options):
    settings = {
        "caller": CALLER,
        "journal": MemoryJournal(),
        "development": True,
        "origin": fake.origin,
        "verify": "off",
        "surroundings": time.surroundings(),
        "retry": RetryPolicy(attempts=4),
    }
    return Client(fake.target, **(settings | options))


def ids_of(fake, method):
    return [request_id for name, request_id in fake.calls if name == method]


@pytest.mark.parametrize("code", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "UNKNOWN"])
def test_an_answer_that_was_lost_is_asked_for_again_under_the_same_id_and_drawn_once(fake, time, code):
    fake.force(*GAME, [[17], [0]])
    fake.fail_next(code, after_commit=True)
    with connect(fake, time) as client:
        receipt = client.draw(*GAME)
        following = client.draw(*GAME)
    assert receipt.outcomes == [(17,)]
    assert following.outcomes == [(0,)]
    first, second, third = ids_of(fake, "Draw")
    assert first == second == receipt.request_id != third
    assert (receipt.slot, following.slot) == (0, 1)


def test_pauses_double_up_to_the_cap_and_are_a_random_part_of_that(fake, time):
    fake.fail_next("UNAVAILABLE", times=5)
    policy = RetryPolicy(attempts=6, first_pause_s=0.1, longest_pause_s=0.5)
    with connect(fake, time, retry=policy) as client:
        client.draw(*GAME)
    assert time.pauses == pytest.approx([0.05, 0.1, 0.2, 0.25, 0.25])


def test_a_pushback_is_kept_to_the_millisecond_and_begins_the_backoff_anew(fake, time):
    fake.fail_next("UNAVAILABLE")
    fake.fail_next("UNAVAILABLE", "POOLS_EXHAUSTED", pushback="1234", retry_after_ms=9)
    fake.fail_next("UNAVAILABLE")
    with connect(fake, time) as client:
        client.draw(*GAME)
    assert time.pauses == pytest.approx([0.025, 1.234, 0.025])


def test_retry_info_counts_where_there_is_no_pushback(fake, time):
    fake.fail_next("UNAVAILABLE", "VAULT_UNAVAILABLE", retry_after_ms=777)
    with connect(fake, time) as client:
        client.draw(*GAME)
    assert time.pauses == [0.777]


@pytest.mark.parametrize("pushback", ["-1", "soon", "99999999999"])
def test_a_negative_or_unreadable_pushback_forbids_to_try_again(fake, time, pushback):
    fake.fail_next("UNAVAILABLE", "DRAINING", pushback=pushback)
    with connect(fake, time) as client, pytest.raises(Unavailable) as caught:
        client.draw(*GAME)
    assert caught.value.reason == "DRAINING"
    assert time.pauses == []


def test_a_pause_beyond_the_time_there_is_ends_the_tries(fake, time):
    fake.fail_next("UNAVAILABLE", "POOLS_EXHAUSTED", pushback="60000")
    with connect(fake, time, retry=RetryPolicy(total_s=30)) as client, pytest.raises(Unavailable) as caught:
        client.draw(*GAME)
    assert caught.value.retry_after_ms == 60_000
    assert time.pauses == []


@pytest.mark.parametrize("reason", ["POOLS_EXHAUSTED", "DRAINING"])
def test_a_service_that_bound_nothing_need_not_be_asked_what_became_of_it(fake, time, reason):
    fake.fail_next("UNAVAILABLE", reason, times=4, retry_after_ms=1)
    journal = MemoryJournal()
    client = connect(fake, time, journal=journal)
    with pytest.raises(Unavailable, match=reason):
        client.draw(*GAME)
    assert ids_of(fake, "ResolveRequest") == []
    assert journal.pending() == []
    client.close()


def test_after_the_last_try_a_draw_that_was_bound_is_found_by_resolving(fake, time):
    fake.force(*GAME, [[7]])
    fake.fail_next("UNAVAILABLE", method="Draw", times=4, after_commit=True)
    with connect(fake, time) as client:
        assert client.draw(*GAME).outcomes == [(7,)]
    assert len(set(ids_of(fake, "Draw"))) == 1
    assert ids_of(fake, "ResolveRequest") == ids_of(fake, "Draw")[:1]


def test_after_the_last_try_a_draw_that_was_never_bound_is_fenced_and_the_error_is_final(fake, time):
    fake.fail_next("DEADLINE_EXCEEDED", method="Draw", times=4)
    journal = MemoryJournal()
    with connect(fake, time, journal=journal) as client:
        with pytest.raises(Unavailable) as caught:
            client.draw(*GAME)
        assert caught.value.code == "DEADLINE_EXCEEDED"
        assert not client.resolve(caught.value.request_id).bound
        with pytest.raises(FailedPrecondition) as fenced:
            client.draw(*GAME, request_id=caught.value.request_id)
    assert fenced.value.reason == "FENCED"
    assert journal.pending() == []


def test_a_refusal_after_a_lost_answer_proves_nothing_and_is_resolved(fake, time):
    fake.force(*GAME, [[32]])
    fake.fail_next("UNAVAILABLE", method="Draw", after_commit=True)
    fake.fail_next("FAILED_PRECONDITION", "VERSION_RETIRED", method="Draw")
    with connect(fake, time) as client:
        assert client.draw(*GAME).outcomes == [(32,)]


def test_a_request_that_cannot_even_be_resolved_stays_in_the_journal_until_it_is(fake, time):
    fake.force(*GAME, [[5]])
    fake.fail_next("UNAVAILABLE", method="Draw", times=4, after_commit=True)
    fake.fail_next("UNAVAILABLE", method="ResolveRequest", times=4)
    journal = MemoryJournal()
    with connect(fake, time, journal=journal) as client:
        with pytest.raises(InDoubtError) as caught:
            client.draw(*GAME)
        assert [entry.request_id for entry in journal.pending()] == [caught.value.request_id]
        found = client.resolve(caught.value.request_id)
    assert found.bound
    assert found.receipts[0].outcomes == [(5,)]
    assert journal.pending() == []


def test_a_service_that_is_gone_leaves_the_request_in_doubt(fake, time):
    journal = MemoryJournal()
    client = connect(fake, time, journal=journal, retry=RetryPolicy(attempts=2))
    fake.close()
    with pytest.raises(InDoubtError):
        client.draw(*GAME)
    assert len(journal.pending()) == 1
    client.close()


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        ("INVALID_ARGUMENT", "", InvalidArgument),
        ("NOT_FOUND", "", NotFound),
        ("FAILED_PRECONDITION", "FROZEN", FailedPrecondition),
        ("RESOURCE_EXHAUSTED", "QUOTA", ResourceExhausted),
        ("UNAUTHENTICATED", "", Unauthenticated),
        ("PERMISSION_DENIED", "", PermissionDenied),
        ("UNIMPLEMENTED", "", UnexpectedStatus),
    ],
)
def test_a_final_status_is_raised_at_once_and_leaves_nothing_pending(fake, time, code, reason, kind):
    fake.fail_next(code, reason)
    journal = MemoryJournal()
    with connect(fake, time, journal=journal) as client, pytest.raises(CallError) as caught:
        client.draw(*GAME)
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert len(fake.calls) == 1
    assert journal.pending() == []


def test_a_full_server_is_asked_again_and_leaves_doubt_when_it_stays_full(fake, time):
    fake.force(*GAME, [[9]])
    fake.fail_next("RESOURCE_EXHAUSTED", method="Draw", times=3)
    fake.fail_next("RESOURCE_EXHAUSTED", method="Draw", after_commit=True)
    with connect(fake, time) as client:
        assert client.draw(*GAME).outcomes == [(9,)]
    assert len(ids_of(fake, "Draw")) == 4
    assert len(ids_of(fake, "ResolveRequest")) == 1


def test_what_is_wrong_with_a_request_is_named_by_field(fake, time):
    with connect(fake, time) as client, pytest.raises(InvalidArgument) as caught:
        client.draw(*GAME, session="a b", client_seed=b"short", wager=Wager(0, "euro"))
    assert {field for field, _ in caught.value.violations} == {
        "session",
        "client_seed",
        "wager.stake_minor",
        "wager.currency",
    }


def test_the_same_id_for_another_request_is_refused(fake, time):
    request_id = new_request_id()
    with connect(fake, time) as client:
        client.draw(*GAME, client_seed=b"", request_id=request_id)
        with pytest.raises(FailedPrecondition) as caught:
            client.draw(*GAME, client_seed=b"", session="other", request_id=request_id)
    assert caught.value.reason == "REQUEST_ID_REUSED"


def test_an_id_that_is_pending_cannot_be_begun_with_another_request(fake, time):
    fake.fail_next("UNAVAILABLE", times=8)
    with connect(fake, time) as client:
        with pytest.raises(InDoubtError) as caught:
            client.draw(*GAME)
        with pytest.raises(JournalError, match="pending with another request"):
            client.draw(*GAME, request_id=caught.value.request_id)


def test_an_id_whose_time_has_passed_is_refused_and_resolves_to_nothing(fake, time):
    with connect(fake, time) as client:
        stale = new_request_id(1_000)
        with pytest.raises(FailedPrecondition) as caught:
            client.draw(*GAME, request_id=stale)
        fake.fail_next("FAILED_PRECONDITION", "STALE_REQUEST_ID", method="ResolveRequest")
        assert not client.resolve(stale).bound
    assert caught.value.reason == "STALE_REQUEST_ID"


def test_a_ticket_is_kept_after_a_refusal_and_dropped_after_a_doubt(fake, time):
    with connect(fake, time) as client:
        session = TicketedSession(client, *GAME, session="evening")
        session.draw()
        kept = session.ticket
        fake.fail_next("PERMISSION_DENIED")
        with pytest.raises(PermissionDenied):
            session.draw()
        assert session.ticket is kept
        fake.fail_next("UNAVAILABLE", times=8)
        with pytest.raises(InDoubtError):
            session.draw()
        assert session.ticket is None
        assert session.draw().session_sequence == 3


def test_a_seed_beside_a_ticket_is_refused(fake, time):
    with connect(fake, time) as client:
        ticket = client.reserve(*GAME)
        with pytest.raises(ValueError, match="one or the other"):
            client.draw(*GAME, ticket=ticket, client_seed=b"s" * 16)


def test_an_expired_ticket_is_replaced_by_the_next_draw(time):
    clock = {"now": new_time_us()}
    with FakeServer([roulette()], clock=lambda: clock["now"]) as fake, connect(fake, time) as client:
        session = TicketedSession(client, *GAME, session="evening")
        session.draw()
        clock["now"] += 301 * 1_000_000
        with pytest.raises(FailedPrecondition) as caught:
            session.draw()
        assert caught.value.reason == "TICKET_EXPIRED"
        assert session.draw().outcomes


def new_time_us():
    import time as system_time

    return system_time.time_ns() // 1_000


def test_a_tls_connection_is_demanded_outside_development(fake, time):
    with pytest.raises(ValueError, match="development=True"):
        connect(fake, time, development=False)


@pytest.mark.parametrize("target", ["10.0.0.7:443", "example.org:443", "127.0.0.1", "[::2]:1", "u@127.0.0.1:1", ":1"])
def test_plain_text_never_leaves_this_machine(time, fake, target):
    with pytest.raises(ValueError, match="loopback"):
        Client(target, caller=CALLER, journal=MemoryJournal(), development=True, origin="x", verify="off")


def test_verification_must_be_given_its_sources_or_be_switched_off_in_so_many_words(fake):
    with pytest.raises(ValueError, match="vkey"):
        Client(fake.target, caller=CALLER, journal=MemoryJournal(), development=True)
    with pytest.raises(ValueError, match="verify='off'"):
        Client(fake.target, caller=CALLER, journal=MemoryJournal(), development=True, origin="x")


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"total_s": 0}, {"first_pause_s": -1}])
def test_a_policy_without_tries_or_time_is_refused(wrong):
    with pytest.raises(ValueError, match=r"at least 1|above 0"):
        RetryPolicy(**wrong)
