"""The front process: `python -m rng_service.front.process --config FILE`. No key ever comes here."""

import argparse
import ctypes
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc
from sealdraw.v1 import audit_pb2, draw_pb2, operator_pb2
from sqlalchemy.exc import SQLAlchemyError

from anchor.errors import AnchorError
from anchor.note import VerifierKey
from rng_service.config import Config, load_config
from rng_service.errors import ConfigError, LedgerError, SealdrawError, StartRefused
from rng_service.front.audit_service import AuditService
from rng_service.front.callers import AUDITOR, GAME_SERVER, OPERATOR, Callers
from rng_service.front.catalog import Catalog
from rng_service.front.draw_service import DrawService
from rng_service.front.engine import STEPS, DrawEngine, KeyIdCache
from rng_service.front.fast_path import install
from rng_service.front.history_service import HistoryService
from rng_service.front.operator_service import OperatorService
from rng_service.front.rtp_service import RtpService
from rng_service.front.rtp_table_service import RtpTableService
from rng_service.front.server import (
    MAX_CHUNK_BYTES,
    MAX_DEFINITION_BYTES,
    FrontServer,
    Gate,
    grouped,
    streaming,
    unary,
    uploading,
)
from rng_service.game_file_store import GameFileStore
from rng_service.ledger.checkpointing import Checkpointer
from rng_service.ledger.engine import open_engine
from rng_service.ledger.tasks import BindRules
from rng_service.sequencer.faults import OnStep, fault_point, no_step
from rng_service.sequencer.inspection import inspect_openings, refusal
from rng_service.vault.client import VaultClient
from rng_service.vault.errors import VaultError, VaultUnavailableError

_log = logging.getLogger(__name__)

REFRESH_S: Final = 0.2
_SLOW_THREADS: Final = 8
_SWITCH_INTERVAL_S: Final = 0.0005
_START_WAIT_S: Final = 30.0
_LOOPBACK: Final = ("127.", "localhost:", "[::1]:", "unix:")


