"""Every benchmark in one run: ratios where there is a baseline in the same run, raw figures beside them.

`make bench`, or `python bench/run.py [--json] [NAME …]`. Figures of a busy machine say little; ratios say more.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import core_benches
import health_bench
import ledger_bench
import lookup_benches
import rtp_benches
import service_benches
import stats_bench
import theory_benches

LEDGER_ROWS = int(os.environ.get("BENCH_LEDGER_ROWS", "2000000"))

BENCHES: dict[str, Callable[[], dict[str, Any]]] = {
    "draw_unary_over_empty": service_benches.draw_unary_over_empty,
    "batch_draws": service_benches.batch_draws,
    "seal_slots": core_benches.seal_slots,
    "verify_records": service_benches.verify_records,
    "memory_per_ready_slot": service_benches.memory_per_ready_slot,
    "rtp_query_100m": rtp_benches.rtp_query_100m,
    "digest_with_rollups": rtp_benches.digest_with_rollups,
    "draw_rate_with_rollups": rtp_benches.draw_rate_with_rollups,
    "import_lookup_1m": lookup_benches.import_lookup_1m,
    "weighted_draw_1m": lookup_benches.weighted_draw_1m,
    "theory_5x3x60": theory_benches.theory_5x3x60,
    "theory_all_games": theory_benches.theory_all_games,
    "sts_100x1mbit": stats_bench.sts_100x1mbit,
    "health_tests": health_bench.health_tests,
    "gaming_1m": stats_bench.gaming_1m,
    "draw_rate_with_rows": lambda: ledger_bench.draw_rate_with_rows(rows=LEDGER_ROWS),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; all by default")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(BENCHES))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    found: dict[str, Any] = {}
    for name in options.names or BENCHES:
        if not options.json:
            print(f"{name} …", file=sys.stderr, flush=True)
        result = BENCHES[name]()
        # One run of the service gives two figures; each has its own name in the report.
        found.update(result if name == "verify_records" else {name: result})
    if options.json:
        json.dump(found, sys.stdout, indent=2)
        print()
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
    for name, result in found.items():
        headline = {key: value for key, value in result.items() if key in {"ratio", "per_second", "bytes", "seconds"}}
        print(f"\n{name}: {headline}    against: {result['baseline']}")
        for key, value in result.items():
            if key not in {"ratio", "per_second", "bytes", "seconds", "baseline"}:
                print(f"    {key}: {value}")


if __name__ == "__main__":
    main()
