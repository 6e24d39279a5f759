from hashlib import sha256
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from vault_world import POOL, Opening, binding, draw, redeem, ticket, void

from rng_service.records.record import binding_hash
from rng_service.vault.pool_state import Decision, Kind, Life, PoolState, Refusal

SIZE = 8


def active(size: int = SIZE) -> PoolState:
    pool = PoolState(POOL, size, bytes(32))
    pool.activate()
    return pool


def plan(pool: PoolState, opening: Opening) -> Decision:
    return pool.plan(opening.slot, opening.count, opening.kind, opening.binding, opening.ticket_binding)


def bind(pool: PoolState, opening: Opening) -> Decision:
    decision = plan(pool, opening)
    if decision.fresh:
        pool.apply(opening.slot, opening.count, opening.kind, decision.binding_hash)
    return decision


def refusal(pool: PoolState, opening: Opening) -> Refusal | None:
    return plan(pool, opening).refused


def test_a_slot_opens_for_one_binding_and_again_for_the_same() -> None:
    pool = active()
    first = draw(0)
    assert bind(pool, first) == Decision(None, binding_hash(first.binding), fresh=True)
    assert bind(pool, first) == Decision(None, binding_hash(first.binding), fresh=False)
    for other in (draw(0, nonce="01" * 16), void(0), ticket(0), draw(0, count=2)):
        assert refusal(pool, other) is Refusal.BOUND_OTHERWISE
    assert (pool.drawn, pool.ticketed, pool.voided) == (1, 0, 0)
    assert pool.bound_to(0) == (Kind.DRAW, binding_hash(first.binding))
    assert pool.bound_to(1) is None


@pytest.mark.parametrize("life", [Life.SEALED, Life.VOID, Life.ERASED])
def test_only_an_active_pool_opens(life: Life) -> None:
    pool = active() if life is not Life.SEALED else PoolState(POOL, SIZE, bytes(32))
    if life is not Life.SEALED:
        pool.end(life)
    assert refusal(pool, draw(0)) is Refusal.POOL_NOT_ACTIVE


@pytest.mark.parametrize(("slot", "count"), [(8, 1), (7, 2), (0, 9), (0, 0), (-1, 1), (2**63, 1), (0, 2**32)])
def test_slots_outside_the_pool_are_refused(slot: int, count: int) -> None:
    opening = Opening(slot, 1, binding(1, 0), count=count)
    assert refusal(active(), opening) is Refusal.SLOT_OUT_OF_RANGE


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (1, {"pool": POOL + "1"}),
        (1, {"slot": 2}),
        (1, {"slot": "1"}),
        (1, {"slot": True}),
        (1, {"count": 2}),
        (1, {"count": True}),
        (1, {"caller": None}),
        (1, {"reason": "frozen"}),
        (1, {"client_seed_hash": "00" * 32}),
        (2, {"client_seed_hash": None}),
        (2, {"client_seed_hash": "0G" * 32}),
        (2, {"client_seed_hash": "00" * 31}),
        (2, {"reason": "frozen"}),
        (3, {"reason": None}),
        (3, {"reason": 1}),
        (3, {"caller": "acme"}),
        (3, {"client_seed_hash": "00" * 32}),
        (0, {}),
        (4, {"reason": "frozen"}),
    ],
)
def test_a_binding_that_states_something_else_is_refused(kind: int, fields: dict[str, Any]) -> None:
    opening = Opening(1, kind, binding(kind, 1, **fields))
    assert refusal(active(), opening) is Refusal.BINDING_MISMATCH


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"1",
        binding(1, 1) + b" ",
        b" " + binding(1, 1),
        binding(1, 1)[:-1],
        binding(1, 1)[:-1] + b',"slot":1}',
        binding(1, 1)[:-1] + b',"z":1.5}',
        binding(1, 1)[:-1] + b',"z":NaN}',
        binding(1, 1)[:-1] + b',"z":{"a":1,"a":2}}',
        binding(1, 1)[:-1] + ',"z":"é"}'.encode(),
        binding(1, 1)[:-1] + b',"z":"' + b"x" * 65_536 + b'"}',
        b'{"a":' * 30_000,
    ],
)
def test_bytes_that_can_be_read_in_two_ways_are_refused(data: bytes) -> None:
    assert refusal(active(), Opening(1, 1, data)) is Refusal.BINDING_MISMATCH


