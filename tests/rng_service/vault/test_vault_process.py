import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sealdraw.vault.v1 import vault_pb2
from vault_world import (
    ORIGIN,
    OTHER_POOL,
    POOL,
    Opening,
    activate_entry,
    clock,
    commit_entry,
    draw,
    settlement,
    ticket,
    void,
)

from anchor.checkpoint import open_checkpoint
from anchor.merkle import EMPTY_ROOT, inclusion_path, leaf_hash, levels_of, root_of
from anchor.note import VerifierKey
from rng_service.pools.slots import slot_leaf, slot_leaves, slot_secrets
from rng_service.records.record import binding_hash
from rng_service.vault.client import VaultClient
from rng_service.vault.errors import VaultRefusedError, VaultUnavailableError
from rng_service.vault.hardening import harden_process
from rng_service.vault.layout import initialise_vault
from rng_service.vault.steps import FAULT_VARIABLE, STEPS, fault_point, no_step


class World:
    """A vault directory, a socket path, and the processes that a test started on them."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "vault"
        self.socket = root / "run" / "vault.sock"
        self.vkey = initialise_vault(self.directory, ORIGIN, clock_us=clock)
        self._processes: list[subprocess.Popen[str]] = []

    def launch(
        self, *, origin: str = ORIGIN, fault: str | None = None, extra: dict[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        environment = {name: value for name, value in os.environ.items() if name != FAULT_VARIABLE}
        environment |= extra or {}
        if fault is not None:
            environment[FAULT_VARIABLE] = fault
        command = [sys.executable, "-m", "rng_service.vault.process", "--directory", str(self.directory)]
        command += ["--socket", str(self.socket), "--origin", origin]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        self._processes.append(process)
        return process

    def started(self, *, fault: str | None = None) -> "subprocess.Popen[str]":
        process = self.launch(fault=fault)
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("vault ready on "), line
        return process

    def started_with_tracing(self) -> "subprocess.Popen[str]":
        """Start under settings with which grpc would print every message, secrets included."""
        process = self.launch(extra={"GRPC_TRACE": "all", "GRPC_VERBOSITY": "debug"})
        assert process.stderr is not None
        # What grpc says while it is imported the first time; nothing went over a socket yet.
        lines = list(itertools.takewhile(lambda line: not line.startswith("vault ready on "), process.stderr))
        assert len(lines) < 100
        return process

    def client(self, timeout_s: float = 20.0) -> VaultClient:
        return VaultClient(self.socket, timeout_s=timeout_s)

    def stop(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    # Short, because a unix socket's path has at most 107 bytes.
    subject = World(tmp_path_factory.mktemp("w"))
    yield subject
    subject.stop()


def message(opening: Opening) -> vault_pb2.Opening:
    return vault_pb2.Opening(
        pool_id=opening.pool_id,
        slot=opening.slot,
        count=opening.count,
        kind=vault_pb2.SlotKind.ValueType(opening.kind),
        binding=opening.binding,
        ticket_binding=opening.ticket_binding,
    )


def activate(client: VaultClient, size: int = 8) -> tuple[bytes, vault_pb2.LoggedEntry]:
    """Commit to two pools and activate the first; return its leaves and the commitment of the other."""
    sealed = client.seal_pool(POOL, size)
    entry = commit_entry(POOL, pieces(sealed.leaves))
    activation = activate_entry(entry, 1)
    other = commit_entry(OTHER_POOL, pieces(client.seal_pool(OTHER_POOL, 40_000).leaves))
    entries = [b"config", entry, activation, other]
    log = [leaf_hash(data) for data in entries]
    note = client.sign_checkpoint(4, root_of(log), [], 0)
    logged = [
        vault_pb2.LoggedEntry(entry=data, index=at, checkpoint=note, inclusion_proof=inclusion_path(levels_of(log), at))
        for at, data in enumerate(entries)
    ]
    client.activate_pool(POOL, logged[1], logged[2])
    return sealed.leaves, logged[3]


def pieces(leaves: bytes) -> list[bytes]:
    return [leaves[at : at + 32] for at in range(0, len(leaves), 32)]


def test_a_pool_lives_its_whole_life_over_the_socket_and_nothing_of_it_is_logged(world: World) -> None:
    process = world.started_with_tracing()
    with world.client() as client:
        client.wait_ready(20)
        leaves, other_commit = activate(client)
        openings = [
            message(opening)
            for opening in (draw(0), ticket(1), void(1, ticket=binding_hash(ticket(1).binding).hex()), draw(2, count=6))
        ]
        answer = client.open_group(openings, [settlement()])
        assert [result.refused for result in answer.results] == ["", "", "", ""]
        assert slot_leaf(POOL, 0, answer.results[0].secrets) == leaves[:32]
        assert b"".join(slot_leaves(POOL, answer.results[3].secrets, 2)) == leaves[64:]
        assert client.open_group(openings, [settlement()]) == answer
        (refused,) = client.open_group([message(draw(0, nonce="01" * 16))]).results
        assert (refused.refused, refused.secrets) == ("bound-otherwise", b"")

        state = client.get_state()
        assert (state.origin, state.log_vkey) == (ORIGIN, world.vkey)
        assert (state.checkpoint_size, state.refused_bindings) == (4, 1)
        assert (state.pools[0].drawn, state.pools[0].voided, state.pools[0].ticketed) == (7, 1, 0)
        assert (state.journal_sequence, state.journal_head) == (answer.journal_sequence, answer.journal_head)
        assert set(state.hardening) >= {"core_dumps_disabled", "not_dumpable", "no_new_privileges", "umask_077"}
        assert state.hardening["core_dumps_disabled"] == "yes"

        frames = list(client.read_journal())
        assert [frame.sequence for frame in frames] == [1, 2, 3, 4]
        assert [(entry.slot, entry.count, entry.kind) for entry in frames[3].entries] == [
            (0, 1, 1), (1, 1, 2), (1, 1, 3), (2, 6, 1),
        ]  # fmt: skip
        assert list(client.read_journal(4)) == []

        for kind in (vault_pb2.KEY_KIND_KEK, vault_pb2.KEY_KIND_DRBG, vault_pb2.KEY_KIND_RECEIPT):
            assert client.rotate_key(kind).epoch >= 2
        assert len(client.get_state().receipt_keys) == 2
        assert client.erase_pool(POOL).key_id == client.get_state().receipt_keys[-1].key_id

        other = client.seal_pool(OTHER_POOL, 40_000)
        assert len(other.leaves) == 32 * 40_000
        key = client.void_pool(OTHER_POOL, other_commit)
        assert b"".join(slot_leaves(OTHER_POOL, slot_secrets(key, 40_000))) == other.leaves
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert not world.socket.exists()
    # Nothing that was opened, and no key, was ever written to the log of the process.
    for result in answer.results:
        for at in range(0, len(result.secrets), 32):
            assert result.secrets[at : at + 32].hex() not in errors
    assert key.hex() not in errors
    assert errors == ""


def test_refusals_and_bad_requests_have_stable_reasons(world: World) -> None:
    world.started()
    with world.client() as client:
        client.wait_ready(20)
        attempts: list[tuple[str, Callable[[], object]]] = [
            ("pool-size", lambda: client.seal_pool(POOL, 0)),
            ("pool-id", lambda: client.seal_pool("x", 8)),
            ("unknown-pool", lambda: client.void_pool(POOL, vault_pb2.LoggedEntry())),
            ("unknown-pool", lambda: client.erase_pool(POOL)),
            ("history-inconsistent", lambda: client.sign_checkpoint(0, bytes(32), [], 0)),
            ("key-kind", lambda: client.rotate_key(vault_pb2.KEY_KIND_UNSPECIFIED)),
            ("settlement-mismatch", lambda: client.open_group([], [b"x"])),
        ]
        for reason, attempt in attempts:
            with pytest.raises(VaultRefusedError) as caught:
                attempt()
            assert caught.value.reason == reason
            assert caught.value.message
        note = client.sign_checkpoint(0, EMPTY_ROOT, [], 0)
        assert open_checkpoint(note, VerifierKey.parse(world.vkey)).size == 0
        with pytest.raises(VaultUnavailableError):
            client.open_group([message(Opening(0, 1, b"x" * 17 * 2**20))])
    with pytest.raises(VaultUnavailableError):
        client.get_state()


def test_a_vault_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with VaultClient(tmp_path / "nobody.sock", timeout_s=0.2) as client:
        with pytest.raises(VaultUnavailableError):
            client.get_state()
        with pytest.raises(VaultUnavailableError):
            client.wait_ready(0.2)


def test_a_killed_vault_comes_back_with_the_same_answers(world: World) -> None:
    with world.client() as client:
        process = world.started()
        client.wait_ready(20)
        activate(client)
        first = client.open_group([message(draw(0))])
        process.kill()
        process.wait()
        # The journal's next frame is the first one after this start.
        process = world.started(fault="journal.synced")
        client.wait_ready(20)
        assert client.open_group([message(draw(0))]) == first
        with pytest.raises(VaultUnavailableError):
            client.open_group([message(draw(1))])
        assert process.wait() == -signal.SIGKILL
        world.started()
        client.wait_ready(20)
        rival, original = client.open_group([message(draw(1, nonce="01" * 16)), message(draw(1))]).results
        assert (rival.refused, original.refused) == ("bound-otherwise", "")
        assert client.open_group([message(draw(0))]).results == first.results


def test_a_second_vault_on_the_same_directory_is_refused(world: World) -> None:
    world.started()
    second = world.launch()
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 2
    assert "another vault runs on this directory" in errors
    with world.client() as client:
        assert client.get_state().origin == ORIGIN


def test_the_socket_is_for_its_owner_only(world: World) -> None:
    world.started()
    assert world.socket.stat().st_mode & 0o777 == 0o600
    assert world.socket.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda world: (world.directory / "kek" / "00000001.key").chmod(0o644), r"00000001\.key: mode 0644"),
        (lambda world: world.directory.chmod(0o750), "vault: .*mode 0750"),
        (lambda world: (world.directory / "history.json").unlink(), r"history\.json"),
        (lambda world: (world.directory / "keys" / "checkpoint.key").write_bytes(b""), r"checkpoint\.key"),
    ],
)
def test_a_vault_that_must_not_run_says_why_and_exits(
    world: World, prepare: Callable[[World], object], message: str
) -> None:
    prepare(world)
    process = world.launch()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert re.search(message, errors)
    assert "Traceback" not in errors
    assert not world.socket.exists()


def test_a_fault_point_is_honoured_in_test_environments_only() -> None:
    assert fault_point({}, "acme/live") is no_step
    for environment in ("dev", "test"):
        assert fault_point({FAULT_VARIABLE: "mark.written:3"}, f"acme/{environment}") is not no_step
    for setting, origin in [
        ("mark.written", "acme/live"),
        ("mark.written", "acme/test/live"),
        ("mark.written", "test/acme"),
        ("unknown", "acme/test"),
        ("mark.written:x", "acme/test"),
        ("", "acme/test"),
        ("", "acme/live"),
    ]:
        with pytest.raises(VaultRefusedError, match="fault-point"):
            fault_point({FAULT_VARIABLE: setting}, origin)
    assert "journal.synced" in STEPS


def test_a_process_with_a_fault_point_outside_test_environments_does_not_start(world: World) -> None:
    process = world.launch(origin="acme/live", fault="mark.written")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "SEALDRAW_FAULT_POINT is set in environment 'live'" in errors


_LISTENERS = """
import os, sys, threading
from pathlib import Path
from rng_service.vault.process import run_vault

