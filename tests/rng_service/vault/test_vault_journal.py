import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rng_service.vault import journal as journal_module
from rng_service.vault.entries import (
    PoolActivated,
    PoolErased,
    PoolSealed,
    PoolVoided,
    SlotsOpened,
    encode_activated,
    encode_erased,
    encode_opened,
    encode_sealed,
    encode_voided,
    parse_entries,
)
from rng_service.vault.errors import JournalError
from rng_service.vault.journal import GENESIS, Frame, Journal, Mark
from rng_service.vault.steps import no_step

PAYLOADS = [b"first", b"second entry", b"x" * 100, b"\x00\x00\x00\x00", b"last"]


def reopen(
    directory: Path, *, must_contain: Mark | None = None, segment_bytes: int = 4096, extension_bytes: int = 512
) -> tuple[Journal, list[Frame]]:
    frames: list[Frame] = []
    journal = Journal(
        directory,
        replay=frames.append,
        on_step=no_step,
        must_contain=must_contain,
        segment_bytes=segment_bytes,
        extension_bytes=extension_bytes,
    )
    return journal, frames


def written(directory: Path, payloads: list[bytes] = PAYLOADS) -> tuple[Path, int]:
    """Write frames, and return the one segment and the offset behind the last frame."""
    journal, _ = reopen(directory)
    for payload in payloads:
        journal.append(payload)
    end = journal._position
    journal.close()
    (segment,) = directory.glob("*.journal")
    return segment, end


def test_frames_are_replayed_in_order_with_their_heads(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    journal, frames = reopen(directory)
    assert frames == []
    assert (journal.sequence, journal.head) == (0, GENESIS)
    assert [journal.append(payload) for payload in PAYLOADS] == [1, 2, 3, 4, 5]
    journal.close()
    again, frames = reopen(directory)
    assert [frame.payload for frame in frames] == PAYLOADS
    assert [frame.sequence for frame in frames] == [1, 2, 3, 4, 5]
    assert (again.sequence, again.head) == (journal.sequence, journal.head)
    assert list(again.read_after(0)) == frames
    assert list(again.read_after(3)) == frames[3:]
    assert list(again.read_after(5)) == []
    again.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=700), max_size=30))
def test_any_frames_survive_segments_and_restarts(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes]
) -> None:
    directory = tmp_path_factory.mktemp("any") / "journal"
    for part in (payloads[:10], payloads[10:]):
        journal, _ = reopen(directory, segment_bytes=1024, extension_bytes=64)
        for payload in part:
            journal.append(payload)
        journal.close()
    journal, frames = reopen(directory, segment_bytes=1024, extension_bytes=64)
    assert [frame.payload for frame in frames] == payloads
    for after in range(len(payloads) + 1):
        assert [frame.payload for frame in journal.read_after(after)] == payloads[after:]
    journal.close()


