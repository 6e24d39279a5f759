"""The request journal: what is on disk after a crash at any moment, and what a new client makes of it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from client_world import CALLER, StillTime, roulette
from hypothesis import given, settings
from hypothesis import strategies as st

from rng_service.client import Client, FileJournal, JournalEntry, JournalError, MemoryJournal
from rng_service.fake import FakeServer
from rng_service.request_id import new_request_id

GAME = ("european-roulette", "base")

CHILD = """
import os, signal, sys
from pathlib import Path
from rng_service.client import Client, FileJournal

target, path, moment = sys.argv[1:]


class Dying(FileJournal):
    def begin(self, entry):
        super().begin(entry)
        if moment == "persisted":
            os.kill(os.getpid(), signal.SIGKILL)

    def finish(self, request_id):
        if moment == "answered":
            os.kill(os.getpid(), signal.SIGKILL)
        super().finish(request_id)


client = Client(
    target, caller="casino", journal=Dying(Path(path)), development=True, origin="fake/dev", verify="off"
)
sys.stdout.write("ready\\n")
sys.stdout.flush()
client.reserve("european-roulette", "base", session="evening")
"""


def entry(number=0, **fields):
    members = {"request_id": new_request_id(1_700_000_000_000 + number), "method": "Draw", "request": b"%d" % number}
    return JournalEntry(**(members | fields))


def reopened(path, **options):
    journal = FileJournal(path, **options)
    pending = journal.pending()
    journal.close()
    return pending


def test_begun_requests_survive_and_finished_ones_are_gone(tmp_path):
    path = tmp_path / "deep" / "requests.journal"
    first, second = entry(1), entry(2, method="Reserve", seed=b"s" * 32)
    journal = FileJournal(path)
    journal.begin(first)
    journal.begin(second)
    journal.finish(first.request_id)
    journal.close()
    journal.close()
    assert reopened(path) == [second]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_request_is_on_disk_when_begin_returns(tmp_path):
    path = tmp_path / "requests.journal"
    journal = FileJournal(path)
    made = entry(1)
    journal.begin(made)
    copy = tmp_path / "copy.journal"
    copy.write_bytes(path.read_bytes())
    assert reopened(copy) == [made]
    journal.close()


def test_a_finish_that_was_not_written_brings_the_request_back(tmp_path):
    path = tmp_path / "requests.journal"
    journal = FileJournal(path)
    made = entry(1)
    journal.begin(made)
    before = path.read_bytes()
    journal.finish(made.request_id)
    assert path.read_bytes() == before
    journal.close()
    assert reopened(path) == []


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(1, 200), tail=st.binary(max_size=40))
def test_whatever_a_crash_leaves_of_the_last_line_is_cut_off(tmp_path_factory, cut, tail):
    path = tmp_path_factory.mktemp("journal") / "requests.journal"
    journal = FileJournal(path)
    kept, torn = entry(1), entry(2)
    journal.begin(kept)
    good = path.read_bytes()
    journal.begin(torn)
    journal.close()
    whole = path.read_bytes()
    last = whole[len(good) :]
    path.write_bytes(good + last[: min(cut, len(last) - 1)] + tail.replace(b"\n", b""))
    assert reopened(path) == [kept]
    assert path.read_bytes() == good


def test_damage_before_a_good_line_is_refused(tmp_path):
    path = tmp_path / "requests.journal"
    journal = FileJournal(path)
    journal.begin(entry(1))
    journal.begin(entry(2))
    journal.close()
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalError, match="damaged"):
        FileJournal(path)
    with pytest.raises(JournalError, match="damaged"):
        FileJournal(path)


def test_a_journal_belongs_to_one_process_at_a_time(tmp_path):
    path = tmp_path / "requests.journal"
    journal = FileJournal(path)
    with pytest.raises(JournalError, match="another process"):
        FileJournal(path)
    journal.close()
    assert reopened(path) == []


def test_a_file_of_answered_requests_is_rewritten_with_what_is_pending(tmp_path):
    path = tmp_path / "requests.journal"
    journal = FileJournal(path, compact_bytes=4_000)
    kept = entry(0)
    journal.begin(kept)
    for number in range(1, 200):
        made = entry(number)
        journal.begin(made)
        journal.finish(made.request_id)
    assert path.stat().st_size < 8_000
    last = entry(1_000)
    journal.begin(last)
    journal.close()
    assert reopened(path) == [kept, last]


def test_a_file_of_pending_requests_is_left_as_it_is(tmp_path):
    path = tmp_path / "requests.journal"
    journal = FileJournal(path, compact_bytes=1_000)
    made = [entry(number) for number in range(60)]
    for item in made:
        journal.begin(item)
    journal.close()
    assert reopened(path) == made


def test_threads_that_begin_together_are_all_durable(tmp_path):
    path = tmp_path / "requests.journal"
    journal = FileJournal(path, compact_bytes=3_000)
    made = [entry(number) for number in range(64)]
    failed = []

    def work(items):
        try:
            for item in items:
                journal.begin(item)
                journal.finish(item.request_id)
            journal.begin(entry(1_000 + int(items[0].request)))
        except JournalError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(made[start::8],)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert failed == []
    assert sorted(int(item.request) for item in reopened(path)) == [1_000 + number for number in range(8)]


def test_a_disk_that_fails_once_is_never_trusted_again(tmp_path, monkeypatch):
    path = tmp_path / "requests.journal"
    journal = FileJournal(path)

    def fail(_descriptor):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(JournalError, match="Input/output error"):
            journal.begin(entry(1))
    with pytest.raises(JournalError, match="Input/output error"):
        journal.begin(entry(2))
    journal.close()


def test_a_closed_journal_takes_nothing(tmp_path):
    journal = FileJournal(tmp_path / "requests.journal")
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.begin(entry(1))


@pytest.mark.parametrize("make", [lambda path: MemoryJournal(), lambda path: FileJournal(path / "r.journal")])
def test_the_same_request_may_be_begun_again_and_another_may_not(tmp_path, make):
    journal = make(tmp_path)
    made = entry(1)
    journal.begin(made)
    journal.begin(made)
    assert journal.pending() == [made]
    with pytest.raises(JournalError, match="another request"):
        journal.begin(JournalEntry(made.request_id, "Draw", b"other"))
    journal.finish("unknown")
    journal.finish(made.request_id)
    assert journal.pending() == []
    journal.close()


def run_child(fake, path, moment):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, fake.target, str(path), moment],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert child.stdout.readline() == b"ready\n"
    return child


def restarted(fake, path):
    time = StillTime()
    return Client(
        fake.target,
        caller=CALLER,
        journal=path,
        development=True,
        origin=fake.origin,
        verify="off",
        surroundings=time.surroundings(),
    )


def test_a_process_killed_before_it_sent_leaves_an_id_that_is_fenced_at_the_next_start(tmp_path):
    path = tmp_path / "requests.journal"
    with FakeServer([roulette()]) as fake:
        child = run_child(fake, path, "persisted")
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
        assert fake.calls == []
        with restarted(fake, path) as client:
            (found,) = client.recovered
            assert not found.bound
        assert [name for name, _ in fake.calls] == ["ResolveRequest"]
    assert reopened(path) == []


def test_a_process_killed_while_the_answer_was_on_its_way_finds_its_ticket_and_draws_on_it(tmp_path):
    path = tmp_path / "requests.journal"
    committed, killed = threading.Event(), threading.Event()

    def on_commit(method):
        if method == "Reserve":
            committed.set()
            killed.wait(60)

    with FakeServer([roulette()], on_commit=on_commit) as fake:
        child = run_child(fake, path, "sent")
        assert committed.wait(60)
        child.kill()
        assert child.wait() == -signal.SIGKILL
        killed.set()
        child.stdout.close()
        with restarted(fake, path) as client:
            (found,) = client.recovered
            assert found.bound
            receipt = client.draw(*GAME, session="evening", ticket=found.ticket)
    assert receipt.slot == found.ticket.receipt.slot
    assert receipt.file.ticket == found.ticket.receipt.file.record
    assert reopened(path) == []


def test_a_process_killed_after_the_answer_learns_it_again(tmp_path):
    path = tmp_path / "requests.journal"
    with FakeServer([roulette()]) as fake:
        child = run_child(fake, path, "answered")
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
        with restarted(fake, path) as client:
            assert [item.bound for item in client.recovered] == [True]
        with restarted(fake, path) as client:
            assert client.recovered == ()
    assert [name for name, _ in fake.calls] == ["Reserve", "ResolveRequest"]


def test_a_start_without_the_service_keeps_the_journal_as_it_is(tmp_path):
    path = tmp_path / "requests.journal"
    journal = FileJournal(path)
    made = entry(1)
    journal.begin(made)
    journal.close()
    from rng_service.client import Unavailable

    with FakeServer([roulette()]) as fake:
        fake.fail_next("UNAVAILABLE", "DRAINING", times=20)
        with pytest.raises(Unavailable):
            restarted(fake, path)
    assert reopened(path) == [made]
