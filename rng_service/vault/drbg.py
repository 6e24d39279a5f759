"""CTR_DRBG with AES-256: the deterministic random bit generator of NIST SP 800-90A Rev. 1, section 10.2.1.

With the derivation function (the vault's way) entropy of any length of at least 32 bytes is condensed by
Block_Cipher_df; without it (for test vectors) entropy is exactly one seed length. The block cipher comes from
the ``cryptography`` package, everything around it is written here. The object never reads entropy by itself:
the caller hands it in, so that vectors and tests drive the very same code.

A run over NIST's CAVP files needs four calls::

    drbg = CtrDrbg(entropy_input, nonce, personalization, use_df=True)
    drbg.reseed(entropy, additional)
    drbg.generate(n_bytes, additional)
    drbg.generate_with_prediction_resistance(n_bytes, entropy, additional)
"""

from typing import Final, NoReturn

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB

from rng_service.vault.errors import DrbgError, ReseedRequiredError

__all__ = [
    "MAX_BYTES_PER_REQUEST",
    "MAX_RESEED_INTERVAL",
    "SECURITY_STRENGTH_BYTES",
    "SEED_BYTES",
    "CtrDrbg",
    "block_cipher_df",
]

KEY_BYTES: Final = 32
BLOCK_BYTES: Final = 16
SEED_BYTES: Final = KEY_BYTES + BLOCK_BYTES
SECURITY_STRENGTH_BYTES: Final = 32
# SP 800-90A Rev. 1, table 3: at most 2^19 bits per request, 2^48 requests between reseeds.
MAX_BYTES_PER_REQUEST: Final = 2**16
MAX_RESEED_INTERVAL: Final = 2**48
# The standard allows 2^35 bits per input; nothing the vault passes comes near the bound chosen here.
MAX_INPUT_BYTES: Final = 2**16

_COUNTER_MODULUS: Final = 2**128
_ZERO_SEED: Final = bytes(SEED_BYTES)
_DF_KEY: Final = bytes(range(KEY_BYTES))


def _bcc(key: bytes, data: bytes) -> bytes:
    # Section 10.3.3, written as chained ECB blocks: single blocks are what the standard says.
    encrypt = Cipher(AES(key), ECB()).encryptor().update  # noqa: S305
    chaining = bytes(BLOCK_BYTES)
    for offset in range(0, len(data), BLOCK_BYTES):
        block = data[offset : offset + BLOCK_BYTES]
        chaining = encrypt(bytes(left ^ right for left, right in zip(chaining, block, strict=True)))
    return chaining


