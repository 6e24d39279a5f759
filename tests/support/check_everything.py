"""The one invariant checker: ledger, vault journal, public directory and what clients were told, held together.

Every end-to-end and fault test ends here. It reads files at rest (the service has been stopped cleanly) and changes
none of them. What it demands are the five properties of the protocol, as far as they show in what was left behind:

1. single opening: one binding for each slot in the vault's journal, bound slots are a prefix of their pool, and journal
   and ledger have the same bindings;
2. idempotency: one byte string for each request id, and it is what the ledger gives again;
3. single history: every checkpoint that anybody ever saw is continued by the last one, and sizes never fell;
5. conservation: records, digests, totals and pools add up, in the ledger as well as for an auditor.

(The fourth, non-interference, compares two runs and has tests of its own.) Then the auditor has the last word.
"""

import shutil
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from load import CALLER, Answer
from sealdraw.v1 import draw_pb2, types_pb2
from sqlalchemy import Connection, Engine, select

from anchor import canonical
from anchor.checkpoint import open_checkpoint
from anchor.note import VerifierKey
from anchor.reader import LogReader
from anchor.source import DirectorySource
from rng_service.client.receipt import read_receipt
from rng_service.front import receipts
from rng_service.front.catalog import Catalog
from rng_service.front.opening import OpenedRecord, stored_records
from rng_service.game_file_store import GameFileStore
from rng_service.ledger.engine import open_engine, reading
from rng_service.ledger.exporting import digest_range, export_digests
from rng_service.ledger.models import GroupRow, LogEntryRow, PoolRow, RecordRow
from rng_service.ledger.reading import find_request, read_group
from rng_service.public_files import digest_path
from rng_service.records.record import binding_hash, record_digest
from rng_service.request_id import parse_request_id
from rng_service.vault.entries import Entry, PoolErased, PoolSealed, PoolVoided, SlotsOpened, parse_entries
from rng_service.vault.history import HistoryMark
from rng_service.vault.journal import Journal
from rng_service.vault.keystore import pool_key_name
from rng_service.vault.layout import HISTORY_FILE, JOURNAL_DIRECTORY
from rng_service.vault.pool_state import Kind
from rng_service.vault.steps import no_step
from rng_service.verify.export import verify_export
from rng_service.verify.log import verify_log
from rng_service.verify.receipt import verify_receipt
from rng_service.verify.report import LogReport

# Receipts take the auditor a millisecond each: of long runs a spread of so many is verified on its own.
MOST_RECEIPTS = 40
_POLL_S = 0.01

Place = tuple[str, int, bool]
"""A pool, one of its slots, and whether it is its ticket that is meant."""


class InvariantBroken(AssertionError):  # noqa: N818 - it is what was found
    """One of the five properties does not hold; the message says which, and where."""


@dataclass(frozen=True)
class Evidence:
    """What is looked at. ``answers`` and ``checkpoints`` are in the order in which they came."""

    ledger_url: str
    vault_dir: Path
    public_dir: Path
    vkey: str
    answers: Sequence[Answer] = ()
    checkpoints: Sequence[bytes] = ()


@dataclass
class Seen:
    """Somebody who keeps looking at the published checkpoint and keeps a copy of each that he saw."""

    public_dir: Path
    notes: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._paused = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="checkpoint-watcher", daemon=True)
        self._thread.start()

    def checkpoints(self) -> list[bytes]:
        """Return every different checkpoint so far."""
        self._look()
        return list(self.notes)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def pause(self) -> None:
        """Look away while somebody puts an older directory in the place of the public one."""
        self._paused.set()
        self._look()

    def resume(self) -> None:
        """Look again."""
        self._paused.clear()

    def _watch(self) -> None:
        while not self._stop.wait(_POLL_S):
            if not self._paused.is_set():
                self._look()

    def _look(self) -> None:
        with self._lock:
            try:
                note = (self.public_dir / "checkpoint").read_bytes()
            except OSError:
                return
            if not self.notes or self.notes[-1] != note:
                self.notes.append(note)


