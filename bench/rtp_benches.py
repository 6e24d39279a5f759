"""Realised return: questions to the rollups of a hundred million draws, and what rollups cost where draws are made."""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from http2_load import run
from scene import Scene, draw_bodies, scene
from service_benches import DRAW

from rng_service.games import load_game
from rng_service.ledger.engine import open_engine, reading, sqlite_url
from rng_service.ledger.models import Base
from rng_service.ledger.rollups import add_delta, plan_fold, read_deltas
from rng_service.ledger.rtp_query import DIMENSIONS, RtpQuery, query_rollups
from rng_service.log_entries import PoolCommit
from rng_service.names import parse_pool_id
from rng_service.records.digest import DigestItem
from rng_service.records.totals import TotalsFold
from rng_service.rtp.periods import HOUR_US, Grain, period_of
from rng_service.rtp.prices import PriceBook
from rng_service.rtp.stakes import parse_stake_bands
from rng_service.sequencer.accounting import add_record, drawn
from rng_service.sequencer.facts import PoolFacts
from rng_service.sequencer.groups import StoredRecord
from rng_service.sequencer.opening import OpenedRecord
from rng_service.sequencer.rollups import RollupMaker
from rng_service.verify.evaluation import PoolEvaluator

GAMES_DIRECTORY = Path(__file__).parents[1] / "games"
DRAWS = 100_000_000
FIRST_HOUR = 490_896  # 2026-01-01T00
HOURS = 365 * 24
GAMES = (
    ("roulette", "36/37"),
    ("dice", "99/100"),
    ("keno", "290083223/305131970"),
    ("fruit-lines", "32369741/33554432"),
    ("wheel", "19/20"),
    ("crash", "97/100"),
    ("plinko", "49/50"),
    ("baccarat", "2/3"),
)
# Brand and jurisdiction go together, and so does the currency, as licences have it.
MARKETS = (("north", "SE", "SEK"), ("north", "DK", "DKK"), ("south", "MT", "EUR"), ("south", "ES", "EUR"))
CHANNELS = ("web", "app")
BANDS = ("1..100", "101..1000", "1001..10000", "10001..")


