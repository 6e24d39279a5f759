"""Binds what a front would bind, with the same rows in the same transaction, and nothing of the front's code."""

import secrets
from hashlib import sha256

from sqlalchemy import insert, select, update

from anchor import canonical
from rng_service.ledger.engine import writing
from rng_service.ledger.models import (
    FAMILY_FINAL,
    FAMILY_SETTLEMENT,
    FAMILY_TICKET,
    POSITION_BITS,
    TICKET_DRAWN,
    TICKET_OPEN,
    GroupRow,
    PoolRow,
    RecordRow,
    SettlementRow,
    TicketRow,
)
from rng_service.records.binding import DrawBinding, SettleBinding, TicketBinding
from rng_service.records.record import binding_hash


class ExhaustedError(Exception):
    """No active pool has enough free slots."""


class Binder:
    """One caller's front; every method is one commit group."""

    def __init__(self, engine, vault, clock_us, program="base"):
        self.engine = engine
        self.clock_us = clock_us
        self.key_id = max(vault.get_state().receipt_keys, key=lambda key: key.epoch).key_id
        self.program = program
        self.sequences = {}

    def draws(self, number, *, count=1, stake=0, bet=None, seeds=True):
        """Bind ``number`` draws of ``count`` slots each; returns (pool row, slot) of each."""
        return self._group([self._draw(count, stake, bet, seeds) for _ in range(number)])

    def reserve(self, number, *, lifetime_us=3_600_000_000):
        """Bind tickets; returns (ticket hash, seed, binding) of each."""
        seeds = [secrets.token_bytes(32) for _ in range(number)]
        tickets = []
        with writing(self.engine) as connection:
            group = self._new_group(connection)
            for place, seed in enumerate(seeds):
                pool, slot, _ = self._take(connection, 1)
                expires_us = self.clock_us() + lifetime_us
                ticket = TicketBinding("server", _hash(), _hash(), self.program, sha256(seed).hexdigest())
                binding = ticket.to_bytes(pool.pool_id, slot, self.clock_us(), _nonce(), expires_us)
                record = self._record(connection, group, place, pool.id, slot, 1, "ticket", FAMILY_TICKET, binding)
                connection.execute(
                    insert(TicketRow).values(
                        hash=binding_hash(binding),
                        pool_id=pool.id,
                        slot=slot,
                        record_id=record,
                        caller="server",
                        expires_us=expires_us,
                        state=TICKET_OPEN,
                    )
                )
                tickets.append((binding_hash(binding), seed, pool.id, pool.pool_id, slot))
        return tickets

    def draw_on(self, ticket, *, stake=0, bet=None):
        """Bind the draw of one ticket."""
        hashed, seed, pool, name, slot = ticket
        with writing(self.engine) as connection:
            taken = connection.execute(
                update(TicketRow)
                .where(TicketRow.hash == hashed, TicketRow.state == TICKET_OPEN)
                .values(state=TICKET_DRAWN)
            )
            assert taken.rowcount == 1
            draw = self._draw(1, stake, bet, seeds=False)
            draw.client_seed, draw.ticket = seed.hex(), hashed.hex()
            binding = draw.to_bytes(name, slot, self.clock_us(), _nonce())
            self._record(connection, self._new_group(connection), 0, pool, slot, 1, "draw", FAMILY_FINAL, binding)

    def settle(self, place, *, stake, payout, status="final", bet=None, draw=None):
        """Bind one settlement of the outcome at (pool row, slot)."""
        pool, slot = place
        bettor = secrets.token_bytes(32)
        with writing(self.engine) as connection:
            group = self._new_group(connection)
            name = connection.execute(select(PoolRow.pool_id).where(PoolRow.id == pool)).scalar_one()
            settlement = SettleBinding(
                "server",
                _hash(),
                _hash(),
                name,
                slot,
                draw or _hash(),
                bettor.hex(),
                stake,
                payout,
                "EUR",
                status,
                bet=canonical.encode(bet if bet is not None else {"bet": "any"}).decode("ascii"),
                reason="withdrawn" if status == "void" else "",
            )
            binding = settlement.to_bytes(self.clock_us(), _nonce())
            ordinal = group << POSITION_BITS
            record = self._record(
                connection, group, 0, pool, slot, 1, "settle", FAMILY_SETTLEMENT, binding, ordinal=ordinal
            )
            connection.execute(insert(SettlementRow).values(pool_id=pool, slot=slot, bettor=bettor, record_id=record))

    def _draw(self, count, stake, bet, seeds):
        return DrawBinding(
            "server",
            _hash(),
            _hash(),
            self.program,
            client_seed=secrets.token_hex(32) if seeds else "",
            count=count,
            stake_minor=stake,
            currency="EUR" if stake else "",
            bet=canonical.encode(bet).decode("ascii") if bet is not None else "",
        )

    def _group(self, draws):
        places = []
        with writing(self.engine) as connection:
            group = self._new_group(connection)
            for place, draw in enumerate(draws):
                pool, slot, draw.count = self._take(connection, draw.count)
                binding = draw.to_bytes(pool.pool_id, slot, self.clock_us(), _nonce())
                self._record(connection, group, place, pool.id, slot, draw.count, "draw", FAMILY_FINAL, binding)
                places.append((pool.id, slot))
        return places

    def _new_group(self, connection):
        return connection.execute(
            insert(GroupRow).values(created_us=self.clock_us(), key_id=self.key_id).returning(GroupRow.id)
        ).scalar_one()

    def _take(self, connection, count):
        pool = connection.execute(
            select(PoolRow.id, PoolRow.pool_id, PoolRow.next_slot, PoolRow.size)
            .where(PoolRow.state == "active", PoolRow.next_slot < PoolRow.size)
            .order_by(PoolRow.number)
            .limit(1)
        ).first()
        if pool is None:
            raise ExhaustedError
        # A batch that does not fit takes what is left: no slot of a lane is ever skipped.
        taken = min(count, pool.size - pool.next_slot)
        advanced = connection.execute(
            update(PoolRow)
            .where(PoolRow.id == pool.id, PoolRow.next_slot == pool.next_slot, PoolRow.state == "active")
            .values(next_slot=pool.next_slot + taken)
        )
        assert advanced.rowcount == 1
        return pool, pool.next_slot, taken

    def _record(self, connection, group, place, pool, slot, slots, kind, family, binding, ordinal=0):
        record = (group << POSITION_BITS) + place
        connection.execute(
            insert(RecordRow).values(
                id=record,
                pool_id=pool,
                slot=slot,
                slots=slots,
                kind=kind,
                family=family,
                ordinal=ordinal,
                binding=binding,
            )
        )
        return record


def _hash():
    return secrets.token_hex(32)


def _nonce():
    return secrets.token_hex(16)
