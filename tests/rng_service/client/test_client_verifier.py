"""The verifiers by themselves: what is remembered, what is set aside and tried again, and who checks when."""

import threading

import pytest
from client_world import StillTime

from anchor.errors import MissingError, VerificationError
from rng_service.client import BadReceiptError, UnverifiedError
from rng_service.client.judge import Claim, Rules
from rng_service.client.verifier import BackgroundVerifier, InlineVerifier, NoVerifier

KINDS = [InlineVerifier, BackgroundVerifier]


class Facts:
    """Counts how often the public files would have been asked; ``down`` says that they are missing."""

    def __init__(self):
        self.looks = self.asked = 0
        self.down = False
        self.unreachable = False

    def look_again(self):
        self.looks += 1
        self.unreachable = False

    def read(self):
        if self.unreachable:
            raise MissingError("checkpoint cannot be read")
        self.asked += 1
        if self.down:
            self.unreachable = True
            raise MissingError("checkpoint cannot be read")


def claim(check, request_id="id", received_us=0):
    return Claim(request_id, check, lambda: b"evidence", received_us)


def wrong(_facts):
    raise VerificationError("outcome", "seven instead of eight")


def reading(facts):
    facts.read()


def make(kind, time, facts=None, **rules):
    return kind(facts or Facts(), Rules(**rules), pause=time.pause, monotonic=lambda: time.now_s)


def submit(verifier, made):
    """Submit, and leave raising to the calls that the test is about."""
    try:
        verifier.submit(made)
    except BadReceiptError:
        assert isinstance(verifier, InlineVerifier)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_failure_is_kept_and_raised_by_everything_that_asks(kind):
    seen = []
    verifier = make(kind, StillTime(), on_bad=seen.append)
    first, second = claim(wrong, "first"), claim(wrong, "second")
    submit(verifier, first)
    submit(verifier, second)
    for ask in (verifier.drain, verifier.require_good, verifier.require_drawable, lambda: verifier.wait(second.done)):
        with pytest.raises(BadReceiptError) as caught:
            ask()
        assert caught.value.request_id == "first"
    verifier.close()
    verifier.close()
    assert [error.request_id for error in seen] == ["first", "second"]
    assert seen[0].evidence == b"evidence"


@pytest.mark.parametrize("kind", KINDS)
def test_a_check_that_breaks_counts_as_wrong_and_the_next_claim_is_still_checked(kind):
    verifier = make(kind, StillTime())
    checked = []

    def broken(_facts):
        raise RuntimeError("no such method")

    submit(verifier, claim(broken))
    submit(verifier, claim(checked.append))
    with pytest.raises(BadReceiptError, match=r"check-failed.*RuntimeError"):
        verifier.drain()
    verifier.close()
    assert len(checked) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_are_missing_are_asked_for_again_with_doubling_pauses(kind):
    time, tries = StillTime(), []

    def late(_facts):
        tries.append(1)
        if len(tries) < 9:
            raise MissingError("checkpoint cannot be read")

    verifier = make(kind, time, patience_s=1_000)
    verifier.submit(claim(late))
    verifier.drain()
    verifier.close()
    assert time.pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert verifier.unverified is None


def test_an_outage_is_told_once_and_the_game_goes_on():
    time, facts, told = StillTime(), Facts(), []
    verifier = make(InlineVerifier, time, facts, patience_s=10, on_outage=told.append)
    facts.down = True
    verifier.submit(claim(reading, received_us=1_700_000_000_000_000))
    assert time.now_s == 10
    verifier.submit(claim(reading, received_us=1_700_000_001_000_000))
    verifier.require_drawable()
    assert time.now_s == 10
    assert [(found.waiting, found.given_up, found.since_us) for found in told] == [(1, 0, 1_700_000_000_000_000)]
    with pytest.raises(UnverifiedError, match=r"2 answers are unverified since 2023-11-14T22:13:20.*cannot be read"):
        verifier.drain()
    assert verifier.unverified.waiting == 2


def test_what_was_set_aside_is_checked_when_the_files_are_back():
    time, facts, told = StillTime(), Facts(), []
    verifier = make(InlineVerifier, time, facts, patience_s=1, on_outage=told.append)
    facts.down = True
    for _ in range(3):
        verifier.submit(claim(reading))
    facts.down = False
    time.now_s += 60
    verifier.require_drawable()
    assert verifier.unverified is None
    verifier.drain()
    facts.down = True
    verifier.submit(claim(reading))
    assert len(told) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_receipt_that_was_set_aside_stops_the_game_when_it_is_found_out(kind):
    time, facts = StillTime(), Facts()

    def later_wrong(found):
        found.read()
        wrong(found)

    facts.down = True
    time.on_sleep = lambda: setattr(facts, "down", time.now_s < 5)
    verifier = make(kind, time, facts, patience_s=100)
    submit(verifier, claim(later_wrong))
    with pytest.raises(BadReceiptError, match="outcome"):
        verifier.drain()
    verifier.close()


