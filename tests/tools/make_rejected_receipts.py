"""Write tests/vectors/protocol/rejected/: receipts of the worked example with one lie each; `--check` compares.

Whoever forges here has the operator's keys, so most lies are signed: a verifier that leaves out the step which catches
a lie accepts the receipt. `expected.json` says which step of PROTOCOL.md section 8 refuses each file, the
reason that our auditor gives, and what the verifier's own clock shows.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from vector_files import check_files, write_files
from worked_example import CLIENT_SEED, POOL, Made, Story, nonce

from anchor import canonical
from anchor.merkle import inclusion_path
from anchor.range_path import range_path
from rng_service.encoding import OPENING_LABEL, lp
from rng_service.records.receipt import outcome_to_json
from rng_service.records.record import binding_hash, draw_record, record_digest, ticket_record

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "protocol" / "rejected"
SECOND = 1_000_000
THIEF_SEED = b"a seed that came later on"


class Rejected(NamedTuple):
    """One forged receipt: where it is refused, why, and what the lie is."""

    name: str
    step: int
    reason: str
    lie: str
    later_s: int
    forge: Callable[[Story], bytes]


CATALOGUE: list[Rejected] = []


def rejected(
    step: int, reason: str, lie: str, *, later_s: int = 1
) -> Callable[[Callable[[Story], Any]], Callable[[Story], Any]]:
    """Enter a forgery under its function's name; it returns the receipt's members, or bytes.

    The receipt is checked ``later_s`` seconds after the digest, by the verifier's own clock.
    """

    def enter(forge: Callable[[Story], Any]) -> Callable[[Story], Any]:
        def to_bytes(story: Story) -> bytes:
            made = forge(story)
            return made if isinstance(made, bytes) else canonical.encode(made)

        CATALOGUE.append(Rejected(forge.__name__.replace("_", "-"), step, reason, lie, later_s, to_bytes))
        return forge

    return enter


def honest(story: Story, made: Made) -> dict[str, Any]:
    """Return the members of an honest receipt."""
    members: dict[str, Any] = json.loads(story.receipt(made))
    return members


def signed(story: Story, receipt: dict[str, Any], record: bytes, origin: str = "") -> dict[str, Any]:
    """Put another record into a receipt, and let the operator sign it alone."""
    digest = record_digest(record)
    opening = story.opening(digest, [digest])
    signature = opening.signature
    if origin:
        signature = story.receipt_key.sign(OPENING_LABEL + lp(origin.encode()) + digest)
    receipt["record"] = record.decode("ascii")
    receipt["opening"] = {
        "index": 0,
        "key_id": opening.key_id.hex(),
        "path": [],
        "signature": signature.hex(),
        "size": 1,
    }
    return receipt


def rebound(story: Story, made: Made, secrets: bytes = b"", **changes: Any) -> dict[str, Any]:
    """Change members of a draw's binding (None leaves one out) and its secrets, and sign the result."""
    members = {name: value for name, value in (made.members | changes).items() if value is not None}
    record = draw_record(canonical.encode(members), secrets or story.secrets_of(made.slot, made.slots))
    return signed(story, honest(story, made), record)


def flip(text: str) -> str:
    """Change the last bit of a hex string."""
    return text[:-1] + f"{int(text[-1], 16) ^ 1:x}"


# Step 1: the form.


@rejected(1, "malformed", "a space behind a comma")
def white_space(story: Story) -> bytes:
    return story.receipt(story.one_step).replace(b",", b", ", 1)


@rejected(1, "malformed", "a key stands twice")
def key_twice(story: Story) -> bytes:
    return story.receipt(story.one_step).replace(b'{"activate_index":', b'{"activate_index":7,"activate_index":', 1)


@rejected(1, "malformed", "a field that the protocol does not name")
def unknown_field(story: Story) -> dict[str, Any]:
    return honest(story, story.one_step) | {"note": "trust us"}


@rejected(1, "malformed", "a number with a fraction")
def fraction(story: Story) -> bytes:
    return story.receipt(story.one_step).replace(b'"commit_index":5', b'"commit_index":5.0', 1)


@rejected(1, "malformed", "another format")
def other_format(story: Story) -> dict[str, Any]:
    return honest(story, story.one_step) | {"format": "sealdraw/receipt@v2"}


