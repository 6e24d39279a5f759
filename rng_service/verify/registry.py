"""What the log announces once and holds to: its promises, keys, beacon chains, games and lanes."""

from dataclasses import dataclass
from hashlib import sha256
from weakref import WeakKeyDictionary

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anchor.errors import MalformedError, VerificationError
from anchor.note import VerifierKey
from anchor.source import Source
from rng_service.beacon.chain import KNOWN_CHAINS, ChainInfo
from rng_service.encoding import receipt_key_statement
from rng_service.games import GameDefinition, parse_game
from rng_service.games.definition import MAX_BYTES as MAX_GAME_BYTES
from rng_service.games.files import GameFiles, source_files
from rng_service.log_entries import BeaconChainEntry, GameRegistration, LogConfig, ReceiptKey, StreamLanes
from rng_service.public_files import game_path
from rng_service.verify.clock import MICROSECONDS
from rng_service.verify.fault import located, require
from rng_service.verify.lanes import LaneCounts

# Who signs a chain does not stand in the log: only a hash that the verifier knows already says whose it is.
_KNOWN_HASHES = frozenset(chain.chain_hash for chain in KNOWN_CHAINS.values())

# A table of a million rows is read once for each source, not once for each receipt.
_FILES: WeakKeyDictionary[Source, GameFiles] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class RegisteredGame:
    """A game version as it was registered for ever."""

    digest: bytes
    programs: tuple[str, ...]
    deals: frozenset[str]


class Registry:
    """Everything that later entries refer to; it grows with games and keys, not with draws."""

    def __init__(self, vkey: VerifierKey, origin: str) -> None:
        self._vkey = vkey
        self._origin = origin
        self.config: LogConfig | None = None
        self.receipt_keys: dict[bytes, bytes] = {}
        self.chains: dict[bytes, ChainInfo] = {}
        self.games: dict[tuple[str, int], RegisteredGame] = {}
        self.lanes = LaneCounts()

    def require_config(self) -> LogConfig:
        """Return the log's configuration; raises VerificationError ``config-missing``."""
        if self.config is None:
            raise VerificationError("config-missing", "entry 0 of a log is its log.config")
        return self.config

    def set_config(self, index: int, entry: LogConfig) -> None:
        """Take the configuration, which stands at index 0 and nowhere else."""
        require(index == 0, "config-repeated", "log.config stands at index 0 and only there")
        require(
            entry.log_key == self._vkey.vkey(),
            "config-key",
            f"the log's key is {self._vkey.vkey()}, its config names {entry.log_key}",
        )
        environment = self._origin.rpartition("/")[2]
        require(
            entry.environment == environment,
            "config-environment",
            f"the origin {self._origin} is of {environment}, its config of {entry.environment}",
        )
        self.config = entry

    @property
    def merge_delay_us(self) -> int:
        """How long a record may take into a digest."""
        return self.require_config().merge_delay_s * MICROSECONDS

    @property
    def close_delay_us(self) -> int:
        """How long the end of a pool may take: its voids, its close, its erasure."""
        return self.require_config().close_delay_s * MICROSECONDS

    def add_receipt_key(self, entry: ReceiptKey) -> None:
        """Announce a receipt key: the next epoch, with the word of the log's key that the vault made it."""
        expected = len(self.receipt_keys) + 1
        require(
            entry.epoch == expected,
            "receipt-key-epoch",
            f"the key of epoch {expected} comes next, this one is of epoch {entry.epoch}",
        )
        require(
            entry.key_id not in self.receipt_keys,
            "receipt-key-twice",
            f"key {entry.key_id.hex()} was announced before",
        )
        message = receipt_key_statement(entry.origin, entry.public_key, entry.epoch)
        try:
            Ed25519PublicKey.from_public_bytes(self._vkey.public_key).verify(entry.signature, message)
        except InvalidSignature:
            raise VerificationError(
                "receipt-key-signature", f"the log's key did not sign key {entry.key_id.hex()}: it is not the vault's"
            ) from None
        self.receipt_keys[entry.key_id] = entry.public_key

    def add_chain(self, entry: BeaconChainEntry) -> None:
        """Announce a beacon chain: one that verifiers know, or the operator's own, which says so."""
        try:
            chain = ChainInfo(
                name=entry.name,
                scheme=entry.scheme,
                public_key=entry.public_key,
                period_s=entry.period_s,
                genesis_time=entry.genesis_time,
                group_hash=entry.group_hash,
                beacon_id=entry.beacon_id,
            )
        except MalformedError as error:
            raise VerificationError("beacon-chain", str(error)) from None
        require(
            chain.chain_hash == entry.chain,
            "beacon-chain",
            f"the facts hash to {chain.chain_hash.hex()}, the entry names {entry.chain.hex()}",
        )
        require(
            chain.development == entry.development,
            "beacon-development",
            f"the chain {entry.beacon_id} is{'' if chain.development else ' not'} a development beacon",
        )
        require(
            chain.development or entry.chain in _KNOWN_HASHES,
            "beacon-unknown",
            f"nobody knows the chain {entry.chain.hex()} called {entry.name}: anybody can run one",
        )
        self.chains[entry.chain] = chain

    def add_game(self, entry: GameRegistration, source: Source) -> None:
        """Register a game version: its file is the digest's, and it never changes."""
        key = entry.game, entry.version
        known = self.games.get(key)
        if known is not None:
            require(
                known.digest == entry.digest,
                "game-changed",
                f"{entry.game} version {entry.version} was registered as {known.digest.hex()}, "
                f"now as {entry.digest.hex()}; another definition needs another version",
            )
        definition = read_game(source, entry.digest)
        require(
            (definition.game, definition.version) == key,
            "game-name",
            f"the definition is {definition.game} version {definition.version}, "
            f"registered as {entry.game} version {entry.version}",
        )
        require(
            tuple(sorted(definition.programs)) == entry.programs,
            "game-programs",
            f"the definition has the programs {', '.join(sorted(definition.programs))}",
        )
        deals = frozenset(name for name, program in definition.programs.items() if program.deal_size)
        self.games[key] = RegisteredGame(entry.digest, entry.programs, deals)

    def is_deal(self, game: str, version: int, program: str) -> bool:
        """Return whether a program of a registered game version is a finite deal."""
        known = self.games.get((game, version))
        return known is not None and program in known.deals

    def set_lanes(self, entry: StreamLanes) -> None:
        """Change how many lanes a stream has from here on."""
        self.lanes.change(entry.stream, entry.lanes, entry.time_us, self.merge_delay_us)


def read_game(source: Source, digest: bytes) -> GameDefinition:
    """Read the game definition with this digest, and the files that it names.

    Raises Fault ``game-file``, ``file-missing``, ``malformed``.
    """
    path = game_path(digest)
    with located(path=path):
        data = source.read(path, limit=MAX_GAME_BYTES)
        found = sha256(data).digest()
        require(found == digest, "game-file", f"hashes to {found.hex()}, the log names {digest.hex()}")
        return parse_game(data, _files_of(source))


def _files_of(source: Source) -> GameFiles:
    """Return the files beside the definitions; what one object's definitions share is read once."""
    found = _FILES.get(source)
    if found is None:
        found = _FILES[source] = source_files(source)
    return found