def test_a_bad_receipt_is_found_beside_others_that_cannot_be_checked():
    time, facts = StillTime(), Facts()
    facts.down = True
    verifier = make(InlineVerifier, time, facts, patience_s=0)
    verifier.submit(claim(reading))
    with pytest.raises(BadReceiptError, match="outcome"):
        verifier.submit(claim(wrong))
    assert verifier.unverified.waiting == 1


def test_where_an_outage_shall_stop_the_game_nothing_is_drawn_until_it_is_over():
    time, facts = StillTime(), Facts()
    facts.down = True
    verifier = make(InlineVerifier, time, facts, patience_s=10, outage="stop")
    verifier.submit(claim(reading))
    assert time.now_s == 10
    with pytest.raises(UnverifiedError):
        verifier.require_drawable()
    verifier.require_good()
    facts.down = False
    time.now_s += 60
    verifier.require_drawable()
    assert verifier.unverified is None


def test_in_an_outage_each_round_asks_for_one_file_however_many_answers_wait():
    time, facts = StillTime(), Facts()
    facts.down = True
    verifier = make(InlineVerifier, time, facts, patience_s=0)
    for _ in range(100):
        verifier.submit(claim(reading))
    assert facts.asked == 1
    time.now_s += 60
    verifier.require_drawable()
    assert facts.asked == 2
    verifier.require_drawable()
    assert facts.asked == 2


def test_one_answer_whose_file_never_comes_does_not_keep_the_others_from_being_checked():
    time, facts, checked = StillTime(), Facts(), []

    def never(found):
        if not found.unreachable:
            found.unreachable = True
        raise MissingError("games/x.json cannot be read")

    def now(found):
        found.read()
        checked.append(1)

    facts.down = True
    verifier = make(InlineVerifier, time, facts, patience_s=0)
    verifier.submit(claim(never))
    verifier.submit(claim(now))
    facts.down = False
    for _ in range(2):
        time.now_s += 60
        verifier.require_drawable()
    assert checked == [1]
    assert verifier.unverified.waiting == 1


def test_of_more_answers_than_are_kept_the_oldest_are_given_up_and_that_is_never_forgotten():
    time, facts = StillTime(), Facts()
    facts.down = True
    verifier = make(InlineVerifier, time, facts, patience_s=0, most_unverified=3)
    made = [claim(reading, str(number), 1_000_000 * (number + 1)) for number in range(5)]
    for one in made:
        verifier.submit(one)
    found = verifier.unverified
    assert (found.waiting, found.given_up, found.since_us) == (3, 2, 1_000_000)
    facts.down = False
    time.now_s += 60
    verifier.require_drawable()
    assert verifier.unverified.waiting == 0
    with pytest.raises(UnverifiedError, match="2 more will never be"):
        verifier.drain()


def test_a_callback_that_fails_does_not_hide_the_outage():
    facts = Facts()
    facts.down = True

    def fail(_found):
        raise RuntimeError("the pager is broken")

    verifier = make(InlineVerifier, StillTime(), facts, patience_s=0, on_outage=fail)
    verifier.submit(claim(reading))
    with pytest.raises(UnverifiedError):
        verifier.drain()


def test_a_background_verifier_that_is_closed_in_an_outage_tries_within_the_patience_and_ends():
    time, facts = StillTime(), Facts()
    facts.down = True
    verifier = make(BackgroundVerifier, time, facts, patience_s=20)
    verifier.submit(claim(reading))
    verifier.close()
    assert time.now_s >= 20
    with pytest.raises(UnverifiedError):
        verifier.drain()


@pytest.mark.parametrize("rules", [{"outage": "ignore"}, {"patience_s": -1}, {"most_unverified": 0}])
def test_rules_that_make_no_sense_are_refused(rules):
    with pytest.raises(ValueError, match=r"outage|patience_s"):
        Rules(**rules)


def test_answers_that_wait_hold_up_the_caller_and_none_is_dropped():
    gate, checked = threading.Event(), []

    def slow(_facts):
        gate.wait()
        checked.append(1)

    time = StillTime()
    verifier = BackgroundVerifier(Facts(), Rules(), most_waiting=2, pause=time.pause, monotonic=lambda: time.now_s)
    caller = threading.Thread(target=lambda: [verifier.submit(claim(slow)) for _ in range(6)])
    caller.start()
    gate.set()
    caller.join()
    verifier.drain()
    verifier.close()
    assert len(checked) == 6


def test_an_answer_that_comes_after_the_close_is_checked_by_its_caller():
    verifier = make(BackgroundVerifier, StillTime())
    verifier.close()
    made = claim(wrong)
    verifier.submit(made)
    with pytest.raises(BadReceiptError):
        verifier.wait(made.done)


def test_who_verifies_nothing_keeps_nobody_waiting():
    verifier = NoVerifier()
    made = claim(wrong)
    verifier.submit(made)
    verifier.wait(made.done)
    verifier.drain()
    verifier.require_good()
    verifier.require_drawable()
    verifier.close()
    assert made.done.is_set()
    assert verifier.unverified is None
