"""The public directory goes away: games go on, answers are checked when it is back, and a lie still stops them."""

import pytest
from client_world import CALLER, DICE, UNDER, OperatorService, ServedOperator, StillTime, serve

from anchor.source import DirectorySource
from rng_service.client import BadReceiptError, Client, MemoryJournal, TicketedSession, UnverifiedError, Wager
from rng_service.client.log_cache import read_cache

WAGER = Wager(100, "EUR", UNDER)


class World:
    """An operator whose public directory can be taken away and brought back."""

    def __init__(self, directory):
        self.operator = ServedOperator(directory / "public")
        self.service = OperatorService(self.operator)
        self.server, self.target = serve(self.service)
        self.time = StillTime()
        self.hidden = directory / "hidden"
        self.clients = []

    def connect(self, **options):
        settings = {
            "caller": CALLER,
            "journal": MemoryJournal(),
            "development": True,
            "public": self.operator.directory,
            "vkey": self.operator.vkey,
            "verify": "inline",
            "patience_s": 10,
            "surroundings": self.time.surroundings(now_us=lambda: self.operator.now_us),
        }
        self.clients.append(Client(self.target, **(settings | options)))
        return self.clients[-1]

    def hide(self):
        self.operator.directory.rename(self.hidden)
        # The directory is there, and empty: a web server that answers nothing but errors.
        self.operator.directory.mkdir()

    def show(self):
        self.operator.directory.rmdir()
        self.hidden.rename(self.operator.directory)
        self.time.now_s += 60

    def close(self):
        for client in self.clients:
            client._release()
        self.server.stop(None).wait()


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def test_draws_go_on_without_the_public_directory_and_are_checked_when_it_is_back(world):
    told = []
    client = world.connect(on_outage=told.append)
    world.hide()
    receipts = [client.draw(*DICE, session="evening", wager=WAGER) for _ in range(3)]
    assert all(receipt.outcomes for receipt in receipts)
    assert [found.waiting for found in told] == [1]
    assert client.unverified.waiting == 3
    with pytest.raises(UnverifiedError, match="3 answers are unverified since 2023"):
        client.check()
    world.show()
    client.check()
    assert client.unverified is None


def test_pools_and_keys_that_are_known_need_no_public_directory(world):
    client = world.connect()
    client.draw(*DICE)
    world.hide()
    client.draw(*DICE)
    client.check()
    assert world.time.pauses == []


def test_an_operator_that_lies_during_an_outage_is_found_out_afterwards(world):
    client = world.connect()
    world.hide()
    world.service.tamper = lambda message: message.receipt.payouts_minor.__setitem__(0, 77)
    client.draw(*DICE, wager=WAGER)
    world.show()
    with pytest.raises(BadReceiptError, match="payouts"):
        client.draw(*DICE, wager=WAGER)
    assert len(world.service.answers) == 1


def test_an_operator_that_lies_during_an_outage_about_what_is_known_is_found_out_at_once(world):
    client = world.connect()
    client.draw(*DICE, wager=WAGER)
    world.hide()
    world.service.tamper = lambda message: message.receipt.payouts_minor.__setitem__(0, 77)
    with pytest.raises(BadReceiptError, match="payouts"):
        client.draw(*DICE, wager=WAGER)


@pytest.mark.parametrize("verify", ["inline", "background"])
def test_tickets_are_drawn_unchecked_in_an_outage_and_checked_afterwards(world, verify):
    client = world.connect(verify=verify, patience_s=0)
    world.hide()
    session = TicketedSession(client, *DICE, session="evening")
    assert session.draw(wager=WAGER).protection.assignment == "ticketed"
    world.show()
    client.close()
    assert client.unverified is None


def test_with_stop_nothing_is_drawn_until_the_public_directory_is_back_but_questions_are_answered(world):
    client = world.connect(outage="stop")
    world.hide()
    # The draw in which the outage is noticed was made, so its outcome is handed over.
    made = client.draw(*DICE).request_id
    with pytest.raises(UnverifiedError):
        client.draw(*DICE)
    with pytest.raises(UnverifiedError):
        client.settle(made, bettor=b"b" * 32, stake_minor=1, payout_minor=0, currency="EUR")
    assert len(world.service.answers) == 1
    world.show()
    assert client.draw(*DICE).outcomes
    assert client.resolve(made).bound


def test_a_client_that_is_closed_in_an_outage_says_that_answers_are_unverified(world):
    client = world.connect(verify="background")
    world.hide()
    client.draw(*DICE)
    with pytest.raises(UnverifiedError, match="1 answers"):
        client.close()
    assert client.unverified.waiting == 1


