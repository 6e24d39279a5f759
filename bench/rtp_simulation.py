"""How the two bounds of a realised return behave: the fixed band and the anytime-valid sequence, by simulation.

`python bench/rtp_simulation.py [--json] [--seed N] [--scale F] [GAME …]`. Three questions for each paytable:
how often either raises a false alarm in a year of daily looks; how many plays each needs to notice a shift of the
return; and how often the band covers while the top prize is rare. The tables of docs/rtp.md are its output.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from rng_service.games import load_game
from rng_service.games.prizes import PrizeDistribution, winning
from rng_service.rtp import DealEvidence, bet_grid, capped_prizes, plays_for_normality

SEED = 20_240_607
DAYS = 365
PLAYS_A_DAY = 10_000
SHIFTS = (Fraction(1, 200), Fraction(1, 100), Fraction(1, 20))
QUANTILES = {95: 1.9599639845400545, 99: 2.5758293035489004}
# The customary view of a heavy tail: prizes rarer than this are counted up to the largest prize that is not.
RARE = Fraction(1, 10_000)

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def _shipped(name: str, label: str) -> PrizeDistribution:
    definition = load_game(Path(__file__).parent.parent / "games" / f"{name}.json")
    (program,) = definition.programs.values()
    return dict(program.model.listed_bets())[label].prizes()


def _lottery() -> PrizeDistribution:
    """1 in 10 pays 2, 1 in 1,000 pays 100, 1 in 100,000 pays 10,000, 1 in 10 million pays 3 million: returns 70 %."""
    return winning(
        {
            Fraction(2): Fraction(1, 10),
            Fraction(100): Fraction(1, 1_000),
            Fraction(10_000): Fraction(1, 100_000),
            Fraction(3_000_000): Fraction(1, 10_000_000),
        }
    )


GAMES: dict[str, Callable[[], PrizeDistribution]] = {
    "roulette-red": lambda: _shipped("european-roulette", "red"),
    "roulette-straight": lambda: _shipped("european-roulette", "straight"),
    "dice-99-even": lambda: winning({Fraction(99, 50): Fraction(1, 2)}),
    "fruit-lines": lambda: _shipped("fruit-lines", "spin"),
    "keno-pick-8": lambda: _shipped("keno-80", "pick-8"),
    "lottery": _lottery,
}


class Sequence:
    """The e-value of `rng_service.rtp.Evidence` for equal stakes, for many runs at once."""

    def __init__(self, prizes: PrizeDistribution, order: list[Fraction], cap: Fraction | None = None) -> None:
        watched = prizes if cap is None else capped_prizes(prizes, cap)
        grid = bet_grid(watched.top[0], Fraction(1))
        gains = np.array([float((prize if cap is None else min(prize, cap)) - watched.mean) for prize in order])
        self._higher = np.log1p(np.outer(gains, grid.higher))
        self._lower = np.log1p(np.outer(-gains, grid.lower))

    def log_e_value(self, counts: Counts) -> Floats:
        """Return log e for counts of shape (…, prizes)."""
        plays = counts.astype(np.float64)
        return np.logaddexp(_log_mean(plays @ self._higher), _log_mean(plays @ self._lower)) - math.log(2)


def _log_mean(logs: Floats) -> Floats:
    found: Floats = np.logaddexp.reduce(logs, axis=-1) - math.log(logs.shape[-1])
    return found


class Table:
    """One paytable, ready for arrays: what is won, how probably, and both bounds."""

    def __init__(self, name: str, prizes: PrizeDistribution) -> None:
        self.name = name
        self.prizes = prizes
        # The most probable prize last: the generator gives it what the rounding of the others leaves.
        self.order = sorted(prizes.probabilities, key=lambda prize: prizes.probabilities[prize])
        self.pays = np.array([float(prize) for prize in self.order])
        self.chances = np.array([float(prizes.probabilities[prize]) for prize in self.order])
        self.mean = float(prizes.mean)
        self.deviation = math.sqrt(prizes.variance)
        self.cap = self._customary_cap()
        self.sequence = Sequence(prizes, self.order)
        self.capped = Sequence(prizes, self.order, self.cap)

    def z_scores(self, counts: Counts) -> Floats:
        plays = counts.sum(axis=-1)
        found: Floats = (counts @ self.pays / plays - self.mean) / (self.deviation / np.sqrt(plays))
        return found

    def joint_log_e_value(self, counts: Counts) -> Floats:
        """Return log of the mean of two e-values: of the return, and of the return with rare prizes capped."""
        return np.logaddexp(self.sequence.log_e_value(counts), self.capped.log_e_value(counts)) - math.log(2)

    def shifted(self, shift: Fraction) -> Floats:
        """Return chances under which the return is higher by ``shift``: every winning chance scaled alike."""
        scale = float((self.prizes.mean + shift) / self.prizes.mean)
        wins = self.pays > 0
        chances = np.where(wins, self.chances * scale, 0.0)
        chances[~wins] = 1.0 - chances.sum()
        return chances

    def without_top(self) -> Floats:
        """Return chances under which the top prize is never paid, and all else as stated."""
        chances = np.where(self.pays == self.pays.max(), 0.0, self.chances)
        chances[self.pays == 0] = 1.0 - chances[self.pays > 0].sum()
        return chances

    def _customary_cap(self) -> Fraction:
        beyond = Fraction(0)
        for prize in sorted(self.order, reverse=True):
            beyond += self.prizes.probabilities[prize]
            if beyond > RARE:
                return prize
        raise AssertionError("the chances of a paytable add up to 1")


def false_alarms(table: Table, random: np.random.Generator, runs: int, *, days: int = DAYS) -> dict[str, Any]:
    """Play the stated game for a year, look every day: the share of years with an alarm, and of days at the last."""
    band = dict.fromkeys(QUANTILES, 0)
    last_day = dict.fromkeys(QUANTILES, 0)
    sequence = dict.fromkeys(QUANTILES, 0)
    joint = dict.fromkeys(QUANTILES, 0)
    for _ in range(runs):
        counts = np.cumsum(random.multinomial(PLAYS_A_DAY, table.chances, size=days), axis=0)
        scores = np.abs(table.z_scores(counts))
        log_e, log_joint = table.sequence.log_e_value(counts).max(), table.joint_log_e_value(counts).max()
        for level, quantile in QUANTILES.items():
            threshold = -math.log(1 - level / 100)
            band[level] += int((scores > quantile).any())
            last_day[level] += int(scores[-1] > quantile)
            sequence[level] += int(log_e >= threshold)
            joint[level] += int(log_joint >= threshold)
    return {
        "runs": runs,
        **{
            str(level): {
                "band_any_day": band[level] / runs,
                "band_last_day_only": last_day[level] / runs,
                "sequence_any_day": sequence[level] / runs,
                "joint_any_day": joint[level] / runs,
            }
            for level in QUANTILES
        },
    }


def plays_to_notice(table: Table, chances: Floats, random: np.random.Generator, runs: int) -> dict[str, Any]:
    """Play a game with other ``chances``, look every time the plays have grown by 5 %; all at 99 % (alpha = 1 %).

    The band is judged as it should be used: one look at a number of plays fixed in advance. Its figure is the least
    number from which on half (90 %) of the runs are outside.
    """
    quantile, threshold = QUANTILES[99], math.log(100)
    planned = (quantile * table.deviation / (chances @ table.pays - table.mean)) ** 2
    totals = np.array(list(_growing(10, 60 * planned)))
    steps = np.diff(totals, prepend=0)
    first: dict[str, list[float]] = {"sequence": [], "joint": []}
    outside = np.zeros(len(totals))
    for _ in range(runs):
        counts = np.cumsum(random.multinomial(steps, chances), axis=0)
        outside += np.abs(table.z_scores(counts)) > quantile
        for name, log_e in (
            ("sequence", table.sequence.log_e_value(counts)),
            ("joint", table.joint_log_e_value(counts)),
        ):
            noticed = log_e >= threshold
            first[name].append(float(totals[noticed.argmax()]) if noticed.any() else math.inf)
    return {
        "runs": runs,
        "band": [_reliably(totals, outside / runs, share) for share in (0.5, 0.9)],
        **{name: [_order_statistic(found, share) for share in (0.5, 0.9)] for name, found in first.items()},
    }


def _growing(first: int, last: float) -> Iterator[int]:
    plays = first
    while plays < last:
        yield plays
        plays += max(1, plays // 20)


def _reliably(totals: Counts, power: Floats, share: float) -> int | None:
    short = np.flatnonzero(power < share)
    place = int(short[-1]) + 1 if short.size else 0
    return int(totals[place]) if place < len(totals) else None


def _order_statistic(found: list[float], share: float) -> int | None:
    value = sorted(found)[math.ceil(share * len(found)) - 1]
    return int(value) if math.isfinite(value) else None


def coverage(table: Table, random: np.random.Generator, runs: int) -> dict[str, Any]:
    """Return how often the realised return lies below and above the band, by number of plays."""
    rows = []
    for plays in [10**power for power in range(3, 11)]:
        scores = np.concatenate(
            [
                table.z_scores(random.multinomial(plays, table.chances, size=min(1_000, runs - start)))
                for start in range(0, runs, 1_000)
            ]
        )
        rows.append(
            {
                "plays": plays,
                **{
                    str(level): [float((scores < -quantile).mean()), float((scores > quantile).mean())]
                    for level, quantile in QUANTILES.items()
                },
            }
        )
    return {"runs": runs, "rows": rows, "plays_for_normality": plays_for_normality(table.prizes)}


DEAL = {Fraction(0): 41_400, Fraction(1): 6_000, Fraction(2): 1_800, Fraction(10): 750, Fraction(500): 50}


def deals(random: np.random.Generator, runs: int) -> dict[str, Any]:
    """Sell a deal of 50,000 tickets in 100 periods: false alarms, and a shop whose early tickets lack top prizes."""
    prizes = sorted(DEAL)
    size = sum(DEAL.values())
    tickets = np.repeat(np.arange(len(prizes)), [DEAL[prize] for prize in prizes])
    pays = np.array([float(prize) for prize in prizes])
    mean = float((pays * [DEAL[prize] for prize in prizes]).sum() / size)
    deviation = math.sqrt(sum(count * (float(prize) - mean) ** 2 for prize, count in DEAL.items()) / size)
    periods = np.arange(size // 100, size, size // 100)
    found: dict[str, Any] = {"runs": runs}
    for name, withheld in (("honest", 0), ("ten top prizes of fifty kept for the second half", 10)):
        band = last = sequence = 0
        sold_at: list[float] = []
        for _ in range(runs):
            order = random.permutation(tickets)
            if withheld:
                _keep_for_the_end(order, len(prizes) - 1, withheld)
            counts = np.stack([np.cumsum(order == kind) for kind in range(len(prizes))], axis=1)[periods - 1]
            half = deviation / np.sqrt(periods) * np.sqrt((size - periods) / (size - 1))
            scores = np.abs(counts @ pays / periods - mean) / half
            band += int((scores > QUANTILES[99]).any())
            last += int(scores[len(scores) // 2] > QUANTILES[99])
            alarms = (
                int(sold)
                for sold, row in zip(periods, counts, strict=True)
                if DealEvidence(DEAL, {prize: int(count) for prize, count in zip(prizes, row, strict=True)}).alarm(0.01)
            )
            sold_at.append(next(alarms, math.inf))
            sequence += math.isfinite(sold_at[-1])
        found[name] = {
            "band_any_period": band / runs,
            "band_at_half_only": last / runs,
            "sequence_any_period": sequence / runs,
            "sequence_median_sold": _order_statistic(sold_at, 0.5),
        }
    return found


def _keep_for_the_end(order: Counts, top: int, number: int) -> None:
    """Swap ``number`` top prizes of the first half for tickets of the second that are none."""
    half = len(order) // 2
    early = np.flatnonzero(order[:half] == top)[:number]
    late = half + np.flatnonzero(order[half:] != top)[: len(early)]
    order[early], order[late] = order[late], order[early]


def simulate(names: list[str], *, seed: int = SEED, scale: float = 1.0) -> dict[str, Any]:
    """Return the whole simulation; each game and question has its own stream, so a part repeats the whole's figures."""
    found: dict[str, Any] = {"seed": seed, "scale": scale, "games": {}}
    for name in names:
        table = Table(name, GAMES[name]())
        # A slot's thousand different prizes cost a thousand times a coin's two.
        runs = scale * (0.2 if len(table.order) > 100 else 1.0)
        streams = iter(np.random.default_rng([seed, list(GAMES).index(name), part]) for part in range(20))
        found["games"][name] = {
            "return": str(table.prizes.mean),
            "standard_deviation": table.deviation,
            "top": [str(value) for value in table.prizes.top],
            "cap": str(table.cap),
            "false_alarms": false_alarms(table, next(streams), max(1, int(2_000 * runs))),
            "notice": {
                label: plays_to_notice(table, chances, next(streams), max(1, int(500 * runs)))
                for label, chances in _alternatives(table)
            },
            "coverage": coverage(table, next(streams), max(1, int(20_000 * runs))),
        }
    found["deal"] = deals(np.random.default_rng([seed, 99]), max(1, int(500 * scale)))
    return found


