"""PAR sheets: exact figures, classes that add up, one form for ever, and a page that any reader can parse."""

import json
from fractions import Fraction
from xml.etree import ElementTree as ET

import pytest
from game_samples import ROOT, SAMPLES, SHIPPED, parsed

from anchor import canonical
from rng_service.games import GameError, load_game, theory
from rng_service.par import par_page, par_sheet
from rng_service.par.making import make_par, make_par_aside


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_a_sheet_says_what_theory_says(path):
    definition = load_game(path)
    sheet, figures = par_sheet(definition), theory(definition)
    assert canonical.decode(canonical.encode(sheet), limit=10**7) == sheet
    assert set(sheet["programs"]) == set(figures["programs"])
    for name, program in figures["programs"].items():
        for label, bet in program["bets"].items():
            stated = sheet["programs"][name]["bets"][label]
            for key in ("rtp", "rtp_percent", "hit_frequency", "top_prize", "maximum_exposure"):
                assert stated[key] == bet[key]
            assert float(stated["standard_deviation"]) == pytest.approx(bet["standard_deviation"], abs=1e-6)


@pytest.mark.parametrize("make", SAMPLES.values(), ids=SAMPLES)
def test_the_classes_of_prizes_add_up_to_everything(make):
    definition = parsed(make())
    for bet in par_sheet(definition)["programs"]["base"]["bets"].values():
        classes = bet["prize_classes"]
        assert sum(Fraction(part["probability"]) for part in classes) == 1
        own = sum(Fraction(part["multiplier"]) * Fraction(part["probability"]) for part in bet["distribution"])
        assert sum(Fraction(part["returns"]) for part in classes) == own
        for part in classes:
            assert part["from"] == part["below"] == "0" or Fraction(part["from"]) < Fraction(part["below"])


def test_the_bands_of_a_sheet_narrow_with_the_root_of_the_plays():
    rows = par_sheet(load_game(ROOT / "games" / "european-roulette.json"))["programs"]["base"]["bets"]["red"]
    found = {(row["level"], row["plays"]): row for row in rows["confidence"]}
    wide, narrow = found["95", 10_000], found["95", 1_000_000]

    def width(row):
        return Fraction(row["high_percent"]) - Fraction(row["low_percent"])

    assert abs(width(wide) / width(narrow) - 10) < Fraction(1, 100)
    assert float(found["95", 1_000_000]["high_percent"]) == pytest.approx(97.2973 + 0.1959, abs=2e-4)


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_a_page_is_well_formed_fetches_nothing_and_comes_out_the_same(path):
    sheet = par_sheet(load_game(path))
    page = par_page(sheet)
    assert page == par_page(json.loads(json.dumps(sheet)))
    text = page.decode()
    # The head's void elements aside, a page is XML.
    body = text[text.index("<body>") : text.index("</html>")]
    ET.fromstring(body)
    assert "<script" not in text
    assert "http:" not in text.replace('http-equiv="', "")
    assert "https:" not in text


def test_a_page_escapes_what_a_definition_says():
    value = SAMPLES["table"]() if "table" in SAMPLES else next(iter(SAMPLES.values()))()
    value["title"] = "<script>alert(1)</script>"
    page = par_page(par_sheet(parsed(value)))
    assert b"<script" not in page
    assert b"&lt;script&gt;" in page


def test_a_sheet_made_in_another_process_is_the_same_and_its_refusal_too():
    data = (ROOT / "games" / "keno-80.json").read_bytes()
    assert make_par_aside(data) == make_par(data)
    with pytest.raises(GameError, match=r"^\$\.title: "):
        make_par_aside(data.replace(b'"title": "Keno', b'"title": "\\u0001Keno'))
