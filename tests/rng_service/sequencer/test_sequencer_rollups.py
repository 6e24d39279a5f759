"""Rollups of a real sequencer against an independent fold over the records, through deaths, rebuilds and databases."""

import json
import random
from collections import Counter
from fractions import Fraction

import pytest
from sequencer_world import Killed
from sqlalchemy import delete, insert, select, update

from anchor import canonical
from rng_service.errors import LedgerError
from rng_service.games import parse_game, resolve_bet
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import (
    DigestRow,
    DigestTotalRow,
    GameRow,
    GroupRow,
    PoolRow,
    RecordRow,
    RtpCellRow,
    RtpDeltaRow,
    RtpKeyRow,
    RtpRollupRow,
    RtpSeriesRow,
    TagsRow,
)
from rng_service.ledger.rollups import EVER, plan_fold, read_deltas
from rng_service.ledger.rtp_query import RtpQuery, covered_digests, query_rollups
from rng_service.log_entries import parse_entry
from rng_service.names import parse_pool_id
from rng_service.rtp.periods import HOUR_US, Grain
from rng_service.rtp.stakes import parse_stake_bands
from rng_service.sequencer.facts import PoolFactsCache
from rng_service.sequencer.rollup_rebuild import rebuild_rollups

BANDS = parse_stake_bands(("100", "1000", "10000"))
UNDER = {"bet": "under", "threshold": 30}
OVER = {"bet": "over", "threshold": 60}
BRANDS = ("", "north", "south")


def tag(world, places, chance):
    """Give some of the draws at these places tags, as a front does that was sent them."""
    with writing(world.engine) as connection:
        for pool, slot in places:
            row = connection.execute(
                select(RecordRow.id, RecordRow.binding).where(
                    RecordRow.pool_id == pool, RecordRow.slot == slot, RecordRow.family == 1
                )
            ).one()
            brand = chance.choice(BRANDS)
            # One request of a group has sixteen ids; the tests' binder numbers records densely.
            if not brand or row.id % 16:
                continue
            binding = canonical.decode_object(bytes(row.binding)) | {"tags": "ab" * 32}
            connection.execute(
                update(RecordRow).where(RecordRow.id == row.id).values(binding=canonical.encode(binding))
            )
            tags = canonical.encode({"brand": brand, "channel": "web", "player": "p-1"})
            connection.execute(insert(TagsRow).values(record_id=row.id, salt=bytes(32), tags=tags))


def play(world, chance, rounds, *, step):
    """Bind draws, batches, tickets and settlements of all kinds, some steps after each other, over several hours."""
    binder = world.binder()
    bare = []
    for _ in range(rounds):
        match chance.randrange(5):
            case 0 | 1:
                bet = chance.choice((UNDER, OVER))
                tag(world, binder.draws(1, stake=chance.choice((7, 100, 101, 5_000, 20_000)), bet=bet), chance)
            case 2:
                tag(world, binder.draws(1, count=chance.randrange(2, 4), stake=30, bet=OVER), chance)
            case 3:
                bare += binder.draws(1)
            case 4 if bare:
                place = chance.choice(bare)
                status = chance.choice(("final", "final", "void"))
                stake = chance.choice((50, 2_000))
                paid = expected_payout(world, place, UNDER, stake) if status == "final" else 0
                binder.settle(place, stake=stake, payout=paid, status=status, bet=UNDER)
        step()


def expected_payout(world, place, bet, stake):
    """What the paytable pays for a bare draw: its secret is the vault's, so the vault is asked as for its digest."""
    world.outcomes = getattr(world, "outcomes", {})
    with reading(world.engine) as connection:
        record = connection.execute(
            select(RecordRow.id, RecordRow.binding).where(
                RecordRow.pool_id == place[0], RecordRow.slot == place[1], RecordRow.family == 1
            )
        ).one()
        facts = PoolFactsCache().get(connection, place[0])
    from rng_service.sequencer.groups import StoredRecord
    from rng_service.sequencer.opening import as_opening

    fields = json.loads(bytes(record.binding))
    stored = StoredRecord(record.id, *place, 1, "draw", bytes(record.binding), fields)
    answer = world.vault.open_group([as_opening(stored, facts.name, {})], sign=False)
    outcome = facts.evaluator.outcomes(place[1], answer.results[0].secrets, bytes.fromhex(fields["client_seed"]))[0]
    pays = facts.evaluator.resolve(bet).multiplier(outcome)
    return stake * pays.numerator // pays.denominator


