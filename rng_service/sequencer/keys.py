"""Keys: what the vault rotated is announced in the log, whoever asked for it; what is due is rotated."""

from collections.abc import Collection, Mapping

from sealdraw.vault.v1 import vault_pb2
from sqlalchemy import Connection, select

from anchor import canonical
from anchor.files import write_immutable
from rng_service.ledger.models import MetaRow
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import KeyRotation, ReceiptKey
from rng_service.sequencer.context import Context, set_meta
from rng_service.sequencer.source_watch import watch_source

__all__ = ["announce_receipt_keys", "announcements", "due_rotations", "refresh_keys"]

_DAY_US = 86_400_000_000
# Facts of the ledger that say what was announced; the log itself is too long to be searched for it.
_MARK = "announced/"


def refresh_keys(context: Context) -> None:
    """Rotate what is due, then queue an entry for each key and epoch that the log does not know yet."""
    now_us = context.clock_us()
    state = context.vault.get_state()
    watch_source(context, state.entropy)
    for kind in due_rotations(context, state, now_us):
        # A crash right here leaves a rotated key that the log does not know: the next pass announces it.
        context.vault.rotate_key(kind)
        state = context.vault.get_state()
    current = max(state.receipt_keys, key=lambda key: key.epoch)
    context.receipt_key_id = current.key_id
    with context.reading() as connection:
        announced = _announced(connection)
    missing = announcements(state, announced, origin=context.origin, now_us=now_us)
    for entry in missing.values():
        if isinstance(entry, ReceiptKey):
            _write_receipt_key(context, entry)
    if missing:
        with context.writing() as connection:
            for mark, entry in missing.items():
                set_meta(connection, mark, str(entry.epoch))
                append_entry(connection, entry)


def announce_receipt_keys(context: Context, key_ids: Collection[str]) -> None:
    """Queue the announcements of keys that were rotated a moment ago, so that they stand before what they sign."""
    with context.reading() as connection:
        announced = _announced(connection)
    if any(f"{_MARK}receipt/{key_id}" not in announced for key_id in key_ids):
        refresh_keys(context)


def due_rotations(
    context: Context, state: vault_pb2.GetStateResponse, now_us: int
) -> list[vault_pb2.KeyKind.ValueType]:
    """Return which keys have reached the age at which the configuration wants them replaced; 0 days is never.

    None while the entropy source has failed: the vault would make no key, and the old ones go on.
    """
    if state.entropy.failed_test:
        return []
    keys = context.config.keys
    newest_us = max(key.created_us for key in state.receipt_keys)
    ages = (
        (vault_pb2.KEY_KIND_KEK, keys.kek_days, state.kek_created_us),
        (vault_pb2.KEY_KIND_DRBG, keys.drbg_days, state.drbg_created_us),
        (vault_pb2.KEY_KIND_RECEIPT, keys.receipt_days, newest_us),
    )
    return [kind for kind, days, created_us in ages if days and now_us - created_us >= days * _DAY_US]


def announcements(
    state: vault_pb2.GetStateResponse, announced: Mapping[str, int], *, origin: str, now_us: int
) -> dict[str, ReceiptKey | KeyRotation]:
    """Return the entries that the log lacks for what the vault has, by the mark under which they are remembered.

    ``announced`` has the epoch of each mark that was written before. Pure.
    """
    missing: dict[str, ReceiptKey | KeyRotation] = {}
    for key in sorted(state.receipt_keys, key=lambda key: key.epoch):
        mark = f"{_MARK}receipt/{key.key_id}"
        if mark not in announced:
            missing[mark] = ReceiptKey(
                origin=origin,
                time_us=now_us,
                key_id=bytes.fromhex(key.key_id),
                public_key=key.public_key,
                epoch=key.epoch,
                signature=key.attestation,
            )
    if state.kek_epoch > announced.get(f"{_MARK}kek", 0):
        missing[f"{_MARK}kek"] = KeyRotation(origin=origin, time_us=now_us, kind="kek", epoch=state.kek_epoch)
    if state.drbg_epoch > announced.get(f"{_MARK}drbg", 0):
        # The generator begins another epoch with each start of the vault; those in between made nothing public.
        missing[f"{_MARK}drbg"] = KeyRotation(
            origin=origin, time_us=now_us, kind="drbg", epoch=state.drbg_epoch, instance=state.drbg_instance
        )
    return missing


def _announced(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(MetaRow.key, MetaRow.value).where(MetaRow.key.startswith(_MARK)))
    return {key: int(value) for key, value in rows}


def _write_receipt_key(context: Context, entry: ReceiptKey) -> None:
    key_id = entry.key_id.hex()
    data = canonical.encode({"epoch": entry.epoch, "key_id": key_id, "public_key": entry.public_key.hex(), "v": 1})
    write_immutable(context.config.public_dir / "keys" / f"receipt-{key_id}.json", data)
