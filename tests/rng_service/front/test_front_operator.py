"""The operator's and the auditor's calls: paging, keys rotated once, and nothing odd gets through."""

import base64
import threading

import grpc
import pytest
from front_service import connected, failure, served
from sealdraw.v1 import audit_pb2, draw_pb2, operator_pb2

from rng_service.request_id import new_request_id
from rng_service.vault.errors import VaultUnavailableError

RECEIPT, DRBG, KEK = operator_pb2.KEY_RECEIPT, operator_pb2.KEY_DRBG, operator_pb2.KEY_KEY_ENCRYPTION


@pytest.fixture
def running(world):
    with served(world) as server, connected(server.port) as client:
        client.server = server
        yield client


def refused(call, request):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=10)
    found = failure(caught.value)
    bad = found.details.get("BadRequest")
    found.fields = [violation.field for violation in bad.field_violations] if bad else []
    return found


def rotation(*keys, request_id=""):
    return operator_pb2.RotateKeysRequest(request_id=request_id or new_request_id(), keys=keys)


def test_keys_rotate_once_for_each_request_id(world, running):
    request = rotation(RECEIPT, KEK)
    first = running.operators.RotateKeys(request, timeout=10)
    assert list(first.epochs) == [2, 2]
    assert running.operators.RotateKeys(request, timeout=10) == first
    assert len(running.server.keys.rotated) == 2
    before = world.core.drbg.epoch
    assert list(running.operators.RotateKeys(rotation(DRBG), timeout=10).epochs) == [before + 1]


def test_a_rotation_under_an_id_that_was_used_otherwise_is_refused(world, running):
    world.add_pool()
    drawn, fenced, rotated = world.draw_request(), new_request_id(), rotation(KEK)
    running.draws.Draw(drawn, timeout=10)
    running.draws.ResolveRequest(draw_pb2.ResolveRequestRequest(request_id=fenced), timeout=10)
    running.operators.RotateKeys(rotated, timeout=10)
    for request in (
        rotation(KEK, request_id=drawn.request_id),
        rotation(KEK, request_id=fenced),
        rotation(DRBG, request_id=rotated.request_id),
    ):
        found = refused(running.operators.RotateKeys, request)
        assert (found.code, found.details["ErrorInfo"].reason) == ("FAILED_PRECONDITION", "REQUEST_ID_REUSED")
    assert len(running.server.keys.rotated) == 1


def test_the_id_of_a_rotation_has_no_receipt(world, running):
    world.add_pool()
    request = rotation(KEK)
    running.operators.RotateKeys(request, timeout=10)
    for call, asked in (
        (running.draws.GetReceipt, draw_pb2.GetReceiptRequest(request_id=request.request_id)),
        (running.draws.ResolveRequest, draw_pb2.ResolveRequestRequest(request_id=request.request_id)),
        (running.audits.GetReceiptProof, audit_pb2.GetReceiptProofRequest(request_id=request.request_id)),
    ):
        assert refused(call, asked).code == "NOT_FOUND"
    found = refused(running.draws.Draw, world.draw_request(request_id=request.request_id))
    assert found.details["ErrorInfo"].reason == "REQUEST_ID_REUSED"


def test_a_rotation_without_a_vault_is_unavailable_and_its_repeat_rotates(world, running):
    running.server.keys.down = VaultUnavailableError("gone")
    request = rotation(RECEIPT)
    assert refused(running.operators.RotateKeys, request).details["ErrorInfo"].reason == "VAULT_UNAVAILABLE"
    running.server.keys.down = None
    assert list(running.operators.RotateKeys(request, timeout=10).epochs) == [2]
    assert len(running.server.keys.rotated) == 1


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_rotation_that_was_cut_short_is_finished_by_its_repeat(world, running, monkeypatch, lost):
    keys, request = running.server.keys, rotation(KEK, RECEIPT)

    def cut_short(kind, rotate=keys.rotate_key):
        if lost == "answer":
            rotate(kind)
        raise VaultUnavailableError("gone")

    monkeypatch.setattr(keys, "rotate_key", cut_short)
    assert refused(running.operators.RotateKeys, request).code == "UNAVAILABLE"
    monkeypatch.undo()
    assert list(running.operators.RotateKeys(request, timeout=10).epochs) == [2, 2]
    assert list(running.operators.RotateKeys(request, timeout=10).epochs) == [2, 2]


def test_what_was_bound_before_two_rotations_is_signed_as_it_was(world, running):
    world.add_pool()
    bound_under_the_first = world.draw_request()
    first = running.draws.Draw(bound_under_the_first, timeout=10)
    assert list(running.operators.RotateKeys(rotation(RECEIPT), timeout=10).epochs) == [2]
    assert list(running.operators.RotateKeys(rotation(RECEIPT), timeout=10).epochs) == [3]
    assert running.draws.Draw(bound_under_the_first, timeout=10) == first
    world.join_digest()
    assert running.draws.Draw(bound_under_the_first, timeout=10) == first


def test_a_rotation_names_keys_that_there_are(running):
    for keys in ((), (0,), (9,), (RECEIPT, 0), (KEK, KEK)):
        assert refused(running.operators.RotateKeys, rotation(*keys)).fields == ["keys"]


