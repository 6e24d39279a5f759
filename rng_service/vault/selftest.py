"""Known-answer tests that run before the vault holds any key; it refuses to start when one fails."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rng_service.pools.slots import slot_secrets
from rng_service.vault.drbg import CtrDrbg
from rng_service.vault.errors import SelfTestError

__all__ = ["run_self_test"]


def run_self_test() -> tuple[str, ...]:
    """Run every known-answer test, return their names; raises SelfTestError naming one that fails."""
    for name, (compute, expected) in _TESTS.items():
        found = compute()
        if found.hex() != expected:
            raise SelfTestError(f"{name}: computed {found.hex()[:16]}…, expected {expected[:16]}…")
    return tuple(_TESTS)


def _ctr_drbg() -> bytes:
    drbg = CtrDrbg(
        bytes.fromhex("174b46250051a9e3d80c56ae7163dafe7e54481a56cafd3b8625f99bbb29c442"),
        bytes.fromhex("98ffd99c466e0e94a45da7e0e82dbc6b"),
        bytes.fromhex("7095268e99938b3e042734b9176c9aa051f00a5f8d2a89ada214b89beef18ebf"),
    )
    drbg.reseed(
        bytes.fromhex("e88be1967c5503f65d23867bbc891bd679db03b4878663f6c877592df25f0d9a"),
        bytes.fromhex("cdf6ad549e45b6aa5cd67d024931c33cd133d52d5ae500c3015020beb30da063"),
    )
    drbg.generate(64, bytes.fromhex("c7228e90c62f896a09e11684530102f926ec90a3255f6c21b857883c75800143"))
    return drbg.generate(64, bytes.fromhex("76a94f224178fe4cbf9e2b8acc53c9dc3e50bb613aac8936601453cda3293b17"))


def _sha_256() -> bytes:
    return hashlib.sha256(b"abc").digest()


def _hmac_sha_256() -> bytes:
    return hmac.digest(b"Jefe", b"what do ya want for nothing?", "sha256")


def _ed25519() -> bytes:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    return Ed25519PrivateKey.from_private_bytes(seed).sign(b"")


def _aes_256_gcm() -> bytes:
    cipher = AESGCM(bytes(32))
    sealed = cipher.encrypt(bytes(12), bytes(16), None)
    try:
        cipher.decrypt(bytes(12), sealed, b"other associated data")
    except InvalidTag:
        return sealed
    return b"a wrong tag was accepted"


def _aes_256_ctr() -> bytes:
    return slot_secrets(bytes(32), 1)


# Name → (computation, answer). Sources in order: CAVS 14.3 (pr_false, AES-256 use df, full inputs, COUNT 0);
# FIPS 180-4 example; RFC 4231 case 2; RFC 8032 section 7.1 test 1; McGrew and Viega's GCM test case 14;
# AES-256 of the blocks 0 and 1 under the zero key (the first is FIPS 197's well-known dc95c078…).
_TESTS: Final[dict[str, tuple[Callable[[], bytes], str]]] = {
    "CTR_DRBG AES-256": (
        _ctr_drbg,
        (
            "1a6d8dbd642076d13916e5e23038b60b26061f13dd4e006277e0268698ffb2c8"
            "7e453bae1251631ac90c701a9849d933995e8b0221fe9aca1985c546c2079027"
        ),
    ),
    "SHA-256": (_sha_256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    "HMAC-SHA-256": (_hmac_sha_256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    "Ed25519": (
        _ed25519,
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    "AES-256-GCM": (_aes_256_gcm, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
    "AES-256-CTR": (_aes_256_ctr, "dc95c078a2408989ad48a21492842087530f8afbc74536b9a963b4f1c4cb738b"),
}
