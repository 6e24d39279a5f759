"""A fake draw service for game developers: forced outcomes and failures, the real rules, and no protection."""

from rng_service.fake.script import play_script
from rng_service.fake.server import FakeServer

__all__ = ["FakeServer", "play_script"]
