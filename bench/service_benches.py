"""What a running service does: unary draws against an empty call, batches, latency, memory, a large ledger."""

import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from http2_load import Result, run
from scene import Scene, batch_bodies, draw_bodies, free_port, scene, spawn
from sealdraw.v1 import draw_pb2, draw_pb2_grpc

DRAW = "/sealdraw.v1.DrawService/Draw"
BATCH = "/sealdraw.v1.DrawService/BatchDraw"
EMPTY = "/bench.Empty/Call"


@contextmanager
def empty_server(cores: set[int] | None, response_size: int, threads: int) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("empty_server.py")), str(port), str(threads)]
    process = spawn([*command, str(response_size)], cores)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(30)
        yield port
    finally:
        process.kill()
        process.wait()


def draw_unary_over_empty(*, calls: int = 12_000, runs: int = 3) -> dict[str, Any]:
    """The ratio of durable, sealed, signed draws to empty calls; front, vault and the empty server on one core."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, set(cores[1:]) or set(cores))
    try:
        with scene(pin=True) as service:
            return _compare(service, {cores[0]}, calls, runs)
    finally:
        os.sched_setaffinity(0, set(cores))


def _compare(service: Scene, hot: set[int], calls: int, runs: int) -> dict[str, Any]:
    response_size, request_size = _sizes(service)
    rows: list[dict[str, Any]] = []
    with empty_server(hot, response_size, 64) as empty_port:
        run(service.port, DRAW, iter(draw_bodies(2_000)), in_flight=64)
        run(empty_port, EMPTY, iter([b"y" * request_size] * 2_000), in_flight=64)
        for in_flight in (64, 128):
            for _ in range(runs):
                # Side by side, so that a noisy machine is noisy for both.
                empty = run(empty_port, EMPTY, iter([b"y" * request_size] * calls), in_flight=in_flight)
                draws = run(service.port, DRAW, iter(draw_bodies(calls)), in_flight=in_flight)
                rows.append(_row(in_flight, draws, empty))
        rate = statistics.median(row["draws_per_second"] for row in rows) / 2
        half_empty_rate = statistics.median(row["empty_per_second"] for row in rows) / 2
        latencies = []
        for _ in range(runs):
            paced = run(service.port, DRAW, iter(draw_bodies(calls // 2)), in_flight=256, rate=rate)
            empty = run(
                empty_port, EMPTY, iter([b"y" * request_size] * (calls // 2)), in_flight=256, rate=half_empty_rate
            )
            latencies.append(
                {"draw_p99_ms": paced.percentile(0.99) * 1e3, "empty_p99_ms": empty.percentile(0.99) * 1e3}
            )
    return {
        "ratio": statistics.median(row["ratio"] for row in rows),
        "runs": rows,
        "baseline": f"grpcio {grpc.__version__}, ThreadPoolExecutor(64), {response_size}-byte responses",
        "p99_half_load_ratio": statistics.median(row["draw_p99_ms"] / row["empty_p99_ms"] for row in latencies),
        "latencies": latencies,
    }


def _row(in_flight: int, draws: Result, empty: Result) -> dict[str, Any]:
    if draws.failed or empty.failed:
        raise SystemExit(f"{draws.failed} draws and {empty.failed} empty calls failed")
    return {
        "in_flight": in_flight,
        "draws_per_second": round(draws.per_second),
        "empty_per_second": round(empty.per_second),
        "ratio": round(draws.per_second / empty.per_second, 3),
        "draw_p99_ms": round(draws.percentile(0.99) * 1e3, 2),
        "empty_p99_ms": round(empty.percentile(0.99) * 1e3, 2),
    }


def _sizes(service: Scene) -> tuple[int, int]:
    body = draw_bodies(1)[0]
    stub = draw_pb2_grpc.DrawServiceStub(service.channel)
    response = stub.Draw(draw_pb2.DrawRequest.FromString(body))
    # Under load a receipt also carries the path in its group, six or seven hashes.
    return response.ByteSize() + 7 * 34, len(body)


def batch_draws(*, calls: int = 200, runs: int = 3) -> dict[str, Any]:
    """Durable outcomes a second through BatchDraw(1000), all cores free to all processes."""
    with scene(pin=False, pool_size=1 << 18) as service:
        run(service.port, BATCH, iter(batch_bodies(20, 1_000)), in_flight=4)
        rows = []
        for _ in range(runs):
            found = run(service.port, BATCH, iter(batch_bodies(calls, 1_000)), in_flight=8)
            if found.failed:
                raise SystemExit(f"{found.failed} batches failed")
            rows.append(round(found.per_second * 1_000))
            service.wait_for_slots(calls * 1_000)
    return {"per_second": statistics.median(rows), "runs": rows, "baseline": "100,000 outcomes a second"}


def memory_per_ready_slot(*, pool_size: int = 1 << 18) -> dict[str, Any]:
    """Bytes of resident memory, vault and front together, for each ready slot."""
    readings = {}
    for size in (1_024, pool_size):
        with scene(pin=False, pool_size=size) as service:
            service.wait_for_slots(2 * size)
            time.sleep(1.0)
            readings[size] = _resident(service.pid("vault")) + _resident(service.pid("front"))
    per_slot = (readings[pool_size] - readings[1_024]) / (2 * (pool_size - 1_024))
    return {"bytes": round(per_slot, 1), "runs": readings, "baseline": "200 bytes"}


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"process {pid} has no memory figures")


def verify_records(*, draws: int = 30_000, runs: int = 3) -> dict[str, dict[str, Any]]:
    """Verification a second and core: an export of receipts, and the log behind it, of a service that really ran."""
    from sqlalchemy import text

    from anchor.note import VerifierKey
    from anchor.source import DirectorySource
    from rng_service.ledger.engine import open_engine, reading, sqlite_url
    from rng_service.ledger.exporting import digest_range, export_digests
    from rng_service.verify.export import verify_export
    from rng_service.verify.log import verify_log

    with scene(pin=False) as service:
        run(service.port, DRAW, iter(draw_bodies(draws)), in_flight=128)
        service_dir = service.config.parent
        ledger = open_engine(sqlite_url(service_dir / "ledger.db"))
        for _ in range(300):
            with reading(ledger) as connection:
                left = connection.execute(
                    text("SELECT count(*) FROM commit_groups WHERE digest_seq IS NULL"),
                ).scalar_one()
            if not left:
                break
            time.sleep(0.1)
        time.sleep(3.0)
        first, last = digest_range(ledger)
        path = service.directory / "export.jsonl"
        with path.open("wb") as file:
            export_digests(ledger, file, origin="bench.example/test", first=first, last=last)
        key = VerifierKey.parse((service_dir / "public" / "keys" / "log.vkey").read_text().strip())
        source = DirectorySource(service_dir / "public")
        receipts, digests = [], []
        for _ in range(runs):
            started = time.process_time()
            verify_export(path, source, key)
            receipts.append(round(draws / (time.process_time() - started)))
            started = time.process_time()
            verify_log(source, key)
            digests.append(round(draws / (time.process_time() - started)))
        ledger.dispose()
    return {
        "verify_receipts": {"per_second": max(receipts), "runs": receipts, "baseline": "30,000 a second and core"},
        "verify_digests": {
            "per_second": max(digests),
            "runs": digests,
            "baseline": "records covered a second and core",
        },
    }
