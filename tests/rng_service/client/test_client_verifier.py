"""The verifiers by themselves: what is remembered, what is waited for, and who checks when."""

import threading

import pytest
from client_world import StillTime

from anchor.errors import MissingError, VerificationError
from rng_service.client import BadReceiptError
from rng_service.client.verifier import BackgroundVerifier, Claim, InlineVerifier, NoVerifier

KINDS = [InlineVerifier, BackgroundVerifier]


def claim(check, request_id="id"):
    return Claim(request_id, check, lambda: b"evidence")


def wrong(_facts):
    raise VerificationError("outcome", "seven instead of eight")


def make(kind, time, **options):
    return kind(None, sleep=time.sleep, monotonic=lambda: time.now_s, **options)


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
    for ask in (verifier.drain, verifier.require_good, lambda: verifier.wait(second)):
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
    assert checked == [None]


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


def test_answers_that_wait_hold_up_the_caller_and_none_is_dropped():
    gate, checked = threading.Event(), []

    def slow(_facts):
        gate.wait()
        checked.append(1)

    verifier = make(BackgroundVerifier, StillTime(), most_waiting=2)
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
        verifier.wait(made)


def test_who_verifies_nothing_keeps_nobody_waiting():
    verifier = NoVerifier()
    made = claim(wrong)
    verifier.submit(made)
    verifier.wait(made)
    verifier.drain()
    verifier.require_good()
    verifier.close()
    assert made.done.is_set()
