"""A table of returns for spreadsheets and for people: both follow from the document of `rng_service.rtp.table`."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import accumulate
from math import sqrt
from typing import Any, Final

from rng_service.report import Page, Plot, Table, axis_for, log_axis
from rng_service.rtp.bands import LEVELS
from rng_service.rtp.committed_table import COMMITTED
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
    "plays_at_least",
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
# A funnel needs days; one or two dots are told by their row.
_FEWEST_DAYS: Final = 3
_LEAST_REACH: Final = 3.5
_LEAST_POINTS: Final = 0.01


def table_csv(table: Mapping[str, Any]) -> bytes:
    """Return a table as CSV (RFC 4180, ASCII): a line for each row, each game with features, each stream's pools."""
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
    for row in table["games"]:
        theoretical = row.get("theoretical", {})
        writer.writerow(
            {
                **row,
                **period,
                "kind": "rounds",
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
    """Return the table as a page with funnel plots; the same document gives the same bytes."""
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
        "Theoretical: what the registered definition returns, an exact fraction, from the lowest to the highest of its "
        "bets. Expected: the theory of the bets that were really played, by their stakes. Realised: what was paid for "
        "what was staked, rounding down to minor units included. Every figure follows from records that the log holds "
        "the hashes of; an auditor with the export computes this table again."
    )
    withheld = table.get("policy") == COMMITTED
    if withheld:
        page.text(
            "Stakes and payouts are withheld. The log commits to them: an auditor with the openings checks every "
            "figure here against them."
        )
    rows = table["rows"]
    _realised(page, rows)
    _volumes(page, rows, withheld=withheld)
    _games(page, table["games"])
    _pools(page, table["pools"])
    _glance(page, rows)
    for row in rows:
        if "bands" in row and sum(int(day["stake_minor"]) > 0 for day in row.get("days", [])) >= _FEWEST_DAYS:
            _funnel(page, row)
    return page.html(
        "A band is what chance alone keeps to at one look that was planned before; over many looks and many rows some "
        "will leave it. It is too narrow before the largest prizes were hit often."
    )


def _realised(page: Page, rows: Iterable[Mapping[str, Any]]) -> None:
    page.section("Realised returns, %")
    cells, marks = [], {}
    for number, row in enumerate(rows):
        bands = {item["level"]: item for item in row.get("bands", [])}
        cells.append(
            (
                _name(row),
                _range(row.get("theoretical")),
                row.get("expected_percent", ""),
                row.get("rtp_percent", ""),
                *(_band(bands.get(level)) for level in (95, 99)),
            )
        )
        if 99 in bands and "rtp_percent" in row and not _inside(row["rtp_percent"], bands[99]):
            marks[number, 3] = "bad"
    header = ("game", "theoretical", "expected", "realised", "95 % band", "99 % band")
    page.table(Table(header, cells, marks=marks))
    page.text(
        "A realised return outside its 99 % band is red: one row in a hundred is, by chance alone. No band: some plays "
        "have no exact theory, or nothing was staked. Awarded draws of a feature have rows of their own; they state "
        "the stake of their round again.",
        soft=True,
    )


def _volumes(page: Page, rows: Iterable[Mapping[str, Any]], *, withheld: bool) -> None:
    page.section("Plays")
    cells = []
    for row in rows:
        plays = f"{row['plays']:,}" if "plays" in row else ""
        if "plays_at_least" in row:
            plays = f"at least {row['plays_at_least']:,}"
        cells.append(
            (
                _name(row),
                f"{row['outcomes']:,}",
                plays,
                row.get("expected_hit_percent", ""),
                row.get("hit_percent", ""),
                *([] if withheld else [_money(row.get(name)) for name in ("stake_minor", "payout_minor", "unsettled")]),
            )
        )
    header = ("game", "outcomes", "plays", "hits expected, %", "hits, %", "stake", "payout", "open")
    page.table(Table(header[: 5 if withheld else 8], cells))
    if withheld:
        return
    page.text(
        "Stakes and payouts are in minor units of the currency. Open: outcomes without a settlement yet, less those "
        "of earlier days that were settled now. An outcome that was drawn without a stake is open in the row without "
        "a currency; its first settlement counts against the row of its own.",
        soft=True,
    )


def _games(page: Page, games: Sequence[Mapping[str, Any]]) -> None:
    if not games:
        return
    page.section("Whole rounds of games with features, %")
    cells = [
        (
            _name(game),
            _range(game.get("theoretical")),
            game.get("rtp_percent", ""),
            _money(game.get("stake_minor")),
            _money(game.get("payout_minor")),
        )
        for game in games
    ]
    page.table(Table(("game", "theoretical", "realised", "stake", "payout"), cells))
    page.text("What a stake returned with all the draws that it was awarded.", soft=True)


def _pools(page: Page, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    page.section("Returns of closed pools, %")
    cells, marks = [], {}
    for number, row in enumerate(rows):
        bands = {item["level"]: item for item in row.get("bands", [])}
        cells.append(
            (
                _name(row),
                row["measured_by"],
                row["theoretical_percent"],
                row.get("rtp_percent", ""),
                _band(bands.get(99)),
                f"{row['pools']:,}",
                f"{row['outcomes']:,}",
            )
        )
        if 99 in bands and "rtp_percent" in row and not _inside(row["rtp_percent"], bands[99]):
            marks[number, 3] = "bad"
    header = ("game", "measured by", "theoretical", "pools", "99 % band", "closed", "outcomes")
    page.table(Table(header, cells, left=2, marks=marks))
    page.text(
        "What one unit on this bet would have returned on every outcome drawn from pools that were closed in "
        "this period, whoever played what: it shows the outcomes without the players' bets.",
        soft=True,
    )


def _glance(page: Page, rows: Iterable[Mapping[str, Any]]) -> None:
    """Show every row in one funnel: how many standard errors its return is from what its bets were expected to give."""
    dots = []
    for row in rows:
        error = _standard_error(row)
        count = row.get("plays", row["outcomes"])
        if error and count:
            away = float(Fraction(row["rtp_percent"]) - Fraction(row["expected_percent"])) / error
            dots.append((float(count), away, f"{_name(row)}: {row['rtp_percent']} %, {away:+.2f} standard errors"))
    if not dots:
        return
    page.section("All rows against chance")
    reach = max(_LEAST_REACH, max(abs(away) for _, away, _ in dots) * 1.1)
    x = log_axis("plays", [count for count, _, _ in dots], show=_whole)
    plot = Plot("realised less expected return of every row", x, axis_for("standard errors", [-reach, reach]))
    for level, kind in ((99, "wide"), (95, "band")):
        half = float(LEVELS[level])
        plot.band([(x.low, -half), (x.high, -half)], [(x.low, half), (x.high, half)], kind, f"{level} %")
    plot.rule(0.0, "guide", "expected")
    outside = float(LEVELS[99])
    plot.dots([dot for dot in dots if abs(dot[1]) <= outside], "main", "a row")
    plot.dots([dot for dot in dots if abs(dot[1]) > outside], "bad")
    page.plot(plot, "Each dot is a row of the table: how far its return is from the expected one, in standard errors.")


def _standard_error(row: Mapping[str, Any]) -> float:
    """Return the standard error of a row's return in percent, from its widest band; 0 without one."""
    if "rtp_percent" not in row or "expected_percent" not in row or not row.get("bands"):
        return 0.0
    widest = row["bands"][-1]
    return float((Fraction(widest["high_percent"]) - Fraction(row["expected_percent"])) / LEVELS[widest["level"]])


def _funnel(page: Page, row: Mapping[str, Any]) -> None:
    """Show each day's return over its plays, inside the funnel that chance alone keeps to."""
    page.section(f"Days of {_name(row)}")
    days = [day for day in row["days"] if int(day["stake_minor"])]
    plays = [float(day["plays"]) for day in days]
    centre = float(Fraction(row["expected_percent"]))
    # Of one average play of this row: its variance in squares of its stake.
    stake = int(row["stake_minor"])
    spread = sqrt(float(Fraction(int(row["expected_variance"]), VARIANCE_UNIT) * row["plays"] / (stake * stake)))
    x = log_axis("plays of a day", plays, show=_whole)
    curve = [x.low * (x.high / x.low) ** (point / _CURVE_POINTS) for point in range(_CURVE_POINTS + 1)]
    returns = [100 * int(day["payout_minor"]) / int(day["stake_minor"]) for day in days]

    def half(level: int, count: float) -> float:
        return 100 * float(LEVELS[level]) * spread / sqrt(count)

    # The mouth of the funnel is wider than anything that is worth showing: where half of all plays are counts, and
    # every day that chance does not explain.
    odd = [
        abs(value - centre)
        for value, count in zip(returns, plays, strict=True)
        if abs(value - centre) > half(99, count)
    ]
    reach = 1.2 * max([2 * half(99, _half_of_all(plays)), *odd, _LEAST_POINTS])
    y = axis_for("return, %", [max(0.0, centre - reach), centre + reach])
    plot = Plot(f"returns of the days of {_name(row)}", x, y)
    for level, kind in ((99, "wide"), (95, "band")):
        low = [(count, centre - half(level, count)) for count in curve]
        high = [(count, centre + half(level, count)) for count in curve]
        plot.band(low, high, kind, f"{level} %")
    plot.rule(centre, "guide", "expected")
    dots = [
        (count, value, f"{day['day']}: {value:.4f} % over {day['plays']:,} plays")
        for day, count, value in zip(days, plays, returns, strict=True)
    ]
    inside = [dot for dot in dots if abs(dot[1] - centre) <= half(99, dot[0])]
    plot.dots(inside, "main", "a day")
    plot.dots([dot for dot in dots if dot not in inside], "bad")
    beyond = sum(not y.low <= value <= y.high for value in returns)
    note = f" Days with few plays whose return lies beyond the edges, shown on them: {beyond}." if beyond else ""
    page.plot(plot, f"Each dot is a day (UTC): its return over its plays, and the funnel of chance around it.{note}")


def _half_of_all(plays: Iterable[float]) -> float:
    """Return the least number of plays such that days with at least so many have half of all plays."""
    ordered = sorted(plays, reverse=True)
    return next(
        count for count, reached in zip(ordered, accumulate(ordered), strict=True) if 2 * reached >= sum(ordered)
    )


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _band_columns(row: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for item in row.get("bands", []):
        found[f"low_{item['level']}_percent"] = item["low_percent"]
        found[f"high_{item['level']}_percent"] = item["high_percent"]
    return found


def _name(row: Mapping[str, Any]) -> str:
    parts = [row["game"], str(row["version"]), row.get("program", ""), row["class"], row.get("currency", "")]
    return "/".join(part for part in parts if part)


def _range(theoretical: Mapping[str, str] | None) -> str:
    if theoretical is None:
        return ""
    low, high = theoretical["lowest_percent"], theoretical["highest_percent"]
    return low if low == high else f"{low} … {high}"


def _inside(percent: str, item: Mapping[str, str]) -> bool:
    return Fraction(item["low_percent"]) <= Fraction(percent) <= Fraction(item["high_percent"])


def _band(item: Mapping[str, str] | None) -> str:
    return "" if item is None else f"{item['low_percent']} … {item['high_percent']}"


def _money(text: str | int | None) -> str:
    return "" if text is None else f"{int(text):,}"


def _time(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