# What is kept of the log between two runs.


def read_paths(monkeypatch):
    real, paths = DirectorySource.read, []

    def read(self, path, *, limit):
        paths.append(path)
        return real(self, path, limit=limit)

    monkeypatch.setattr(DirectorySource, "read", read)
    return paths


def long_log(operator, digests):
    for _ in range(digests):
        operator.tick(1)
        operator.digest()
    operator.publish()


def test_the_second_start_reads_only_what_is_new_of_a_long_log(world, tmp_path, monkeypatch):
    cache = tmp_path / "journal" / "requests.log-cache"
    long_log(world.operator, 1_000)
    world.connect(log_cache=cache).draw(*DICE)
    world.operator.tick(1)
    world.operator.rotate_receipt_key()
    paths = read_paths(monkeypatch)
    assert world.connect(log_cache=cache).draw(*DICE).outcomes
    bundles = {path for path in paths if path.startswith("tile/entries/")}
    # That of the pool's commitment and activation, and the newest one.
    assert len(bundles) == 2
    again = read_cache(cache)
    assert again.next == len(world.operator.entries)


def test_what_is_kept_holds_no_seed_and_no_outcome(world, tmp_path):
    cache = tmp_path / "log-cache"
    client = world.connect(log_cache=cache)
    ticket = client.reserve(*DICE)
    receipt = client.draw(*DICE, ticket=ticket)
    data = cache.read_bytes()
    assert ticket.seed.hex().encode() not in data
    assert receipt.record.secrets.hex().encode() not in data


def test_a_log_that_was_rewritten_between_two_runs_is_noticed(world, tmp_path):
    cache = tmp_path / "log-cache"
    long_log(world.operator, 3)
    world.connect(log_cache=cache).draw(*DICE)
    # The same keys, and a history that went on differently.
    other = World(tmp_path / "other")
    other.operator.tick(1)
    long_log(other.operator, 5)
    client = other.connect(log_cache=cache)
    with pytest.raises(BadReceiptError, match="consistency"):
        client.draw(*DICE)
    other.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-2],
        lambda data: data.replace(b'"next":', b'"next":9'),
        lambda data: data.replace(b"client-log@v1", b"client-log@v2"),
        lambda data: data.replace(b'"note":"', b'"note":"zz'),
        lambda data: data.replace(b'"note":"', b'"note":"00'),
        lambda data: data.replace(b'"type\\":\\"log.config', b'"type\\":\\"log.confix'),
        lambda data: data.replace(b'"commits":{', b'"commits":{"x":[1],'),
    ],
)
def test_a_cache_that_is_damaged_is_left_aside_and_written_anew(world, tmp_path, damage, caplog):
    cache = tmp_path / "log-cache"
    world.connect(log_cache=cache).draw(*DICE)
    good = cache.read_bytes()
    assert damage(good) != good
    cache.write_bytes(damage(good))
    assert world.connect(log_cache=cache).draw(*DICE).outcomes
    assert "of no use" in caplog.text
    assert cache.read_bytes() == good


def test_a_cache_of_another_log_is_left_aside(world, tmp_path, caplog):
    cache = tmp_path / "log-cache"
    world.connect(log_cache=cache).draw(*DICE)

    class Elsewhere(ServedOperator):
        def random(self, size):
            return super().random(size)[::-1]

    operator = Elsewhere(tmp_path / "elsewhere")
    server, target = serve(OperatorService(operator))
    world.target = target
    client = world.connect(log_cache=cache, public=operator.directory, vkey=operator.vkey)
    assert client.draw(*DICE).outcomes
    assert "of no use" in caplog.text
    server.stop(None).wait()


def test_a_cache_that_cannot_be_written_costs_only_time(world, tmp_path, caplog):
    (tmp_path / "occupied").write_bytes(b"")
    assert world.connect(log_cache=tmp_path / "occupied" / "log-cache").draw(*DICE).outcomes
    assert "cannot be written" in caplog.text


def test_a_ticket_that_cannot_be_checked_waits_for_the_end_of_an_outage_that_stops_the_game(world):
    client = world.connect(outage="stop")
    world.hide()
    session = TicketedSession(client, *DICE, session="evening")
    with pytest.raises(UnverifiedError):
        session.draw()
    kept = session.ticket
    world.show()
    assert session.draw().record.binding["ticket"] == kept.hash.hex()