@rejected(1, "malformed", "the members of the record stand in another order")
def record_in_another_order(story: Story) -> dict[str, Any]:
    record = story.one_step.record
    head, tail = record[: -len(b',"v":1}')], record[-len(b',"v":1}') :]
    return signed(story, honest(story, story.one_step), b"{" + tail[1:-1] + b"," + head[1:] + b"}")


@rejected(1, "malformed", "a count of 1, which is written by leaving it out")
def count_of_one(story: Story) -> dict[str, Any]:
    return rebound(story, story.one_step, count=1)


@rejected(1, "malformed", "a client seed of 15 bytes")
def short_client_seed(story: Story) -> dict[str, Any]:
    return rebound(story, story.one_step, client_seed="ab" * 15)


@rejected(1, "malformed", "a session without its sequence number")
def session_without_number(story: Story) -> dict[str, Any]:
    return rebound(story, story.one_step, session_seq=None)


@rejected(1, "malformed", "the secret of one slot for a batch of two")
def secret_missing(story: Story) -> dict[str, Any]:
    return rebound(story, story.batch, secrets=story.secrets_of(2, 1))


@rejected(1, "receipt-kind", "the record is a void, of which there are no receipts")
def record_of_a_void(story: Story) -> dict[str, Any]:
    return signed(story, honest(story, story.one_step), story.void.record)


@rejected(1, "receipt-origin", "the receipt names another log")
def other_origin(story: Story) -> dict[str, Any]:
    return honest(story, story.one_step) | {"origin": "example.org/live"}


# Step 2: commitment and activation.


@rejected(2, "receipt-commit", "the index of the commitment is that of another entry")
def commit_is_another_entry(story: Story) -> dict[str, Any]:
    return honest(story, story.one_step) | {"commit_index": 4}


@rejected(2, "receipt-commit", "the commitment lies beyond the log")
def commit_beyond_the_log(story: Story) -> dict[str, Any]:
    return honest(story, story.one_step) | {"commit_index": 8}


@rejected(2, "receipt-activation", "the index of the activation is that of the digest")
def activation_is_another_entry(story: Story) -> dict[str, Any]:
    return honest(story, story.one_step) | {"activate_index": 7}


@rejected(2, "receipt-commit", "the draw is of a pool that was never committed to")
def pool_never_committed(story: Story) -> dict[str, Any]:
    return rebound(story, story.one_step, pool=f"{POOL[:-1]}2")


# Step 3: the slots.


@rejected(3, "slot-root", "another secret than the one that was committed to, signed")
def other_secret(story: Story) -> dict[str, Any]:
    return rebound(story, story.one_step, secrets=sha256(b"chosen later").digest())


@rejected(3, "slot-root", "the secret of the next slot, signed")
def secret_of_another_slot(story: Story) -> dict[str, Any]:
    return rebound(story, story.one_step, secrets=story.secrets_of(2, 1))


@rejected(3, "slot-root", "the binding names another slot than the secret is of")
def other_slot(story: Story) -> dict[str, Any]:
    return rebound(story, story.one_step, slot=5)


@rejected(3, "slot-root", "the two secrets of a batch are exchanged")
def batch_exchanged(story: Story) -> dict[str, Any]:
    return rebound(story, story.batch, secrets=story.secrets_of(3, 1) + story.secrets_of(2, 1))


@rejected(3, "slot-range", "a slot behind the last one")
def slot_beyond_the_pool(story: Story) -> dict[str, Any]:
    return rebound(story, story.one_step, slot=8)


@rejected(3, "slot-root", "one hash of the path has another bit")
def slot_path_changed(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.one_step)
    receipt["slot_path"][0] = flip(receipt["slot_path"][0])
    return receipt


@rejected(3, "inclusion", "the path is one hash short")
def slot_path_short(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.one_step)
    receipt["slot_path"].pop()
    return receipt


@rejected(3, "inclusion", "the path of the batch has a hash too many")
def range_path_long(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.batch)
    receipt["slot_path"].append("00" * 32)
    return receipt


@rejected(3, "slot-root", "the path of the batch runs from the leaf to the root")
def range_path_reversed(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.batch)
    receipt["slot_path"].reverse()
    return receipt