class Front:
    """Everything that the front process runs; `start`, then `stop`."""

    def __init__(self, config: Config, *, share_port: bool = False, on_step: OnStep = no_step) -> None:
        self._config = config
        self._gate = Gate()
        credentials = server_credentials(config)
        self._ledger = open_engine(config.ledger_url)
        self._vault = VaultClient(config.vault_socket)
        self._vault.wait_ready(_START_WAIT_S)
        state = self._vault.get_state()
        if state.origin != config.service.origin:
            raise StartRefused(f"the vault belongs to {state.origin}, the configuration says {config.service.origin}")
        # A front that drew from an older copy of the ledger would ask for slots that are bound already.
        findings = inspect_openings(self._ledger, self._vault)
        if findings:
            raise StartRefused(refusal(findings))
        self._store = GameFileStore(config.game_files_dir)
        self._catalog = Catalog(self._ledger, config.public_dir, config.service.environment, self._store)
        self._catalog.refresh()
        rules = BindRules(
            window_back_us=config.requests.window_back_s * 1_000_000,
            window_ahead_us=config.requests.window_ahead_s * 1_000_000,
            ticket_lifetime_us=config.pools.ticket_lifetime_s * 1_000_000,
        )
        key_id = KeyIdCache(lambda: current_key_id(self._vault))
        self._engine = DrawEngine(self._ledger, self._catalog, self._vault, rules, key_id=key_id, on_step=on_step)
        callers = Callers(self._ledger, insecure=credentials is None)
        draws = DrawService(self._engine, self._catalog, self._ledger)
        audits = AuditService(
            self._ledger,
            config.public_dir,
            VerifierKey.parse(state.log_vkey),
            self._gate.stopping,
        )
        operators = OperatorService(
            self._ledger,
            self._catalog,
            self._vault,
            config,
            self._store,
            self._gate.stopping.is_set,
        )
        returns = RtpService(self._ledger, config)
        tables = RtpTableService(self._ledger, config)
        log_key = VerifierKey.parse(state.log_vkey)
        history = HistoryService(self._ledger, self._catalog, config.public_dir, log_key, self._store.files)
        if not install():
            _log.warning("this grpc has no fast path; draws go through worker threads")
        self._slow = ThreadPoolExecutor(_SLOW_THREADS, thread_name_prefix="repeat")
        try:
            self._server = FrontServer(
                _services(
                    draws, audits, operators, returns, tables, history, callers, self._gate, self._engine, self._slow
                ),
                self._gate,
                listen=config.api.listen,
                credentials=credentials,
                threads=config.api.threads,
                max_in_flight=config.api.max_in_flight,
                reflect=config.service.development,
                share_port=share_port,
            )
        except RuntimeError as error:
            # What grpc raises for an address that it cannot bind.
            raise StartRefused(f"{config.api.listen}: cannot be listened on; is another front running?") from error
        self._checkpointer = Checkpointer(self._ledger)
        self._refresher = threading.Thread(target=self._refresh_forever, name="refresher", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.port

    def start(self) -> None:
        """Begin to serve."""
        self._refresher.start()
        self._checkpointer.start()
        self._server.start()

    def stop(self) -> None:
        """Drain: refuse new calls, finish those in flight, then close everything."""
        self._server.drain(self._config.api.drain_s)
        self._refresher.join()
        self._checkpointer.stop()
        self._engine.close()
        self._slow.shutdown()
        self._store.close()
        self._vault.close()
        self._ledger.dispose()

    def _refresh_forever(self) -> None:
        while not self._gate.stopping.wait(REFRESH_S):
            try:
                self._catalog.refresh()
            except (SQLAlchemyError, SealdrawError, AnchorError, OSError) as error:
                # What is known stays usable; a pool that cannot be loaded is not drawn from.
                _log.warning("the catalog could not be refreshed: %s: %s", type(error).__name__, error)


def current_key_id(vault: VaultClient) -> str:
    """Return the id of the newest receipt key."""
    keys = vault.get_state().receipt_keys
    return max(keys, key=lambda key: key.epoch).key_id


def server_credentials(config: Config) -> grpc.ServerCredentials | None:
    """Return mTLS credentials, or None where plain text is allowed: loopback in a development environment.

    Raises ConfigError for anything between; there is no way to listen to others without client certificates.
    """
    api = config.api
    paths = (api.certificate, api.private_key, api.client_ca)
    if not any(paths):
        if config.service.development and api.listen.startswith(_LOOPBACK):
            return None
        raise ConfigError(
            "api.certificate, api.private_key and api.client_ca are required: plain text is served on loopback in a "
            f"development environment only (listen {api.listen}, environment {config.service.environment})",
        )
    if not all(paths):
        raise ConfigError("api.certificate, api.private_key and api.client_ca go together; set all three")
    certificate, private_key, client_ca = (_read(config, path) for path in paths)
    return grpc.ssl_server_credentials(
        [(private_key, certificate)],
        root_certificates=client_ca,
        require_client_auth=True,
    )


def _read(config: Config, path: str) -> bytes:
    try:
        return (config.service.data_dir / path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None


def _services(
    draws: DrawService,
    audits: AuditService,
    operators: OperatorService,
    returns: RtpService,
    tables: RtpTableService,
    history: HistoryService,
    callers: Callers,
    gate: Gate,
    engine: DrawEngine,
    slow: Executor,
) -> dict[str, dict[str, Any]]:
    def method(kind: Any, handler: Any, *roles: str, limit: int = 64 * 1024) -> Any:
        return unary(kind, handler, callers=callers, roles=frozenset(roles), gate=gate, limit=limit)

    def in_groups(kind: Any, prepare: Any, answer: Any, **options: Any) -> Any:
        return grouped(
            kind,
            prepare,
            answer,
            engine=engine,
            repeated=draws.repeated,
            slow=slow,
            callers=callers,
            roles=frozenset({GAME_SERVER}),
            gate=gate,
            **options,
        )

    game, audit, operate = (GAME_SERVER,), (GAME_SERVER, AUDITOR, OPERATOR), (OPERATOR,)
    # What games return in all, and what callers did, is not for other callers.
    inspect = (AUDITOR, OPERATOR)
    return {
        "sealdraw.v1.DrawService": {
            "Reserve": in_groups(draw_pb2.ReserveRequest, draws.prepare_reserve, draws.answer_reserve),
            "Draw": in_groups(
                draw_pb2.DrawRequest,
                draws.prepare_draw,
                draws.answer_draw,
                reads_first=lambda draw: bool(draw.round_id),
            ),
            "BatchDraw": in_groups(draw_pb2.BatchDrawRequest, draws.prepare_batch, draws.answer_batch),
            "Settle": method(draw_pb2.SettleRequest, draws.settle, *game),
            "ResolveRequest": method(draw_pb2.ResolveRequestRequest, draws.resolve_request, *game),
            "GetReceipt": method(draw_pb2.GetReceiptRequest, draws.get_receipt, *game),
            "GetBook": method(draw_pb2.GetBookRequest, draws.get_book, *game),
        },
        "sealdraw.v1.AuditService": {
            "GetReceiptProof": method(audit_pb2.GetReceiptProofRequest, audits.get_receipt_proof, *audit),
            "GetPool": method(audit_pb2.GetPoolRequest, audits.get_pool, *audit),
            "ListPools": method(audit_pb2.ListPoolsRequest, audits.list_pools, *audit),
            "ListDigests": method(audit_pb2.ListDigestsRequest, audits.list_digests, *audit),
            "ListRtpRows": method(audit_pb2.ListRtpRowsRequest, returns.list_rtp_rows, *inspect),
            "RecallRounds": method(audit_pb2.RecallRoundsRequest, history.recall_rounds, *inspect),
            "ExportRounds": streaming(
                audit_pb2.ExportRoundsRequest,
                history.export_rounds,
                callers=callers,
                roles=frozenset(inspect),
                gate=gate,
            ),
            "ExportOpenings": streaming(
                audit_pb2.ExportOpeningsRequest,
                tables.export_openings,
                callers=callers,
                roles=frozenset(inspect),
                gate=gate,
            ),
            "WatchEvents": streaming(
                audit_pb2.WatchEventsRequest,
                audits.watch_events,
                callers=callers,
                roles=frozenset(audit),
                gate=gate,
            ),
        },
        "sealdraw.v1.OperatorService": {
            "RegisterGame": method(
                operator_pb2.RegisterGameRequest,
                operators.register_game,
                *operate,
                limit=MAX_DEFINITION_BYTES,
            ),
            "UploadGameFile": uploading(
                operator_pb2.UploadGameFileRequest,
                operators.upload_game_file,
                callers=callers,
                roles=frozenset(operate),
                gate=gate,
                limit=MAX_CHUNK_BYTES,
            ),
            "ListGames": method(operator_pb2.ListGamesRequest, operators.list_games, *audit),
            "GetGame": method(operator_pb2.GetGameRequest, operators.get_game, *audit),
            "RetireGame": method(operator_pb2.RetireGameRequest, operators.retire_game, *operate),
            "QuarantinePool": method(operator_pb2.QuarantinePoolRequest, operators.quarantine_pool, *operate),
            "ApproveDeal": method(operator_pb2.ApproveDealRequest, operators.deals.approve_deal, *operate),
            "ListDeals": method(operator_pb2.ListDealsRequest, operators.deals.list_deals, *inspect),
            "RotateKeys": method(operator_pb2.RotateKeysRequest, operators.rotate_keys, *operate),
            "AcknowledgeRtpAlarm": method(
                operator_pb2.AcknowledgeRtpAlarmRequest, returns.acknowledge_rtp_alarm, *operate
            ),
            "PublishRtpTable": method(
                operator_pb2.PublishRtpTableRequest, tables.publish_rtp_table, *operate, limit=MAX_DEFINITION_BYTES
            ),
            "GetRtpTable": method(operator_pb2.GetRtpTableRequest, tables.get_rtp_table, *inspect),
            "ListRtpTables": method(operator_pb2.ListRtpTablesRequest, tables.list_rtp_tables, *inspect),
            "DumpTestStream": streaming(
                operator_pb2.DumpTestStreamRequest,
                operators.statistics.dump_test_stream,
                callers=callers,
                roles=frozenset(operate),
                gate=gate,
            ),
            "ListStatisticsRuns": method(
                operator_pb2.ListStatisticsRunsRequest, operators.statistics.list_statistics_runs, *inspect
            ),
            "AcknowledgeStatistics": method(
                operator_pb2.AcknowledgeStatisticsRequest, operators.statistics.acknowledge_statistics, *operate
            ),
            "GetStatus": method(operator_pb2.GetStatusRequest, operators.get_status, *operate),
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the front until SIGTERM.

    0 after a drain, 1 when the vault cannot be reached (a restart may help), 2 for a bad configuration, 3 when it
    refuses to start (a restart will not help).
    """
    parser = argparse.ArgumentParser(prog="sealdraw-front", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--share-port", action="store_true", help="several fronts listen on one port")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    # The parent's end is this process's end: a front without its supervisor would hold the port.
    if os.environ.get("SEALDRAW_SUPERVISED"):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    try:
        config = load_config(options.config, os.environ)
        on_step = fault_point(os.environ, config.service.environment, prefix="front.", steps=STEPS)
        front = Front(config, share_port=options.share_port, on_step=on_step)
    except ConfigError as error:
        print(f"sealdraw front: {error}", file=sys.stderr)  # noqa: T201 - the one line that says why
        return 2
    except VaultUnavailableError as error:
        print(f"sealdraw front: {error}", file=sys.stderr)  # noqa: T201 - the one line that says why
        return 1
    except (StartRefused, LedgerError, VaultError, AnchorError) as error:
        print(f"sealdraw front: {error}", file=sys.stderr)  # noqa: T201 - the one line that says why
        return 3
    stop = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stop.set())
    # The engine hands the interpreter over at every answer it sends; at the default of 5 ms it would get it back late.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    front.start()
    # What start-up made lives for ever: collecting it again and again costs 20 to 40 ms each time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    print(f"listening on port {front.port}", flush=True)  # noqa: T201 - read by the supervisor
    stop.wait()
    front.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
