"""The life of every pool in the log: committed, activated, used in order, closed or thrown away, erased.

State is kept for pools that are still open. Of a closed pool only what its erasure is compared with stays until then,
and of a lane only the number of its last pool.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from anchor.errors import VerificationError
from anchor.merkle import root_of
from anchor.note import VerifierKey
from anchor.reader import LogReader
from anchor.source import Source
from rng_service.beacon.chain import ChainInfo
from rng_service.games import GameDefinition, GameProgram
from rng_service.log_entries import (
    DealApprove,
    PoolActivate,
    PoolClose,
    PoolCommit,
    PoolQuarantine,
    PoolTest,
    PoolVoid,
    RecordRange,
)
from rng_service.names import Lane, PoolId, parse_pool_id
from rng_service.outcome import DealDeriver, Deriver, deriver_of
from rng_service.pools.deals import deal_secrets
from rng_service.pools.slots import slot_leaves, slot_secrets
from rng_service.verify.bias import BiasLine, VoidOutcomes
from rng_service.verify.clock import LogTime
from rng_service.verify.commitment import (
    BLS_SKIPPED,
    check_activation_beacon,
    check_activation_checkpoint,
    check_activation_time,
    check_commit_beacon,
    read_leaves,
    read_leaves_again,
)
from rng_service.verify.coverage import Coverage
from rng_service.verify.deals import (
    check_approval,
    check_deal_commit,
    check_no_deal_close,
    check_withdrawal,
    read_closed_deal,
)
from rng_service.verify.erasures import Erasures
from rng_service.verify.fault import require
from rng_service.verify.outages import Outage, due_after
from rng_service.verify.pool_tests import PoolTests
from rng_service.verify.registry import Registry, read_game
from rng_service.verify.verdicts import TestState
from rng_service.verify.voids import read_voids

# Enough for a chi-square statistic; a pool of a million slots would cost seconds for a line of the report.
_SAMPLED_VOIDS = 10_000


@dataclass(slots=True)
class PoolState:
    """One open pool. ``commit_leaf`` is D; ``coverage`` exists from the first record on."""

    pool_id: PoolId
    commit_index: int
    commit_leaf: bytes
    commit: PoolCommit
    chain: ChainInfo | None
    program: GameProgram
    game: GameDefinition
    test: TestState
    # SHA-256 of the file of slot leaves, as it was when it gave the slot root.
    leaves_hash: bytes = b""
    activate_index: int | None = None
    activation: PoolActivate | None = None
    quarantined_from: int | None = None
    # When the slots behind the quarantine are void at the latest.
    opened_due_us: int = 0
    approved: bool = False
    coverage: Coverage | None = None
    completed_us: int | None = None
    # When it is void at the latest, unless it is activated before its deadline.
    void_due_us: int = 0

    @property
    def beacon(self) -> bytes:
        """B, or nothing for a pool without a beacon."""
        activation = self.activation
        return activation.beacon_value or b"" if activation is not None else b""

    @property
    def bound(self) -> int:
        """How many slots, from the first on, have a record."""
        return 0 if self.coverage is None else self.coverage.bound

    @property
    def unopened(self) -> int:
        """How many slots are neither drawn nor void."""
        coverage = self.coverage
        return self.commit.size - (0 if coverage is None else coverage.drawn + coverage.void)

    @property
    def in_use(self) -> bool:
        """Whether a slot may still be bound to somebody: none is unbound, or none before the quarantine."""
        last = self.commit.size if self.quarantined_from is None else self.quarantined_from
        return self.bound < last

    def deriver(self) -> Deriver:
        """Return what derives draw keys of this pool."""
        commit = self.commit
        return deriver_of(commit.kind, self.commit_leaf, self.beacon, commit.program, commit.size)


@dataclass(slots=True)
class _LaneState:
    last_number: int = 0
    open: dict[int, PoolState] = field(default_factory=dict)


class PoolBook:
    """Checks every pool entry against the life cycle of PROTOCOL.md, sections 5 to 7 and 11."""

    def __init__(self, registry: Registry, reader: LogReader, source: Source, vkey: VerifierKey) -> None:
        self._registry = registry
        self._reader = reader
        self._source = source
        self._vkey = vkey
        self._lanes: dict[Lane, _LaneState] = {}
        self.erasures = Erasures(registry)
        self.tests = PoolTests(registry, source)
        self._bias: dict[str, VoidOutcomes] = {}
        self._games: dict[bytes, GameDefinition] = {}
        self.skipped: set[str] = set()
        self.closed = 0
        self.voided = 0

    # Entries.

    def commit(self, index: int, leaf: bytes, entry: PoolCommit, log_time: LogTime) -> PoolState:
        """Open a pool: next in its lane, its game as registered, its leaves the tree that it commits to.

        ``log_time`` is what the digests before it had said, about time and about the chain that it names.
        """
        pool = parse_pool_id(entry.pool)
        config, stream = self._registry.require_config(), pool.stream
        require(
            pool.environment == config.environment,
            "pool-environment",
            f"{entry.pool} in the log of {config.environment}",
        )
        lanes = self._registry.lanes.current(str(stream))
        require(pool.lane < lanes, "pool-lane", f"{entry.pool}: the stream has {lanes} lanes")
        lane = self._lanes.setdefault(pool.queue, _LaneState())
        require(pool.number > lane.last_number, "pool-committed-twice", f"{entry.pool} was committed to before")
        require(
            pool.number == lane.last_number + 1,
            "pool-number-gap",
            f"{entry.pool}: the lane's next number is {lane.last_number + 1}",
        )
        definition = self._game(pool, entry)
        check_deal_commit(entry, definition.program(entry.program))
        state = PoolState(
            pool,
            index,
            leaf,
            entry,
            self._chain(entry, config.beacon_margin_s, log_time),
            definition.program(entry.program),
            definition,
            self.tests.commit(entry),
            void_due_us=entry.deadline_us + self._registry.close_delay_us,
        )
        state.leaves_hash = sha256(read_leaves(self._source, entry)).digest()
        lane.last_number = pool.number
        lane.open[pool.number] = state
        return state

    def activate(self, index: int, entry: PoolActivate) -> None:
        """Let a pool be drawn from: its commitment was published, and its round has come."""
        state = self.require_open(entry.pool)
        require(state.activation is None, "pool-activated-twice", f"{entry.pool} was activated before")
        require(
            entry.commit_index == state.commit_index,
            "activation-commit",
            f"the commitment is entry {state.commit_index}, the activation names {entry.commit_index}",
        )
        require(
            entry.commit == state.commit_leaf,
            "activation-commit",
            f"the commitment hashes to {state.commit_leaf.hex()}, the activation names {entry.commit.hex()}",
        )
        check_activation_checkpoint(entry, self._reader, self._vkey)
        check_activation_time(state.commit, entry)
        if not check_activation_beacon(state.commit, entry, state.chain):
            self.skipped.add(BLS_SKIPPED)
        state.activate_index, state.activation = index, entry

    def approve(self, entry: DealApprove) -> None:
        """Let a deal be sold: activated before, approved once, and nothing of it given away yet."""
        state = self.require_open(entry.pool)
        check_approval(entry, state.commit, state.chain)
        require(state.activation is not None, "pool-inactive", f"{entry.pool} is not activated yet")
        require(not state.approved, "approval-twice", f"{entry.pool} was approved before")
        require(state.coverage is None, "approval-late", f"{entry.pool} had records before it was approved")
        state.approved = True

    def test(self, index: int, entry: PoolTest) -> None:
        """Take the vault's verdict on a pool: behind its activation, before anything of it is given away or opened."""
        state = self.require_open(entry.pool)
        require(state.activation is not None, "pool-inactive", f"{entry.pool} is not activated yet")
        require(state.coverage is None, "test-late", f"{entry.pool} had records before it was tested")
        self.tests.take(index, entry, state.test, commit=state.commit_leaf, beacon=state.beacon)
        if state.quarantined_from is not None:
            self.tests.quarantined(entry.pool, state.test, state.quarantined_from)

    def quarantine(self, entry: PoolQuarantine) -> None:
        """Stop a pool for ever; slots that the log has as bound cannot lie behind the stop."""
        state = self.require_open(entry.pool)
        require(state.quarantined_from is None, "pool-quarantined-twice", f"{entry.pool} is quarantined already")
        require(
            state.bound <= entry.from_slot <= state.commit.size,
            "quarantine-slot",
            f"{entry.pool}: {state.bound} slots are bound, the quarantine begins at {entry.from_slot}",
        )
        check_withdrawal(entry, state.program)
        self.tests.quarantined(entry.pool, state.test, entry.from_slot)
        state.quarantined_from = entry.from_slot
        state.opened_due_us = entry.time_us + self._registry.close_delay_us

    def close(self, entry: PoolClose) -> tuple[PoolState, list[tuple[int, bytes]]]:
        """Close a pool: the census is that of its records, and what was thrown away is opened.

        Returns the pool's last state and (slot, secret) of its voids.
        """
        state = self.require_open(entry.pool)
        coverage = state.coverage or Coverage(state.commit.size)
        census = (state.commit.size, coverage.drawn, coverage.void)
        require(
            (entry.size, entry.drawn, entry.void) == census and entry.drawn + entry.void == entry.size,
            "pool-census",
            f"{entry.pool}: the records have (size, drawn, void) = {census}, "
            f"the close says {(entry.size, entry.drawn, entry.void)}",
        )
        leaves, deriver = self.leaves(state), state.deriver()
        if isinstance(deriver, DealDeriver):
            read_closed_deal(self._source, entry, state.program, coverage.drawn_slots(), leaves, deriver)
        else:
            check_no_deal_close(entry)
        voids = read_voids(self._source, entry, coverage.void_slots(), leaves)
        self._count_bias(state, deriver, voids)
        if coverage.void == state.commit.size and state.test.plan is not None:
            self._opened(state, deriver, b"".join(secret for _, secret in voids))
        self.closed += 1
        self.erasures.close(entry, state.commit.slot_root)
        self._drop(state)
        return state, voids

    def void(self, entry: PoolVoid) -> PoolState:
        """Throw a pool away of which nothing was bound; its key shows what it was."""
        state = self.require_open(entry.pool)
        require(
            state.coverage is None,
            "pool-void-used",
            f"{entry.pool} has records, so that its slots must be opened one by one",
        )
        check_withdrawal(entry, state.program)
        open_slots = deal_secrets if state.commit.kind == "deal" else slot_secrets
        secrets = open_slots(entry.key, state.commit.size)
        found = root_of(slot_leaves(entry.pool, secrets))
        require(
            found == state.commit.slot_root,
            "pool-void-key",
            f"{entry.pool}: the key gives the slot root {found.hex()}, "
            f"the commitment has {state.commit.slot_root.hex()}",
        )
        if state.commit.beacon is None or state.activation is not None:
            sampled = min(state.commit.size, _SAMPLED_VOIDS)
            self._count_bias(
                state, state.deriver(), ((slot, secrets[32 * slot : 32 * slot + 32]) for slot in range(sampled))
            )
        if state.activation is not None:
            self._opened(state, state.deriver(), secrets)
        self.voided += 1
        self._drop(state)
        return state

    # Records.

    def take(self, ranges: Iterable[RecordRange], time_us: int) -> None:
        """Bind the slots of one digest, published at ``time_us``, and hold them to order."""
        touched: dict[str, PoolState] = {}
        # Within one digest a ticket comes before what becomes of its slot.
        for item in sorted(ranges, key=lambda item: item.kind != "ticket"):
            if item.slot is None or item.slots is None:
                self._require_settled_pool(item.pool)
                continue
            state = self.require_open(item.pool)
            require(
                state.activation is not None,
                "pool-inactive",
                f"{item.pool} has records before its activation",
            )
            self._take_slots(state, item.kind, item.slot, item.slot + item.slots, time_us)
            touched[item.pool] = state
        # Prefixes first: within one digest a pool may be used up and the next one begun.
        for state in touched.values():
            self._check_prefix(state, time_us)
        for state in touched.values():
            self._check_lane_order(state)

    def check_deadlines(self, now_us: int) -> None:
        """Hold the operator to its word at the time of a digest: pools end in time, and their keys are destroyed."""
        delay_us = self._registry.close_delay_us
        for state in self.open_pools():
            pool = state.commit.pool
            if state.completed_us is not None:
                require(
                    now_us <= state.completed_us + delay_us,
                    "pool-not-closed",
                    f"{pool} was complete at {state.completed_us}, and is open at {now_us}",
                )
            elif state.activation is None and state.commit.beacon is not None:
                require(
                    now_us <= state.void_due_us,
                    "pool-not-voided",
                    f"{pool}: its deadline {state.commit.deadline_us} passed",
                )
            if state.quarantined_from is not None and state.bound < state.commit.size:
                # A quarantine before this digest was not made after it, whatever time it states.
                state.opened_due_us = min(state.opened_due_us, now_us + delay_us)
                require(
                    now_us <= state.opened_due_us,
                    "quarantine-unopened",
                    f"{pool} was quarantined, and at {now_us} its slots from {state.bound} on are not void",
                )
        self.tests.digest()
        self.erasures.digest(now_us)

    def excuse(self, outages: Sequence[Outage]) -> None:
        """Let the closes and voids that were due in an admitted outage count from its end."""
        delay_us = self._registry.close_delay_us
        for state in self.open_pools():
            if state.completed_us is not None:
                state.completed_us = due_after(outages, state.completed_us + delay_us, delay_us) - delay_us
            state.void_due_us = due_after(outages, state.void_due_us, delay_us)
            state.opened_due_us = due_after(outages, state.opened_due_us, delay_us)
        self.erasures.excuse(outages)

    # Questions.

    def require_open(self, name: str) -> PoolState:
        """Return an open pool; raises VerificationError ``pool-unknown`` or ``pool-closed``."""
        pool = parse_pool_id(name)
        lane = self._lanes.get(pool.queue)
        if lane is None or pool.number > lane.last_number:
            raise VerificationError("pool-unknown", f"{name} has no commitment before this entry")
        state = lane.open.get(pool.number)
        if state is None:
            raise VerificationError("pool-closed", f"{name} was closed or voided before this entry")
        return state

    def open_pools(self) -> list[PoolState]:
        """Return the pools that are still open."""
        return [state for lane in self._lanes.values() for state in lane.open.values()]

    def bias_lines(self) -> list[BiasLine]:
        """Return what the opened voids of each stream look like."""
        return [outcomes.line(stream) for stream, outcomes in sorted(self._bias.items())]

    def leaves(self, state: PoolState) -> bytes:
        """Return the pool's slot leaves, which are known to give its slot root."""
        return read_leaves_again(self._source, state.commit, state.leaves_hash)

    # Parts.

    def _game(self, pool: PoolId, entry: PoolCommit) -> GameDefinition:
        game = self._registry.games.get((pool.stream.game, pool.stream.version))
        if game is None:
            raise VerificationError("game-unregistered", f"{entry.pool}: its game version is not registered")
        require(
            game.digest == entry.game_digest,
            "game-digest",
            f"{entry.pool} commits to {entry.game_digest.hex()}, registered is {game.digest.hex()}",
        )
        require(
            entry.program == pool.stream.program and entry.program in game.programs,
            "pool-program",
            f"{entry.pool} commits to the program {entry.program}",
        )
        if game.digest not in self._games:
            self._games[game.digest] = read_game(self._source, game.digest)
        return self._games[game.digest]

    def _chain(self, entry: PoolCommit, margin_s: int, log_time: LogTime) -> ChainInfo | None:
        if entry.beacon is None:
            return None
        chain = self._registry.chains.get(entry.beacon.chain)
        if chain is None:
            raise VerificationError("beacon-chain", f"{entry.pool} names a chain that the log does not")
        check_commit_beacon(entry, entry.beacon, chain, margin_s, log_time)
        return chain

    def _take_slots(self, state: PoolState, kind: str, start: int, end: int, time_us: int) -> None:
        name, size = state.commit.pool, state.commit.size
        require(end <= size, "slot-range", f"{name} has {size} slots, the range ends at {end}")
        if state.commit.kind == "deal" and kind != "void":
            require(kind != "ticket", "deal-ticket", f"slot {start} of {name} is reserved: a deal is sold in order")
            require(state.approved, "deal-unapproved", f"slot {start} of {name} is sold before its approval")
        self._check_lane(state, kind, start, end, time_us)
        if state.quarantined_from is not None and kind != "void":
            require(
                end <= state.quarantined_from,
                "pool-quarantined",
                f"{name} is quarantined from slot {state.quarantined_from} on, a {kind} takes slot {end - 1}",
            )
        if kind != "void":
            self.tests.require_passed(name, state.test, start)
        if state.coverage is None:
            state.coverage = Coverage(size)
        if kind == "void" and state.quarantined_from is None:
            # What was not promised to anybody is only ever thrown away for all to see.
            free = state.coverage.first_without_ticket(start, end)
            require(
                free is None, "void-unquarantined", f"slot {free} of {name} is void without a quarantine or a ticket"
            )
        state.coverage.take(kind, start, end)

    def _check_lane(self, state: PoolState, kind: str, start: int, end: int, time_us: int) -> None:
        """Check that a lane is one that records may still follow to; a ticket's draw goes where the ticket did."""
        lane, stream = state.pool_id.lane, str(state.pool_id.stream)
        if lane == 0 or kind == "void":
            return
        most = max(self._registry.lanes.accepted(stream, time_us))
        coverage = state.coverage if kind == "draw" else None
        require(
            lane < most or (coverage is not None and coverage.first_without_ticket(start, end) is None),
            "lane-choice",
            f"{state.commit.pool} is used, and {stream} has {most} lanes",
        )

    def _check_prefix(self, state: PoolState, time_us: int) -> None:
        if state.coverage is not None:
            state.coverage.check_prefix(state.commit.pool)
            if state.coverage.complete and state.completed_us is None:
                state.completed_us = time_us

    def _check_lane_order(self, state: PoolState) -> None:
        for number, other in self._lanes[state.pool_id.queue].open.items():
            require(
                number >= state.pool_id.number or not other.in_use,
                "lane-order",
                f"{state.commit.pool} is used while slot {other.bound} of {other.commit.pool} is free",
            )

    def _require_settled_pool(self, name: str) -> None:
        pool = parse_pool_id(name)
        lane = self._lanes.get(pool.queue)
        state = None if lane is None else lane.open.get(pool.number)
        known = lane is not None and pool.number <= lane.last_number
        require(
            known and (state is None or state.coverage is not None),
            "settle-unknown-pool",
            f"{name} has no draws that could be settled",
        )

    def _count_bias(self, state: PoolState, deriver: Deriver, voids: Iterable[tuple[int, bytes]]) -> None:
        stream = str(state.pool_id.stream)
        program = state.program.outcome
        counts = self._bias.get(stream)
        for slot, secret in voids:
            if counts is None:
                counts = self._bias[stream] = VoidOutcomes(program.steps)
            counts.add(program.derive(deriver.outcome_stream(secret, slot, b"")))

    def _opened(self, state: PoolState, deriver: Deriver, secrets: bytes) -> None:
        """Hold what the vault said of a pool against the pool, of which every slot is open to all."""
        self.tests.opened(state.commit.pool, state.test, state.program.outcome, deriver, secrets)

    def _drop(self, state: PoolState) -> None:
        del self._lanes[state.pool_id.queue].open[state.pool_id.number]
