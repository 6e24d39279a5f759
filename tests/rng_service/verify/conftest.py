"""Make the operator simulator of tests/support importable for the auditor's tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