def independent_fold(world):
    """Everything the rollups should say, from records alone, one play after the other and in plain fractions."""
    found = {}
    settled = set()

    def row(key):
        return found.setdefault(key, Counter())

    with reading(world.engine) as connection:
        facts = PoolFactsCache()
        definition = parse_game(bytes(connection.execute(select(GameRow.definition)).scalar_one()))
        claims = connection.execute(
            select(GroupRow.id, GroupRow.digest_seq, GroupRow.secrets)
            .where(GroupRow.digest_seq.is_not(None))
            .order_by(GroupRow.digest_seq, GroupRow.id)
        ).all()
        draws = {}
        for group in claims:
            entry = connection.execute(select(DigestRow.entry).where(DigestRow.seq == group.digest_seq)).scalar_one()
            hour = parse_entry(bytes(entry)).time_us // HOUR_US
            rows = connection.execute(
                select(RecordRow.__table__)
                .where(RecordRow.id >= group.id << 12, RecordRow.id < (group.id + 1) << 12)
                .order_by(RecordRow.id)
            ).all()
            at = 0
            for record in rows:
                fields = json.loads(bytes(record.binding))
                name = connection.execute(select(PoolRow.pool_id).where(PoolRow.id == record.pool_id)).scalar_one()
                stream = parse_pool_id(name).stream
                if record.kind in {"draw", "void"}:
                    secrets = bytes(group.secrets)[at : at + 32 * record.slots]
                    at += 32 * record.slots
                if record.kind == "draw":
                    tags = connection.execute(select(TagsRow.tags).where(TagsRow.record_id == record.id)).scalar()
                    tags = {} if tags is None else json.loads(bytes(tags))
                    where = tags.get("brand", ""), tags.get("jurisdiction", ""), tags.get("channel", "")
                    evaluator = facts.get(connection, record.pool_id).evaluator
                    seed = bytes.fromhex(fields.get("client_seed", ""))
                    outcomes = evaluator.outcomes(record.slot, secrets, seed)
                    for item in range(record.slots):
                        draws[record.pool_id, record.slot + item] = where, outcomes[item], "bet" in fields
                    if "bet" not in fields:
                        sums = row((hour, *stream, "", *where, ""))
                        sums["outcomes"] += record.slots
                        sums["unsettled"] += record.slots
                        continue
                    stake = fields["stake_minor"]
                    key = (hour, *stream, "EUR", *where, BANDS.band("EUR", stake))
                    row(key)["outcomes"] += record.slots
                    for outcome in outcomes:
                        count(row(key), definition, fields["bet"], stake, outcome)
                elif record.kind == "settle":
                    place = record.pool_id, record.slot
                    where, outcome, own = draws[place]
                    if place not in settled:
                        settled.add(place)
                        if not own:
                            row((hour, *stream, "EUR", *where, ""))["unsettled"] -= 1
                    if fields["status"] == "final":
                        stake = fields["stake_minor"]
                        key = (hour, *stream, "EUR", *where, BANDS.band("EUR", stake))
                        count(row(key), definition, fields["bet"], stake, outcome)
    return found


