"""Receipts recompute from the vault's public keys and PROTOCOL.md alone: paths, signature, outcome, payout, labels."""

import hmac
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from front_world import ORIGIN, FrontWorld, said, seed, wager
from sealdraw.v1 import types_pb2

from anchor.merkle import root_from_inclusion
from anchor.range_path import root_from_range
from rng_service.errors import InvalidArgument, Unavailable


def lp(data):
    return len(data).to_bytes(4, "big") + data


def label(text):
    return lp(b"sealdraw/v1/" + text)


def secrets_of(receipt):
    start = receipt.record.rindex(b'"secrets":"') + len(b'"secrets":"')
    data = bytes.fromhex(receipt.record[start : receipt.record.index(b'"', start)].decode())
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def roulette_number(commit_entry, receipt, item, secret, client_seed):
    """Section 4 of PROTOCOL.md for one `uniform 37`, written down again from the text."""
    parts = [
        label(b"draw"),
        sha256(b"\x00" + commit_entry).digest(),
        (receipt.slot + item).to_bytes(8, "big"),
        lp(b""),
        lp(b"base"),
        lp(client_seed),
    ]
    key = hmac.digest(secret, b"".join(parts), "sha256")
    stream = b"".join(hmac.digest(key, block.to_bytes(4, "big"), "sha256") for block in range(40))
    return next(byte & 63 for byte in stream if byte & 63 < 37)


def check_receipt(world, receipt, client_seed=b"", stake=0, multiplier=None):
    ((size, root, commit, commit_index, activate_index),) = world.rows(
        "SELECT size, slot_root, commit_entry, commit_index, activate_index FROM pools "
        f"WHERE pool_id = '{receipt.pool_id}'"
    )
    assert (receipt.commit_index, receipt.activate_index) == (commit_index, activate_index)
    opened = secrets_of(receipt)
    assert len(opened) == receipt.count == len(receipt.values)
    leaves = [
        sha256(
            b"\x00" + label(b"slot") + lp(receipt.pool_id.encode()) + (receipt.slot + item).to_bytes(8, "big") + secret
        ).digest()
        for item, secret in enumerate(opened)
    ]
    if receipt.count == 1:
        found = root_from_inclusion(receipt.slot, size, leaves[0], list(receipt.slot_path))
    else:
        found = root_from_range(size, receipt.slot, leaves, list(receipt.slot_path))
    assert found == bytes(root)
    numbers = [roulette_number(bytes(commit), receipt, item, secret, client_seed) for item, secret in enumerate(opened)]
    assert list(receipt.values) == numbers
    if multiplier is not None:
        assert list(receipt.payouts_minor) == [stake * multiplier(number) for number in numbers]
    check_signature(world, receipt.record, receipt.opening)


def check_signature(world, record, opening):
    digest = sha256(b"\x00" + record).digest()
    root = root_from_inclusion(opening.index, opening.size, digest, list(opening.path))
    (key,) = [key.public_key for key in world.core.receipt_keys.listed if key.key_id == opening.key_id]
    assert sha256(key).hexdigest()[:16] == opening.key_id
    Ed25519PublicKey.from_public_bytes(key).verify(opening.signature, label(b"opening") + lp(ORIGIN.encode()) + root)


def labels(receipt):
    said_labels = receipt.protection
    return said_labels.content, said_labels.assignment, said_labels.foreseen, said_labels.development_beacon


@pytest.fixture
def service(sqlite_world):
    sqlite_world.add_pool(37)
    return sqlite_world.service()


@pytest.mark.parametrize("size", [0, 16, 32, 64])
def test_a_draw_recomputes_with_every_size_of_seed(sqlite_world, service, size):
    client_seed = bytes(range(size))
    for _ in range(5):
        receipt = service.draw(sqlite_world.draw_request(client_seed=client_seed), "server", 5).receipt
        check_receipt(sqlite_world, receipt, client_seed)
        assert said(receipt).get("client_seed", "") == client_seed.hex()
        assert labels(receipt) == ("none", "steerable", "caller-seed" if size else "operator-foreseeable", False)
        assert not receipt.payouts_minor