def check_everything(evidence: Evidence) -> LogReport:
    """Return the auditor's report; raises InvariantBroken, or the auditor's own VerificationError."""
    engine = open_engine(evidence.ledger_url)
    try:
        with reading(engine) as connection:
            bound = _bindings(connection)
            burned = _burned(connection)
            journal = _journal_entries(evidence.vault_dir)
            lost = _check_lost_keys(connection, journal)
            _check_prefixes(connection, bound, burned)
            _check_journal(_opened(journal), bound, burned, lost)
            _check_ended(connection, evidence.vault_dir, journal, lost)
            _check_all_opened(connection)
            _check_tests(connection)
        _check_checkpoints(evidence)
        source = DirectorySource(evidence.public_dir)
        report = verify_log(source, evidence.vkey)
        _demand(not report.skipped, f"the auditor skipped {report.skipped}")
        _check_conservation(engine, evidence, report)
        _check_answers(engine, evidence)
    finally:
        engine.dispose()
    return report


def _demand(holds: object, message: str) -> None:
    if not holds:
        raise InvariantBroken(message)


def _bindings(connection: Connection) -> dict[Place, bytes]:
    """Return the binding hash of every slot in the ledger."""
    rows = connection.execute(
        select(PoolRow.pool_id, RecordRow.slot, RecordRow.slots, RecordRow.kind, RecordRow.binding)
        .join(PoolRow, PoolRow.id == RecordRow.pool_id)
        .where(RecordRow.kind != "settle")
    )
    bound: dict[Place, bytes] = {}
    for pool, first, count, kind, binding in rows:
        hashed = binding_hash(bytes(binding))
        for slot in range(first, first + count):
            place = pool, slot, kind == "ticket"
            _demand(place not in bound, f"1: the ledger binds {place} twice")
            bound[place] = hashed
    return bound


def _burned(connection: Connection) -> set[Place]:
    """Return the slots that the log names as opened for bindings that were lost."""
    return {
        (entry["pool"], slot, ticket)
        for entry in _incidents(connection, "binding-lost")
        for slot in range(entry["slot"], entry["slot"] + entry.get("slots", 1))
        for ticket in (False, True)
    }


def _check_lost_keys(connection: Connection, journal: Iterable[Entry]) -> set[str]:
    """Return the pools that the vault never heard of: none, unless the log says that an older vault was accepted.

    Those of them that had not ended by then are named by the log one by one, and halted.
    """
    states = _pool_states(connection)
    lost = states.keys() - {entry.pool_id for entry in journal if isinstance(entry, PoolSealed)}
    accepted = _incidents(connection, "vault-restored")
    _demand(accepted or not lost, f"5: the vault never heard of the pools {sorted(lost)}")
    named = {entry["pool"] for entry in _incidents(connection, "pool-unopenable")}
    for pool in lost:
        _demand(
            states[pool] in {"void", "erased"} or (states[pool] == "halted" and pool in named),
            f"5: the vault never heard of {pool}, which is {states[pool]}, and the log does not say so",
        )
    return lost


def _check_ended(connection: Connection, vault_dir: Path, journal: Iterable[Entry], lost: set[str]) -> None:
    """The vault opens nothing of a pool that has ended in the log, and has no file of a key that is destroyed there."""
    ended = {entry.pool_id for entry in journal if isinstance(entry, PoolErased | PoolVoided)}
    for pool, state in _pool_states(connection).items():
        if state in {"void", "erased"}:
            _demand(pool in ended | lost, f"5: {pool} is {state}, and the vault could still open its slots")
        if state == "erased":
            left = [str(path) for path in vault_dir.glob(f"{pool_key_name(pool)}.*")]
            _demand(not left, f"5: the log says that the key of {pool} is destroyed, and there is {left}")


def _pool_states(connection: Connection) -> dict[str, str]:
    return {row.pool_id: row.state for row in connection.execute(select(PoolRow.pool_id, PoolRow.state))}


