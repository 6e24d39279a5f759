"""`make soak`: kill -9 of everything in turn, hundreds of times, with the invariants checked every few rounds."""

import os
import random

import pytest
from system import NAMES, System

# `make soak` sets it; without it the soak is not run.
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "0"))
ROUNDS_A_CHECK = 25


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.skipif(not ROUNDS, reason="hundreds of rounds: make soak")
def test_hundreds_of_kills_at_random_moments_lose_nothing():
    choice = random.Random(os.environ.get("SOAK_SEED", "soak"))
    with System() as system:
        load = system.begin(operator=True)
        for number in range(1, ROUNDS + 1):
            system.strike(load, choice.choice([*NAMES, "tree"]), choice)
            if number % ROUNDS_A_CHECK and number < ROUNDS:
                continue
            load.await_answers(10)
            system.settle_down()
            report = system.check()
            answers = sum(len(item.answers) for item in system.loads)
            print(f"{number} of {ROUNDS} rounds: {answers} answers, {report.size} log entries, everything holds")  # noqa: T201 - for whoever waits
            if number < ROUNDS:
                system.start()
                load = system.load(seed=number, operator=True)
