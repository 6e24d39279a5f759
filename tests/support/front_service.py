"""The front's real gRPC server over a front's world, on a free port, by the fast path or by grpc's ordinary one."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import grpc
from front_world import ORIGIN
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from sealdraw.v1 import audit_pb2_grpc, draw_pb2_grpc, operator_pb2_grpc
from sealdraw.vault.v1 import vault_pb2

from anchor.note import VerifierKey
from rng_service.config import Config, ServiceConfig
from rng_service.front import fast_path, process
from rng_service.front.audit_service import AuditService
from rng_service.front.callers import Callers
from rng_service.front.history_service import HistoryService
from rng_service.front.operator_service import OperatorService
from rng_service.front.rtp_service import RtpService
from rng_service.front.rtp_table_service import RtpTableService
from rng_service.front.server import FrontServer, Gate

DETAILS = (error_details_pb2.BadRequest, error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo)


class KeysOfVault:
    """The calls of the vault that the operator's service makes."""

    def __init__(self, core):
        self.core = core
        self.rotated = []
        self.down = None

    def get_state(self):
        if self.down is not None:
            raise self.down
        keys = [
            vault_pb2.ReceiptKey(epoch=key.epoch, key_id=key.key_id, created_us=key.created_us)
            for key in self.core.receipt_keys.listed
        ]
        return vault_pb2.GetStateResponse(
            kek_epoch=self.core.store.kek_epoch, drbg_epoch=self.core.drbg.epoch, receipt_keys=keys
        )

    def rotate_key(self, kind):
        if self.down is not None:
            raise self.down
        self.rotated.append(kind)
        {
            vault_pb2.KEY_KIND_KEK: self.core.rotate_kek,
            vault_pb2.KEY_KIND_DRBG: self.core.rotate_drbg,
            vault_pb2.KEY_KIND_RECEIPT: self.core.rotate_receipt_key,
        }[kind]()


@contextmanager
def served(world, *, credentials=None, max_in_flight=100, reflect=False, fast=True):
    """Serve ``world``; gives port, gate, server and the vault of the operator's service."""
    before = grpc._server._handle_call
    grpc._server._handle_call = fast_path.handle_call if fast else fast_path.ordinary_handle_call
    gate = Gate()
    draws = world.service()
    keys = KeysOfVault(world.core)
    config = replace(Config(), service=ServiceConfig(origin=ORIGIN, data_dir=world.public.parent))
    audits = AuditService(world.ledger, world.public, VerifierKey.parse(world.vkey), gate.stopping)
    operators = OperatorService(world.ledger, world.catalog, keys, config, world.store, gate.stopping.is_set)
    callers = Callers(world.ledger, insecure=credentials is None)
    slow = ThreadPoolExecutor(4)
    returns, tables = RtpService(world.ledger, config), RtpTableService(world.ledger, config)
    log_key = VerifierKey.parse(world.vkey)
    history = HistoryService(world.ledger, world.catalog, world.public, log_key, world.store.files)
    server = FrontServer(
        process._services(draws, audits, operators, returns, tables, history, callers, gate, world.engine, slow),
        gate,
        listen="localhost:0",
        credentials=credentials,
        threads=8,
        max_in_flight=max_in_flight,
        reflect=reflect,
        share_port=False,
    )
    server.start()
    try:
        yield SimpleNamespace(port=server.port, gate=gate, server=server, keys=keys)
    finally:
        server.drain(5)
        slow.shutdown()
        grpc._server._handle_call = before


@contextmanager
def connected(port, credentials=None, **metadata):
    """Stubs of the three services on one channel; ``metadata`` goes with nothing by itself."""
    options = [("grpc.enable_http_proxy", 0), ("grpc.max_send_message_length", -1)]
    target = f"localhost:{port}"
    channel = (
        grpc.insecure_channel(target, options)
        if credentials is None
        else grpc.secure_channel(target, credentials, options)
    )
    with channel:
        yield SimpleNamespace(
            channel=channel,
            draws=draw_pb2_grpc.DrawServiceStub(channel),
            audits=audit_pb2_grpc.AuditServiceStub(channel),
            operators=operator_pb2_grpc.OperatorServiceStub(channel),
        )


def failure(error):
    """An RpcError as (code name, message, details by type, trailing metadata)."""
    status = rpc_status.from_call(error)
    found = {}
    for detail in status.details if status is not None else ():
        for kind in DETAILS:
            if detail.Is(kind.DESCRIPTOR):
                message = kind()
                detail.Unpack(message)
                found[kind.__name__] = message
    trailing = dict(error.trailing_metadata() or ())
    return SimpleNamespace(code=error.code().name, message=error.details(), details=found, trailing=trailing)


class HeldVault:
    """A vault that answers when it is let go; `entered` counts the groups that have come to it."""

    def __init__(self, vault):
        self.vault = vault
        self.let_go = threading.Event()
        self.entered = threading.Semaphore(0)

    def open_group(self, *arguments, **options):
        self.entered.release()
        assert self.let_go.wait(30)
        return self.vault.open_group(*arguments, **options)
