"""The process itself: ready, killed, started again, stopped, refused."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sequencer_world import ORIGIN

from anchor.source import DirectorySource
from rng_service.errors import StartRefused
from rng_service.ledger.engine import open_engine, writing
from rng_service.ledger.migrate import upgrade
from rng_service.ledger.registry import register_game
from rng_service.sequencer.faults import FAULT_VARIABLE, fault_point, no_step
from rng_service.sequencer.process import lock_installation, main, system_clock_us
from rng_service.vault.layout import initialise_vault
from rng_service.vault.process import run_vault
from rng_service.verify.log import verify_log

DICE = Path(__file__).resolve().parents[3] / "games" / "dice-99.json"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def installation(tmp_path_factory):
    """A data directory with a running vault, and its configuration file."""
    import shutil
    import tempfile

    directory = Path(tempfile.mkdtemp(prefix="sd-"))
    (directory / "sealdraw.toml").write_text(
        f'[service]\norigin = "{ORIGIN}"\n[pools]\nsize = 64\n[beacon]\nkind = "none"\n'
    )
    vkey = initialise_vault(directory / "vault", ORIGIN, clock_us=system_clock_us)
    stop, ready = threading.Event(), threading.Event()
    socket = directory / "run" / "vault.sock"
    vault = threading.Thread(
        target=run_vault, args=(directory / "vault", socket, ORIGIN), kwargs={"stop": stop, "ready": ready.set}
    )
    vault.start()
    assert ready.wait(30)
    engine = open_engine(f"sqlite:///{directory / 'ledger.db'}")
    upgrade(engine)
    with writing(engine) as connection:
        register_game(connection, DICE.read_bytes(), origin=ORIGIN, now_us=system_clock_us(), pool_size=64)
    engine.dispose()
    yield directory, vkey
    stop.set()
    vault.join()
    shutil.rmtree(directory)


def start(directory, **environ):
    return subprocess.Popen(
        [sys.executable, "-m", "rng_service.sequencer.process", "--config", str(directory / "sealdraw.toml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environ},
    )


def test_a_process_that_is_killed_is_followed_by_one_that_goes_on_at_once(installation):
    directory, vkey = installation
    killed = start(directory, **{FAULT_VARIABLE: "sequencer.publish.checkpoint:2"})
    assert killed.communicate(timeout=60)[0] == "sequencer ready\n"
    assert killed.returncode == -signal.SIGKILL
    second = start(directory)
    assert second.stdout.readline() == "sequencer ready\n"
    second.send_signal(signal.SIGTERM)
    _, log = second.communicate(timeout=60)
    assert second.returncode == 0, log
    report = verify_log(DirectorySource(directory / "public"), vkey)
    assert report.entries["pool.commit"] == 4
    assert report.entries["totals"] >= 1


def test_a_second_process_on_the_same_directory_is_refused(installation, capsys):
    directory, _ = installation
    first = start(directory)
    assert first.stdout.readline() == "sequencer ready\n"
    second = start(directory)
    _, error = second.communicate(timeout=60)
    assert second.returncode == 2
    assert "another sequencer runs on this data directory" in error
    first.terminate()
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_a_missing_configuration_is_one_line_on_standard_error(tmp_path, capsys):
    assert main(["--config", str(tmp_path / "none.toml")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("sequencer: ")
    assert error.count("\n") == 1


def test_fault_points_are_refused_outside_development_and_unknown_ones_everywhere():
    assert fault_point({}, "prod") is no_step
    assert fault_point({FAULT_VARIABLE: "journal.synced"}, "prod") is no_step
    with pytest.raises(StartRefused, match="environment 'prod'"):
        fault_point({FAULT_VARIABLE: "sequencer.seal.vault"}, "prod")
    with pytest.raises(StartRefused, match="expected <step>"):
        fault_point({FAULT_VARIABLE: "sequencer.seal.nothing"}, "test")
    assert fault_point({FAULT_VARIABLE: "sequencer.seal.vault:3"}, "test") is not no_step


def test_the_lock_of_an_installation_is_free_once_its_holder_is_gone(make_world):
    world = make_world()
    held = lock_installation(world.config)
    with pytest.raises(StartRefused):
        lock_installation(world.config)
    os.close(held)
    os.close(lock_installation(world.config))
