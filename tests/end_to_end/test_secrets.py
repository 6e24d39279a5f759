"""Seeds stay in: a small whole life, and then a search for every secret that ever was in everything that was written.

Public by design, and therefore not searched for: slots that were opened, and keys of pools that were voided whole.
"""

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import drbg_tap
import pytest
from check_everything import opened_slots
from node_process import ROOT
from secret_search import SecretSearch
from sqlalchemy import select
from system import System, wait_for

from rng_service.ledger.engine import open_engine, reading
from rng_service.ledger.models import PoolRow
from rng_service.pools.slots import slot_secrets
from rng_service.vault.errors import KeystoreError
from rng_service.vault.keystore import Keystore
from rng_service.vault.secret import PoolKey, SigningSeed
from rng_service.vault.steps import no_step

KEK_OFFSET = 24


class Burglar:
    """Somebody who may read the vault's directory at any time, and keeps everything that was ever in it."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.keks: dict[str, bytes] = {}
        self.seeds: dict[str, bytes] = {}
        self.pool_keys: dict[str, bytes] = {}
        # Nothing of the vault's memory is on a disk: the generator's states are tapped.
        self._tap = system.root / "tap"
        system.wrappers["vault"] = (str(Path(drbg_tap.__file__)), str(self._tap))

    @property
    def drbg_states(self) -> dict[str, bytes]:
        data = self._tap.read_bytes()
        states = [data[at : at + 48] for at in range(0, len(data), 48)]
        keys = {f"drbg key {number}": state[:32] for number, state in enumerate(states)}
        return keys | {f"drbg V {number}": state[32:] for number, state in enumerate(states)}

    def visit(self) -> None:
        """Take what is there now; a key that is replaced in this moment is met again at the next try."""
        wait_for(self._try, "the vault's directory to hold still")

    def _try(self) -> bool:
        copy = self._system.root / "loot"
        shutil.rmtree(copy, ignore_errors=True)
        try:
            shutil.copytree(self._system.config.vault_dir, copy)
            for path in copy.glob("kek/*.key"):
                self.keks[f"kek {path.stem}"] = path.read_bytes()[KEK_OFFSET:]
            store = Keystore(copy, on_step=no_step)
            for name in store.names("pools/"):
                self.pool_keys[name.removeprefix("pools/").replace("~", "/")] = store.load(name, PoolKey)[
                    0
                ].reveal_secret()
            for name in store.names("keys/"):
                self.seeds[name] = store.load(name, SigningSeed)[0].reveal_secret()
        except (KeystoreError, OSError, shutil.Error):
            return False
        finally:
            shutil.rmtree(copy, ignore_errors=True)
        return True


def written(system):
    """Return every file that the service, its commands and its clients have written, outside of the vault."""
    vault = system.config.vault_dir
    files = [path for path in system.root.rglob("*") if path.is_file() and vault not in path.parents]
    return [path for path in files if path.name != "tap"]


def voided_pools(system):
    ledger = open_engine(system.config.ledger_url)
    with reading(ledger) as connection:
        found = set(connection.scalars(select(PoolRow.pool_id).where(PoolRow.state == "void")))
    ledger.dispose()
    return found


def slots_of(system, burglar, *, opened):
    """Return the secrets of all slots that the vault has opened, or of all that it has not."""
    known = opened_slots(system.config.vault_dir)
    void = voided_pools(system)
    size = system.config.pools.size
    secrets = {}
    for pool, key in burglar.pool_keys.items():
        stream = slot_secrets(key, size)
        for slot in range(size):
            if ((pool, slot) in known or pool in void) == opened:
                secrets[f"slot {slot} of {pool}"] = bytes(stream[32 * slot : 32 * slot + 32])
    return secrets


def search(system, burglar):
    """Look for everything that must not be found; say what was searched for."""
    void = voided_pools(system)
    keys = {f"key of {pool}": key for pool, key in burglar.pool_keys.items() if pool not in void}
    hidden = {**keys, **burglar.seeds, **burglar.drbg_states, **slots_of(system, burglar, opened=False)}
    outside = written(system)
    assert SecretSearch({**hidden, **burglar.keks}).find_in(outside) == []
    inside = [path for path in system.config.vault_dir.rglob("*") if path.is_file()]
    assert (
        SecretSearch(
            {**hidden, **{f"key of {pool}": burglar.pool_keys[pool] for pool in void & burglar.pool_keys.keys()}}
        ).find_in(inside)
        == []
    )
    # A key-encryption key stands in its own file and nowhere else.
    unwrapped = [path for path in inside if path.parent.name != "kek"]
    assert SecretSearch(burglar.keks).find_in(unwrapped) == []
    return hidden


def say(system, *arguments):
    """Run a command of the operator's and keep what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "rng_service.cli.main", *arguments, "--config", str(system.settings)],
        capture_output=True, cwd=ROOT, env=system.environment, check=False,
    )  # fmt: skip
    log = system.logs / f"cli-{len(list(system.logs.iterdir()))}.log"
    log.write_bytes(done.stdout + done.stderr)
    return done.returncode