@rejected(3, "slot-root", "a ticket with the path of another slot")
def ticket_of_another_slot(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.ticket)
    receipt["slot_path"] = [item.hex() for item in inclusion_path(story.levels, 5)]
    return receipt


# Step 4: the game.


@rejected(4, "pool-program", "the draw is of another program than its pool")
def other_program(story: Story) -> dict[str, Any]:
    return rebound(story, story.one_step, program="bonus")


# Step 5: outcome and money.


@rejected(5, "outcome", "another outcome than the secret gives")
def other_outcome(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.ticketed)
    return receipt | {"outcome": [7], "payouts_minor": ["2375"]}


@rejected(5, "outcome", "the outcomes of a batch in another order")
def outcomes_exchanged(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.batch)
    receipt["outcome"].reverse()
    return receipt


@rejected(5, "outcome", "only the first outcome of a batch")
def outcome_left_out(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.batch)
    receipt["outcome"].pop()
    return receipt


@rejected(5, "outcome", "a ticket that has an outcome already")
def ticket_with_outcome(story: Story) -> dict[str, Any]:
    return honest(story, story.ticket) | {"outcome": [7]}


@rejected(5, "outcome", "the client seed is another one than the outcome was made with, signed")
def seed_without_effect(story: Story) -> dict[str, Any]:
    return rebound(story, story.one_step, client_seed=(b"z" * 16).hex())


@rejected(5, "payouts", "one minor unit less than the bet pays")
def payout_too_small(story: Story) -> dict[str, Any]:
    return honest(story, story.one_step) | {"payouts_minor": ["187"]}


@rejected(5, "payouts", "the payout is rounded up")
def payout_rounded_up(story: Story) -> dict[str, Any]:
    return honest(story, story.one_step) | {"payouts_minor": ["189"]}


@rejected(5, "payouts", "the payout is left out although there are stake and bet")
def payout_left_out(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.one_step)
    del receipt["payouts_minor"]
    return receipt


@rejected(5, "payouts", "a payout for a draw without a bet")
def payout_without_bet(story: Story) -> dict[str, Any]:
    return honest(story, story.batch) | {"payouts_minor": ["1", "1"]}


@rejected(5, "bet-invalid", "a bet that the game does not have, signed")
def bet_unknown(story: Story) -> dict[str, Any]:
    return rebound(story, story.one_step, bet={"bet": "high"})


# Step 6: the ticket.


@rejected(6, "ticket-missing", "the draw names a ticket that the receipt does not show")
def ticket_not_shown(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.ticketed)
    del receipt["ticket"]
    return receipt


@rejected(6, "ticket-missing", "a ticket that the draw does not name")
def ticket_not_named(story: Story) -> dict[str, Any]:
    receipt = rebound(story, story.ticketed, ticket=None)
    receipt["protection"] |= {"assignment": "steerable", "foreseen": "caller-seed"}
    return receipt


@rejected(6, "ticket-hash", "a ticket made afterwards for the seed that was drawn with")
def ticket_exchanged(story: Story) -> dict[str, Any]:
    members = story.ticket.members | {"nonce": nonce(99)}
    receipt = honest(story, story.ticketed)
    return receipt | {"ticket": ticket_record(canonical.encode(members)).decode("ascii")}


@rejected(6, "ticket-slot", "the ticket's seed is drawn from another slot")
def ticket_for_another_slot(story: Story) -> dict[str, Any]:
    secrets = story.secrets_of(5, 1)
    receipt = rebound(story, story.ticketed, secrets=secrets, slot=5)
    receipt["slot_path"] = [item.hex() for item in inclusion_path(story.levels, 5)]
    receipt["outcome"] = list(story.outcomes(5, 1, bytes.fromhex(story.ticketed.members["client_seed"]))[0])
    receipt["payouts_minor"] = ["2375" if receipt["outcome"] == [7] else "0"]
    return receipt


@rejected(6, "ticket-holder", "somebody else draws on the ticket")
def ticket_of_another_caller(story: Story) -> dict[str, Any]:
    return rebound(story, story.ticketed, caller="arcade")


