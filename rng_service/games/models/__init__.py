"""The settlement models: every module of this package that has a ``MODEL``; nothing else has to know about one."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from rng_service.games.models.base import Bet, ModelKind, Priced, SettlementModel


def _found() -> dict[str, ModelKind]:
    found: dict[str, ModelKind] = {}
    for module in iter_modules(__path__):
        kind = getattr(import_module(f"{__name__}.{module.name}"), "MODEL", None)
        if not isinstance(kind, ModelKind):
            continue
        if kind.name in found:
            raise ImportError(f"two settlement models are called {kind.name!r}")
        found[kind.name] = kind
    return found


MODELS: Mapping[str, ModelKind] = _found()

__all__ = ["MODELS", "Bet", "ModelKind", "Priced", "SettlementModel"]
