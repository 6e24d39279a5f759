"""A front on a real ledger and a real vault, with pools activated by hand: everything but the sequencer and gRPC."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from sealdraw.v1 import draw_pb2, types_pb2
from sealdraw.vault.v1 import vault_pb2
from sqlalchemy import Engine, insert, select, update

from anchor.merkle import consistency_path, inclusion_path, leaf_hash, levels_of, root_of
from rng_service.front.catalog import Catalog
from rng_service.front.draw_service import DrawService
from rng_service.front.engine import DrawEngine
from rng_service.front.opening import open_records
from rng_service.game_file_store import GameFileStore
from rng_service.games import GameDefinition, parse_game
from rng_service.ledger.documents import add_documents
from rng_service.ledger.engine import open_engine, reading, sqlite_url, writing
from rng_service.ledger.groups import insert_group
from rng_service.ledger.models import Base, GameRow, GroupRow, LogEntryRow, PoolRow, StreamRow
from rng_service.ledger.reading import read_group
from rng_service.ledger.tasks import BindRules
from rng_service.log_entries import PoolActivate, PoolCommit, PoolTest
from rng_service.pools.plans import BUILT_IN_PLAN
from rng_service.public_files import plan_path
from rng_service.request_id import new_request_id
from rng_service.sequencer.requests import retire_game
from rng_service.vault.core import Vault
from rng_service.vault.layout import initialise_vault
from rng_service.vault.process import system_clock_us

ORIGIN = "acme/test"
GAMES = Path(__file__).parents[2] / "games"
HOUR_US = 3_600_000_000


@dataclass
class LocalVault:
    """The vault's core behind the one call that the front makes; `down` makes it fail as a dead socket would."""

    core: Vault
    down: Exception | None = None
    calls: list[int] = field(default_factory=list)

    def open_group(
        self,
        openings: Sequence[vault_pb2.Opening],
        settlements: Sequence[bytes] = (),
        *,
        sign: bool = True,
        key_id: str = "",
    ) -> vault_pb2.OpenGroupResponse:
        if self.down is not None:
            raise self.down
        self.calls.append(len(openings))
        result = self.core.open_group(openings, settlements, sign=sign, key_id=key_id)
        return vault_pb2.OpenGroupResponse(
            results=[vault_pb2.OpenResult(secrets=s, refused=r) for s, r in result.openings],
            signature=result.signature,
            key_id=result.key_id,
        )


