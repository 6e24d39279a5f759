"""Proof files (PROTOCOL.md, section 12): a record's place in a digest, and the digest's in the log."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from anchor import canonical
from anchor.merkle import inclusion_path, levels_of
from anchor.note import VerifierKey
from anchor.proof import LogProof
from anchor.reader import LogReader
from anchor.source import DirectorySource
from anchor.tile import number_path
from rng_service.ledger.models import DigestRow, LogEntryRow

# A group that does not fit into one digest goes on in the next ones; each holds tens of thousands of records.
_MOST_DIGESTS = 8


@dataclass(frozen=True, slots=True)
class PublishedDigest:
    """A digest that has its place in the log."""

    seq: int
    entry: bytes
    log_index: int


def digests_from(connection: Connection, first: int) -> list[PublishedDigest]:
    """Return the digests in which a group that begins in ``first`` can stand."""
    query = (
        select(DigestRow.seq, DigestRow.entry, LogEntryRow.log_index)
        .join(LogEntryRow, LogEntryRow.id == DigestRow.log_entry_id)
        .where(DigestRow.seq >= first, DigestRow.seq < first + _MOST_DIGESTS, LogEntryRow.log_index.is_not(None))
        .order_by(DigestRow.seq)
    )
    return [PublishedDigest(seq, entry, index or 0) for seq, entry, index in connection.execute(query)]


def proofs(
    public_dir: Path,
    log_key: VerifierKey,
    digests: Iterable[PublishedDigest],
    wanted: Iterable[bytes],
) -> Iterator[str]:
    """Yield the proof file of each record digest in ``wanted`` that stands in one of the published ``digests``."""
    reader = LogReader(DirectorySource(public_dir), log_key)
    left = list(wanted)
    for digest in digests:
        if not left or digest.log_index >= reader.checkpoint().size:
            return
        data = (public_dir / "digests" / f"{number_path(digest.seq)}.bin").read_bytes()
        places = {data[start : start + 32]: start >> 5 for start in range(0, len(data), 32)}
        found = [item for item in left if item in places]
        if not found:
            continue
        levels = levels_of(list(places))
        path = tuple(reader.inclusion_proof(digest.log_index))
        for item in found:
            place = places[item]
            extra = {
                "entry": digest.entry.hex(),
                "index": place,
                "path": [sibling.hex() for sibling in inclusion_path(levels, place)],
            }
            proof = LogProof(digest.log_index, path, reader.checkpoint_note(), canonical.encode(extra))
            yield proof.render().decode("utf-8")
        left = [item for item in left if item not in places]
