"""Configuration: one TOML file, environment variables `SEALDRAW_SECTION_KEY` above it, flags above both.

Unknown keys are refused with the nearest known one. Secrets are named by file path and never stand in the file.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from anchor.errors import MalformedError
from rng_service.errors import ConfigError
from rng_service.log_entries import MAX_BEACON_MARGIN_S, MAX_CLOSE_DELAY_S, MAX_HEARTBEAT_S, MAX_MERGE_DELAY_S
from rng_service.rtp.stakes import parse_stake_bands
from rng_service.statistics.built_in import BIT_PLANS

DEVELOPMENT_ENVIRONMENTS = frozenset({"dev", "test", "demo"})
MAX_CONFIG_BYTES = 1 << 20


@dataclass(frozen=True)
class ServiceConfig:
    """Who and where this service is."""

    origin: str = ""
    data_dir: Path = Path()

    @property
    def environment(self) -> str:
        """The last part of the origin: `acme.example/prod` runs in `prod`."""
        return self.origin.rpartition("/")[2]

    @property
    def development(self) -> bool:
        """Whether conveniences that would be unsafe elsewhere are allowed."""
        return self.environment in DEVELOPMENT_ENVIRONMENTS


@dataclass(frozen=True)
class ApiConfig:
    """The gRPC front."""

    listen: str = "127.0.0.1:7443"
    workers: int = 1
    threads: int = 128
    max_in_flight: int = 2_000
    drain_s: int = 20
    # mTLS: file paths. All three or, on loopback in a development environment, none.
    certificate: str = ""
    private_key: str = ""
    client_ca: str = ""


@dataclass(frozen=True)
class PublicConfig:
    """The static file server of the public directory."""

    directory: str = "public"
    listen: str = "127.0.0.1:7480"
    enabled: bool = True


@dataclass(frozen=True)
class LedgerConfig:
    """The database; the default is SQLite inside the data directory."""

    url: str = ""


@dataclass(frozen=True)
class PoolsConfig:
    """How pools are made."""

    size: int = 65_536
    ready: int = 2
    activation_deadline_s: int = 86_400
    ticket_lifetime_s: int = 3_600
    # Independent pools name the built-in test plan and are tested before their first draw. Without it their commitments
    # name none, which every auditor's report counts.
    test: bool = True


@dataclass(frozen=True)
class BeaconConfig:
    """Where activation randomness comes from: `none`, `quicknet` or `development`."""

    kind: str = "quicknet"
    relays: tuple[str, ...] = (
        "https://api.drand.sh",
        "https://api2.drand.sh",
        "https://drand.cloudflare.com",
    )
    margin_s: int = 10
    listen: str = "127.0.0.1:7481"


@dataclass(frozen=True)
class LogConfig:
    """The declared promises of the log (PROTOCOL.md, section 5) and its rhythm."""

    merge_delay_s: int = 60
    heartbeat_s: int = 60
    close_delay_s: int = 3_600
    digest_interval_ms: int = 1_000
    totals_interval_s: int = 3_600
    # `open`: stakes and payouts are public; `committed`: the log commits to them, and auditors get openings.
    totals_policy: str = "open"


@dataclass(frozen=True)
class KeysConfig:
    """Rotation schedule; 0 leaves a key until it is rotated by command."""

    kek_days: int = 90
    drbg_days: int = 1
    receipt_days: int = 30
    # Where the key-encryption keys lie; "" is inside the vault's directory.
    kek_directory: str = ""


@dataclass(frozen=True)
class RtpConfig:
    """What is added up about realised return, and when somebody is told."""

    rollups: bool = True
    # Upper limits of the stake bands in minor units, ascending: `1000` for every currency, `JPY:100000` for one.
    stake_bands: tuple[str, ...] = ("100", "1000", "10000")
    fold_interval_s: int = 10
    monitor_interval_s: int = 60
    # One in so many is the chance that there is ever a false alarm, over all rows together; 0 raises none.
    one_false_alarm_in: int = 100


@dataclass(frozen=True)
class StatisticsConfig:
    """Scheduled statistics: test streams of the vault's generator, and outcomes that were opened."""

    # 0 runs none.
    interval_hours: int = 24
    # One of `rng_service.statistics.built_in`; "" is quick in development environments, full elsewhere.
    plan: str = ""
    # Whether opened outcomes are tested, too, each program as often.
    opened: bool = True
    # Whether no pool is sealed after a run that failed, until somebody has seen to it.
    stop_on_fail: bool = True
    # A run that takes longer is ended, and counts as interrupted.
    deadline_s: int = 3_600


