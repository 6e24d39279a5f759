"""The story of the worked example: one pool of eight slots, from its key to a published digest.

Everything that a real operator draws at random or reads from a clock is fixed here, and nothing else is: names,
hashes, records, digests, tiles and signatures come from the library. The test keys are public, so this log proves
nothing about anybody.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor import canonical
from anchor.checkpoint import Checkpoint
from anchor.merkle import inclusion_path, leaf_hash, levels_of
from anchor.note import VerifierKey, sign_note
from anchor.proof import LogProof
from anchor.range_path import range_path
from anchor.writer import LogWriter
from rng_service.beacon.chain import QUICKNET, beacon_value
from rng_service.encoding import OPENING_LABEL, PAYLOAD_LABEL, lp, receipt_key_statement
from rng_service.games import GameDefinition, parse_game, payout
from rng_service.log_entries import (
    NO_DIGEST,
    BeaconChainEntry,
    BeaconRound,
    Entry,
    GameRegistration,
    LogConfig,
    PoolActivate,
    PoolCommit,
    ReceiptKey,
    StreamLanes,
)
from rng_service.names import request_hash
from rng_service.outcome import DrawKeyDeriver
from rng_service.pools.slots import slot_leaves, slot_secrets
from rng_service.public_files import game_path, leaves_path
from rng_service.records.binding import DrawBinding, SettleBinding, TicketBinding, void_binding
from rng_service.records.digest import BuiltDigest, DigestItem, build_digests
from rng_service.records.export import ExportHeader, ExportLine, draw_line, write_export
from rng_service.records.proof import RecordPlace
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

ROUNDS = Path(__file__).resolve().parents[1] / "vectors" / "beacon" / "drand_rounds.json"
ORIGIN = "example.org/demo"
STREAM = "ten-wheel/1/base/real"
POOL = f"demo/{STREAM}/0/1"
PROGRAM = "base"
CALLER = "casino"
SESSION = "table-7"
POOL_KEY = b"\x03" * 32
POOL_SIZE = 8
LOG_SEED = b"\x01" * 32
RECEIPT_SEED = b"\x02" * 32
ROUND = 27_798_178
SECOND = 1_000_000
MERGE_DELAY_S = 10
CLIENT_SEED = b"a seed nobody else knows"
OTHER_SEED = b"another 16 bytes"
FORGOTTEN_SEED = b"a seed never shown"
GAME = {
    "v": 1,
    "game": "ten-wheel",
    "version": 1,
    "title": "Ten Wheel",
    "programs": {
        PROGRAM: {
            "steps": [{"step": "uniform", "n": 10}],
            "settlement": {
                "model": "table",
                "bets": {
                    "number": {"pays": "19/2", "selections": [[number] for number in range(10)]},
                    "low": {"pays": "1.9", "selections": [[0, 1, 2, 3, 4]]},
                },
            },
        }
    },
}


@dataclass(frozen=True)
class Made:
    """One record of the story, and what followed from it."""

    name: str
    kind: str
    slot: int
    slots: int
    payload: bytes
    binding: bytes
    record: bytes
    outcomes: tuple[tuple[int, ...], ...] = ()
    payouts: tuple[int, ...] | None = None

    @property
    def digest(self) -> bytes:
        """The record digest."""
        return record_digest(self.record)

    @property
    def members(self) -> dict[str, Any]:
        """The binding's members."""
        members: dict[str, Any] = json.loads(self.binding)
        return members

    @property
    def outcome(self) -> tuple[int, ...]:
        """The outcomes of all slots, one behind the other."""
        return tuple(value for values in self.outcomes for value in values)


