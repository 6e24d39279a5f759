"""What the log says about pools and keys, read once and kept: the facts that receipts are checked against.

The log is walked from where the last walk ended, so each entry is read once; a newer checkpoint must extend the one
before it, also over a restart when there is a cache. Memory grows with pools and keys, not with draws.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from anchor.checkpoint import Checkpoint, open_checkpoint
from anchor.errors import MalformedError, MissingError, VerificationError
from anchor.merkle import leaf_hash
from anchor.note import VerifierKey
from anchor.reader import LogReader
from anchor.source import Source
from rng_service.beacon.chain import ChainInfo
from rng_service.client.log_cache import Committed, LogCache, read_cache, write_cache
from rng_service.games import GameDefinition
from rng_service.log_entries import (
    BeaconChainEntry,
    Entry,
    LogConfig,
    PoolActivate,
    PoolCommit,
    ReceiptKey,
    StreamLanes,
    parse_entry,
)
from rng_service.names import PoolId, parse_pool_id
from rng_service.verify.clock import CLOCK_TOLERANCE_US, LogClock, LogTime
from rng_service.verify.commitment import BLS_SKIPPED
from rng_service.verify.evaluation import PoolEvaluator, check_game
from rng_service.verify.fault import located, require
from rng_service.verify.receipt_steps import check_activation, check_commit
from rng_service.verify.registry import Registry, read_game

_log = logging.getLogger(__name__)

# A pool for each lane of each stream in use; one that was dropped is read and checked again.
_KEPT_POOLS: Final = 256
_EntryKind = TypeVar("_EntryKind", bound=Entry)


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """One pool that was checked from its commitment to its activation."""

    commit: PoolCommit
    commit_index: int
    activation: PoolActivate
    activate_index: int
    chain: ChainInfo | None
    game: GameDefinition
    evaluator: PoolEvaluator = field(repr=False)


class LogFacts:
    """The log behind ``source`` as far as it was read. Not for several threads at once.

    The public files are asked for newer entries at most once after each `look_again`, and not at all any more once one
    of them could not be read: whoever has many receipts to check then waits for one file and not for each of them.
    ``cache`` is a file that spares the next start the walk; it holds nothing secret, and is trusted as the request
    journal is.

    Methods raise VerificationError for a log that is wrong, and MissingError when the public files cannot be read or
    do not reach as far as a receipt says: then the same call may succeed later. ``bound_us`` is when the receipt says
    that it was bound: a log that has come further than the promise that was made then is not behind.
    """

    def __init__(self, source: Source, vkey: VerifierKey, cache: Path | None = None) -> None:
        self._source = _ShutSource(source)
        self._vkey = vkey
        self._cache = cache
        self._reader: LogReader | None = None
        self._checkpoint: Checkpoint | None = None
        self._note = b""
        self._next = 0
        self._read = False
        self._registry = Registry(vkey, vkey.name)
        self._clock = LogClock()
        self._announced: list[tuple[int, bytes]] = []
        self._chain_entries: dict[bytes, int] = {}
        self._lanes: dict[str, list[tuple[int, int]]] = {}
        self._commits: dict[str, Committed] = {}
        self._activations: dict[str, tuple[int, int]] = {}
        self._pools: OrderedDict[str, PoolFacts] = OrderedDict()
        self.skipped: set[str] = set()
        if cache is not None:
            self._recall(cache)

    def look_again(self) -> None:
        """Let the public files be asked once more."""
        self._read = False
        self._source.shut = None

    @property
    def unreachable(self) -> bool:
        """Whether a public file could not be read since `look_again`."""
        return self._source.shut is not None

    def receipt_key(self, key_id: bytes, bound_us: int) -> bytes:
        """Return the receipt key of this id; reads on in the log when it is not known yet."""
        if key_id not in self._registry.receipt_keys:
            self._read_on()
        found = self._registry.receipt_keys.get(key_id)
        if found is None:
            # Vaults announce a key before they sign with it, but the public files may lag behind.
            message = f"no key.receipt in the {self._next} published entries announces {key_id.hex()}"
            raise self._absent("opening-key", message, bound_us)
        return found

    def pool(self, name: str, commit_index: int, activate_index: int, bound_us: int) -> PoolFacts:
        """Return the facts of a pool; its first commitment and activation must stand at these indices."""
        facts = self._pools.get(name)
        if facts is None:
            self._read_on()
            index = max(commit_index, activate_index)
            if index >= self._next:
                message = f"the published log has {self._next} entries, the receipt names entry {index}"
                raise self._absent("receipt-unpublished", message, bound_us)
            facts = self._read_pool(name, commit_index, activate_index)
            self._pools[name] = facts
            if len(self._pools) > _KEPT_POOLS:
                self._pools.popitem(last=False)
        self._pools.move_to_end(name)
        require(
            (facts.commit_index, facts.activate_index) == (commit_index, activate_index),
            "receipt-commit",
            f"{name} was committed to in entry {facts.commit_index} and activated in {facts.activate_index}, "
            f"the receipt says {commit_index} and {activate_index}",
        )
        return facts

    def check_lane(self, pool: PoolId, lane_among: Callable[[int], int], bound_us: int) -> None:
        """Check that a record bound at ``bound_us`` is in its own lane of the stream.

        ``lane_among`` gives its lane among so many. Only the number of lanes that was in force counts, and around a
        change, within the merge delay, both numbers. Raises VerificationError ``lane-choice``.
        """
        if self._fits(pool, lane_among, bound_us):
            return
        # A change may stand in entries that were not read yet, or that are not published yet.
        self._read_on()
        if not self._fits(pool, lane_among, bound_us):
            counts = " or ".join(map(str, sorted(self._lane_counts(str(pool.stream), bound_us))))
            message = f"the request does not belong to lane {pool.lane} of {counts} lanes"
            raise self._absent("lane-choice", message, bound_us)

    def _fits(self, pool: PoolId, lane_among: Callable[[int], int], bound_us: int) -> bool:
        return pool.lane in map(lane_among, self._lane_counts(str(pool.stream), bound_us))

    def _lane_counts(self, stream: str, bound_us: int) -> set[int]:
        """Return the numbers of lanes that the record's digest may have found in force."""
        around_us = self._registry.merge_delay_us + CLOCK_TOLERANCE_US
        counts = {1}
        for time_us, lanes in self._lanes.get(stream, ()):
            if time_us <= bound_us - around_us:
                counts = {lanes}
            elif time_us <= bound_us + around_us:
                counts.add(lanes)
        return counts

    def _absent(self, reason: str, message: str, bound_us: int) -> VerificationError | MissingError:
        """Return the error for something that the log should have had before anything bound at ``bound_us``."""
        newest_us, config = self._clock.newest_us, self._registry.config
        if config is None or newest_us <= bound_us + self._registry.merge_delay_us:
            return MissingError(message)
        return VerificationError(
            reason, f"{message}, and the log has come to {newest_us}; this was bound at {bound_us}"
        )

    def _read_on(self) -> None:
        """Fetch the newest checkpoint and walk the entries that it adds."""
        if self._read:
            return
        reader = LogReader(self._source, self._vkey)
        checkpoint = reader.checkpoint()
        if self._checkpoint is not None:
            if checkpoint.size < self._checkpoint.size:
                # A mirror that is behind: what was read stays true.
                message = f"the public files are at {checkpoint.size}, {self._checkpoint.size} were read before"
                self._source.shut = message
                raise MissingError(message)
            reader.verify_extends(self._checkpoint)
        # Held to from here on: entries of a walk that is interrupted are of this history.
        self._reader, self._checkpoint, self._note = reader, checkpoint, reader.checkpoint_note()
        began = self._next
        for index, data in enumerate(reader.entries(self._next), start=self._next):
            with located(entry=index):
                self._take(index, data)
            # Kept entry by entry: a walk that is interrupted goes on where it was.
            self._next = index + 1
        self._read = True
        if self._cache is not None and self._next > began:
            self._keep(self._cache)

    def _take(self, index: int, data: bytes) -> None:
        # An entry is canonical, so its type stands at its end; of the many digests only the time is read.
        if self._clock.digest_bytes(data) or not data.endswith(_KNOWN_ENDS):
            return
        entry = parse_entry(data)
        match entry:
            case PoolCommit():
                chain = None if entry.beacon is None else entry.beacon.chain
                self._commits.setdefault(entry.pool, Committed(index, *self._clock.at(chain)))
            case PoolActivate():
                self._activations.setdefault(entry.pool, (index, self._clock.newest_us))
            case _:
                self._announce(index, entry)
                self._announced.append((index, data))

    def _announce(self, index: int, entry: Entry) -> None:
        match entry:
            case LogConfig():
                self._registry.set_config(index, entry)
                self._clock.begin(entry.time_us)
            case ReceiptKey():
                self._registry.add_receipt_key(entry)
            case BeaconChainEntry():
                self._registry.add_chain(entry)
                self._chain_entries.setdefault(entry.chain, index)
            case StreamLanes():
                self._lanes.setdefault(entry.stream, []).append((entry.time_us, entry.lanes))
            case _:
                raise VerificationError("entry-malformed", f"did not expect an entry of type {entry.TYPE}")

    def _read_pool(self, name: str, commit_index: int, activate_index: int) -> PoolFacts:
        """Check a pool's commitment and activation (PROTOCOL.md, section 8, steps 2 and 4)."""
        reader = self._reader
        if reader is None:
            raise MissingError("the log was not read yet")
        committed, activated = self._commits.get(name), self._activations.get(name)
        if committed is None or committed.place != commit_index:
            raise VerificationError("receipt-commit", f"entry {commit_index} is not the commitment to {name}")
        if activated is None or not activated[0] == activate_index > commit_index:
            raise VerificationError("receipt-activation", f"entry {activate_index} is not the activation of {name}")
        commit, data = _entry(reader, commit_index, PoolCommit)
        activation, _ = _entry(reader, activate_index, PoolActivate)
        leaf = leaf_hash(data)
        with located(entry=commit_index):
            log_time = LogTime(committed.newest_us, committed.newest_round)
            log_time.require_not_before(commit.time_us)
            chain = self._chain(commit, commit_index)
            check_commit(commit, name, self._registry.require_config(), chain, log_time)
        with located(entry=activate_index):
            LogTime(activated[1]).require_not_before(activation.time_us)
            if not check_activation(activation, commit, commit_index, leaf, chain, reader, self._vkey):
                self.skipped.add(BLS_SKIPPED)
        stream = parse_pool_id(name).stream
        game = read_game(self._source, commit.game_digest)
        check_game(game, commit, stream.game, stream.version)
        evaluator = PoolEvaluator(commit, leaf, activation.beacon_value or b"", game)
        return PoolFacts(commit, commit_index, activation, activate_index, chain, game, evaluator)

    def _chain(self, commit: PoolCommit, commit_index: int) -> ChainInfo | None:
        """Return the chain that a commitment names, if the log did so before it."""
        if commit.beacon is None or self._chain_entries.get(commit.beacon.chain, commit_index) >= commit_index:
            return None
        return self._registry.chains[commit.beacon.chain]

    def _recall(self, path: Path) -> None:
        """Begin where an earlier process ended; whatever it kept is dropped when it is not of this log."""
        try:
            cache = read_cache(path)
            if cache is None:
                return
            checkpoint = open_checkpoint(cache.note, self._vkey)
            _check_covered(cache, checkpoint)
            for index, data in cache.announced:
                self._announce(index, parse_entry(data))
        except (MalformedError, VerificationError, OSError) as error:
            _log.warning("%s is of no use, the log is read from its beginning: %s", path, error)
            self._registry = Registry(self._vkey, self._vkey.name)
            self._chain_entries.clear()
            self._lanes.clear()
            return
        self._checkpoint, self._note, self._next = checkpoint, cache.note, cache.next
        self._announced = list(cache.announced)
        self._commits, self._activations = dict(cache.commits), dict(cache.activations)
        self._clock.digest(cache.newest_us)
        for chain, newest_round in cache.rounds.items():
            self._clock.digest(cache.newest_us, chain, newest_round)

    def _keep(self, path: Path) -> None:
        cache = LogCache(
            note=self._note,
            next=self._next,
            newest_us=self._clock.newest_us,
            rounds={chain: self._clock.at(chain).newest_round for chain in self._registry.chains},
            announced=self._announced,
            commits=self._commits,
            activations=self._activations,
        )
        try:
            # A crash on the way leaves the file as it was: the next start walks a little more.
            write_cache(path, cache)
        except OSError as error:
            _log.warning("%s cannot be written, the next start will read more of the log: %s", path, error)


