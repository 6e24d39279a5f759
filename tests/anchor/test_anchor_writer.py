import contextlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_fixture import KEY, ORIGIN, VERIFIER, MemorySigner, entries_of, snapshot, write_log

from anchor.checkpoint import Checkpoint, open_checkpoint
from anchor.edge import RightEdge
from anchor.errors import MalformedError, RefusedError
from anchor.merkle import EMPTY_ROOT, consistency_path, leaf_hash, root_of
from anchor.note import sign_note
from anchor.reader import LogReader
from anchor.source import DirectorySource
from anchor.writer import LogWriter


class Killed(BaseException):
    """The process dies here; like a signal, nothing catches it."""


class KillAt:
    """Dies before the durable step number ``step`` and records the names of those before it."""

    def __init__(self, step):
        self.step = step
        self.names = []

    def __call__(self, name):
        if len(self.names) == self.step:
            raise Killed(name)
        self.names.append(name)


def kill_before(step):
    def on_step(name):
        if name == step:
            raise Killed(name)

    return on_step


def read_all(directory):
    reader = LogReader(DirectorySource(directory), VERIFIER)
    return reader.checkpoint().size, list(reader.entries())


def test_the_files_do_not_depend_on_how_the_entries_were_batched(tmp_path):
    write_log(tmp_path / "one", 600)
    write_log(tmp_path / "many", 1, 99, 156, 1, 255, 88)
    assert snapshot(tmp_path / "one").items() <= snapshot(tmp_path / "many").items()


def test_partial_tiles_stay_until_the_full_tile_is_published(tmp_path):
    signer = write_log(tmp_path, 100, 100)
    assert {"tile/0/000.p/100", "tile/0/000.p/200", "tile/entries/000.p/100"} <= set(snapshot(tmp_path))
    with LogWriter(tmp_path, signer) as writer:
        writer.append_and_publish(entries_of(100, 200))
    assert set(snapshot(tmp_path)) == {
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/44",
    }
    assert read_all(tmp_path) == (300, entries_of(300))


@pytest.mark.parametrize(("first", "second"), [(0, 1), (5, 3), (255, 2), (256, 1), (200, 400)])
def test_a_crash_before_any_step_loses_nothing_signed_and_repeats_nothing(tmp_path, first, second):
    complete = KillAt(10**6)
    for step in range(100):
        directory = tmp_path / str(step)
        signer = write_log(directory, first)
        before = (directory / "checkpoint").read_bytes()
        doomed = KillAt(step)
        writer = LogWriter(directory, signer, on_step=doomed)
        writer.open()
        try:
            writer.append_and_publish(entries_of(second, first))
        except Killed:
            published, entries = read_all(directory)
            assert entries == entries_of(published)
            # Published are the signed old state or, once the checkpoint was renamed, the new one.
            assert published == first or "checkpoint" in doomed.names
            assert (published == first) == ((directory / "checkpoint").read_bytes() == before)
        else:
            complete = doomed
        writer.close()
        with LogWriter(directory, signer) as again:
            if again.size == first:
                # Never signed, so the ledger decides anew what comes here; other entries may.
                again.append_and_publish(entries_of(second + 1, first))
                size = first + second + 1
            else:
                size = first + second
            assert read_all(directory) == (size, entries_of(size))
            again.append_and_publish(entries_of(300, size))
        assert read_all(directory) == (size + 300, entries_of(size + 300))
        assert_single_history(signer)
        if complete is doomed:
            break
    assert complete.names.index("sign") < complete.names.index("checkpoint") < complete.names.index("published")
    assert all(name.startswith("tile/") for name in complete.names[: complete.names.index("sign")])


@pytest.mark.parametrize(("first", "second"), [(5, 3), (200, 100)])
def test_a_crash_at_any_system_call_that_makes_something_durable_is_survived(tmp_path, monkeypatch, first, second):
    for calls in range(200):
        directory = tmp_path / str(calls)
        signer = write_log(directory, first)
        countdown = Countdown(calls)
        writer = LogWriter(directory, signer)
        writer.open()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", countdown.before(os.fsync))
            patch.setattr(Path, "replace", countdown.before(Path.replace))
            patch.setattr(Path, "unlink", countdown.before(Path.unlink))
            with contextlib.suppress(Killed):
                writer.append_and_publish(entries_of(second, first))
        writer.close()
        assert read_all(directory)[0] in {first, first + second}
        with LogWriter(directory, signer) as again:
            again.append_and_publish(entries_of(700, again.size))
            assert read_all(directory) == (again.size, entries_of(again.size))
        assert_single_history(signer)
        if countdown.left >= 0:
            break
    assert calls >= 9


class Countdown:
    """Lets so many calls through, then dies."""

    def __init__(self, calls):
        self.left = calls

    def before(self, function):
        def call(*arguments):
            self.left -= 1
            if self.left < 0:
                raise Killed(function)
            return function(*arguments)

        return call