def test_pools_are_listed_newest_first_in_pages(world, running):
    made = [world.add_pool(4) for _ in range(7)]
    found, token = [], ""
    while True:
        page = running.audits.ListPools(audit_pb2.ListPoolsRequest(page_size=3, page_token=token), timeout=10)
        found += [pool.pool_id for pool in page.pools]
        token = page.next_page_token
        if not token:
            break
    assert found == made[::-1]
    of_game = audit_pb2.ListPoolsRequest(game=world.definition.game)
    assert len(running.audits.ListPools(of_game, timeout=10).pools) == 7
    for other in ("real", "test", "base", "roulette"):
        assert not running.audits.ListPools(audit_pb2.ListPoolsRequest(game=other), timeout=10).pools


BAD_TOKENS = ["x", "====", "ä", base64.urlsafe_b64encode(b"9" * 45).decode(), base64.urlsafe_b64encode(b"-1").decode()]


def test_a_token_that_no_answer_gave_is_refused(running):
    for token in (*BAD_TOKENS, "9" * 30, "٣"):
        for call, kind in (
            (running.audits.ListPools, audit_pb2.ListPoolsRequest),
            (running.audits.ListDigests, audit_pb2.ListDigestsRequest),
            (running.operators.ListGames, operator_pb2.ListGamesRequest),
        ):
            found = refused(call, kind(page_token=token))
            assert (found.code, found.fields) == ("INVALID_ARGUMENT", ["page_token"])


def test_a_page_size_has_bounds(running):
    for size in (-1, 1_001):
        for call, kind in (
            (running.audits.ListPools, audit_pb2.ListPoolsRequest),
            (running.audits.ListDigests, audit_pb2.ListDigestsRequest),
            (running.operators.ListGames, operator_pb2.ListGamesRequest),
        ):
            assert refused(call, kind(page_size=size)).fields == ["page_size"]


def test_names_of_games_and_pools_from_outside_reach_no_statement(running):
    for name in ("", "a/b", "\x00", "x" * 500):
        for call, request, fields in (
            (running.audits.GetPool, audit_pb2.GetPoolRequest(pool_id=name), ["pool_id"]),
            (running.operators.GetGame, operator_pb2.GetGameRequest(name=name), ["name"]),
            (running.operators.RetireGame, operator_pb2.RetireGameRequest(name=name, version=1), ["name"]),
            (
                running.operators.QuarantinePool,
                operator_pb2.QuarantinePoolRequest(pool_id=name, reason="odd"),
                ["pool_id"],
            ),
        ):
            found = refused(call, request)
            assert (found.code, found.fields) == ("INVALID_ARGUMENT", fields)


def test_a_version_that_no_game_can_have_is_not_found(world, running):
    name = world.definition.game
    for version in (2, 2**32 - 1):
        for call, request in (
            (running.operators.GetGame, operator_pb2.GetGameRequest(name=name, version=version)),
            (running.operators.RetireGame, operator_pb2.RetireGameRequest(name=name, version=version)),
        ):
            assert refused(call, request).code == "NOT_FOUND"
    with pytest.raises(grpc.RpcError) as caught:
        running.draws.Draw(world.draw_request(version=2**32 - 1), timeout=10)
    assert failure(caught.value).code == "NOT_FOUND"


def test_a_quarantined_pool_gives_no_further_slot(world, running):
    first, second = world.add_pool(4), world.add_pool(4)
    assert running.draws.Draw(world.draw_request(), timeout=10).receipt.pool_id == first
    answer = running.operators.QuarantinePool(
        operator_pb2.QuarantinePoolRequest(pool_id=first, reason="suspected-leak"), timeout=10
    )
    assert (answer.pool.state, answer.pool.next_slot) == ("quarantined", 1)
    assert running.draws.Draw(world.draw_request(), timeout=10).receipt.pool_id == second
    unknown = operator_pb2.QuarantinePoolRequest(pool_id=first[:-1] + "99", reason="odd")
    assert refused(running.operators.QuarantinePool, unknown).code == "NOT_FOUND"


def test_a_retired_game_is_listed_as_retired_and_not_drawn_from(world, running):
    world.add_pool()
    name = world.definition.game
    running.operators.RetireGame(operator_pb2.RetireGameRequest(name=name, version=1), timeout=10)
    (game,) = running.operators.ListGames(operator_pb2.ListGamesRequest(), timeout=10).games
    assert (game.name, game.version, game.retired) == (name, 1, True)
    with pytest.raises(grpc.RpcError) as caught:
        running.draws.Draw(world.draw_request(version=1), timeout=10)
    assert failure(caught.value).details["ErrorInfo"].reason == "VERSION_RETIRED"


def test_the_definition_that_was_registered_is_given_back(world, running):
    answer = running.operators.GetGame(operator_pb2.GetGameRequest(name=world.definition.game), timeout=10)
    assert answer.definition == world.definition.canonical
    assert answer.game.digest == world.definition.digest


def test_status_counts_what_is_ready_and_what_is_not_published(world, running):
    world.add_pool(8)
    running.draws.Draw(world.draw_request(), timeout=10)
    running.draws.BatchDraw(world.batch_request(3), timeout=10)
    status = running.operators.GetStatus(operator_pb2.GetStatusRequest(), timeout=10)
    (stream,) = status.streams
    assert (stream.ready_pools, stream.ready_slots, status.vault_reachable, status.draining) == (1, 4, True, False)
    assert status.HasField("entropy_source")
    assert status.entropy_source.failed_test == ""
    assert status.unpublished_records == 2
    assert stream.stream == f"{world.definition.game}/1/{world.program}/real"


def test_a_watch_ends_when_the_service_stops(running):
    watch = running.audits.WatchEvents(audit_pb2.WatchEventsRequest(from_index=2**64 - 1), timeout=20)
    stopper = threading.Timer(0.3, running.server.gate.stopping.set)
    stopper.start()
    assert list(watch) == []
    stopper.join()