def _incidents(connection: Connection, kind: str) -> list[dict[str, Any]]:
    rows = connection.scalars(select(LogEntryRow.entry).where(LogEntryRow.type == "incident"))
    entries = [canonical.decode_object(bytes(row)) for row in rows]
    return [entry for entry in entries if entry["kind"] == kind]


def _check_prefixes(connection: Connection, bound: Iterable[Place], burned: Iterable[Place]) -> None:
    taken: dict[str, set[int]] = defaultdict(set)
    for pool, slot, _ in bound:
        taken[pool].add(slot)
    for pool, slot, _ in burned:
        taken[pool].add(slot)
    rows = connection.execute(select(PoolRow.pool_id, PoolRow.next_slot, PoolRow.size, PoolRow.state)).all()
    for pool, next_slot, size, state in rows:
        slots = taken.pop(pool, set())
        _demand(slots == set(range(len(slots))), f"1: the bound slots of {pool} are no prefix: {sorted(slots)}")
        if state not in {"halted", "void"}:
            _demand(len(slots) == next_slot, f"1: {pool} says that {next_slot} slots are taken, {len(slots)} are bound")
        if state in {"closed", "erased"}:
            _demand(len(slots) == size, f"5: {pool} is {state} with {len(slots)} of {size} slots bound")
            final = {slot for slot in range(size) if (pool, slot, False) in bound}
            _demand(
                len(final) == size, f"5: {pool} is {state}, and only {len(final)} of {size} slots are drawn or void"
            )
    _demand(not taken, f"1: bindings name pools that the ledger does not have: {sorted(taken)}")


def _journal_entries(vault_dir: Path) -> list[Entry]:
    """Return everything that the vault's journal says, in order; it reads a copy."""
    entries: list[Entry] = []
    with tempfile.TemporaryDirectory() as copy:
        directory = Path(copy) / JOURNAL_DIRECTORY
        shutil.copytree(vault_dir / JOURNAL_DIRECTORY, directory)
        mark = HistoryMark.parse((vault_dir / HISTORY_FILE).read_bytes())
        Journal(
            directory,
            replay=lambda frame: entries.extend(parse_entries(frame.payload)),
            on_step=no_step,
            must_contain=mark.journal,
        ).close()
    return entries


def _opened(entries: Iterable[Entry]) -> dict[Place, set[bytes]]:
    """Return the binding hashes for which the vault has journaled each slot."""
    opened: dict[Place, set[bytes]] = defaultdict(set)
    for entry in entries:
        if isinstance(entry, SlotsOpened):
            for slot in range(entry.slot, entry.slot + entry.count):
                opened[entry.pool_id, slot, entry.kind == Kind.TICKET].add(entry.binding_hash)
    return opened


def opened_slots(vault_dir: Path) -> set[tuple[str, int]]:
    """Return the slots whose secrets the vault has given out: drawn ones and void ones."""
    return {(pool, slot) for pool, slot, ticket in _opened(_journal_entries(vault_dir)) if not ticket}


def _check_journal(
    opened: dict[Place, set[bytes]], bound: dict[Place, bytes], burned: set[Place], lost: set[str]
) -> None:
    for place, hashes in opened.items():
        _demand(len(hashes) == 1, f"1: the vault opened {place} for {len(hashes)} bindings")
        if place in burned:
            continue
        _demand(place in bound, f"1: the vault opened {place}, which the ledger never bound")
        _demand(hashes == {bound[place]}, f"1: the vault opened {place} for another binding than the ledger's")
    # At rest everything that is bound has been opened: census = journal. Of lost pools only ledger and log know.
    missing = {place for place in bound.keys() - opened.keys() if place[0] not in lost}
    _demand(
        not missing,
        f"5: {len(missing)} bound slots are not in the vault's journal, the first {min(missing, default=0)}",
    )


