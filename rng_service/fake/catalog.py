"""The fake's games and pools: made on demand from a seed, sealed by nobody, in no log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from anchor.merkle import inclusion_path, levels_of
from anchor.range_path import range_path
from rng_service.errors import InvalidArgument, NotFound
from rng_service.fake.outcomes import ForcedDeriver, forcible
from rng_service.front.books import books_of
from rng_service.front.catalog import Pool, Stream
from rng_service.game_file_store import GameFileStore
from rng_service.games import GameDefinition
from rng_service.pools.slots import slot_leaves, slot_secrets
from rng_service.records.protection import NO_BEACON, OPERATOR_FORESEEABLE, STEERABLE, Protection

POOL_SIZE = 1_024
_LABELS = Protection(content=NO_BEACON, assignment=STEERABLE, foreseen=OPERATOR_FORESEEABLE, development_beacon=False)


@dataclass(slots=True)
class FakePool(Pool):
    """A pool that claims nothing: its receipts carry the weakest of all labels, whatever was drawn how."""

    secrets: bytes = field(default=b"", repr=False)
    tree: Sequence[Sequence[bytes]] = field(default=(), repr=False)
    forced: ForcedDeriver = field(default_factory=lambda: ForcedDeriver(bytes(32), ""), repr=False)

    def slot_path(self, slot: int, count: int) -> list[bytes]:
        """Return the inclusion path of one slot, or the range path of several (PROTOCOL.md, section 8)."""
        return range_path(self.tree, slot, count) if count > 1 else inclusion_path(self.tree, slot)

    def protection(self, *, ticketed: bool, seeded: bool) -> Protection:  # noqa: ARG002 - the fake protects from nothing
        """Return the labels of every receipt of the fake."""
        return _LABELS


class FakeCatalog:
    """What the handlers ask of the front's catalog, over games in memory. Not for several threads at once."""

    def __init__(
        self,
        environment: str,
        games: Sequence[GameDefinition],
        seed: bytes,
        pool_size: int,
        files: GameFileStore | None = None,
    ) -> None:
        self._environment = environment
        self._seed = seed
        self._pool_size = pool_size
        self._files = files
        self._games = {(game.game, game.version): game for game in games}
        self._streams: dict[tuple[str, int, str, str], Stream] = {}
        self._pools: list[FakePool] = []

    def game(self, name: str) -> GameDefinition:
        """Return the newest version of a game; raises NotFound."""
        versions = [version for game, version in self._games if game == name]
        if not versions:
            raise NotFound(f"game {name!r} is not registered")
        return self._games[name, max(versions)]

    def stream(self, game: str, version: int, program: str, play_class: str) -> Stream:
        """Return a stream, the newest version's for version 0; raises NotFound."""
        definition = self._games.get((game, version)) if version else self.game(game)
        if definition is None or program not in definition.programs:
            raise NotFound(f"game {game!r} has no version {version or '(any)'} with program {program!r}")
        if play_class not in definition.programs[program].play_classes:
            raise InvalidArgument(("play_class", f"the program is not played for {play_class}"))
        key = game, definition.version, program, play_class
        if key not in self._streams:
            prefix = f"{self._environment}/{'/'.join(map(str, key))}/"
            self._streams[key] = Stream(len(self._streams), definition, program, play_class, 1, prefix)
        return self._streams[key]

    def stream_of(self, pool_id: str) -> Stream:
        """Return the stream that a pool belongs to."""
        _, game, version, program, play_class, _, _ = pool_id.split("/")
        return self.stream(game, int(version), program, play_class)

    def pool(self, key: int) -> FakePool:
        """Return a pool by its number."""
        return self._pools[key]

    def take(self, stream: Stream, count: int) -> list[tuple[FakePool, int, int]]:
        """Take the next slots of a stream as (pool, first, count), making a pool whenever one is used up."""
        runs = []
        while count:
            pool = self._open_pool(stream)
            taken = min(count, pool.size - pool.next_slot)
            runs.append((pool, pool.next_slot, taken))
            pool.next_slot += taken
            count -= taken
        return runs

    def _open_pool(self, stream: Stream) -> FakePool:
        pools = [pool for pool in self._pools if stream.owns(pool.pool_id)]
        if not pools or pools[-1].next_slot == pools[-1].size:
            self._pools.append(self._new_pool(stream, len(pools) + 1))
        return next(pool for pool in reversed(self._pools) if stream.owns(pool.pool_id))

    def _new_pool(self, stream: Stream, number: int) -> FakePool:
        pool_id = f"{stream.prefix}0/{number}"
        name = pool_id.encode("ascii")
        secrets = slot_secrets(sha256(b"fake pool key " + self._seed + name).digest(), self._pool_size)
        deriver = ForcedDeriver(sha256(b"fake commitment " + name).digest(), stream.program_id)
        return FakePool(
            id=len(self._pools),
            pool_id=pool_id,
            lane=0,
            number=number,
            size=self._pool_size,
            next_slot=0,
            commit_index=2 * len(self._pools),
            activate_index=2 * len(self._pools) + 1,
            beacon=False,
            development=False,
            deriver=deriver,
            program=forcible(stream.definition.program(stream.program_id).outcome),
            levels=(),
            tree=levels_of(slot_leaves(pool_id, secrets)),
            secrets=secrets,
            forced=deriver,
            books=None if self._files is None else books_of(stream.definition.program(stream.program_id), self._files),
        )
