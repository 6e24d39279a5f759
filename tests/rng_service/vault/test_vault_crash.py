"""Crash a vault at every durable step it passes, restart it, and look for a second answer to one question."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from vault_world import (
    ORIGIN,
    OTHER_POOL,
    POOL,
    Log,
    Opening,
    activate,
    activate_entry,
    clock,
    commit_entry,
    draw,
    in_child,
    new_vault,
    open_vault,
    redeem,
    ticket,
    void,
)

from rng_service.records.record import binding_hash
from rng_service.vault.core import Vault
from rng_service.vault.errors import VaultRefusedError
from rng_service.vault.layout import initialise_vault
from rng_service.vault.steps import STEPS, OnStep, no_step

SIZE = 6
MONTH_US = 30 * 86_400_000_000
RESERVED = ticket(1)
OPENINGS = [
    [draw(0)],
    [RESERVED, ticket(2)],
    [redeem(RESERVED), void(2, ticket=binding_hash(ticket(2).binding).hex()), draw(3, count=2)],
    [void(5)],
]


class Killer:
    """Kill this process, as hard as a power cut, at the n-th step it passes."""

    def __init__(self, position: int) -> None:
        self._left = position

    def __call__(self, _name: str) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def live(directory: Path, acknowledge: Callable[[str, object], None], on_step: OnStep) -> None:
    """The whole life of two pools. Every call may be repeated, so a second run goes on where a crash stopped one."""
    # A month passes between any two looks at the clock, and the second run comes years later.
    months = count(1_000 if directory.exists() else 0)
    initialise_vault(directory, ORIGIN, clock_us=clock, on_step=on_step)
    vault = Vault(directory, ORIGIN, clock_us=lambda: clock() + next(months) * MONTH_US, on_step=on_step)
    log = Log([b"\x00" * 32], vault.guard.mark.size)
    entries: dict[str, bytes] = {}
    for number, pool in enumerate((POOL, OTHER_POOL)):
        if any(state.pool_id == pool and state.life == "erased" for state in vault.pool_states()):
            log.append(acknowledged_entry(directory))
            continue
        sealed = vault.seal(pool, SIZE, "")
        acknowledge(f"seal {pool}", sealed.slot_root.hex())
        entry = entries[pool] = commit_entry(pool, sealed.leaves)
        if number == 0:
            (directory.parent / f"{directory.name}.entry").write_bytes(entry)
        log.append(entry)
    log.append(activate_entry(acknowledged_entry(directory), 1))
    note = log.note = sign(vault, log)
    acknowledge("checkpoint", note.hex())
    states = {state.pool_id: state for state in vault.pool_states()}
    if states[POOL].life in {"sealed", "active"}:
        entry = acknowledged_entry(directory)
        vault.activate(POOL, log.prove(entry, 1), log.prove(activate_entry(entry, 1), 3))
        for group in OPENINGS:
            for opening, (secrets, refused) in zip(group, vault.open_group(group, [], sign=True).openings, strict=True):
                assert refused == "", (opening, refused)
                acknowledge(f"open {opening.slot} {opening.kind}", secrets.hex())
    vault.rotate_kek()
    # Twice, for the key before the one that signs is kept however old it is.
    vault.rotate_receipt_key()
    vault.rotate_receipt_key()
    vault.rotate_drbg()
    acknowledge("void", vault.void(OTHER_POOL, log.prove(entries[OTHER_POOL], 2)).reveal_secret().hex())
    vault.erase(POOL)
    acknowledge("erased", True)
    vault.close()


def acknowledged_entry(directory: Path) -> bytes:
    return (directory.parent / f"{directory.name}.entry").read_bytes()


def sign(vault: Vault, log: Log) -> bytes:
    if log.signed == len(log.leaves):
        return vault.guard.mark.note
    return log.sign(vault)


class Diary:
    """What a caller was told, on disk, so that it outlives the process that was told."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, question: str, answer: object) -> None:
        with self._path.open("a", encoding="ascii") as file:
            file.write(json.dumps([question, answer]) + "\n")

    def read(self) -> list[tuple[str, object]]:
        if not self._path.exists():
            return []
        return [tuple(json.loads(line)) for line in self._path.read_text(encoding="ascii").splitlines()]


