"""Types for key material: never printed, formatted, compared carelessly, pickled or copied.

The bytes leave such an object in one way only, `reveal_secret`, so that ``grep -rn reveal_secret`` lists
every place where key material is touched.
"""

import hmac
from typing import NoReturn

__all__ = ["KeyEncryptionKey", "PoolKey", "SecretBytes", "SigningSeed"]


class SecretBytes:
    """32 bytes that stay in the vault."""

    __slots__ = ("_secret_value",)

    SIZE = 32

    def __init__(self, value: bytes) -> None:
        if len(value) != self.SIZE:
            raise ValueError(f"a {type(self).__name__} has {self.SIZE} bytes, not {len(value)}")
        self._secret_value = bytearray(value)

    def reveal_secret(self) -> bytes:
        """Return the key material."""
        return bytes(self._secret_value)

    def wipe(self) -> None:
        """Overwrite the held bytes; best effort, because copies that `reveal_secret` handed out remain."""
        for position in range(len(self._secret_value)):
            self._secret_value[position] = 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretBytes):
            return NotImplemented
        return hmac.compare_digest(self._secret_value, other._secret_value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} withheld>"

    def __str__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} has no text form")

    def __format__(self, format_spec: str) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} has no text form")

    def __bytes__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is opened with reveal_secret only")

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} must not be pickled or copied")


class PoolKey(SecretBytes):
    """K: the key of one pool, from which every slot secret follows."""

    __slots__ = ()


class KeyEncryptionKey(SecretBytes):
    """The key under which all other keys are wrapped on disk."""

    __slots__ = ()


class SigningSeed(SecretBytes):
    """The seed of an Ed25519 key: the checkpoint key or a receipt key."""

    __slots__ = ()
