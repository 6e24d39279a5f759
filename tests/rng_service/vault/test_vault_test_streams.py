"""Test-only streams: one at a time, bounded, numbered within their generator, and never from the state of a key."""

import pytest

from rng_service.vault.drbg import MAX_BYTES_PER_REQUEST, CtrDrbg
from rng_service.vault.errors import DrbgError, VaultRefusedError
from rng_service.vault.test_streams import BYTES_PER_SECOND, MAX_STREAM_BYTES, Seeded, TestStreams


class Generators:
    """What the vault's generator is to streams: an instance that may be replaced, and a seed for each stream."""

    def __init__(self):
        self.instance = "first"
        self.now_s = 0.0
        self.streams = TestStreams(self.waited, lambda: self.now_s)
        self.pauses = []
        self.given = []

    def waited(self, seconds):
        self.pauses.append(seconds)

    def seed(self):
        number = self.streams.next_number(self.instance)
        generator = CtrDrbg(bytes([number]) * 32, bytes(16), self.instance.encode())
        self.given.append(generator)
        return Seeded(generator, number, self.instance, 1)

    def read(self, size):
        return list(self.streams.read(self.seed, size))


def test_a_stream_comes_in_parts_at_a_pace_and_its_generator_is_gone_afterwards():
    generators = Generators()
    size = MAX_BYTES_PER_REQUEST + 10
    parts = generators.read(size)
    assert [len(part.data) for part in parts] == [MAX_BYTES_PER_REQUEST, 10]
    assert sum(generators.pauses) == pytest.approx(size / BYTES_PER_SECOND)
    assert generators.streams.given_bytes == size
    with pytest.raises(DrbgError, match="uninstantiated"):
        generators.given[0].generate(1)


def test_streams_count_from_one_in_each_instance_of_the_generator():
    generators = Generators()
    assert [generators.read(1)[0].number for _ in range(3)] == [1, 2, 3]
    generators.instance = "second"
    assert [generators.read(1)[0].number for _ in range(2)] == [1, 2]
    assert generators.streams.streams == 5


def test_a_stream_that_could_not_be_seeded_takes_no_number():
    generators = Generators()

    def refuse():
        raise VaultRefusedError("entropy-failed", "the source failed")

    with pytest.raises(VaultRefusedError, match="the source failed"):
        list(generators.streams.read(refuse, 1))
    assert generators.read(1)[0].number == 1


def test_one_stream_is_given_at_a_time_and_one_that_is_left_early_makes_room():
    generators = Generators()
    first = generators.streams.read(generators.seed, 1 << 20)
    next(first)
    with pytest.raises(VaultRefusedError, match="test-stream-busy"):
        next(generators.streams.read(generators.seed, 1))
    first.close()
    assert generators.read(1)[0].number == 2


def test_a_reader_that_stands_still_keeps_nobody_out_for_ever():
    generators = Generators()
    slow = generators.streams.read(generators.seed, 1 << 20)
    next(slow)
    generators.now_s += 600
    with pytest.raises(VaultRefusedError, match="test-stream-busy"):
        next(generators.streams.read(generators.seed, 1))
    generators.now_s += 1
    other = generators.streams.read(generators.seed, 1 << 20)
    assert next(other).number == 2
    with pytest.raises(VaultRefusedError, match="test-stream-slow"):
        next(slow)
    # That it has ended takes nothing away from the one that came after it.
    assert next(other).number == 2
    with pytest.raises(VaultRefusedError, match="test-stream-busy"):
        next(generators.streams.read(generators.seed, 1))


@pytest.mark.parametrize("size", [0, -1, MAX_STREAM_BYTES + 1])
def test_a_stream_of_no_size_or_of_more_than_a_gibibyte_is_refused(size):
    with pytest.raises(VaultRefusedError, match="test-stream-size"):
        Generators().read(size)
