"""A table of returns for spreadsheets and for people: both follow from the document of `rng_service.rtp.table`."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from math import sqrt
from typing import Any, Final

from rng_service.report import Page, Plot, Table, axis_for, log_axis
from rng_service.rtp.bands import LEVELS
from rng_service.rtp.prices import VARIANCE_UNIT

__all__ = ["table_csv", "table_page"]

_COLUMNS: Final = (
    "kind",
    "game",
    "version",
    "program",
    "class",
    "currency",
    "theoretical_lowest_percent",
    "theoretical_highest_percent",
    "expected_percent",
    "rtp_percent",
    "low_95_percent",
    "high_95_percent",
    "low_99_percent",
    "high_99_percent",
    "pools",
    "outcomes",
    "plays",
    "hits",
    "unsettled",
    "stake_minor",
    "payout_minor",
    "from",
    "to",
    "from_digest",
    "to_digest",
    "definition",
)
_CURVE_POINTS: Final = 60
_HEADER: Final = (
    "game",
    "theoretical",
    "expected",
    "realised",
    "95 % band",
    "99 % band",
    "hits",
    "plays",
    "stake",
    "payout",
    "open",
)


def table_csv(table: Mapping[str, Any]) -> bytes:
    """Return the rows of a table as CSV (RFC 4180, ASCII): one line a row, then one for each stream's pools."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, _COLUMNS, restval="", extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    period = {
        "from": _time(table["from_us"]),
        "to": _time(table["to_us"]),
        "from_digest": table["from_digest"],
        "to_digest": table["to_digest"],
    }
    for row in table["rows"]:
        theoretical = row.get("theoretical", {})
        writer.writerow(
            {
                **row,
                **period,
                **_band_columns(row),
                "kind": "realised",
                "definition": row["digest"],
                "theoretical_lowest_percent": theoretical.get("lowest_percent", ""),
                "theoretical_highest_percent": theoretical.get("highest_percent", ""),
            }
        )
    for row in table["pools"]:
        theoretical = row["theoretical_percent"]
        writer.writerow(
            {
                **row,
                **period,
                **_band_columns(row),
                "kind": "pool",
                "theoretical_lowest_percent": theoretical,
                "theoretical_highest_percent": theoretical,
            }
        )
    return out.getvalue().encode("ascii")


def table_page(table: Mapping[str, Any]) -> bytes:
    """Return the table as a page with a funnel plot for each row; the same document gives the same bytes."""
    page = Page(
        f"Returns to player, table {table['seq']}",
        f"{table['origin']}: {_time(table['from_us'])} to {_time(table['to_us'])}",
    )
    page.facts(
        [
            ("log", table["origin"]),
            ("digests", f"{table['from_digest']} … {table['to_digest']}"),
            ("totals", f"{table['from_totals']} … {table['to_totals']}"),
        ]
    )
    page.text(
        "Theoretical: what the registered definition returns, an exact fraction. Pool: what one unit on the reference "
        "bet would have returned on every outcome drawn from pools that were closed in this period. Realised: what was "
        "paid for what was staked, rounding down to minor units included. Every figure follows from records that the "
        "log holds the hashes of; an auditor with the export computes this table again."
    )
    _realised(page, table["rows"])
    _pools(page, table["pools"])
    for row in table["rows"]:
        if "bands" in row and any(day["plays"] for day in row["days"]):
            _funnel(page, row)
    return page.html(
        "A band is what chance alone keeps to at one look that was planned before; over many looks and many rows some "
        "will leave it. It is too narrow before the largest prizes were hit often."
    )


def _realised(page: Page, rows: Iterable[Mapping[str, Any]]) -> None:
    page.section("Realised returns")
    cells, marks = [], {}
    for number, row in enumerate(rows):
        bands = {item["level"]: item for item in row.get("bands", [])}
        cells.append(
            (
                _name(row),
                _range(row.get("theoretical")),
                _percent(row.get("expected_percent")),
                _percent(row.get("rtp_percent")),
                _band(bands.get(95)),
                _band(bands.get(99)),
                _percent(row.get("hit_percent")),
                f"{row['plays']:,}",
                _money(row["stake_minor"]),
                _money(row["payout_minor"]),
                f"{row['unsettled']:,}",
            )
        )
        if 99 in bands and not _inside(row["rtp_percent"], bands[99]):
            marks[number, 3] = "bad"
    page.table(Table(_HEADER, cells, marks=marks))
    page.text(
        "Stakes and payouts are in minor units of the currency. Open: outcomes without a settlement yet.", soft=True
    )