def count(sums, definition, bet, stake, outcome):
    resolved = resolve_bet(definition, "base", bet)
    prizes = resolved.prizes()
    pays = resolved.multiplier(outcome)
    payout = stake * pays.numerator // pays.denominator
    scaled = prizes.variance * 2**64
    sums["plays"] += 1
    sums["hits"] += payout > 0
    sums["stake_minor"] += stake
    sums["payout_minor"] += payout
    sums["stake_squares"] += stake**2
    sums["expected_payout"] += stake * prizes.mean
    sums["expected_hits"] += prizes.hit_frequency
    sums["expected_variance"] += stake**2 * -(-scaled.numerator // scaled.denominator)


def rollups(world, grain=Grain.HOUR):
    """The answer of the query with every dimension, in the shape of `independent_fold`."""
    dimensions = tuple(column.name for column in RtpKeyRow.__table__.columns if column.name != "id")
    with reading(world.engine) as connection:
        groups = query_rollups(connection, RtpQuery(by=dimensions, grain=grain))
    names = ("outcomes", "plays", "hits", "unsettled", "stake_minor", "payout_minor", "stake_squares",
             "expected_payout", "expected_hits", "expected_variance")  # fmt: skip
    return {
        (group.period, *group.values): Counter({name: getattr(group.sums, name) for name in names}) for group in groups
    }


def stored(world):
    """All rows of the rollups, without the numbers of their keys."""
    with reading(world.engine) as connection:
        keys = {row[0]: tuple(row[1:]) for row in connection.execute(select(RtpKeyRow.__table__))}
        rows = {
            (row.grain, row.period, keys[row.key_id]): tuple(row[3:])
            for row in connection.execute(select(RtpRollupRow.__table__))
        }
        series = {tuple(row[1:6]): tuple(row[6:]) for row in connection.execute(select(RtpSeriesRow.__table__))}
        cells = sorted(tuple(row) for row in connection.execute(select(RtpCellRow.__table__)))
        return rows, series, cells, connection.execute(select(RtpDeltaRow.digest_seq)).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_rollups_are_what_an_independent_fold_over_the_records_gives(make_world, ledger_url, seed):
    chance = random.Random(seed)
    world = make_world(ledger_url, size=64)
    world.register()
    world.start()
    world.steps(3)
    play(world, chance, 40, step=lambda: world.steps(1, seconds=chance.choice((1, 1, 1_800))))
    expected = independent_fold(world)
    # Before everything is folded, and after.
    assert +rollups_total(rollups(world)) == +rollups_total(expected)
    assert rollups(world) == expected
    world.sequencer.finish()
    assert stored(world)[3] == []
    assert rollups(world) == expected
    assert +rollups_total(rollups(world, Grain.MONTH)) == +rollups_total(expected)
    # The totals of the log count the same plays.
    with reading(world.engine) as connection:
        totals = connection.execute(select(DigestTotalRow.__table__)).all()
        assert covered_digests(connection, 0, 10**6) == (0, max(row.digest_seq for row in connection.execute(
            select(DigestRow.seq.label("digest_seq")))))  # fmt: skip
    for name in ("outcomes", "plays", "unsettled"):
        assert sum(getattr(row, name) for row in totals) == rollups_total(expected)[name]
    for name in ("stake_minor", "payout_minor"):
        assert sum(int(getattr(row, name)) for row in totals) == rollups_total(expected)[name]
    world.verify()


def rollups_total(rows):
    total = Counter()
    for sums in rows.values():
        for name, value in sums.items():
            total[name] += value
    return total


def test_a_rebuild_gives_the_same_rows_to_the_last_digit(make_world, ledger_url):
    chance = random.Random(3)
    world = make_world(ledger_url, size=64)
    world.register()
    world.start()
    world.steps(3)
    play(world, chance, 40, step=lambda: world.steps(1, seconds=chance.choice((1, 7, 2_000))))
    world.sequencer.finish()
    before = stored(world)
    assert len(before[0]) > 10
    with writing(world.engine) as connection:
        connection.execute(delete(RtpCellRow).where(RtpCellRow.day == EVER))
        connection.execute(update(RtpRollupRow).values(plays=RtpRollupRow.plays + 1))
    assert stored(world) != before
    with writing(world.engine) as connection:
        rebuilt = rebuild_rollups(connection, BANDS)
    assert rebuilt.records > 25
    assert stored(world) == before


def test_the_histogram_has_every_priced_play_once_and_keeps_the_mean(make_world):
    chance = random.Random(4)
    world = make_world(size=64)
    world.register()
    world.start()
    world.steps(3)
    play(world, chance, 40, step=lambda: world.steps(1, seconds=chance.choice((1, 30_000))))
    world.sequencer.finish()
    _, series, cells, _ = stored(world)
    ever = [cell for cell in cells if cell[1] == EVER]
    total = rollups_total(rollups(world))
    assert sum(cell[5] for cell in ever) == total["plays"]
    assert sum(cell[5] for cell in cells if cell[1] != EVER) == total["plays"]
    assert {cell[4] for cell in ever} == {"99/100"}
    highest = {Fraction(row[0]) for row in series.values() if row[0] != "0"}
    assert all(Fraction(cell[3]) <= max(highest) for cell in ever)
    # Winners are paid 99/30 and 99/39, between the points of the grid around them.
    points = {Fraction(0), Fraction(13, 4), Fraction(53, 16), Fraction(5, 2), Fraction(41, 16)}
    assert {Fraction(cell[3]) for cell in ever} <= points


class KillAt:
    def __init__(self, name, passing):
        self.name, self.left, self.killed = name, passing, False

    def __call__(self, name):
        if name == self.name:
            self.left -= 1
            if self.left == 0:
                self.killed = True
                raise Killed(name)


@pytest.mark.parametrize("passing", [1, 2, 5])
@pytest.mark.parametrize("step", ["digest.files", "digest.recorded", "rollups.folded", "publish.assigned"])
def test_a_death_at_any_step_leaves_each_play_in_the_rollups_once(make_world, step, passing):
    chance = random.Random(passing)
    world = make_world(size=64)
    world.register()
    kill = KillAt(step, passing)
    world.start()
    world.steps(3)
    world.abandon()

    def alive():
        while True:
            try:
                if world.sequencer is None:
                    world.start(on_step=kill)
                world.steps(1, seconds=chance.choice((1, 11)))
            except Killed:
                world.abandon()
            else:
                return

    play(world, chance, 25, step=alive)
    assert kill.killed
    world.sequencer.finish()
    assert rollups(world) == independent_fold(world)


def test_without_rollups_nothing_is_kept_and_a_rebuild_makes_all_of_it(make_world):
    from dataclasses import replace

    from rng_service.config import RtpConfig

    world = make_world(size=64)
    world.config = replace(world.config, rtp=RtpConfig(rollups=False))
    world.register()
    world.start()
    world.steps(3)
    play(world, random.Random(5), 10, step=lambda: world.steps(1))
    world.sequencer.finish()
    assert rollups(world) == {}
    with writing(world.engine) as connection:
        rebuild_rollups(connection, BANDS)
    assert rollups(world) == independent_fold(world)


def test_a_day_with_too_many_kinds_of_plays_takes_no_more_and_says_how_many_it_left_out(make_world, monkeypatch):
    monkeypatch.setattr("rng_service.ledger.rollups.MAX_CELLS", 2)
    world = make_world(size=64)
    world.register()
    world.start()
    world.steps(3)
    binder = world.binder()
    for stake in (1, 2, 4, 8):
        for _ in range(4):
            binder.draws(1, stake=stake, bet=UNDER)
        world.steps(1)
    world.sequencer.finish()
    _, series, cells, _ = stored(world)
    (row,) = series.values()
    counted = sum(cell[5] for cell in cells if cell[1] == EVER)
    assert (counted + row[2], row[2] >= 8) == (16, True)
    with writing(world.engine) as connection:
        rebuild_rollups(connection, BANDS)
    assert stored(world)[:3] == (stored(world)[0], series, cells)


def test_two_folds_at_once_count_nothing_twice(make_world):
    world = make_world(size=64)
    world.register()
    world.start()
    world.steps(3)
    world.binder().draws(3, stake=10, bet=UNDER)
    world.steps(1)
    with reading(world.engine) as connection:
        deltas = read_deltas(connection)
        plans = [plan_fold(connection, deltas), plan_fold(connection, deltas)]
    with writing(world.engine) as connection:
        plans[0].write(connection)
    with pytest.raises(LedgerError, match="another process folds"), writing(world.engine) as connection:
        plans[1].write(connection)
    assert rollups(world) == independent_fold(world)
