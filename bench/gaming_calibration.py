"""Whether the P-values of the gaming battery are what they say: fair outcomes of eleven games, many times over.

`python bench/gaming_calibration.py [--runs N] [--size N] [--seed N] [--json] [GAME …]`. For each test it says how many
P-values there were, which share of them lay at or below 0.1, 0.01 and 0.001, and how uniform those of its worst column
were (Kolmogorov-Smirnov, times the number of columns). Columns whose P-values repeat, as those of counts of few events
do, are not held against the uniform law. The table of docs/statistics.md is its output.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from gaming_scenes import SCENES, Scene

from stats_tests.gaming import Outcomes, Split, battery_for, interplay, outcomes_of

SEED = 20_240_921
LEVELS = (0.1, 0.01, 0.001)
CALLERS = 6

# By test; then by game, subject and number of the P-value.
Found = dict[str, dict[str, list[float]]]


def calibrate(games: list[str], *, runs: int, size: int, seed: int) -> list[dict[str, Any]]:
    """Return one row for each test, over all ``games``: ``runs`` records of ``size`` outcomes each."""
    found: Found = defaultdict(lambda: defaultdict(list))
    for number, game in enumerate(games):
        rng = np.random.Generator(np.random.Philox(key=seed + number))
        before: Outcomes | None = None
        for _ in range(runs):
            before = _ask_once(found, game, SCENES[game], rng, size, before)
        print(f"{game} done", file=sys.stderr, flush=True)
    return [_row(name, columns) for name, columns in sorted(found.items())]


def _ask_once(
    found: Found, game: str, scene: Scene, rng: np.random.Generator, size: int, before: Outcomes | None
) -> Outcomes:
    outcomes = outcomes_of(scene.shape, scene.make(rng, size))
    callers = Split("caller", rng.integers(0, CALLERS, size))
    results = [planned.run(outcomes) for planned in battery_for(scene.shape, [callers])]
    if before is not None:
        results += interplay(before, outcomes, subject="two records")
    for result in results:
        columns = found[result.result.name]
        for index, p_value in enumerate(result.result.p_values):
            if p_value is not None:
                columns[f"{game}, {result.subject}[{index}]"].append(p_value)
    return outcomes


def _row(name: str, columns: dict[str, list[float]]) -> dict[str, Any]:
    from scipy import stats

    together = np.concatenate([np.array(p_values) for p_values in columns.values()])
    row: dict[str, Any] = {"test": name, "p_values": len(together), "columns": len(columns)}
    for level in LEVELS:
        row[f"share_{level:g}"] = float(np.mean(together <= level))
    # The column that has small P-values most often, for as many as there are of it.
    worst = min(
        (float(stats.binom.sf(np.count_nonzero(np.array(p) <= 0.01) - 1, len(p), 0.01)), label)
        for label, p in columns.items()
    )
    row["too_many_at_0.01"] = {"p_value": min(1.0, worst[0] * len(columns)), "column": worst[1]}
    # The exact binomial tail of two cells takes some dozens of values, a bound takes two.
    continuous = {label: p for label, p in columns.items() if len(set(p)) > 0.9 * len(p)}
    row["continuous"] = len(continuous)
    if continuous:
        uniform = min((float(stats.kstest(p, "uniform").pvalue), label) for label, p in continuous.items())
        row["uniform"] = {"p_value": min(1.0, uniform[0] * len(continuous)), "column": uniform[1]}
    return row


def _print(rows: list[dict[str, Any]]) -> None:
    print("| test | columns, discrete | P-values | ≤ 0.1 | ≤ 0.01 | ≤ 0.001 | too many ≤ 0.01 | uniform |")
    print("|---" * 8 + "|")
    for row in rows:
        shares = " | ".join(f"{row[f'share_{level:g}']:.2%}" for level in LEVELS)
        uniform = f"{row['uniform']['p_value']:.2g}" if "uniform" in row else ""
        columns = f"{row['columns']}, {row['columns'] - row['continuous']}"
        too_many = f"{row['too_many_at_0.01']['p_value']:.2g}"
        print(f"| {row['test']} | {columns} | {row['p_values']:,} | {shares} | {too_many} | {uniform} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="GAME", help=f"of {', '.join(SCENES)}; all by default")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--runs", type=int, default=1_000, help="records of each game")
    parser.add_argument("--size", type=int, default=10_000, help="outcomes in a record")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(SCENES))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    started = time.perf_counter()
    rows = calibrate(options.names or list(SCENES), runs=options.runs, size=options.size, seed=options.seed)
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
        print()
    else:
        _print(rows)
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
