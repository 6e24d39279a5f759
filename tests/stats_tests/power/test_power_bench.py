"""The power bench: its generators are the real ones, its named tests find them, and the page shows what it has."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from bench.power import __main__ as power  # noqa: E402
from bench.power import bits, mappings, running, seeded  # noqa: E402
from bench.power.batteries import SEQUENCE_BITS, Question, powers_of_two  # noqa: E402
from bench.power.calibration import KINDS, Tally, batches, run_batch, with_bounds  # noqa: E402
from bench.power.catalogue import BAD, BATTERIES, GOOD  # noqa: E402
from bench.power.search import ERROR_RATE, caught_by, search, thresholds_of  # noqa: E402
from bench.power.second_look import SEEDS, look  # noqa: E402
from bench.power.table import BEGIN, END, markdown, names_in, size_of, written_into  # noqa: E402
from stats_tests.multiple import Hypothesis  # noqa: E402

ENTRIES = {entry.name: entry for entry in BAD}
# These read tens of megabytes, or two to the 24th seeds; the full run has them.
EXPENSIVE = {"stuck bit, 1 in 1,000", "seeds of 24 bits, one session"}
CHEAP = [entry.name for entry in BAD if entry.witness is not None and entry.name not in EXPENSIVE]
UNSEEN = [entry.name for entry in BAD if entry.witness is None]
PAGE = ROOT / "docs" / "power.md"
PUBLISHED = ROOT / "bench" / "power" / "published.json"


def asked_once(entry, battery, size):
    question = entry.questions[battery]
    assert size in question.sizes
    (found,) = question.ask([size])
    return caught_by(found, thresholds_of(question))[0]


@pytest.mark.parametrize("name", CHEAP)
def test_a_bad_generator_is_caught_by_the_test_that_is_named_for_it(name):
    witness = ENTRIES[name].witness
    assert witness.test in asked_once(ENTRIES[name], witness.battery, witness.size)


def test_a_remainder_of_32_bits_is_not_caught_and_the_page_is_told_what_it_would_take():
    assert UNSEEN == ["uint32 % 52"]
    entry = ENTRIES["uint32 % 52"]
    assert not asked_once(entry, "gaming", 1 << 40)
    assert entry.needed == pytest.approx(1.1e19, rel=0.05)


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.name.startswith(("SP", "weakness, 16"))])
def test_a_good_generator_is_not_called_bad_at_these_seeds(name, kind):
    tally = run_batch(name, GOOD[name], kind, 0, 2)
    assert (tally.runs, tally.failed) == (2, 0)
    assert tally.suspicious <= 1


def test_fast_recurrences_are_the_slow_ones():
    states, state = [], 42 ^ 0x5DEECE66D
    for _ in range(100):
        state = (state * 0x5DEECE66D + 0xB) % 2**48
        states.append(state >> 16)
    assert bits.java_util_random(400).tobytes() == np.array(states, dtype=">u4").tobytes()
    upper, lower, words = 123_456_790, 362_436_070, []
    for _ in range(100):
        upper = 18_030 * (upper & 0xFFFF) + (upper >> 16)
        lower = 30_903 * (lower & 0xFFFF) + (lower >> 16)
        words.append((upper << 16) + (lower & 0xFFFF) & 0xFFFFFFFF)
    assert bits.mwc1616(400).tobytes() == np.array(words, dtype=">u4").tobytes()
    one, other, outputs = 1, 0x9E3779B97F4A7C15, []
    for _ in range(5_000):
        outputs.append(one + other & (1 << 64) - 1)
        one, other = other, one
        other ^= other << 23 & (1 << 64) - 1
        other ^= one ^ other >> 17 ^ one >> 26
    assert bits.xorshift128plus(40_000).tobytes() == np.array(outputs, dtype=">u8").tobytes()


def test_minimal_standard_and_randu_have_their_published_values():
    # Park and Miller (1988): from 1, the 10,000th value is 1,043,618,065. RANDU from 1: 65539, 393225, 1769499.
    assert bits.minimal_standard_low_bits(20_000)[-2:].tobytes() == (1_043_618_065 & 0xFFFF).to_bytes(2, "big")
    expected = b"".join((value >> 15).to_bytes(2, "big") for value in (65_539, 393_225, 1_769_499))
    assert bits.randu(6).tobytes() == expected


def test_splitmix64_has_its_published_values():
    # Its reference program begins with these from the state 1234567.
    states = np.uint64(1_234_567) + np.uint64(0x9E3779B97F4A7C15) * np.arange(1, 4, dtype=np.uint64)
    found = seeded._mixed(states).tolist()
    assert found == [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]


@pytest.mark.parametrize(
    "make",
    [bits.stuck_bit, bits.biased, bits.delivered_twice, bits.randu, bits.xorshift128plus, bits.our_drbg, bits.philox],
)
def test_a_longer_stream_begins_as_a_shorter_one(make):
    assert make(70_000)[:10_000].tobytes() == make(10_000).tobytes()


def test_the_counter_of_32_bits_begins_again():
    around = bits.aes_ctr32(4_096, first_block=(1 << 32) - 128)
    assert around[2_048:].tobytes() == bits.aes_ctr(2_048).tobytes()
    assert around[:2_048].tobytes() == bits.aes_ctr(2_048, first_block=(1 << 32) - 128).tobytes()
    assert bits.aes_ctr32(4_096).tobytes() == bits.aes_ctr(4_096).tobytes()


def test_faults_have_the_sizes_that_their_descriptions_say():
    clean = bits.aes_ctr(2_000_000)
    changed = int(np.count_nonzero(bits.stuck_bit(2_000_000) != clean))
    assert 850 < changed < 1_150  # half of the thousandth that is stuck was 1 already
    ones = np.unpackbits(bits.biased(2_000_000)).mean() - np.unpackbits(clean).mean()
    assert ones == pytest.approx(0.001, rel=0.1)
    stated, real = mappings.slot_shares()
    assert real[2] / stated[2] == pytest.approx(1.005, rel=0.002)
    assert float(real.sum()) == pytest.approx(1.0)
    assert mappings.shares_of_remainders(8, 6)[1].tolist() == [43 / 256] * 4 + [42 / 256] * 2


def test_a_search_spends_one_error_rate_over_all_its_sizes():
    seen = []

    def ask(sizes):
        for size in sizes:
            seen.append(size)
            yield [Hypothesis("coin[0]", 4e-5 if size == 4 else 0.5), Hypothesis("coin[1]", 1e-9 if size == 8 else 0.9)]

    question = Question("tosses", powers_of_two(1, 5), ask)
    assert thresholds_of(question).fail * len(question.sizes) == pytest.approx(ERROR_RATE)
    finding = search(question)
    assert (finding.caught, finding.size, finding.tests) == (True, 8, ("coin",))
    assert seen == [2, 4, 8]
    never = search(Question("tosses", (2, 4), ask))
    assert (never.caught, never.size, never.tests) == (False, 4, ())
    assert caught_by([], thresholds_of(question)) == ((), None)


def test_runs_of_good_generators_are_counted_against_the_exact_binomial_tail():
    kind = KINDS[1]
    assert batches(kind, 0.1) == [(0, 20)]
    assert sum(last - first for first, last in batches(kind)) == kind.runs
    tallies = [Tally("a", kind.name, 100, 3, 0), Tally("b", kind.name, 100, 0, 1)]
    summed = with_bounds(tallies)
    (total,) = summed["totals"]
    assert summed["all"] == {**total, "kind": "all"}
    assert (total["runs"], total["flagged"], total["failed"]) == (200, 4, 1)
    below = sum(np.prod([(200 - i) / (i + 1) for i in range(k)]) * 0.01**k * 0.99 ** (200 - k) for k in range(4))
    assert total["chance_of_so_many_flagged"] == pytest.approx(1 - below)


@pytest.mark.parametrize(
    ("size", "unit", "text"),
    [
        (1 << 14, "bytes", "16 KiB"),
        (1 << 26, "bytes", "64 MiB"),
        (64, "Mbit", "64 Mbit"),
        (1 << 30, "outcomes", "1,073,741,824 outcomes"),
        (1 << 14, "bytes behind 64 GiB", "64 GiB + 16 KiB"),
        (16, "bytes of each", "16 bytes of each"),
    ],
)
def test_sizes_are_written_for_people(size, unit, text):
    assert size_of(size, unit) == text


def test_the_published_table_names_exactly_the_generators_of_the_bench():
    page = PAGE.read_text(encoding="utf-8")
    assert names_in(page) == [entry.name for entry in BAD]
    for name in GOOD:
        assert f"| {name} |" in page


def test_the_published_table_is_the_published_figures():
    report = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    assert report["complete"]
    assert report["batteries"] == list(BATTERIES)
    assert written_into(page, report) == page
    assert markdown(report) in page
    with pytest.raises(ValueError, match="expected the lines"):
        written_into(page.replace(END, ""), report)
    assert page.count(BEGIN) == 1


def test_the_published_figures_say_of_every_generator_what_the_bench_expects():
    report = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    for found in report["bad"]:
        witness = ENTRIES[found["name"]].witness
        caught = {battery: finding for battery, finding in found["findings"].items() if finding["caught"]}
        assert set(found["findings"]) == set(ENTRIES[found["name"]].questions)
        assert bool(caught) == (witness is not None)
        if witness is not None:
            assert caught[witness.battery]["size"] <= witness.size
    for total in (*report["good"]["totals"], report["good"]["all"]):
        assert total["chance_of_so_many_flagged"] > 1e-3
        assert total["chance_of_so_many_failed"] > 1e-3
    assert SEQUENCE_BITS == 1_000_000


def test_a_second_look_asks_one_column_of_sequences_that_no_run_has_seen():
    found = look(bits.aes_ctr, (5,), template=85, sequences=6)
    assert 0.0 < found <= 1.0
    assert found == look(bits.aes_ctr, (5,), template=85, sequences=6)
    assert found != look(bits.aes_ctr, (5,), template=86, sequences=6)
    # Runs of the bench begin at a million.
    assert max(SEEDS) < 1_000_000


def test_a_part_of_the_bench_is_named_by_part_of_a_name_and_reported_alone():
    assert list(running.tasks_of(["nobody"], 1.0)) == []
    (task,) = running.tasks_of(["SATTOLO"], 1.0)
    finding, seconds = running._work(task)
    assert seconds > 0.0
    report = power._report(running.Found({(task.name, task.kind): finding}))
    assert [entry["name"] for entry in report["bad"]] == ["Sattolo's shuffle"]
    page = markdown({**report, "jobs": 1, "seconds": 1.0, "cpu_seconds": seconds})
    assert "**64 decks**: arrangements" in page
    assert "good generator" not in page
    good = [task for task in running.tasks_of(["philox"], 0.01) if task.kind.startswith("streams")]
    assert [running._work(task)[0].runs for task in good] == [2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "nobody"], "no generator is called nobody; there are: java.util.Random; "),
        (["--only", "RANDU", "--write"], "--write publishes a whole run"),
        (["--scale", "0.5", "--write"], "--write publishes a whole run"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_run(arguments, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["power", *arguments])
    assert power.main() == 2
    assert capsys.readouterr().err.startswith(said)
