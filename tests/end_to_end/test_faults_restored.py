"""Yesterday's copies put back: of the database, of the public directory, of the vault's directory.

Whoever starts then refuses, with the reason; `sealdraw recover` says what it would burn or rebuild, does it with
consent, and afterwards everything holds again. Where nothing can be done, nothing is, until the newest copy is back.
"""

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager

from check_everything import receipts_in
from node_process import ROOT
from sqlalchemy import select
from system import System, wait_for

from rng_service.ledger.engine import open_engine, reading
from rng_service.ledger.models import PoolRow


def copy_of(path, place):
    """Copy a file or directory, as a backup would; WAL and all when it is a database."""
    place.mkdir(exist_ok=True)
    found = [path] if path.is_dir() else sorted(path.parent.glob(f"{path.name}*"))
    for item in found:
        (shutil.copytree if item.is_dir() else shutil.copy2)(item, place / item.name)
    return place


def restore(path, place):
    """Put a copy back in the place of what is there now."""
    for item in [path] if path.is_dir() else sorted(path.parent.glob(f"{path.name}*")):
        shutil.rmtree(item) if item.is_dir() else item.unlink()
    for item in sorted(place.iterdir()):
        (shutil.copytree if item.is_dir() else shutil.copy2)(item, path.parent / item.name)