def _pools(page: Page, rows: list[Mapping[str, Any]]) -> None:
    if not rows:
        return
    page.section("Returns of closed pools")
    cells = []
    for row in rows:
        bands = {item["level"]: item for item in row.get("bands", [])}
        cells.append(
            (
                _name(row),
                row["reference_bet"],
                _percent(row["theoretical_percent"]),
                _percent(row.get("rtp_percent")),
                _band(bands.get(99)),
                f"{row['pools']:,}",
                f"{row['outcomes']:,}",
            )
        )
    header = ("game", "reference bet", "theoretical", "pools", "99 % band", "pools closed", "outcomes drawn")
    page.table(Table(header, cells, left=2))


def _funnel(page: Page, row: Mapping[str, Any]) -> None:
    """Show each day's return over its plays, inside the funnel that chance alone keeps to."""
    page.section(f"Days of {_name(row)}")
    days = [day for day in row["days"] if int(day["stake_minor"])]
    plays = [float(day["plays"]) for day in days]
    centre = float(Fraction(row["expected_percent"]))
    # Of one average play of this row: its variance in squares of its stake.
    stake = int(row["stake_minor"])
    spread = sqrt(float(Fraction(int(row["expected_variance"]), VARIANCE_UNIT) * row["plays"] / (stake * stake)))
    x = log_axis("plays of a day", plays, show=lambda value: f"{value:,.0f}")
    curve = [x.low * (x.high / x.low) ** (point / _CURVE_POINTS) for point in range(_CURVE_POINTS + 1)]
    returns = [100 * int(day["payout_minor"]) / int(day["stake_minor"]) for day in days]
    half = {level: [100 * float(LEVELS[level]) * spread / sqrt(count) for count in curve] for level in (95, 99)}
    # The mouth of the funnel may be wider than anything that is worth showing.
    reach = max([abs(value - centre) for value in returns] + [_narrowest(half[99], plays, curve)]) * 1.2
    y = axis_for("return, %", [max(0.0, centre - reach), centre + reach])
    plot = Plot(f"returns of the days of {_name(row)}", x, y)
    for level, kind in ((99, "wide"), (95, "band")):
        low = [(count, centre - width) for count, width in zip(curve, half[level], strict=True)]
        high = [(count, centre + width) for count, width in zip(curve, half[level], strict=True)]
        plot.band(low, high, kind, f"{level} %")
    plot.rule(centre, "guide", "expected")
    dots = [
        (count, value, f"{day['day']}: {value:.4f} % over {day['plays']:,} plays")
        for day, count, value in zip(days, plays, returns, strict=True)
    ]
    plot.dots(dots, "main", "a day")
    page.plot(plot, "Each dot is a day (UTC): its return over its number of plays, and the funnel of chance around it.")


def _narrowest(half: list[float], plays: list[float], curve: list[float]) -> float:
    """Return the half-width of the funnel at the fewest plays of any day."""
    least = min(plays)
    return next(width for width, count in zip(half, curve, strict=True) if count >= least * 0.999)


def _band_columns(row: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for item in row.get("bands", []):
        found[f"low_{item['level']}_percent"] = item["low_percent"]
        found[f"high_{item['level']}_percent"] = item["high_percent"]
    return found


def _name(row: Mapping[str, Any]) -> str:
    parts = [row["game"], str(row["version"]), row["program"], row["class"], row.get("currency", "")]
    return "/".join(part for part in parts if part)


def _range(theoretical: Mapping[str, str] | None) -> str:
    if theoretical is None:
        return ""
    low, high = theoretical["lowest_percent"], theoretical["highest_percent"]
    return f"{low} %" if low == high else f"{low} … {high} %"


def _inside(percent: str, item: Mapping[str, str]) -> bool:
    return Fraction(item["low_percent"]) <= Fraction(percent) <= Fraction(item["high_percent"])


def _percent(text: str | None) -> str:
    return "" if text is None else f"{text} %"


def _band(item: Mapping[str, str] | None) -> str:
    return "" if item is None else f"{item['low_percent']} … {item['high_percent']} %"


def _money(text: str) -> str:
    return f"{int(text):,}"


def _time(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
