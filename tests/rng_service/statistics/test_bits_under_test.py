"""Bits under test: looking twice is looking once at all of it, one reader serves two batteries, nothing is read twice."""

import io
from hashlib import sha256

import numpy as np
import pytest

from rng_service.statistics.bits import NistExamination, WeaknessExamination
from rng_service.statistics.examination import Watch
from rng_service.statistics.tallies import Tally
from rng_service.statistics.taps import TappedStream
from stats_tests.errors import InputError
from stats_tests.nist import SUITE
from stats_tests.results import TestResult, not_applicable

DATA = np.random.default_rng(5).bytes(60_000)
BITS = 40_000


def nist(data=DATA, **options):
    return NistExamination(io.BytesIO(data), bits=BITS, **options)


def test_two_looks_at_sequences_are_one_look_at_all_of_them():
    heard = []
    twice, once = nist(hear=heard.append), nist()
    assert twice.extend(4) == 4
    assert twice.extend(12) == 12
    assert once.extend(None) == 12
    assert twice.hypotheses() == once.hypotheses()
    assert twice.tests() == once.tests()
    assert [result.index for result in heard] == list(range(12))


@pytest.mark.parametrize("beside", [False, True])
def test_two_looks_at_all_bytes_are_one_look_at_all_of_them(beside):
    twice, once = WeaknessExamination(io.BytesIO(DATA), bits=BITS), WeaknessExamination(io.BytesIO(DATA), bits=BITS)
    if beside:
        # Somebody else reads, in pieces of any size.
        twice = WeaknessExamination(bits=BITS)
        tap = TappedStream(io.BytesIO(DATA), twice.hear)
        for size in (1, 20_002, 17):
            tap.read(size)
        twice.extend(4)
        while tap.read(999):
            pass
        assert tap.sha256 == sha256(DATA).digest()
        assert tap.size == len(DATA)
    else:
        assert twice.extend(4) == 4
    assert twice.extend(12) == once.extend(None) == 12
    assert twice.hypotheses() == once.hypotheses()
    assert twice.tests() == once.tests()


def test_a_plan_reads_what_its_looks_need_and_no_more():
    stream = TappedStream(io.BytesIO(DATA))
    WeaknessExamination(stream, bits=BITS).extend(3)
    assert stream.size == 15_000
    stream = TappedStream(io.BytesIO(DATA))
    NistExamination(stream, bits=BITS).extend(3)
    assert stream.size == 15_000


def test_ctrl_c_between_sequences_keeps_whole_sequences():
    def interrupt(result):
        if result.index == 2:
            raise KeyboardInterrupt

    interrupted, whole = nist(hear=interrupt), nist()
    with pytest.raises(KeyboardInterrupt):
        interrupted.extend(None)
    whole.extend(3)
    assert interrupted.sequences == 3
    assert interrupted.finished == "3 sequences"
    assert interrupted.hypotheses() == whole.hypotheses()
    assert interrupted.tests() == whole.tests()


def test_ctrl_c_between_tests_keeps_what_is_finished():
    def interrupt(what, done, _total):
        if what == "tests for weak generators" and done == 2:
            raise KeyboardInterrupt

    examination = WeaknessExamination(io.BytesIO(DATA), watch=Watch(interrupt))
    with pytest.raises(KeyboardInterrupt):
        examination.extend(None)
    assert len(examination.tests()) == 2
    assert examination.finished.startswith("2 of ")


def test_each_test_is_counted_sequence_by_sequence():
    examination = nist()
    examination.extend(None)
    tests = {test.name: test for test in examination.tests()}
    assert list(tests) == [test.name for test in SUITE]
    assert (tests["rank"].asked, tests["rank"].skipped, tests["rank"].p_values) == (12, 0, 12)
    assert (tests["serial"].asked, tests["serial"].skipped, tests["serial"].p_values) == (12, 12, 0)
    assert tests["serial"].reason.startswith("needs at least 524288 bits")
    assert tests["serial"].smallest is None
    assert sum(tests["non_overlapping_template"].histogram) == 148 * 12


def test_a_tally_keeps_ends_in_their_bins_and_the_first_reason():
    tally = Tally("nist")
    for result in (TestResult("a", (0.0, 1.0)), not_applicable("a", 2, "first"), not_applicable("a", 2, "second")):
        tally.add(result, subject="s", lists=("list",))
    (found,) = tally.tests()
    assert (found.histogram[0], found.histogram[-1], sum(found.histogram)) == (1, 1, 2)
    assert (found.asked, found.skipped, found.p_values, found.smallest, found.reason) == (3, 2, 2, 0.0, "first")


@pytest.mark.parametrize(("data", "said"), [(b"", "empty"), (b"01\n", "is text"), (b"\xff\x01", "too few")])
def test_bits_that_cannot_be_used_are_refused(data, said):
    with pytest.raises(InputError, match=said):
        NistExamination(io.BytesIO(data))
    if said != "too few":
        with pytest.raises(InputError, match=said):
            WeaknessExamination(io.BytesIO(data)).extend(None)


def test_a_tapped_stream_hears_lines_too():
    heard = []
    tap = TappedStream(io.BytesIO(b"one\ntwo"), heard.append)
    assert [tap.readline(), tap.readline(2), tap.read(), tap.read()] == [b"one\n", b"tw", b"o", b""]
    assert b"".join(heard) == b"one\ntwo"
    assert tap.sha256 == sha256(b"one\ntwo").digest()
