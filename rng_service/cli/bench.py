"""`sealdraw bench`: the benchmarks of the source tree."""

import runpy
import sys
from pathlib import Path

import click

from rng_service.errors import ConfigError

__all__ = ["bench"]

_SCRIPT = Path(__file__).parents[2] / "bench" / "run.py"


@click.command(epilog="Example: sealdraw bench draw_unary_over_empty --json")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench(names: tuple[str, ...], as_json: bool) -> None:
    """Measure this machine: draws against empty calls, batches, sealing, verification.

    Ratios of one run, with the raw figures. Without names, every benchmark; some minutes on two quiet cores.
    """
    if not _SCRIPT.exists():
        raise ConfigError(f"{_SCRIPT}: the benchmarks come with the source tree, not with the installed package")
    sys.argv = [str(_SCRIPT), *names, *(["--json"] if as_json else [])]
    runpy.run_path(str(_SCRIPT), run_name="__main__")