def test_a_ticket_reserves_its_slot_for_the_matching_draw() -> None:
    pool = active()
    reserved = ticket(3)
    assert bind(pool, reserved).fresh
    assert not bind(pool, reserved).fresh
    assert refusal(pool, ticket(3, nonce="01" * 16)) is Refusal.BOUND_OTHERWISE
    assert pool.ticket_of(3) == binding_hash(reserved.binding)
    assert (pool.drawn, pool.ticketed) == (0, 1)
    assert not pool.untouched
    won = redeem(reserved)
    assert bind(pool, won).fresh
    assert (pool.drawn, pool.ticketed) == (1, 0)
    # Asked again, neither needs the other's bytes, and neither changes anything.
    assert bind(pool, Opening(3, 1, won.binding)) == Decision(None, binding_hash(won.binding))
    assert bind(pool, reserved) == Decision(None, binding_hash(reserved.binding))
    assert refusal(pool, void(3)) is Refusal.BOUND_OTHERWISE


def test_nothing_but_the_ticket_opens_a_reserved_slot() -> None:
    pool = active()
    reserved, foreign = ticket(3), ticket(3, nonce="01" * 16)
    bind(pool, reserved)
    good = redeem(reserved)
    mismatches = [
        draw(3),
        Opening(3, 1, good.binding),
        Opening(3, 1, good.binding, foreign.binding),
        redeem(foreign),
        redeem(reserved, ticket="00" * 32),
        redeem(reserved, ticket=None),
        redeem(reserved, caller="other"),
        redeem(reserved, program="other"),
        redeem(reserved, session="other"),
        draw(2, count=2),
        void(3, ticket="00" * 32),
        void(2, count=2, ticket=binding_hash(reserved.binding).hex()),
    ]
    for opening in mismatches:
        assert refusal(pool, opening) is Refusal.TICKET_MISMATCH, opening
    seeds: list[Any] = [None, "", "zz", "7373", ("s" * 16).encode().hex().upper() + " ", 7]
    for seed in seeds:
        assert refusal(pool, redeem(reserved, client_seed=seed)) is Refusal.SEED_MISMATCH, seed
    assert plan(pool, good).fresh


def test_a_seed_in_other_letters_is_not_the_seed() -> None:
    pool = active()
    seed = b"\xab" * 16
    reserved = ticket(1, client_seed_hash=sha256(seed).hexdigest())
    bind(pool, reserved)
    assert refusal(pool, redeem(reserved, client_seed="AB" * 16)) is Refusal.SEED_MISMATCH
    assert plan(pool, redeem(reserved, seed)).fresh


def test_a_reserved_slot_can_be_thrown_away() -> None:
    pool = active()
    reserved = ticket(3)
    bind(pool, reserved)
    expired = void(3, reason="ticket-expired", ticket=binding_hash(reserved.binding).hex())
    assert bind(pool, expired).fresh
    assert (pool.drawn, pool.ticketed, pool.voided) == (0, 0, 1)
    assert refusal(pool, redeem(reserved)) is Refusal.BOUND_OTHERWISE
    bind(pool, ticket(2))
    for unnamed in (void(2), void(1, count=2)):
        assert refusal(pool, unnamed) is Refusal.TICKET_MISMATCH
    assert bind(pool, void(2, ticket=binding_hash(ticket(2).binding).hex())).fresh
    assert pool.voided == 2


def test_a_ticket_on_no_seed_at_all_is_never_drawn_on() -> None:
    pool = active()
    reserved = ticket(1, client_seed_hash=sha256(b"").hexdigest())
    bind(pool, reserved)
    for seed in ("", None):
        assert refusal(pool, redeem(reserved, client_seed=seed)) is Refusal.SEED_MISMATCH


def test_a_ticket_on_a_slot_that_was_never_reserved_is_refused() -> None:
    pool = active()
    assert refusal(pool, redeem(ticket(3))) is Refusal.TICKET_MISMATCH
    assert refusal(pool, void(3, ticket="00" * 32)) is Refusal.TICKET_MISMATCH


def test_a_batch_takes_all_its_slots_or_none() -> None:
    pool = active()
    bind(pool, draw(4))
    assert refusal(pool, draw(3, count=2)) is Refusal.BOUND_OTHERWISE
    batch = draw(5, count=3)
    assert bind(pool, batch).fresh
    assert bind(pool, batch) == Decision(None, binding_hash(batch.binding))
    # The same bytes do not open a part of what they state.
    assert refusal(pool, Opening(6, 1, batch.binding, count=2)) is Refusal.BINDING_MISMATCH
    assert refusal(pool, Opening(6, 1, batch.binding)) is Refusal.BINDING_MISMATCH
    assert pool.drawn == 4
    bind(pool, void(0, count=4))
    assert pool.complete


