"""PAR sheets that say something else than the definition, or are not there."""

from dataclasses import replace
from hashlib import sha256

import pytest
from operator_simulator import Operator, tell

from anchor import canonical
from rng_service.log_entries import GamePar
from rng_service.verify import Fault, verify_log


class BetterReturn(Operator):
    """Publishes a sheet with a better return, and its true hash."""

    def on_file(self, path, data):
        return data.replace(b'"rtp_percent":"99.0000"', b'"rtp_percent":"99.9000"')

    def on_entry(self, entry):
        if isinstance(entry, GamePar):
            sheet = (self.directory / f"games/{entry.digest.hex()}.par.json").read_bytes()
            return replace(entry, sheet=sha256(sheet).digest())
        return entry


class SheetWithoutItsHash(Operator):
    """Changes the page after its hash went into the log."""

    def on_file(self, path, data):
        return data.replace(b"99.0000 %", b"99.9000 %") if path.endswith(".par.html") else data


class SheetOfAnotherVersion(Operator):
    """Names a version that is not registered."""

    def on_entry(self, entry):
        return replace(entry, version=2) if isinstance(entry, GamePar) else entry


class SheetLost(Operator):
    """Names a sheet and does not publish it."""

    def put(self, path, data):
        if not path.endswith(".par.json"):
            super().put(path, data)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (BetterReturn, "par-sheet"),
        (SheetWithoutItsHash, "par-file"),
        (SheetOfAnotherVersion, "par-game"),
        (SheetLost, "file-missing"),
    ],
)
def test_a_sheet_that_is_not_the_definitions_is_found(kind, reason, tmp_path):
    operator = kind(tmp_path / "public")
    tell(operator)
    operator.publish()
    with pytest.raises(Fault) as caught:
        verify_log(operator.source, operator.vkey)
    assert caught.value.reason == reason


def test_the_published_sheet_is_canonical_and_names_its_definition(tmp_path):
    operator = Operator(tmp_path / "public")
    tell(operator)
    for path in (tmp_path / "public" / "games").glob("*.par.json"):
        sheet = canonical.decode_object(path.read_bytes(), limit=10**7, what="sheet")
        assert path.name == f"{sheet['digest']}.par.json"
