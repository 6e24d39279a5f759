"""What the batteries find, measured: `python -m bench.power [--only NAME] [--jobs N] [--json] [--write]`.

Every bad generator goes through every battery at doubling sizes until it is caught; good ones run many times. All is
seeded: two runs differ in their times only. `--write` puts the table into docs/power.md and the figures beside it into
bench/power/published.json.
"""

import argparse
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.power.calibration import KINDS, with_bounds
from bench.power.catalogue import BAD, BATTERIES, GOOD
from bench.power.running import Found, carry_out, tasks_of
from bench.power.search import ERROR_RATE
from bench.power.table import markdown, written_into

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "power.md"
PUBLISHED = Path(__file__).parent / "published.json"


def main() -> int:
    options = _options()
    started = time.perf_counter()
    tasks = list(tasks_of(options.only, options.scale))
    if not tasks:
        known = "; ".join([*(entry.name for entry in BAD), *GOOD])
        print(f"no generator is called {' or '.join(options.only)}; there are: {known}", file=sys.stderr)
        return 2
    if options.write and (options.only or options.scale < 1.0):
        print("--write publishes a whole run: leave out --only and --scale", file=sys.stderr)
        return 2
    found = carry_out(tasks, options.jobs)
    report = _report(found)
    report |= {
        "jobs": options.jobs,
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(found.processor, 1),
        "complete": found.complete,
    }
    print(json.dumps(report, indent=1, ensure_ascii=False) if options.json else markdown(report))
    if not found.complete:
        print("interrupted: what was finished is above", file=sys.stderr)
        return 130
    if options.write:
        # Two files; a crash between them leaves a table whose figures are of the run before: run it again.
        PUBLISHED.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        PAGE.write_text(written_into(PAGE.read_text(encoding="utf-8"), report), encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.power", description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="a part of a name; may be repeated")
    parser.add_argument(
        "--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes (default: %(default)s)"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="this part of the runs of good generators")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--write", action="store_true", help="publish the run in docs/power.md")
    return parser.parse_args()


def _report(everything: Found) -> dict[str, Any]:
    findings, tallies = everything.findings, everything.tallies
    bad = []
    for entry in BAD:
        found = {battery: findings[entry.name, battery] for battery in BATTERIES if (entry.name, battery) in findings}
        if found:
            by_battery = {battery: finding.as_json() for battery, finding in found.items()}
            bad.append({"name": entry.name, "what": entry.what, "needed": entry.needed, "findings": by_battery})
    ordered = [tallies[name, kind.name] for kind in KINDS for name in GOOD if (name, kind.name) in tallies]
    return {
        "format": "sealdraw/power@v1",
        "error_rate_of_a_search": ERROR_RATE,
        "batteries": list(BATTERIES),
        "bad": bad,
        "good": with_bounds(ordered),
        "versions": {
            "Python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "scipy", "cryptography")},
        },
    }


if __name__ == "__main__":
    sys.exit(main())
