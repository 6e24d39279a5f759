"""Writes down every state of the vault's generators: ``python drbg_tap.py FILE -m module arguments…``.

The states are never on a disk, so a test that wants to look for them has to be told. FILE gets 48 bytes a state, the
key and then V, after each update of it; and each seed, which is as long: that of a test stream is one output of the
vault's generator.
"""

import os
import runpy
import sys

from rng_service.vault.drbg import SEED_BYTES, CtrDrbg


def main() -> None:
    """Take FILE and -m off the command line and run the module as `python -m` would."""
    tap = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    assert sys.argv[2] == "-m", sys.argv
    update = CtrDrbg._update

    def tapped(drbg: CtrDrbg, provided: bytes) -> None:
        update(drbg, provided)
        os.write(tap, bytes(drbg._key) + drbg._counter.to_bytes(16, "big"))

    begin = CtrDrbg.__init__

    def begun(drbg: CtrDrbg, seed: bytes, *rest: object, **options: object) -> None:
        if len(seed) == SEED_BYTES:
            os.write(tap, seed)
        begin(drbg, seed, *rest, **options)

    CtrDrbg._update = tapped
    CtrDrbg.__init__ = begun
    sys.argv = sys.argv[3:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
