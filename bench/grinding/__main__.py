"""What tests cannot see, measured: `python -m bench.grinding [--json] [--write]`, less than a minute on one core.

`--write` puts the figures into docs/what-tests-cannot-see.md. Everything is seeded: two runs differ in their times.
"""

import argparse
import json
import sys
from pathlib import Path

from bench.grinding.experiments import run_all
from bench.grinding.figures import markdown, written_into

PAGE = Path(__file__).parents[2] / "docs" / "what-tests-cannot-see.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.grinding", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--write", action="store_true", help="publish the figures in docs/what-tests-cannot-see.md")
    options = parser.parse_args()
    if sys.stderr.isatty():
        print("grinding 2,000 commitments, and more; this takes most of a minute …", file=sys.stderr)
    found = run_all()
    print(json.dumps(found, indent=1) if options.json else markdown(found))
    if options.write:
        PAGE.write_text(written_into(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
