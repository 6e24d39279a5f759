"""The engine's own edges: which receipt key a group names, deadlines, and failures between its steps."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from front_service import HeldVault
from front_world import seed, wager

from rng_service.errors import DeadlineExceeded, Unavailable
from rng_service.front.engine import KeyIdCache
from rng_service.vault.errors import VaultUnavailableError


class Keys:
    def __init__(self):
        self.answer, self.asked = "first", 0

    def __call__(self):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_the_receipt_key_is_asked_for_again_when_it_is_old_and_not_before():
    keys = Keys()
    fresh, old = KeyIdCache(keys, lifetime_s=1_000), KeyIdCache(keys, lifetime_s=0)
    keys.answer = "second"
    assert (fresh(), old()) == ("first", "second")


def test_the_known_receipt_key_is_kept_while_the_vault_is_away():
    keys = Keys()
    cache = KeyIdCache(keys, lifetime_s=0)
    keys.answer = VaultUnavailableError("gone")
    assert cache() == "first"
    assert keys.asked == 2


def test_a_group_keeps_the_key_that_it_was_bound_under(world):
    world.add_pool()
    service, request = world.service(), world.draw_request()
    first = service.draw(request, "server", 5)
    world.core.rotate_receipt_key()
    later = world.another_front()
    assert later.draw(request, "server", 5) == first
    newer = later.draw(world.draw_request(), "server", 5)
    assert newer.receipt.opening.key_id == world.core.receipt_keys.current.key_id != first.receipt.opening.key_id


def test_a_front_that_does_not_know_of_a_rotation_yet_still_draws(world):
    world.add_pool()
    stale = world.service()
    world.core.rotate_receipt_key()
    request = world.draw_request()
    answer = stale.draw(request, "server", 5)
    assert stale.draw(request, "server", 5) == answer
    assert answer.receipt.opening.key_id != world.core.receipt_keys.current.key_id


def test_a_request_whose_time_is_up_before_its_turn_is_not_bound(sqlite_world):
    world = sqlite_world
    world.add_pool()
    service = world.service()
    request = world.draw_request()
    with pytest.raises(DeadlineExceeded):
        service.draw(request, "server", 0)
    assert world.rows("SELECT count(*) FROM requests") == [(0,)]
    assert service.draw(request, "server", 5).receipt.slot == 0


def test_requests_that_wait_for_a_slow_vault_are_bound_together_afterwards(sqlite_world):
    world = sqlite_world
    world.add_pool()
    service = world.service()
    held = world.engine._vault = HeldVault(world.vault)
    with ThreadPoolExecutor(12) as threads:
        first = threads.submit(service.draw, world.draw_request(), "server", 20)
        assert held.entered.acquire(timeout=10)
        others = [threads.submit(service.draw, world.draw_request(wager=wager()), "server", 20) for _ in range(10)]
        while world.engine._waiting.qsize() < 10:
            time.sleep(0)
        held.let_go.set()
        assert first.result().receipt.slot == 0
        receipts = [other.result().receipt for other in others]
    assert sorted(receipt.slot for receipt in receipts) == list(range(1, 11))
    assert {receipt.opening.size for receipt in receipts} == {10}
    assert world.rows("SELECT count(*) FROM commit_groups") == [(2,)]


def test_one_bad_request_of_a_group_does_not_take_the_others_with_it(sqlite_world):
    world = sqlite_world
    world.add_pool(8)
    service = world.service()
    held = world.engine._vault = HeldVault(world.vault)
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(service.draw, world.draw_request(), "server", 20)
        assert held.entered.acquire(timeout=10)
        good = threads.submit(service.draw, world.draw_request(), "server", 20)
        bad = [
            threads.submit(service.batch_draw, world.batch_request(9), "server", 20),
            threads.submit(service.draw, world.draw_request(ticket_hash=bytes(32), client_seed=seed()), "server", 20),
        ]
        while world.engine._waiting.qsize() < 3:
            time.sleep(0)
        held.let_go.set()
        assert {first.result().receipt.slot, good.result().receipt.slot} == {0, 1}
        assert [type(answer.exception()).__name__ for answer in bad] == ["Unavailable", "NotFound"]


def test_an_engine_outlives_a_group_that_fails_in_an_unforeseen_way(sqlite_world, monkeypatch):
    world = sqlite_world
    world.add_pool()
    service = world.service()

    def broken(*_arguments, **_options):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("rng_service.front.engine.bind_group", broken)
    request = world.draw_request()
    with pytest.raises(RuntimeError):
        service.draw(request, "server", 5)
    monkeypatch.undo()
    assert service.draw(request, "server", 5).receipt.slot == 0


def test_a_failure_between_commit_and_opening_is_found_by_the_repeat(sqlite_world, monkeypatch):
    world = sqlite_world
    world.add_pool()
    service = world.service()

    def broken(*_arguments, **_options):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(world.vault, "open_group", broken)
    request = world.draw_request()
    with pytest.raises(Unavailable) as caught:
        service.draw(request, "server", 5)
    assert caught.value.reason == "VAULT_UNAVAILABLE"
    monkeypatch.undo()
    assert service.draw(request, "server", 5).receipt.slot == 0
    assert service.draw(world.draw_request(), "server", 5).receipt.slot == 1
