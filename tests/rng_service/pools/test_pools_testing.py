"""The verdict on a pool: the code that the vault and auditors run, against a plain reading of PROTOCOL.md."""

import json
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from rng_service.encoding import pool_test_statement
from rng_service.games.files import no_files
from rng_service.games.reading import Node
from rng_service.games.steps import parse_steps
from rng_service.outcome import DrawKeyDeriver, Reels, Sample, Shuffle, Uniform, Weighted, compile_program
from rng_service.pools.plans import TESTS, TestPlan, parse_plan
from rng_service.pools.testing import judge_pool

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from make_outcome_vectors import describe  # noqa: E402
from plain_pool_test import judge  # noqa: E402

VECTORS = sorted((ROOT / "vectors" / "pool-tests").glob("*.json"))
COMMIT, BEACON = bytes(32), bytes(range(32))
STEPS = st.lists(
    st.one_of(
        st.builds(Uniform, st.integers(1, 200), st.integers(1, 2)),
        st.builds(Weighted, st.lists(st.integers(1, 2**40), min_size=1, max_size=70).map(tuple)),
        st.integers(1, 12).flatmap(lambda n: st.builds(Sample, st.just(n), st.integers(1, n))),
        st.builds(Shuffle, st.integers(1, 12)),
        st.lists(st.integers(1, 80), min_size=1, max_size=3).map(lambda n: Reels(tuple(("A",) * size for size in n))),
    ),
    min_size=1,
    max_size=2,
)
# Secrets of few different bytes fail often, and by every test.
SECRETS = st.one_of(
    st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=24),
    st.lists(st.integers(0, 2**16).map(lambda n: sha256(bytes([n % 251])).digest()), min_size=1, max_size=60),
    st.integers(1, 90).map(lambda n: [bytes([slot % 2]) * 32 for slot in range(n)]),
)
PLANS = st.builds(
    TestPlan,
    st.integers(20, 40),
    st.sets(st.sampled_from(TESTS), min_size=1).map(lambda names: tuple(name for name in TESTS if name in names)),
    st.integers(1, 400),
)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_frozen_verdicts_are_reproduced(path):
    given_ = json.loads(path.read_bytes())
    plan = parse_plan(given_["plan"].encode("ascii"))
    assert plan.digest.hex() == given_["plan_digest"]
    commit, beacon = bytes.fromhex(given_["commit_hash"]), bytes.fromhex(given_["beacon"])
    program = compile_program(parse_steps(Node(given_["steps"], "$"), no_files()))
    secrets = b"".join(map(bytes.fromhex, given_["secrets"]))
    verdict = judge_pool(plan, program, DrawKeyDeriver(commit, beacon, given_["program"]), secrets)
    assert ("pass" if verdict.passed else "fail", verdict.test) == (given_["verdict"], given_["test"])
    statement = pool_test_statement(
        given_["origin"],
        given_["pool"],
        commit=commit,
        beacon=beacon,
        plan=plan.digest,
        verdict=given_["verdict"],
        test=given_["test"],
    )
    assert statement.hex() == given_["statement"]
    key = Ed25519PrivateKey.from_private_bytes(b"\1" * 32).public_key()
    key.verify(bytes.fromhex(given_["signature"]), statement)
    with pytest.raises(InvalidSignature):
        key.verify(bytes.fromhex(given_["signature"]), statement + b"x")


def test_every_test_fails_in_some_vector():
    failed = [json.loads(path.read_bytes())["test"] for path in VECTORS]
    assert set(TESTS) <= set(failed)
    assert failed.count("") > 1


@settings(max_examples=150, deadline=None)
@given(PLANS, STEPS, SECRETS)
def test_a_verdict_is_that_of_a_plain_reading_of_the_protocol(plan, steps, secrets):
    slow = judge(json.loads(plan.to_bytes()), [describe(step) for step in steps], "base", COMMIT, BEACON, secrets)
    fast = judge_pool(plan, compile_program(steps), DrawKeyDeriver(COMMIT, BEACON, "base"), b"".join(secrets))
    assert ("pass" if fast.passed else "fail", fast.test) == (slow.verdict, slow.test)
