"""Three cheats of an operator who holds the log's key, each made on a copy of the public directory, and caught.

The first changes a file. The other two do what only an insider can: they rebuild the whole log, chain every digest
again and sign it with the real key, so that every hash and every signature fits.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from anchor.checkpoint import Checkpoint
from anchor.edge import RightEdge
from anchor.errors import MissingError, VerificationError
from anchor.files import atomic_write
from anchor.merkle import leaf_hash
from anchor.note import VerifierKey, sign_note
from anchor.reader import LogReader
from anchor.source import DirectorySource
from rng_service.config import Config
from rng_service.games import GameDefinition
from rng_service.log_entries import NO_DIGEST, Digest, GameRegistration, parse_entry
from rng_service.public_files import digest_path, game_path
from rng_service.records.digest import DigestItem, build_digests
from rng_service.records.export import read_header, read_lines
from rng_service.vault.keystore import Keystore
from rng_service.vault.layout import load_checkpoint_key
from rng_service.vault.steps import no_step
from rng_service.verify.fault import Fault
from rng_service.verify.log import verify_log
from rng_service.verify.opened import OpenedRecord, read_record

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["Caught", "Forger", "catch_all"]

_SECOND_US: Final = 1_000_000
_PAID: Final = re.compile(rb'"payouts_minor":\["([0-9]+)"')


@dataclass(frozen=True, slots=True)
class Caught:
    """A cheat: what was done, what the auditor said, and the arguments of `sealdraw` that say it again."""

    name: str
    done: tuple[str, ...]
    reason: str
    said: str
    command: str


class _Draw(NamedTuple):
    """A record that somebody would rather not have made."""

    digest: int
    record: OpenedRecord
    payout_minor: int


class Forger:
    """An operator with the log's key, who works on copies of ``public`` below ``directory``."""

    def __init__(self, config: Config, vkey: str, export: Path, directory: Path) -> None:
        self._public = config.public_dir
        self._vkey = VerifierKey.parse(vkey)
        self._origin = config.service.origin
        self._export = export
        self._directory = directory
        # The vault has stopped: nobody else may ever take a key out of its directory.
        self._key: Ed25519PrivateKey = load_checkpoint_key(Keystore(config.vault_dir, on_step=no_step), self._origin)[0]
        self._entries = list(LogReader(DirectorySource(self._public), self._vkey).entries())

    def swap_paytable(self, game: GameDefinition, old: bytes, new: bytes) -> tuple[Path, tuple[str, ...]]:
        """Change what a bet pays in the published definition."""
        copy = self._copy("swapped-paytable")
        registered = [entry for data in self._entries if isinstance(entry := parse_entry(data), GameRegistration)]
        digest = next(entry.digest for entry in registered if entry.game == game.game)
        path = copy / game_path(digest)
        data = path.read_bytes()
        if old not in data:
            raise MissingError(f"{path}: has no {old!r} to change")
        path.write_bytes(data.replace(old, new, 1))
        return copy, (
            f"In the published definition of {game.game}, {old.decode()} became {new.decode()}:",
            "winners would get less than the table that every pool has committed to.",
        )

    def drop_slot(self) -> tuple[Path, tuple[str, ...]]:
        """Leave the largest win out of its digest, and rebuild and sign everything behind it."""
        copy = self._copy("dropped-slot")
        draw = self._largest_win()
        entries, previous = list(self._entries), NO_DIGEST
        for index, data in enumerate(self._entries):
            entry = parse_entry(data)
            if not isinstance(entry, Digest):
                continue
            forged = replace(entry, prev=previous)
            if entry.seq == draw.digest:
                forged = self._without(draw, forged, copy)
            entries[index] = forged.to_bytes()
            previous = leaf_hash(entries[index])
        self._publish(copy, entries)
        return copy, (
            f"A win of {draw.payout_minor / 100:,.2f} EUR was left out: slot {draw.record.slot} of {draw.record.pool}.",
            "Its digest and all later ones were made again, and the log was signed with the real key.",
        )

    def rewrite_log(self) -> tuple[Path, tuple[str, ...]]:
        """Forget everything from the largest win on, and sign a quiet history of the same length instead."""
        copy = self._copy("rewritten-log")
        draw = self._largest_win()
        digests = [(i, e) for i, data in enumerate(self._entries) if isinstance(e := parse_entry(data), Digest)]
        end = next(index for index, entry in digests if entry.seq == draw.digest)
        entries = self._entries[:end]
        before = [(index, entry) for index, entry in digests if index < end]
        previous = leaf_hash(entries[before[-1][0]]) if before else NO_DIGEST
        time_us = before[-1][1].time_us if before else 0
        seq = draw.digest
        while len(entries) < len(self._entries):
            time_us += _SECOND_US
            (quiet,) = build_digests((), origin=self._origin, time_us=time_us, seq=seq, prev=previous)
            atomic_write(copy / quiet.file_path, quiet.file)
            entries.append(quiet.data)
            previous, seq = quiet.leaf, seq + 1
        self._publish(copy, entries)
        return copy, (
            f"A win of {draw.payout_minor / 100:,.2f} EUR and all that followed was forgotten, from entry {end} on.",
            "The new history is as long as the old one, and signed with the real key.",
        )

    def _copy(self, name: str) -> Path:
        copy = self._directory / name
        shutil.copytree(self._public, copy)
        return copy

    def _largest_win(self) -> _Draw:
        """Return the draw in one step of a single slot that paid most."""
        wins: list[_Draw] = []
        with self._export.open("rb") as stream:
            read_header(stream)
            for line in read_lines(stream):
                paid = _PAID.search(line.stated)
                record = read_record(line.record)
                if paid and record.slots == 1 and "ticket" not in record.binding:
                    wins.append(_Draw(line.digest, record, int(paid[1])))
        if not wins:
            raise MissingError(f"{self._export}: no win in it that could be dropped")
        return max(wins, key=lambda win: win.payout_minor)

    def _without(self, draw: _Draw, entry: Digest, copy: Path) -> Digest:
        """Return the digest ``entry`` as if ``draw`` had never been made, and write its file."""
        items = []
        with self._export.open("rb") as stream:
            read_header(stream)
            for line in read_lines(stream):
                if line.digest == draw.digest:
                    record = read_record(line.record)
                    if record.digest != draw.record.digest:
                        item = DigestItem(record.pool, record.slot, record.slots, record.kind, record.digest)
                        items.append(item)
        (forged,) = build_digests(
            items, origin=entry.origin, time_us=entry.time_us, seq=entry.seq, prev=entry.prev, beacon=entry.beacon
        )
        atomic_write(copy / digest_path(entry.seq), forged.file)
        return forged.entry

    def _publish(self, copy: Path, entries: Sequence[bytes]) -> None:
        growth = RightEdge(0).grow(entries)
        for path, data in growth.files():
            atomic_write(copy / path, data)
        checkpoint = Checkpoint(self._origin, growth.size, growth.root)
        atomic_write(copy / "checkpoint", sign_note(checkpoint.text(), self._origin, self._key))


