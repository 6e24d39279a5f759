"""What the packages for game developers promise to export."""

import rng_service.client
import rng_service.fake


def test_the_public_names_are_sorted_and_exist():
    for package in (rng_service.client, rng_service.fake):
        assert list(package.__all__) == sorted(package.__all__)
        assert all(hasattr(package, name) for name in package.__all__)


def test_secrets_are_not_shown_when_values_are_printed():
    entry = rng_service.client.JournalEntry("id", "Reserve", b"request", b"client seed")
    assert "client seed" not in repr(entry)
    assert "request=" not in repr(entry)
