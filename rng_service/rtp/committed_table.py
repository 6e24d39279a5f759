"""Tables under committed totals: the public document says the returns, and commits to the rows with the money.

The public document follows from the whole one, by the same function for the operator and for whoever has the rows.
Outcomes are not withheld: the ranges of the digests show them to everybody.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["COMMITTED", "public_row", "public_table", "shows_plays", "whole_table"]

COMMITTED: Final = "committed"
_SHOWN: Final = (
    "game",
    "version",
    "program",
    "class",
    "currency",
    "digest",
    "feature",
    "outcomes",
    "theoretical",
    "rtp_percent",
    "hit_percent",
    "expected_percent",
    "expected_hit_percent",
    "bands",
)
_SHOWN_OF_GAMES: Final = ("game", "version", "class", "currency", "theoretical", "rtp_percent")


def public_table(table: Mapping[str, Any], commitments: Sequence[bytes], *, show_plays: bool) -> dict[str, Any]:
    """Return the public document for a whole table, with the commitments to its rows in their order.

    ``show_plays`` states the number of plays of each row; otherwise it is "at least 10^k".
    """
    rows = [
        {**public_row(row, show_plays=show_plays), "commitment": commitment.hex()}
        for row, commitment in zip(table["rows"], commitments, strict=True)
    ]
    games = [{name: game[name] for name in _SHOWN_OF_GAMES if name in game} for game in table["games"]]
    return {**table, "policy": COMMITTED, "rows": rows, "games": games}


def public_row(row: Mapping[str, Any], *, show_plays: bool) -> dict[str, Any]:
    """Return what is shown of a row, without its commitment."""
    found = {name: row[name] for name in _SHOWN if name in row}
    if show_plays:
        found["plays"] = row["plays"]
    elif row["plays"]:
        found["plays_at_least"] = 10 ** (len(str(row["plays"])) - 1)
    return found


def shows_plays(table: Mapping[str, Any]) -> bool:
    """Return whether a public document states numbers of plays."""
    return any("plays" in row for row in table["rows"])


def whole_table(table: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the whole document's form of a public one, with ``rows`` for its rows and without what follows from them.

    The member ``games`` is left out: `rng_service.rtp.table.rtp_table` makes it again from the rows.
    """
    return {name: item for name, item in table.items() if name not in {"policy", "games"}} | {"rows": list(rows)}