def _alternatives(table: Table) -> Iterator[tuple[str, Floats]]:
    for sign in (-1, 1):
        for shift in SHIFTS:
            if table.prizes.hit_frequency * (1 + sign * shift / table.prizes.mean) < 1:
                yield f"{float(sign * shift) * 100:+g}", table.shifted(sign * shift)
    yield "no top prize", table.without_top()


def _print(found: dict[str, Any]) -> None:
    print(f"seed {found['seed']}, scale {found['scale']}\n")
    print("| game | level | band, any day | band, last day only | sequence | with cap |\n|---|---|---|---|---|---|")
    for name, game in found["games"].items():
        for level in QUANTILES:
            row = game["false_alarms"][str(level)]
            print(f"| {name} | {level} % | " + " | ".join(f"{share * 100:.1f} %" for share in row.values()) + " |")
    print("\n| game | shift | band, one look | sequence | with cap |\n|---|---|---|---|---|")
    for name, game in found["games"].items():
        for shift, row in game["notice"].items():
            cells = (" / ".join(map(_plays, row[key])) for key in ("band", "sequence", "joint"))
            print(f"| {name} | {shift} | " + " | ".join(cells) + " |")
    print(
        "\n| game | rule of thumb | " + " | ".join(f"10^{power}" for power in range(3, 11)) + " |\n" + "|---" * 10 + "|"
    )
    for name, game in found["games"].items():
        rows = game["coverage"]["rows"]
        cells = (f"{row['99'][0] * 100:.1f} / {row['99'][1] * 100:.1f}" for row in rows)
        print(f"| {name} | {_plays(game['coverage']['plays_for_normality'])} | " + " | ".join(cells) + " |")
    print("\ndeal:", json.dumps(found["deal"]))


def _plays(number: int | None) -> str:
    if number is None:
        return "-"
    if number < 1_000:
        return str(number)
    power = int(math.log10(number)) // 3 * 3
    return f"{float(f'{number:.2g}') / 10**power:g}{ {3: ' k', 6: ' M', 9: ' G', 12: ' T', 15: ' P'}[power] }"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="GAME", help=f"of {', '.join(GAMES)}; all by default")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of runs")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(GAMES))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    started = time.perf_counter()
    found = simulate(options.names or list(GAMES), seed=options.seed, scale=options.scale)
    if options.json:
        json.dump(found, sys.stdout, indent=2)
        print()
        return
    _print(found)
    print(f"\n{time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
