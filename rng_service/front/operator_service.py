"""OperatorService: changes of what the service does. Each is a transaction here and an entry in the log."""

import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import chain

from sealdraw.v1 import operator_pb2
from sealdraw.vault.v1 import vault_pb2
from sqlalchemy import Connection, Engine, func, insert, select

from anchor.errors import AnchorError, RefusedError
from rng_service.config import Config
from rng_service.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from rng_service.front.audit_service import pool_message
from rng_service.front.catalog import Catalog
from rng_service.front.checks import CLASSES, Checks
from rng_service.front.deal_service import DealService
from rng_service.front.paging import page_token, read_page
from rng_service.front.statistics_service import StatisticsService
from rng_service.game_file_store import GameFileStore
from rng_service.games import parse_game
from rng_service.games.definition import has_deals
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import DigestRow, GameRow, GroupRow, LogEntryRow, MetaRow, PoolRow, StreamRow
from rng_service.ledger.pool_tests import count_pool_tests, count_waiting
from rng_service.ledger.reading import find_request
from rng_service.ledger.registry import ParSheet, register_game
from rng_service.ledger.statements import execute
from rng_service.names import request_hash
from rng_service.par.making import make_par_aside
from rng_service.sequencer.requests import request_quarantine, retire_game
from rng_service.vault.client import VaultClient
from rng_service.vault.errors import VaultError
from rng_service.version import VERSION

_KEYS = {
    operator_pb2.KEY_KEY_ENCRYPTION: vault_pb2.KEY_KIND_KEK,
    operator_pb2.KEY_DRBG: vault_pb2.KEY_KIND_DRBG,
    operator_pb2.KEY_RECEIPT: vault_pb2.KEY_KIND_RECEIPT,
}
_ROTATE = "RotateKeys"
_MAX_VERSION = 2**31 - 1
# Several times as long as a front goes on with the receipt key that it knows (`KeyIdCache`).


