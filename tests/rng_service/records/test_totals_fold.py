from rng_service.log_entries import parse_entry
from rng_service.names import Stream
from rng_service.records.totals import TotalsFold, row_key

DICE = Stream("dice", 1, "base", "real")
KENO = Stream("keno", 2, "base", "free")


def test_draws_and_settlements_add_up_by_row():
    fold = TotalsFold()
    fold.outcomes(KENO, "", 3)
    fold.plays(DICE, "EUR", 2, stake_minor=200, payout_minor=390)
    fold.settlement(KENO, "EUR", status="final", stake_minor=10, payout_minor=0, first=True)
    fold.settlement(KENO, "EUR", status="final", stake_minor=20, payout_minor=5, first=False)
    fold.settlement(KENO, "EUR", status="void", stake_minor=10, payout_minor=10, first=True)
    fold.settlement(DICE, "EUR", status="confirm", stake_minor=100, payout_minor=390, first=False)
    rows = {row_key(row): row for row in fold.rows()}
    dice, keno, drawn = (rows[key] for key in sorted(rows, key=lambda key: (key[0], -len(key[4]))))
    assert (dice.outcomes, dice.plays, dice.stake_minor, dice.payout_minor, dice.unsettled) == (2, 2, 200, 390, 0)
    assert (keno.outcomes, keno.plays, keno.stake_minor, keno.payout_minor, keno.unsettled) == (0, 2, 30, 5, -2)
    assert (drawn.outcomes, drawn.plays, drawn.unsettled) == (3, 0, 3)


def test_rows_are_sorted_by_number_not_by_text():
    fold = TotalsFold()
    for version in (10, 9):
        fold.outcomes(DICE._replace(version=version), "", 1)
    assert [row.version for row in fold.rows()] == [9, 10]


def test_parts_add_up_to_the_whole():
    whole, first, second = TotalsFold(), TotalsFold(), TotalsFold()
    for fold in (whole, first):
        fold.outcomes(DICE, "EUR", 2)
        fold.plays(DICE, "EUR", 1, stake_minor=2**80, payout_minor=1)
    for fold in (whole, second):
        fold.settlement(DICE, "EUR", status="final", stake_minor=7, payout_minor=9, first=True)
    first.add(second)
    assert first.rows() == whole.rows()


def test_the_entry_is_one_that_the_log_takes():
    fold = TotalsFold()
    fold.plays(DICE, "EUR", 1, stake_minor=2**80, payout_minor=0)
    entry = fold.entry(origin="example.org/dev", time_us=1, seq=0, from_digest=0, to_digest=9)
    assert parse_entry(entry.to_bytes()) == entry
