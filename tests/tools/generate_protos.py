"""Generate the typed gRPC modules from protos/ into rng_service/_generated; `--check` fails when they differ."""

import filecmp
import shutil
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
TARGET = ROOT / "rng_service" / "_generated"


def generate(target: Path) -> None:
    """Write every generated module below ``target``, with the packages that make them importable."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{PROTOS}", f"-I{well_known}"]
    arguments += [f"--{kind}_out={target}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    if protoc.main([*arguments, *sources]) != 0:
        raise SystemExit("protoc refused the sources; its messages stand above")
    for source in sources:
        for folder in Path(source).parents[:-1]:
            (target / folder / "__init__.py").touch()


def differences(left: filecmp.dircmp[str]) -> list[str]:
    """Return the names that are missing on one side or differ, ignoring caches."""
    found = [name for name in left.left_only + left.right_only + left.diff_files if name != "__pycache__"]
    for child in left.subdirs.values():
        found += differences(child)
    return found


def main() -> None:
    """Generate in place, or compare a fresh generation with what is committed."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        if "--check" in sys.argv:
            drift = differences(filecmp.dircmp(fresh, TARGET, ignore=["__pycache__"]))
            if drift:
                raise SystemExit(f"generated modules are out of date ({', '.join(sorted(drift))}): run `make protos`")
        else:
            shutil.rmtree(TARGET, ignore_errors=True)
            shutil.copytree(fresh, TARGET)


if __name__ == "__main__":
    main()
