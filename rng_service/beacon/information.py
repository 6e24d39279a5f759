"""The two written forms of a chain: drand's information object and the log's `beacon.chain` entry.

Both state the chain hash beside the facts that it covers, so both are read with the same suspicion: the facts
must hash to what is stated, and what a relay says must also be the chain that was pinned beforehand.

Source: drand `common/chain/info.go` (JSON of its HTTP interface); PROTOCOL.md section 5, `beacon.chain`.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from anchor.errors import MalformedError, VerificationError
from rng_service.beacon.chain import ChainInfo

__all__ = [
    "MAX_INFORMATION_BYTES",
    "chain_entry",
    "chain_from_entry",
    "chain_from_information",
    "chain_information",
    "hex_member",
    "parse_chain_info",
    "parse_object",
]

MAX_INFORMATION_BYTES = 8_192
_HEX = re.compile(r"[0-9a-f]*\Z")


def chain_information(chain: ChainInfo) -> dict[str, Any]:
    """Return drand's information object of ``chain``, which is also fit for canonical JSON."""
    return {
        "public_key": chain.public_key.hex(),
        "period": chain.period_s,
        "genesis_time": chain.genesis_time,
        "hash": chain.chain_hash.hex(),
        "groupHash": chain.group_hash.hex(),
        "schemeID": chain.scheme,
        "metadata": {"beaconID": chain.beacon_id},
    }


def chain_from_information(value: Mapping[str, Any], *, name: str | None = None) -> ChainInfo:
    """Read drand's information object; the chain is called ``name``, or as its beacon id.

    Members that drand may add are skipped. Raises MalformedError. Only for a file of one's own: a relay's
    answer goes through `parse_chain_info`.
    """
    metadata = value.get("metadata")
    if not isinstance(metadata, Mapping):
        raise MalformedError("beacon chain: metadata is an object that holds beaconID")
    beacon_id = _text(metadata, "beaconID")
    chain = ChainInfo(
        name=beacon_id if name is None else name,
        scheme=_text(value, "schemeID"),
        public_key=hex_member(value, "public_key", 96),
        period_s=_integer(value, "period"),
        genesis_time=_integer(value, "genesis_time"),
        group_hash=hex_member(value, "groupHash", 32),
        beacon_id=beacon_id,
    )
    _require_stated_hash(chain, hex_member(value, "hash", 32))
    return chain


def parse_chain_info(data: bytes, *, pinned_hash: bytes) -> ChainInfo:
    """Parse a relay's information JSON and hold it against the chain hash that was known beforehand.

    Raises MalformedError for more than 8,192 bytes or another form, VerificationError with reason
    ``beacon-chain`` when the facts do not hash to ``pinned_hash``.
    """
    chain = chain_from_information(parse_object(data, limit=MAX_INFORMATION_BYTES, what="beacon chain information"))
    if chain.chain_hash != pinned_hash:
        raise VerificationError(
            "beacon-chain",
            f"expected the chain {pinned_hash.hex()}, was given that of {chain.chain_hash.hex()}",
        )
    return chain


def chain_entry(chain: ChainInfo) -> dict[str, Any]:
    """Return the members of the log's `beacon.chain` entry, without those that every entry has."""
    return {
        "chain": chain.chain_hash.hex(),
        "name": chain.name,
        "scheme": chain.scheme,
        "public_key": chain.public_key.hex(),
        "period_s": chain.period_s,
        "genesis_time": chain.genesis_time,
        "group_hash": chain.group_hash.hex(),
        "beacon_id": chain.beacon_id,
        "development": chain.development,
    }


def chain_from_entry(entry: Mapping[str, Any]) -> ChainInfo:
    """Read a `beacon.chain` entry; the members that every entry has are the caller's to check.

    Raises MalformedError, also when the stated hash is another or when ``development`` does not say what the
    beacon id says: a chain that the operator signs itself must carry that mark.
    """
    chain = ChainInfo(
        name=_text(entry, "name"),
        scheme=_text(entry, "scheme"),
        public_key=hex_member(entry, "public_key", 96),
        period_s=_integer(entry, "period_s"),
        genesis_time=_integer(entry, "genesis_time"),
        group_hash=hex_member(entry, "group_hash", 32),
        beacon_id=_text(entry, "beacon_id"),
    )
    _require_stated_hash(chain, hex_member(entry, "chain", 32))
    if entry.get("development") is not chain.development:
        raise MalformedError(
            f"beacon chain: development must be {str(chain.development).lower()} for the id {chain.beacon_id}"
        )
    return chain


def parse_object(data: bytes, *, limit: int, what: str) -> Mapping[str, Any]:
    """Parse a JSON object of at most ``limit`` bytes from a relay, whose JSON need not be canonical.

    Raises MalformedError, naming ``what``.
    """
    if len(data) > limit:
        raise MalformedError(f"{what}: {len(data)} bytes, at most {limit} are accepted")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise MalformedError(f"{what}: not JSON") from None
    if not isinstance(value, dict):
        raise MalformedError(f"{what}: expected an object")
    return value


def hex_member(value: Mapping[str, Any], name: str, limit: int) -> bytes:
    """Return the member ``name``, lowercase hex of at most ``limit`` bytes. Raises MalformedError."""
    text = value.get(name)
    if not isinstance(text, str) or len(text) > 2 * limit or len(text) % 2 or not _HEX.match(text):
        raise MalformedError(f"beacon: {name} is lowercase hex of at most {limit} bytes")
    return bytes.fromhex(text)


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise MalformedError(f"beacon chain: {name} is a string")
    return text


def _integer(value: Mapping[str, Any], name: str) -> int:
    number = value.get(name)
    # A JSON true is an int to Python, hence the exact type.
    if type(number) is not int:
        raise MalformedError(f"beacon chain: {name} is an integer")
    return number


def _require_stated_hash(chain: ChainInfo, stated: bytes) -> None:
    if stated != chain.chain_hash:
        raise MalformedError(
            f"beacon chain: states the hash {stated.hex()}, but its facts hash to {chain.chain_hash.hex()}"
        )
