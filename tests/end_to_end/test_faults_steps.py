"""A crash between each two durable steps of each process, one after the other under load.

Every name in the three lists of steps is either reached here, in running processes, or named below with the test that
reaches it.
"""

import random

import pytest
from system import System

from rng_service.front import engine
from rng_service.sequencer import faults
from rng_service.vault import steps

# Only `sealdraw init` takes these, or a key must be a week old: tests/rng_service/vault/test_vault_crash.py.
OF_THE_VAULT_ALONE = {
    "checkpoint-key.renamed",
    "checkpoint-key.written",
    "origin.renamed",
    "origin.written",
    "receipt-key.overwritten",
    "receipt-key.unlinked",
}
# The first entries have a test of their own below; an alarm needs a game that pays what it should not.
# Runs of statistics are off in these systems; tests/rng_service/sequencer/test_sequencer_statistics.py.
OF_OTHER_TESTS = {
    "genesis.written",
    "alarm.recorded",
    "statistics.begun",
    "statistics.recorded",
    "statistics.interrupted",
}
# A sequencer waits longer for its vault each time that it finds it dead: few deaths of the vault in a row.
PORTIONS = {"sequencer": 8, "vault": 4}


def portions(process, names):
    """Deal the steps of a process out to runs of one system each; those of one kind of file go to different runs.

    Receipt keys come first in theirs: the service lets them be rotated twice a minute only.
    """
    runs = -(-len(names) // PORTIONS[process])
    dealt = (sorted(names)[run::runs] for run in range(runs))
    return [sorted(portion, key=lambda name: not name.startswith("receipt-")) for portion in dealt]


def fault_of(process, step, passing):
    """Return the setting that stops ``process`` there: the vault's names have no prefix of their own."""
    return f"{step}:{passing}" if process == "vault" else f"{process}.{step}:{passing}"


def crash_at_each(process, names):
    choice = random.Random("/".join(names))
    with System() as system:
        load = system.begin()
        system.kill(process)
        for number, step in enumerate(names):
            # A crash while recovering from a crash: the next fault meets what the last one left.
            passing = choice.choice([1, 1, 2]) if step in OFTEN else 1
            system.launch(process, fault=fault_of(process, step, passing))
            if number == 0:
                # Only now, so that the first rotation meets the first fault.
                load.add_operator()
            system.await_death(process, step)
        system.start(process)
        load.await_answers(10)
        system.settle_down()
        system.check()


OFTEN = {"bind.written", "bind.committed", "open.answered", "journal.written", "journal.synced", "open.answering"}


@pytest.mark.parametrize("names", portions("sequencer", set(faults.STEPS) - OF_OTHER_TESTS), ids="-".join)
def test_a_sequencer_that_dies_between_two_steps_is_followed_by_one_that_goes_on(names):
    crash_at_each("sequencer", names)


@pytest.mark.parametrize(
    "names", portions("vault", steps.STEPS - OF_THE_VAULT_ALONE - {"journal.extended"}), ids="-".join
)
def test_a_vault_that_dies_between_two_steps_is_followed_by_one_that_goes_on(names):
    crash_at_each("vault", names)


def test_a_front_that_dies_between_bind_commit_and_answer_is_followed_by_one_that_goes_on():
    crash_at_each("front", [*engine.STEPS, *engine.STEPS])


def test_a_sequencer_that_dies_right_after_it_wrote_the_first_entries_begins_the_same_log():
    with System() as system:
        system.start("vault")
        system.launch("sequencer", fault="sequencer.genesis.written")
        system.await_death("sequencer", "genesis.written")
        system.start("sequencer", "front")
        system.register()
        system.load().await_answers(10)
        system.settle_down()
        system.check()


def test_a_vault_that_dies_while_its_journal_grows_loses_nothing():
    with System() as system:
        load = system.begin()
        load.await_answers(20)
        system.kill("vault")
        # The room that was set aside is used up: the next frame has to make more.
        newest = max((system.config.vault_dir / "journal").glob("*.journal"))
        used = len(newest.read_bytes().rstrip(b"\x00"))
        with newest.open("r+b") as journal:
            journal.truncate(-(-used // 8) * 8)
        system.launch("vault", fault="journal.extended")
        system.await_death("vault", "journal.extended")
        system.start("vault")
        load.await_answers(20)
        system.settle_down()
        system.check()
