"""Answers that would verify for somebody else, or at another time: only who asked can tell."""

from dataclasses import replace

import pytest
from client_world import CALLER, DICE, UNDER, OperatorService, ServedOperator, StillTime, serve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rng_service.client import BadReceiptError, Client, MemoryJournal, TicketedSession, Wager
from rng_service.log_entries import ReceiptKey, StreamLanes
from rng_service.names import lane_of
from rng_service.request_id import new_request_id

WAGER = Wager(100, "EUR", UNDER)
MINUTE = 60 * 1_000_000
YEAR = 365 * 24 * 60 * MINUTE
STREAM = "dice-99/1/base/real"


class World:
    """One operator, its server, and clients whose clock is the operator's."""

    def __init__(self, directory, operator=ServedOperator, **options):
        self.operator = operator(directory, **options)
        self.service = OperatorService(self.operator)
        self.server, self.target = serve(self.service)
        self.time = StillTime()
        self.clients = []

    def connect(self, **options):
        settings = {
            "caller": CALLER,
            "journal": MemoryJournal(),
            "development": True,
            "public": self.operator.directory,
            "vkey": self.operator.vkey,
            "verify": "inline",
            "surroundings": self.time.surroundings(now_us=lambda: self.operator.now_us),
        }
        self.clients.append(Client(self.target, **(settings | options)))
        return self.clients[-1]

    def bind(self, change):
        """Let the operator change the members of bindings; ``change`` gets kind and members."""
        real = self.operator.on_binding
        self.operator.on_binding = lambda kind, members: real(kind, members) | change(kind, members)

    def close(self):
        for client in self.clients:
            client._release()
        self.server.stop(None).wait()


@pytest.fixture
def make(tmp_path):
    made = []

    def build(*arguments, **options):
        made.append(World(tmp_path, *arguments, **options))
        return made[-1]

    yield build
    for world in made:
        world.close()


@pytest.fixture
def world(make):
    return make()


@pytest.mark.parametrize(
    ("shift", "reason"),
    [(165 * YEAR, "bind-time-ahead"), (6 * MINUTE, "bind-time-ahead"), (-6 * MINUTE, "bind-time-back")],
)
def test_a_draw_that_is_dated_far_from_when_it_was_asked_for_is_refused(world, shift, reason):
    world.bind(lambda _kind, members: {"bind_time": members["bind_time"] + shift})
    with pytest.raises(BadReceiptError, match=reason):
        world.connect().draw(*DICE)


@pytest.mark.parametrize("shift", [-4 * MINUTE, 4 * MINUTE])
def test_clocks_that_are_a_few_minutes_apart_are_forgiven(world, shift):
    world.bind(lambda _kind, members: {"bind_time": members["bind_time"] + shift})
    assert world.connect().draw(*DICE).outcomes


def test_a_receipt_that_is_asked_for_much_later_is_as_good_as_at_first(world):
    client = world.connect()
    receipt = client.draw(*DICE)
    world.operator.tick(30 * 24 * 3600)
    assert client.get_receipt(receipt.request_id).receipts[0].to_bytes() == receipt.to_bytes()


@pytest.mark.parametrize(
    ("expires", "reason"),
    [(lambda members: 0, "ticket-stillborn"), (lambda members: members["bind_time"], "ticket-stillborn")],
)
def test_a_ticket_that_was_never_good_is_refused(world, expires, reason):
    world.bind(lambda kind, members: {"expires": expires(members)} if kind == "ticket" else {})
    with pytest.raises(BadReceiptError, match=reason):
        world.connect().reserve(*DICE)


def test_a_ticket_that_had_run_out_before_it_was_asked_for_is_refused(world):
    def old(kind, members):
        earlier = members["bind_time"] - 2 * MINUTE
        return {"bind_time": earlier, "expires": earlier + MINUTE} if kind == "ticket" else {}

    world.bind(old)
    with pytest.raises(BadReceiptError, match="ticket-expired"):
        world.connect().reserve(*DICE)


def test_the_seed_of_a_ticket_that_has_run_out_since_is_not_shown(world):
    session = TicketedSession(world.connect(), *DICE, session="evening")
    session.draw()
    left = session.ticket
    world.operator.tick(3600)
    receipt = session.draw()
    assert receipt.record.binding["ticket"] != left.hash.hex()
    shown = {answer.receipt.record for answer in world.service.answers.values() if hasattr(answer, "receipt")}
    assert not any(left.seed.hex().encode() in record for record in shown)


