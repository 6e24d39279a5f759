"""The settings: file, environment, flags, and what is said when one of them is wrong."""

from pathlib import Path

import pytest

from rng_service.config import MAX_CONFIG_BYTES, load_config
from rng_service.errors import ConfigError
from rng_service.settings_file import COMMENTED, render_settings

ORIGIN = '[service]\norigin = "acme.example/test"\n'


def written(directory: Path, text: str) -> Path:
    path = directory / "sealdraw.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_settings_stand_in_the_order_file_environment_flags(tmp_path):
    path = written(tmp_path, ORIGIN + "[pools]\nsize = 100\nready = 3\n[api]\nworkers = 2\n")
    environ = {"SEALDRAW_POOLS_SIZE": "200", "SEALDRAW_POOLS_READY": "5"}
    config = load_config(path, environ, {"pools.size": "300"})
    assert (config.pools.size, config.pools.ready, config.api.workers) == (300, 5, 2)


def test_paths_lie_beside_the_file_unless_they_are_absolute(tmp_path):
    config = load_config(written(tmp_path, ORIGIN), {})
    assert config.public_dir == tmp_path / "public"
    assert config.vault_socket == tmp_path / "run" / "vault.sock"
    assert config.ledger_url == f"sqlite:///{tmp_path / 'ledger.db'}"
    elsewhere = load_config(written(tmp_path, ORIGIN + '[public]\ndirectory = "/srv/log"\n'), {})
    assert elsewhere.public_dir == Path("/srv/log")


def test_key_encryption_keys_lie_in_the_vault_directory_unless_it_is_said_otherwise(tmp_path):
    assert load_config(written(tmp_path, ORIGIN), {}).kek_dir == tmp_path / "vault" / "kek"
    for setting, place in (("kek", tmp_path / "kek"), ("/srv/kek", Path("/srv/kek"))):
        config = load_config(written(tmp_path, ORIGIN + f'[keys]\nkek_directory = "{setting}"\n'), {})
        assert config.kek_dir == place


def test_the_environment_is_the_last_part_of_the_origin(tmp_path):
    config = load_config(written(tmp_path, ORIGIN), {})
    assert (config.service.environment, config.service.development) == ("test", True)
    production = load_config(written(tmp_path, ORIGIN.replace("/test", "/prod")), {})
    assert (production.service.environment, production.service.development) == ("prod", False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[pools]\nsiez = 5\n", ["sealdraw.toml: pools.siez", "unknown key", "'size'"]),
        ("[pool]\nsize = 5\n", ["pool.size", "unknown section", "'pools'"]),
        ("pools = 5\n", ["pools: expected a [section]"]),
        ('[pools]\nsize = "many"\n', ["pools.size", "expected a whole number, found 'many'"]),
        ("[pools]\nsize = -1\n", ["pools.size", "expected a whole number"]),
        ("[pools]\nsize = true\n", ["pools.size", "expected a whole number"]),
        ("[public]\nenabled = 1\n", ["public.enabled", "expected true or false"]),
        ("[api]\nlisten = 7443\n", ["api.listen", "expected text"]),
        ("[beacon]\nrelays = [1]\n", ["beacon.relays", "expected a list of texts"]),
        ("[pools\n", ["not TOML"]),
        ("[pools]\nsize = 0\n", ["pools.size: expected 1 to 1048576"]),
        ("[pools]\nready = 65\n", ["pools.ready: expected 1 to 64"]),
        ("[pools]\nactivation_deadline_s = 60\n", ["pools.activation_deadline_s", "86400"]),
        ("[log]\nmerge_delay_s = 86401\n", ["log.merge_delay_s: expected 1 to 86400"]),
        ("[log]\nheartbeat_s = 0\n", ["log.heartbeat_s: expected 1 to 3600"]),
        ("[log]\nclose_delay_s = 604801\n", ["log.close_delay_s: expected 1 to 604800"]),
        ("[beacon]\nmargin_s = 0\n", ["beacon.margin_s: expected 1 to 86400"]),
        ("[pools]\nticket_lifetime_s = 0\n", ["pools.ticket_lifetime_s: at least 1"]),
        ('[rtp]\nstake_bands = ["5", "4"]\n', ["rtp.stake_bands: stake bands: expected", "ascending"]),
        ('[rtp]\nstake_bands = ["1.5"]\n', ["rtp.stake_bands: stake band '1.5': expected minor units"]),
        ("[rtp]\none_false_alarm_in = 1\n", ["rtp.one_false_alarm_in: expected 2 or more"]),
        ('[beacon]\nkind = "lottery"\n', ["beacon.kind", "'lottery'", "quicknet"]),
    ],
)
def test_a_wrong_setting_is_refused_by_name_and_with_what_was_expected(tmp_path, text, expected):
    with pytest.raises(ConfigError) as refused:
        load_config(written(tmp_path, text if text.startswith("pools =") else ORIGIN + text), {})
    for part in expected:
        assert part in str(refused.value)