class PoolMachine(RuleBasedStateMachine):
    """Compare the pool with a plain model: slot → (kind, hash), slot → ticket."""

    slots = st.integers(0, SIZE - 1)
    variants = st.integers(0, 2).map(lambda number: f"{number:02x}" * 16)

    @initialize()
    def start(self) -> None:
        self.pool = active()
        self.opened: dict[int, tuple[int, bytes]] = {}
        self.tickets: dict[int, Opening] = {}

    def _expect(self, opening: Opening, allowed: bool) -> None:
        span = range(opening.slot, opening.slot + opening.count)
        hashed = binding_hash(opening.binding)
        repeated = all(self.opened.get(slot) == (opening.kind, hashed) for slot in span)
        decision = bind(self.pool, opening)
        if repeated:
            assert decision == Decision(None, hashed)
        elif allowed and not any(slot in self.opened for slot in span):
            assert decision == Decision(None, hashed, fresh=True)
            for slot in span:
                self.opened[slot] = (opening.kind, hashed)
        else:
            assert decision.refused is not None
            assert decision.binding_hash == b""

    @rule(slot=slots, nonce=variants)
    def draws(self, slot: int, nonce: str) -> None:
        self._expect(draw(slot, nonce=nonce), slot not in self.tickets)

    @rule(slot=slots, count=st.integers(2, 4), nonce=variants)
    def draws_a_batch(self, slot: int, count: int, nonce: str) -> None:
        count = min(count, SIZE - slot)
        fields = {"count": count} if count > 1 else {}
        span = range(slot, slot + count)
        self._expect(draw(slot, nonce=nonce, **fields), not any(place in self.tickets for place in span))

    @rule(slot=slots, nonce=variants)
    def throws_away(self, slot: int, nonce: str) -> None:
        held = self.tickets.get(slot)
        named = None if held is None else binding_hash(held.binding).hex()
        self._expect(void(slot, nonce=nonce, ticket=named), allowed=True)

    @rule(slot=slots, nonce=variants)
    def throws_away_without_a_name(self, slot: int, nonce: str) -> None:
        self._expect(void(slot, nonce=nonce), allowed=slot not in self.tickets)

    @rule(slot=slots, nonce=variants)
    def reserves(self, slot: int, nonce: str) -> None:
        wanted = ticket(slot, nonce=nonce)
        decision = bind(self.pool, wanted)
        if slot in self.tickets:
            assert (decision.refused is None) == (self.tickets[slot].binding == wanted.binding)
            assert not decision.fresh
        elif slot in self.opened:
            assert decision.refused is Refusal.BOUND_OTHERWISE
        else:
            assert decision.fresh
            self.tickets[slot] = wanted

    @rule(slot=slots, nonce=variants, seed=st.sampled_from([b"s" * 16, b"t" * 16]))
    def redeems(self, slot: int, nonce: str, seed: bytes) -> None:
        offered = ticket(slot, nonce=nonce)
        held = self.tickets.get(slot)
        right = held is not None and held.binding == offered.binding and seed == b"s" * 16
        self._expect(redeem(offered, seed), right)

    @rule(slot=slots)
    def fails_to_journal(self, slot: int) -> None:
        for opening in (draw(slot, nonce="ee" * 16), void(slot, nonce="ee" * 16), ticket(slot, nonce="ee" * 16)):
            decision = plan(self.pool, opening)
            if decision.fresh:
                self.pool.apply(slot, 1, opening.kind, decision.binding_hash)
                self.pool.revert(slot, 1, opening.kind)
                assert plan(self.pool, opening) == decision

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        kinds = [kind for kind, _ in self.opened.values()]
        assert self.pool.drawn == kinds.count(1)
        assert self.pool.voided == kinds.count(3)
        assert self.pool.ticketed == sum(slot not in self.opened for slot in self.tickets)
        assert self.pool.complete == (len(self.opened) == SIZE)
        assert self.pool.untouched == (not self.opened and not self.tickets)
        for slot in range(SIZE):
            assert self.pool.bound_to(slot) == self.opened.get(slot)


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
