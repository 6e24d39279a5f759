"""The commented settings file that `sealdraw init` writes, from the defaults of `rng_service.config`.

A setting that was chosen stands there as it is; any other that matters stands there as a comment with its default.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rng_service.config import Config
from rng_service.errors import ConfigError

__all__ = ["COMMENTED", "render_settings"]

_HEAD: Final = """\
# Settings of this Sealdraw service. Lines that begin with "# " and a name show defaults.
# Environment variables SEALDRAW_SECTION_KEY stand above this file, for instance SEALDRAW_API_LISTEN.
# Secrets never stand here: certificates and keys are named by their file.
"""

COMMENTED: Final[Mapping[str, str]] = {
    "service.origin": "The log's name for ever: <operator name>/<environment>. Environments dev, test and demo are\n"
    "for development; any other demands mTLS and refuses the development beacon.",
    "api.listen": "Where game servers, auditors and operators call (gRPC).",
    "api.workers": "Front processes that share this address.",
    "api.drain_s": "How long a front finishes what it has accepted before it stops.",
    "api.certificate": "mTLS: paths of the server's certificate chain, its private key, and the authority that signs\n"
    "the callers' certificates. All three, or none on loopback in a development environment.",
    "api.private_key": "",
    "api.client_ca": "",
    "public.directory": "Everything that an auditor needs, as plain files; relative to this file.",
    "public.listen": "The built-in server of these files. Any web server does as well: then set enabled = false.",
    "public.enabled": "",
    "ledger.url": 'The database; "" is SQLite beside this file. For instance postgresql+psycopg://sealdraw@db/sealdraw.',
    "pools.size": "Slots of a pool, 1 to 1048576.",
    "pools.ready": "Activated pools that wait in each lane.",
    "pools.activation_deadline_s": "A pool whose beacon round has not come by then is opened and thrown away.",
    "pools.ticket_lifetime_s": "A ticket that was not drawn by then is void, and its slot is opened.",
    "pools.test": "The vault tests each pool between activation and first draw. Without it commitments name no\n"
    "plan, and every auditor's report counts pools that were not tested.",
    "beacon.kind": "Where the round comes from that nobody can choose: quicknet (drand), none, or development,\n"
    "which this machine signs itself and which protects nobody.",
    "beacon.relays": "",
    "beacon.margin_s": "How far ahead a pool's round lies when its commitment is published; declared for ever.",
    "beacon.listen": "The development beacon's address.",
    "log.merge_delay_s": "Promises that the first entry of the log declares for ever: how long a record may wait for\n"
    "its digest, how often there is a digest at least, and how soon a finished pool is closed.",
    "log.heartbeat_s": "",
    "log.close_delay_s": "",
    "log.digest_interval_ms": "The rhythm of digests and of totals.",
    "log.totals_interval_s": "",
    "log.totals_policy": "open: everybody sees stakes and payouts; committed: the log commits to them, and auditors\n"
    "get openings. Declared for ever, too.",
    "keys.kek_days": "Rotation by age; 0 leaves a key until `sealdraw keys rotate`.",
    "keys.drbg_days": "",
    "keys.receipt_days": "",
    "keys.kek_directory": 'Where the keys lie that protect all others; "" is inside the vault directory. Anywhere\n'
    "else, best on storage without snapshots, a copy of the vault directory alone opens nothing.",
    "rtp.stake_bands": "Realised return is kept by stake: upper limits of the bands in minor units, ascending, with a\n"
    "currency in front where it has its own (JPY:100000).",
    "rtp.monitor_interval_s": "How often returns are weighed; and the chance of ever raising a false alarm: one in\n"
    "so many, over all games together. 0 raises none.",
    "rtp.one_false_alarm_in": "",
    "statistics.interval_hours": "How often a test stream of the generator is tested, in a process without keys or\n"
    "network, and as often the outcomes of each program that were drawn since; 0 never. Every run stands in the log.",
    "statistics.plan": 'How much of it: quick (4 million bits) or full (100 million); "" is quick in development\n'
    "environments, full elsewhere.",
    "statistics.opened": "",
    "statistics.stop_on_fail": "After a run that failed no pool is sealed, until `sealdraw stats acknowledge`.",
    "deals.approval": "explicit: the sale of a deal begins with `sealdraw deal approve`; automatic: at once, which\n"
    "only a development beacon allows.",
}


def render_settings(chosen: Mapping[str, object]) -> str:
    """Return the text of a settings file in which the ``chosen`` settings (`section.key` → value) are set.

    Raises ConfigError for a setting that does not exist.
    """
    defaults = Config()
    lines = [_HEAD]
    section_before = ""
    for dotted in sorted({*COMMENTED, *chosen}, key=_place):
        section, _, key = dotted.partition(".")
        if not hasattr(getattr(defaults, section, None), key):
            raise ConfigError(f"{dotted}: no such setting")
        if section != section_before:
            lines.append(f"\n[{section}]")
            section_before = section
        lines += [f"# {line}" for line in COMMENTED.get(dotted, "").splitlines()]
        value = chosen.get(dotted, getattr(getattr(defaults, section), key))
        lines.append(f"{'' if dotted in chosen else '# '}{key} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _place(dotted: str) -> tuple[int, int, str]:
    """Order settings by section as the configuration has them, then as they are commented here."""
    sections = list(vars(Config()))
    section = dotted.partition(".")[0]
    commented = list(COMMENTED)
    return (
        sections.index(section) if section in sections else len(sections),
        commented.index(dotted) if dotted in COMMENTED else len(commented),
        dotted,
    )


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str | Path):
        # A JSON string is a TOML basic string as well.
        return json.dumps(str(value))
    raise ConfigError(f"a setting is a text, a number, true or false, or a list of texts, found {value!r}")
