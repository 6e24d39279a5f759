"""What the client's tests share: time that stands still, and a draw service over the operator simulator."""

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from threading import Lock

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from operator_simulator import Operator
from sealdraw.v1 import draw_pb2, draw_pb2_grpc, types_pb2

from anchor import canonical
from rng_service.client import Surroundings
from rng_service.games import load_game
from rng_service.names import request_hash
from rng_service.records.payload import payload_hash
from rng_service.records.receipt import parse_receipt
from rng_service.records.record import binding_hash
from rng_service.request_id import parse_request_id

GAMES = Path(__file__).parents[3] / "games"
CALLER = "casino"
DICE = ("dice-99", "base")
UNDER = '{"bet":"under","threshold":5000}'


def roulette():
    return load_game(GAMES / "european-roulette.json")


class StillTime:
    """A clock that only `sleep` moves; keeps every pause."""

    def __init__(self):
        self.now_s = 0.0
        self.pauses = []
        self.on_sleep = None

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now_s += seconds
        if self.on_sleep is not None:
            self.on_sleep()

    def pause(self, _event, seconds):
        self.sleep(seconds)

    def surroundings(self, fraction=0.5, **clocks):
        return Surroundings(
            sleep=self.sleep, pause=self.pause, monotonic=lambda: self.now_s, fraction=lambda: fraction, **clocks
        )


class ServedOperator(Operator):
    """The simulator with one pool of dice, answering requests instead of following a story."""

    def __init__(self, directory, *, size=64, beacon=False, lanes=1, lane=0):
        super().__init__(directory, beacon=beacon, lanes=lanes)
        self.asked = {}
        self.start()
        self.register("dice-99")
        self.open_pool(size, lane)

    def open_pool(self, size=64, lane=0):
        self.pool = self.commit("dice-99/1/base/real", size, lane=lane)
        self.publish()
        self.tick(20)
        self.activate(self.pool)
        self.digest()
        self.publish()

    def on_binding(self, kind, members):
        return members | self.asked

    def rotate_receipt_key(self, *, announce=True, publish=True):
        self.receipt_key = Ed25519PrivateKey.from_private_bytes(self.random(32))
        if announce:
            self.announce_key(self.receipt_key)
        if publish:
            self.publish()