@dataclass(frozen=True)
class DealsConfig:
    """How the sale of a finite deal begins."""

    # `explicit`: by `sealdraw deal approve`; `automatic`: at once, which only a development beacon allows.
    approval: str = "explicit"


@dataclass(frozen=True)
class RequestsConfig:
    """The window around the database's clock in which request ids are accepted."""

    window_back_s: int = 72 * 3600
    window_ahead_s: int = 300


@dataclass(frozen=True)
class Config:
    """All settings, by TOML section."""

    service: ServiceConfig = field(default_factory=ServiceConfig)
    api: ApiConfig = field(default_factory=ApiConfig)
    public: PublicConfig = field(default_factory=PublicConfig)
    ledger: LedgerConfig = field(default_factory=LedgerConfig)
    pools: PoolsConfig = field(default_factory=PoolsConfig)
    beacon: BeaconConfig = field(default_factory=BeaconConfig)
    log: LogConfig = field(default_factory=LogConfig)
    keys: KeysConfig = field(default_factory=KeysConfig)
    requests: RequestsConfig = field(default_factory=RequestsConfig)
    rtp: RtpConfig = field(default_factory=RtpConfig)
    deals: DealsConfig = field(default_factory=DealsConfig)
    statistics: StatisticsConfig = field(default_factory=StatisticsConfig)

    @property
    def ledger_url(self) -> str:
        """The ledger's URL, SQLite in the data directory unless another is set."""
        return self.ledger.url or f"sqlite:///{self.service.data_dir / 'ledger.db'}"

    @property
    def public_dir(self) -> Path:
        """The public directory; a relative setting lies in the data directory."""
        return self.service.data_dir / self.public.directory

    @property
    def game_files_dir(self) -> Path:
        """Where the files that game definitions name are kept, books among them, which are never published."""
        return self.service.data_dir / "game-files"

    @property
    def vault_dir(self) -> Path:
        """The vault's own directory."""
        return self.service.data_dir / "vault"

    @property
    def kek_dir(self) -> Path:
        """The key-encryption keys' directory; a relative setting lies in the data directory."""
        configured = self.keys.kek_directory
        return self.service.data_dir / configured if configured else self.vault_dir / "kek"

    @property
    def vault_socket(self) -> Path:
        """The vault's unix socket, in a directory of its own."""
        return self.service.data_dir / "run" / "vault.sock"


Section = TypeVar("Section")