def keep_answers(system):
    """What clients hold: the answers as bytes, and as text."""
    for number, load in enumerate(system.loads):
        lines = [json.dumps([a.request_id, base64.b64encode(a.response).decode()]) for a in load.answers]
        (system.root / f"client-{number}.jsonl").write_text("\n".join(lines))
        (system.root / f"client-{number}.bin").write_bytes(b"".join(a.response for a in load.answers))


@pytest.mark.timeout(180)
def test_no_secret_that_ever_was_stands_in_anything_that_was_written():
    # With runs of statistics and a dump: the seeds of test streams are states of generators as well.
    with System(settings={"statistics.interval_hours": 24}) as system:
        burglar = Burglar(system)
        load = system.begin()
        for _ in range(4):
            load.await_answers(15)
            burglar.visit()
        for kind in ("kek", "drbg", "receipt", "kek"):
            assert say(system, "keys", "rotate", kind) == 0
            load.await_answers(5)
            burglar.visit()
        say(system, "doctor")
        wait_for(lambda: list(system.config.public_dir.glob("statistics/*.json")), "a report of statistics")
        assert say(system, "stats", "dump", "--bits", "80000", "-o", str(system.root / "dump.bin")) == 0
        # In the middle of everything: with a write-ahead log, half-done pools, open tickets, and nothing tidied up.
        system.kill_all()
        burglar.visit()
        keep_answers(system)
        hidden = search(system, burglar)
        for kind in ("key of ", "keys/checkpoint", "keys/receipt-00000002", "drbg key ", "drbg V ", "slot "):
            assert any(name.startswith(kind) for name in hidden), kind
        assert len(burglar.keks) == 3
        system.start_together()
        burglar.visit()
        load.await_answers(20)
        quarantine_one(system)
        load.await_answers(20)
        burglar.visit()
        system.settle_down()
        system.check()
        say(system, "doctor")
        say(system, "export", str(system.root / "export.jsonl"))
        burglar.visit()
        keep_answers(system)
        search(system, burglar)
        # The search does find what is there: opened slots are in the ledger and in receipts, both ways of writing them.
        opened = SecretSearch(slots_of(system, burglar, opened=True)).find_in(written(system))
        assert {form for _, _, form in opened} >= {"raw", "hex"}
        assert {Path(path).name for path, _, _ in opened} >= {"ledger.db", "client-0.bin", "export.jsonl"}


def quarantine_one(system):
    """Void a pool of which nothing was bound: its key is published whole."""
    from load import METADATA
    from sealdraw.v1 import operator_pb2

    from rng_service.request_id import new_request_id

    ledger = open_engine(system.config.ledger_url)
    with reading(ledger) as connection:
        pool = connection.scalars(
            select(PoolRow.pool_id).where(PoolRow.state == "active").order_by(PoolRow.id.desc()).limit(1)
        ).one()
    ledger.dispose()
    system.operate(
        lambda stub: stub.QuarantinePool(
            operator_pb2.QuarantinePoolRequest(request_id=new_request_id(), pool_id=pool, reason="drill"),
            timeout=20,
            metadata=METADATA,
        )
    )


@pytest.mark.parametrize("offset", range(9))
@pytest.mark.parametrize("form", ["raw", "hex", "HEX", "base64", "base64url", "repr"])
def test_the_search_finds_a_secret_wherever_and_however_it_is_written(form, offset):
    secret = bytes(range(240, 256)) + bytes(range(100, 116))
    before = b"x" * offset
    written_as = {
        "raw": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "base64": base64.b64encode(before + secret + b"y"),
        "base64url": base64.urlsafe_b64encode(before + secret + b"y"),
        "repr": repr(secret).encode(),
    }
    search = SecretSearch({"it": secret, "another": bytes(32)})
    assert ("it", form) in search.find(before + written_as[form] + b"tail")
    assert search.find(before + b"tail" * 40) == set()