def test_a_payload_hash_of_other_fields_is_refused(world):
    world.bind(lambda _kind, _members: {"payload": "00" * 32})
    with pytest.raises(BadReceiptError, match="payload hash"):
        world.connect().draw(*DICE, wager=WAGER)


def test_the_payload_hash_of_the_next_ticket_is_that_of_its_draw(world):
    client = world.connect()
    ticket = client.reserve(*DICE, session="evening")
    world.bind(lambda kind, _members: {"payload": "00" * 32} if kind == "ticket" else {})
    with pytest.raises(BadReceiptError, match="payload hash"):
        client.draw_and_reserve(*DICE, session="evening", ticket=ticket, wager=WAGER)


def test_every_kind_of_call_with_every_field_passes(world):
    client = world.connect()
    tags = {"player": "p-1", "brand": "north"}
    world.bind(lambda kind, _members: {"tags": "ab" * 32} if kind in tagged else {})
    tagged = {"draw", "ticket"}
    client.reserve(*DICE, version=1, session="evening", tags=tags)
    client.draw(*DICE, version=1, session="evening", wager=WAGER, tags=tags)
    client.batch_draw(*DICE, 3, version=1, session="evening", wager=WAGER, tags=tags)
    ticket = client.reserve(*DICE, session="evening", tags=tags)
    tagged = {"draw"}
    client.draw_and_reserve(*DICE, session="evening", ticket=ticket, wager=WAGER, tags=tags)
    tagged = set()
    client.draw(*DICE, client_seed=b"")


# Lanes.


def key_in_lane(lane, lanes=2):
    """A session that belongs to this lane."""
    return next(name for name in map("s-{}".format, range(99)) if lane_of(CALLER, name, lanes) == lane)


def test_a_draw_in_its_sessions_own_lane_passes(make):
    world = make(lanes=2, lane=1)
    assert world.connect().draw(*DICE, session=key_in_lane(1)).pool_id.endswith("/1/1")


def test_a_draw_in_its_request_ids_own_lane_passes_and_in_the_other_waits_until_the_log_has_moved_on(make):
    world = make(lanes=2, lane=1)
    operator = world.operator
    milliseconds = operator.now_us // 1_000
    own, other = (next_in_lane(milliseconds, lane) for lane in (1, 0))
    client = world.connect()
    assert client.draw(*DICE, request_id=own).outcomes

    def move_on():
        operator.tick(11)
        operator.digest()
        operator.publish()

    world.time.on_sleep = move_on
    with pytest.raises(BadReceiptError, match=r"lane-choice.*lane 1 of 2 lanes"):
        client.draw(*DICE, request_id=other)


def next_in_lane(milliseconds, lane):
    while True:
        text = new_request_id(milliseconds)
        if lane_of(CALLER, bytes.fromhex(text.replace("-", "")), 2) == lane:
            return text


def test_around_a_change_both_numbers_of_lanes_count_and_later_only_the_new_one(make):
    world = make()
    operator, session = world.operator, key_in_lane(1)
    client = world.connect()
    operator.append(StreamLanes(**operator.head(), stream=STREAM, lanes=2))
    operator.publish()
    # The draw is of lane 0, where everything was while there was one lane.
    assert client.draw(*DICE, session=session).outcomes
    operator.tick(60)
    operator.digest()
    operator.publish()
    world.time.on_sleep = lambda: (operator.tick(11), operator.digest(), operator.publish())
    with pytest.raises(BadReceiptError, match="lane-choice"):
        client.draw(*DICE, session=session)


def test_a_change_of_lanes_that_is_published_late_is_waited_for(make):
    world = make()
    operator, session = world.operator, key_in_lane(1)
    client = world.connect()
    client.draw(*DICE)
    operator.open_pool(lane=1)
    operator.append(StreamLanes(**operator.head(), stream=STREAM, lanes=2))
    world.time.on_sleep = operator.publish
    assert client.draw(*DICE, session=session).pool_id.endswith("/1/1")
    assert world.time.pauses == [0.5]


# Sessions.


def test_a_draw_that_the_caller_never_saw_leaves_a_gap_that_is_noticed(world):
    client = world.connect()
    client.draw(*DICE, session="evening")
    world.operator.draw(world.operator.pool, caller=CALLER, session="evening")
    with pytest.raises(BadReceiptError, match="session-sequence"):
        client.draw(*DICE, session="evening")


def test_in_the_background_a_gap_is_noticed_too(world):
    client = world.connect(verify="background")
    client.draw(*DICE, session="evening")
    world.operator.sessions[CALLER, "evening"] += 7
    client.draw(*DICE, session="evening")
    with pytest.raises(BadReceiptError, match="session-sequence") as caught:
        client.check()
    assert caught.value.evidence


