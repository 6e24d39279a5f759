"""Tables of returns as values: what is in a row, whole rounds of games with features, what a public document keeps."""

import csv
import io
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.games import load_game
from rng_service.games.reference import reference_prizes
from rng_service.games.theory import program_theory
from rng_service.rtp.bands import deal_band
from rng_service.rtp.committed_table import public_row, public_table, shows_plays, whole_table
from rng_service.rtp.rollup import SeriesKey, Sums
from rng_service.rtp.table import PoolReturn, PoolsKey, TableHeader, TableRow, first_difference, rtp_table
from rng_service.rtp.table_files import table_csv, table_page
from rng_service.rtp.table_reading import read_table

GAMES = Path(__file__).parents[3] / "games"
HEADER = TableHeader("example.org/test", 3, 1, 2, 10, 20, 1_790_000_000_000_000, 1_790_000_100_000_000)
DICE = load_game(GAMES / "dice-99.json")
EUROS = SeriesKey("dice-99", 1, "base", "real", "EUR")
DAY = 20_718


def sums(**changes):
    given = {
        "outcomes": 10,
        "plays": 10,
        "hits": 4,
        "stake_minor": 1_000,
        "payout_minor": 970,
        "stake_squares": 100_000,
        "expected_payout": Fraction(990),
        "expected_hits": Fraction(99, 20),
        "expected_variance": 98_000 << 64,
    }
    return Sums(**{**given, **changes})


def made(rows=None, pools=None, definitions=None):
    rows = {EUROS: TableRow({DAY: sums(), DAY + 1: sums()})} if rows is None else rows
    return rtp_table(HEADER, rows, pools or {}, definitions or {("dice-99", 1): DICE})


def test_a_row_has_exact_figures_and_bands_around_what_was_expected():
    (row,) = made()["rows"]
    assert (row["rtp"], row["rtp_percent"], row["expected_percent"], row["hit_percent"]) == (
        "97/100",
        "97.0000",
        "99.0000",
        "40.0000",
    )
    assert [day["day"] for day in row["days"]] == ["2026-09-22", "2026-09-23"]
    ninety_nine = row["bands"][-1]
    half = 2.5758293035489004 * (196_000**0.5) / 2_000
    assert float(ninety_nine["high_percent"]) == pytest.approx(99 + 100 * half, abs=1e-4)


def test_a_row_with_plays_of_unknown_theory_has_no_band():
    (row,) = made({EUROS: TableRow({DAY: sums(unpriced=1, expected_hits=Fraction(1))})})["rows"]
    assert row["unpriced"] == 1
    assert not {"bands", "expected_percent", "expected_hit_percent"} & row.keys()
    assert row["rtp_percent"] == "97.0000"


def test_rows_and_days_on_which_nothing_happened_are_left_out():
    table = made(
        {
            EUROS: TableRow({DAY: sums(), DAY + 1: Sums()}),
            EUROS._replace(currency="SEK"): TableRow({DAY: Sums()}),
        }
    )
    (row,) = table["rows"]
    assert [day["day"] for day in row["days"]] == ["2026-09-22"]


def test_a_table_reads_back_to_the_sums_that_it_was_made_of():
    pools = {PoolsKey("dice-99", 1, "base", "real"): PoolReturn(2, 100, Fraction(197, 2))}
    table = made(pools=pools)
    read = read_table(canonical.decode_object(canonical.encode(table), limit=10**6, what="table"))
    assert read.pools == pools
    again = rtp_table(HEADER, read.rows, read.pools, {("dice-99", 1): DICE})
    assert first_difference(table, again) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"hits": 11},
        {"hits": 0},
        {"payout_minor": 3},
        {"by_strategy": 11},
        {"unpriced": 11},
        {"expected_hits": Fraction(11)},
    ],
)
def test_sums_that_no_plays_have_are_refused_when_they_are_read(change):
    with pytest.raises(MalformedError, match="no 10 plays have these"):
        read_table(made({EUROS: TableRow({DAY: sums(**change)})}))


@pytest.mark.parametrize("change", [{"expected_payout": Fraction(10**90)}, {"expected_variance": 10**170}])
def test_expectations_that_no_picture_could_be_drawn_of_are_refused(change):
    whole = sums(**change)
    counts = {name: getattr(whole, name) for name in ("outcomes", "plays", "hits", "unsettled")}
    money = {
        name: str(getattr(whole, name))
        for name in ("stake_minor", "payout_minor", "expected_payout", "expected_hits", "expected_variance")
    }
    table = made()
    table["rows"][0]["days"][0] |= counts | money
    with pytest.raises(MalformedError, match="return that much"):
        read_table(table)


@pytest.mark.parametrize("text", ["1e9", "1/0", "-1", "01", "1/2/3", "½", "1.5", " 1", "9" * 2_001, "1/" + "9" * 2_001])
def test_a_fraction_of_another_form_is_refused_before_it_is_computed(text):
    table = made()
    table["rows"][0]["days"][0]["expected_payout"] = text
    with pytest.raises(MalformedError):
        read_table(table)


@pytest.fixture(scope="module")
def frenzy():
    return load_game(GAMES / "fruit-frenzy.json")


