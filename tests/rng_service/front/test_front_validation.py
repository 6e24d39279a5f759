"""Every field of a request, wrong in turn: refused before anything is bound, and named."""

from hashlib import sha256

import pytest
from front_world import FrontWorld, seed, wager
from sealdraw.v1 import draw_pb2, types_pb2

from rng_service.errors import FailedPrecondition, InvalidArgument, NotFound
from rng_service.front.checks import parse
from rng_service.request_id import new_request_id

LIMIT = 64 * 1024


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = FrontWorld(tmp_path_factory.mktemp("validation"))
    made.add_pool()
    made.server = made.service()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def nothing_is_bound(world):
    before = world.rows("SELECT next_slot FROM pools"), world.rows("SELECT count(*) FROM requests")
    yield
    assert (world.rows("SELECT next_slot FROM pools"), world.rows("SELECT count(*) FROM requests")) == before


def fields_refused(call, request):
    with pytest.raises(InvalidArgument) as caught:
        call(request, "server", 5)
    assert all(description for _, description in caught.value.violations)
    return [field for field, _ in caught.value.violations]


COMMON = [
    ("request_id", ""),
    ("request_id", "not-a-uuid"),
    ("request_id", "0190B5A4-7B1C-7E2F-8A3D-5F6E7D8C9B0A"),
    ("request_id", "0190b5a4-7b1c-4e2f-8a3d-5f6e7d8c9b0a"),
    ("request_id", "0190b5a4-7b1c-7e2f-ca3d-5f6e7d8c9b0a"),
    ("request_id", "0190B5A4-7B1C-7E2F-8A3D-5F6E7D8C9B0A"),
    ("request_id", "{0190b5a4-7b1c-7e2f-8a3d-5f6e7d8c9b0a}"),
    ("request_id", "0190b5a4-7b1c-7e2f-8a3d-5f6e7d8c9b0a\n"),
    ("game", ""),
    ("game", "European"),
    ("game", "a" * 33),
    ("game", "a/b"),
    ("program", ""),
    ("program", "-base"),
    ("play_class", types_pb2.PLAY_CLASS_UNSPECIFIED),
    ("play_class", 9),
    ("session", "with space"),
    ("session", "s" * 65),
    ("session", "s\n"),
    ("session", "ä"),
]
TAGS = [("player", "p" * 129), ("brand", "ä"), ("channel", "a\nb"), ("source_address", "\x7f")]
SEEDS = [("client_seed", bytes(15)), ("client_seed", bytes(65)), ("client_seed", b"x")]
HASHES = [bytes(31), bytes(33)]
NO_SEED = sha256(b"").digest()


@pytest.mark.parametrize(("field", "value"), [*COMMON, *SEEDS])
def test_each_wrong_field_of_a_draw_is_named(world, field, value):
    assert fields_refused(world.server.draw, world.draw_request(**{field: value})) == [field]


@pytest.mark.parametrize(("field", "value"), [*COMMON, *SEEDS, ("count", 0), ("count", 1_001), ("count", 2**32 - 1)])
def test_each_wrong_field_of_a_batch_is_named(world, field, value):
    request = draw_pb2.BatchDrawRequest(**world.where(count=2) | {field: value})
    assert fields_refused(world.server.batch_draw, request) == [field]


@pytest.mark.parametrize(
    ("field", "value"), [*COMMON, *(("client_seed_hash", value) for value in [b"", NO_SEED, *HASHES])]
)
def test_each_wrong_field_of_a_reservation_is_named(world, field, value):
    request = draw_pb2.ReserveRequest(**world.where(client_seed_hash=bytes(32)) | {field: value})
    assert fields_refused(world.server.reserve, request) == [field]


@pytest.mark.parametrize(("tag", "value"), TAGS)
def test_each_wrong_tag_is_named(world, tag, value):
    for call, request in (
        (world.server.draw, world.draw_request(tags={tag: value})),
        (world.server.batch_draw, world.batch_request(1, tags={tag: value})),
        (world.server.reserve, world.reserve_request(seed(), tags={tag: value})),
    ):
        assert fields_refused(call, request) == [f"tags.{tag}"]


@pytest.mark.parametrize("value", HASHES)
def test_hashes_have_32_bytes(world, value):
    draw = world.server.draw
    assert fields_refused(draw, world.draw_request(next_client_seed_hash=value)) == ["next_client_seed_hash"]
    request = world.draw_request(ticket_hash=value, client_seed=seed())
    assert fields_refused(draw, request) == ["ticket_hash"]


def test_the_next_ticket_is_not_made_on_no_seed_at_all(world):
    request = world.draw_request(next_client_seed_hash=NO_SEED)
    assert fields_refused(world.server.draw, request) == ["next_client_seed_hash"]


