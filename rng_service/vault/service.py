"""The gRPC face of the vault: messages in, messages out, every rule elsewhere."""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, Final, NoReturn, TypeVar

import grpc
from sealdraw.vault.v1 import vault_pb2, vault_pb2_grpc

from rng_service.vault.core import Vault
from rng_service.vault.entries import SlotsOpened, parse_entries
from rng_service.vault.errors import VaultError, VaultRefusedError
from rng_service.vault.receipt_keys import PublicReceiptKey

__all__ = ["VaultServicer"]

_LEAVES_PER_MESSAGE: Final = 32_768

Answer = TypeVar("Answer")


def _abort(context: grpc.ServicerContext, error: VaultError) -> NoReturn:
    if isinstance(error, VaultRefusedError):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    # The message names files, never contents; the caller may repeat the request once the operator has acted.
    context.abort(grpc.StatusCode.UNAVAILABLE, f"{type(error).__name__}: {error}")


def _guarded(method: Callable[..., Answer]) -> Callable[..., Answer]:
    @wraps(method)
    def guarded(self: "VaultServicer", request: Any, context: grpc.ServicerContext) -> Answer:
        try:
            return method(self, request, context)
        except VaultError as error:
            _abort(context, error)

    return guarded


class VaultServicer(vault_pb2_grpc.VaultServiceServicer):
    """Serves one `Vault`; ``hardening`` is what `harden_process` reported, ``report`` takes lines of the event log."""

    def __init__(
        self, vault: Vault, hardening: Mapping[str, str], report: Callable[[str], None] = lambda _line: None
    ) -> None:
        self._vault = vault
        self._report = report
        self._hardening = dict(hardening)

    @_guarded
    def GetState(  # noqa: N802
        self, _request: vault_pb2.GetStateRequest, _context: grpc.ServicerContext
    ) -> vault_pb2.GetStateResponse:
        """Say what the vault holds."""
        vault = self._vault
        journal, mark, drbg = vault.journal_mark, vault.guard.mark, vault.drbg
        return vault_pb2.GetStateResponse(
            origin=vault.origin,
            log_vkey=vault.log_key.vkey(),
            receipt_keys=[_receipt_key(key) for key in vault.receipt_keys.listed],
            kek_epoch=vault.store.kek_epoch,
            kek_created_us=vault.store.kek_created_us,
            drbg_instance="" if drbg is None else drbg.instance,
            drbg_epoch=0 if drbg is None else drbg.epoch,
            drbg_created_us=0 if drbg is None else drbg.created_us,
            journal_sequence=journal.sequence,
            journal_head=journal.head,
            checkpoint_size=mark.size,
            checkpoint_root=mark.root if mark.note else b"",
            pools=[
                vault_pb2.PoolState(
                    pool_id=pool.pool_id,
                    size=pool.size,
                    state=pool.life,
                    drawn=pool.drawn,
                    ticketed=pool.ticketed,
                    voided=pool.voided,
                    slot_root=pool.slot_root,
                )
                for pool in vault.pool_states()
            ],
            hardening=self._hardening | {"keys_readable": "; ".join(vault.damaged) or "yes"},
            refused_bindings=vault.refused_bindings,
            entropy=vault_pb2.EntropyState(
                samples=vault.source_samples,
                failed_test="" if vault.failure is None else vault.failure.test,
                failure="" if vault.failure is None else vault.failure.message,
                failures=vault.source_record.failures,
                suspect_pools=vault.source_record.suspects,
            ),
            test_streams=vault.test_streams.streams,
            test_stream_bytes=vault.test_streams.given_bytes,
        )

    def SealPool(  # noqa: N802
        self, request: vault_pb2.SealPoolRequest, context: grpc.ServicerContext
    ) -> Iterator[vault_pb2.SealPoolResponse]:
        """Stream the leaves of a new or known pool."""
        try:
            sealed = self._vault.seal(request.pool_id, request.size, request.kind)
        except VaultError as error:
            _abort(context, error)
        for first in range(0, len(sealed.leaves), _LEAVES_PER_MESSAGE):
            part = b"".join(sealed.leaves[first : first + _LEAVES_PER_MESSAGE])
            if first + _LEAVES_PER_MESSAGE < len(sealed.leaves):
                yield vault_pb2.SealPoolResponse(leaves=part)
            else:
                yield vault_pb2.SealPoolResponse(
                    leaves=part,
                    slot_root=sealed.slot_root,
                    drbg_instance=sealed.drbg_instance,
                    drbg_epoch=sealed.drbg_epoch,
                    kek_epoch=sealed.kek_epoch,
                )

    @_guarded
    def ActivatePool(  # noqa: N802
        self, request: vault_pb2.ActivatePoolRequest, _context: grpc.ServicerContext
    ) -> vault_pb2.ActivatePoolResponse:
        """Activate a pool whose commitment and activation are proven."""
        test = request.test if request.HasField("test") else None
        self._vault.activate(request.pool_id, request.commit, request.activation, test)
        return vault_pb2.ActivatePoolResponse()

    @_guarded
    def TestPool(  # noqa: N802
        self, request: vault_pb2.TestPoolRequest, _context: grpc.ServicerContext
    ) -> vault_pb2.TestPoolResponse:
        """Test an activated pool by the plan of its commitment."""
        verdict = self._vault.test_pool(
            request.pool_id, request.commit, request.activation, request.plan, request.definition
        )
        return vault_pb2.TestPoolResponse(**verdict._asdict())

    def StreamTestBits(  # noqa: N802
        self, request: vault_pb2.StreamTestBitsRequest, context: grpc.ServicerContext
    ) -> Iterator[vault_pb2.StreamTestBitsResponse]:
        """Stream bits from which nothing else is made; say on the event log how many were given."""
        given = 0
        try:
            for part in self._vault.read_test_stream(request.n_bytes):
                given += len(part.data)
                if given == len(part.data):
                    self._report(f"test stream {part.number} of {part.instance}: {request.n_bytes} bytes asked for")
                    yield vault_pb2.StreamTestBitsResponse(
                        data=part.data, stream=part.number, drbg_instance=part.instance, drbg_epoch=part.epoch
                    )
                else:
                    yield vault_pb2.StreamTestBitsResponse(data=part.data)
        except VaultError as error:
            _abort(context, error)
        finally:
            if given:
                self._report(f"test streams: {self._vault.test_streams.given_bytes} bytes given in all")

    @_guarded
    def OpenGroup(  # noqa: N802
        self, request: vault_pb2.OpenGroupRequest, _context: grpc.ServicerContext
    ) -> vault_pb2.OpenGroupResponse:
        """Open a group."""
        result = self._vault.open_group(request.openings, request.settlements, sign=request.sign, key_id=request.key_id)
        return vault_pb2.OpenGroupResponse(
            results=[vault_pb2.OpenResult(secrets=secrets, refused=refused) for secrets, refused in result.openings],
            signature=result.signature,
            key_id=result.key_id,
            journal_sequence=result.journal.sequence,
            journal_head=result.journal.head,
        )

    @_guarded
    def VoidPool(  # noqa: N802
        self, request: vault_pb2.VoidPoolRequest, _context: grpc.ServicerContext
    ) -> vault_pb2.VoidPoolResponse:
        """End an unused pool; its key becomes public, so this is the one answer that carries a key."""
        key = self._vault.void(request.pool_id, request.commit)
        return vault_pb2.VoidPoolResponse(pool_key=key.reveal_secret())

    @_guarded
    def ErasePool(  # noqa: N802
        self, request: vault_pb2.ErasePoolRequest, _context: grpc.ServicerContext
    ) -> vault_pb2.ErasePoolResponse:
        """Destroy the key of a pool that was opened in full."""
        proof = self._vault.erase(request.pool_id)
        return vault_pb2.ErasePoolResponse(**proof._asdict())

    def ReadJournal(  # noqa: N802
        self, request: vault_pb2.ReadJournalRequest, context: grpc.ServicerContext
    ) -> Iterator[vault_pb2.ReadJournalResponse]:
        """Stream journal frames."""
        try:
            for frame in self._vault.read_journal(request.after_sequence):
                yield vault_pb2.ReadJournalResponse(
                    sequence=frame.sequence,
                    head=frame.head,
                    entries=[
                        vault_pb2.JournalEntry(
                            pool_id=entry.pool_id,
                            slot=entry.slot,
                            count=entry.count,
                            kind=vault_pb2.SlotKind.ValueType(entry.kind),
                            binding_hash=entry.binding_hash,
                        )
                        for entry in parse_entries(frame.payload)
                        if isinstance(entry, SlotsOpened)
                    ],
                )
        except VaultError as error:
            _abort(context, error)

    @_guarded
    def SignCheckpoint(  # noqa: N802
        self, request: vault_pb2.SignCheckpointRequest, _context: grpc.ServicerContext
    ) -> vault_pb2.SignCheckpointResponse:
        """Sign a tree head, if it continues the only history."""
        note = self._vault.sign_checkpoint(
            request.size, request.root, list(request.consistency_proof), request.old_size
        )
        return vault_pb2.SignCheckpointResponse(checkpoint=note)

    @_guarded
    def RotateKey(  # noqa: N802
        self, request: vault_pb2.RotateKeyRequest, _context: grpc.ServicerContext
    ) -> vault_pb2.RotateKeyResponse:
        """Rotate one kind of key."""
        if request.kind == vault_pb2.KEY_KIND_KEK:
            return vault_pb2.RotateKeyResponse(epoch=self._vault.rotate_kek())
        if request.kind == vault_pb2.KEY_KIND_DRBG:
            epoch, instance = self._vault.rotate_drbg()
            return vault_pb2.RotateKeyResponse(epoch=epoch, drbg_instance=instance)
        if request.kind == vault_pb2.KEY_KIND_RECEIPT:
            key = self._vault.rotate_receipt_key()
            return vault_pb2.RotateKeyResponse(epoch=key.epoch, receipt_key=_receipt_key(key))
        raise VaultRefusedError("key-kind", "expected KEK, DRBG or RECEIPT")


def _receipt_key(key: PublicReceiptKey) -> vault_pb2.ReceiptKey:
    return vault_pb2.ReceiptKey(
        key_id=key.key_id,
        public_key=key.public_key,
        epoch=key.epoch,
        created_us=key.created_us,
        attestation=key.attestation,
    )