def assert_single_history(signer):
    """Every note ever signed is a prefix of the last one, and sizes never decrease."""
    checkpoints = [open_checkpoint(note, VERIFIER) for note in signer.notes]
    sizes = [checkpoint.size for checkpoint in checkpoints]
    assert sizes == sorted(sizes)
    leaves = [leaf_hash(entry) for entry in entries_of(sizes[-1])]
    assert all(root_of(leaves[: checkpoint.size]) == checkpoint.root for checkpoint in checkpoints)


def test_other_entries_may_take_the_place_of_unsigned_ones(tmp_path):
    signer = write_log(tmp_path, 250)
    writer = LogWriter(tmp_path, signer, on_step=kill_before("sign"))
    writer.open()
    with pytest.raises(Killed):
        writer.append_and_publish([b"lost"] * 300)
    with LogWriter(tmp_path, signer) as again:
        again.append_and_publish(entries_of(300, 250))
    assert read_all(tmp_path) == (550, entries_of(550))


def test_a_marked_but_unpublished_state_is_signed_again_as_it_is(tmp_path):
    signer = write_log(tmp_path, 10)
    writer = LogWriter(tmp_path, signer, on_step=kill_before("checkpoint"))
    writer.open()
    with pytest.raises(Killed):
        writer.append_and_publish(entries_of(5, 10))
    assert signer.mark().size == 15
    assert read_all(tmp_path)[0] == 10
    with LogWriter(tmp_path, signer) as again:
        assert again.size == 15
    assert read_all(tmp_path) == (15, entries_of(15))
    assert len(signer.notes) == 3


def test_a_restored_older_directory_is_refused(tmp_path):
    signer = write_log(tmp_path / "log", 10)
    shutil.copytree(tmp_path / "log", tmp_path / "backup")
    with LogWriter(tmp_path / "log", signer) as writer:
        writer.append_and_publish(entries_of(10, 10))
    before = snapshot(tmp_path / "backup")
    with pytest.raises(RefusedError, match="behind the vault's mark"):
        LogWriter(tmp_path / "backup", signer).open()
    assert snapshot(tmp_path / "backup") == before
    assert len(signer.notes) == 2


def test_a_restored_older_vault_is_refused(tmp_path):
    signer = write_log(tmp_path, 10)
    old = MemorySigner(signer.mark())
    with LogWriter(tmp_path, signer) as writer:
        writer.append_and_publish(entries_of(10, 10))
    for stale in (old, MemorySigner(), MemorySigner(Checkpoint(ORIGIN, 0, EMPTY_ROOT))):
        with pytest.raises(RefusedError, match="the vault is older than the public directory"):
            LogWriter(tmp_path, stale).open()
        assert stale.notes == []


def test_a_vault_of_another_history_or_another_log_is_refused(tmp_path):
    write_log(tmp_path, 10)
    with pytest.raises(RefusedError, match="two histories"):
        LogWriter(tmp_path, MemorySigner(Checkpoint(ORIGIN, 10, bytes(32)))).open()
    with pytest.raises(RefusedError, match="signs for"):
        LogWriter(tmp_path, MemorySigner(Checkpoint("example.org/other", 10, bytes(32)))).open()
    root = root_of([leaf_hash(entry) for entry in entries_of(9)])
    (tmp_path / "checkpoint").write_bytes(sign_note(Checkpoint(ORIGIN, 9, root).text(), ORIGIN, KEY))
    with pytest.raises(RefusedError, match="fold to the root"):
        LogWriter(tmp_path, MemorySigner(Checkpoint(ORIGIN, 10, bytes(32)))).open()


def test_every_file_that_the_mark_implies_must_be_there(tmp_path):
    signer = write_log(tmp_path, 600)
    for path in sorted(set(snapshot(tmp_path)) - {"checkpoint"}):
        file = tmp_path / path
        data = file.read_bytes()
        file.unlink()
        with pytest.raises(RefusedError, match=path):
            LogWriter(tmp_path, signer).open()
        if "entries" not in path:
            file.write_bytes(data[:-1])
            with pytest.raises(RefusedError, match=path):
                LogWriter(tmp_path, signer).open()
        file.write_bytes(data)
    with LogWriter(tmp_path, signer) as writer:
        assert writer.size == 600


def test_a_last_bundle_that_does_not_fit_its_tile_is_refused(tmp_path):
    signer = write_log(tmp_path, 3)
    bundle = tmp_path / "tile/entries/000.p/3"
    good = bundle.read_bytes()
    for changed in (good[:-1], good[:-1] + b"x"):
        bundle.write_bytes(changed)
        with pytest.raises(RefusedError, match=r"tile/entries/000\.p/3"):
            LogWriter(tmp_path, signer).open()


def test_a_published_checkpoint_that_does_not_parse_is_refused(tmp_path):
    signer = write_log(tmp_path, 3)
    (tmp_path / "checkpoint").write_bytes(b"rubbish")
    with pytest.raises(RefusedError, match="not a checkpoint"):
        LogWriter(tmp_path, signer).open()


