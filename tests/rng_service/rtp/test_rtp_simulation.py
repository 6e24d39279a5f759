"""A small run of bench/rtp_simulation.py: the qualitative facts that docs/rtp.md states with the full run's figures."""

import json
import sys
from fractions import Fraction
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")

sys.path.insert(0, str(Path(__file__).parents[3] / "bench"))

import rtp_simulation as simulation  # noqa: E402

from rng_service.rtp import Cell, Evidence, capped_prizes  # noqa: E402


def generator(*words):
    return np.random.default_rng([simulation.SEED, *words])


@pytest.fixture(scope="module")
def red():
    return simulation.Table("roulette-red", simulation.GAMES["roulette-red"]())


@pytest.fixture(scope="module")
def lottery():
    return simulation.Table("lottery", simulation.GAMES["lottery"]())


def test_the_simulated_e_value_is_that_of_the_service(lottery):
    counts = generator(1).multinomial(300_000, lottery.chances)
    for cap, sequence in ((None, lottery.sequence), (lottery.cap, lottery.capped)):
        prizes = lottery.prizes if cap is None else capped_prizes(lottery.prizes, cap)
        evidence = Evidence(
            [
                Cell(Fraction(1), prize if cap is None else min(prize, cap), prizes.mean, int(count))
                for prize, count in zip(lottery.order, counts, strict=True)
            ],
            highest=prizes.top[0],
        )
        assert float(sequence.log_e_value(counts)) == pytest.approx(evidence.log_e_value(), abs=1e-8)


def test_under_daily_looks_the_band_alarms_far_too_often_and_the_sequence_does_not(red):
    found = simulation.false_alarms(red, generator(2), 300)
    for level, nominal in (("95", 0.05), ("99", 0.01)):
        assert found[level]["band_any_day"] > 5 * nominal
        assert found[level]["band_last_day_only"] < 3 * nominal
        assert found[level]["sequence_any_day"] <= nominal
        assert found[level]["joint_any_day"] <= nominal


@pytest.mark.parametrize("shift", [Fraction(-1, 20), Fraction(1, 20)])
def test_the_sequence_notices_a_shift_at_a_price_of_a_few_times_the_plays(red, shift):
    found = simulation.plays_to_notice(red, red.shifted(shift), generator(3), 60)
    assert 1_000 < found["band"][0] < found["sequence"][0] < 5 * found["band"][0]
    assert found["sequence"][1] < 5 * found["band"][1]


def test_with_rare_prizes_capped_a_lottery_is_noticed_a_thousand_times_sooner(lottery):
    found = simulation.plays_to_notice(lottery, lottery.shifted(Fraction(-1, 20)), generator(4), 20)
    assert found["joint"][0] * 1_000 < found["sequence"][0]


def test_while_the_top_prize_is_rare_a_lottery_never_leaves_its_band_downwards_and_too_often_upwards(lottery):
    found = simulation.coverage(lottery, generator(5), 2_000)
    million = next(row for row in found["rows"] if row["plays"] == 10**6)
    late = found["rows"][-1]
    assert found["plays_for_normality"] > 10**8
    assert million["99"][0] == 0
    assert million["99"][1] > 0.04
    assert 0.002 < sum(late["99"]) < 0.02


def test_a_deal_that_keeps_top_prizes_for_later_is_noticed_and_an_honest_one_is_not():
    found = simulation.deals(generator(6), 40)
    honest, withheld = (found[name] for name in list(found)[1:])
    assert honest["sequence_any_period"] <= 0.05
    assert honest["band_any_period"] > 0.05
    assert withheld["sequence_any_period"] > 0.3


def test_the_same_seed_gives_the_same_figures(capsys, monkeypatch):
    arguments = ["rtp_simulation.py", "roulette-red", "--json", "--scale", "0.005"]
    outputs = []
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", arguments)
        simulation.main()
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0])["seed"] == simulation.SEED