class PublicKeySigner:
    """A checkpoint signer without a memory, for a log that is written once into an empty directory."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._mark: Checkpoint | None = None

    def mark(self) -> Checkpoint | None:
        """Return the last tree head that was signed."""
        return self._mark

    def sign(self, size: int, root: bytes, consistency_proof: Any, old_size: int) -> bytes:
        """Return the signed note of a tree head."""
        del consistency_proof, old_size
        self._mark = Checkpoint(ORIGIN, size, root)
        return sign_note(self._mark.text(), ORIGIN, self._key)


class Story:
    """The finished example; ``directory`` receives the public directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log_key = Ed25519PrivateKey.from_private_bytes(LOG_SEED)
        self.receipt_key = Ed25519PrivateKey.from_private_bytes(RECEIPT_SEED)
        self.receipt_public = self.receipt_key.public_key().public_bytes_raw()
        self.key_id = sha256(self.receipt_public).digest()[:8]
        self.attestation = self.log_key.sign(receipt_key_statement(ORIGIN, self.receipt_public, 1))
        self.vkey = VerifierKey.of(ORIGIN, self.log_key).vkey()
        self.signature = _signature()
        self.beacon = beacon_value(self.signature)
        # A minute before its round is published the pool is committed to, two seconds after it the pool is opened.
        self.commit_us = QUICKNET.time_of(ROUND) - 60 * SECOND
        self.play_us = QUICKNET.time_of(ROUND) + 3 * SECOND
        self.game: GameDefinition = parse_game(canonical.encode(GAME))
        self.secrets = slot_secrets(POOL_KEY, POOL_SIZE)
        self.levels = levels_of(slot_leaves(POOL, self.secrets))
        self.entries: list[bytes] = []
        self._write_log()

    # The log.

    def _write_log(self) -> None:
        with LogWriter(self.directory, PublicKeySigner(self.log_key)) as writer:
            self._announce()
            self.commit_index = self._append(self._commit())
            self.commit_hash = leaf_hash(self.entries[-1])
            writer.append_and_publish(self.entries)
            self.commit_checkpoint = (self.directory / "checkpoint").read_bytes()
            self.activate_index = self._append(self._activate())
            self._play()
            self.digest = self._digest()
            self.digest_index = self._append(self.digest.entry)
            writer.append_and_publish(self.entries[self.activate_index :])
        # The writer's lock is no part of what a log publishes.
        (self.directory / ".writer.lock").unlink()
        self.checkpoint = (self.directory / "checkpoint").read_bytes()

    def _append(self, entry: Entry) -> int:
        self.entries.append(entry.to_bytes())
        return len(self.entries) - 1

    def _put(self, path: str, data: bytes) -> None:
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def _announce(self) -> None:
        head: dict[str, Any] = {"origin": ORIGIN, "time_us": self.commit_us - SECOND}
        self._append(
            LogConfig(
                **head,
                environment="demo",
                log_key=self.vkey,
                merge_delay_s=MERGE_DELAY_S,
                heartbeat_s=120,
                close_delay_s=60,
                beacon_margin_s=30,
            )
        )
        self._append(
            ReceiptKey(**head, key_id=self.key_id, public_key=self.receipt_public, epoch=1, signature=self.attestation)
        )
        self._append(
            BeaconChainEntry(
                **head,
                chain=QUICKNET.chain_hash,
                name=QUICKNET.name,
                scheme=QUICKNET.scheme,
                public_key=QUICKNET.public_key,
                period_s=QUICKNET.period_s,
                genesis_time=QUICKNET.genesis_time,
                group_hash=QUICKNET.group_hash,
                beacon_id=QUICKNET.beacon_id,
                development=False,
            )
        )
        self._put(game_path(self.game.digest), self.game.canonical)
        self._append(
            GameRegistration(**head, game="ten-wheel", version=1, digest=self.game.digest, programs=(PROGRAM,))
        )
        self._append(StreamLanes(**head, stream=STREAM, lanes=1))

    def _commit(self) -> PoolCommit:
        self._put(leaves_path(POOL), b"".join(self.levels[0]))
        return PoolCommit(
            origin=ORIGIN,
            time_us=self.commit_us,
            pool=POOL,
            size=POOL_SIZE,
            slot_root=self.levels[-1][0],
            game_digest=self.game.digest,
            program=PROGRAM,
            drbg_instance="vault-1",
            drbg_epoch=1,
            key_epoch=1,
            deadline_us=self.commit_us + 24 * 3600 * SECOND,
            beacon=BeaconRound(QUICKNET.chain_hash, ROUND),
        )

    def _activate(self) -> PoolActivate:
        return PoolActivate(
            origin=ORIGIN,
            time_us=self.play_us - SECOND,
            pool=POOL,
            commit_index=self.commit_index,
            commit=self.commit_hash,
            checkpoint=self.commit_checkpoint,
            beacon_signature=self.signature,
            beacon_value=self.beacon,
        )

    def _digest(self) -> BuiltDigest:
        items = [DigestItem(POOL, made.slot, made.slots, made.kind, made.digest) for made in self.made]
        (built,) = build_digests(
            items,
            origin=ORIGIN,
            time_us=self.play_us + SECOND,
            seq=0,
            prev=NO_DIGEST,
            beacon=BeaconRound(QUICKNET.chain_hash, ROUND + 1),
        )
        self._put(built.file_path, built.file)
        return built

    # The records.

    def _play(self) -> None:
        self.ticket = self._ticket("ticket", 0, CLIENT_SEED, 1, expires_us=self.play_us + 60 * SECOND, session=SESSION)
        self.ticketed = self._draw(
            "ticketed",
            0,
            seed=CLIENT_SEED,
            session_sequence=1,
            ticket=binding_hash(self.ticket.binding).hex(),
            stake=250,
            bet={"bet": "number", "numbers": [7]},
        )
        self.one_step = self._draw("one-step", 1, seed=OTHER_SEED, session_sequence=2, stake=99, bet={"bet": "low"})
        self.batch = self._draw("batch", 2, count=2)
        # Nobody shows this ticket's seed in time.
        self.expired = self._ticket("expired-ticket", 4, FORGOTTEN_SEED, 6, expires_us=self.play_us + 800_000)
        self.void = self._void()
        self.settlement = self._settle()
        self.made = [self.ticket, self.ticketed, self.one_step, self.batch, self.expired, self.void, self.settlement]
        self.group = [self.ticketed, self.one_step, self.batch]

    def secrets_of(self, slot: int, count: int) -> bytes:
        """Return the secrets of consecutive slots."""
        return self.secrets[32 * slot : 32 * (slot + count)]

    def _ticket(self, name: str, slot: int, seed: bytes, number: int, *, expires_us: int, session: str = "") -> Made:
        seed_hash = sha256(seed).hexdigest()
        payload = _payload(method="Reserve", **_where(), session=session, client_seed_hash=seed_hash)
        binding = TicketBinding(
            caller=CALLER,
            request=request_hash(CALLER, request_id(number)).hex(),
            payload=sha256(PAYLOAD_LABEL + payload).hexdigest(),
            program=PROGRAM,
            client_seed_hash=seed_hash,
            session=session,
            session_sequence=1 if session else 0,
        ).to_bytes(POOL, slot, self.play_us + number * 100_000, nonce(number), expires_us)
        return Made(name, "ticket", slot, 1, payload, binding, ticket_record(binding))

    def _draw(
        self,
        name: str,
        slot: int,
        *,
        count: int = 1,
        seed: bytes = b"",
        session_sequence: int = 0,
        ticket: str = "",
        stake: int = 0,
        bet: dict[str, Any] | None = None,
    ) -> Made:
        number = slot + 2
        session = SESSION if session_sequence else ""
        currency = "EUR" if stake else ""
        bet_text = canonical.encode(bet).decode("ascii") if bet else ""
        called: dict[str, Any] = {"session": session, "client_seed": seed.hex(), "ticket": ticket}
        called |= {"stake_minor": stake, "currency": currency, "bet": bet_text, "count": count if count > 1 else 0}
        payload = _payload(method="BatchDraw" if count > 1 else "Draw", **_where(), **called)
        binding = DrawBinding(
            caller=CALLER,
            request=request_hash(CALLER, request_id(number)).hex(),
            payload=sha256(PAYLOAD_LABEL + payload).hexdigest(),
            program=PROGRAM,
            client_seed=seed.hex(),
            count=count,
            session=session,
            session_sequence=session_sequence,
            stake_minor=stake,
            currency=currency,
            bet=bet_text,
            ticket=ticket,
        ).to_bytes(POOL, slot, self.play_us + number * 100_000, nonce(number))
        outcomes = self.outcomes(slot, count, seed)
        payouts = tuple(payout(self.game, PROGRAM, bet, stake, values) for values in outcomes) if bet else None
        record = draw_record(binding, self.secrets_of(slot, count))
        return Made(name, "draw", slot, count, payload, binding, record, outcomes, payouts)

    def outcomes(self, slot: int, count: int, seed: bytes) -> tuple[tuple[int, ...], ...]:
        """Return the outcomes of consecutive slots under a client seed."""
        deriver = DrawKeyDeriver(self.commit_hash, self.beacon, PROGRAM)
        derive = self.game.program(PROGRAM).outcome.derive
        return tuple(
            derive(deriver.outcome_stream(self.secrets_of(each, 1), each, seed)) for each in range(slot, slot + count)
        )

    def _void(self) -> Made:
        binding = void_binding(
            pool=POOL,
            slot=4,
            count=1,
            reason="ticket-expired",
            bind_time_us=self.play_us + 850_000,
            nonce=nonce(8),
            ticket=binding_hash(self.expired.binding).hex(),
        )
        return Made("void", "void", 4, 1, b"", binding, void_record(binding, self.secrets_of(4, 1)))

    def _settle(self) -> Made:
        payload = _payload(
            method="Settle",
            receipt=self.batch.digest.hex(),
            item=1,
            bettor=sha256(b"a bettor").hexdigest(),
            stake_minor=500,
            payout_minor=950,
            currency="EUR",
            status="final",
            bet='{"bet":"low"}',
        )
        binding = SettleBinding(
            caller=CALLER,
            request=request_hash(CALLER, request_id(7)).hex(),
            payload=sha256(PAYLOAD_LABEL + payload).hexdigest(),
            pool=POOL,
            slot=3,
            draw=self.batch.digest.hex(),
            bettor=sha256(b"a bettor").hexdigest(),
            stake_minor=500,
            payout_minor=950,
            currency="EUR",
            status="final",
            bet='{"bet":"low"}',
        ).to_bytes(self.play_us + 700_000, nonce(7))
        return Made("settlement", "settle", 3, 1, payload, binding, settle_record(binding))

    # What callers hold.

    def opening(self, digest: bytes, group: list[bytes]) -> Opening:
        """Return the opening of one record digest among those of a group."""
        levels = levels_of(group)
        index = group.index(digest)
        return Opening(
            index=index,
            size=len(group),
            key_id=self.key_id,
            path=tuple(inclusion_path(levels, index)),
            signature=self.receipt_key.sign(OPENING_LABEL + lp(ORIGIN.encode()) + levels[-1][0]),
        )

    def receipt(self, made: Made) -> bytes:
        """Return the receipt file of a draw or of the ticket, which was opened before all others."""
        group = [each.digest for each in ([made] if made.kind == "ticket" else self.group)]
        ticketed = "ticket" in made.members
        path = (
            inclusion_path(self.levels, made.slot)
            if made.slots == 1
            else range_path(self.levels, made.slot, made.slots)
        )
        return Receipt(
            origin=ORIGIN,
            commit_index=self.commit_index,
            activate_index=self.activate_index,
            record=made.record,
            outcome=made.outcome,
            slot_path=tuple(path),
            opening=self.opening(made.digest, group),
            protection=protection_of(
                beacon=True,
                witnessed=False,
                development=False,
                ticketed=ticketed,
                seeded="client_seed" in made.members,
            ),
            payouts_minor=made.payouts,
            ticket=self.ticket.record if ticketed else None,
        ).to_bytes()

    def proof(self, made: Made) -> bytes:
        """Return the proof file of one record."""
        log = levels_of([leaf_hash(entry) for entry in self.entries])
        digests = [item.digest for item in self.digest.items]
        index = digests.index(made.digest)
        place = RecordPlace(entry=self.digest.data, index=index, path=tuple(inclusion_path(levels_of(digests), index)))
        path = tuple(inclusion_path(log, self.digest_index))
        return LogProof(self.digest_index, path, self.checkpoint, place.to_bytes()).render()

    def export(self) -> bytes:
        """Return the complete export."""
        by_digest = {made.digest: made for made in self.made}
        stream = BytesIO()
        header = ExportHeader(origin=ORIGIN, from_digest=0, to_digest=0, complete=True)
        write_export(stream, header, [_line(by_digest[item.digest]) for item in self.digest.items])
        return stream.getvalue()


def request_id(number: int) -> bytes:
    """Return a UUIDv7 that is fixed: its time is zero."""
    return bytes.fromhex(f"00000000000070008000{number:012x}")


def nonce(number: int) -> str:
    """Return 16 bytes, in hex, in the place of random ones."""
    return f"{number:032x}"


def _where() -> dict[str, Any]:
    game, version, program, play_class = STREAM.split("/")
    return {"game": game, "version": int(version), "program": program, "class": play_class}


def _payload(**fields: Any) -> bytes:
    return canonical.encode({name: value for name, value in fields.items() if value})


def _line(made: Made) -> ExportLine:
    if made.kind == "draw":
        return draw_line(0, made.record, made.outcome, made.payouts)
    return ExportLine(0, made.record)


def _signature() -> bytes:
    rounds = json.loads(ROUNDS.read_bytes())["quicknet"]["rounds"]
    return bytes.fromhex(next(item["signature"] for item in rounds if item["round"] == ROUND))