def load_config(path: Path, environ: Mapping[str, str], overrides: Mapping[str, str] | None = None) -> Config:
    """Read ``path``, then `SEALDRAW_…` variables, then ``overrides`` (`section.key` → text).

    Raises ConfigError that names the file or variable, the key, what was expected, and the nearest known key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); `sealdraw init DIR` makes one") from None
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_CONFIG_BYTES} bytes")
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    config = replace(Config(), service=ServiceConfig(data_dir=path.resolve().parent))
    for section_name, section in document.items():
        if not isinstance(section, dict):
            raise ConfigError(f"{path}: {section_name}: expected a [section]")
        for key, value in section.items():
            config = _set(config, section_name, key, value, f"{path}: {section_name}.{key}")
    for name, text in environ.items():
        if name.startswith("SEALDRAW_") and name.count("_") >= 2:
            section_name, _, key = name.removeprefix("SEALDRAW_").lower().partition("_")
            if section_name in _sections():
                config = _set(config, section_name, key, text, f"environment variable {name}")
    for dotted, text in (overrides or {}).items():
        section_name, _, key = dotted.partition(".")
        config = _set(config, section_name, key, text, f"option {dotted}")
    return check_config(config)


def check_config(config: Config) -> Config:
    """Return ``config`` when its settings go together; raise ConfigError that says which do not."""
    operator, slash, environment = config.service.origin.rpartition("/")
    if not slash or not operator or not environment:
        raise ConfigError("service.origin: expected <operator name>/<environment>, for instance acme.example/prod")
    if config.beacon.kind not in {"none", "quicknet", "development"}:
        raise ConfigError(f"beacon.kind: {config.beacon.kind!r} is none of none, quicknet, development")
    if config.beacon.kind == "development" and not config.service.development:
        raise ConfigError(
            f"beacon.kind: a development beacon protects nobody and is refused in environment {environment!r}",
        )
    if config.log.totals_policy not in {"open", "committed"}:
        raise ConfigError(f"log.totals_policy: {config.log.totals_policy!r} is none of open, committed")
    if not 1 <= config.pools.size <= 1 << 20:
        raise ConfigError("pools.size: expected 1 to 1048576")
    if not 1 <= config.pools.ready <= 64:
        raise ConfigError("pools.ready: expected 1 to 64")
    if config.pools.activation_deadline_s < 86_400:
        raise ConfigError("pools.activation_deadline_s: at least 86400, a day, so that a beacon outage voids nothing")
    for dotted, value, most in (
        ("log.merge_delay_s", config.log.merge_delay_s, MAX_MERGE_DELAY_S),
        ("log.heartbeat_s", config.log.heartbeat_s, MAX_HEARTBEAT_S),
        ("log.close_delay_s", config.log.close_delay_s, MAX_CLOSE_DELAY_S),
        ("beacon.margin_s", config.beacon.margin_s, MAX_BEACON_MARGIN_S),
    ):
        if not 1 <= value <= most:
            raise ConfigError(f"{dotted}: expected 1 to {most}, found {value}; the log declares it for ever")
    try:
        parse_stake_bands(config.rtp.stake_bands)
    except MalformedError as error:
        raise ConfigError(f"rtp.stake_bands: {error}") from None
    if config.deals.approval not in {"explicit", "automatic"}:
        raise ConfigError(f"deals.approval: {config.deals.approval!r} is none of explicit, automatic")
    if config.deals.approval == "automatic" and config.beacon.kind != "development":
        raise ConfigError("deals.approval: automatic approval is for a development beacon; use explicit")
    if config.rtp.one_false_alarm_in == 1:
        raise ConfigError("rtp.one_false_alarm_in: expected 2 or more, or 0 for no alarms at all")
    if config.statistics.plan not in {"", *BIT_PLANS}:
        raise ConfigError(f"statistics.plan: {config.statistics.plan!r} is none of {', '.join(BIT_PLANS)}")
    if not config.statistics.deadline_s:
        raise ConfigError("statistics.deadline_s: at least 1; interval_hours = 0 runs no statistics")
    if config.pools.ticket_lifetime_s < 1:
        raise ConfigError("pools.ticket_lifetime_s: at least 1; a ticket that is expired when it is made binds nobody")
    return config


def _sections() -> dict[str, type]:
    return {item.name: type(getattr(Config(), item.name)) for item in fields(Config)}


def _set(config: Config, section_name: str, key: str, value: Any, where: str) -> Config:
    sections = _sections()
    if section_name not in sections:
        raise ConfigError(f"{where}: unknown section{_nearest(section_name, sections)}")
    section = getattr(config, section_name)
    known = {item.name for item in fields(section)}
    if key not in known:
        raise ConfigError(f"{where}: unknown key{_nearest(key, known)}")
    expected = get_type_hints(type(section))[key]
    return replace(config, **{section_name: replace(section, **{key: _convert(value, expected, where)})})


def _nearest(name: str, known: Any) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else f"; known: {', '.join(sorted(known))}"


def _convert(value: Any, expected: Any, where: str) -> Any:
    if expected is bool:
        if isinstance(value, bool):
            return value
        if value in {"true", "false"}:
            return value == "true"
        raise ConfigError(f"{where}: expected true or false, found {value!r}")
    if expected is int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
        raise ConfigError(f"{where}: expected a whole number, found {value!r}")
    if expected is Path:
        if isinstance(value, str):
            return Path(value)
        raise ConfigError(f"{where}: expected a path, found {value!r}")
    if expected is str:
        if isinstance(value, str):
            return value
        raise ConfigError(f"{where}: expected text, found {value!r}")
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ConfigError(f"{where}: expected a list of texts, found {value!r}")