def test_a_torn_last_frame_is_cut_wherever_it_was_torn(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    segment, end = written(directory)
    whole = segment.read_bytes()
    start = end - 40  # the last frame: u32, 4 bytes, no padding, 32 bytes head
    assert whole[start : start + 4] == b"\x00\x00\x00\x04"
    for kept in range(start, end, 8):
        # A prefix reached the disk, or only what came after it did.
        for torn in (whole[:kept] + bytes(len(whole) - kept), _without(whole, start, kept)):
            if torn == whole:
                continue
            segment.write_bytes(torn)
            journal, frames = reopen(directory)
            assert [frame.payload for frame in frames] == PAYLOADS[:-1]
            journal.append(b"another")
            journal.close()
            journal, frames = reopen(directory)
            assert [frame.payload for frame in frames] == [*PAYLOADS[:-1], b"another"]
            journal.close()


def _without(data: bytes, start: int, end: int) -> bytes:
    return data[:start] + bytes(end - start) + data[end:]


def test_damage_anywhere_refuses_with_file_and_offset(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    segment, end = written(directory)
    whole = segment.read_bytes()
    for position in range(48, end):
        damaged = bytearray(whole)
        damaged[position] ^= 0x40
        if _is_padding(whole, position):
            continue
        segment.write_bytes(damaged)
        with pytest.raises(JournalError, match=rf"{segment.name}: offset \d+"):
            reopen(directory)
    segment.write_bytes(whole)
    reopen(directory)[0].close()


def _is_padding(data: bytes, position: int) -> bool:
    offset = 48
    while offset < position:
        length = int.from_bytes(data[offset : offset + 4], "big")
        end = offset + journal_module._frame_bytes(length)
        if position < end:
            return offset + 4 + length <= position < end - 32
        offset = end
    return False


def test_a_damaged_length_does_not_hide_the_frames_behind_it(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    segment, _ = written(directory)
    whole = segment.read_bytes()
    for length in (0, 1, 4, 200, 400, 2**22, 2**32 - 1):
        segment.write_bytes(whole[:48] + length.to_bytes(4, "big") + whole[52:])
        with pytest.raises(JournalError, match="offset 48: frame 1 is damaged"):
            reopen(directory)


def test_reading_starts_near_the_wanted_frame(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    journal, _ = reopen(directory, segment_bytes=40_000)
    for number in range(1000):
        journal.append(number.to_bytes(4, "big"))
    for subject in (journal, reopen(directory, segment_bytes=40_000)[0]):
        assert [place.sequence for place in subject._index] == [1, 257, 513, 769]
        for after in (0, 255, 256, 257, 768, 998, 999):
            found = list(subject.read_after(after))
            assert [frame.sequence for frame in found] == list(range(after + 1, 1001))
            assert found[-1] == Frame(1000, journal.head, (999).to_bytes(4, "big"))
        assert list(subject.read_after(1000)) == list(subject.read_after(2**63)) == []
        subject.close()


def test_a_missing_or_foreign_segment_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    journal, _ = reopen(directory, segment_bytes=256, extension_bytes=64)
    for number in range(8):
        journal.append(bytes([number + 1]) * 100)
    journal.close()
    segments = sorted(directory.glob("*.journal"))
    assert len(segments) > 3
    moved = segments[1].rename(tmp_path / "moved")
    with pytest.raises(JournalError, match="does not continue frame"):
        reopen(directory, segment_bytes=256)
    moved.rename(segments[1])
    first = segments[0].rename(tmp_path / "moved")
    with pytest.raises(JournalError, match="does not continue frame 0"):
        reopen(directory, segment_bytes=256)
    first.rename(segments[0])
    (directory / "notes.journal").write_bytes(b"")
    with pytest.raises(JournalError, match=r"offset 0|not a segment"):
        reopen(directory, segment_bytes=256)


def test_a_torn_frame_in_an_older_segment_is_damage(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    journal, _ = reopen(directory, segment_bytes=256, extension_bytes=64)
    for number in range(4):
        journal.append(bytes([number + 1]) * 100)
    journal.close()
    first = min(directory.glob("*.journal"))
    data = first.read_bytes().rstrip(b"\x00")
    first.write_bytes(data[:-3] + bytes(3))
    with pytest.raises(JournalError, match="damaged"):
        reopen(directory, segment_bytes=256)


def test_an_older_journal_than_the_mark_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    journal, _ = reopen(directory)
    journal.append(b"one")
    early = Mark(journal.sequence, journal.head)
    old = {path.name: path.read_bytes() for path in directory.iterdir()}
    journal.append(b"two")
    late = Mark(journal.sequence, journal.head)
    journal.close()
    for mark in (early, late, Mark(0, GENESIS)):
        reopen(directory, must_contain=mark)[0].close()
    with pytest.raises(JournalError, match="another journal"):
        reopen(directory, must_contain=Mark(1, bytes(32)))
    for name, data in old.items():
        (directory / name).write_bytes(data)
    reopen(directory, must_contain=early)[0].close()
    with pytest.raises(JournalError, match=r"ends at frame 1.*frame 2"):
        reopen(directory, must_contain=late)


def test_a_full_disk_refuses_the_frame_and_a_later_one_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "journal"
    journal, _ = reopen(directory, extension_bytes=128)
    journal.append(b"fits")
    real = os.pwrite

    def full(_descriptor: int, _data: bytes, _position: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(JournalError, match="free disk space"):
        journal.append(b"y" * 300)
    monkeypatch.setattr(os, "pwrite", real)
    assert journal.append(b"y" * 300) == 2
    journal.close()
    assert [frame.payload for frame in reopen(directory)[1]] == [b"fits", b"y" * 300]


def test_after_a_failed_sync_the_journal_stays_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "journal"
    journal, _ = reopen(directory)
    real = os.fdatasync

    def fails(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(JournalError, match="could not be written"):
        journal.append(b"one")
    monkeypatch.setattr(os, "fdatasync", real)
    with pytest.raises(JournalError, match="restart the vault"):
        journal.append(b"two")
    journal.close()


@pytest.mark.parametrize("step", ["journal.written", "journal.synced"])
def test_an_interrupted_append_is_decided_by_the_next_start(tmp_path: Path, step: str) -> None:
    directory = tmp_path / "journal"

    def interrupt(name: str) -> None:
        if name == step:
            raise KeyboardInterrupt

    reopen(directory)[0].close()
    journal = Journal(directory, replay=lambda _frame: None, on_step=interrupt)
    with pytest.raises(KeyboardInterrupt):
        journal.append(b"one")
    # The frame may be on the disk; another in its place would be a second answer.
    with pytest.raises(JournalError, match="restart the vault"):
        journal.append(b"two")
    journal.close()
    assert [frame.payload for frame in reopen(directory)[1]] == [b"one"]


def test_a_disk_that_fails_while_room_is_made_stops_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "journal"
    journal, _ = reopen(directory, extension_bytes=128)
    real = os.fsync

    def fails(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(JournalError, match="no room"):
        journal.append(b"y" * 300)
    monkeypatch.setattr(os, "fsync", real)
    with pytest.raises(JournalError, match="restart the vault"):
        journal.append(b"y")
    journal.close()
    assert reopen(directory)[1] == []


@pytest.mark.parametrize("payload", [b"", bytes(4 * 2**20 + 1)])
def test_a_frame_outside_the_limits_is_refused(tmp_path: Path, payload: bytes) -> None:
    journal, _ = reopen(tmp_path / "journal")
    with pytest.raises(JournalError, match="a frame holds"):
        journal.append(payload)
    journal.close()


def test_entries_are_read_back_as_they_were_written() -> None:
    data = (
        encode_sealed("p/1", 9, b"r" * 32)
        + encode_activated("p/1")
        + encode_opened("p/1", 2**40, 7, 3, b"h" * 32)
        + encode_voided("p/2")
        + encode_erased("p/1")
    )
    assert list(parse_entries(data)) == [
        PoolSealed("p/1", 9, b"r" * 32),
        PoolActivated("p/1"),
        SlotsOpened("p/1", 2**40, 7, 3, b"h" * 32),
        PoolVoided("p/2"),
        PoolErased("p/1"),
    ]


@pytest.mark.parametrize(
    "data", [b"\x01", b"\x03\x00\x00\x00\x01p", b"\x02\x00\x00\x00\x09p", b"\x09\x00\x00\x00\x01p", b"\x00"]
)
def test_bytes_that_no_entry_wrote_are_refused(data: bytes) -> None:
    with pytest.raises(JournalError, match="journal frame"):
        list(parse_entries(data))