def rtp_query_100m(*, runs: int = 5) -> dict[str, Any]:
    """Fill rollups as a year of 100,000,000 draws leaves them, in SQLite, and ask what operators ask."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as directory:
        engine = open_engine(sqlite_url(Path(directory) / "ledger.db"))
        Base.metadata.create_all(engine)
        started = time.perf_counter()
        rows = fill(Path(directory) / "ledger.db")
        filled_s = time.perf_counter() - started
        found: dict[str, list[float]] = {}
        answers: dict[str, int] = {}
        for name, query in questions().items():
            for _ in range(runs):
                started = time.perf_counter()
                with reading(engine) as connection:
                    groups = query_rollups(connection, query)
                found.setdefault(name, []).append(round(time.perf_counter() - started, 4))
            answers[name] = len(groups)
            if not query.where and query.end_hour > FIRST_HOUR + HOURS and query.first_hour <= FIRST_HOUR:
                assert sum(group.sums.outcomes for group in groups) == DRAWS, name
        size = (Path(directory) / "ledger.db").stat().st_size
        engine.dispose()
    slowest = max(found, key=lambda name: min(found[name]))
    return {
        "seconds": {name: min(values) for name, values in found.items()},
        "ratio": round(min(found[slowest]), 3),
        "slowest": slowest,
        "runs": found,
        "answer_rows": answers,
        "draws": DRAWS,
        "rollup_rows": rows,
        "megabytes": round(size / 1e6),
        "fill_seconds": round(filled_s, 1),
        "baseline": "1 second for each question",
    }


def questions() -> dict[str, RtpQuery]:
    """What the dashboards of an operator ask, from the cheapest to the dearest."""
    year = {"first_hour": FIRST_HOUR, "end_hour": FIRST_HOUR + HOURS}
    # From the middle of a day in February to the middle of one in December: hours, days and months.
    ragged = {"first_hour": FIRST_HOUR + 40 * 24 + 7, "end_hour": FIRST_HOUR + 350 * 24 + 13}
    return {
        "year_by_game": RtpQuery(by=("game", "version", "program", "play_class", "currency")),
        "year_by_month_and_brand": RtpQuery(by=("brand", "jurisdiction"), grain=Grain.MONTH, **year),
        "year_by_everything": RtpQuery(by=DIMENSIONS, **year),
        "ragged_by_game": RtpQuery(by=("game", "currency"), **ragged),
        "one_game_by_day": RtpQuery({"game": frozenset({"dice"})}, ("currency",), grain=Grain.DAY, **year),
        "one_market_by_hour_of_a_month": RtpQuery(
            {"jurisdiction": frozenset({"MT"})}, ("game",), FIRST_HOUR + 181 * 24, FIRST_HOUR + 212 * 24, Grain.HOUR
        ),
        "year_by_day": RtpQuery(by=(), grain=Grain.DAY, **year),
    }


def fill(path: Path) -> int:
    """Write the rows of hours, days and months as folding leaves them; returns how many."""
    import sqlite3

    chance = random.Random(100)
    keys = [
        (game, 1, "base", "real", currency, brand, jurisdiction, channel, band)
        for game, _ in GAMES
        for brand, jurisdiction, currency in MARKETS
        for channel in CHANNELS
        for band in BANDS
    ]
    returns = [Fraction(text) for game, text in GAMES for _ in range(len(keys) // len(GAMES))]
    weights = [chance.paretovariate(1.0) for _ in keys]
    share = [weight / sum(weights) for weight in weights]
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.executemany(
        "INSERT INTO rtp_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(number, *key) for number, key in enumerate(keys, 1)],
    )
    rows = 0
    sums: dict[tuple[int, int, int], list[int]] = {}

    def flush(grain: int) -> Iterator[tuple[Any, ...]]:
        for (_, period, key), (plays, stake, squares) in sums.items():
            expected = stake * returns[key]
            yield (grain, period, key + 1, plays, plays, plays // 3, 0, 0, 0, str(stake), str(int(expected)),
                   str(squares), str(squares << 64), str(expected), str(plays * Fraction(1, 3)))  # fmt: skip

    statement = f"INSERT INTO rtp_rollups VALUES ({', '.join('?' * 15)})"
    hourly: list[list[int]] = [[] for _ in keys]
    for key, part in enumerate(share):
        left = round(DRAWS * part) if key < len(keys) - 1 else DRAWS - sum(sum(values) for values in hourly)
        each, more = divmod(left, HOURS)
        hourly[key] = [each + (place * more // HOURS != (place + 1) * more // HOURS) for place in range(HOURS)]
    for grain in (Grain.HOUR, Grain.DAY, Grain.MONTH):
        sums.clear()
        for place in range(HOURS):
            period = period_of(grain, FIRST_HOUR + place)
            for key in range(len(keys)):
                plays = hourly[key][place]
                if plays:
                    known = sums.setdefault((grain, period, key), [0, 0, 0])
                    known[0] += plays
                    known[1] += plays * 150
                    known[2] += plays * 30_000
            if len(sums) > 200_000 and grain is Grain.HOUR:
                connection.executemany(statement, flush(grain))
                rows += len(sums)
                sums.clear()
        connection.executemany(statement, flush(grain))
        rows += len(sums)
    connection.commit()
    connection.close()
    return rows


def digest_with_rollups(*, draws: int = 20_000, runs: int = 5) -> dict[str, Any]:
    """What rollups add to a digest pass, for each draw with a bet: recomputing outcomes and totals is the baseline."""
    facts, records = opened_draws(draws)
    pools = {facts.id: facts}
    maker = RollupMaker(parse_stake_bands(("100", "1000", "10000")))
    engine = open_engine("sqlite://")
    Base.metadata.create_all(engine)
    seconds: dict[str, list[float]] = {"totals": [], "rollups": [], "folding": []}
    for turn in range(runs):
        started = time.perf_counter()
        fold = TotalsFold()
        plays = {record.stored.id: drawn(record, facts) for record in records}
        for record in records:
            add_record(fold, record, pools, frozenset(), plays[record.stored.id])
        fold.rows()
        counted = time.perf_counter()
        with engine.begin() as connection:
            delta = maker.delta(connection, FIRST_HOUR * HOUR_US, records, pools, frozenset(), plays)
            rolled = time.perf_counter()
            assert delta is not None
            add_delta(connection, turn, delta)
            plan_fold(connection, read_deltas(connection)).write(connection)
        seconds["totals"].append(counted - started)
        seconds["rollups"].append(rolled - counted)
        seconds["folding"].append(time.perf_counter() - rolled)
    best = {name: min(values) for name, values in seconds.items()}
    return {
        "ratio": round(best["rollups"] / best["totals"], 3),
        "microseconds_per_draw": {name: round(value / draws * 1e6, 2) for name, value in best.items()},
        "runs": {name: [round(value, 3) for value in values] for name, values in seconds.items()},
        "baseline": "totals of the same records, their outcomes recomputed; a pass also opens, hashes and writes them",
    }


def opened_draws(count: int) -> tuple[PoolFacts, list[OpenedRecord]]:
    """Return draws of roulette as a pass has them once they are open; their secrets are random, their pool made up."""
    game = load_game(GAMES_DIRECTORY / "european-roulette.json")
    name = f"bench/{game.game}/{game.version}/base/real/0/1"
    commit = PoolCommit(
        origin="bench.example/bench", time_us=0, pool=name, size=1 << 20, slot_root=bytes(32), game_digest=game.digest,
        program="base", drbg_instance="0" * 32, drbg_epoch=1, key_epoch=1, deadline_us=0,
    )  # fmt: skip
    evaluator = PoolEvaluator(commit, bytes(32), b"", game)
    program = game.program("base")
    facts = PoolFacts(
        id=1, name=name, stream=parse_pool_id(name).stream, size=1 << 20, kind="independent", evaluator=evaluator,
        prices=PriceBook(program), reference=None,
    )  # fmt: skip
    bets = [{"bet": "red"}, {"bet": "straight", "numbers": [17]}, {"bet": "dozen", "numbers": list(range(1, 13))}]
    records = []
    for slot in range(count):
        fields = {
            "bet": bets[slot % 3], "client_seed": os.urandom(32).hex(), "currency": "EUR",
            "stake_minor": (50, 100, 500, 2_000)[slot % 4],
        }  # fmt: skip
        stored = StoredRecord(slot, 1, slot, 1, "draw", b"", fields)
        records.append(OpenedRecord(stored, os.urandom(32), DigestItem(name, slot, 1, "draw", os.urandom(32))))
    return facts, records


def draw_rate_with_rollups(*, calls: int = 10_000, runs: int = 6) -> dict[str, Any]:
    """The rate of draws with a bet while rollups are kept, over the rate without; the two take turns in one run."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, set(cores[1:]) or set(cores))
    rates: dict[str, list[int]] = {"with": [], "without": []}
    try:
        with scene(pin=True) as service:
            for turn in range(2 * runs):
                name = "with" if turn % 2 else "without"
                _switch(service, rollups=turn % 2 == 1)
                run(service.port, DRAW, iter(draw_bodies(1_000, bet=True)), in_flight=64)
                found = run(service.port, DRAW, iter(draw_bodies(calls, bet=True)), in_flight=64)
                rates[name].append(round(found.per_second))
    finally:
        os.sched_setaffinity(0, set(cores))
    return {
        "ratio": round(statistics.median(rates["with"]) / statistics.median(rates["without"]), 3),
        "runs": rates,
        "baseline": "the same service with rtp.rollups = false",
    }


def _switch(service: Scene, *, rollups: bool) -> None:
    """Start the sequencer anew with rollups or without; front and vault stay."""
    text = service.config.read_text().partition("[rtp]")[0]
    service.config.write_text(f"{text}[rtp]\nrollups = {'true' if rollups else 'false'}\n")
    cores = sorted(os.sched_getaffinity(os.getppid()))
    service.restart("sequencer", set(cores[1:]) or None, "--config", str(service.config))
