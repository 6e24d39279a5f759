"""What the log says about pools and keys, read once and kept: the facts that receipts are checked against.

The log is walked from where the last walk ended, so each entry is read once; a newer checkpoint must extend the one
before it. Memory grows with pools and keys, not with draws.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from anchor.errors import MissingError, VerificationError
from anchor.merkle import leaf_hash
from anchor.note import VerifierKey
from anchor.reader import LogReader
from anchor.source import Source
from rng_service.beacon.chain import ChainInfo
from rng_service.games import GameDefinition
from rng_service.log_entries import (
    BeaconChainEntry,
    Entry,
    LogConfig,
    PoolActivate,
    PoolCommit,
    ReceiptKey,
    parse_entry,
)
from rng_service.names import parse_pool_id
from rng_service.verify.commitment import (
    BLS_SKIPPED,
    check_activation_beacon,
    check_activation_checkpoint,
    check_commit_beacon,
)
from rng_service.verify.evaluation import PoolEvaluator, check_game
from rng_service.verify.fault import located, require
from rng_service.verify.registry import Registry, read_game

if TYPE_CHECKING:
    from anchor.checkpoint import Checkpoint

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

    Methods raise VerificationError for a log that is wrong, and MissingError when the public files cannot be read or
    do not reach as far as a receipt says: then the same call may succeed later.
    """

    def __init__(self, source: Source, vkey: VerifierKey) -> None:
        self._source = source
        self._vkey = vkey
        self._reader: LogReader | None = None
        self._checkpoint: Checkpoint | None = None
        self._next = 0
        self._registry = Registry(vkey, vkey.name)
        self._commits: dict[str, int] = {}
        self._activations: dict[str, int] = {}
        self._pools: OrderedDict[str, PoolFacts] = OrderedDict()
        self.skipped: set[str] = set()

    def receipt_key(self, key_id: bytes) -> bytes:
        """Return the receipt key of this id; reads on in the log when it is not known yet."""
        if key_id not in self._registry.receipt_keys:
            self._read_on()
        found = self._registry.receipt_keys.get(key_id)
        if found is None:
            # Vaults announce a key before they sign with it, but the public files may lag behind.
            raise MissingError(f"no key.receipt in the {self._next} published entries announces {key_id.hex()}")
        return found

    def pool(self, name: str, commit_index: int, activate_index: int) -> PoolFacts:
        """Return the facts of a pool; its first commitment and activation must stand at these indices."""
        facts = self._pools.get(name)
        if facts is None:
            self._read_on()
            require_published(max(commit_index, activate_index), self._next)
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

    def _read_on(self) -> None:
        """Fetch the newest checkpoint and walk the entries that it adds."""
        reader = LogReader(self._source, self._vkey)
        checkpoint = reader.checkpoint()
        if self._checkpoint is not None:
            if checkpoint.size < self._checkpoint.size:
                # A mirror that is behind: what was read stays true.
                raise MissingError(
                    f"the public files are at {checkpoint.size}, {self._checkpoint.size} were read before"
                )
            reader.verify_extends(self._checkpoint)
        for index, data in enumerate(reader.entries(self._next), start=self._next):
            self._take(index, data)
            # Kept entry by entry: a walk that is interrupted goes on where it was.
            self._next = index + 1
        self._reader, self._checkpoint = reader, checkpoint

    def _take(self, index: int, data: bytes) -> None:
        # An entry is canonical, so its type stands at its end; the many digests are not parsed.
        if not data.endswith(_KNOWN_ENDS):
            return
        with located(entry=index):
            match parse_entry(data):
                case LogConfig() as entry:
                    self._registry.set_config(index, entry)
                case ReceiptKey() as entry:
                    self._registry.add_receipt_key(entry)
                case BeaconChainEntry() as entry:
                    self._registry.add_chain(entry)
                case PoolCommit() as entry:
                    self._commits.setdefault(entry.pool, index)
                case PoolActivate() as entry:
                    self._activations.setdefault(entry.pool, index)
                case entry:
                    raise VerificationError("entry-malformed", f"did not expect an entry of type {entry.TYPE}")

    def _read_pool(self, name: str, commit_index: int, activate_index: int) -> PoolFacts:
        """Check a pool's commitment and activation (PROTOCOL.md, section 8, steps 2 and 4)."""
        reader = self._reader
        if reader is None:
            raise MissingError("the log was not read yet")
        config = self._registry.require_config()
        require(
            self._commits.get(name) == commit_index,
            "receipt-commit",
            f"entry {commit_index} is not the commitment to {name}",
        )
        require(
            self._activations.get(name) == activate_index > commit_index,
            "receipt-activation",
            f"entry {activate_index} is not the activation of {name}",
        )
        commit, data = _entry(reader, commit_index, PoolCommit)
        activation, _ = _entry(reader, activate_index, PoolActivate)
        leaf = leaf_hash(data)
        pool = parse_pool_id(name)
        require(
            pool.environment == config.environment, "pool-environment", f"{name} in the log of {config.environment}"
        )
        chain = None
        with located(entry=commit_index):
            if commit.beacon is not None:
                chain = self._registry.chains.get(commit.beacon.chain)
                if chain is None:
                    # It may stand anywhere in the log, and so beyond what is published yet.
                    raise MissingError(f"{name} names a beacon chain that no published entry announces")
                check_commit_beacon(commit, commit.beacon, chain, config.beacon_margin_s)
        with located(entry=activate_index):
            require(
                (activation.commit_index, activation.commit) == (commit_index, leaf),
                "activation-commit",
                "the activation names another commitment",
            )
            check_activation_checkpoint(activation, reader, self._vkey)
            if not check_activation_beacon(commit, activation, chain):
                self.skipped.add(BLS_SKIPPED)
        game = read_game(self._source, commit.game_digest)
        check_game(game, commit, pool.stream.game, pool.stream.version)
        require(commit.program == pool.stream.program, "pool-program", f"{name} commits to {commit.program}")
        evaluator = PoolEvaluator(commit, leaf, activation.beacon_value or b"", game)
        return PoolFacts(commit, commit_index, activation, activate_index, chain, game, evaluator)


def require_published(index: int, size: int) -> None:
    """Raise MissingError unless a log of ``size`` entries has entry ``index``."""
    if index >= size:
        raise MissingError(f"the published log has {size} entries, the receipt names entry {index}")


def _entry(reader: LogReader, index: int, kind: type[_EntryKind]) -> tuple[_EntryKind, bytes]:
    with located(entry=index):
        data = reader.entry(index)
        entry = parse_entry(data)
        if not isinstance(entry, kind):
            raise VerificationError("entry-malformed", f"is a {entry.TYPE}, expected a {kind.TYPE}")
    return entry, data


_KNOWN_ENDS: Final = tuple(
    f'"type":"{kind.TYPE}","v":1}}'.encode()
    for kind in (LogConfig, ReceiptKey, BeaconChainEntry, PoolCommit, PoolActivate)
)