class _ShutSource:
    """A source that is not asked again after a file was missing, until ``shut`` is set back to None."""

    def __init__(self, source: Source) -> None:
        self._inner = source
        self.shut: str | None = None

    def read(self, path: str, *, limit: int) -> bytes:
        if self.shut is not None:
            raise MissingError(self.shut)
        try:
            return self._inner.read(path, limit=limit)
        except MissingError as error:
            self.shut = str(error)
            raise


def _check_covered(cache: LogCache, checkpoint: Checkpoint) -> None:
    if cache.next > checkpoint.size:
        raise MalformedError(f"log cache: {cache.next} entries under a checkpoint of {checkpoint.size}")


def _entry(reader: LogReader, index: int, kind: type[_EntryKind]) -> tuple[_EntryKind, bytes]:
    with located(entry=index):
        data = reader.entry(index)
        entry = parse_entry(data)
        if not isinstance(entry, kind):
            raise VerificationError("entry-malformed", f"is a {entry.TYPE}, expected a {kind.TYPE}")
    return entry, data


_KNOWN_ENDS: Final = tuple(
    f'"type":"{kind.TYPE}","v":1}}'.encode()
    for kind in (LogConfig, ReceiptKey, BeaconChainEntry, StreamLanes, PoolCommit, PoolActivate)
)
