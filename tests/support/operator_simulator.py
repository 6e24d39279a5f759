"""An operator in one process: real formats, log, pools, games and beacon signatures, and room for one cheat.

It keeps every rule of PROTOCOL.md by itself. A dishonest operator is a subclass that overrides one of the
methods under "Where a cheat may reach in". Time stands still between calls of `tick`.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from simulated_statistics import Statistics
from simulated_tables import Ledger, SimulatedTotals, committed, publish_table

from anchor import canonical
from anchor.checkpoint import Checkpoint
from anchor.merkle import inclusion_path, leaf_hash, levels_of
from anchor.note import VerifierKey, sign_note
from anchor.range_path import range_path
from anchor.source import DirectorySource
from anchor.writer import LogWriter
from rng_service.beacon.chain import beacon_value
from rng_service.beacon.development_key import DevelopmentKey
from rng_service.encoding import (
    OPENING_LABEL,
    PAYLOAD_LABEL,
    erase_statement,
    lp,
    pool_test_statement,
    receipt_key_statement,
)
from rng_service.games import GameDefinition, load_game, payout
from rng_service.games.reference import reference_of
from rng_service.games.tested import without_tables
from rng_service.log_entries import (
    NO_DIGEST,
    BeaconChainEntry,
    BeaconRound,
    DealApprove,
    Entry,
    GamePar,
    GameRegistration,
    LogConfig,
    PoolActivate,
    PoolClose,
    PoolCommit,
    PoolErase,
    PoolQuarantine,
    PoolTest,
    PoolVoid,
    ReceiptKey,
    StreamLanes,
)
from rng_service.names import PoolId, Stream, lane_of, parse_pool_id, request_hash
from rng_service.outcome import deriver_of
from rng_service.par.making import make_par
from rng_service.pools.deals import deal_secrets
from rng_service.pools.plans import TestPlan
from rng_service.pools.slots import slot_leaves, slot_secrets
from rng_service.pools.testing import judge_pool
from rng_service.public_files import deal_path, game_path, leaves_path, par_paths, plan_path, voids_path
from rng_service.records.digest import DigestItem, build_digests
from rng_service.records.export import ExportHeader, ExportLine, draw_line, write_export
from rng_service.records.protection import protection_of
from rng_service.records.receipt import Opening, Receipt
from rng_service.records.record import (
    binding_hash,
    draw_record,
    record_digest,
    settle_record,
    ticket_record,
    void_record,
)
from rng_service.records.totals import TotalsFold

GAMES = Path(__file__).parents[2] / "games"
ORIGIN = "example.org/dev"
START_S = 1_700_000_000
SECOND = 1_000_000


@dataclass
class SimulatedPool:
    """A pool with its key in the open."""

    pool_id: str
    key: bytes
    size: int
    secrets: bytes
    levels: list[list[bytes]]
    game: Any
    program: str
    beacon_round: int | None
    commit_index: int = -1
    commit_leaf: bytes = b""
    activate_index: int = -1
    beacon: bytes = b""
    next_slot: int = 0
    drawn: int = 0
    voids: list[int] = field(default_factory=list)
    # What each slot was opened for, as the vault's journal has it: the kind's byte and the binding hash.
    opened: dict[int, bytes] = field(default_factory=dict)

    @property
    def deal(self) -> bool:
        """Whether its slots are the tickets of a finite deal."""
        return bool(self.game.program(self.program).deal_size)

    @property
    def kind(self) -> str:
        """The kind of pool that its commitment states."""
        return "deal" if self.deal else "independent"


@dataclass
class SimulatedRecord:
    """A record and what the operator knows about it."""

    kind: str
    pool: SimulatedPool
    slot: int
    slots: int
    binding: dict[str, Any]
    binding_bytes: bytes
    record: bytes
    outcome: tuple[int, ...] = ()
    payouts: tuple[int, ...] | None = None
    ticket: "SimulatedRecord | None" = None
    digest_seq: int | None = None


class InProcessSigner:
    """The checkpoint key without a guard: a dishonest operator may sign anything."""

    def __init__(self, origin: str, key: Ed25519PrivateKey) -> None:
        self.origin = origin
        self.key = key
        self._mark: Checkpoint | None = None

    def mark(self):
        return self._mark

    def sign(self, size, root, consistency_proof, old_size):
        self._mark = Checkpoint(self.origin, size, root)
        return sign_note(self._mark.text(), self.origin, self.key)


class Operator:
    """Runs one log in ``directory``; ``beacon`` says whether pools commit to rounds of a development beacon.

    ``plan`` is what the pools of all programs that are no deals are tested by.
    """

    def __init__(
        self,
        directory: Path,
        *,
        beacon: bool = True,
        origin: str = ORIGIN,
        lanes: int = 1,
        policy: str = "open",
        plan: TestPlan | None = None,
    ) -> None:
        self.policy = policy
        self.plan = plan
        self.tables = Ledger()
        self.directory = directory
        self.origin = origin
        self.environment = origin.rpartition("/")[2]
        self.now_us = START_S * SECOND
        self.lanes = lanes
        self._counter = 0
        self._derivers: dict[str, Any] = {}
        self.log_key = Ed25519PrivateKey.from_private_bytes(self.random(32))
        self.receipt_key = Ed25519PrivateKey.from_private_bytes(self.random(32))
        self.signer = InProcessSigner(origin, self.log_key)
        self.writer = LogWriter(directory, self.signer)
        self.writer.open()
        self.beacon = DevelopmentKey(int.from_bytes(self.random(31), "big") + 1) if beacon else None
        self.entries: list[bytes] = []
        self.published = 0
        self.numbers: dict[tuple[Stream, int], int] = {}
        self.sessions: dict[tuple[str, str], int] = {}
        self.games: dict[tuple[str, int], Any] = {}
        self.pools: list[SimulatedPool] = []
        self.pending: list[SimulatedRecord] = []
        self.records: list[SimulatedRecord] = []
        self.digest_prev = NO_DIGEST
        self.digest_items: list[tuple[int, tuple[DigestItem, ...]]] = []
        self.totals_from = 0
        self.totals_seq = 0
        self.settled: set[tuple[bytes, int]] = set()
        self.receipt_epoch = 0
        # A chain of another name than the development beacon's own, with the same key.
        self.chain = None if self.beacon is None else self.beacon.chain

    # Where a cheat may reach in.

    def on_entry(self, entry: Entry) -> Entry:
        """See each entry before it becomes bytes."""
        return entry

    def on_bytes(self, entry: Entry, data: bytes) -> bytes:
        """See the bytes of each entry before they go into the log."""
        return data

    def on_file(self, path: str, data: bytes) -> bytes:
        """See each file beside the log before it is written."""
        return data

    def on_binding(self, kind: str, members: dict[str, Any]) -> dict[str, Any]:
        """See the members of each binding before they are encoded."""
        return members

    def on_sealed(self, pool_id: str, secrets: bytes) -> bytes:
        """See the secrets of a pool before their tree is made."""
        return secrets

    def on_opened_deal(self, secrets: bytes) -> bytes:
        """See the secrets of a closed deal before they are published."""
        return secrets

    def on_secrets(self, pool: SimulatedPool, slot: int, secrets: bytes) -> bytes:
        """See the secrets of a draw before its outcome follows from them."""
        return secrets

    def on_record(self, kind: str, record: bytes) -> bytes:
        """See the bytes of each record before anything is computed over them."""
        return record

    def on_outcome(self, outcomes: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """See the outcomes of a draw before anybody is told."""
        return outcomes

    def on_digest_items(self, items: list[DigestItem]) -> list[DigestItem]:
        """See the records that a digest is made of."""
        return items

    def on_receipt(self, receipt: Receipt) -> Receipt:
        """See each receipt before it is handed out."""
        return receipt

    def on_export(self, lines: list[ExportLine]) -> list[ExportLine]:
        """See the lines of an export before it is written."""
        return lines

    def on_totals(self, fold: TotalsFold) -> None:
        """See a totals entry's fold before it becomes rows."""

    def on_table_header(self, header: Any) -> Any:
        """See what a table of returns is over."""
        return header

    def on_table_rows(self, rows: Any) -> Any:
        """See the sums of a table by series and day."""
        return rows

    def on_table_pools(self, pools: Any) -> Any:
        """See what the closed pools of a table returned."""
        return pools

    def on_table(self, document: dict[str, Any]) -> dict[str, Any]:
        """See the document of a table before it is encoded."""
        return document

    def on_table_files(self, contents: list[bytes]) -> list[bytes]:
        """See the document, the CSV and the page of a table before they are hashed."""
        return contents

    def on_opened_total(self, row: Any) -> Any:
        """See the row of totals that a commitment is made to."""
        return row

    def on_opened_row(self, row: dict[str, Any]) -> dict[str, Any]:
        """See the row of a table that a commitment is made to."""
        return row

    def on_openings(self, openings: list[Any]) -> list[Any]:
        """See what an auditor is given of committed totals and tables."""
        return openings

    def on_erase(self, word: dict[str, Any]) -> dict[str, Any]:
        """See what the vault says of a pool before it signs."""
        return word

    def on_verdict(self, word: dict[str, Any]) -> dict[str, Any]:
        """See what the vault says of a pool's test before it signs."""
        return word

    def before_draws(self) -> None:
        """Come in between the activation of the pools and the first draw."""

    def approve_deals(self) -> None:
        """Approve the deals of the story of deals, which are activated by now."""
        for name in ("sold", "short"):
            self.approve(self.at[name])

    def before_sale(self) -> None:
        """Come in behind the first tickets of the story of deals."""

    def before_end(self) -> None:
        """Come in before the last slots of a story are thrown away."""

    def after(self) -> None:
        """Come in when the whole story is published."""

    # The log.

    @property
    def vkey(self) -> str:
        """The verifier key that auditors have."""
        return VerifierKey.of(self.origin, self.log_key).vkey()

    @property
    def source(self) -> DirectorySource:
        """The public directory."""
        return DirectorySource(self.directory)

    def random(self, size: int) -> bytes:
        """Return bytes that repeat from run to run."""
        self._counter += 1
        return sha256(b"operator %d" % self._counter).digest()[:size]

    def tick(self, seconds: float) -> None:
        """Let time pass."""
        self.now_us += int(seconds * SECOND)

    def append(self, entry: Entry) -> int:
        """Put an entry into the log, unpublished; return its index."""
        entry = self.on_entry(entry)
        data = self.on_bytes(entry, entry.to_bytes())
        self.entries.append(data)
        return len(self.entries) - 1

    def publish(self) -> None:
        """Publish what was appended."""
        self.writer.append_and_publish(self.entries[self.published :])
        self.published = len(self.entries)

    def put(self, path: str, data: bytes) -> None:
        """Write a file beside the log."""
        data = self.on_file(path, data)
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def head(self) -> dict[str, Any]:
        """Return what every entry begins with."""
        return {"origin": self.origin, "time_us": self.now_us}

    def start(self) -> None:
        """Write the log's configuration, the receipt key and the beacon chain."""
        self.append(
            LogConfig(
                **self.head(),
                environment=self.environment,
                log_key=self.vkey,
                merge_delay_s=10,
                heartbeat_s=60,
                close_delay_s=60,
                beacon_margin_s=10,
                totals_policy=self.policy,
            )
        )
        self.announce_key(self.receipt_key)
        self.announce_chain()

    def announce_key(self, key: Ed25519PrivateKey) -> None:
        """Announce a receipt key of the vault's, with the log key's word for it."""
        self.receipt_epoch += 1
        public = key.public_key().public_bytes_raw()
        self.append(
            ReceiptKey(
                **self.head(),
                key_id=sha256(public).digest()[:8],
                public_key=public,
                epoch=self.receipt_epoch,
                signature=self.log_key.sign(receipt_key_statement(self.origin, public, self.receipt_epoch)),
            )
        )

    def announce_chain(self) -> None:
        """Announce the beacon chain, when there is one."""
        chain = self.chain
        if chain is None:
            return
        self.append(
            BeaconChainEntry(
                **self.head(),
                chain=chain.chain_hash,
                name=chain.name,
                scheme=chain.scheme,
                public_key=chain.public_key,
                period_s=chain.period_s,
                genesis_time=chain.genesis_time,
                group_hash=chain.group_hash,
                beacon_id=chain.beacon_id,
                development=chain.development,
            )
        )

    def register(self, name: str) -> None:
        """Register one of the repository's games."""
        self.register_game(load_game(GAMES / f"{name}.json"))

    def register_game(self, game: GameDefinition) -> None:
        """Register a game."""
        self.put(game_path(game.digest), game.canonical)
        self.append(
            GameRegistration(
                **self.head(),
                game=game.game,
                version=game.version,
                digest=game.digest,
                programs=tuple(sorted(game.programs)),
            )
        )
        self.games[game.game, game.version] = game
        documents = dict(zip(par_paths(game.digest), make_par(game.canonical), strict=True))
        for path, content in documents.items():
            self.put(path, content)
        sheet, page = (sha256(content).digest() for content in documents.values())
        self.append(
            GamePar(**self.head(), game=game.game, version=game.version, digest=game.digest, sheet=sheet, page=page)
        )
        if self.lanes > 1:
            for program in sorted(game.programs):
                stream = f"{game.game}/{game.version}/{program}/real"
                self.append(StreamLanes(**self.head(), stream=stream, lanes=self.lanes))

    # Pools.

    def commit(self, stream: str, size: int, *, lane: int = 0) -> SimulatedPool:
        """Seal the next pool of a lane and commit to it."""
        pool = self.seal(stream, size, lane=lane)
        self.append_commit(pool)
        return pool

    def seal(self, stream: str, size: int, *, lane: int = 0) -> SimulatedPool:
        """Make the next pool of a lane."""
        game_name, version, program, play_class = stream.split("/")
        key = Stream(game_name, int(version), program, play_class)
        number = self.numbers[key, lane] = self.numbers.get((key, lane), 0) + 1
        pool_id = str(PoolId(self.environment, key, lane, number))
        pool_key = self.random(32)
        game = self.games[key.game, key.version]
        secrets = (deal_secrets if game.program(program).deal_size else slot_secrets)(pool_key, size)
        secrets = self.on_sealed(pool_id, secrets)
        levels = levels_of(slot_leaves(pool_id, secrets))
        pool = SimulatedPool(
            pool_id,
            pool_key,
            size,
            secrets,
            levels,
            game,
            program,
            None if self.beacon is None else self.now_us // SECOND + 20,
        )
        self.pools.append(pool)
        return pool

    def append_commit(self, pool: SimulatedPool) -> None:
        """Publish a pool's leaves and its commitment."""
        self.put(leaves_path(pool.pool_id), b"".join(pool.levels[0]))
        beacon = None
        if self.chain is not None and pool.beacon_round is not None:
            beacon = BeaconRound(self.chain.chain_hash, pool.beacon_round)
        plan = None if pool.deal else self.plan
        if plan is not None:
            self.put(plan_path(plan.digest), plan.to_bytes())
        pool.commit_index = self.append(
            PoolCommit(
                **self.head(),
                pool=pool.pool_id,
                kind=pool.kind,
                size=pool.size,
                slot_root=pool.levels[-1][0],
                game_digest=pool.game.digest,
                program=pool.program,
                drbg_instance="vault-1",
                drbg_epoch=1,
                key_epoch=1,
                deadline_us=self.now_us + 25 * 3600 * SECOND,
                beacon=beacon,
                test_plan=None if plan is None else plan.digest,
            )
        )
        pool.commit_leaf = leaf_hash(self.entries[pool.commit_index])

    def activate(self, pool: SimulatedPool) -> None:
        """Activate a pool whose round has come; the commitment must be published."""
        beacon: dict[str, bytes] = {}
        if self.beacon is not None and pool.beacon_round is not None:
            signature = self.beacon.sign(pool.beacon_round)
            beacon = {"beacon_signature": signature, "beacon_value": beacon_value(signature)}
        entry = PoolActivate(
            **self.head(),
            pool=pool.pool_id,
            commit_index=pool.commit_index,
            commit=pool.commit_leaf,
            checkpoint=(self.directory / "checkpoint").read_bytes(),
            **beacon,
        )
        pool.activate_index = self.append(entry)
        pool.beacon = beacon.get("beacon_value", b"")

    def test(self, pool: SimulatedPool) -> bool:
        """Test an activated pool by the plan that its commitment names, and quarantine it when it fails."""
        word: dict[str, Any] = {"plan": self.plan.digest} | self.verdict(pool)
        word = self.on_verdict(word)
        message = pool_test_statement(
            self.origin,
            pool.pool_id,
            commit=pool.commit_leaf,
            beacon=pool.beacon,
            plan=word["plan"],
            verdict=word["verdict"],
            test=word["test"] or "",
        )
        key_id = sha256(self.receipt_key.public_key().public_bytes_raw()).digest()[:8]
        signature = self.receipt_key.sign(message)
        self.append(PoolTest(**self.head(), pool=pool.pool_id, key_id=key_id, signature=signature, **word))
        passed: bool = word["verdict"] == "pass"
        if not passed:
            self.stop(pool, "test-failed")
        return passed

    def verdict(self, pool: SimulatedPool) -> dict[str, Any]:
        """Return the verdict that a pool deserves, and the test that it failed."""
        program = without_tables(pool.game.program(pool.program).outcome)
        verdict = judge_pool(self.plan, program, self.deriver(pool), pool.secrets)
        return {"verdict": "pass" if verdict.passed else "fail", "test": verdict.test or None}

    def approve(self, pool: SimulatedPool, approver: str = "compliance") -> None:
        """Let the sale of an activated deal begin."""
        self.append(DealApprove(**self.head(), pool=pool.pool_id, game_digest=pool.game.digest, approver=approver))

    def stop(self, pool: SimulatedPool, reason: str = "operator") -> None:
        """Quarantine a pool from its first free slot on; that slot and the others are still to be thrown away."""
        self.append(PoolQuarantine(**self.head(), pool=pool.pool_id, reason=reason, from_slot=pool.next_slot))

    def quarantine(self, pool: SimulatedPool, reason: str = "operator") -> None:
        """Stop a pool and throw its remaining slots away."""
        self.stop(pool, reason)
        self.throw_away(pool)

    def throw_away(self, pool: SimulatedPool) -> None:
        """Throw the remaining slots of a stopped pool away."""
        if pool.next_slot < pool.size:
            self.void(pool, pool.next_slot, pool.size - pool.next_slot, "quarantine")
            pool.next_slot = pool.size

    def close(self, pool: SimulatedPool) -> None:
        """Close a pool that is drawn or void, opening its voids."""
        opened = b"".join(
            slot.to_bytes(8, "big") + pool.secrets[32 * slot : 32 * slot + 32] for slot in sorted(pool.voids)
        )
        self.put(voids_path(pool.pool_id), opened)
        deal: dict[str, Any] = self.close_deal(pool) if pool.deal else {}
        index = self.append(
            PoolClose(
                **self.head(),
                pool=pool.pool_id,
                reason="exhausted",
                size=pool.size,
                drawn=pool.drawn,
                void=len(pool.voids),
                voids_digest=sha256(opened).digest(),
                **deal,
            )
        )
        self.tables.closes.append((index, pool))

    def close_deal(self, pool: SimulatedPool) -> dict[str, Any]:
        """Open a deal in full; return what its close says of that and of its money."""
        secrets = self.on_opened_deal(pool.secrets)
        self.put(deal_path(pool.pool_id), secrets)
        program = pool.game.program(pool.program)
        ticket, price = reference_of(program), program.price.minor
        sold = [slot for slot, word in pool.opened.items() if word[0] == 1]
        paid = sum(
            int(price * ticket.multiplier(values))
            for slot in sold
            for values in self.outcomes(pool, slot, pool.secrets[32 * slot : 32 * slot + 32], {})
        )
        return {
            "opened_digest": sha256(secrets).digest(),
            "stake_minor": price * len(sold),
            "payout_minor": paid,
        }

    def void_pool(self, pool: SimulatedPool) -> None:
        """Throw a whole pool away."""
        self.append(PoolVoid(**self.head(), pool=pool.pool_id, reason="retired", key=pool.key))

    def erase(self, pool: SimulatedPool) -> None:
        """Say that a pool's key is gone."""
        root = pool.levels[-1][0]
        word = self.on_erase(
            {
                "drawn": pool.drawn,
                "void": len(pool.voids),
                "bindings_digest": sha256(b"".join(pool.opened[slot] for slot in sorted(pool.opened))).digest(),
            }
        )
        key_id = sha256(self.receipt_key.public_key().public_bytes_raw()).digest()[:8]
        message = erase_statement(self.origin, pool.pool_id, root, **word)
        signature = self.receipt_key.sign(message)
        self.append(
            PoolErase(**self.head(), pool=pool.pool_id, slot_root=root, key_id=key_id, signature=signature, **word)
        )

    # Records.

    def reserve(
        self, pool: SimulatedPool, seed: bytes, *, caller: str = "casino", session: str = "", expires_s: int = 5
    ) -> SimulatedRecord:
        """Bind the next slot to a ticket."""
        slot = self._next(pool, 1)
        members = self._request(pool, slot, caller, session) | {
            "client_seed_hash": sha256(seed).hexdigest(),
            "expires": self.now_us + expires_s * SECOND,
        }
        return self._keep("ticket", pool, slot, 1, members)

    def draw(
        self,
        pool: SimulatedPool,
        *,
        count: int = 1,
        seed: bytes = b"",
        caller: str = "casino",
        session: str = "",
        stake: int | None = None,
        bet: Any = None,
        ticket: SimulatedRecord | None = None,
        step: tuple[str, int] | None = None,
        currency: str = "EUR",
    ) -> SimulatedRecord:
        """Draw ``count`` slots, or the slot of a ticket; ``step`` is (round, step)."""
        slot = self._next(pool, count) if ticket is None else ticket.slot
        members = self._request(pool, slot, caller, session if ticket is None else "")
        if ticket is not None:
            members["ticket"] = binding_hash(ticket.binding_bytes).hex()
            for name in ("session", "session_seq"):
                if name in ticket.binding:
                    members[name] = ticket.binding[name]
        if count > 1:
            members["count"] = count
        if seed:
            members["client_seed"] = seed.hex()
        if stake is not None:
            members |= {"stake_minor": stake, "currency": currency}
        if bet is not None:
            members["bet"] = bet
        if step is not None:
            members |= {"round": step[0], "step": step[1]}
        pool.drawn += count
        return self._keep("draw", pool, slot, count, members, ticket=ticket)

    def void(
        self,
        pool: SimulatedPool,
        slot: int,
        count: int = 1,
        reason: str = "retired",
        ticket: SimulatedRecord | None = None,
    ) -> SimulatedRecord:
        """Throw slots away."""
        members: dict[str, Any] = {**self._place(pool, slot), "reason": reason}
        if count > 1:
            members["count"] = count
        if ticket is not None:
            members["ticket"] = binding_hash(ticket.binding_bytes).hex()
        pool.voids.extend(range(slot, slot + count))
        return self._keep("void", pool, slot, count, members)

    def settle(
        self,
        draw: SimulatedRecord,
        *,
        bettor: bytes = b"bettor",
        stake: int = 100,
        payout_minor: int | None = None,
        status: str = "final",
        number: int = 0,
        bet: Any = None,
        reason: str = "",
    ) -> SimulatedRecord:
        """Record one bettor's settlement of one outcome of a draw; by default it pays what the bet pays."""
        slot = draw.slot + number
        if payout_minor is None:
            width = len(draw.outcome) // draw.slots
            values = draw.outcome[width * number : width * (number + 1)]
            payout_minor = 0 if bet is None else payout(draw.pool.game, draw.pool.program, bet, stake, values)
        members = self._request(draw.pool, slot, draw.binding["caller"], "")
        del members["program"]
        members |= {
            "draw": record_digest(draw.record).hex(),
            "bettor": sha256(bettor).hexdigest(),
            "stake_minor": stake,
            "payout_minor": payout_minor,
            "currency": "EUR",
            "status": status,
        }
        if bet is not None:
            members["bet"] = bet
        if reason:
            members["reason"] = reason
        return self._keep("settle", draw.pool, slot, 1, members, settles=draw)

    def digest(self) -> None:
        """Write the digest of everything that happened since the last one."""
        waiting, self.pending = self.pending, []
        by_digest = {record_digest(record.record): record for record in waiting}
        items = [
            DigestItem(record.pool.pool_id, record.slot, record.slots, record.kind, digest)
            for digest, record in by_digest.items()
        ]
        for built in build_digests(
            self.on_digest_items(items),
            origin=self.origin,
            time_us=self.now_us,
            seq=len(self.digest_items),
            prev=self.digest_prev,
        ):
            self.put(built.file_path, built.file)
            self.tables.digest_times.append(self.now_us)
            index = self.append(built.entry)
            self.digest_prev = leaf_hash(self.entries[index])
            for item in built.items:
                if item.digest in by_digest:
                    by_digest[item.digest].digest_seq = built.entry.seq
            self.digest_items.append((built.entry.seq, built.items))

    def totals(self) -> None:
        """Write the totals of all digests that none covers yet."""
        fold, last = TotalsFold(), len(self.digest_items) - 1
        for record in self.records:
            if record.digest_seq is not None and self.totals_from <= record.digest_seq <= last:
                self._count(fold, record)
        self.on_totals(fold)
        entry = fold.entry(
            origin=self.origin,
            time_us=self.now_us,
            seq=self.totals_seq,
            from_digest=self.totals_from,
            to_digest=last,
        )
        index = self.append(committed(self, entry) if self.policy == "committed" else entry)
        self.tables.totals.append(SimulatedTotals(self.totals_from, last, index))
        self.totals_from, self.totals_seq = last + 1, self.totals_seq + 1

    def table(self, from_totals: int = 0, to_totals: int | None = None, *, show_plays: bool = False) -> None:
        """Publish a table of returns over totals entries, by default over all of them."""
        publish_table(self, from_totals, to_totals, show_plays=show_plays)

    # What callers and auditors get.

    def receipt(self, record: SimulatedRecord, group: list[SimulatedRecord] | None = None) -> bytes:
        """Return the receipt of a draw or ticket, opened together with the records of ``group``."""
        group = [record] if group is None else group
        levels = levels_of([record_digest(item.record) for item in group])
        index = group.index(record)
        message = OPENING_LABEL + lp(self.origin.encode()) + levels[-1][0]
        public = self.receipt_key.public_key().public_bytes_raw()
        pool = record.pool
        if record.slots == 1:
            path = inclusion_path(pool.levels, record.slot)
        else:
            path = range_path(pool.levels, record.slot, record.slots)
        receipt = Receipt(
            origin=self.origin,
            commit_index=pool.commit_index,
            activate_index=pool.activate_index,
            record=record.record,
            outcome=record.outcome,
            slot_path=tuple(path),
            opening=Opening(
                index=index,
                size=len(group),
                key_id=sha256(public).digest()[:8],
                path=tuple(inclusion_path(levels, index)),
                signature=self.receipt_key.sign(message),
            ),
            protection=protection_of(
                beacon=pool.beacon_round is not None,
                witnessed=False,
                development=self.chain is not None and self.chain.development,
                ticketed="ticket" in record.binding,
                seeded="client_seed" in record.binding,
            ),
            payouts_minor=record.payouts,
            ticket=None if record.ticket is None else record.ticket.record,
        )
        return self.on_receipt(receipt).to_bytes()

    def export(self, path: Path, *, first: int = 0, last: int | None = None, only: Any = None) -> Path:
        """Write an export of some digests, complete unless ``only`` selects records."""
        last = len(self.digest_items) - 1 if last is None else last
        by_digest = {record_digest(record.record): record for record in self.records}
        lines = []
        for seq, items in self.digest_items[first : last + 1]:
            for item in items:
                record = by_digest.get(item.digest)
                if record is not None and (only is None or only(record)):
                    lines.append(self._line(seq, record))
        header = ExportHeader(origin=self.origin, from_digest=first, to_digest=last, complete=only is None)
        with path.open("wb") as stream:
            write_export(stream, header, self.on_export(lines))
        return path

    # Parts.

    def _line(self, seq: int, record: SimulatedRecord) -> ExportLine:
        if record.kind == "draw":
            return draw_line(seq, record.record, record.outcome, record.payouts)
        return ExportLine(seq, record.record)

    def _next(self, pool: SimulatedPool, count: int) -> int:
        slot = pool.next_slot
        pool.next_slot += count
        return slot

    def _place(self, pool: SimulatedPool, slot: int) -> dict[str, Any]:
        return {
            "v": 1,
            "pool": pool.pool_id,
            "slot": slot,
            "bind_time": self.now_us,
            "nonce": self.random(16).hex(),
        }

    def _request(self, pool: SimulatedPool, slot: int, caller: str, session: str) -> dict[str, Any]:
        members = self._place(pool, slot) | {
            "caller": caller,
            "request": request_hash(caller, self.random(16)).hex(),
            "payload": sha256(PAYLOAD_LABEL + b"{}").hexdigest(),
            "program": pool.program,
        }
        if session:
            number = self.sessions[caller, session] = self.sessions.get((caller, session), 0) + 1
            members |= {"session": session, "session_seq": number}
        return members

    def _keep(
        self,
        kind: str,
        pool: SimulatedPool,
        slot: int,
        slots: int,
        members: dict[str, Any],
        *,
        ticket: SimulatedRecord | None = None,
        settles: SimulatedRecord | None = None,
    ) -> SimulatedRecord:
        members = self.on_binding(kind, members)
        binding = canonical.encode(members)
        secrets = pool.secrets[32 * slot : 32 * (slot + slots)]
        outcome: tuple[int, ...] = ()
        payouts = None
        if kind == "draw":
            secrets = self.on_secrets(pool, slot, secrets)
            outcomes = self.on_outcome(self.outcomes(pool, slot, secrets, members))
            outcome = tuple(value for values in outcomes for value in values)
            if "bet" in members and "stake_minor" in members:
                payouts = tuple(
                    payout(pool.game, pool.program, members["bet"], members["stake_minor"], values)
                    for values in outcomes
                )
        builders = {
            "draw": lambda: draw_record(binding, secrets),
            "void": lambda: void_record(binding, secrets),
            "ticket": lambda: ticket_record(binding),
            "settle": lambda: settle_record(binding),
        }
        data = self.on_record(kind, builders[kind]())
        record = SimulatedRecord(kind, pool, slot, slots, members, binding, data, outcome, payouts, ticket)
        if kind in {"draw", "void"}:
            word = (b"\1" if kind == "draw" else b"\3") + binding_hash(binding)
            pool.opened |= dict.fromkeys(range(slot, slot + slots), word)
        if settles is not None:
            record.ticket = settles
        self.pending.append(record)
        self.records.append(record)
        return record

    def outcomes(
        self, pool: SimulatedPool, slot: int, secrets: bytes, members: dict[str, Any]
    ) -> list[tuple[int, ...]]:
        """Return what the secrets of consecutive slots open to."""
        deriver = self.deriver(pool)
        derive = pool.game.program(pool.program).outcome.derive
        seed = bytes.fromhex(members.get("client_seed", ""))
        return [
            derive(deriver.outcome_stream(secrets[at : at + 32], slot + at // 32, seed))
            for at in range(0, len(secrets), 32)
        ]

    def deriver(self, pool: SimulatedPool) -> Any:
        """Return what opens a pool's slots; that of a deal is kept, for its permutation costs as much as all of it."""
        found = self._derivers.get(pool.pool_id)
        if found is None or not pool.deal:
            found = deriver_of(pool.kind, pool.commit_leaf, pool.beacon, pool.program, pool.size)
            self._derivers[pool.pool_id] = found
        return found

    def _count(self, fold: TotalsFold, record: SimulatedRecord) -> None:
        if record.pool.deal:
            return
        stream, members = parse_pool_id(record.pool.pool_id).stream, record.binding
        if record.kind == "draw" and record.payouts is not None:
            fold.plays(
                stream,
                members["currency"],
                record.slots,
                stake_minor=members["stake_minor"] * record.slots,
                payout_minor=sum(record.payouts),
            )
        elif record.kind == "draw":
            fold.outcomes(stream, members.get("currency", ""), record.slots)
        elif record.kind == "settle":
            draw = record.ticket
            place = record_digest(draw.record), record.slot
            first = draw.payouts is None and place not in self.settled
            self.settled.add(place)
            fold.settlement(
                stream,
                members["currency"],
                status=members["status"],
                stake_minor=members["stake_minor"],
                payout_minor=members["payout_minor"],
                first=first,
            )


def tell(operator: Operator) -> None:
    """Let an operator live through everything once: each kind of entry, record and end of a pool.

    Tests of pools and runs of statistics are a part of it when the operator has a plan.
    """
    dice, keno = "dice-99/1/base/real", "keno-80/1/base/free"
    under = {"bet": "under", "threshold": 5000}
    operator.start()
    operator.register("dice-99")
    operator.register("keno-80")
    lane = lane_of("casino", "evening", operator.lanes)
    first, second, spare = (operator.commit(dice, 8, lane=lane) for _ in range(3))
    fun = operator.commit(keno, 4)
    operator.publish()
    operator.tick(20)
    for pool in (first, second, fun):
        operator.activate(pool)
        if operator.plan is not None:
            operator.test(pool)
    operator.digest()
    operator.publish()
    operator.before_draws()
    operator.tick(1)
    operator.plain = operator.draw(first, seed=b"s" * 16, session="evening", stake=100, bet=under)
    seed = b"a fresh client seed"
    ticket = operator.reserve(first, seed, session="evening")
    operator.ticket = ticket
    operator.digest()
    operator.tick(1)
    operator.ticketed = operator.draw(first, seed=seed, ticket=ticket, stake=250, bet=under)
    operator.batch = operator.draw(first, count=3, stake=10, bet={"bet": "over", "threshold": 9000})
    expiring = operator.reserve(first, b"never shown seed", session="evening", expires_s=3)
    operator.digest()
    operator.tick(4)
    operator.void(first, expiring.slot, reason="ticket-expired", ticket=expiring)
    operator.open_draw = operator.draw(first, session="evening")
    operator.last = operator.draw(first, seed=b"t" * 64, session="evening", stake=1, bet=under)
    operator.digest()
    operator.tick(1)
    operator.settle(operator.open_draw, bettor=b"one", stake=500, bet=under)
    operator.settle(operator.open_draw, bettor=b"two", stake=70, bet={"bet": "over", "threshold": 2500})
    operator.settle(operator.open_draw, bettor=b"four", stake=10, status="void", reason="late-bet")
    operator.settle(operator.plain, stake=100, payout_minor=operator.plain.payouts[0], status="confirm")
    operator.fun = operator.draw(fun, count=2)
    operator.later = operator.draw(second, seed=b"u" * 32, session="evening")
    operator.draw(second, seed=b"v" * 32, session="night-owl" if operator.lanes == 1 else "evening")
    operator.digest()
    operator.totals()
    operator.publish()
    operator.tick(1)
    operator.quarantine(second)
    operator.digest()
    operator.close(first)
    operator.erase(first)
    operator.close(second)
    operator.void_pool(spare)
    operator.tick(50)
    if operator.plan is not None:
        Statistics(operator).all_kinds()
    operator.erase(second)
    operator.settle(operator.later, bettor=b"three", stake=30, bet=under)
    operator.digest()
    operator.totals()
    operator.publish()
    operator.after()