def test_whole_rounds_of_a_game_with_features_are_told_beside_its_programs(frenzy):
    features = sorted(name for name, program in frenzy.programs.items() if program.feature)
    paid = sorted(set(frenzy.programs) - set(features))
    rows = {
        SeriesKey(frenzy.game, 1, name, "real", "EUR"): TableRow({DAY: sums(payout_minor=500)})
        for name in (paid[0], features[0])
    }
    table = made(rows, definitions={(frenzy.game, 1): frenzy})
    (game,) = table["games"]
    # The feature's stake was not taken again; what it paid was.
    assert (game["plays"], game["stake_minor"], game["payout_minor"], game["rtp"]) == (10, "1000", "1000", "1")
    bets = program_theory(frenzy, paid[0]).values()
    assert Fraction(game["theoretical"]["highest"]) == max(bet.rtp for bet in bets)
    assert [row.get("feature", False) for row in table["rows"]] == [key.program in features for key in sorted(rows)]
    assert b"Whole rounds" in table_page(table)


def test_a_public_document_says_returns_and_no_money():
    whole = made()
    public = public_table(whole, [bytes(32)], show_plays=False)
    (row,) = public["rows"]
    assert row["plays_at_least"] == 10
    assert "plays" not in row
    text = canonical.encode(public)
    assert b"minor" not in text
    assert b"days" not in text
    assert not shows_plays(public)
    shown = public_table(whole, [bytes(32)], show_plays=True)
    assert shown["rows"][0]["plays"] == 20
    assert shows_plays(shown)
    assert whole_table(public, whole["rows"]) == {name: item for name, item in whole.items() if name != "games"}


@given(st.integers(1, 10**12))
def test_the_bound_on_plays_is_the_power_of_ten_below(plays):
    bound = public_row({"plays": plays}, show_plays=False)["plays_at_least"]
    assert bound <= plays < 10 * bound


@pytest.mark.parametrize("committed", [False, True])
def test_csv_and_page_follow_from_the_document_alone(committed):
    pools = {PoolsKey("dice-99", 1, "base", "real"): PoolReturn(2, 100, Fraction(197, 2))}
    table = made(pools=pools)
    if committed:
        table = public_table(table, [bytes(32)], show_plays=False)
    read = canonical.decode_object(canonical.encode(table), limit=10**6, what="table")
    assert table_csv(read) == table_csv(table)
    assert table_page(read) == table_page(table)
    rows = list(csv.DictReader(io.StringIO(table_csv(table).decode("ascii"))))
    assert [row["kind"] for row in rows] == ["realised", "pool"]
    assert rows[0]["stake_minor"] == ("" if committed else "2000")
    assert rows[0]["rtp_percent"] == "97.0000"
    assert (b"withheld" in table_page(table)) is committed


def test_days_draw_a_funnel_and_a_day_outside_it_is_marked():
    days = {DAY + number: sums(payout_minor=900 + number) for number in range(5)}
    days[DAY + 9] = sums(
        plays=10_000,
        outcomes=10_000,
        hits=4_000,
        stake_minor=10**6,
        payout_minor=5 * 10**6,
        expected_payout=Fraction(990_000),
        expected_hits=Fraction(4_950),
        expected_variance=(98 * 10**6) << 64,
    )
    page = table_page(made({EUROS: TableRow(days)})).decode()
    assert "Days of dice-99/1/base/real/EUR" in page
    assert 'circle class="bad"' in page
    few = table_page(made()).decode()
    assert "Days of" not in few


def test_the_first_difference_names_the_place_and_both_values():
    one = made()
    other = made({EUROS: TableRow({DAY: sums(payout_minor=971), DAY + 1: sums()})})
    assert first_difference(one, other) == "$.rows[0].days[0].payout_minor is '970', the records give '971'"
    assert first_difference({"a": 1}, {"a": True}) == "$.a is 1, the records give True"
    assert first_difference([1], [1, 2]) == "$ has 1 items, 2 belong there"


def test_closed_deals_have_the_narrower_band_of_draws_without_replacement():
    game = load_game(GAMES / "pull-tab.json")
    (name,) = game.programs
    program = game.program(name)
    size = program.deal_size
    label, prizes = reference_prizes(program)
    key = PoolsKey(game.game, game.version, name, "real")
    found = PoolReturn.of_pool(program, size // 2, prizes.mean * (size // 2))
    table = made({}, {key: found + found}, {(game.game, game.version): game})
    (row,) = table["pools"]
    assert (row["pools"], row["outcomes"], row["measured_by"]) == (2, size // 2 * 2, label)
    # Two deals that were half sold: half as much variance of the mean as of one, and half of that without replacement.
    one = deal_band(composition(prizes, size), sold=size // 2, level=99)
    half = Fraction(row["bands"][-1]["high_percent"]) / 100 - prizes.mean
    assert float(half) == pytest.approx(float(one.half_width) / 2**0.5, abs=2e-6)
    assert read_table(table).pools == {key: found + found}
    sold_out = PoolReturn.of_pool(program, size, prizes.mean * size)
    (row,) = made({}, {key: sold_out}, {(game.game, game.version): game})["pools"]
    assert row["spread"] == "0"
    assert row["bands"][-1]["low_percent"] == row["bands"][-1]["high_percent"] == row["theoretical_percent"]


def composition(prizes, size):
    return {prize: int(chance * size) for prize, chance in prizes.probabilities.items()}