def test_a_second_writer_in_the_same_directory_is_refused(tmp_path):
    signer = write_log(tmp_path, 3)
    with LogWriter(tmp_path, signer) as writer:
        with pytest.raises(RefusedError, match="another log writer"):
            LogWriter(tmp_path, signer).open()
        with pytest.raises(RefusedError, match="open already"):
            writer.open()
        writer.append_and_publish(entries_of(1, 3))
    with LogWriter(tmp_path, signer) as writer:
        assert writer.size == 4


def test_a_writer_that_was_overtaken_elsewhere_cannot_sign(tmp_path):
    signer = write_log(tmp_path / "a", 3)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    paused = LogWriter(tmp_path / "a", signer)
    paused.open()
    with LogWriter(tmp_path / "b", signer) as leader:
        leader.append_and_publish(entries_of(2, 3))
    with pytest.raises(RefusedError, match="the mark is at 5"):
        paused.append_and_publish([b"fork", b"fork"])
    assert read_all(tmp_path / "a") == (3, entries_of(3))
    with pytest.raises(RefusedError, match="not open"):
        paused.append_and_publish([b"again"])
    assert_single_history(signer)


def test_an_overtaken_writer_does_not_overwrite_what_the_new_one_had_signed(tmp_path):
    signer = write_log(tmp_path, 3)
    paused = LogWriter(tmp_path, signer)
    paused.open()
    # The lock does not reach another machine on shared storage; there only the signer knows.
    (tmp_path / ".writer.lock").unlink()
    with LogWriter(tmp_path, signer) as leader:
        leader.append_and_publish(entries_of(2, 3))
    before = snapshot(tmp_path)
    with pytest.raises(RefusedError, match="another writer has taken over"):
        paused.append_and_publish([b"fork", b"fork"])
    assert snapshot(tmp_path) == before


def test_the_published_size_never_decreases(tmp_path):
    signer = write_log(tmp_path / "a", 3)
    with LogWriter(tmp_path / "a", signer) as writer:
        larger = Checkpoint(ORIGIN, 50, bytes(32))
        (tmp_path / "a/checkpoint").write_bytes(sign_note(larger.text(), ORIGIN, KEY))
        with pytest.raises(RefusedError, match="size 50 is published already"):
            writer.append_and_publish(entries_of(1, 3))


def test_a_signer_that_signs_something_else_is_not_published(tmp_path):
    class Confused(MemorySigner):
        def sign(self, size, root, consistency_proof, old_size):
            return sign_note(Checkpoint(ORIGIN, size + 1, root).text(), ORIGIN, KEY)

    with LogWriter(tmp_path, Confused()) as writer, pytest.raises(RefusedError, match="was asked for size 1"):
        writer.append_and_publish([b"entry"])
    assert not (tmp_path / "checkpoint").exists()


def test_an_empty_log_is_published_once(tmp_path):
    signer = MemorySigner()
    with LogWriter(tmp_path, signer) as writer:
        assert writer.size == 0
        first = writer.append_and_publish([])
        assert first == Checkpoint(ORIGIN, 0, EMPTY_ROOT)
        assert writer.append_and_publish([]) == first
    assert len(signer.notes) == 1
    assert read_all(tmp_path) == (0, [])


def test_an_entry_too_long_is_refused_before_anything_is_written(tmp_path):
    signer = write_log(tmp_path, 3)
    before = snapshot(tmp_path)
    with LogWriter(tmp_path, signer) as writer:
        with pytest.raises(MalformedError):
            writer.append_and_publish([b"fine", bytes(65_536)])
        assert snapshot(tmp_path) == before
        writer.append_and_publish([bytes(65_535), b""])
        assert writer.size == 5


def test_a_failing_disk_closes_the_writer(tmp_path):
    signer = write_log(tmp_path, 3)
    writer = LogWriter(tmp_path, signer)
    writer.open()
    (tmp_path / "tile/0/000.p/4").mkdir()
    with pytest.raises(OSError, match="directory"):
        writer.append_and_publish(entries_of(1, 3))
    with pytest.raises(RefusedError, match="not open"):
        assert writer.size


@settings(max_examples=40)
@given(st.integers(0, 1000), st.integers(0, 600))
def test_growth_has_the_root_and_the_consistency_proof_of_the_whole_tree(old_size, more):
    edge = RightEdge(0).grow(entries_of(old_size)).edge
    growth = edge.grow(entries_of(more, old_size))
    leaves = [leaf_hash(entry) for entry in entries_of(old_size + more)]
    assert growth.root == growth.edge.root() == root_of(leaves)
    assert growth.consistency_proof == consistency_path(leaves, old_size)
    assert growth.edge == RightEdge(0).grow(entries_of(old_size + more)).edge
    assert all(len(hashes) < 256 for hashes in growth.edge.tiles)