def block_cipher_df(data: bytes, n_bytes: int) -> bytes:
    """Condense ``data`` into ``n_bytes`` (at most 64) bytes: Block_Cipher_df of SP 800-90A Rev. 1, 10.3.2."""
    if not 0 < n_bytes <= 64:
        raise DrbgError(f"Block_Cipher_df returns 1 to 64 bytes, {n_bytes} were asked for")
    string = len(data).to_bytes(4, "big") + n_bytes.to_bytes(4, "big") + data + b"\x80"
    string += bytes(-len(string) % BLOCK_BYTES)
    temp = b"".join(
        _bcc(_DF_KEY, counter.to_bytes(4, "big") + bytes(BLOCK_BYTES - 4) + string)
        for counter in range(SEED_BYTES // BLOCK_BYTES)
    )
    encrypt = Cipher(AES(temp[:KEY_BYTES]), ECB()).encryptor().update  # noqa: S305 (as above)
    block = temp[KEY_BYTES:SEED_BYTES]
    output = b""
    while len(output) < n_bytes:
        block = encrypt(block)
        output += block
    return output[:n_bytes]


class CtrDrbg:
    """One instantiation of CTR_DRBG AES-256.

    ``entropy_input``: at least 32 bytes with the derivation function, exactly 48 without. ``nonce``: at least
    16 bytes with the derivation function, empty without. ``personalization`` and every ``additional``: any
    bytes up to 65,536 with it, at most 48 without. ``reseed_interval`` is the number of requests after which
    `generate` refuses until `reseed` was called. Raises DrbgError for anything outside these limits.

    Not thread-safe: the owner serialises. It has no repr of its state and refuses to be copied or pickled,
    because a copy would repeat the original's output.
    """

    __slots__ = ("_counter", "_key", "_live", "_reseed_interval", "_since_reseed", "_use_df")

    def __init__(
        self,
        entropy_input: bytes,
        nonce: bytes = b"",
        personalization: bytes = b"",
        use_df: bool = True,
        *,
        reseed_interval: int = MAX_RESEED_INTERVAL,
    ) -> None:
        if not 1 <= reseed_interval <= MAX_RESEED_INTERVAL:
            raise DrbgError(f"the reseed interval is 1 to 2^48 requests, not {reseed_interval}")
        self._use_df = use_df
        self._reseed_interval = reseed_interval
        self._key = bytearray(KEY_BYTES)
        self._counter = 0
        self._live = True
        self._check_entropy(entropy_input)
        if use_df:
            if len(nonce) < SECURITY_STRENGTH_BYTES // 2:
                raise DrbgError(f"the nonce needs at least 16 bytes, {len(nonce)} were given")
            self._check_input("personalization", personalization)
            seed = block_cipher_df(entropy_input + nonce + personalization, SEED_BYTES)
        else:
            if nonce:
                raise DrbgError("without derivation function there is no nonce (10.2.1.3.1)")
            seed = _xor(entropy_input, self._padded("personalization", personalization))
        self._update(seed)
        self._since_reseed = 1

    def reseed(self, entropy: bytes, additional: bytes = b"") -> None:
        """Mix fresh ``entropy`` and ``additional`` into the state, reset the request counter (10.2.1.4)."""
        self._check_live()
        self._check_entropy(entropy)
        if self._use_df:
            self._check_input("additional input", additional)
            seed = block_cipher_df(entropy + additional, SEED_BYTES)
        else:
            seed = _xor(entropy, self._padded("additional input", additional))
        self._update(seed)
        self._since_reseed = 1

    def generate(self, n_bytes: int, additional: bytes = b"") -> bytes:
        """Return ``n_bytes`` (at most 65,536) pseudorandom bytes and step the state (10.2.1.5).

        Raises ReseedRequiredError when the reseed interval is used up; nothing was generated then.
        """
        self._check_live()
        if not 0 <= n_bytes <= MAX_BYTES_PER_REQUEST:
            raise DrbgError(f"a request yields 0 to {MAX_BYTES_PER_REQUEST} bytes, not {n_bytes}")
        if self._since_reseed > self._reseed_interval:
            raise ReseedRequiredError(f"{self._reseed_interval} requests since the last reseed")
        seed = _ZERO_SEED
        if additional:
            if self._use_df:
                self._check_input("additional input", additional)
                seed = block_cipher_df(additional, SEED_BYTES)
            else:
                seed = self._padded("additional input", additional)
            self._update(seed)
        output = self._keystream(n_bytes)
        self._update(seed)
        self._since_reseed += 1
        return output

    def generate_with_prediction_resistance(self, n_bytes: int, entropy: bytes, additional: bytes = b"") -> bytes:
        """Reseed from ``entropy`` and ``additional``, then generate (9.3.1, step 7): the past cannot tell."""
        self.reseed(entropy, additional)
        return self.generate(n_bytes)

    def uninstantiate(self) -> None:
        """Overwrite the state and refuse further use (9.4).

        Best effort: the interpreter and the cipher library may hold copies of earlier keys until their memory
        is reused; the process therefore also forbids core dumps and swapping where it can.
        """
        for position in range(KEY_BYTES):
            self._key[position] = 0
        self._counter = 0
        self._live = False

    def __reduce__(self) -> NoReturn:
        raise TypeError("a generator must not be pickled or copied: the copy would repeat its output")

    def _update(self, provided: bytes) -> None:
        # CTR_DRBG_Update, 10.2.1.2.
        temp = _xor(self._keystream(SEED_BYTES), provided)
        self._key[:] = temp[:KEY_BYTES]
        self._counter = int.from_bytes(temp[KEY_BYTES:], "big")

    def _keystream(self, n_bytes: int) -> bytes:
        # The standard increments V before each block, so the stream starts at V + 1 and V ends at the last
        # block.
        blocks = -(-n_bytes // BLOCK_BYTES)
        first = (self._counter + 1) % _COUNTER_MODULUS
        self._counter = (self._counter + blocks) % _COUNTER_MODULUS
        cipher = Cipher(AES(self._key), CTR(first.to_bytes(BLOCK_BYTES, "big")))
        return cipher.encryptor().update(bytes(n_bytes))

    def _check_live(self) -> None:
        if not self._live:
            raise DrbgError("the generator was uninstantiated")

    def _check_entropy(self, entropy: bytes) -> None:
        if self._use_df:
            if len(entropy) < SECURITY_STRENGTH_BYTES:
                raise DrbgError(f"entropy needs at least 32 bytes, {len(entropy)} were given")
            self._check_input("entropy", entropy)
        elif len(entropy) != SEED_BYTES:
            raise DrbgError(f"without derivation function entropy is 48 bytes, not {len(entropy)}")

    @staticmethod
    def _check_input(what: str, data: bytes) -> None:
        if len(data) > MAX_INPUT_BYTES:
            raise DrbgError(f"{what}: {len(data)} bytes, at most {MAX_INPUT_BYTES} are accepted")

    @staticmethod
    def _padded(what: str, data: bytes) -> bytes:
        if len(data) > SEED_BYTES:
            raise DrbgError(f"{what}: {len(data)} bytes, at most 48 without derivation function")
        return data.ljust(SEED_BYTES, b"\x00")


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")
