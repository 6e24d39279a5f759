"""The chain of digests: dense, linked, each with its file, and never longer apart than was promised."""

from itertools import pairwise

from anchor.errors import VerificationError
from anchor.merkle import root_of
from anchor.source import Source
from rng_service.log_entries import NO_DIGEST, Digest, RecordRange
from rng_service.records.digest import MAX_DIGEST_ENTRY
from rng_service.verify.clock import MICROSECONDS, LogClock
from rng_service.verify.fault import located, read_exactly, require
from rng_service.verify.outages import Outage
from rng_service.verify.registry import Registry


class DigestChain:
    """Checks digests one after the other (PROTOCOL.md, section 9)."""

    def __init__(self, registry: Registry, source: Source) -> None:
        self._registry = registry
        self._source = source
        self._prev = NO_DIGEST
        self._time_us: int | None = None
        self.clock = LogClock()
        self.outages: list[Outage] = []
        self.next_seq = 0
        self.records = dict.fromkeys(("draw", "settle", "ticket", "void"), 0)

    @property
    def newest_us(self) -> int | None:
        """The time that the newest digest states."""
        return self._time_us

    def take(self, leaf: bytes, size: int, entry: Digest, *, admitted: bool = False) -> bytes:
        """Check the next digest, whose entry has ``size`` bytes and leaf hash ``leaf``; return its file.

        ``admitted`` says that the operator owned up to an outage since the last one.
        """
        config = self._registry.require_config()
        require(entry.seq == self.next_seq, "digest-seq", f"expected digest {self.next_seq}, found {entry.seq}")
        require(
            entry.prev == self._prev,
            "digest-chain",
            f"digest {entry.seq} names {entry.prev.hex()} before it, that is {self._prev.hex()}",
        )
        require(size <= MAX_DIGEST_ENTRY, "digest-size", f"{size} bytes, at most {MAX_DIGEST_ENTRY} are allowed")
        # The first counts from the log's beginning: nothing may be dated back by never starting the clock.
        before_us = config.time_us if self._time_us is None else self._time_us
        # A digest of an earlier time than the one before has a negative gap; the clock refuses it below.
        gap_us = entry.time_us - before_us
        require(
            admitted or gap_us <= config.heartbeat_s * MICROSECONDS,
            "digest-heartbeat",
            f"digest {entry.seq} comes {gap_us} microseconds after the one before (or the log's beginning), "
            f"promised was one each {config.heartbeat_s} seconds",
        )
        if admitted:
            self.outages.append(Outage(entry.seq, before_us, entry.time_us))
        if entry.beacon is not None:
            require(
                entry.beacon.chain in self._registry.chains,
                "beacon-chain",
                f"digest {entry.seq} names a chain that the log does not",
            )
        if entry.beacon is None:
            self.clock.digest(entry.time_us)
        else:
            self.clock.digest(entry.time_us, entry.beacon.chain, entry.beacon.round)
        check_digest_form(entry)
        data = read_digest_file(self._source, entry)
        self._prev, self._time_us, self.next_seq = leaf, entry.time_us, entry.seq + 1
        for kind in self.records:
            self.records[kind] += getattr(entry.counts, kind)
        return data


def read_digest_file(source: Source, entry: Digest) -> bytes:
    """Return a digest's record digests; raises Fault ``digest-file`` unless they are the tree of its root."""
    if not entry.counts.total:
        # A heartbeat's file is empty; a server that stores no empty files still serves the whole log.
        require(entry.root == root_of([]), "digest-file", f"digest {entry.seq} is empty, its root is not")
        return b""
    with located(path=entry.path):
        data = read_exactly(source, entry.path, 32 * entry.counts.total, "digest-file")
        leaves = [data[at : at + 32] for at in range(0, len(data), 32)]
        found = root_of(leaves)
        require(found == entry.root, "digest-file", f"folds to {found.hex()}, the digest has {entry.root.hex()}")
        require(len(set(leaves)) == len(leaves), "digest-repeated", "the same record stands in it twice")
    return data


def check_digest_form(entry: Digest) -> None:
    """Check that the counts are those of the ranges, and the ranges sorted, apart, and of records of equal width.

    Raises VerificationError ``digest-counts``, ``digest-ranges``.
    """
    _check_counts(entry)
    _check_ranges(entry.ranges)


def _check_counts(entry: Digest) -> None:
    counted = dict.fromkeys(("draw", "settle", "ticket", "void"), 0)
    for item in entry.ranges:
        counted[item.kind] += item.records
    for kind, number in counted.items():
        stated = getattr(entry.counts, kind)
        require(
            stated == number,
            "digest-counts",
            f"digest {entry.seq} counts {stated} of kind {kind}, its ranges have {number}",
        )


def _check_ranges(ranges: tuple[RecordRange, ...]) -> None:
    for item in ranges:
        require(
            item.slots is None or item.slots % item.records == 0,
            "digest-ranges",
            f"{item.pool}: {item.records} records of kind {item.kind} cannot have {item.slots} slots in equal parts",
        )
    for before, after in pairwise(ranges):
        first = (before.pool.encode("ascii"), before.kind)
        second = (after.pool.encode("ascii"), after.kind)
        if first < second:
            continue
        if first > second or before.slot is None or before.slots is None or after.slot is None:
            raise VerificationError("digest-ranges", "the ranges are not sorted by pool, kind and slot")
        end = before.slot + before.slots
        require(
            end < after.slot or (end == after.slot and before.width != after.width),
            "digest-ranges",
            f"{after.pool}: two ranges of kind {after.kind} are one, overlap or stand in the wrong order",
        )