def test_a_draw_on_a_ticket_needs_its_seed(world):
    assert fields_refused(world.server.draw, world.draw_request(ticket_hash=bytes(32))) == ["client_seed"]


@pytest.mark.parametrize(
    ("stake", "bet", "currency", "field"),
    [
        (0, '{"bet":"red"}', "EUR", "wager.stake_minor"),
        (2**53, "", "EUR", "wager.stake_minor"),
        (2**64 - 1, "", "EUR", "wager.stake_minor"),
        (1, "", "", "wager.currency"),
        (1, "", "eur", "wager.currency"),
        (1, "", "EURO", "wager.currency"),
        (1, " " * 4_097, "EUR", "wager.bet"),
        (1, "{", "EUR", "wager.bet"),
        (1, "[]", "EUR", "wager.bet"),
        (1, "17", "EUR", "wager.bet"),
        (1, "{}", "EUR", "wager.bet"),
        (1, '{"bet":"red","bet":"red"}', "EUR", "wager.bet"),
        (1, '{"bet":"purple"}', "EUR", "wager.bet.bet"),
        (1, '{"bet":"red","x":1}', "EUR", "wager.bet.x"),
        (1, '{"bet":"straight","numbers":[37]}', "EUR", "wager.bet.numbers"),
    ],
)
def test_each_wrong_wager_is_named_with_the_path_in_the_bet(world, stake, bet, currency, field):
    money = wager(stake, bet, currency)
    for call, request in (
        (world.server.draw, world.draw_request(wager=money)),
        (world.server.batch_draw, world.batch_request(1, wager=money)),
    ):
        (found,) = fields_refused(call, request)
        assert found == field or found.startswith((f"{field}.", f"{field}["))


def test_everything_that_is_wrong_is_said_at_once(world):
    request = world.draw_request(
        request_id="x", session=" ", client_seed=b"x", tags={"player": "\n"}, game="", wager=wager(0, "", "e")
    )
    assert set(fields_refused(world.server.draw, request)) == {
        "request_id",
        "session",
        "client_seed",
        "tags.player",
        "game",
        "wager.stake_minor",
        "wager.currency",
    }


@pytest.mark.parametrize(
    "fields", [{"game": "unknown"}, {"version": 7}, {"program": "other"}, {"play_class": types_pb2.PLAY_CLASS_FREE}]
)
def test_games_and_programs_that_there_are_not_are_not_found(world, fields):
    with pytest.raises(NotFound):
        world.server.draw(world.draw_request(**fields), "server", 5)


@pytest.mark.parametrize("request_id", ["", "x", "0190b5a4-7b1c-4e2f-8a3d-5f6e7d8c9b0a"])
def test_reading_calls_check_their_request_id(world, request_id):
    read, resolve = world.server.get_receipt, world.server.resolve_request
    assert fields_refused(read, draw_pb2.GetReceiptRequest(request_id=request_id)) == ["request_id"]
    assert fields_refused(resolve, draw_pb2.ResolveRequestRequest(request_id=request_id)) == ["request_id"]
    with pytest.raises(NotFound):
        read(draw_pb2.GetReceiptRequest(request_id=new_request_id()), "server", 5)


@pytest.mark.parametrize("time_ms", [0, 2**48 - 1])
def test_ids_from_the_ends_of_time_are_stale(world, time_ms):
    with pytest.raises(FailedPrecondition) as caught:
        world.server.draw(world.draw_request(request_id=new_request_id(time_ms)), "server", 5)
    assert caught.value.reason == "STALE_REQUEST_ID"


def test_unknown_fields_are_refused_at_every_depth(world):
    known = world.draw_request(wager=wager()).SerializeToString()
    assert parse(draw_pb2.DrawRequest, known, LIMIT).wager.currency == "EUR"
    # Field 2,000 as a varint; and field 9, the wager, with such a field inside.
    unknown = bytes([0x80, 0x7D, 0x01])
    for data in (known + unknown, known + bytes([0x4A, len(unknown)]) + unknown):
        with pytest.raises(InvalidArgument, match="does not know"):
            parse(draw_pb2.DrawRequest, data, LIMIT)


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05abc", b"\x0a\x02\xff\xfe"])
def test_bytes_that_are_no_message_are_refused(data):
    with pytest.raises(InvalidArgument, match="cannot be parsed"):
        parse(draw_pb2.DrawRequest, data, LIMIT)


def test_a_message_is_measured_before_it_is_parsed():
    with pytest.raises(InvalidArgument, match="at most 65536"):
        parse(draw_pb2.DrawRequest, b"\xff" * (LIMIT + 1), LIMIT)
