"""Which game versions there are, and the lanes of their streams (PROTOCOL.md, section 5)."""

from dataclasses import dataclass
from typing import ClassVar

from rng_service.entry_fields import Hash, Name, Names, Positive, StreamText
from rng_service.log_entries.base import Entry


@dataclass(frozen=True, kw_only=True)
class GameRegistration(Entry):
    """A game version and the digest of its definition, for ever."""

    TYPE: ClassVar[str] = "game.register"

    game: Name
    version: Positive
    digest: Hash
    programs: Names


@dataclass(frozen=True, kw_only=True)
class StreamLanes(Entry):
    """How many lanes a stream has from here on."""

    TYPE: ClassVar[str] = "stream.lanes"

    stream: StreamText
    lanes: Positive


@dataclass(frozen=True, kw_only=True)
class GamePar(Entry):
    """The PAR sheet of a registered game version: SHA-256 of its JSON and of its page."""

    TYPE: ClassVar[str] = "game.par"

    game: Name
    version: Positive
    digest: Hash
    sheet: Hash
    page: Hash
