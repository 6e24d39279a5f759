"""Pages and plots: round ticks, right places, nothing unescaped, nothing fetched."""

import re
from hashlib import sha256
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rng_service.report import Axis, Page, Plot, Table, axis_for, log_axis

FINITE = st.floats(-1e9, 1e9, allow_nan=False)


@given(st.lists(FINITE, min_size=1, max_size=20))
def test_a_linear_axis_holds_every_value_between_round_ticks(values):
    axis = axis_for("value", values)
    # What a picture cannot show may stick out.
    hairline = 1e-6 * (axis.high - axis.low)
    assert axis.low <= min(values) + hairline
    assert axis.high >= max(values) - hairline
    assert 2 <= len(axis.ticks) <= 9
    steps = [after[0] - before[0] for before, after in zip(axis.ticks, axis.ticks[1:], strict=False)]
    assert all(step == pytest.approx(steps[0], rel=1e-6) for step in steps)


@given(st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=20))
def test_a_logarithmic_axis_holds_every_value_between_whole_decades(values):
    axis = log_axis("value", values)
    assert axis.low <= min(values) * (1 + 1e-6)
    assert axis.high >= max(values) * (1 - 1e-6)
    assert len(axis.ticks) <= 10


def test_positions_run_from_0_to_1_and_stop_at_the_ends():
    linear = Axis("x", 10, 20, ())
    assert [linear.position(value) for value in (0, 10, 15, 20, 99)] == [0, 0, 0.5, 1, 1]
    logarithmic = Axis("x", 1, 10_000, (), logarithmic=True)
    assert logarithmic.position(100) == pytest.approx(0.5)


def test_a_bar_stands_on_the_floor_and_reaches_its_height():
    plot = Plot("bars", Axis("x", 0, 2, ()), Axis("y", 0, 10, ()), width=288, height=264)
    plot.bars([(0, 1, 10), (1, 2, 5)])
    bars = ET.fromstring(plot.svg()).findall("rect")
    assert [float(bar.get("y")) for bar in bars] == [16, 116]
    assert [float(bar.get("y")) + float(bar.get("height")) for bar in bars] == [216, 216]


def test_a_plot_is_one_well_formed_element_with_a_name():
    plot = Plot('a "name" <here>', axis_for("x", [0, 1]), axis_for("y", [0, 1]))
    plot.band([(0, 0), (1, 0)], [(0, 1), (1, 1)], "band", "95 %")
    plot.line([(0, 0), (1, 1)], "main", "line & more")
    plot.dots([(0.5, 0.5, "<dot>")])
    plot.rule(0.3)
    root = ET.fromstring(plot.svg())
    assert root.get("aria-label") == 'a "name" <here>'
    assert root.find("circle/title").text == "<dot>"
    assert len(root.findall("polyline")) == 2


def test_a_page_escapes_everything_and_fetches_nothing():
    page = Page("<x-title>", "<x-subtitle>")
    page.section("<x-section>")
    page.text("<script>alert(1)</script>")
    page.facts([("<x-name>", "<x-value>")])
    page.table(Table(("<x-head>",), [("<x-cell>",)], marks={(0, 0): "bad"}))
    text = page.html("<x-foot>").decode()
    assert "<script" not in text
    assert "<x-" not in text
    assert text.count("&lt;x-") == 9
    assert 'class="left bad"' in text
    assert not re.findall(r"(?:src|href)=", text)
    assert "default-src 'none'" in text


def test_the_same_page_comes_out_the_same():
    def made():
        page = Page("title")
        plot = Plot("plot", log_axis("x", [1, 1e6]), axis_for("y", [0.1, 0.7]))
        plot.line([(10**power, power / 10) for power in range(7)])
        page.plot(plot, "caption")
        return page.html()

    assert made() == made()


def small_page(**options):
    page = Page("title", "subtitle", **options)
    page.section("section")
    plot = Plot("plot", axis_for("x", [0, 3]), log_axis("y", [1, 100]))
    plot.band([(0, 1), (1, 2)], [(0, 3), (1, 9)], "wide", "band")
    plot.bars([(0, 1, 5), (1, 2, 50)], "bad")
    plot.line([(0, 1), (3, 50)], "guide", "line")
    plot.dots([(1, 2, "one"), (2, 3, "two")], "good", "dots")
    page.plot(plot, "caption")
    page.facts([("name", "value")])
    page.table(Table(("a", "b"), [("1", "2")], marks={(0, 1): "bad"}))
    return page, plot


def test_pages_that_auditors_compute_again_keep_their_bytes():
    """Tables of returns in old logs are compared with what this code draws: a changed byte would refuse them."""
    page, _ = small_page()
    assert sha256(page.html("foot")).hexdigest() == "5d7ebd1f7b65d9afe5b3fa64c3b489a7e22514994b1c671a6ca5b915028f4d15"


def test_an_adaptive_page_has_banners_lists_and_plots_side_by_side():
    page, plot = small_page(adaptive=True)
    page.banner("bad", "<title>", "<text>")
    page.items(["<one>", "two"])
    page.plots([("<first>", plot), ("second", plot)])
    page.plots([("third", plot)], small=True)
    text = page.html().decode()
    main = ET.fromstring(text[text.index("<main>") : text.index("</main>") + len("</main>")])
    assert main.find("div[@class='banner bad']/strong").text == "<title>"
    assert [item.text for item in main.findall("ul/li")] == ["<one>", "two"]
    assert [name.text for name in main.findall("div[@class='figures']/figure/figcaption")] == ["<first>", "second"]
    assert len(main.findall("div[@class='figures small']/figure/svg")) == 1
    assert "prefers-color-scheme:dark" in text
    assert "prefers-color-scheme" not in small_page()[0].html().decode()


def test_a_page_becomes_a_pdf_with_everything_on_it():
    pdf = pytest.importorskip("rng_service.report.pdf", reason="the extra pdf is not installed")
    page, plot = small_page(adaptive=True)
    short = pdf.page_pdf(page, "foot")
    page.banner("good", "title …", "text ≤ √2 — 字")
    page.items(["one", "two"])
    page.subsection("part")
    page.plots([("a name that is far too long for the little room above a small plot", plot)] * 4, small=True)
    page.plots([("first", plot), ("second", plot)])
    page.table(Table(("a", "b" * 400), [(str(row), "c" * 300) for row in range(200)], marks={(3, 0): "second"}))
    made = pdf.page_pdf(page, "foot")
    assert made == pdf.page_pdf(page, "foot")
    assert made.startswith(b"%PDF-")
    assert len(made) > len(short)
    pages = [int(found) for found in re.findall(rb"/Count (\d+)", made)]
    assert max(pages) >= 4
