import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.statistics.plans import (
    DEFAULT_LOOKS,
    MAX_PLAN_BYTES,
    PlannedLook,
    StatisticsPlan,
    parse_statistics_plan,
)
from stats_tests.multiple import DEFAULT_PLAN

PLANS = [
    StatisticsPlan("nist", bits=1_000_000),
    StatisticsPlan("weakness", bits=1 << 26, looks=(PlannedLook(1, Fraction(1, 10_000)),)),
    StatisticsPlan("gaming", outcomes=1),
    StatisticsPlan("all", bits=100, outcomes=1 << 27, suspicious=Fraction(1, 10)),
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.battery)
def test_a_plan_survives_its_document_which_names_it(plan):
    data = plan.to_bytes()
    assert parse_statistics_plan(data) == plan
    assert plan.digest == sha256(data).digest()


def test_the_default_looks_are_those_of_the_batteries():
    assert [(look.sequences, float(look.spend)) for look in DEFAULT_LOOKS] == [
        (look.sequences, look.fail) for look in DEFAULT_PLAN.looks
    ]
    assert PLANS[0].error_rate == Fraction(1, 10_000)


@given(
    st.lists(st.integers(1, 1_000_000), min_size=1, max_size=16, unique=True),
    st.integers(2_000, 10**9),
    st.sampled_from([{"battery": "nist", "bits": 4096}, {"battery": "gaming", "outcomes": 50}]),
)
def test_any_plan_that_can_be_made_is_read_back(sizes, spend, what):
    looks = tuple(PlannedLook(size, Fraction(1, spend)) for size in sorted(sizes))
    plan = StatisticsPlan(**what, looks=looks)
    assert parse_statistics_plan(plan.to_bytes()) == plan


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": "sealdraw/test-plan@v1"}, "expected the format"),
        ({"battery": "diehard"}, "the battery 'diehard'"),
        ({"battery": ["nist"]}, "expected a battery and looks"),
        ({"battery": "gaming"}, "the battery 'gaming'"),
        ({"more": 1}, "the battery 'nist'"),
        ({"looks": {}}, "expected a battery and looks"),
        ({"looks": []}, "1 to 16"),
        ({"looks": [{"sequences": size, "spend": "1/100000"} for size in range(1, 18)]}, "1 to 16"),
        ({"looks": [{"sequences": 1}]}, "sequences and spend"),
        ({"looks": [7]}, "sequences and spend"),
        ({"looks": [{"sequences": True, "spend": "1/20000"}]}, "sequences: expected an integer"),
        ({"looks": [{"sequences": 9, "spend": "1/20000"}, {"sequences": 9, "spend": "1/20000"}]}, "more sequences"),
        ({"looks": [{"sequences": 1, "spend": "1/1000000001"}]}, "each spends at least"),
        ({"looks": [{"sequences": 1, "spend": "1/200"}, {"sequences": 2, "spend": "1/199"}]}, "at most `suspicious`"),
        ({"suspicious": "2/200"}, "lowest terms"),
        ({"suspicious": "1/0"}, "lowest terms"),
        ({"suspicious": 0}, "lowest terms"),
        ({"suspicious": "1/1000001"}, "suspicious: expected"),
        ({"suspicious": "1/9"}, "suspicious: expected"),
        ({"bits": 99}, "bits: expected"),
        ({"bits": (1 << 26) + 1}, "bits: expected"),
        ({"bits": "1000000"}, "bits: expected"),
    ],
)
def test_a_plan_that_says_anything_else_is_refused(changed, message):
    document = canonical.decode(PLANS[0].to_bytes())
    with pytest.raises(MalformedError, match=message):
        parse_statistics_plan(canonical.encode({**document, **changed}))


def test_a_plan_that_is_too_long_or_not_canonical_is_refused():
    data = PLANS[0].to_bytes()
    for wrong in (data + b" ", data.replace(b":", b": ", 1), b"[]", b"x" * (MAX_PLAN_BYTES + 1)):
        with pytest.raises(MalformedError):
            parse_statistics_plan(wrong)


def test_a_plan_is_not_made_with_what_could_not_be_read():
    with pytest.raises(MalformedError, match="sequences are of outcomes"):
        StatisticsPlan("gaming", bits=100)
    with pytest.raises(MalformedError, match="battery"):
        replace(PLANS[0], battery="all of them")
    with pytest.raises(MalformedError, match="bits"):
        StatisticsPlan("nist", bits=1)


def test_an_auditor_reads_plans_without_numpy():
    code = "import sys, rng_service.statistics.plans; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