def _check_all_opened(connection: Connection) -> None:
    left = set(connection.scalars(select(GroupRow.id).where(GroupRow.digest_seq.is_(None))))
    _demand(not left, f"5: groups {sorted(left)} stand in no digest although the service ended cleanly")
    queued = connection.scalars(select(LogEntryRow.type).where(LogEntryRow.log_index.is_(None))).all()
    _demand(not queued, f"5: entries {queued} wait for the log although the service ended cleanly")


def _check_tests(connection: Connection) -> None:
    """Nothing was ever bound in a pool that did not pass the test that it named; one that failed is opened."""
    for pool in connection.execute(select(PoolRow.__table__).where(PoolRow.test_plan.is_not(None))).all():
        used = pool.next_slot > 0 or pool.state in {"active", "closed", "erased"}
        _demand(not used or pool.test_verdict == "pass", f"5: {pool.pool_id} is used, its test: {pool.test_verdict}")
        stopped = pool.state in {"quarantined", "void", "halted"}
        _demand(pool.test_verdict != "fail" or stopped, f"5: {pool.pool_id} failed its test, and is {pool.state}")
        published = pool.test_index is not None
        _demand(published == (pool.test_verdict is not None), f"5: the verdict on {pool.pool_id} is not in the log")


def _check_checkpoints(evidence: Evidence) -> None:
    key = VerifierKey.parse(evidence.vkey)
    reader = LogReader(DirectorySource(evidence.public_dir), key)
    newest = reader.checkpoint()
    before = 0
    for note in evidence.checkpoints:
        seen = open_checkpoint(note, key)
        _demand(seen.size >= before, f"3: the published size fell from {before} to {seen.size}")
        before = seen.size
        _demand(seen.size <= newest.size, f"3: size {seen.size} was published once, now it is {newest.size}")
        if seen.size == newest.size:
            _demand(seen.root == newest.root, f"3: two roots were published for size {seen.size}")
        reader.verify_extends(seen)
    mark = HistoryMark.parse((evidence.vault_dir / HISTORY_FILE).read_bytes())
    _demand(
        (mark.size, mark.root) == (newest.size, newest.root),
        f"3: the vault last signed size {mark.size}, {newest.size} is published",
    )


def _check_conservation(engine: Engine, evidence: Evidence, report: LogReport) -> None:
    """Records of the ledger = record digests in the public files = what the auditor counted; totals are their fold."""
    kinds: Counter[str] = Counter()
    digests: list[bytes] = []
    with reading(engine) as connection:
        for group_id in connection.scalars(select(GroupRow.id).order_by(GroupRow.id)).all():
            for opened in stored_records(read_group(connection, group_id)):
                kinds[opened.bound.kind] += 1
                digests.append(record_digest(opened.record))
    counted = {kind: number for kind, number in report.records.items() if number}
    _demand(dict(kinds) == counted, f"5: the ledger has the records {dict(kinds)}, the log {counted}")
    first, last = digest_range(engine)
    published = b"".join([(evidence.public_dir / digest_path(seq)).read_bytes() for seq in range(first, last + 1)])
    files = [published[at : at + 32] for at in range(0, len(published), 32)]
    _demand(sorted(files) == sorted(digests), "5: the digest files do not hold exactly the ledger's records")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "everything.jsonl"
        with path.open("xb") as stream:
            export_digests(engine, stream, origin=report.origin, first=first, last=last, files=_store(evidence).files)
        # Recomputes every outcome, and every totals entry from them.
        exported = verify_export(path, DirectorySource(evidence.public_dir), evidence.vkey)
    _demand(exported.complete, "5: the export of everything is not complete")
    _demand(exported.totals == report.entries.get("totals", 0), "5: not every totals entry could be recomputed")