def rivals() -> list[Opening]:
    """For each slot another binding than the one that the life above uses."""
    return [draw(slot, nonce="ee" * 16) for slot in range(SIZE)]


def crash_at(position: int, directory: Path, diary: Diary) -> None:
    status = in_child(lambda: live(directory, diary.write, Killer(position)))
    assert os.WIFSIGNALED(status), (position, status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_whatever_step_a_crash_hits_every_question_has_one_answer(tmp_path: Path) -> None:
    steps: list[str] = []
    live(tmp_path / "whole", lambda _question, _answer: None, steps.append)
    assert set(steps) == STEPS - {"journal.extended"}
    for position, step in enumerate(steps):
        directory, diary = tmp_path / f"at-{position}", Diary(tmp_path / f"at-{position}.diary")
        crash_at(position, directory, diary)
        live(directory, diary.write, no_step)
        answers: dict[str, object] = {}
        for question, answer in diary.read():
            assert answers.setdefault(question, answer) == answer, (position, step, question)
        assert answers["erased"] is True
        assert not list(directory.rglob("*.tmp")), (position, step)
        assert len(list(directory.glob("kek/*"))) == 1, (position, step)
        assert len(list(directory.glob("keys/receipt-*.key"))) == 2, (position, step)
        shutil.rmtree(directory)


def test_whatever_step_a_crash_hits_a_rival_binding_never_gets_the_same_slot(tmp_path: Path) -> None:
    base = tmp_path / "base"
    vault = new_vault(base)
    leaves = vault.seal(POOL, SIZE, "").leaves
    log = Log()
    entry = commit_entry(POOL, leaves)
    activate(vault, log, POOL, entry, log.append(entry))
    vault.close()
    group = [draw(0), draw(1, count=2), draw(3)]
    steps: list[str] = []
    shutil.copytree(base, tmp_path / "probe")
    probe = open_vault(tmp_path / "probe", steps.append)
    steps.clear()
    probe.open_group(group, [], sign=True)
    probe.close()
    assert steps == ["journal.written", "journal.synced", "open.answering"]
    for step in steps:
        directory = tmp_path / step
        shutil.copytree(base, directory)

        def kill(name: str, at: str = step) -> None:
            if name == at:
                os.kill(os.getpid(), signal.SIGKILL)

        def open_and_die(where: Path = directory, on_step: OnStep = kill) -> None:
            open_vault(where, on_step).open_group(group, [], sign=True)

        assert os.WTERMSIG(in_child(open_and_die)) == signal.SIGKILL
        vault = open_vault(directory)
        taken = [refused == "bound-otherwise" for _, refused in vault.open_group(rivals(), [], sign=True).openings]
        # The whole group was journaled or none of it; slots behind it were free for the rivals.
        assert taken in ([True] * 4 + [False] * 2, [False] * 6), step
        again = vault.open_group(group, [], sign=True).openings
        assert [refused == "" for _, refused in again] == [taken[0]] * 3
        vault.close()


def test_a_frame_that_never_reached_the_disk_leaves_its_slots_free(tmp_path: Path) -> None:
    # kill -9 keeps the page cache, so the lost frame of a real power cut is made by hand.
    vault = new_vault(tmp_path / "vault")
    leaves = vault.seal(POOL, SIZE, "").leaves
    log = Log()
    entry = commit_entry(POOL, leaves)
    activate(vault, log, POOL, entry, log.append(entry))
    (segment,) = (tmp_path / "vault" / "journal").glob("*.journal")
    before = segment.read_bytes()
    vault.open_group([draw(0)], [], sign=True)
    vault.close()
    after = segment.read_bytes()
    start = next(place for place in range(len(before)) if before[place] != after[place]) // 8 * 8
    for kept in (0, 8, 40, 64):
        segment.write_bytes(after[: start + kept] + bytes(len(after) - start - kept))
        vault = open_vault(tmp_path / "vault")
        assert vault.open_group([draw(0, nonce="ee" * 16)], [], sign=True).openings[0][1] == ""
        with pytest.raises(VaultRefusedError):
            vault.void(POOL, log.prove(entry, 0))
        vault.close()
