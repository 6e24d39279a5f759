"""Published plans: the document that an entry names, as it was when its bits did not exist yet."""

from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

from anchor.source import Source
from rng_service.public_files import plan_path
from rng_service.verify.fault import located, require

__all__ = ["read_plan"]

_Plan = TypeVar("_Plan")


def read_plan(source: Source, digest: bytes, parse: Callable[[bytes], _Plan], *, limit: int) -> _Plan:
    """Return the plan with this SHA-256; raises Fault ``plan-file``, ``file-missing``, ``malformed``."""
    path = plan_path(digest)
    with located(path=path):
        data = source.read(path, limit=limit)
        found = sha256(data).digest()
        require(found == digest, "plan-file", f"hashes to {found.hex()}, the log names {digest.hex()}")
        return parse(data)