def _check_answers(engine: Engine, evidence: Evidence) -> None:
    by_id: dict[str, set[bytes]] = defaultdict(set)
    method_of: dict[str, str] = {}
    for answer in evidence.answers:
        by_id[answer.request_id].add(answer.response)
        method_of[answer.request_id] = answer.method
    for request_id, responses in by_id.items():
        _demand(len(responses) == 1, f"2: request {request_id} was answered with {len(responses)} different receipts")
    environment = VerifierKey.parse(evidence.vkey).name.rpartition("/")[2]
    catalog = Catalog(engine, evidence.public_dir, environment, _store(evidence))
    catalog.refresh()
    for request_id, (response,) in by_id.items():
        again = _recomputed(engine, catalog, request_id, method_of[request_id])
        _demand(again == response, f"2: request {request_id} was answered otherwise than the ledger says")
    _check_receipts(evidence, [(request_id, method_of[request_id], *found) for request_id, found in by_id.items()])


def _store(evidence: Evidence) -> GameFileStore:
    """Return the operator's game files, which lie beside the public directory."""
    return GameFileStore(evidence.public_dir.parent / "game-files")


def _recomputed(engine: Engine, catalog: Catalog, request_id: str, method: str) -> bytes:
    """Return the answer that follows from the ledger and the public files alone."""
    with reading(engine) as connection:
        known = find_request(connection, parse_request_id(request_id), CALLER)
        _demand(known is not None, f"2: request {request_id} was acknowledged and the ledger does not know it")
        records = [
            record for record in stored_records(read_group(connection, known.group_id)) if known.owns(record.bound)
        ]
    _demand(records, f"2: request {request_id} was acknowledged and the ledger has no record of it")
    return _RESPONSES[method](catalog, records).SerializeToString()


def _reserve(catalog: Catalog, records: list[OpenedRecord]) -> Message:
    return receipts.ticket_response(catalog.pool(records[0].bound.pool), records[0])


def _draw(catalog: Catalog, records: list[OpenedRecord]) -> Message:
    response = draw_pb2.DrawResponse(receipt=receipts.read_back(catalog, records[0]))
    response.session_sequence = receipts.session_sequence(records[0])
    if len(records) > 1:
        response.next_ticket.CopyFrom(_reserve(catalog, records[1:]))
    return response


def _batch(catalog: Catalog, records: list[OpenedRecord]) -> Message:
    return draw_pb2.BatchDrawResponse(receipts=[receipts.read_back(catalog, record) for record in records])


def _settle(_catalog: Catalog, records: list[OpenedRecord]) -> Message:
    return receipts.settle_response(records[0])


_RESPONSES = {"Reserve": _reserve, "Draw": _draw, "BatchDraw": _batch, "Settle": _settle}


def receipts_in(method: str, response: bytes) -> list[types_pb2.Receipt]:
    """Return the receipts, tickets included, that an answer carries."""
    if method == "Reserve":
        return [draw_pb2.ReserveResponse.FromString(response).ticket]
    if method == "BatchDraw":
        return list(draw_pb2.BatchDrawResponse.FromString(response).receipts)
    if method == "Draw":
        drawn = draw_pb2.DrawResponse.FromString(response)
        return [drawn.receipt, *([drawn.next_ticket.ticket] if drawn.HasField("next_ticket") else [])]
    return []


def _check_receipts(evidence: Evidence, answers: Sequence[tuple[str, str, bytes]]) -> None:
    """Let the auditor verify receipts as the client holds them, spread over the whole run."""
    step = max(1, len(answers) // MOST_RECEIPTS)
    source = DirectorySource(evidence.public_dir)
    origin = VerifierKey.parse(evidence.vkey).name
    for request_id, method, response in answers[::step]:
        for message in receipts_in(method, response):
            file = read_receipt(message, request_id, origin).to_bytes()
            report = verify_receipt(file, source, evidence.vkey)
            _demand(not report.pending, f"2: receipt of {request_id} ({sha256(file).hexdigest()}) is in no digest")


def await_seen(seen: Seen, more: int, timeout_s: float = 30.0) -> None:
    """Return once ``more`` further checkpoints were published."""
    wanted, deadline = len(seen.notes) + more, time.monotonic() + timeout_s
    while len(seen.notes) < wanted:
        _demand(time.monotonic() < deadline, f"no {more} further checkpoints within {timeout_s:.0f} s")
        time.sleep(_POLL_S)
