"""Randomness beacons: chains and their rounds; `relay` and `development` are modules of their own."""

from rng_service.beacon.chain import (
    DEVELOPMENT_BEACON_ID,
    KNOWN_CHAINS,
    QUICKNET,
    SCHEMES,
    ChainInfo,
    beacon_value,
    require_pool_chain,
    verify_round,
)
from rng_service.beacon.errors import BeaconError, BeaconLibraryMissing, BeaconUnavailable, RoundNotYet
from rng_service.beacon.information import (
    chain_entry,
    chain_from_entry,
    chain_from_information,
    chain_information,
    parse_chain_info,
)

__all__ = [
    "DEVELOPMENT_BEACON_ID",
    "KNOWN_CHAINS",
    "QUICKNET",
    "SCHEMES",
    "BeaconError",
    "BeaconLibraryMissing",
    "BeaconUnavailable",
    "ChainInfo",
    "RoundNotYet",
    "beacon_value",
    "chain_entry",
    "chain_from_entry",
    "chain_from_information",
    "chain_information",
    "parse_chain_info",
    "require_pool_chain",
    "verify_round",
]
