"""The signature schemes of drand, as bundles chosen from one table.

A scheme fixes which curve group of BLS12-381 holds the signatures (the public key is in the other one), the
domain separation tag of the hash to the curve, and the message that a round signs. Nothing outside this file
branches on a scheme.

Sources: drand `crypto/schemes.go`; RFC 9380 (hash to curve, suites BLS12381G1/G2_XMD:SHA-256_SSWU_RO_); the
BLS signature draft of the CFRG, section 2, whose compressed encoding of points is that of ZCash.
"""

import hashlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from anchor.errors import VerificationError
from rng_service.beacon.errors import BeaconLibraryMissing
from rng_service.encoding import u64

__all__ = ["GROUP_ORDER", "SCHEMES", "Scheme"]

# The order r of both groups; secret keys are 1 … r-1.
GROUP_ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001


@dataclass(frozen=True, slots=True)
class _Group:
    """One of the two groups: its compressed length, its generator, and the library's class of points."""

    length: int
    generator: bytes
    element: str


_G1 = _Group(
    48,
    bytes.fromhex("97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"),
    "BlstP1Element",
)
_G2 = _Group(
    96,
    bytes.fromhex(
        "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
    ),
    "BlstP2Element",
)


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to sign rounds: groups, domain separation tag and message.

    ``message(round, previous signature)`` gives the 32 bytes that are hashed to the curve; unchained schemes
    ignore the previous signature, which is what lets a round be checked without its history.
    """

    name: str
    chained: bool
    signature_group: _Group
    key_group: _Group
    tag: bytes
    message: Callable[[int, bytes], bytes]

    @property
    def signature_length(self) -> int:
        """The length of a compressed signature in bytes."""
        return self.signature_group.length

    @property
    def public_key_length(self) -> int:
        """The length of a compressed public key in bytes."""
        return self.key_group.length

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        """Check that ``signature`` is that of ``message`` under ``public_key`` (both compressed).

        Raises VerificationError with reason ``beacon-signature`` for a point of the wrong length, off the
        curve, outside the subgroup, at infinity or not in its one canonical encoding, and for a signature
        that does not fit; BeaconLibraryMissing when the pairing library is not installed.
        """
        library = _library()
        signature_point = _point(library, self.signature_group, signature, "signature")
        key_point = _point(library, self.key_group, public_key, "public key")
        hashed = getattr(library, self.signature_group.element).hash_to_group(message, self.tag)
        generator = getattr(library, self.key_group.element).uncompress(self.key_group.generator)
        # e(signature, generator) = e(H(message), key), with the arguments in the order that the groups have.
        left = self._miller_loop(library, signature_point, generator)
        right = self._miller_loop(library, hashed, key_point)
        if not library.final_verify(left, right):
            raise VerificationError(
                "beacon-signature", f"the {self.name} signature does not fit its message and public key"
            )

    def sign(self, secret: int, message: bytes) -> bytes:
        """Return the compressed signature secret · H(message).

        Raises ValueError unless 1 ≤ ``secret`` < GROUP_ORDER. Only the development beacon signs; how far the
        library's multiplication resists timing attacks does not matter there.
        """
        hashed = getattr(_library(), self.signature_group.element).hash_to_group(message, self.tag)
        return bytes(hashed.scalar_mul(_checked(secret)).compress())

    def public_key(self, secret: int) -> bytes:
        """Return the compressed public key secret · generator. Raises ValueError as `sign` does."""
        element = getattr(_library(), self.key_group.element)
        return bytes(element.uncompress(self.key_group.generator).scalar_mul(_checked(secret)).compress())

    def _miller_loop(self, library: Any, on_signature_group: Any, on_key_group: Any) -> Any:
        if self.signature_group is _G1:
            return library.miller_loop(on_signature_group, on_key_group)
        return library.miller_loop(on_key_group, on_signature_group)


def _unchained(round_number: int, _previous_signature: bytes) -> bytes:
    return hashlib.sha256(u64(round_number)).digest()


def _chained(round_number: int, previous_signature: bytes) -> bytes:
    return hashlib.sha256(previous_signature + u64(round_number)).digest()


SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        # quicknet, and the development beacon.
        Scheme(
            "bls-unchained-g1-rfc9380",
            chained=False,
            signature_group=_G1,
            key_group=_G2,
            tag=b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_",
            message=_unchained,
        ),
        # The mainnet's "default" chain: verified here, but a pool may not name it.
        Scheme(
            "pedersen-bls-chained",
            chained=True,
            signature_group=_G2,
            key_group=_G1,
            tag=b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_",
            message=_chained,
        ),
    )
}


def _library() -> Any:
    # Imported on first use: most of what an auditor checks needs no pairing, and must run without it.
    try:
        return importlib.import_module("pyblst")
    except ImportError:
        raise BeaconLibraryMissing(
            "BLS signatures cannot be checked: pyblst is not installed; "
            "install the extra sealdraw[beacon] and repeat the check"
        ) from None


def _point(library: Any, group: _Group, data: bytes, what: str) -> Any:
    if len(data) != group.length:
        raise VerificationError(
            "beacon-signature", f"a beacon {what} has {group.length} bytes, this one has {len(data)}"
        )
    try:
        # The library refuses points off the curve, outside the subgroup and in a second encoding (B hashes
        # these bytes, so two encodings would be two values of one round), but takes the point at infinity.
        point = getattr(library, group.element).uncompress(data)
    except ValueError:
        raise VerificationError(
            "beacon-signature", f"the beacon {what} {data.hex()} is no point of the group"
        ) from None
    if point == getattr(library, group.element)():
        raise VerificationError("beacon-signature", f"the beacon {what} is the point at infinity")
    return point


def _checked(secret: int) -> int:
    if not 0 < secret < GROUP_ORDER:
        raise ValueError("a secret key lies between 1 and the group order less one")
    return secret
