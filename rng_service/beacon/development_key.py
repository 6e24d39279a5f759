"""The key of a development beacon: one file, from which everything about its chain follows.

The chain has no other state: its genesis is Unix second 1 and its period one second, so that the number of
a round is the second at which it is published, and its signature is a function of key and number. There is
nothing that a crash could lose once the key file stands.

For development only. Who holds this file knows every future round, so such a beacon protects nobody.
"""

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from anchor import canonical
from anchor.errors import MalformedError, MissingError, RefusedError
from rng_service.beacon.chain import DEVELOPMENT_BEACON_ID, ChainInfo
from rng_service.beacon.information import chain_from_information, chain_information, parse_object
from rng_service.beacon.scheme import GROUP_ORDER, SCHEMES

__all__ = ["CHAIN_FILE", "KEY_FILE", "DevelopmentKey", "chain_info_for", "load_or_create"]

KEY_FILE = "development-beacon.key"
CHAIN_FILE = "chain.json"
_SCHEME = SCHEMES["bls-unchained-g1-rfc9380"]
_KEY_FILE_BYTES = 65
# A real chain hashes its group of nodes here; this one has none.
_GROUP_HASH = hashlib.sha256(b"sealdraw development beacon, no group").digest()


class DevelopmentKey:
    """The secret scalar, which signs rounds and is never shown."""

    __slots__ = ("_secret", "chain")

    def __init__(self, secret: int) -> None:
        self._secret = secret
        self.chain = ChainInfo(
            name="development",
            scheme=_SCHEME.name,
            public_key=_SCHEME.public_key(secret),
            period_s=1,
            genesis_time=1,
            group_hash=_GROUP_HASH,
            beacon_id=DEVELOPMENT_BEACON_ID,
        )

    def sign(self, round_number: int) -> bytes:
        """Return the compressed signature of ``round_number``, whose time the caller has checked."""
        return _SCHEME.sign(self._secret, _SCHEME.message(round_number, b""))

    def __repr__(self) -> str:
        return "DevelopmentKey(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not pickled")


def load_or_create(directory: Path, *, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> DevelopmentKey:
    """Return the key in ``directory``, made with mode 0600 when there is none, with `CHAIN_FILE` beside it.

    The key file is 64 lowercase hex digits, the scalar big-endian, and a line feed. Raises RefusedError when
    others may read it or when `CHAIN_FILE` is of another key, MalformedError when it is no key.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / KEY_FILE
    if not path.exists():
        # 48 bytes reduced modulo r leave a bias below 2^-128 (RFC 9380, section 5.1).
        secret = int.from_bytes(random_bytes(48), "big") % (GROUP_ORDER - 1) + 1
        # A crash before the link leaves a stray temporary file and no key; of two processes, one link wins.
        _publish(path, f"{secret:064x}\n".encode("ascii"), mode=0o600)
    key = DevelopmentKey(_read_secret(path))
    try:
        published = chain_info_for(directory)
    except MissingError:
        # A crash before the link leaves a key without chain.json, and the next start comes here again.
        _publish(directory / CHAIN_FILE, canonical.encode(chain_information(key.chain)), mode=0o644)
        published = chain_info_for(directory)
    if published != key.chain:
        raise RefusedError(
            f"{directory / CHAIN_FILE} names the chain {published.chain_hash.hex()}, but {KEY_FILE} is that "
            f"of {key.chain.chain_hash.hex()}: put its key back, or remove {CHAIN_FILE} to begin a new chain"
        )
    return key


def chain_info_for(directory: Path) -> ChainInfo:
    """Read the chain that the beacon of ``directory`` signs; needs no key and no pairing library.

    Raises MissingError before the beacon was first started, MalformedError.
    """
    path = directory / CHAIN_FILE
    try:
        with path.open("rb") as file:
            data = file.read(4_097)
    except FileNotFoundError:
        raise MissingError(f"{path} does not exist: start the development beacon once") from None
    chain = chain_from_information(parse_object(data, limit=4_096, what=str(path)), name="development")
    if not chain.development:
        raise MalformedError(f"{path}: not a development chain, its beacon id is {chain.beacon_id}")
    return chain


def _read_secret(path: Path) -> int:
    # O_NOFOLLOW and fstat: what is judged is the very file that is read.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise RefusedError(
                f"{path}: a key file must be a regular file of this user with mode 0600, this one has owner "
                f"{status.st_uid} and mode {stat.S_IMODE(status.st_mode):04o}; chmod 600, or replace the key"
            )
        text = file.read(_KEY_FILE_BYTES + 1)
    if len(text) != _KEY_FILE_BYTES or text[-1:] != b"\n" or set(text[:-1]) - set(b"0123456789abcdef"):
        raise MalformedError(f"{path}: expected 64 lowercase hex digits and a line feed")
    secret = int(text, 16)
    if not 0 < secret < GROUP_ORDER:
        raise MalformedError(f"{path}: the key is not between 1 and the group order less one")
    return secret


def _publish(path: Path, data: bytes, *, mode: int) -> None:
    """Write ``path`` durably and in one step, unless it exists already: then that one stays."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