class OperatorService(draw_pb2_grpc.DrawServiceServicer):
    """Draws, reservations and settlements of one operator; ``tamper`` sees each answer before it leaves."""

    def __init__(self, operator):
        self.operator = operator
        self.tamper = lambda message: None
        self.answers = {}
        self.requests = {}
        self.tickets = {}
        self.draws = {}
        self._lock = Lock()

    def Reserve(self, request, context):  # noqa: N802
        with self._lock:
            ticket = self._ticket(request, request.client_seed_hash)
            return self._finished(request, self._ticket_message(ticket, [ticket]))

    def Draw(self, request, context):  # noqa: N802
        with self._lock:
            record = self._draw(request, self.tickets.get(request.ticket_hash))
            group = [record]
            response = draw_pb2.DrawResponse()
            if request.next_client_seed_hash:
                group.append(self._ticket(request, request.next_client_seed_hash))
                response.next_ticket.CopyFrom(self._ticket_message(group[1], group))
            response.receipt.CopyFrom(self._receipt(record, group))
            return self._finished(request, response)

    def BatchDraw(self, request, context):  # noqa: N802
        with self._lock:
            record = self._draw(request, None, count=request.count)
            return self._finished(request, draw_pb2.BatchDrawResponse(receipts=[self._receipt(record, [record])]))

    def Settle(self, request, context):  # noqa: N802
        with self._lock:
            draw = self.draws[request.draw_request_id]
            void = request.status == draw_pb2.SETTLEMENT_STATUS_VOID
            status = "void" if void else "confirm" if "bet" in draw.binding else "final"
            amounts = {
                "bettor": request.bettor.hex(),
                "stake_minor": request.stake_minor,
                "payout_minor": request.payout_minor,
                "currency": request.currency,
                "status": status,
                **({"reason": request.reason} if void else {}),
            }
            fields = {"method": "Settle", "receipt": request.draw_request_id, "item": request.item, "bet": request.bet}
            self.operator.asked = {
                "request": _hash(request),
                "payload": payload_hash(fields | amounts).hex(),
                **amounts,
            }
            record = self.operator.settle(
                draw,
                stake=request.stake_minor,
                payout_minor=request.payout_minor,
                number=request.item,
                bet=json.loads(request.bet) if request.bet else None,
            )
            opened = self._opening(record)
            return self._finished(request, draw_pb2.SettleResponse(record=record.record, opening=opened))

    def ResolveRequest(self, request, context):  # noqa: N802
        found = self.answers.get(request.request_id)
        if found is None:
            return draw_pb2.ResolveRequestResponse(state=draw_pb2.ResolveRequestResponse.STATE_FENCED)
        return draw_pb2.ResolveRequestResponse(state=draw_pb2.ResolveRequestResponse.STATE_BOUND, **_parts(found))

    def GetReceipt(self, request, context):  # noqa: N802
        return draw_pb2.GetReceiptResponse(**_parts(self.answers[request.request_id]))

    def _finished(self, request, response):
        self.answers[request.request_id] = response
        self.requests[request.request_id] = request
        self.tamper(response)
        return response

    def _draw(self, request, ticket, count=1):
        self.operator.asked = {"request": _hash(request), "payload": _payload(request)}
        wager = request.wager
        record = self.operator.draw(
            self.operator.pool,
            count=count,
            seed=request.client_seed,
            caller=CALLER,
            session=request.session,
            stake=wager.stake_minor if request.HasField("wager") else None,
            bet=json.loads(wager.bet) if wager.bet else None,
            ticket=ticket,
            step=(request.round_id, request.step) if getattr(request, "round_id", "") else None,
        )
        self.draws[request.request_id] = record
        return record

    def _ticket(self, request, seed_hash):
        self.operator.asked = {
            "request": _hash(request),
            "client_seed_hash": seed_hash.hex(),
            "payload": _payload(request),
        }
        ticket = self.operator.reserve(self.operator.pool, b"", caller=CALLER, session=request.session)
        self.tickets[binding_hash(ticket.binding_bytes)] = ticket
        return ticket

    def _ticket_message(self, ticket, group):
        return draw_pb2.ReserveResponse(
            ticket=self._receipt(ticket, group),
            ticket_hash=binding_hash(ticket.binding_bytes),
            expires_us=ticket.binding["expires"],
            session_sequence=ticket.binding.get("session_seq", 0),
        )

    def _receipt(self, record, group):
        file = parse_receipt(self.operator.receipt(record, group))
        labels = file.protection
        return types_pb2.Receipt(
            pool_id=record.pool.pool_id,
            slot=record.slot,
            count=record.slots,
            record=file.record,
            values=file.outcome,
            payouts_minor=file.payouts_minor or (),
            slot_path=file.slot_path,
            opening=_opening_message(file.opening),
            protection=types_pb2.Protection(
                content=labels.content,
                assignment=labels.assignment,
                foreseen=labels.foreseen,
                development_beacon=labels.development_beacon,
            ),
            commit_index=file.commit_index,
            activate_index=file.activate_index,
            ticket_record=file.ticket or b"",
        )

    def _opening(self, record):
        from anchor.merkle import leaf_hash
        from rng_service.encoding import OPENING_LABEL, lp

        public = self.operator.receipt_key.public_key().public_bytes_raw()
        message = OPENING_LABEL + lp(self.operator.origin.encode()) + leaf_hash(record.record)
        return types_pb2.Opening(
            key_id=sha256(public).hexdigest()[:16],
            index=0,
            size=1,
            path=[],
            signature=self.operator.receipt_key.sign(message),
        )


def serve(service):
    """Return a running server and its target."""
    server = grpc.server(ThreadPoolExecutor(4))
    draw_pb2_grpc.add_DrawServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


def _hash(request):
    return request_hash(CALLER, parse_request_id(request.request_id)).hex()


def _payload(request):
    """The payload hash as PROTOCOL.md, section 13, has it, member by member."""
    fields = {name.name: value for name, value in request.ListFields()}
    tags = {tag.name: value for tag, value in fields.get("tags", types_pb2.Tags()).ListFields()}
    wager = fields.get("wager", types_pb2.Wager())
    return payload_hash(
        {
            "method": type(request).__name__.removesuffix("Request"),
            "game": request.game,
            "version": request.version,
            "program": request.program,
            "class": "real",
            "session": request.session,
            "client_seed": fields.get("client_seed", b"").hex(),
            "client_seed_hash": fields.get("client_seed_hash", b"").hex(),
            "ticket": fields.get("ticket_hash", b"").hex(),
            "next_client_seed_hash": fields.get("next_client_seed_hash", b"").hex(),
            "count": fields.get("count", 0),
            "round": fields.get("round_id", ""),
            "step": fields.get("step", 0),
            "stake_minor": wager.stake_minor,
            "currency": wager.currency,
            "bet": canonical.encode(json.loads(wager.bet)).decode() if wager.bet else "",
            "tags": tags,
        }
    ).hex()


def _parts(answer):
    """What resolving, or asking for the receipt, repeats of an answer."""
    kind = type(answer).__name__
    if kind == "SettleResponse":
        return {"settlement": answer}
    if kind == "ReserveResponse":
        return {"ticket": answer}
    if kind == "BatchDrawResponse":
        return {"receipts": answer.receipts}
    return {"receipts": [answer.receipt]}


def _opening_message(opening):
    return types_pb2.Opening(
        key_id=opening.key_id.hex(),
        index=opening.index,
        size=opening.size,
        path=opening.path,
        signature=opening.signature,
    )
