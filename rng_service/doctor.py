"""What `sealdraw doctor` finds out: what is configured, reachable and hardened, and what is not.

Nothing here changes anything, and every check stands for itself: one that cannot be made says why, and the next goes
on. Only `Verdict.WRONG` means that something must be done now.
"""

import http.client
import shutil
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sealdraw.vault.v1 import vault_pb2
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from anchor.checkpoint import Checkpoint, open_checkpoint
from anchor.errors import AnchorError, MalformedError
from anchor.note import VerifierKey
from rng_service.beacon.chain import QUICKNET
from rng_service.beacon.information import parse_object
from rng_service.beacon.relay import open_url
from rng_service.config import Config
from rng_service.errors import LedgerError
from rng_service.ledger.engine import open_engine, reading
from rng_service.ledger.models import DigestRow, GroupRow
from rng_service.ledger.pool_tests import count_pool_tests
from rng_service.ledger.statistics_runs import failed_runs
from rng_service.pools.rejections import RejectionRate
from rng_service.supervision.plan import split_address
from rng_service.vault.client import VaultClient
from rng_service.vault.errors import VaultError

__all__ = ["Check", "Verdict", "examine"]

_DAY_US: Final = 86_400_000_000
_SECOND_US: Final = 1_000_000
_TIMEOUT_S: Final = 3.0
_LITTLE_SPACE: Final = 2 * 2**30
_NO_SPACE: Final = 200 * 2**20
_CLOCK_TOLERANCE_US: Final = 2 * _SECOND_US
_MAX_ROUND_BYTES: Final = 4_096


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"  # as configured, and worth knowing
    WEAK = "weak"  # works, and could be better protected
    WRONG = "wrong"  # does not work, or breaks a promise


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report; ``advice`` says what to do unless everything is well."""

    name: str
    verdict: Verdict
    finding: str
    advice: str = ""


def examine(config: Config, *, clock_us: Callable[[], int]) -> Iterator[Check]:
    """Yield the checks of a service, quickest first; those of the network take up to some seconds each."""
    yield from _settings(config)
    yield from _permissions(config)
    yield from _disk(config)
    state = None
    try:
        with VaultClient(config.vault_socket, timeout_s=_TIMEOUT_S) as vault:
            state = vault.get_state()
    except VaultError as error:
        yield Check("vault", Verdict.WRONG, f"does not answer: {error}", "start it: sealdraw serve")
    if state is not None:
        yield from _vault(config, state, clock_us())
    yield from _log(config, state)
    yield from _ledger(config, clock_us)
    yield from _reachable(config)
    yield from _beacon(config, clock_us)
    yield Check("witnesses", Verdict.WEAK, "none: nobody outside confirms that everybody is shown the same log")


def _settings(config: Config) -> Iterator[Check]:
    environment = config.service.environment
    kind = "a development environment" if config.service.development else "production rules apply"
    yield Check("settings", Verdict.OK, f"{config.service.origin} in {config.service.data_dir}; {environment}: {kind}")
    paths = (config.api.certificate, config.api.private_key, config.api.client_ca)
    if all(paths):
        missing = [path for path in paths if not (config.service.data_dir / path).is_file()]
        if missing:
            yield Check("tls", Verdict.WRONG, f"{missing[0]} is not a file", "set api.certificate and its companions")
        else:
            yield Check("tls", Verdict.OK, "mutual TLS with registered callers")
    elif config.service.development:
        yield Check("tls", Verdict.NOTE, "plain text on loopback, as development allows")
    else:
        yield Check("tls", Verdict.WRONG, "not configured", "set api.certificate, api.private_key and api.client_ca")


def _permissions(config: Config) -> Iterator[Check]:
    if not config.vault_dir.is_dir():
        yield Check("key files", Verdict.WRONG, f"{config.vault_dir} is not there", "sealdraw init, or restore it")
        return
    places = {config.vault_dir, config.kek_dir}
    loose = [
        path for place in sorted(places) for path in (place, *place.rglob("*")) if path.exists() and _is_loose(path)
    ]
    if loose:
        advice = f"chmod go= {loose[0]}; whoever could read it may know future outcomes: rotate and quarantine"
        yield Check("key files", Verdict.WRONG, f"{loose[0]} is open to others ({len(loose)} in all)", advice)
    else:
        yield Check("key files", Verdict.OK, "only their owner can read them")
    if config.kek_dir.resolve().is_relative_to(config.vault_dir.resolve()):
        finding = "lies in the vault directory: whoever gets a copy of that knows the slots of open pools"
        advice = "keys.kek_directory on other storage, without snapshots (docs/operations.md)"
        yield Check("key-encryption key apart", Verdict.NOTE, finding, advice)
    else:
        yield Check("key-encryption key apart", Verdict.OK, f"lies in {config.kek_dir}, not in the vault directory")


def _is_loose(path: Path) -> bool:
    mode = path.lstat().st_mode
    return not stat.S_ISLNK(mode) and bool(mode & 0o077)


def _disk(config: Config) -> Iterator[Check]:
    for name, path in (("disk", config.service.data_dir), ("public disk", config.public_dir)):
        if not path.is_dir():
            yield Check(name, Verdict.WRONG, f"{path} is not there", "sealdraw init, or restore it")
            continue
        free = shutil.disk_usage(path).free
        finding = f"{free / 2**30:.1f} GiB free at {path}"
        if free < _NO_SPACE:
            yield Check(name, Verdict.WRONG, finding, "make room: without space draws are refused")
        elif free < _LITTLE_SPACE:
            yield Check(name, Verdict.WEAK, finding, "make room before it runs out")
        else:
            yield Check(name, Verdict.OK, finding)


def _vault(config: Config, state: vault_pb2.GetStateResponse, now_us: int) -> Iterator[Check]:
    if state.origin == config.service.origin:
        active = sum(pool.state == "active" for pool in state.pools)
        yield Check("vault", Verdict.OK, f"answers; {active} active pools, {len(state.receipt_keys)} receipt keys")
    else:
        yield Check("vault", Verdict.WRONG, f"is of {state.origin}", "set service.origin, or put the right vault back")
    for measure, answer in sorted(state.hardening.items()):
        verdict = Verdict.OK if answer == "yes" else Verdict.WEAK
        yield Check(f"vault {measure.replace('_', ' ')}", verdict, answer)
    if not state.hardening:
        yield Check("vault hardening", Verdict.WEAK, "the vault's process has none", "run the vault as its own process")
    if state.entropy.failed_test:
        advice = "no pool is sealed: repair the source, then restart the vault"
        yield Check("entropy source", Verdict.WRONG, state.entropy.failure or state.entropy.failed_test, advice)
    else:
        yield Check("entropy source", Verdict.OK, f"{state.entropy.samples} samples passed since the start")
    newest = max((key.created_us for key in state.receipt_keys), default=now_us)
    for name, days, created_us in (
        ("key-encryption key", config.keys.kek_days, state.kek_created_us),
        ("receipt key", config.keys.receipt_days, newest),
    ):
        age = (now_us - created_us) // _DAY_US
        late = days > 0 and age > days
        advice = "sealdraw keys rotate" if late else ""
        yield Check(name, Verdict.WEAK if late else Verdict.OK, f"{age} days old, rotated after {days or 'no'}", advice)
    if state.refused_bindings:
        finding = f"refused {state.refused_bindings} openings of slots that were bound otherwise"
        yield Check("vault bindings", Verdict.WRONG, finding, "ledger and vault disagree: stop, then sealdraw recover")


def _log(config: Config, state: vault_pb2.GetStateResponse | None) -> Iterator[Check]:
    try:
        checkpoint = _published(config)
    except AnchorError as error:
        yield Check("log", Verdict.WRONG, str(error), "restore the public directory, then sealdraw recover")
        return
    except OSError:
        verdict = Verdict.WRONG if state is not None and state.checkpoint_size else Verdict.NOTE
        yield Check("log", verdict, "nothing is published yet")
        return
    size = f"{checkpoint.size} entries published"
    if state is None:
        yield Check("log", Verdict.NOTE, f"{size}; the vault cannot be asked how many it signed")
    elif checkpoint.size > state.checkpoint_size:
        finding = f"{size}, but the vault signed only {state.checkpoint_size}: it is an older copy"
        yield Check("log", Verdict.WRONG, finding, "restore the newest vault directory; do not start")
    elif checkpoint.size < state.checkpoint_size:
        # While it serves, the sequencer signs a moment before it publishes.
        finding = f"{size}, the vault signed {state.checkpoint_size}"
        yield Check("log", Verdict.NOTE, finding, "if this stays: sealdraw recover")
    else:
        yield Check("log", Verdict.OK, f"{size}, as many as the vault signed")


def _published(config: Config) -> Checkpoint:
    note = (config.public_dir / "checkpoint").read_bytes()
    vkey = (config.public_dir / "keys" / "log.vkey").read_text(encoding="ascii").strip()
    return open_checkpoint(note, VerifierKey.parse(vkey))


def _ledger(config: Config, clock_us: Callable[[], int]) -> Iterator[Check]:
    if config.ledger_url.startswith("sqlite:///") and not Path(config.ledger_url.removeprefix("sqlite:///")).exists():
        yield Check("ledger", Verdict.WRONG, "the SQLite file is not there", "sealdraw init, or restore it")
        return
    try:
        engine = open_engine(config.ledger_url)
        try:
            yield from _ledger_facts(config, engine, clock_us)
        finally:
            engine.dispose()
    except LedgerError as error:
        yield Check("ledger", Verdict.WRONG, str(error), "repair the database or ledger.url")
    except SQLAlchemyError as error:
        yield Check("ledger", Verdict.WRONG, f"cannot be read ({type(error).__name__})", "sealdraw init, or restore it")


def _ledger_facts(config: Config, engine: Engine, clock_us: Callable[[], int]) -> Iterator[Check]:
    durable = "SQLite, WAL, synchronous = FULL"
    with reading(engine) as connection:
        if engine.dialect.name == "postgresql":
            durable = "PostgreSQL keeps what it acknowledges"
            theirs = connection.execute(
                text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)")
            ).scalar_one()
            apart_us = abs(theirs - clock_us())
            verdict = Verdict.OK if apart_us < _CLOCK_TOLERANCE_US else Verdict.WRONG
            finding = f"{apart_us / _SECOND_US:.2f} s from the database's"
            yield Check("clock", verdict, finding, "" if verdict is Verdict.OK else "run a time service on both")
        newest = connection.execute(select(func.max(DigestRow.created_us))).scalar()
        waiting = connection.execute(
            select(func.count()).select_from(GroupRow).where(GroupRow.digest_seq.is_(None))
        ).scalar_one()
        tests = count_pool_tests(connection)
        failed = failed_runs(connection)
    yield Check("ledger", Verdict.OK, durable)
    yield _pool_tests(config, tests)
    yield _statistics(config, failed)
    if newest is None:
        yield Check("digests", Verdict.NOTE, "none yet")
        return
    age_s = (clock_us() - newest) // _SECOND_US
    limit_s = config.log.heartbeat_s + config.log.merge_delay_s
    finding = f"the newest is {age_s} s old; {waiting} groups wait for theirs"
    if age_s > limit_s:
        advice = f"promised is one each {config.log.heartbeat_s} s: start the service, look at the sequencer's log"
        yield Check("digests", Verdict.WRONG, finding, advice)
    else:
        yield Check("digests", Verdict.OK, finding)


def _pool_tests(config: Config, rate: RejectionRate) -> Check:
    finding = f"{rate.passed} pools passed, {rate.failed} failed"
    if rate.alarm:
        finding += f"; that has a chance of at most 2^{rate.log2_p_value:.0f} when nothing is wrong"
        # It stays in the log for ever, and a doctor that is wrong for ever is not listened to.
        return Check("pool tests", Verdict.WEAK, finding, "find the cause: docs/operations.md, When a pool fails")
    if not config.pools.test:
        return Check("pool tests", Verdict.WEAK, f"switched off; {finding}", "set pools.test, which auditors see")
    return Check("pool tests", Verdict.OK, finding)


def _statistics(config: Config, failed: Sequence[int]) -> Check:
    settings = config.statistics
    if failed:
        stopped = "; no pool is sealed meanwhile" if settings.stop_on_fail else ""
        finding = f"run {', '.join(map(str, failed))} failed, and nobody has seen to it{stopped}"
        advice = "read statistics/<run>.html, find the cause, then `sealdraw stats acknowledge`"
        return Check("statistics", Verdict.WRONG, finding, advice)
    if not settings.interval_hours:
        return Check("statistics", Verdict.NOTE, "none are scheduled", "set statistics.interval_hours")
    if find_spec("scipy") is None:
        return Check("statistics", Verdict.WEAK, "the extra `stats` is missing: nothing is tested", "install it")
    return Check("statistics", Verdict.OK, f"every {settings.interval_hours} h; no failure waits for anybody")


def _reachable(config: Config) -> Iterator[Check]:
    for name, listen in (("api", config.api.listen), ("public files", config.public.listen)):
        if name == "public files" and not config.public.enabled:
            yield Check(name, Verdict.NOTE, "served by somebody else, as configured")
            continue
        host, port = split_address(listen)
        try:
            socket.create_connection((host, int(port)), _TIMEOUT_S).close()
        except (OSError, ValueError, OverflowError) as error:
            yield Check(name, Verdict.WRONG, f"nobody answers on {listen} ({error})", "start it: sealdraw serve")
        else:
            yield Check(name, Verdict.OK, f"answers on {listen}")


def _beacon(config: Config, clock_us: Callable[[], int]) -> Iterator[Check]:
    if config.beacon.kind == "none":
        yield Check("beacon", Verdict.WEAK, "none: nothing shows that pools were not chosen", "beacon.kind = quicknet")
    elif config.beacon.kind == "development":
        yield Check("beacon", Verdict.WEAK, "of this machine's own, for development: it protects nobody")
    else:
        for relay in config.beacon.relays:
            yield _relay(relay, clock_us)


def _relay(relay: str, clock_us: Callable[[], int]) -> Check:
    name = f"relay {relay}"
    advice = "pools wait for their rounds until a relay answers"
    try:
        url = f"{relay.rstrip('/')}/{QUICKNET.chain_hash.hex()}/public/latest"
        status, body = open_url(url, _TIMEOUT_S, _MAX_ROUND_BYTES)
        if status != http.client.OK:
            return Check(name, Verdict.WEAK, f"HTTP status {status}", advice)
        found = parse_object(body, limit=_MAX_ROUND_BYTES, what="beacon round").get("round")
    except (OSError, ValueError, http.client.HTTPException, MalformedError) as error:
        return Check(name, Verdict.WEAK, f"does not answer ({error})", advice)
    expected = QUICKNET.round_at(clock_us())
    if not isinstance(found, int) or abs(found - expected) > 2:
        finding = f"its newest round is {found}, by this machine's clock it should be {expected}"
        return Check(name, Verdict.WRONG, finding, "one of the two clocks is wrong: run a time service")
    return Check(name, Verdict.OK, f"answers, and its time is this machine's (round {found})")