def catch_all(
    forger: Forger, roulette: GameDefinition, vkey: str, kept_checkpoint: Path, vkey_path: Path
) -> list[Caught]:
    """Make the three cheats and have the auditor look at each.

    Raises VerificationError ``not-caught`` should one of them pass.
    """
    swapped, done = forger.swap_paytable(roulette, b'"pays":"36"', b'"pays":"30"')
    caught = [_catch("A swapped paytable", swapped, done, vkey, vkey_path)]
    dropped, done = forger.drop_slot()
    caught.append(_catch("A dropped slot", dropped, done, vkey, vkey_path))
    rewritten, done = forger.rewrite_log()
    # Alone, the second history is a good one; only who kept a checkpoint of the first can tell.
    verify_log(DirectorySource(rewritten), vkey)
    done = (*done, "On its own it passes the audit. Beside the checkpoint that the auditor kept, it does not.")
    caught.append(_catch("A rewritten log", rewritten, done, vkey, vkey_path, kept_checkpoint))
    return caught


def _catch(
    name: str, copy: Path, done: tuple[str, ...], vkey: str, vkey_path: Path, kept: Path | None = None
) -> Caught:
    command = f"verify log {copy} --key {vkey_path}"
    if kept is not None:
        command += f" --previous {kept}"
    try:
        verify_log(DirectorySource(copy), vkey, old_checkpoint=None if kept is None else kept.read_bytes())
    except Fault as fault:
        return Caught(name, done, fault.reason, str(fault), command)
    raise VerificationError("not-caught", f"{name.lower()} in {copy} passed the audit")
