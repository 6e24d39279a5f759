"""Check every frozen vector against what the code computes now; `--write` writes them again.

Run by `make vectors`. A generator is a program beside this one that writes its vectors, and with `--check` exits
with the first difference.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
GENERATORS = (
    "make_outcome_vectors.py",
    "make_deal_vectors.py",
    "make_pool_test_vectors.py",
    "make_game_vectors.py",
    "make_worked_example.py",
    "make_rejected_receipts.py",
)


def main() -> int:
    """Run all generators, also behind one that found a difference; return 1 if any did."""
    arguments = [] if "--write" in sys.argv[1:] else ["--check"]
    failed = [name for name in GENERATORS if run(name, arguments) != 0]
    if failed:
        sys.stderr.write(f"vectors differ: {', '.join(failed)}; a change means that old receipts no longer verify\n")
        return 1
    sys.stdout.write(f"vectors: {len(GENERATORS)} generators, {'no difference' if arguments else 'written'}\n")
    return 0


def run(name: str, arguments: list[str]) -> int:
    """Run one generator and return its exit status; it says itself what differs."""
    return subprocess.run([sys.executable, FOLDER / name, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
