"""The page of a fairness test: the verdict first, what it rests on below, and what it does not say."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rng_service.report import Page, Table
from rng_service.statistics.report_charts import counts_plot, histogram_plot, quantile_plot, residual_plot

__all__ = ["report_page", "statistics_page"]

Document = Mapping[str, Any]

_BANNERS: Final = {
    "pass": ("good", "Pass", "Nothing was found that chance does not explain."),
    "suspicious": (
        "second",
        "Suspicious",
        "This is no pass and no fail: more data of the same source have to decide, by the plan that stood before.",
    ),
    "fail": ("bad", "Fail", "Chance is no explanation for what was found."),
    "interrupted": (
        "second",
        "Interrupted",
        "Somebody stopped this run. What follows was found until then, and decides nothing.",
    ),
}
_SUBJECTS: Final = {
    "input": "a file or a pipe, brought by whoever ran the test",
    "test-stream": "a test-only stream of the service's own generator, never used for outcomes",
    "opened": "outcomes of slots that were opened to the public after use",
}
_BATTERIES: Final = {
    "nist": "NIST SP 800-22 Rev. 1a",
    "weakness": "tests for weak generators",
    "bits": "NIST SP 800-22 Rev. 1a, and tests for weak generators",
    "all": "NIST SP 800-22 Rev. 1a, and tests for weak generators",
    "gaming": "tests of outcomes, chosen by the game's definition",
}
_TITLES: Final = {
    "nist": "NIST SP 800-22",
    "weakness": "Tests for weak generators",
    "gaming": "Tests of outcomes",
}
# By the names of `stats_tests.gaming.PublishedList`, which needs numpy.
_SHORT_LISTS: Final = {
    "GLI-11/GLI-19 §3.2.2 (2020)": "GLI",
    "older fifteen-test list, e.g. 58 Pa. Code §810a.5(c)": "fifteen",
}
_LISTS: Final = {
    "nist": "All fifteen tests of SP 800-22 Rev. 1a, with the published parameters.",
    "weakness": "Additional tests: what catches generators that SP 800-22 passes. No published list names them.",
    "gaming": (
        "GLI: named among the seven tests of GLI-19 (v3.0, 2020), section 3.2.2, and GLI-11. Fifteen: named in the "
        "older list of fifteen tests that lives on in law, for instance in 58 Pa. Code § 810a.5(c). Additional: named "
        "by neither."
    ),
}
_MODES: Final = {
    "exact": "exact: corrected constants",
    "nist-2.1.2": "nist-2.1.2: the constants of NIST's program, for comparison with its reports",
}
# Of the fifteen tests these give enough P-values by themselves for a picture of each.
_LEAST_FOR_PICTURE: Final = 100
_MOST_ROWS: Final = 400
# As `stats_tests.second_level` says of shorter sequences.
_LEAST_BITS: Final = 100_000
_SHOWN_HYPOTHESES: Final = 12
_NOT_SAID: Final = (
    "A test can show that a generator is bad. No test can show that it is good, or that nobody can predict it.",
    (
        "Whoever tries seeds until one suits him has a stream that passes every test here. What protects players from "
        "that is that outcomes are committed to before a beacon that nobody knows yet, and that anybody can check it."
    ),
    "A verdict is about the data named above, and about nothing that the source gives before or after them.",
    "One perfect source in a hundred is called suspicious at a look, and that is as it should be.",
    "This is the work of a program. It is no opinion of a laboratory and no approval by an authority.",
)


def report_page(document: Document) -> bytes:
    """Return the page of a document that `report_document` made; the same document gives the same bytes."""
    return statistics_page(document).html(
        "Drawn from the report in JSON, which holds every figure behind these tables. The same report gives the same "
        "page, byte for byte; there is no date in it."
    )


def statistics_page(document: Document) -> Page:
    """Return the page before it is written in any form."""
    page = Page("Fairness test report", _subtitle(document), adaptive=True)
    kind, title, text = _BANNERS[document["verdict"]]
    page.banner(kind, f"Verdict: {title}", text)
    for note in document["notes"]:
        page.text(f"Note: {note}.")
    _tested(page, document)
    _judged(page, document)
    _p_values(page, document)
    for battery in dict.fromkeys(test["battery"] for test in document["tests"]):
        _tests(page, battery, [test for test in document["tests"] if test["battery"] == battery])
        if battery == "nist":
            _second_level(page, document["second_level"])
    _counts(page, document["counts"])
    _not_applicable(page, document["tests"])
    page.section("What this verdict does not say")
    page.items(_NOT_SAID)
    return page


def _subtitle(document: Document) -> str:
    run = f"run {document['run']} of the log: " if "run" in document else ""
    return f"{run}{document['source']['description']}"


def _tested(page: Page, document: Document) -> None:
    source = document["source"]
    page.section("What was tested")
    facts = [
        ("source", source["description"]),
        ("kind", _SUBJECTS[document["subject"]]),
        ("bytes read", f"{source['bytes']:,}"),
        ("SHA-256 of them", source["sha256"]),
    ]
    facts += [(fact["name"], fact["value"]) for fact in source["facts"]]
    facts.append(("battery", _BATTERIES[document["battery"]]))
    if "mode" in document:
        facts.append(("mode", _MODES[document["mode"]]))
    if "bits" in document:
        facts.append(("sequences", f"{document['sequences']:,} of {document['bits']:,} bits"))
    if "outcomes" in document:
        facts.append(("outcomes", f"{document['outcomes']:,}"))
    facts.append(("software", ", ".join(f"{name} {version}" for name, version in sorted(document["software"].items()))))
    page.facts(facts)


def _judged(page: Page, document: Document) -> None:
    page.section("How it was judged")
    if "plan" in document:
        looks = document["plan_document"]["looks"]
        page.facts([("plan, SHA-256", document["plan"])])
        fixed = (
            "before it began; the outcomes existed by then, and whoever keeps them could have looked"
            if document["subject"] == "opened"
            else "before the first bit"
        )
        page.text(
            f"The plan was fixed {fixed}. Up to {_number(len(looks), 'look')}, each at all data since the beginning. A "
            "suspicious look leads to the next one; pass and fail end the test. Nothing is run again until it passes."
        )
    else:
        page.text(
            "There was no plan: one look at everything there was, with bounds that the program has fixed. Whoever "
            "chooses among several such reports chooses the verdict; a plan rules that out."
        )
    what, unit = _unit(document)
    rows = [
        (
            f"{look['sequences'] * unit:,}" if unit else f"{document[what]:,}",
            f"{look['hypotheses']:,}",
            _short(look["smallest_adjusted_p"]),
            f"{look['suspicious_below']:g}",
            f"{look['fail_below']:g}",
            look["verdict"],
        )
        for look in document["looks"]
    ]
    if rows:
        marks = {(row, 5): _BANNERS[cells[5]][0] for row, cells in enumerate(rows)}
        header = (what, "P-values", "smallest after Holm", "suspicious below", "fail below", "verdict")
        page.table(Table(header, rows, left=0, marks=marks))
    decision = document["decision"]
    if decision is None:
        page.text("There was nothing to decide on.")
        return
    page.text(
        "All P-values together are one family, corrected by Holm: whatever the dependence between the tests, a perfect "
        f"source has a corrected P-value below {decision['fail_below']:g} in at most one of "
        f"{1 / decision['fail_below']:,.0f} such looks, and one below {decision['suspicious_below']:g} in at most one "
        f"of {1 / decision['suspicious_below']:,.0f}."
        + (
            f" Over all looks of the plan it fails with probability at most {_error_rate(document):g}."
            if rows and "plan" in document
            else ""
        )
    )
    _smallest(page, document)


def _unit(document: Document) -> tuple[str, int]:
    """Return what looks are counted in, and how many of them a sequence has; 0 where one look was at all of them."""
    if "outcomes" not in document:
        return "sequences", 1
    return "outcomes", document["plan_document"]["outcomes"] if "plan" in document else 0


def _smallest(page: Page, document: Document) -> None:
    page.subsection("The smallest P-values")
    ordered = sorted(document["hypotheses"], key=lambda item: (item["holm"], item["p_value"]))
    bounds = document["decision"]
    rows, marks = [], {}
    for row, item in enumerate(ordered[:_SHOWN_HYPOTHESES]):
        rows.append((item["label"], _short(item["p_value"]), _short(item["holm"]), _short(item["benjamini_hochberg"])))
        if item["holm"] < bounds["fail_below"]:
            marks[row, 2] = "bad"
        elif item["holm"] < bounds["suspicious_below"]:
            marks[row, 2] = "second"
    page.table(Table(("question", "P", "after Holm", "false-discovery rate"), rows, marks=marks))
    discoveries = bounds["false_discovery"]
    page.text(
        f"Of {_number(len(ordered), 'question')}, {len(discoveries['benjamini_hochberg'])} would be worth a look at a "
        f"false-discovery rate of {discoveries['rate']:.0%} (Benjamini-Hochberg; under any dependence, "
        f"Benjamini-Yekutieli: {len(discoveries['benjamini_yekutieli'])}). No verdict rests on that.",
        soft=True,
    )


def _p_values(page: Page, document: Document) -> None:
    histograms = [test["histogram"] for test in document["tests"] if test["p_values"]]
    if not histograms:
        return
    page.section("How P-values fell")
    together = [sum(column) for column in zip(*histograms, strict=True)]
    questions = _number(len(document["hypotheses"]), "question")
    page.plots(
        [
            (f"All {sum(together):,} P-values of all tests", histogram_plot("all P-values of all tests", together)),
            (
                f"The {questions} of the verdict, in order",
                quantile_plot([item["p_value"] for item in document["hypotheses"]]),
            ),
        ]
    )
    page.text(
        "Left: of a perfect source each part holds about as many as the dashed line says, and 999 of 1,000 parts lie "
        "in the band. Tests that look at the same data move together, and a bound that was not reached counts as "
        "P = 1, so the last part may be high. Right: dots above the band are rarer than chance; dots below "
        "it are bounds and counts, which can be larger than expected without harm. What is below 1e-20 is drawn there.",
        soft=True,
    )
    if "nist" in {test["battery"] for test in document["tests"]} and document["bits"] < _LEAST_BITS:
        page.text(
            f"P-values of sequences of fewer than {_LEAST_BITS:,} bits take few different values, so bars jump; the "
            "verdict does not ask how these are distributed."
        )
    each = [test for test in document["tests"] if test["p_values"] >= _LEAST_FOR_PICTURE]
    if each:
        page.subsection("Test by test")
        named = [(_name(test), test) for test in each]
        page.plots(
            [
                (f"{name}, {test['p_values']:,} P-values", histogram_plot(name, test["histogram"], small=True))
                for name, test in named
            ],
            small=True,
        )


def _tests(page: Page, battery: str, tests: Sequence[Document]) -> None:
    page.section(_TITLES[battery])
    page.text(_LISTS[battery])
    rows = [
        (
            test["name"],
            test["subject"],
            ", ".join(_SHORT_LISTS.get(name, name) for name in test["lists"]),
            f"{test['asked'] - test['skipped']:,} of {test['asked']:,}",
            f"{test['p_values']:,}",
            _short(test["smallest"]),
        )
        for test in tests
    ]
    header = ("test", "of", "list", "applicable", "P-values", "smallest P")
    page.table(Table(header, rows[:_MOST_ROWS], left=3))
    if len(rows) > _MOST_ROWS:
        page.text(f"{len(rows) - _MOST_ROWS:,} more stand in the JSON report.", soft=True)


def _second_level(page: Page, columns: Sequence[Document]) -> None:
    flagged = [column for column in columns if column["nist"]["flags"]]
    page.subsection("As NIST's own report judges")
    page.text(
        f"NIST's two figures would flag {len(flagged)} of {len(columns)} lines: the proportion of P-values of at least "
        "0.01, and the uniformity of all. They are information: of a hundred perfect sequences 3 to 4 of 188 lines are "
        "flagged. The verdict rests on exact P-values instead."
    )
    if not flagged:
        return
    rows = [
        (
            f"{column['test']}[{column['index']}]",
            f"{column['first_sequence']:,}",
            f"{column['passed']:,} of {column['sequences']:,}",
            f"{column['nist']['least_passes']:,}",
            _short(column["nist"]["uniformity_p"]),
            _short(column["exact"]["proportion_p"]),
            _short(column["exact"]["uniformity_p"]),
            " and ".join(column["nist"]["flags"]),
        )
        for column in flagged[:_MOST_ROWS]
    ]
    header = (
        "line", "from sequence", "passed", "at least", "uniformity", "exact, passed", "exact, uniformity", "flag",
    )  # fmt: skip
    page.table(Table(header, rows))


def _counts(page: Page, counts: Sequence[Document]) -> None:
    if not counts:
        return
    page.section("Outcomes against expectation")
    page.text(
        "Left how often each value came up, and how often the definition says; right how far each count is from that, "
        "in standard deviations. Of a perfect source 999 of 1,000 dots lie in the band."
    )
    for part in counts:
        page.plots([(part["subject"], counts_plot(part)), ("in standard deviations", residual_plot(part))])


def _not_applicable(page: Page, tests: Sequence[Document]) -> None:
    skipped = [test for test in tests if test["reason"] is not None]
    if not skipped:
        return
    page.section("Not applicable")
    page.text("A test that cannot be asked is neither a pass nor a fail, and is left out of everything above.")
    rows = [(_name(test), f"{test['skipped']:,} of {test['asked']:,}", test["reason"]) for test in skipped[:_MOST_ROWS]]
    page.table(Table(("test", "times", "reason, the first of them"), rows, left=3))


def _name(test: Document) -> str:
    return f"{test['name']}, {test['subject']}" if test["battery"] == "gaming" else str(test["name"])


def _error_rate(document: Document) -> float:
    return sum(_fraction(look["spend"]) for look in document["plan_document"]["looks"])


def _fraction(text: str) -> float:
    numerator, _, denominator = text.partition("/")
    return int(numerator) / int(denominator)


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _short(p_value: float | None) -> str:
    return "-" if p_value is None else f"{p_value:.3g}"
