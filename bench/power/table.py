"""The published table: Markdown out of what was found."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.pages import replaced_between

__all__ = ["BEGIN", "END", "markdown", "names_in", "size_of", "written_into"]

BEGIN = "<!-- power: written by python -m bench.power --write -->"
END = "<!-- power: end -->"
_BINARY_UNITS = ("bytes", "KiB", "MiB", "GiB")


def markdown(report: Mapping[str, Any]) -> str:
    """Return everything that stands between the markers of docs/power.md."""
    parts = [_bad(report)] if report["bad"] else []
    parts += [_good(report)] if report["good"]["runs"] else []
    return "\n\n".join((*parts, _run(report)))


def written_into(page: str, report: Mapping[str, Any]) -> str:
    """Return ``page`` with what stands between the markers replaced. Raises ValueError when a marker is missing."""
    return replaced_between(page, BEGIN, END, markdown(report))


def names_in(page: str) -> list[str]:
    """Return the bad generators that the page's table names, in its order."""
    table = page.partition(BEGIN)[2].partition("| good generator")[0]
    return [line.split("|")[1].split("<br>")[0].strip(" *") for line in table.splitlines() if line.startswith("| **")]


def size_of(size: int, unit: str) -> str:
    """Return a size as people read it: 2 MiB, 64 Mbit, 8,388,608 spins, 64 GiB + 16 KiB."""
    if unit.startswith("bytes"):
        steps = 0
        while size >= 1_024 and size % 1_024 == 0 and steps < len(_BINARY_UNITS) - 1:
            size, steps = size // 1_024, steps + 1
        text = f"{size} {_BINARY_UNITS[steps]}"
        rest = unit.removeprefix("bytes").strip()
        return f"64 GiB + {text}" if rest == "behind 64 GiB" else f"{text} {rest}".strip()
    return f"{size:,} {unit}"


def _bad(report: Mapping[str, Any]) -> str:
    batteries: Sequence[str] = report["batteries"]
    lines = [
        f"| bad generator | {' | '.join(batteries)} |",
        f"|---|{'---|' * len(batteries)}",
    ]
    for entry in report["bad"]:
        cells = [_cell(entry["findings"].get(battery), entry["needed"]) for battery in batteries]
        lines.append(f"| **{entry['name']}**<br>{entry['what']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(finding: Mapping[str, Any] | None, needed: float | None) -> str:
    if finding is None:
        return "-"
    size = size_of(finding["size"], finding["unit"])
    if finding["caught"]:
        first, *others = finding["tests"]
        more = f" and {len(others)} more" if others else ""
        return f"**{size}**: {first}{more}"
    beyond = f"; would take {needed:.1e}" if needed else ""
    return f"passes {size}{beyond}"


def _good(report: Mapping[str, Any]) -> str:
    runs = report["good"]["runs"]
    kinds = list(dict.fromkeys(run["kind"] for run in runs))
    lines = [f"| good generator | {' | '.join(kinds)} |", f"|---|{'---|' * len(kinds)}"]
    for generator in dict.fromkeys(run["generator"] for run in runs):
        found = {run["kind"]: run for run in runs if run["generator"] == generator}
        lines.append(f"| {generator} | {' | '.join(_tally(found.get(kind)) for kind in kinds)} |")
    totals = {total["kind"]: total for total in report["good"]["totals"]}
    summed = [f"{totals[kind]['flagged']} of {totals[kind]['runs']:,}" for kind in kinds]
    chances = [_chance(totals[kind]["chance_of_so_many_flagged"]) for kind in kinds]
    failed = [str(totals[kind]["failed"]) for kind in kinds]
    of_fails = [_chance(totals[kind]["chance_of_so_many_failed"]) for kind in kinds]
    lines.append(f"| **all: suspicious or worse** | {' | '.join(summed)} |")
    lines.append(f"| chance of so many or more at 1 % | {' | '.join(chances)} |")
    lines.append(f"| **all: fail** | {' | '.join(failed)} |")
    lines.append(f"| chance of so many or more at 0.01 % | {' | '.join(of_fails)} |")
    return "\n".join(lines) + "\n\n" + _everything(report["good"]["all"])


def _everything(total: Mapping[str, Any]) -> str:
    runs = total["runs"]
    return (
        f"All {runs:,} reports on good generators together: {total['flagged']} suspicious or worse, where up to"
        f" {runs / 100:.0f} are expected (chance of so many or more: {_chance(total['chance_of_so_many_flagged'])});"
        f" {total['failed']} fail, where up to {runs / 10_000:.2f} are expected"
        f" ({_chance(total['chance_of_so_many_failed'])})."
    )


def _tally(run: Mapping[str, Any] | None) -> str:
    if run is None:
        return "-"
    failed = f", {run['failed']} of them fail" if run["failed"] else ""
    return f"{run['suspicious'] + run['failed']} of {run['runs']}{failed}"


def _chance(chance: float) -> str:
    return f"{chance:.2f}" if chance >= 0.01 else f"{chance:.1g}"


def _run(report: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return (
        f"{report['jobs']} processes, {report['seconds']:.0f} s, {report['cpu_seconds']:.0f} s of processor time; "
        f"{versions}."
    )
