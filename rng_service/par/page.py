"""A PAR sheet as a page: what an operator, a laboratory and a player read from the same facts."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from rng_service.report import Axis, Page, Plot, Table, axis_for, log_axis

__all__ = ["par_page"]

_SHOWN_ITEMS: Final = 200
_SHOWN_PRIZES: Final = 200
_LONGEST_FRACTION: Final = 27
_WIDEST_FRACTION: Final = 80
_HEADER: Final = ("bet", "return", "hits", "deviation", "VI 90 %", "VI 95 %", "top prize", "odds", "exposure")


def par_page(sheet: Mapping[str, Any]) -> bytes:
    """Return the page of a sheet that `par_sheet` made; the same sheet gives the same bytes."""
    page = Page(
        f"PAR sheet: {sheet['title']}",
        f"{sheet['game']} version {sheet['version']}: probability accounting report, computed from the definition",
    )
    page.facts([("definition, SHA-256", sheet["digest"]), ("format", sheet["format"])])
    page.text(
        "Every probability and return on this sheet is computed exactly, as a fraction; nothing is simulated. "
        "Fractions that are too long for a table are shown as decimals, the JSON sheet has them in full. What is "
        "proven is the mathematics of this definition, which pools commit to by the digest above; how it is drawn "
        "is for receipts and the log to prove."
    )
    for name, program in sheet["programs"].items():
        _program(page, name, program)
    return page.html("Multipliers are what comes back for each unit staked, the stake included.")


def _program(page: Page, name: str, program: Mapping[str, Any]) -> None:
    kind = "Feature program" if program["definition"].get("feature") else "Program"
    page.section(f"{kind} {name}")
    bets = program["bets"]
    if not bets:
        page.text("This program has no bets: it gives outcomes only.")
        return
    page.table(Table(_HEADER, [_figures(label, bet) for label, bet in bets.items()]))
    page.table(
        Table(("bet", "return, exactly"), [(label, _exactly(bet["rtp"])) for label, bet in bets.items()], left=2)
    )
    for step in program["definition"]["steps"]:
        if step["step"] == "reels":
            _strips(page, step["strips"])
    reference = program["reference_bet"]
    bet = bets[reference]
    if len(bets) > 1:
        page.text(f"What follows is for the bet {reference}, the one with the largest prize.", soft=True)
    _contributions(page, bet)
    _items(page, bet)
    _distribution(page, bet)
    _confidence(page, bet)


def _figures(label: str, bet: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        label,
        f"{bet['rtp_percent']} %",
        _percent(Fraction(bet["hit_frequency"])),
        f"{float(bet['standard_deviation']):.4f}",
        f"{float(bet['volatility_index_90']):.4f}",
        f"{float(bet['volatility_index_95']):.4f}",
        _multiplier(bet["top_prize"]["multiplier"]),
        _odds(bet["top_prize"]["odds"]),
        bet["maximum_exposure"] if bet["maximum_exposure"] == "unbounded" else _multiplier(bet["maximum_exposure"]),
    )


def _strips(page: Page, strips: Sequence[Sequence[str]]) -> None:
    page.subsection("Reel strips")
    rows = [
        (str(stop), *(strip[stop] if stop < len(strip) else "" for strip in strips))
        for stop in range(max(len(strip) for strip in strips))
    ]
    page.table(Table(("stop", *(f"reel {number + 1}" for number in range(len(strips)))), rows, left=1 + len(strips)))
    symbols = sorted({symbol for strip in strips for symbol in strip})
    page.subsection("Symbols by reel")
    counts = [(symbol, *(str(list(strip).count(symbol)) for strip in strips)) for symbol in symbols]
    total = ("stops", *(str(len(strip)) for strip in strips))
    page.table(Table(("symbol", *(f"reel {number + 1}" for number in range(len(strips)))), [*counts, total]))


def _contributions(page: Page, bet: Mapping[str, Any]) -> None:
    if "contributions" not in bet:
        return
    page.subsection("Where the return comes from")
    whole = Fraction(bet["rtp"])
    rows = [
        (name, _percent(Fraction(part)), _percent(Fraction(part) / whole) if whole else "", _fraction(part))
        for name, part in bet["contributions"].items()
    ]
    page.table(Table(("part", "of the stake", "of the return", "exactly"), rows))
    for name, award in bet.get("awards", {}).items():
        page.text(
            f"Feature {name}: awarded by {_odds(award['frequency'])} draws; {float(Fraction(award['draws'])):.6f} "
            "draws of it are played for each paid draw, retriggers included."
        )


def _items(page: Page, bet: Mapping[str, Any]) -> None:
    items = bet.get("items", [])
    if not items:
        return
    page.subsection("Paytable")
    rows = [
        (item["name"], _multiplier(item["pays"]), _odds(item["chance"]), _percent(Fraction(item["returns"])))
        for item in items[:_SHOWN_ITEMS]
    ]
    page.table(Table(("combination", "pays", "hits", "of the stake"), rows))
    if len(items) > _SHOWN_ITEMS:
        page.text(f"{len(items) - _SHOWN_ITEMS} more stand in the JSON sheet.", soft=True)


def _distribution(page: Page, bet: Mapping[str, Any]) -> None:
    page.subsection("Prizes of one draw")
    classes = bet["prize_classes"]
    rows = [
        (
            _class_name(part),
            _odds(part["probability"]),
            _decimal(part["probability"]),
            _percent(Fraction(part["returns"])),
        )
        for part in classes
    ]
    page.table(Table(("multiplier", "odds", "probability", "of the stake"), rows))
    chances = [float(Fraction(part["probability"])) for part in classes]
    if len(chances) > 1:
        x = Axis("multiplier", 0, len(classes), tuple((n + 0.5, _class_name(part)) for n, part in enumerate(classes)))
        y = log_axis("probability", [*chances, 1.0])
        plot = Plot("probability of each class of prizes", x, y)
        plot.bars([(n + 0.12, n + 0.88, chance) for n, chance in enumerate(chances)])
        page.plot(plot, "Probability of each class of prizes, on a logarithmic scale.")
    listed = bet.get("distribution", [])
    if listed and len(listed) <= _SHOWN_PRIZES:
        page.subsection("Every prize")
        each = [
            (_multiplier(part["multiplier"]), _odds(part["probability"]), _fraction(part["probability"]))
            for part in listed
        ]
        page.table(Table(("multiplier", "odds", "exactly"), each, left=0))


def _confidence(page: Page, bet: Mapping[str, Any]) -> None:
    page.subsection("What a number of plays can show")
    levels = sorted({row["level"] for row in bet["confidence"]}, key=int)
    plays = sorted({int(row["plays"]) for row in bet["confidence"]})
    found = {(int(row["plays"]), row["level"]): (row["low_percent"], row["high_percent"]) for row in bet["confidence"]}
    rows = [
        (f"{count:,}", *(f"{low} … {high}" for low, high in (found[count, level] for level in levels)))
        for count in plays
    ]
    page.table(Table(("plays", *(f"{level} %: low … high" for level in levels)), rows))
    low = {level: [(float(count), float(found[count, level][0])) for count in plays] for level in levels}
    high = {level: [(float(count), float(found[count, level][1])) for count in plays] for level in levels}
    widest, narrowest = levels[-1], levels[0]
    values = [value for line in (*low[widest], *high[widest]) for value in line[1:]]
    plot = Plot(
        "return after a number of equal plays",
        log_axis("plays", [float(count) for count in plays], show=lambda value: f"{value:,.0f}"),
        axis_for("return, %", values),
    )
    plot.band(low[widest], high[widest], "wide", f"{widest} %")
    plot.band(low[narrowest], high[narrowest], "band", f"{narrowest} %")
    plot.rule(100 * float(Fraction(bet["rtp"])), "main", "theoretical")
    page.plot(
        plot,
        "Normal bands around the theoretical return for equal stakes. They are too narrow for few plays of a game "
        "whose largest prizes are rare, and they hold for one look at a number of plays that was fixed before.",
    )


def _class_name(part: Mapping[str, str]) -> str:
    if part["from"] == part["below"]:
        return part["from"]
    return f"below {part['below']}" if part["from"] == "0" else f"{part['from']}-{part['below']}"


def _exactly(text: str) -> str:
    if len(text) <= _WIDEST_FRACTION:
        return text
    return f"{float(Fraction(text)):.15f} (the fraction has {len(text)} characters: see the JSON sheet)"


def _fraction(text: str) -> str:
    return text if len(text) <= _LONGEST_FRACTION else _decimal(text)


def _multiplier(text: str) -> str:
    value = Fraction(text)
    return text if value.denominator == 1 or len(text) <= 9 else f"{float(value):.4f}"


def _decimal(text: str) -> str:
    return f"{float(Fraction(text)):.9g}"


def _percent(value: Fraction) -> str:
    return f"{100 * float(value):.4f} %"


def _odds(text: str) -> str:
    value = Fraction(text)
    if value == 0:
        return "never"
    one_in = 1 / value
    return f"1 in {float(one_in):,.2f}" if one_in < 1000 else f"1 in {float(one_in):,.0f}"
