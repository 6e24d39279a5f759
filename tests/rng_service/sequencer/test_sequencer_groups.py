from rng_service.sequencer.groups import StoredGroup, StoredRecord, independent_batches


def group(number, *records):
    stored = tuple(
        StoredRecord(number * 10 + place, 1, slot, 1, kind, b"", {"ticket": "aa"} if on_ticket else {})
        for place, (kind, slot, on_ticket) in enumerate(records)
    )
    return StoredGroup(number, "key", stored)


def batches(*groups):
    return [[item.id for item in batch] for batch in independent_batches(groups)]


def test_groups_without_tickets_are_one_batch():
    assert batches(group(1, ("draw", 0, False)), group(2, ("draw", 1, False))) == [[1, 2]]
    assert batches() == []


def test_what_follows_from_a_ticket_of_the_batch_begins_another():
    first, other = group(1, ("ticket", 0, False)), group(2, ("draw", 1, False))
    assert batches(first, other, group(3, ("draw", 0, True)), group(4, ("draw", 2, False))) == [[1, 2], [3, 4]]
    assert batches(first, group(3, ("void", 0, True))) == [[1], [3]]


def test_what_follows_from_a_ticket_of_an_earlier_digest_does_not():
    assert batches(group(1, ("draw", 5, False)), group(2, ("draw", 0, True))) == [[1, 2]]