@pytest.mark.parametrize("count", [1, 2, 3, 16, 30, 37])
def test_a_batch_recomputes_for_every_shape_of_range(sqlite_world, service, count):
    if count < 30:
        service.draw(sqlite_world.draw_request(), "server", 5)
    client_seed = seed()
    request = sqlite_world.batch_request(count, client_seed=client_seed, wager=wager(7))
    (receipt,) = service.batch_draw(request, "server", 5).receipts
    reds = {1, 3, 5, 7, 9, 12, 14, 16, 18, 19, 21, 23, 25, 27, 30, 32, 34, 36}
    check_receipt(sqlite_world, receipt, client_seed, 7, lambda number: 2 * (number in reds))


def test_every_receipt_of_a_group_has_its_own_place_under_one_signature(sqlite_world, service):
    requests = [sqlite_world.draw_request(wager=wager()) for _ in range(20)]
    with ThreadPoolExecutor(20) as threads:
        receipts = [answer.receipt for answer in threads.map(lambda r: service.draw(r, "server", 20), requests)]
    for receipt in receipts:
        check_receipt(sqlite_world, receipt)
    groups = {}
    for receipt in receipts:
        groups.setdefault(receipt.opening.signature, []).append(receipt.opening)
    for openings in groups.values():
        assert sorted(opening.index for opening in openings) == list(range(openings[0].size))


def test_a_ticket_and_the_draw_on_it_recompute(sqlite_world, service):
    client_seed = seed()
    promised = service.reserve(sqlite_world.reserve_request(client_seed), "server", 5)
    ticket = promised.ticket
    check_signature(sqlite_world, ticket.record, ticket.opening)
    ((root, size),) = sqlite_world.rows("SELECT slot_root, size FROM pools")
    leaves = (sqlite_world.public / "leaves" / f"{ticket.pool_id}.bin").read_bytes()
    leaf = leaves[32 * ticket.slot : 32 * ticket.slot + 32]
    assert root_from_inclusion(ticket.slot, size, leaf, list(ticket.slot_path)) == bytes(root)
    assert labels(ticket) == ("none", "steerable", "operator-foreseeable", False)
    request = sqlite_world.draw_request(client_seed=client_seed, ticket_hash=promised.ticket_hash)
    receipt = service.draw(request, "server", 5).receipt
    check_receipt(sqlite_world, receipt, client_seed)
    assert labels(receipt) == ("none", "ticketed", "fresh-seed", False)
    assert sha256(client_seed).hexdigest() == said(receipt.__class__(record=receipt.ticket_record))["client_seed_hash"]


def test_the_binding_says_what_was_asked_for_and_nothing_else(sqlite_world, service):
    receipt = service.draw(
        sqlite_world.draw_request(session="table:1", wager=wager(5, ' { "bet" : "red" } ')), "server", 5
    ).receipt
    binding = said(receipt)
    for field in ("request", "payload", "nonce", "bind_time"):
        binding.pop(field)
    assert binding == {
        "bet": {"bet": "red"},
        "caller": "server",
        "currency": "EUR",
        "pool": receipt.pool_id,
        "program": "base",
        "session": "table:1",
        "session_seq": 1,
        "slot": 0,
        "stake_minor": 5,
        "v": 1,
    }


def test_a_stake_whose_top_prize_is_no_amount_is_refused_before_a_slot_is_bound(tmp_path):
    world = FrontWorld(tmp_path, game="dice-99")
    world.add_pool()
    service = world.service()
    bet = '{"bet":"over","threshold":9998}'
    most = (2**53 - 1) // 9_900
    with pytest.raises(InvalidArgument) as caught:
        service.draw(world.draw_request(wager=wager(most + 1, bet)), "server", 5)
    assert [field for field, _ in caught.value.violations] == ["wager.stake_minor"]
    assert world.rows("SELECT next_slot FROM pools") == [(0,)]
    receipt = service.draw(world.draw_request(wager=wager(most, bet)), "server", 5).receipt
    assert list(receipt.payouts_minor) in ([0], [9_900 * most])
    world.close()


def test_play_for_fun_has_its_own_stream(sqlite_world, service):
    sqlite_world.add_stream("free")
    with pytest.raises(Unavailable, match="no sealed and activated pool"):
        service.draw(sqlite_world.draw_request(play_class=types_pb2.PLAY_CLASS_FREE), "server", 5)
