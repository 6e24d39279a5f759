"""The vault's client, used by the front, the sequencer and the command line of the same node."""

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeVar, cast

import grpc
from sealdraw.vault.v1 import vault_pb2, vault_pb2_grpc

from rng_service.vault.errors import VaultRefusedError, VaultUnavailableError
from rng_service.vault.limits import MAX_MESSAGE_BYTES

__all__ = ["SealedPoolAnswer", "VaultClient"]

_REFUSED: Final = frozenset(
    {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
)
_SEAL_TIMEOUT_FACTOR: Final = 12

Answer = TypeVar("Answer")


class SealedPoolAnswer(NamedTuple):
    """The leaf hashes of a pool (32 bytes a slot, concatenated), their root, and which keys made it."""

    leaves: bytes
    slot_root: bytes
    drbg_instance: str
    drbg_epoch: int
    kek_epoch: int


class VaultClient:
    """Calls the vault on the unix socket at ``socket``; every call has a deadline of ``timeout_s``.

    Sealing and journal reading, which stream, have twelve times as long. Raises VaultRefusedError for a
    request that breaks a rule, VaultUnavailableError when nothing is known: the same request may then be
    repeated, for every call of the vault gives the same answer to the same question. May be shared by
    threads.
    """

    def __init__(self, socket: Path, *, timeout_s: float = 5.0) -> None:
        self._timeout_s = timeout_s
        self._channel = grpc.insecure_channel(
            f"unix:{socket}",
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                ("grpc.default_authority", "vault"),
                # A vault that restarts is back within a second; the default back-off would grow to two
                # minutes.
                ("grpc.initial_reconnect_backoff_ms", 50),
                ("grpc.min_reconnect_backoff_ms", 50),
                ("grpc.max_reconnect_backoff_ms", 500),
                ("grpc.enable_http_proxy", 0),
            ],
        )
        self._stub = vault_pb2_grpc.VaultServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel; calls in flight fail with VaultUnavailableError."""
        self._channel.close()

    def wait_ready(self, timeout_s: float) -> None:
        """Return once the vault answers; raises VaultUnavailableError after ``timeout_s``."""
        request = vault_pb2.GetStateRequest()
        self._call(lambda: self._stub.GetState(request, timeout=timeout_s, wait_for_ready=True))

    def get_state(self) -> vault_pb2.GetStateResponse:
        """Return what the vault holds."""
        request = vault_pb2.GetStateRequest()
        return self._call(lambda: self._stub.GetState(request, timeout=self._timeout_s))

    def seal_pool(self, pool_id: str, size: int, kind: str = "independent") -> SealedPoolAnswer:
        """Seal a pool, or get the leaves of a sealed one again."""
        request = vault_pb2.SealPoolRequest(pool_id=pool_id, size=size, kind=kind)
        timeout_s = self._timeout_s * _SEAL_TIMEOUT_FACTOR
        parts = self._call(lambda: list(self._stub.SealPool(request, timeout=timeout_s)))
        last = parts[-1]
        leaves = b"".join(part.leaves for part in parts)
        return SealedPoolAnswer(leaves, last.slot_root, last.drbg_instance, last.drbg_epoch, last.kek_epoch)

    def activate_pool(
        self,
        pool_id: str,
        commit: vault_pb2.LoggedEntry,
        activation: vault_pb2.LoggedEntry,
        test: vault_pb2.LoggedEntry | None = None,
    ) -> None:
        """Let a pool's slots be opened, by proof that its commitment and its activation are in the log.

        ``test`` proves the pool.test of a pool whose commitment names a plan.
        """
        request = vault_pb2.ActivatePoolRequest(pool_id=pool_id, commit=commit, activation=activation, test=test)
        self._call(lambda: self._stub.ActivatePool(request, timeout=self._timeout_s))

    def test_pool(
        self,
        pool_id: str,
        commit: vault_pb2.LoggedEntry,
        activation: vault_pb2.LoggedEntry,
        *,
        plan: bytes,
        definition: bytes,
    ) -> vault_pb2.TestPoolResponse:
        """Run the plan that the commitment names on an activated pool; returns the signed verdict."""
        request = vault_pb2.TestPoolRequest(
            pool_id=pool_id, commit=commit, activation=activation, plan=plan, definition=definition
        )
        timeout_s = self._timeout_s * _SEAL_TIMEOUT_FACTOR
        return self._call(lambda: self._stub.TestPool(request, timeout=timeout_s))

    def stream_test_bits(
        self, n_bytes: int, *, timeout_s: float | None = None
    ) -> Generator[vault_pb2.StreamTestBitsResponse]:
        """Yield ``n_bytes`` (at most 1 GiB) of a test-only stream in parts; the first says which stream it is.

        Stop reading by closing the iterator. ``timeout_s`` is for the whole stream, None for no limit.
        """
        call = self._stub.StreamTestBits(vault_pb2.StreamTestBitsRequest(n_bytes=n_bytes), timeout=timeout_s)
        try:
            yield from call
        except grpc.RpcError as error:
            raise _translated(error) from error
        finally:
            call.cancel()

    def open_group(
        self,
        openings: Sequence[vault_pb2.Opening],
        settlements: Sequence[bytes] = (),
        *,
        sign: bool = True,
        key_id: str = "",
    ) -> vault_pb2.OpenGroupResponse:
        """Bind and open a group, signed with ``key_id`` or the current key; look at each ``refused`` first.

        ``settlements`` are bindings. A VaultRefusedError has bound nothing.
        """
        request = vault_pb2.OpenGroupRequest(openings=openings, settlements=settlements, sign=sign, key_id=key_id)
        return self._call(lambda: self._stub.OpenGroup(request, timeout=self._timeout_s))

    def void_pool(self, pool_id: str, commit: vault_pb2.LoggedEntry) -> bytes:
        """End an unused pool whose commitment is in the log, and return its key, for publication."""
        request = vault_pb2.VoidPoolRequest(pool_id=pool_id, commit=commit)
        return self._call(lambda: self._stub.VoidPool(request, timeout=self._timeout_s)).pool_key

    def erase_pool(self, pool_id: str) -> vault_pb2.ErasePoolResponse:
        """Destroy the key of a pool that was opened in full; returns the signed attestation."""
        request = vault_pb2.ErasePoolRequest(pool_id=pool_id)
        return self._call(lambda: self._stub.ErasePool(request, timeout=self._timeout_s))

    def read_journal(self, after_sequence: int = 0) -> Iterator[vault_pb2.ReadJournalResponse]:
        """Yield the journal's frames behind ``after_sequence``; life-cycle frames have no entries."""
        request = vault_pb2.ReadJournalRequest(after_sequence=after_sequence)
        try:
            yield from self._stub.ReadJournal(request, timeout=self._timeout_s * _SEAL_TIMEOUT_FACTOR)
        except grpc.RpcError as error:
            raise _translated(error) from error

    def sign_checkpoint(self, size: int, root: bytes, proof: Sequence[bytes], old_size: int) -> bytes:
        """Return the signed note of a tree head that continues the newest one."""
        request = vault_pb2.SignCheckpointRequest(size=size, root=root, consistency_proof=proof, old_size=old_size)
        return self._call(lambda: self._stub.SignCheckpoint(request, timeout=self._timeout_s)).checkpoint

    def rotate_key(self, kind: vault_pb2.KeyKind.ValueType) -> vault_pb2.RotateKeyResponse:
        """Rotate the key-encryption key, the generator or the receipt key."""
        request = vault_pb2.RotateKeyRequest(kind=kind)
        timeout_s = self._timeout_s * _SEAL_TIMEOUT_FACTOR
        return self._call(lambda: self._stub.RotateKey(request, timeout=timeout_s))

    @staticmethod
    def _call(call: Callable[[], Answer]) -> Answer:
        try:
            return call()
        except grpc.RpcError as error:
            raise _translated(error) from error
        except ValueError as error:
            # What grpc raises on a channel that was closed.
            raise VaultUnavailableError(str(error)) from error


def _translated(error: grpc.RpcError) -> VaultRefusedError | VaultUnavailableError:
    # Every RpcError of a client call is its own Call, which the type stubs do not say.
    call = cast("grpc.Call", error)
    details = call.details() or ""
    if call.code() in _REFUSED:
        reason, _, message = details.partition(": ")
        return VaultRefusedError(reason, message)
    return VaultUnavailableError(f"{call.code().name}: {details}")
