import os
import stat

import pytest

from anchor import files
from anchor.errors import MalformedError, MissingError, RefusedError


def test_a_written_file_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "new/directory/file"
    files.atomic_write(path, b"one")
    files.atomic_write(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_the_old_file_stays_when_the_new_one_cannot_be_completed(tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.atomic_write(path, b"old")

    def fail(descriptor):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="disk full"):
            files.atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    files.atomic_write(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_contents_are_durable_before_the_name_and_the_name_before_the_return(tmp_path, monkeypatch):
    steps = []
    sync, replace = os.fsync, type(tmp_path).replace

    def recording_sync(descriptor):
        steps.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def recording_replace(self, target):
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recording_sync)
    monkeypatch.setattr(type(tmp_path), "replace", recording_replace)
    files.atomic_write(tmp_path / "file", b"data")
    assert steps == ["file", "rename", "directory"]
    files.atomic_write(tmp_path / "a/b", b"data")
    assert steps[3:] == ["directory", "file", "rename", "directory"]


def test_an_immutable_file_may_be_written_again_but_not_changed(tmp_path):
    path = tmp_path / "file"
    files.write_immutable(path, b"data")
    files.write_immutable(path, b"data")
    with pytest.raises(RefusedError, match="must never change"):
        files.write_immutable(path, b"other")
    assert path.read_bytes() == b"data"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "a//b",
        "a/",
        "..",
        "../a",
        "a/../b",
        "./a",
        ".hidden",
        "a/.git/b",
        "a\\b",
        "a\x00b",
        "a\nb",
        "a" * 1025,
    ],
)
def test_paths_that_are_not_plain_are_refused(tmp_path, path):
    with pytest.raises(MalformedError):
        files.open_beneath(tmp_path, path)


def test_links_are_followed_only_within_the_directory(tmp_path):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub/file").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    (root / "inside").symlink_to("sub/file")
    (root / "outside").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("..")
    (root / "circle").symlink_to("circle")
    with files.open_beneath(root, "inside") as file:
        assert file.read() == b"inside"
    for path in ("outside", "up/secret", "circle", "missing", "sub/file/below"):
        with pytest.raises(MissingError, match=path):
            files.open_beneath(root, path)


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    for path in ("pipe", "directory"):
        with pytest.raises(MissingError):
            files.open_beneath(tmp_path, path)
    with pytest.raises(MissingError):
        files.open_beneath(tmp_path / "nowhere", "file")