class OperatorService:
    """The handlers of privileged calls."""

    def __init__(
        self,
        ledger: Engine,
        catalog: Catalog,
        vault: VaultClient,
        config: Config,
        store: GameFileStore,
        draining: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._vault = vault
        self._config = config
        self._store = store
        self._draining = draining
        self._rotating = threading.Lock()
        self.deals = DealService(ledger, config)
        self.statistics = StatisticsService(ledger, vault, config)

    def register_game(
        self,
        request: operator_pb2.RegisterGameRequest,
        _caller: str,
        _timeout_s: float,
    ) -> operator_pb2.RegisterGameResponse:
        """Register a game definition; the same bytes again are no change."""
        checks = Checks()
        if request.request_id:
            checks.request_id(request.request_id)
        classes = [checks.play_class(value) for value in request.play_classes] or list(CLASSES.values())
        checks.finish()
        par = self._par(request.definition)
        self._check_beacon(request.definition)
        self._check_books(request.definition)
        with writing(self._ledger) as connection:
            registered = register_game(
                connection,
                request.definition,
                origin=self._config.service.origin,
                now_us=_now_us(),
                play_classes=sorted(set(classes)),
                lanes=request.lanes or 1,
                pool_size=request.pool_size or self._config.pools.size,
                par=par,
                files=self._store.files,
            )
        definition = registered.definition
        return operator_pb2.RegisterGameResponse(game=self._game(definition.game, definition.version))

    def _check_beacon(self, data: bytes) -> None:
        if self._config.beacon.kind == "none" and has_deals(data):
            problem = "a finite deal needs a beacon: without one, whoever seals it knows its winners (beacon.kind)"
            raise InvalidArgument(("definition", problem))

    def _par(self, data: bytes) -> ParSheet:
        try:
            return ParSheet(*make_par_aside(data, self._config.game_files_dir))
        except AnchorError as error:
            raise InvalidArgument(("definition", str(error))) from None

    def _check_books(self, data: bytes) -> None:
        try:
            self._store.check(parse_game(data, self._store.files))
        except AnchorError as error:
            raise InvalidArgument(("definition", str(error))) from None

    def upload_game_file(
        self,
        requests: Iterator[operator_pb2.UploadGameFileRequest],
        _caller: str,
    ) -> operator_pb2.UploadGameFileResponse:
        """Take a file that a definition names; what does not hold is refused and leaves nothing behind."""
        first = next(requests, operator_pb2.UploadGameFileRequest())
        file = first.file
        checks = Checks()
        checks.exactly("file.digest", file.digest, 32)
        books = file.kind == operator_pb2.GAME_FILE_KIND_BOOKS
        if books:
            checks.exactly("file.weights_digest", file.weights_digest, 32)
        elif file.kind != operator_pb2.GAME_FILE_KIND_WEIGHTS:
            checks.refuse("file.kind", "expected GAME_FILE_KIND_WEIGHTS or GAME_FILE_KIND_BOOKS")
        checks.finish()
        store = self._store
        if store.has_books(file.digest, file.weights_digest) if books else store.has_weights(file.digest):
            return operator_pb2.UploadGameFileResponse(known=True)
        chunks = (message.chunk for message in chain((first,), requests))
        try:
            if books:
                store.take_books(file.digest, file.weights_digest, chunks)
            else:
                store.take_weights(file.digest, chunks)
        except RefusedError as error:
            raise Unavailable("UPLOAD_IN_PROGRESS", str(error), 1_000) from None
        except AnchorError as error:
            raise InvalidArgument(("file", str(error))) from None
        return operator_pb2.UploadGameFileResponse()

    def list_games(
        self,
        request: operator_pb2.ListGamesRequest,
        _caller: str,
        _timeout_s: float,
    ) -> operator_pb2.ListGamesResponse:
        """List the registered game versions."""
        size, after = read_page(request.page_size, request.page_token, 0)
        query = select(GameRow.id, GameRow.name, GameRow.version).order_by(GameRow.id).limit(size + 1)
        with reading(self._ledger) as connection:
            rows = connection.execute(query.where(GameRow.id > after)).all()
        token = page_token(rows[size - 1].id) if len(rows) > size else ""
        games = [self._game(row.name, row.version) for row in rows[:size]]
        return operator_pb2.ListGamesResponse(games=games, next_page_token=token)

    def get_game(
        self,
        request: operator_pb2.GetGameRequest,
        _caller: str,
        _timeout_s: float,
    ) -> operator_pb2.GetGameResponse:
        """Return one game definition."""
        _check_game(request.name)
        game = self._game(request.name, request.version)
        with reading(self._ledger) as connection:
            definition = connection.execute(
                select(GameRow.definition).where(GameRow.name == game.name, GameRow.version == game.version),
            ).scalar_one()
        return operator_pb2.GetGameResponse(game=game, definition=definition)

    def retire_game(
        self,
        request: operator_pb2.RetireGameRequest,
        _caller: str,
        _timeout_s: float,
    ) -> operator_pb2.RetireGameResponse:
        """End a game version; its remaining slots will be voided and opened."""
        _check_game(request.name)
        self._game(request.name, request.version)
        with writing(self._ledger) as connection:
            retire_game(connection, request.name, request.version, now_us=_now_us())
        self._catalog.refresh()
        return operator_pb2.RetireGameResponse(game=self._game(request.name, request.version))

    def quarantine_pool(
        self,
        request: operator_pb2.QuarantinePoolRequest,
        _caller: str,
        _timeout_s: float,
    ) -> operator_pb2.QuarantinePoolResponse:
        """Take a pool out of use for ever."""
        checks = Checks()
        checks.pool_id(request.pool_id)
        reason = checks.reason(request.reason)
        checks.finish()
        with writing(self._ledger) as connection:
            request_quarantine(connection, request.pool_id, reason)
            row = _pool(connection, request.pool_id)
        self._catalog.refresh()
        return operator_pb2.QuarantinePoolResponse(pool=pool_message(row))

    def rotate_keys(
        self,
        request: operator_pb2.RotateKeysRequest,
        caller: str,
        _timeout_s: float,
    ) -> operator_pb2.RotateKeysResponse:
        """Rotate keys, once for each request id."""
        checks = Checks()
        request_id = checks.request_id(request.request_id)
        keys = list(request.keys)
        if not keys or len(set(keys)) < len(keys) or any(key not in _KEYS for key in keys):
            checks.refuse("keys", "expected KEY_KEY_ENCRYPTION, KEY_DRBG or KEY_RECEIPT, each at most once")
        checks.finish()
        try:
            # One rotation at a time, so that a repeat that comes meanwhile sees the epochs that the first one reached.
            with self._rotating:
                state = self._vault.get_state()
                epochs = _epochs(state)
                goals = self._rotation_goals(request_id, caller, {key: epochs[key] + 1 for key in keys})
                due = [key for key in keys if epochs[key] < goals[key]]
                # A crash right here, or a vault that goes away, leaves a goal that the repeated request still reaches.
                for key in due:
                    self._vault.rotate_key(_KEYS[key])
                epochs = _epochs(self._vault.get_state())
        except VaultError:
            raise Unavailable("VAULT_UNAVAILABLE", "the vault does not answer; repeat the request") from None
        return operator_pb2.RotateKeysResponse(epochs=[epochs[key] for key in keys])

    def _rotation_goals(self, request_id: bytes, caller: str, goals: dict[int, int]) -> dict[int, int]:
        """Keep what a rotation is to reach, or return what its first request kept; refuses an id used otherwise."""
        payload = sha256(b"".join(key.to_bytes(4, "big") for key in goals)).digest()
        # A rotation has no records; what it is to reach stands with the facts of the ledger, under its request.
        name = f"rotation/{request_hash(caller, request_id)[:16].hex()}"
        with writing(self._ledger) as connection:
            first = execute(
                connection,
                "INSERT INTO requests (request_id, caller, payload, method, first_record) VALUES (?, ?, ?, ?, 0) "
                "ON CONFLICT DO NOTHING",
                (request_id, caller, payload, _ROTATE),
            )
            if first.rowcount == 1:
                value = ",".join(f"{key}:{goal}" for key, goal in goals.items())
                connection.execute(insert(MetaRow).values(key=name, value=value))
                return goals
            known = find_request(connection, request_id, caller)
            if known is None or known.method != _ROTATE or known.payload != payload:
                raise FailedPrecondition("REQUEST_ID_REUSED", "this request_id was used for another request")
            kept = connection.execute(select(MetaRow.value).where(MetaRow.key == name)).scalar_one()
        return {int(key): int(goal) for key, _, goal in (item.partition(":") for item in kept.split(","))}

    def get_status(
        self,
        _request: operator_pb2.GetStatusRequest,
        _caller: str,
        _timeout_s: float,
    ) -> operator_pb2.GetStatusResponse:
        """Say how the service is."""
        with reading(self._ledger) as connection:
            log_size = connection.execute(select(func.count(LogEntryRow.log_index))).scalar_one()
            newest = connection.execute(select(func.max(DigestRow.created_us))).scalar()
            unpublished = connection.execute(
                select(func.count()).select_from(GroupRow).where(GroupRow.digest_seq.is_(None)),
            ).scalar_one()
            pool_tests = _pool_tests(connection)
        try:
            source = _entropy_source(self._vault.get_state().entropy)
        except VaultError:
            source = None
        streams = [
            operator_pb2.StreamStatus(
                stream=stream.prefix.partition("/")[2].rstrip("/"),
                lanes=stream.lanes,
                ready_pools=sum(len(lane) for lane in stream.active),
                ready_slots=sum(pool.size - pool.next_slot for lane in stream.active for pool in lane),
            )
            for stream in self._catalog.streams()
        ]
        return operator_pb2.GetStatusResponse(
            origin=self._config.service.origin,
            version=VERSION,
            log_size=log_size,
            digest_age_us=max(0, _now_us() - newest) if newest is not None else 0,
            streams=streams,
            vault_reachable=source is not None,
            entropy_source=source,
            draining=self._draining(),
            unpublished_records=unpublished,
            failed_statistics_runs=self.statistics.failed_runs(),
            pool_tests=pool_tests,
        )

    def _game(self, name: str, version: int) -> operator_pb2.Game:
        query = select(GameRow.id, GameRow.version, GameRow.digest, GameRow.retired_us).where(GameRow.name == name)
        if version > _MAX_VERSION:
            raise NotFound(f"game {name!r} has no version {version}")
        if version:
            query = query.where(GameRow.version == version)
        with reading(self._ledger) as connection:
            row = connection.execute(query.order_by(GameRow.version.desc()).limit(1)).first()
            if row is None:
                raise NotFound(f"game {name!r} has no version {version or '(any)'}")
            programs = connection.execute(
                select(StreamRow.program).where(StreamRow.game_id == row.id).distinct().order_by(StreamRow.program),
            ).scalars()
            return operator_pb2.Game(
                name=name,
                version=row.version,
                digest=row.digest,
                programs=list(programs),
                retired=row.retired_us is not None,
            )


def _epochs(state: vault_pb2.GetStateResponse) -> dict[int, int]:
    return {
        operator_pb2.KEY_KEY_ENCRYPTION: state.kek_epoch,
        operator_pb2.KEY_DRBG: state.drbg_epoch,
        operator_pb2.KEY_RECEIPT: max(key.epoch for key in state.receipt_keys),
    }


def _check_game(name: str) -> None:
    checks = Checks()
    checks.name("name", name)
    checks.finish()


def _entropy_source(entropy: vault_pb2.EntropyState) -> operator_pb2.EntropySource:
    return operator_pb2.EntropySource(
        samples=entropy.samples,
        failed_test=entropy.failed_test,
        failures=entropy.failures,
        suspect_pools=entropy.suspect_pools,
    )


def _pool_tests(connection: Connection) -> operator_pb2.PoolTests:
    rate = count_pool_tests(connection)
    return operator_pb2.PoolTests(
        passed=rate.passed,
        failed=rate.failed,
        waiting=count_waiting(connection),
        log2_p_value=rate.log2_p_value,
        alarm=rate.alarm,
    )


def _pool(connection: Connection, pool_id: str) -> object:
    row = connection.execute(select(PoolRow.__table__).where(PoolRow.pool_id == pool_id)).first()
    if row is None:
        raise NotFound("pool_id: no such pool")
    return row


def _now_us() -> int:
    return time.time_ns() // 1_000