@rejected(6, "ticket-holder", "the draw leaves the ticket's session")
def ticket_of_another_session(story: Story) -> dict[str, Any]:
    return rebound(story, story.ticketed, session=None, session_seq=None)


@rejected(6, "ticket-seed", "another seed than the ticket holds the hash of; the outcome follows from it, signed")
def ticket_with_another_seed(story: Story) -> dict[str, Any]:
    receipt = rebound(story, story.ticketed, client_seed=THIEF_SEED.hex())
    receipt["outcome"] = outcome_to_json(story.outcomes(0, 1, THIEF_SEED)[0])
    receipt["payouts_minor"] = ["2375" if receipt["outcome"] == [7] else "0"]
    return receipt


@rejected(6, "ticket-seed", "a ticket on the hash of nothing, and a draw without a seed, signed")
def ticket_on_nothing(story: Story) -> dict[str, Any]:
    members = story.ticket.members | {"client_seed_hash": sha256(b"").hexdigest()}
    return _on_another_ticket(story, members, b"")


@rejected(6, "ticket-stillborn", "the ticket had expired when it was made, signed")
def ticket_stillborn(story: Story) -> dict[str, Any]:
    members = story.ticket.members | {"expires": story.ticket.members["bind_time"]}
    return _on_another_ticket(story, members, CLIENT_SEED)


@rejected(6, "ticket-stillborn", "a ticket that had expired when it was made, signed")
def ticket_never_good(story: Story) -> dict[str, Any]:
    members = story.ticket.members | {"expires": story.ticket.members["bind_time"] - SECOND}
    return signed(story, honest(story, story.ticket), ticket_record(canonical.encode(members)))


def _on_another_ticket(story: Story, members: dict[str, Any], seed: bytes) -> dict[str, Any]:
    """Return the receipt of a draw from slot 0 on a ticket of these members."""
    binding = canonical.encode(members)
    receipt = rebound(story, story.ticketed, ticket=binding_hash(binding).hex(), client_seed=seed.hex() or None)
    receipt["outcome"] = outcome_to_json(story.outcomes(0, 1, seed)[0])
    receipt["payouts_minor"] = ["2375" if receipt["outcome"] == [7] else "0"]
    return receipt | {"ticket": ticket_record(binding).decode("ascii")}


# Step 7: the opening.


@rejected(7, "opening-signature", "one bit of the signature")
def signature_changed(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.one_step)
    receipt["opening"]["signature"] = flip(receipt["opening"]["signature"])
    return receipt


@rejected(7, "opening-signature", "another nonce, under the old signature")
def record_changed(story: Story) -> dict[str, Any]:
    receipt = rebound(story, story.one_step, nonce=nonce(99))
    return receipt | {"opening": honest(story, story.one_step)["opening"]}


@rejected(7, "opening-signature", "signed for another log")
def signed_for_another_log(story: Story) -> dict[str, Any]:
    return signed(story, honest(story, story.one_step), story.one_step.record, origin="example.org/live")


@rejected(7, "opening-signature", "another place in the group")
def opening_at_another_place(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.one_step)
    receipt["opening"]["index"] = 0
    return receipt


@rejected(7, "opening-path", "a place outside the group")
def opening_outside_the_group(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.one_step)
    receipt["opening"]["index"] = 3
    return receipt


@rejected(7, "opening-path", "the path is one hash short")
def opening_path_short(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.one_step)
    receipt["opening"]["path"].pop()
    return receipt


@rejected(7, "opening-key", "a key that the log never announced")
def receipt_key_unknown(story: Story) -> dict[str, Any]:
    receipt = honest(story, story.one_step)
    receipt["opening"]["key_id"] = flip(receipt["opening"]["key_id"])
    return receipt


# Step 8: the labels.


def _labelled(story: Story, **labels: Any) -> dict[str, Any]:
    receipt = honest(story, story.one_step)
    receipt["protection"] |= labels
    return receipt


@rejected(8, "protection", "the receipt claims a ticket")
def claims_a_ticket(story: Story) -> dict[str, Any]:
    return _labelled(story, assignment="ticketed")


@rejected(8, "protection", "the receipt claims a seed that nobody knew")
def claims_a_fresh_seed(story: Story) -> dict[str, Any]:
    return _labelled(story, foreseen="fresh-seed")


