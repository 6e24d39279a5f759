"""The log, checked by code in another language that shares nothing with ours; see tests/interop/go/README.md."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from log_fixture import VERIFIER, MemorySigner, entries_of, write_log

from anchor.writer import LogWriter

GO_CHECK = Path(__file__).parents[1] / "interop/go"


@pytest.fixture(scope="module")
def gocheck(tmp_path_factory):
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go toolchain on PATH")
    program = tmp_path_factory.mktemp("go") / "gocheck"
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    modules = subprocess.run(
        [go, "mod", "download"], cwd=GO_CHECK, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if modules.returncode:
        pytest.skip(f"the Go modules cannot be had: {modules.stderr.strip()}")
    # From here on a failure is ours: the program must build.
    subprocess.run([go, "build", "-trimpath", "-o", program, "."], cwd=GO_CHECK, env=environment, check=True)

    def run(directory):
        return subprocess.run(
            [program, "fsck", directory, VERIFIER.vkey()], capture_output=True, text=True, check=False, timeout=60
        )

    return run


@pytest.mark.parametrize("batches", [(1,), (2,), (255,), (256,), (257,), (100, 300, 200), (65_500, 4_500)])
def test_go_agrees_with_every_byte_of_the_log(gocheck, tmp_path, batches):
    write_log(tmp_path, *batches)
    result = gocheck(tmp_path)
    assert (result.returncode, result.stdout) == (0, f"ok {sum(batches)} entries\n"), result.stderr


def test_go_accepts_the_empty_log(gocheck, tmp_path):
    with LogWriter(tmp_path, MemorySigner()) as writer:
        writer.append_and_publish([])
    assert gocheck(tmp_path).stdout == "ok 0 entries\n"


def test_go_finds_a_changed_bit_and_another_key(gocheck, tmp_path):
    write_log(tmp_path, 300)
    for path in ("checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/entries/001.p/44"):
        good = (tmp_path / path).read_bytes()
        (tmp_path / path).write_bytes(good[:-3] + bytes([good[-3] ^ 1]) + good[-2:])
        result = gocheck(tmp_path)
        assert (result.returncode, result.stdout) == (1, "")
        (tmp_path / path).write_bytes(good)
    assert gocheck(tmp_path).returncode == 0
    (tmp_path / "tile/entries/001.p/44").write_bytes(b"".join(b"\0\1x" for _ in entries_of(44)))
    assert "does not follow from the entries" in gocheck(tmp_path).stderr
