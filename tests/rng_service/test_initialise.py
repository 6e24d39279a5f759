"""What `sealdraw init` leaves behind, refuses, and finishes after a crash."""

import stat

import pytest
from sqlalchemy import inspect

from rng_service import initialise as module
from rng_service.config import load_config
from rng_service.errors import ConfigError
from rng_service.initialise import initialise, origin_of
from rng_service.ledger.engine import open_engine

ORIGIN = "acme.example/test"


def make(directory, origin=ORIGIN, **settings):
    return initialise(directory, origin, clock_us=lambda: 1_700_000_000_000_000, settings=settings)


def test_a_new_service_has_settings_keys_ledger_and_public_directory(tmp_path):
    done = make(tmp_path / "service")
    config = load_config(done.settings_path, {})
    assert config == done.config or config.service == done.config.service
    assert config.beacon.kind == "development"
    assert (config.public_dir / "keys" / "log.vkey").read_text() == done.vkey + "\n"
    assert done.vkey.startswith(ORIGIN + "+")
    engine = open_engine(config.ledger_url)
    assert {"pools", "records", "requests", "log_entries"} <= set(inspect(engine).get_table_names())
    engine.dispose()


def test_only_the_public_directory_is_open_to_others(tmp_path):
    done = make(tmp_path / "service")
    data_dir = done.config.service.data_dir
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data_dir.iterdir() if path.is_dir()}
    assert modes == {"vault": 0o700, "run": 0o700, "public": 0o755}
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


def test_outside_development_the_beacon_is_quicknet(tmp_path):
    assert make(tmp_path / "service", "acme.example/prod").config.beacon.kind == "quicknet"


def test_settings_can_be_given(tmp_path):
    done = make(tmp_path / "service", **{"pools.size": 64, "api.listen": "127.0.0.1:1"})
    assert (done.config.pools.size, done.config.api.listen) == (64, "127.0.0.1:1")


def test_a_directory_with_content_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match=r"is not empty \(thesis\.txt"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "service").write_text("")
    with pytest.raises(ConfigError, match="exists and is not a directory"):
        make(tmp_path / "service")


def test_an_initialised_directory_is_refused_with_the_command_that_runs_it(tmp_path):
    first = make(tmp_path / "service")
    with pytest.raises(ConfigError, match="is initialised already; run it with: sealdraw serve --config"):
        make(tmp_path / "service")
    assert (first.config.public_dir / "keys" / "log.vkey").read_text().strip() == first.vkey


@pytest.mark.parametrize("crash_in", ["initialise_vault", "upgrade", "sync_directory"])
def test_an_interrupted_initialisation_is_finished_with_the_same_key(tmp_path, monkeypatch, crash_in):
    keys = []
    original = module.initialise_vault

    def remember(*arguments, **options):
        keys.append(original(*arguments, **options))
        return keys[-1]

    def crash(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "initialise_vault", remember)
    with monkeypatch.context() as patched:
        patched.setattr(module, crash_in, crash)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "service")
    if crash_in == "sync_directory":
        # The settings already had their name: everything was there.
        assert load_config(tmp_path / "service" / "sealdraw.toml", {}).service.origin == ORIGIN
        return
    with pytest.raises(ConfigError, match=r"was begun for acme\.example/test, not for acme\.example/dev"):
        make(tmp_path / "service", "acme.example/dev")
    done = make(tmp_path / "service")
    assert set(keys) == {done.vkey}
    assert sorted(path.name for path in (tmp_path / "service").iterdir()) == [
        "ledger.db", "public", "run", "sealdraw.toml", "vault",
    ]  # fmt: skip


def test_a_path_too_long_for_a_socket_is_refused_before_keys_are_made(tmp_path):
    deep = tmp_path / ("d" * 100)
    with pytest.raises(ConfigError, match="which a unix socket cannot have"):
        make(deep)
    assert not (deep / "vault").exists()


def test_settings_that_do_not_go_together_make_no_keys(tmp_path):
    with pytest.raises(ConfigError, match="beacon"):
        make(tmp_path / "service", "acme.example/prod", **{"beacon.kind": "development"})
    assert not (tmp_path / "service" / "vault").exists()


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("", "prod"),
        ("acme example", "prod"),
        ("acme/x", "prod"),
        ("acme+x", "prod"),
        ("äcme", "prod"),
        ("acme", "Prod"),
    ],
)
def test_a_name_that_cannot_be_in_an_origin_is_refused(name, environment):
    with pytest.raises(ConfigError, match=r"--origin|--env"):
        origin_of(name, environment)


def test_an_origin_is_name_slash_environment():
    assert origin_of("acme.example", "prod") == "acme.example/prod"
