"""What a machine does to a service: full disks, a locked database, a vault that hangs, a second instance."""

import signal
import subprocess
import sys

import pytest
from small_disk import SmallDisk
from system import System, wait_for

# Megabytes. The database alone keeps 16 of them in its write-ahead log before it copies them back.
DISKS = {"ledger": 48, "vault": 4, "public": 2}
LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


@pytest.mark.parametrize("part", sorted(DISKS))
def test_on_a_full_disk_requests_wait_and_nothing_is_lost(part):
    with System(own_directories=True) as system:
        places = {
            "ledger": system.root / "ledger",
            "vault": system.config.vault_dir,
            "public": system.config.public_dir,
        }
        with SmallDisk(places[part], DISKS[part]) as disk:
            load = system.begin()
            load.await_answers(20)
            disk.fill()
            wait_for(lambda: complains(system, part), f"somebody to notice that the disk of the {part} is full")
            disk.free()
            load.await_answers(20)
            disk.fill()
            load.await_tries(20)
            system.kill_all()
            # A crash on a full disk: what was written to the last byte is there, the rest was never answered.
            disk.free()
            system.start_together()
            load.await_answers(20)
            system.settle_down()
            system.check()
            system.kill_all()


def complains(system: System, part: str) -> bool:
    """Whether the process that writes to this disk has said so, and goes on all the same."""
    front, sequencer = system.running["front"], system.running["sequencer"]
    assert front.poll() is None, front.last_line
    if part == "ledger":
        return "refused by the ledger" in front.text or "a write to the ledger failed" in sequencer.text
    if part == "vault":
        return "vault: Vault" in front.text or "the sequencer waits" in sequencer.text
    return "the sequencer waits" in sequencer.text or sequencer.poll() is not None


def test_while_another_process_holds_the_database_requests_wait_and_nothing_is_lost():
    with System() as system:
        load = system.begin()
        load.await_answers(20)
        ledger = system.root / "d" / "ledger.db"
        with subprocess.Popen(
            [sys.executable, "-c", LOCKER, str(ledger)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as locker:
            assert locker.stdout.readline() == "locked\n"
            # Longer than the ledger's own patience.
            wait_for(lambda: "commit group refused" in system.running["front"].text, "the front to give up a group")
            wait_for(lambda: "the sequencer waits" in system.running["sequencer"].text, "the sequencer to wait")
            locker.stdin.write("\n")
        load.await_answers(20)
        system.settle_down()
        system.check()


def test_a_vault_that_hangs_holds_everything_up_and_breaks_nothing():
    with System() as system:
        load = system.begin()
        load.await_answers(20)
        system.signal("vault", signal.SIGSTOP)
        # Longer than the deadline of a call to it.
        wait_for(lambda: "vault: VaultUnavailableError" in system.running["front"].text, "the front to give up")
        system.signal("vault", signal.SIGCONT)
        load.await_answers(20)
        system.settle_down()
        system.check()


def test_a_second_instance_on_the_same_directory_refuses_and_the_first_goes_on():
    with System() as system:
        load = system.begin()
        first = dict(system.running)
        said = {}
        for name in ("vault", "sequencer", "front"):
            said[name] = system.refusal(name).line
            system.running[name] = first[name]
        assert "another vault runs on this directory" in said["vault"]
        assert "another sequencer runs on this data directory" in said["sequencer"]
        assert f"{system.target}: cannot be listened on" in said["front"]
        load.await_answers(20)
        system.settle_down()
        system.check()
