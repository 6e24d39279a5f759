"""The ten estimators against the results that NIST's own program has for its self-test."""

import re
from pathlib import Path

import pytest

from stats_tests.entropy import Assessment, Estimate, assess, read_samples, symbol_bits_of

VECTORS = Path(__file__).parents[2] / "vectors/sp800-90b"
FILES = ("rand1_short", "rand4_short", "rand8_short")
NIST_NAMES = {
    "most_common_value": "Most Common Value Estimate",
    "collision": "Collision Estimate",
    "markov": "Markov Estimate",
    "compression": "Compression Estimate",
    "t_tuple": "t-Tuple Estimate",
    "lrs": "LRS Estimate",
    "multi_mcw": "MultiMCW Prediction Estimate",
    "lag": "Lag Prediction Estimate",
    "multi_mmc": "MultiMMC Prediction Estimate",
    "lz78y": "LZ78Y Prediction Estimate",
}
NIST_STATISTICS = {
    "Mode count": "mode",
    "v": "v",
    "t": "t",
    "u": "u",
    "C": "C",
    "r": "r",
    "N": "N",
    "P_local": "P_local",
    "P_global'": "P_global_u",
    "p_u": "p_u",
    "X-bar'": "bound",
}


def expected_of(name: str) -> dict[tuple[str, str, str], float]:
    """Return {(Literal or Bitstring, estimate, statistic): value} of a result file."""
    lines = (VECTORS / f"{name}.res").read_text().splitlines()
    found = [re.fullmatch(r"(Literal|Bitstring) (.* Estimate): (.*) = (.*)", line) for line in lines]
    return {(hit[1], hit[2], hit[3]): float(hit[4]) for hit in found if hit}


def assessed_of(name: str) -> float:
    hit = re.search(r"Assessed min entropy: (.*)", (VECTORS / f"{name}.res").read_text())
    assert hit
    return float(hit[1])


@pytest.fixture(scope="module")
def assessments() -> dict[str, Assessment]:
    samples = {name: (VECTORS / f"{name}.bin").read_bytes() for name in FILES}
    return {name: assess(read_samples(data, width := symbol_bits_of(data)), width) for name, data in samples.items()}


@pytest.mark.parametrize("name", FILES)
def test_every_estimate_is_the_one_of_the_program(name: str, assessments: dict[str, Assessment]) -> None:
    expected = expected_of(name)
    assessment = assessments[name]
    found = {
        (label, NIST_NAMES[estimate.name]): estimate
        for label, estimates in (("Literal", assessment.original), ("Bitstring", assessment.bits))
        for estimate in estimates
    }
    assert set(found) == {key[:2] for key in expected}
    for key, estimate in found.items():
        assert estimate.min_entropy == pytest.approx(expected[*key, "min entropy"], rel=0, abs=1e-10)


@pytest.mark.parametrize("name", FILES)
def test_the_steps_on_the_way_are_those_of_the_program(name: str, assessments: dict[str, Assessment]) -> None:
    assessment = assessments[name]
    estimates: dict[tuple[str, str], Estimate] = {
        **{("Literal", NIST_NAMES[estimate.name]): estimate for estimate in assessment.original},
        **{("Bitstring", NIST_NAMES[estimate.name]): estimate for estimate in assessment.bits},
    }
    compared = 0
    for (label, test, statistic), value in expected_of(name).items():
        ours = estimates[label, test].statistics
        if NIST_STATISTICS.get(statistic) in ours:
            assert ours[NIST_STATISTICS[statistic]] == pytest.approx(value, rel=1e-9)
            compared += 1
    assert compared >= 25


@pytest.mark.parametrize("name", FILES)
def test_the_assessed_min_entropy_is_the_one_of_the_program(name: str, assessments: dict[str, Assessment]) -> None:
    assert assessments[name].min_entropy == pytest.approx(assessed_of(name), rel=0, abs=1e-10)
