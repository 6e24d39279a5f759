"""The figures of the page: Markdown out of what the experiments found."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.pages import replaced_between

__all__ = ["BEGIN", "END", "markdown", "written_into"]

BEGIN = "<!-- grinding: written by python -m bench.grinding --write -->"
END = "<!-- grinding: end -->"


def markdown(found: Mapping[str, Any]) -> str:
    """Return everything that stands between the markers of the page."""
    grind, little, known = found["grind"], found["little_by_little"], found["known_seed"]
    protocol, steer, scale, game = found["with_the_protocol"], found["steer"], found["scale"], found["game"]
    stated = _percent(game["return"])
    seconds = grind["processor_seconds"]
    slots, points = f"{scale['slots']:,}", f"{100 * little['taken_from_players']:.2f}"
    error, of_draws = _percent(protocol["error"]), _percent(steer["error"])
    rows = [
        ("what was done", "what players got back", "what the tests said"),
        ("---", "---", "---"),
        (
            f"**the worst of {scale['pools']:,} commitments**, a pool of {slots} slots; {seconds:.0f} s of one core",
            f"**{_percent(grind['return'])}** instead of {stated}, {grind['standard_errors']:+.1f} standard errors",
            _verdicts(grind["said"]),
        ),
        (
            f"**the worse of two** for every fourth of {scale['periods']} pools; {little['outcomes']:,} outcomes",
            f"**{points} points less** than from an honest operator ({_percent(little['return'])} this time)",
            _verdicts(little["said"]),
        ),
        (
            f"**a generator with a published seed**, {known['bytes']:,} bytes",
            "whatever who knows the seed wants" if known["predicted"] else "as stated",
            _verdicts(known["said"]),
        ),
        (
            f"the pool of the first row **with a later beacon**, {protocol['turns']} values",
            f"{_percent(protocol['with_a_later_beacon'])} ± {error}",
            "nothing was gained",
        ),
        (
            f"the pool of the first row **with fresh client seeds**, {protocol['turns']} times",
            f"{_percent(protocol['with_fresh_client_seeds'])} ± {error}",
            "nothing was gained",
        ),
        (
            f"**the worst of the next {steer['slots']} slots**, the seed known; {steer['draws']:,} draws",
            f"**{_percent(steer['steered'])}**",
            "`steerable` in the receipt",
        ),
        (
            f"the same, but **the slot fixed before the seed**; {steer['draws']:,} draws",
            f"{_percent(steer['ticketed'])} ± {of_draws}",
            "nothing was gained",
        ),
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n\n" + _details(grind)


def written_into(page: str, found: Mapping[str, Any]) -> str:
    """Return ``page`` with what stands between the markers replaced. Raises ValueError when a marker is missing."""
    return replaced_between(page, BEGIN, END, markdown(found))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _verdicts(said: Sequence[Mapping[str, Any]]) -> str:
    passed = sum(one["verdict"] == "pass" for one in said)
    return f"pass: all {passed}" if passed == len(said) else f"pass: {passed} of {len(said)}"


def _details(grind: Mapping[str, Any]) -> str:
    lines = [
        "The first row in full:",
        "",
        "| examination | verdict | P-values | smallest, corrected |",
        "|---|---|---|---|",
    ]
    for one in grind["said"]:
        smallest = "" if one["smallest"] is None else f"{one['smallest']:.2f}"
        lines.append(f"| {one['name']} | {one['verdict']} | {one['p_values'] or ''} | {smallest} |")
    refused = grind["worse_ones_that_did_not_pass"]
    return "\n".join(lines) + f"\n\nWorse pools that did not pass everything, and were left aside: {refused}."
