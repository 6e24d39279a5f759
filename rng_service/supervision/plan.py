"""Which processes a configuration asks for, and in which order."""

import sys
from pathlib import Path
from typing import Final

from rng_service.config import Config
from rng_service.supervision.child import ChildSpec

__all__ = ["plan"]

_STOP_S: Final = 10.0
# What a front needs after its drain time to close what it has open.
_AFTER_DRAIN_S: Final = 5.0


def plan(config: Config, config_path: Path, workers: int) -> list[ChildSpec]:
    """Return the processes of one node: vault, beacon and files first, then the sequencer, then the fronts.

    They stop the other way round: what a front has accepted is opened, what was opened is published, and only then
    the keys go.
    """
    specs = [
        _python(
            "vault",
            "rng_service.vault.process",
            (
                *("--directory", config.vault_dir),
                *("--kek-directory", config.kek_dir),
                *("--socket", config.vault_socket),
                *("--origin", config.service.origin),
            ),
            stage=0,
            ready_marker="vault ready",
        )
    ]
    if config.beacon.kind == "development":
        host, port = split_address(config.beacon.listen)
        specs.append(
            _python(
                "beacon",
                "rng_service.beacon.development",
                ("--directory", config.service.data_dir / "beacon", "--host", host, "--port", port),
                stage=0,
                ready_marker="development beacon http",
            )
        )
    if config.public.enabled:
        specs.append(
            _python(
                "public",
                "rng_service.supervision.public_files",
                ("--directory", config.public_dir, "--listen", config.public.listen),
                stage=0,
                ready_marker="public files ready",
            )
        )
    arguments = ("--config", config_path)
    specs.append(
        _python("sequencer", "rng_service.sequencer.process", arguments, stage=1, ready_marker="sequencer ready")
    )
    specs += [
        _python(
            "front" if workers == 1 else f"front-{number}",
            "rng_service.front.process",
            arguments if workers == 1 else (*arguments, "--share-port"),
            stage=2,
            ready_marker="listening on port",
            stop_s=config.api.drain_s + _AFTER_DRAIN_S,
        )
        for number in range(1, workers + 1)
    ]
    return specs


def split_address(listen: str) -> tuple[str, str]:
    """Split ``host:port`` (or ``[host]:port``) into its parts."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), port


def _python(
    name: str,
    module: str,
    arguments: tuple[object, ...],
    *,
    stage: int,
    ready_marker: str,
    stop_s: float = _STOP_S,
) -> ChildSpec:
    command = (sys.executable, "-m", module, *map(str, arguments))
    return ChildSpec(name, command, stage, ready_marker, stop_s)
