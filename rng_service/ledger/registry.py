"""The register of games: which definitions stand behind which versions, and the streams that pools are made for."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from anchor.errors import AnchorError
from rng_service.errors import InvalidArgument
from rng_service.games import GameDefinition, parse_game
from rng_service.games.files import GameFiles
from rng_service.ledger.documents import add_documents
from rng_service.ledger.models import GameRow, StreamRow
from rng_service.ledger.sequencing import append_entry, log_time_us
from rng_service.log_entries import GamePar, GameRegistration, StreamLanes
from rng_service.names import Stream
from rng_service.pools.slots import MAX_POOL_SIZE
from rng_service.public_files import par_paths

__all__ = ["MAX_LANES", "ParSheet", "Registration", "register_game"]

MAX_LANES = 256


class ParSheet(NamedTuple):
    """The PAR sheet of a definition: canonical JSON, and the page made from it."""

    sheet: bytes
    page: bytes


class Registration(NamedTuple):
    """A registered game; ``added`` is False when exactly this definition was registered before."""

    definition: GameDefinition
    added: bool


def register_game(
    connection: Connection,
    data: bytes,
    *,
    origin: str,
    now_us: int,
    play_classes: Sequence[str] = (),
    lanes: int = 1,
    pool_size: int,
    par: ParSheet | None = None,
    files: GameFiles | None = None,
) -> Registration:
    """Register the game definition ``data`` and its streams; durable with the caller's transaction.

    One stream for each program and play class (those of ``play_classes`` that the program allows; all when it is
    empty). The same definition again changes nothing. The sequencer writes the public file and the log entries that
    this queues, and publishes ``par`` with them. Raises InvalidArgument for a definition that does not hold, and when
    the version stands for another.
    """
    _check(lanes, pool_size)
    try:
        definition = parse_game(data, files)
    except AnchorError as error:
        raise InvalidArgument(("definition", str(error))) from None
    known = connection.execute(
        select(GameRow.digest).where(GameRow.name == definition.game, GameRow.version == definition.version)
    ).scalar_one_or_none()
    if known is not None:
        if known != definition.digest:
            problem = (
                f"{definition.game} version {definition.version} is registered as {known.hex()} for ever; "
                f"another definition ({definition.digest.hex()}) needs another version"
            )
            raise InvalidArgument(("definition", problem))
        return Registration(definition, added=False)
    streams = _streams(definition, play_classes)
    # The clock of this machine may be behind that of the sequencer's.
    now_us = max(now_us, log_time_us(connection))
    game_id = connection.execute(
        insert(GameRow)
        .values(
            name=definition.game,
            version=definition.version,
            digest=definition.digest,
            definition=definition.canonical,
            retired_us=None,
        )
        .returning(GameRow.id)
    ).scalar_one()
    append_entry(
        connection,
        GameRegistration(
            origin=origin,
            time_us=now_us,
            game=definition.game,
            version=definition.version,
            digest=definition.digest,
            programs=tuple(sorted(definition.programs)),
        ),
    )
    if par is not None:
        _add_par(connection, definition, par, origin=origin, now_us=now_us)
    for stream in streams:
        deal_size = definition.program(stream.program).deal_size
        connection.execute(
            insert(StreamRow).values(
                deal=bool(deal_size),
                game_id=game_id,
                program=stream.program,
                play_class=stream.play_class,
                lanes=lanes,
                # A deal has as many slots as tickets, whatever was asked for.
                pool_size=deal_size or pool_size,
            )
        )
        append_entry(connection, StreamLanes(origin=origin, time_us=now_us, stream=str(stream), lanes=lanes))
    return Registration(definition, added=True)


def _add_par(connection: Connection, definition: GameDefinition, par: ParSheet, *, origin: str, now_us: int) -> None:
    sheet_path, page_path = par_paths(definition.digest)
    add_documents(connection, {sheet_path: par.sheet, page_path: par.page})
    append_entry(
        connection,
        GamePar(
            origin=origin,
            time_us=now_us,
            game=definition.game,
            version=definition.version,
            digest=definition.digest,
            sheet=sha256(par.sheet).digest(),
            page=sha256(par.page).digest(),
        ),
    )


def _check(lanes: int, pool_size: int) -> None:
    if not 1 <= lanes <= MAX_LANES:
        raise InvalidArgument(("lanes", f"expected 1 to {MAX_LANES}, found {lanes}"))
    if not 1 <= pool_size <= MAX_POOL_SIZE:
        raise InvalidArgument(("pool_size", f"expected 1 to {MAX_POOL_SIZE}, found {pool_size}"))


def _streams(definition: GameDefinition, play_classes: Sequence[str]) -> list[Stream]:
    streams = [
        Stream(definition.game, definition.version, program.program_id, play_class)
        for _, program in sorted(definition.programs.items())
        for play_class in program.play_classes
        if not play_classes or play_class in play_classes
    ]
    if not streams:
        raise InvalidArgument(("play_classes", f"no program of {definition.game} has any of {', '.join(play_classes)}"))
    return streams