def recover(system, *, yes=False):
    """Run `sealdraw recover --json`; return its exit status and what it said."""
    command = [sys.executable, "-m", "rng_service.cli.main", "recover", "--json", "--config", str(system.settings)]
    done = subprocess.run(
        command + ["--yes"] * yes, capture_output=True, text=True, cwd=ROOT, env=system.environment, check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def refusals(system):
    """Start the vault, and return how sequencer and front refuse; everything is stopped again."""
    system.start("vault")
    said = {name: system.refusal(name).line for name in ("sequencer", "front")}
    system.kill_all()
    return said


def a_day(system, load=None, answers=25):
    """Let the service work for a while and end cleanly; the answers count for ever."""
    load = load or system.load()
    load.await_answers(answers)
    system.settle_down()
    return load


@contextmanager
def service():
    """Give a service that has worked for a day and is stopped."""
    with System() as system:
        a_day(system, system.begin())
        yield system


def test_an_older_database_that_lost_draws_is_refused_and_their_slots_are_burned_in_the_open():
    with service() as system:
        ledger = system.root / "d" / "ledger.db"
        backup = copy_of(ledger, system.root / "backup")
        # Without the sequencer nothing of this day gets into the log: only the vault's journal knows of it.
        system.start("vault", "front")
        lost = system.load(seed=2)
        lost.await_answers(15)
        lost.abandon()
        system.kill_all()
        restore(ledger, backup)
        for name, line in refusals(system).items():
            assert "binding-lost" in line, (name, line)
            assert "sealdraw recover" in line, (name, line)
        status, report = recover(system)
        assert status == 1
        burned = {(item["pool"], item["slot"]) for item in report["findings"]}
        assert burned
        assert {item["remedy"] for item in report["findings"]} == {"burn"}
        assert report["done"] == []
        # Asking changed nothing.
        assert recover(system)[1] == report
        status, report = recover(system, yes=True)
        assert (status, report["findings"]) == (0, [])
        assert report["done"] == [f"stopped the pool {pool}" for pool in sorted({pool for pool, _ in burned})]
        # What was answered that day is lost; everything before and after it is not.
        system.loads.remove(lost)
        system.start()
        a_day(system)
        report = system.check()
        assert report.incidents == {"binding-lost: ledger-restored": len(burned)}


def test_an_older_database_that_is_behind_the_published_log_is_refused_until_the_newest_is_back():
    with service() as system:
        ledger = system.root / "d" / "ledger.db"
        backup = copy_of(ledger, system.root / "backup")
        system.start()
        a_day(system)
        newest = copy_of(ledger, system.root / "newest")
        restore(ledger, backup)
        for name, line in refusals(system).items():
            assert "ledger-restored" in line, (name, line)
            assert "put the newest copy back" in line, (name, line)
        status, report = recover(system, yes=True)
        assert status == 1
        assert "restore" in {item["remedy"] for item in report["findings"]}
        assert report["done"] == []
        restore(ledger, newest)
        assert recover(system) == (0, {"done": [], "findings": []})
        system.start()
        a_day(system)
        system.check()


def test_an_older_public_directory_is_refused_and_made_again_from_the_ledger():
    with service() as system:
        public = system.config.public_dir
        backup = copy_of(public, system.root / "backup")
        system.start()
        a_day(system)
        newest = {path.relative_to(public): path.read_bytes() for path in public.rglob("*") if path.is_file()}
        system.seen.pause()
        restore(public, backup)
        system.start("vault")
        assert "sealdraw recover" in system.refusal("sequencer").line
        system.kill_all()
        status, report = recover(system)
        assert status == 1
        assert {item["remedy"] for item in report["findings"]} == {"rebuild"}
        status, report = recover(system, yes=True)
        assert (status, report["findings"]) == (0, [])
        # Every file is there again with the same bytes, but for the checkpoint, which the sequencer publishes.
        system.start("vault", "sequencer")
        system.seen.resume()
        system.stop()
        for path, data in newest.items():
            if path.name != "checkpoint" and ".p" not in str(path):
                assert (public / path).read_bytes() == data, path
        system.start()
        a_day(system)
        system.check()


def test_an_older_vault_is_refused_and_every_pool_that_it_could_open_twice_is_stopped_and_opened_to_the_end():
    with service() as system:
        vault = system.config.vault_dir
        backup = copy_of(vault, system.root / "backup")
        keys = {path.name for path in (vault / "pools").glob("*.key")}
        system.start()
        load = system.load(seed=2)
        # Until pools that the backup has the keys of are erased, and tickets were bound that it does not know.
        wait_for(lambda: keys - {path.name for path in (vault / "pools").glob("*.key")}, "a key to be destroyed")
        reserved = sum(answer.method == "Reserve" for answer in load.answers)
        wait_for(lambda: sum(answer.method == "Reserve" for answer in load.answers) > reserved, "a ticket")
        system.settle_down()
        destroyed = keys - {path.name for path in (vault / "pools").glob("*.key")}
        assert destroyed
        restore(vault, backup)
        for name, line in refusals(system).items():
            assert "vault-restored" in line, (name, line)
            assert "sealdraw recover" in line, (name, line)
        status, report = recover(system)
        assert status == 1
        assert {item["kind"] for item in report["findings"]} == {"vault-restored"}
        assert {item["remedy"] for item in report["findings"]} == {"burn"}
        # Asking changed nothing.
        assert recover(system)[1] == report
        assert destroyed <= {path.name for path in (vault / "pools").glob("*.key")}
        status, report = recover(system, yes=True)
        assert (status, report["findings"]) == (0, [])
        assert not destroyed & {path.name for path in (vault / "pools").glob("*.key")}
        stopped = {line.removeprefix("stopped the pool ") for line in report["done"] if line.startswith("stopped")}
        assert stopped
        assert any(line.startswith("showed the vault ") for line in report["done"])
        assert not any("refuse" in line for line in report["done"])
        system.start()
        load = a_day(system)
        drawn_from = {pool for answer in load.answers for pool in pools_of(answer)}
        assert drawn_from
        assert not drawn_from & stopped
        # No group is held back, and each stopped pool that the vault has the key of has ended: `check` demands both.
        report = system.check()
        assert report.incidents["vault-restored: older-vault-journal"] == 1
        assert report.incidents.keys() <= {"vault-restored: older-vault-journal", "pool-unopenable: unknown-pool"}
        assert unfinished(system) & stopped == set()


def test_a_vault_whose_journal_alone_is_older_does_not_start():
    with service() as system:
        journal = system.config.vault_dir / "journal"
        backup = copy_of(journal, system.root / "backup")
        system.start()
        a_day(system)
        newest = copy_of(journal, system.root / "newest")
        restore(journal, backup)
        assert "this is an older or another journal" in system.refusal("vault").line
        restore(journal, newest)
        system.start()
        a_day(system)
        system.check()


def unfinished(system):
    """The pools that may still be drawn from, or that were stopped and have not come to an end."""
    engine = open_engine(system.config.ledger_url)
    try:
        with reading(engine) as connection:
            rows = connection.execute(select(PoolRow.pool_id, PoolRow.state)).all()
    finally:
        engine.dispose()
    return {row.pool_id for row in rows if row.state not in {"closed", "erased", "void", "halted"}}


def pools_of(answer):
    return [receipt.pool_id for receipt in receipts_in(answer.method, answer.response)]
