"""A fake's script: what it draws and where it fails, as one JSON file.

    {"force": [{"game": "european-roulette", "program": "base", "outcomes": [[17], [0]]}],
     "fail": [{"code": "UNAVAILABLE", "reason": "DRAINING", "method": "Draw", "times": 2, "after_commit": true,
               "retry_after_ms": 50, "pushback": "100"}]}

Both lists may be absent; of a failure only ``code`` is needed.
"""

import json
from pathlib import Path
from typing import Any, Final

from rng_service.errors import ConfigError, NotFound
from rng_service.fake.server import FakeServer
from rng_service.games import GameError

_MAX_BYTES: Final = 1 << 20
_FAULT_FIELDS: Final[dict[str, type]] = {
    "code": str,
    "reason": str,
    "method": str,
    "times": int,
    "after_commit": bool,
    "retry_after_ms": int,
    "pushback": str,
}


def play_script(path: Path, server: FakeServer) -> None:
    """Queue everything that the script at ``path`` says; raises ConfigError naming what is wrong and where."""
    script = _read(path)
    for place, item in _items(script, "force", path):
        if item.keys() != {"game", "program", "outcomes"}:
            raise ConfigError(f"{path}: {place}: expected game, program and outcomes")
        outcomes = item["outcomes"]
        if not isinstance(outcomes, list) or not all(_is_outcome(outcome) for outcome in outcomes):
            raise ConfigError(f"{path}: {place}.outcomes: expected a list of lists of integers")
        try:
            server.force(str(item["game"]), str(item["program"]), outcomes)
        except (ValueError, NotFound, GameError) as error:
            raise ConfigError(f"{path}: {place}: {error}") from None
    for place, item in _items(script, "fail", path):
        for name, value in item.items():
            if name not in _FAULT_FIELDS or type(value) is not _FAULT_FIELDS[name]:
                raise ConfigError(
                    f"{path}: {place}.{name[:64]}: expected one of {', '.join(_FAULT_FIELDS)}, of its type"
                )
        if "code" not in item:
            raise ConfigError(f"{path}: {place}: the key 'code' is missing")
        try:
            server.fail_next(item.pop("code"), item.pop("reason", ""), **item)
        except ValueError as error:
            raise ConfigError(f"{path}: {place}: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{path}: a script has at most {_MAX_BYTES} bytes")
    try:
        script = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON ({error})") from None
    if not isinstance(script, dict) or script.keys() - {"force", "fail"}:
        raise ConfigError(f"{path}: expected an object with the keys force and fail")
    return script


def _items(script: dict[str, Any], name: str, path: Path) -> list[tuple[str, dict[str, Any]]]:
    items = script.get(name, [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ConfigError(f"{path}: {name}: expected a list of objects")
    return [(f"{name}[{index}]", item) for index, item in enumerate(items)]


def _is_outcome(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int for item in value)
