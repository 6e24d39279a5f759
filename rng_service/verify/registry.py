"""What the log announces once and holds to: its promises, keys, beacon chains, games and lanes."""

from dataclasses import dataclass
from hashlib import sha256

from anchor.errors import MalformedError, VerificationError
from anchor.note import VerifierKey
from anchor.source import Source
from rng_service.beacon.chain import ChainInfo
from rng_service.games import GameDefinition, parse_game
from rng_service.games.definition import MAX_BYTES as MAX_GAME_BYTES
from rng_service.log_entries import BeaconChainEntry, GameRegistration, LogConfig, ReceiptKey, StreamLanes
from rng_service.public_files import game_path
from rng_service.verify.fault import located, require

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class RegisteredGame:
    """A game version as it was registered for ever."""

    digest: bytes
    programs: tuple[str, ...]


class Registry:
    """Everything that later entries refer to; it grows with games and keys, not with draws."""

    def __init__(self, vkey: VerifierKey, origin: str) -> None:
        self._vkey = vkey
        self._origin = origin
        self.config: LogConfig | None = None
        self.receipt_keys: dict[bytes, bytes] = {}
        self.chains: dict[bytes, ChainInfo] = {}
        self.games: dict[tuple[str, int], RegisteredGame] = {}
        self.lanes: dict[str, int] = {}
        # Every number of lanes under which pools of a stream were ever committed to.
        self.lane_counts: dict[str, set[int]] = {}

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

    def add_receipt_key(self, entry: ReceiptKey) -> None:
        """Announce a receipt key; the same id never stands for another key."""
        known = self.receipt_keys.setdefault(entry.key_id, entry.public_key)
        require(known == entry.public_key, "receipt-key-changed", f"key {entry.key_id.hex()} was another key")

    def add_chain(self, entry: BeaconChainEntry) -> None:
        """Announce a beacon chain: the facts hash to its name, and a chain of our own says so."""
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
        self.games[key] = RegisteredGame(entry.digest, entry.programs)

    def set_lanes(self, entry: StreamLanes) -> None:
        """Change how many lanes a stream has from here on."""
        self.lanes[entry.stream] = entry.lanes


def read_game(source: Source, digest: bytes) -> GameDefinition:
    """Read the game definition with this digest; raises Fault ``game-file``, ``file-missing``, ``malformed``."""
    path = game_path(digest)
    with located(path=path):
        data = source.read(path, limit=MAX_GAME_BYTES)
        found = sha256(data).digest()
        require(found == digest, "game-file", f"hashes to {found.hex()}, the log names {digest.hex()}")
        return parse_game(data)
