"""Write a folder of generated vectors, or name the first byte in which it differs from what would be written."""

from collections.abc import Mapping
from pathlib import Path


def write_files(folder: Path, wanted: Mapping[str, bytes], *, keep: frozenset[str] = frozenset()) -> None:
    """Make ``folder`` hold exactly ``wanted``, by relative path, beside the top-level names in ``keep``."""
    for stale in sorted(_present(folder, keep) - set(wanted)):
        (folder / stale).unlink()
    for name, data in wanted.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def check_files(folder: Path, wanted: Mapping[str, bytes], *, keep: frozenset[str] = frozenset()) -> None:
    """Exit with the first difference between ``folder`` and ``wanted``."""
    present = _present(folder, keep)
    for name in sorted(present | set(wanted)):
        if name not in wanted:
            raise SystemExit(f"{folder / name}: is there, and nothing generates it")
        if name not in present:
            raise SystemExit(f"{folder / name}: is missing")
        compare(str(folder / name), (folder / name).read_bytes(), wanted[name])


def compare(name: str, found: bytes, wanted: bytes) -> None:
    """Exit with the first line and byte in which ``found`` differs from ``wanted``."""
    if found == wanted:
        return
    pairs = enumerate(zip(found, wanted, strict=False))
    at = next((place for place, (old, new) in pairs if old != new), min(len(found), len(wanted)))
    line = found[:at].count(b"\n") + 1
    raise SystemExit(
        f"{name}: differs in line {line}, byte {at}: found {found[at : at + 40]!r}, generated {wanted[at : at + 40]!r}"
    )


def _present(folder: Path, keep: frozenset[str]) -> set[str]:
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(name) for name in names if name.parts[0] not in keep}