class FrontWorld:
    """A front for one game; `add_pool` seals and activates the next pool of a lane."""

    def __init__(
        self,
        directory: Path,
        *,
        url: str = "",
        game: str = "european-roulette",
        definition: GameDefinition | None = None,
        lanes: int = 1,
    ) -> None:
        self.public = directory / "public"
        self.store = GameFileStore(directory / "game-files")
        self.vkey = initialise_vault(directory / "vault", ORIGIN, clock_us=system_clock_us)
        self.core = Vault(directory / "vault", ORIGIN, clock_us=system_clock_us)
        self.vault = LocalVault(self.core)
        self.ledger: Engine = open_engine(url or sqlite_url(directory / "ledger.db"))
        Base.metadata.create_all(self.ledger)
        self.definition = definition or parse_game((GAMES / f"{game}.json").read_bytes())
        self.program = min(self.definition.programs)
        self._leaves: list[bytes] = []
        self._signed = 0
        with writing(self.ledger) as connection:
            game_id = connection.execute(
                insert(GameRow)
                .values(
                    name=self.definition.game,
                    version=self.definition.version,
                    digest=self.definition.digest,
                    definition=self.definition.canonical,
                )
                .returning(GameRow.id),
            ).scalar_one()
            self.stream_id = connection.execute(
                insert(StreamRow)
                .values(game_id=game_id, program=self.program, play_class="real", lanes=lanes, pool_size=64)
                .returning(StreamRow.id),
            ).scalar_one()
        self._game_id = game_id
        self._numbers: dict[tuple[str, int], int] = {}
        self.catalog = Catalog(self.ledger, self.public, "test", self.store)
        self.catalogs = [self.catalog]
        self.engines: list[DrawEngine] = []

    def stop_clock(self, now_us: int) -> None:
        """Let a group stand in the ledger whose time is ahead of the clock, so that it is the time from now on."""
        with writing(self.ledger) as connection:
            insert_group(connection, "00" * 8, now_us=now_us)

    def add_pool(self, size: int = 64, lane: int = 0, *, tested: bool = False) -> str:
        """Seal and activate the next pool of a lane; ``tested``: with a plan, and its pass in the log."""
        number = self._numbers[self.program, lane] = self._numbers.get((self.program, lane), 0) + 1
        game = self.definition
        pool_id = f"test/{game.game}/{game.version}/{self.program}/real/{lane}/{number}"
        sealed = self.core.seal(pool_id, size, "independent")
        path = self.public / "leaves" / f"{pool_id}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(sealed.leaves))
        commit = PoolCommit(
            origin=ORIGIN,
            time_us=0,
            pool=pool_id,
            size=size,
            slot_root=sealed.slot_root,
            game_digest=game.digest,
            program=self.program,
            drbg_instance=sealed.drbg_instance,
            drbg_epoch=sealed.drbg_epoch,
            key_epoch=sealed.kek_epoch,
            deadline_us=0,
            test_plan=BUILT_IN_PLAN.digest if tested else None,
        ).to_bytes()
        commit_index = self._append(commit)
        activation = PoolActivate(
            origin=ORIGIN,
            time_us=0,
            pool=pool_id,
            commit_index=commit_index,
            commit=leaf_hash(commit),
            checkpoint=self._sign(),
        ).to_bytes()
        activate_index = self._append(activation)
        self._sign()
        shown = self._logged(commit, commit_index), self._logged(activation, activate_index)
        test, test_index = None, None
        if tested:
            answer = self.core.test_pool(pool_id, *shown, BUILT_IN_PLAN.to_bytes(), game.canonical)
            test = PoolTest(
                origin=ORIGIN,
                time_us=0,
                pool=pool_id,
                plan=BUILT_IN_PLAN.digest,
                verdict=answer.verdict,
                key_id=bytes.fromhex(answer.key_id),
                signature=answer.signature,
            ).to_bytes()
            test_index = self._append(test)
            self._sign()
            shown = self._logged(commit, commit_index), self._logged(activation, activate_index)
            self.core.activate(pool_id, *shown, self._logged(test, test_index))
        else:
            self.core.activate(pool_id, *shown)
        with writing(self.ledger) as connection:
            connection.execute(
                insert(PoolRow).values(
                    pool_id=pool_id,
                    stream_id=self.stream_id,
                    lane=lane,
                    number=number,
                    size=size,
                    state="active",
                    next_slot=0,
                    slot_root=sealed.slot_root,
                    deadline_us=0,
                    commit_entry=commit,
                    commit_index=commit_index,
                    activate_entry=activation,
                    activate_index=activate_index,
                    test_plan=BUILT_IN_PLAN.digest if tested else None,
                    test_verdict="pass" if tested else None,
                    test_entry=test,
                    test_index=test_index,
                ),
            )
            if tested:
                add_documents(connection, {plan_path(BUILT_IN_PLAN.digest): BUILT_IN_PLAN.to_bytes()})
        self.refresh()
        return pool_id

    def use(self, program: str) -> None:
        """Go on with another program of the game, in a stream of its own."""
        self.program = program
        with writing(self.ledger) as connection:
            self.stream_id = connection.execute(
                insert(StreamRow)
                .values(game_id=self._game_id, program=program, play_class="real", lanes=1, pool_size=64)
                .returning(StreamRow.id),
            ).scalar_one()
        self.refresh()

    def register_version(self, version: int, change: Callable[[dict[str, Any]], None]) -> None:
        """Register the same game again, changed, with a stream for the same program and no pools."""
        document = json.loads(self.definition.canonical) | {"version": version}
        change(document)
        definition = parse_game(json.dumps(document).encode())
        with writing(self.ledger) as connection:
            game_id = connection.execute(
                insert(GameRow)
                .values(
                    name=definition.game,
                    version=version,
                    digest=definition.digest,
                    definition=definition.canonical,
                )
                .returning(GameRow.id),
            ).scalar_one()
            connection.execute(
                insert(StreamRow).values(
                    game_id=game_id, program=self.program, play_class="real", lanes=1, pool_size=64
                )
            )
        self.refresh()

    def add_stream(self, play_class: str) -> None:
        """Let the game be played in another class too, from no pools yet."""
        with writing(self.ledger) as connection:
            game_id = connection.execute(select(GameRow.id).where(GameRow.version == 1)).scalar_one()
            connection.execute(
                insert(StreamRow).values(
                    game_id=game_id, program=self.program, play_class=play_class, lanes=1, pool_size=64
                )
            )
        self.refresh()

    def retire(self, version: int) -> None:
        with writing(self.ledger) as connection:
            retire_game(connection, self.definition.game, version, now_us=1)
        self.refresh()

    def refresh(self) -> None:
        """Let every front learn of games and pools; no cursor moves."""
        for catalog in self.catalogs:
            catalog.refresh()

    def _sign(self) -> bytes:
        self._note = self.core.sign_checkpoint(
            len(self._leaves),
            root_of(self._leaves),
            consistency_path(self._leaves, self._signed) if self._signed else [],
            self._signed,
        )
        self._signed = len(self._leaves)
        return self._note

    def _logged(self, entry: bytes, index: int) -> vault_pb2.LoggedEntry:
        path = inclusion_path(levels_of(self._leaves), index)
        return vault_pb2.LoggedEntry(entry=entry, index=index, checkpoint=self._note, inclusion_proof=path)

    def _append(self, entry: bytes) -> int:
        self._leaves.append(leaf_hash(entry))
        with writing(self.ledger) as connection:
            connection.execute(insert(LogEntryRow).values(type="test", entry=entry, log_index=len(self._leaves) - 1))
        return len(self._leaves) - 1

    def service(self, *, window_back_us: int = HOUR_US, ticket_lifetime_us: int = HOUR_US) -> DrawService:
        """A front on the world's own catalog."""
        return self.front(self.catalog, window_back_us=window_back_us, ticket_lifetime_us=ticket_lifetime_us)

    def another_front(self, *, window_back_us: int = HOUR_US, ticket_lifetime_us: int = HOUR_US) -> DrawService:
        """A front with a catalog of its own, as a second process has one: it learns of pools by reading the ledger."""
        catalog = Catalog(self.ledger, self.public, "test", self.store)
        catalog.refresh()
        self.catalogs.append(catalog)
        return self.front(catalog, window_back_us=window_back_us, ticket_lifetime_us=ticket_lifetime_us)

    def front(
        self,
        catalog: Catalog,
        *,
        window_back_us: int = HOUR_US,
        ticket_lifetime_us: int = HOUR_US,
        ledger: Engine | None = None,
    ) -> DrawService:
        rules = BindRules(window_back_us, 300_000_000, ticket_lifetime_us)
        current = self.core.receipt_keys.current.key_id
        engine = DrawEngine(ledger or self.ledger, catalog, self.vault, rules, key_id=lambda: current)
        self.engines.append(engine)
        return DrawService(engine, catalog, ledger or self.ledger)

    @property
    def engine(self) -> DrawEngine:
        """The newest front's engine."""
        return self.engines[-1]

    def set_state(self, pool_id: str, state: str) -> None:
        with writing(self.ledger) as connection:
            connection.execute(update(PoolRow).where(PoolRow.pool_id == pool_id).values(state=state))

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What the ledger says."""
        with reading(self.ledger) as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def join_digest(self) -> None:
        """Open every group as the sequencer does when it joins a digest, and keep secrets and signature with it."""
        for (group_id,) in self.rows("SELECT id FROM commit_groups WHERE digest_seq IS NULL"):
            with reading(self.ledger) as connection:
                group = read_group(connection, group_id)
            opened = open_records(self.vault, group.key_id, group.records)
            with writing(self.ledger) as connection:
                connection.execute(
                    update(GroupRow)
                    .where(GroupRow.id == group_id)
                    .values(
                        secrets=b"".join(record.secrets for record in opened),
                        signature=opened[0].signature,
                        digest_seq=0,
                    )
                )

    # Requests of one player, as short as tests want them.

    def where(self, **fields: Any) -> dict[str, Any]:
        """The fields that say what is played, with a new request id; ``fields`` go above them."""
        return {
            "request_id": new_request_id(),
            "game": self.definition.game,
            "program": self.program,
            "play_class": types_pb2.PLAY_CLASS_REAL,
        } | fields

    def draw_request(self, **fields: Any) -> draw_pb2.DrawRequest:
        return draw_pb2.DrawRequest(**self.where(**fields))

    def batch_request(self, count: int, **fields: Any) -> draw_pb2.BatchDrawRequest:
        return draw_pb2.BatchDrawRequest(**self.where(count=count, **fields))

    def reserve_request(self, client_seed: bytes, **fields: Any) -> draw_pb2.ReserveRequest:
        return draw_pb2.ReserveRequest(**self.where(client_seed_hash=sha256(client_seed).digest(), **fields))

    def close(self) -> None:
        for engine in self.engines:
            engine.close()
        self.core.close()
        self.ledger.dispose()


def seed() -> bytes:
    return os.urandom(32)


def wager(stake: int = 100, bet: str = '{"bet":"red"}', currency: str = "EUR") -> types_pb2.Wager:
    return types_pb2.Wager(stake_minor=stake, currency=currency, bet=bet)


def said(receipt: types_pb2.Receipt) -> dict[str, Any]:
    """The binding inside a receipt's record."""
    return json.loads(receipt.record)["binding"]
