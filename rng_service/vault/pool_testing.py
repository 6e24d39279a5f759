"""The vault's word on a pool before its first draw: it runs the plan that the commitment named, and signs the verdict.

Nothing leaves the vault but the verdict and the name of the test that failed. The same pool has the same verdict
whenever it is asked for, so nobody can ask until another one comes.
"""

from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anchor.errors import AnchorError, MalformedError, VerificationError
from anchor.merkle import leaf_hash
from rng_service.encoding import pool_test_statement
from rng_service.games.errors import GameError
from rng_service.games.tested import tested_program
from rng_service.log_entries import PoolActivate, PoolCommit, PoolTest, parse_entry
from rng_service.outcome import Program, StepError
from rng_service.pools.plans import TestPlan, parse_plan
from rng_service.vault.activation import LoggedEntry, SignedHistory, verify_logged
from rng_service.vault.errors import VaultRefusedError
from rng_service.vault.receipt_keys import PublicReceiptKey

__all__ = ["PoolVerdict", "read_plan", "statement", "verify_passed"]


class PoolVerdict(NamedTuple):
    """``pass`` or ``fail`` with the test that failed, and the receipt key's signature on it."""

    verdict: str
    test: str
    signature: bytes
    key_id: str


def read_plan(commit: PoolCommit, plan: bytes, definition: bytes) -> tuple[TestPlan, Program]:
    """Return the plan and the program that ``commit`` names, from the documents with those digests.

    Raises VaultRefusedError ``no-test-plan``, ``plan-mismatch`` or ``definition-mismatch``.
    """
    if commit.test_plan is None or commit.kind != "independent":
        raise VaultRefusedError("no-test-plan", f"{commit.pool}: its commitment names no plan that could be run")
    if sha256(plan).digest() != commit.test_plan:
        raise VaultRefusedError("plan-mismatch", f"{commit.pool}: its commitment names another plan")
    if sha256(definition).digest() != commit.game_digest:
        raise VaultRefusedError("definition-mismatch", f"{commit.pool}: its commitment names another game")
    try:
        parsed = parse_plan(plan)
    except MalformedError as error:
        raise VaultRefusedError("plan-mismatch", f"{commit.pool}: {error}") from error
    try:
        return parsed, tested_program(definition, commit.program)
    except (GameError, StepError) as error:
        raise VaultRefusedError("definition-mismatch", f"{commit.pool}: {error}") from error


def statement(commit_entry: bytes, commit: PoolCommit, activation: PoolActivate, verdict: str, test: str) -> bytes:
    """Return what is signed of a verdict (PROTOCOL.md, section 6)."""
    return pool_test_statement(
        commit.origin,
        commit.pool,
        commit=leaf_hash(commit_entry),
        beacon=activation.beacon_value or b"",
        plan=commit.test_plan or b"",
        verdict=verdict,
        test=test,
    )


def verify_passed(
    logged: LoggedEntry,
    committed: LoggedEntry,
    activated: LoggedEntry,
    history: SignedHistory,
    keys: list[PublicReceiptKey],
) -> None:
    """Check that ``logged`` is this vault's own word, behind the activation in the log, that the pool passed its plan.

    ``committed`` and ``activated`` were verified. Raises VaultRefusedError ``test-mismatch`` or ``test-unproven``.
    """
    commit, activation = parse_entry(committed.entry), parse_entry(activated.entry)
    if not isinstance(commit, PoolCommit) or not isinstance(activation, PoolActivate):
        raise VaultRefusedError("test-mismatch", "a test is of a commitment and its activation")
    try:
        test = parse_entry(logged.entry)
        if not isinstance(test, PoolTest):
            raise VerificationError("test", f"the entry is a {test.TYPE}")
        if (test.origin, test.pool, test.plan) != (commit.origin, commit.pool, commit.test_plan):
            raise VerificationError("test", "the entry is about another pool, plan or log")
        if test.verdict != "pass":
            raise VerificationError("test", f"the pool failed {test.test}")
        if logged.index <= activated.index:
            raise VerificationError("test", f"it stands at {logged.index}, the activation at {activated.index}")
        signer = next((key for key in keys if key.key_id == test.key_id.hex()), None)
        if signer is None:
            raise VerificationError("test", f"signed with {test.key_id.hex()}, no key of this vault")
        message = statement(committed.entry, commit, activation, test.verdict, test.test or "")
        Ed25519PublicKey.from_public_bytes(signer.public_key).verify(test.signature, message)
    except AnchorError as error:
        raise VaultRefusedError("test-mismatch", f"{commit.pool}: {error}") from error
    except InvalidSignature:
        raise VaultRefusedError("test-mismatch", f"{commit.pool}: the signature is not by its key") from None
    verify_logged(logged, history, "test-unproven", commit.pool)