def test_where_several_processes_draw_in_a_session_gaps_are_no_fault(world):
    client = world.connect(exclusive_sessions=False)
    client.draw(*DICE, session="evening")
    world.operator.draw(world.operator.pool, caller=CALLER, session="evening")
    assert client.draw(*DICE, session="evening").session_sequence == 3


def test_a_number_that_was_given_before_is_refused(world):
    client = world.connect(exclusive_sessions=False)
    client.draw(*DICE, session="evening")
    world.operator.sessions.clear()
    with pytest.raises(BadReceiptError, match=r"session-sequence.*came twice"):
        client.draw(*DICE, session="evening")


# The log.


class UnsignedKeyOperator(ServedOperator):
    """Announces a receipt key that the log's key does not stand for."""

    def on_entry(self, entry):
        if isinstance(entry, ReceiptKey) and entry.epoch == 2:
            return replace(entry, signature=Ed25519PrivateKey.generate().sign(b"anything"))
        return entry


def test_a_receipt_key_without_the_log_keys_word_counts_for_nothing(make):
    world = make(UnsignedKeyOperator)
    client = world.connect()
    client.draw(*DICE)
    world.operator.rotate_receipt_key()
    with pytest.raises(BadReceiptError, match="receipt-key-signature"):
        client.draw(*DICE)


class OwnChainOperator(ServedOperator):
    """Runs a beacon itself and calls it real."""

    def announce_chain(self):
        self.chain = replace(self.chain, beacon_id="quicknet-t")
        super().announce_chain()


def test_a_beacon_that_nobody_knows_is_refused_although_it_is_not_called_development(make):
    with pytest.raises(BadReceiptError, match="beacon-unknown"):
        make(OwnChainOperator, beacon=True).connect().draw(*DICE)


def test_the_witness_policy_is_told_when_the_beacons_round_is_published(make):
    world = make(beacon=True)
    asked = []

    def policy(note, before_us):
        asked.append((note, before_us))
        return True

    receipt = world.connect(policy=policy).draw(*DICE)
    pool = world.operator.pool
    assert receipt.protection.content == "beacon-unwitnessed"
    assert [before_us for _, before_us in asked] == [world.operator.chain.time_of(pool.beacon_round)]


def test_a_draw_on_a_ticket_for_the_hash_of_nothing_is_refused(world):
    client = world.connect()
    empty = client.reserve(*DICE, client_seed=b"")
    with pytest.raises(BadReceiptError, match="ticket-seed"):
        client.draw(*DICE, ticket=empty)


def test_a_receipt_of_a_pool_that_a_newer_log_does_not_have_is_no_outage(world):
    operator = world.operator
    client = world.connect()
    hidden = operator.commit(STREAM, 8)
    operator.activate(hidden)
    del operator.entries[-2:]
    operator.pool = hidden
    world.time.on_sleep = lambda: (operator.tick(11), operator.digest(), operator.publish())
    hidden.commit_index += 1_000
    hidden.activate_index += 1_000
    with pytest.raises(BadReceiptError, match="receipt-unpublished"):
        client.draw(*DICE)


def test_an_opening_under_a_key_that_a_newer_log_does_not_announce_is_no_outage(world):
    operator = world.operator
    client = world.connect()
    operator.rotate_receipt_key(announce=False)
    world.time.on_sleep = lambda: (operator.tick(11), operator.digest(), operator.publish())
    with pytest.raises(BadReceiptError, match="opening-key"):
        client.draw(*DICE)


def test_a_key_that_is_announced_late_is_waited_for(world):
    operator = world.operator
    client = world.connect()
    client.draw(*DICE)
    operator.rotate_receipt_key(publish=False)
    world.time.on_sleep = operator.publish
    assert client.draw(*DICE).outcomes
    assert world.time.pauses == [0.5]


class BackdatedOperator(ServedOperator):
    """Commits when a digest has already stated a later time."""

    def open_pool(self, size=64, lane=0):
        self.tick(8)
        self.digest()
        self.tick(-8)
        super().open_pool(size, lane)


def test_a_pool_that_was_committed_to_behind_the_time_of_a_digest_is_refused_also_from_what_was_kept(make, tmp_path):
    world = make(BackdatedOperator, beacon=True)
    for _ in range(2):
        with pytest.raises(BadReceiptError, match="entry-time"):
            world.connect(log_cache=tmp_path / "cache" / "log").draw(*DICE)
    assert (tmp_path / "cache" / "log").is_file()