def test_a_wrong_variable_is_refused_by_its_own_name(tmp_path):
    with pytest.raises(ConfigError, match="environment variable SEALDRAW_POOLS_SIEZ: unknown key; did you mean 'size'"):
        load_config(written(tmp_path, ORIGIN), {"SEALDRAW_POOLS_SIEZ": "5"})


def test_variables_of_other_programs_are_left_alone(tmp_path):
    config = load_config(written(tmp_path, ORIGIN), {"SEALDRAW_CONFIG": "x", "SEALDRAW_FAULT_POINT": "y", "PATH": "z"})
    assert config.pools.size == 65_536


@pytest.mark.parametrize("origin", ["", "acme.example", "/test", "acme.example/"])
def test_an_origin_is_an_operator_and_an_environment(tmp_path, origin):
    with pytest.raises(ConfigError, match=r"service\.origin: expected <operator name>/<environment>"):
        load_config(written(tmp_path, f'[service]\norigin = "{origin}"\n'), {})


def test_a_development_beacon_is_refused_outside_development(tmp_path):
    text = ORIGIN.replace("/test", "/prod") + '[beacon]\nkind = "development"\n'
    with pytest.raises(ConfigError, match="protects nobody and is refused in environment 'prod'"):
        load_config(written(tmp_path, text), {})


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.toml: cannot be read .*sealdraw init"):
        load_config(tmp_path / "missing.toml", {})


def test_a_file_beyond_all_reason_is_not_parsed(tmp_path):
    with pytest.raises(ConfigError, match="larger than"):
        load_config(written(tmp_path, "#" * (MAX_CONFIG_BYTES + 1)), {})


def test_lists_come_from_the_environment_separated_by_commas(tmp_path):
    config = load_config(written(tmp_path, ORIGIN), {"SEALDRAW_BEACON_RELAYS": "https://a.example, https://b.example"})
    assert config.beacon.relays == ("https://a.example", "https://b.example")


def test_the_written_settings_mean_what_was_chosen_and_otherwise_the_defaults(tmp_path):
    chosen = {
        "service.origin": 'acme."x"/test',
        "pools.size": 4_096,
        "public.enabled": False,
        "beacon.relays": ("https://a.example",),
    }
    config = load_config(written(tmp_path, render_settings(chosen)), {})
    assert config.service.origin == 'acme."x"/test'
    assert (config.pools.size, config.public.enabled) == (4_096, False)
    assert config.beacon.relays == ("https://a.example",)
    bare = load_config(written(tmp_path, ORIGIN), {})
    assert (config.api, config.ledger, config.log, config.keys) == (bare.api, bare.ledger, bare.log, bare.keys)


def test_every_commented_default_is_a_setting_and_can_be_switched_on(tmp_path):
    text = render_settings({"service.origin": "acme.example/test"})
    settings = [line for line in text.splitlines() if line.startswith("# ") and " = " in line and line[2:3].islower()]
    names = {line[2:].partition(" = ")[0] for line in settings}
    assert {dotted.partition(".")[2] for dotted in COMMENTED} - {"origin"} <= names
    active = "\n".join(line[2:] if line in settings else line for line in text.splitlines())
    assert load_config(written(tmp_path, active), {}) == load_config(written(tmp_path, text), {})


def test_settings_that_do_not_exist_are_not_written():
    with pytest.raises(ConfigError, match=r"pools\.siez: no such setting"):
        render_settings({"pools.siez": 5})
