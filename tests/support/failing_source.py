"""An entropy source that can be told to fail: ``python failing_source.py FILE -m module arguments…``.

The vault takes its bytes from `os.getrandom`, which is replaced here before the module runs. What stands in FILE, read
again at every call, says what the kernel gives: nothing or ``good`` its own bytes, ``stuck`` one value again and again,
``biased`` every thirty-second byte the same one. Nothing in the service knows of it.
"""

import os
import runpy
import sys
from pathlib import Path

_true_getrandom = os.getrandom
BIAS_EVERY = 32


def main() -> None:
    """Take FILE and -m off the command line and run the module as `python -m` would."""
    file = Path(sys.argv[1])
    assert sys.argv[2] == "-m", sys.argv

    def getrandom(size: int, flags: int = 0) -> bytes:
        good = _true_getrandom(size, flags)
        how = file.read_text(encoding="ascii") if file.exists() else "good"
        if how == "stuck":
            return bytes([7]) * size
        if how == "biased":
            return bytes(0 if at % BIAS_EVERY == 0 else value for at, value in enumerate(good))
        assert how == "good", how
        return good

    os.getrandom = getrandom
    sys.argv = sys.argv[3:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