@rejected(8, "protection", "the receipt claims witnesses, and the checkpoint carries no signature but the log's")
def claims_witnesses(story: Story) -> dict[str, Any]:
    return _labelled(story, content="beacon-witnessed")


@rejected(8, "protection", "the receipt denies the beacon")
def denies_the_beacon(story: Story) -> dict[str, Any]:
    return _labelled(story, content="none")


@rejected(8, "protection", "the receipt calls a real beacon a development beacon")
def claims_a_development_beacon(story: Story) -> dict[str, Any]:
    return _labelled(story, development_beacon=True)


# Step 9: the digest.


def _from_a_free_slot(story: Story, bind_time: int) -> dict[str, Any]:
    """Return the receipt of a draw from slot 5, of which the log knows nothing."""
    seed = bytes.fromhex(story.one_step.members["client_seed"])
    receipt = rebound(story, story.one_step, secrets=story.secrets_of(5, 1), slot=5, bind_time=bind_time)
    receipt["slot_path"] = [item.hex() for item in inclusion_path(story.levels, 5)]
    receipt["outcome"] = outcome_to_json(story.outcomes(5, 1, seed)[0])
    receipt["payouts_minor"] = ["188" if receipt["outcome"][0] < 5 else "0"]
    return receipt


@rejected(9, "promise-broken", "a draw of long ago, signed, that no digest has")
def in_no_digest(story: Story) -> dict[str, Any]:
    return _from_a_free_slot(story, story.one_step.members["bind_time"] - 60 * SECOND)


@rejected(9, "promise-broken", "a draw that no digest has, an hour later, while the log stands still", later_s=3600)
def log_stands_still(story: Story) -> dict[str, Any]:
    return _from_a_free_slot(story, story.one_step.members["bind_time"])


@rejected(9, "bind-time-ahead", "a draw of next year, signed: its digest is never late")
def bound_in_the_future(story: Story) -> dict[str, Any]:
    return _from_a_free_slot(story, story.one_step.members["bind_time"] + 365 * 86_400 * SECOND)


@rejected(9, "slot-taken", "a second draw of slots, with a better seed, of which the log knows nothing")
def slot_drawn_twice(story: Story) -> dict[str, Any]:
    seed = b"sixteen bytes it"
    receipt = rebound(story, story.batch, client_seed=seed.hex(), nonce=nonce(98))
    receipt["outcome"] = [value for values in story.outcomes(2, 2, seed) for value in values]
    receipt["slot_path"] = [item.hex() for item in range_path(story.levels, 2, 2)]
    receipt["protection"]["foreseen"] = "caller-seed"
    return receipt


@rejected(9, "slot-taken", "the draw of a slot that the log has as void")
def void_slot_drawn(story: Story) -> dict[str, Any]:
    receipt = rebound(story, story.batch, secrets=story.secrets_of(4, 1), slot=4, count=None)
    receipt["outcome"] = list(story.outcomes(4, 1, b"")[0])
    receipt["slot_path"] = [item.hex() for item in inclusion_path(story.levels, 4)]
    return receipt


@rejected(9, "slot-taken", "a second ticket for a slot, while the first is good")
def slot_ticketed_twice(story: Story) -> dict[str, Any]:
    members = story.ticket.members | {"nonce": nonce(97), "caller": "arcade"}
    return signed(story, honest(story, story.ticket), ticket_record(canonical.encode(members)))


def contents() -> dict[str, bytes]:
    """Return every file below the folder."""
    with tempfile.TemporaryDirectory() as scratch:
        story = Story(Path(scratch))
    files = {f"{item.name}.json": item.forge(story) for item in CATALOGUE}
    table = [
        {
            "file": f"{item.name}.json",
            "step": item.step,
            "reason": item.reason,
            "lie": item.lie,
            "now_us": story.digest.entry.time_us + item.later_s * SECOND,
        }
        for item in CATALOGUE
    ]
    return files | {"expected.json": (json.dumps(table, indent=1) + "\n").encode("ascii")}


def main() -> None:
    """Write the files, or compare them."""
    (check_files if "--check" in sys.argv[1:] else write_files)(FOLDER, contents())


if __name__ == "__main__":
    main()
