"""Fetching a round from relays that speak drand's HTTP JSON, trusting none of them.

Relays only carry bytes: a round is believed when its number is the one asked for and its BLS signature
verifies under the pinned chain. The worst that a relay can do is to withhold, so several are tried in turn.
The round that was named is the only one that is ever returned; "latest" is never asked for.

Source: docs.drand.love/developer/http-api (v1 ``/{chain hash}/public/{round}`` and ``/{chain hash}/info``;
the answer of v2 has the same members without ``randomness``).
"""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from anchor.errors import MalformedError, VerificationError
from rng_service.beacon.chain import ChainInfo, beacon_value, require_pool_chain, verify_round
from rng_service.beacon.errors import BeaconUnavailable, RoundNotYet
from rng_service.beacon.information import (
    MAX_INFORMATION_BYTES,
    hex_member,
    parse_chain_info,
    parse_object,
)

__all__ = ["BeaconRound", "Opener", "fetch_info", "fetch_round", "open_url", "parse_round"]

MAX_ROUND_BYTES = 4_096
_NOT_YET = frozenset({404, 425})
_NO_ANSWER = (OSError, ValueError, http.client.HTTPException)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

# (URL, seconds, most bytes) to the status and that many bytes of body, or one more when the body is longer.
# Raises OSError, ValueError or HTTPException when there is no answer.
Opener = Callable[[str, float, int], tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class BeaconRound:
    """A verified round: the chain hash (32 bytes), the number and the compressed signature."""

    chain_hash: bytes
    round: int
    signature: bytes

    @property
    def value(self) -> bytes:
        """B, the 32 bytes that the round contributes to outcomes."""
        return beacon_value(self.signature)


def fetch_round(
    urls: Sequence[str],
    chain: ChainInfo,
    round_number: int,
    *,
    timeout_s: float = 5.0,
    opener: Opener | None = None,
) -> BeaconRound:
    """Ask the relays at ``urls`` (base URLs, without the chain hash) in order for one round.

    Returns the first answer that verifies. Raises RoundNotYet when every relay says that it does not have the
    round, BeaconUnavailable with the reason of each when they fail in other ways, BeaconLibraryMissing,
    VerificationError with reason ``beacon-scheme`` for a chain that a pool may not name, and ValueError for a
    round below 1. Retrying is always safe. ``timeout_s`` is for each relay, see `open_url`.
    """
    require_pool_chain(chain)
    if round_number < 1:
        # Relays take round 0 for "the latest", which is the one thing that must never be asked.
        raise ValueError(f"rounds count from 1, not {round_number}")
    get = opener or open_url
    reasons: list[tuple[str, str]] = []
    not_yet = 0
    for url in urls:
        try:
            address = _join(url, f"/{chain.chain_hash.hex()}/public/{round_number}")
            status, body = get(address, timeout_s, MAX_ROUND_BYTES)
            if status == http.client.OK:
                return parse_round(body, chain, round_number)
            not_yet += status in _NOT_YET
            reasons.append((_shown(url), f"HTTP status {status}"))
        except (*_NO_ANSWER, MalformedError, VerificationError) as error:
            reasons.append((_shown(url), str(error) or type(error).__name__))
    if urls and not_yet == len(urls):
        raise RoundNotYet(f"round {round_number} of {chain.name} is not published yet on any relay")
    raise BeaconUnavailable(f"no relay gave round {round_number} of {chain.name}", reasons)


def parse_round(body: bytes, chain: ChainInfo, round_number: int) -> BeaconRound:
    """Read a relay's answer (v1 or v2) and check that it is ``round_number`` of ``chain`` and nothing else.

    Raises MalformedError for more than 4,096 bytes or another form; VerificationError with reason
    ``beacon-round`` for another round, ``beacon-signature`` when the signature is not the round's,
    ``beacon-randomness`` when the stated randomness is not the signature's hash.
    """
    value = parse_object(body, limit=MAX_ROUND_BYTES, what="beacon round")
    stated_round = value.get("round")
    if type(stated_round) is not int:
        raise MalformedError("beacon: round is an integer")
    if stated_round != round_number:
        raise VerificationError("beacon-round", f"asked for round {round_number}, was given {stated_round}")
    signature = hex_member(value, "signature", chain.bundle.signature_length)
    verify_round(chain, round_number, signature)
    if "randomness" in value and hex_member(value, "randomness", 32) != beacon_value(signature):
        # Nothing would be derived from the stated value; but a relay that says it is broken or lies.
        raise VerificationError("beacon-randomness", f"round {round_number}: not the hash of the signature")
    return BeaconRound(chain.chain_hash, round_number, signature)


def fetch_info(url: str, chain_hash: bytes, *, timeout_s: float = 5.0, opener: Opener | None = None) -> ChainInfo:
    """Fetch the facts of the chain ``chain_hash`` (32 bytes, pinned) from the relay at ``url``.

    Raises BeaconUnavailable when it does not answer with status 200, and what `parse_chain_info` raises.
    """
    try:
        status, body = (opener or open_url)(_join(url, f"/{chain_hash.hex()}/info"), timeout_s, MAX_INFORMATION_BYTES)
    except _NO_ANSWER as error:
        reason = str(error) or type(error).__name__
        raise BeaconUnavailable("no chain information", [(_shown(url), reason)]) from error
    if status != http.client.OK:
        raise BeaconUnavailable("no chain information", [(_shown(url), f"HTTP status {status}")])
    return parse_chain_info(body, pinned_hash=chain_hash)


def open_url(
    url: str, timeout_s: float, limit: int, *, monotonic: Callable[[], float] = time.monotonic
) -> tuple[int, bytes]:
    """Get ``url`` over HTTP or HTTPS: the status, and the body up to ``limit`` + 1 bytes.

    Redirects are not followed and come back as their status. Proxies are those of the environment, except
    for loopback. ``timeout_s`` bounds each wait on the network, and the body as a whole, so that a relay that
    drips its body cannot hold the caller. Raises OSError, ValueError or http.client.HTTPException.
    """
    loopback = urlsplit(url).hostname in _LOOPBACK
    director = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({} if loopback else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        # It refuses every other scheme: there is no handler for files or FTP, and none for redirects.
        urllib.request.UnknownHandler(),
    ):
        director.add_handler(handler)
    director.addheaders = [("User-Agent", "sealdraw"), ("Accept", "application/json")]
    deadline = monotonic() + timeout_s
    with director.open(url, timeout=timeout_s) as response:
        body = bytearray()
        while len(body) <= limit:
            chunk = response.read1(limit + 1 - len(body))
            if not chunk:
                break
            body += chunk
            if monotonic() > deadline:
                raise TimeoutError(f"the body took longer than {timeout_s} s")
        return response.status, bytes(body)


def _join(base: str, path: str) -> str:
    parts = urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("a relay is named by its base URL, such as https://relay.example")
    if parts.username or parts.password:
        # Relay URLs are shown in logs and listings, where a password has no place.
        raise ValueError("a relay's URL holds no user name or password")
    return base.rstrip("/") + path


def _shown(base: str) -> str:
    return base.rpartition("@")[2]
