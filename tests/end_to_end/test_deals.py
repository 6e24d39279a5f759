"""A finite deal sold over real processes: both lanes to the last ticket, through kills, and every prize exactly once."""

import json
from collections import Counter

import grpc
from sealdraw.v1 import draw_pb2, draw_pb2_grpc, operator_pb2, types_pb2
from system import METADATA, NAMES, System, free_port, wait_for

from anchor.source import DirectorySource
from rng_service.ledger.engine import open_engine
from rng_service.ledger.exporting import digest_range, export_digests
from rng_service.request_id import new_request_id
from rng_service.verify import verify_export

IN_DOUBT = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
COUNTS = [150, 40, 8, 2]
PAYS = [0, 100, 500, 5000]
GAME = {
    "v": 1,
    "game": "tabs",
    "version": 1,
    "title": "Tabs",
    "programs": {
        "base": {
            "steps": [{"step": "deal", "counts": COUNTS}],
            "price": {"minor": 100, "currency": "CAD"},
            "end_of_deal": "sold-out",
            "play_classes": ["real"],
            "settlement": {
                "model": "table",
                "bets": {
                    "ticket": {
                        "prizes": [
                            {"pays": 1, "numbers": [1]},
                            {"pays": 5, "numbers": [2]},
                            {"pays": 50, "numbers": [3]},
                        ]
                    }
                },
            },
        }
    },
}


def buy(stub, count, session):
    """Buy tickets, again and again under one request id until it is known what became of it."""
    request = draw_pb2.BatchDrawRequest(
        request_id=new_request_id(),
        game="tabs",
        program="base",
        play_class=types_pb2.PLAY_CLASS_REAL,
        session=session,
        count=count,
        wager=types_pb2.Wager(stake_minor=100, currency="CAD", bet='{"bet":"ticket"}'),
    )
    answered = []

    def tried():
        try:
            answered.append(stub.BatchDraw(request, timeout=5, metadata=METADATA))
        except grpc.RpcError as error:
            if error.code() not in IN_DOUBT:
                raise
            return False
        return True

    wait_for(tried, f"{count} tickets")
    return [payout for receipt in answered[0].receipts for payout in receipt.payouts_minor], answered[0].receipts


def test_both_lanes_of_a_deal_are_sold_through_kills_and_every_prize_comes_out(tmp_path):
    settings = {
        "beacon.kind": "development",
        "beacon.listen": f"127.0.0.1:{free_port()}",
        "beacon.margin_s": 1,
        "deals.approval": "automatic",
        "pools.ready": 1,
        "log.close_delay_s": 60,
    }
    with System(settings=settings) as system:
        system.start("beacon", *NAMES)
        system.operate(
            lambda stub: stub.RegisterGame(
                operator_pb2.RegisterGameRequest(
                    request_id=new_request_id(), definition=json.dumps(GAME).encode(), lanes=2
                ),
                timeout=20,
                metadata=METADATA,
            )
        )
        wait_for(lambda: _ready(system) == 2, "two deals to be on sale")
        sold = {}
        with system.channel() as channel:
            stub = draw_pb2_grpc.DrawServiceStub(channel)
            session = 0
            while not _sold_out(sold):
                assert session < 100
                session += 1
                for number in range(5):
                    payouts, receipts = buy(stub, 4, f"seat-{session}")
                    for receipt in receipts:
                        number_of_pool = receipt.pool_id
                        take = len(receipt.payouts_minor)
                        sold.setdefault(number_of_pool, []).extend(payouts[:take])
                        payouts = payouts[take:]
                    if session == 6 and number == 2:
                        system.kill("front")
                        system.start("front")
                    if session == 9 and number == 3:
                        system.kill("vault")
                        system.start("vault")
        for pool in _first(sold):
            assert Counter(sold[pool]) == dict(zip(PAYS, COUNTS, strict=True))
        wait_for(lambda: _closed(system) == 2, "both deals to be closed")
        deals = system.operate(
            lambda stub: stub.ListDeals(operator_pb2.ListDealsRequest(), timeout=20, metadata=METADATA)
        ).deals
        closed = [deal for deal in deals if deal.pool.state in {"closed", "erased"}]
        assert [[tier.sold for tier in deal.tiers] for deal in closed] == [COUNTS, COUNTS]
        open_deals = [deal for deal in deals if deal.pool.state == "active"]
        assert all(not tier.HasField("sold") for deal in open_deals for tier in deal.tiers)
        system.settle_down()
        report = system.check()
        assert report.pools_closed >= 2
        engine = open_engine(system.config.ledger_url)
        first, last = digest_range(engine)
        export = tmp_path / "export.jsonl"
        with export.open("wb") as stream:
            export_digests(engine, stream, origin=system.config.service.origin, first=first, last=last)
        engine.dispose()
        assert verify_export(export, DirectorySource(system.config.public_dir), system.vkey).complete


def _first(sold):
    """Return the first deal of each lane: those behind them are begun by whoever comes last."""
    return [pool for pool in sold if pool.endswith("/1")]


def _sold_out(sold):
    first = _first(sold)
    return len(first) == 2 and all(len(sold[pool]) == sum(COUNTS) for pool in first)


def _ready(system):
    return sum(stream.ready_pools for stream in system.status().streams)


def _closed(system):
    deals = system.operate(
        lambda stub: stub.ListDeals(operator_pb2.ListDealsRequest(), timeout=20, metadata=METADATA)
    ).deals
    return sum(deal.pool.state in {"closed", "erased"} for deal in deals)