def ready():
    mine = {os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            if f"socket:[{line.split()[9]}]" in mine:
                print(table, line.split()[1])
    print("sockets", sum(name.startswith("socket:") for name in mine))
    stop.set()

stop = threading.Event()
run_vault(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], stop=stop, ready=ready)
"""


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs Linux's /proc")
def test_the_vault_has_no_network_socket(world: World) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LISTENERS, str(world.directory), str(world.socket), ORIGIN],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert re.fullmatch(r"sockets [1-9][0-9]*\n", done.stdout)


def test_hardening_reports_every_measure() -> None:
    program = "from rng_service.vault.hardening import harden_process as h; import json; print(json.dumps(h()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    report = json.loads(done.stdout)
    assert set(report) == {"core_dumps_disabled", "memory_locked", "no_new_privileges", "not_dumpable", "umask_077"}
    assert report["core_dumps_disabled"] == report["umask_077"] == "yes"
    assert all(value for value in report.values())


def test_a_measure_that_cannot_be_had_is_reported_and_not_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    from rng_service.vault import hardening

    def refused(*_arguments: object) -> str:
        raise OSError("Operation not permitted")

    for name in ("_no_core_dumps", "_prctl", "_lock_memory", "_private_umask"):
        monkeypatch.setattr(hardening, name, refused)
    assert set(harden_process().values()) == {"Operation not permitted"}


def test_a_socket_path_that_is_too_long_is_refused_by_name(world: World) -> None:
    world.socket = world.socket.parent / ("x" * 120)
    process = world.launch()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "too long for a unix socket" in errors
