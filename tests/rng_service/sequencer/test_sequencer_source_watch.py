"""The entropy source fails: no new pools, what was sealed around it is given up in the log, everything else goes on."""

import os
from functools import partial

import pytest
import sequencer_world
from test_sequencer_life import entries, states

from rng_service.vault.core import Vault
from rng_service.vault.errors import EntropyFailedError


class Source:
    """Good until it stands still."""

    def __init__(self):
        self.stuck = False

    def __call__(self, n_bytes):
        return bytes(n_bytes) if self.stuck else os.urandom(n_bytes)


@pytest.fixture
def source(monkeypatch):
    made = Source()
    monkeypatch.setattr(sequencer_world, "Vault", partial(Vault, entropy=made))
    return made


def kinds(world):
    return [(entry.kind, entry.reason) for entry in entries(world, "incident")]


def test_a_failed_source_stops_sealing_and_nothing_else(make_world, source):
    world = make_world(size=8)
    world.register()
    world.start()
    world.steps(2)
    source.stuck = True
    binder = world.binder()
    binder.draws(1, count=8)
    world.steps(15)
    ((kind, _reason),) = kinds(world)
    assert kind == "entropy-failed"
    # The used-up pool was closed and erased meanwhile, the other one is drawn from.
    assert states(world) == {"erased": 1, "active": 1}
    assert binder.draws(3) == [(2, 0), (2, 1), (2, 2)]
    world.steps(2)
    assert world.verify().records["draw"] == 4


def test_what_was_sealed_since_the_last_good_test_is_opened_and_never_drawn_from(make_world, source):
    world = make_world(size=8, beacon="development", ready=1)
    world.register()
    world.start()
    world.steps(1)
    assert states(world) == {"committed": 1}
    source.stuck = True
    with pytest.raises(EntropyFailedError):
        world.vault_core.test_source()
    world.steps(15, seconds=2)
    assert states(world) == {"void": 1}
    assert [kind for kind, _ in kinds(world)] == ["entropy-failed"]
    (quarantine,) = entries(world, "pool.quarantine")
    assert (quarantine.reason, quarantine.from_slot) == ("entropy-suspect", 0)
    assert [entry.reason for entry in entries(world, "pool.void")] == ["entropy-suspect"]
    world.verify()


def test_a_source_that_is_good_again_after_a_restart_makes_pools_and_its_failure_is_told_once(make_world, source):
    world = make_world(size=8, ready=1)
    world.register()
    source.stuck = False
    world.start()
    source.stuck = True
    world.steps(3)
    assert states(world) == {}
    world.abandon()
    world.stop_vault()
    source.stuck = False
    world.start_vault()
    world.start()
    world.steps(12)
    assert states(world) == {"active": 1}
    assert [kind for kind, _ in kinds(world)] == ["entropy-failed"]
    world.verify()


def test_keys_that_are_due_wait_for_a_good_source(make_world, source):
    world = make_world(size=8)
    world.register()
    world.start()
    world.steps(2)
    source.stuck = True
    with pytest.raises(EntropyFailedError):
        world.vault_core.test_source()
    before = world.vault.get_state().drbg_epoch
    world.clock.advance(2 * 86_400)
    world.steps(3)
    assert world.vault.get_state().drbg_epoch == before
    world.binder().draws(2)
    world.steps(2)
    assert world.verify().records["draw"] == 2
