"""The draw engine: groups concurrent requests into commits, has each group opened, and wakes who waits.

    calls ──submit──▶ [ take what is waiting ▸ bind, durably ▸ have the vault open it ▸ answer ] ──notify──▶ calls

One thread, one group at a time. A request that comes alone is bound at once; under load, the requests that arrive while
a group is bound and opened form the next one, so that commits, journal writes, signatures and switches are shared
by dozens of draws. Two threads that take turns were tried: groups halve, and on a busy core a draw costs more. When the
vault hangs, nothing further is bound: that is wanted.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from rng_service.errors import DeadlineExceeded, InDoubtError, LedgerError, SealdrawError, Unavailable
from rng_service.front.catalog import Catalog
from rng_service.front.opening import OpenedRecord, VaultOpener, open_records, stored_records
from rng_service.ledger.bind import GuardLost, bind_group
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import MAX_REQUESTS_PER_GROUP
from rng_service.ledger.reading import read_group
from rng_service.ledger.statements import execute
from rng_service.ledger.tasks import BindRules, BindTask, BoundGroup
from rng_service.records.binding import DrawBinding
from rng_service.vault.errors import VaultError

_log = logging.getLogger(__name__)

MAX_SLOTS_PER_GROUP: Final = 16_384
MAX_WAIT_S: Final = 30.0
# A group of this size says that the service is under load; then the next one is given a moment to come together.
CROWD: Final = 4
GATHER_S: Final = 0.001
_GUARD_TRIES: Final = 5

Answer = TypeVar("Answer")
# Where a crash of the front leaves a different state behind; fault tests stop it there.
STEPS: Final = ("bind.written", "bind.committed", "open.answered")


def _no_step(_name: str) -> None:
    """Do nothing: the hook of production."""


class Submission:
    """One request on its way through the engine.

    When it is decided, ``error`` or ``opened`` is set and ``notify`` is called, on the engine's threads: it must not
    block. ``deadline`` is monotonic seconds; a request that is still waiting then is not bound.
    """

    __slots__ = ("deadline", "error", "notify", "opened", "task")

    def __init__(self, task: BindTask, notify: Callable[["Submission"], None], deadline: float) -> None:
        self.task = task
        self.notify = notify
        self.deadline = deadline
        self.opened: list[OpenedRecord] = []
        self.error: Exception | None = None


class DrawEngine:
    """Owns the thread that binds and opens; `submit` may be called from any thread until `close`."""

    def __init__(
        self,
        engine: Engine,
        catalog: Catalog,
        vault: VaultOpener,
        rules: BindRules,
        *,
        key_id: Callable[[], str],
        random_bytes: Callable[[int], bytes] = os.urandom,
        on_step: Callable[[str], None] = _no_step,
    ) -> None:
        self._on_step = on_step
        self._engine = engine
        self._catalog = catalog
        self._vault = vault
        self._rules = rules
        self._key_id = key_id
        self._random_bytes = random_bytes
        self._waiting: SimpleQueue[Submission | None] = SimpleQueue()
        self._last_group = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="draw-engine", daemon=True)
        self._thread.start()

    def submit(
        self,
        task: BindTask,
        notify: Callable[[Submission], None],
        *,
        timeout_s: float = MAX_WAIT_S,
    ) -> None:
        """Hand a request to the binder; ``notify`` is called when it is decided."""
        self._waiting.put(Submission(task, notify, time.monotonic() + timeout_s))

    def perform(self, task: BindTask, timeout_s: float = MAX_WAIT_S) -> list[OpenedRecord]:
        """Do as `submit` and wait; raises the request's error, or Unavailable when its time ran out (in doubt).

        A repeated request gives an empty list: `BindTask.repeated` says so.
        """
        # A bare lock is the cheapest thing that one thread can wait on and another release.
        decided = threading.Lock()
        decided.acquire()
        submission = Submission(task, lambda _: decided.release(), time.monotonic() + timeout_s)
        self._waiting.put(submission)
        # The vault's own deadline ends what was bound in time, so a little more than the caller's is waited for.
        if not decided.acquire(timeout=timeout_s + MAX_WAIT_S):
            raise Unavailable("IN_DOUBT", "the request is not decided yet; repeat it with the same request_id")
        if submission.error is not None:
            raise submission.error
        return submission.opened

    def close(self) -> None:
        """Finish what was submitted, then stop; nothing may be submitted any more."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            group = self._in_time(self._next_group())
            self._last_group = len(group)
            bound = self._guarded(group, self._bind)
            if bound is not None:
                durable, submissions = bound
                self._guarded(submissions, partial(self._open, durable))

    @staticmethod
    def _guarded(group: list[Submission], work: Callable[[list[Submission]], Answer]) -> Answer | None:
        """Do one step for a group; the engine outlives whatever it runs into, and each caller hears of it."""
        try:
            return work(group)
        except Exception as error:  # noqa: BLE001
            _log.exception("a commit group failed")
            _fail(group, error)
            return None

    def _next_group(self) -> list[Submission]:
        """Wait for a request, then take everything that is waiting, up to the group's limits."""
        group: list[Submission] = []
        slots = 0
        try:
            found = self._waiting.get()
            if self._last_group >= CROWD:
                # Under load a short pause, without the interpreter's lock, lets more calls in than it delays.
                time.sleep(GATHER_S)
            while found is not None:
                group.append(found)
                binding = found.task.binding
                slots += binding.count if isinstance(binding, DrawBinding) else 1
                if len(group) >= MAX_REQUESTS_PER_GROUP or slots >= MAX_SLOTS_PER_GROUP:
                    return group
                found = self._waiting.get_nowait()
        except Empty:
            return group
        self._closing = True
        return group

    @staticmethod
    def _in_time(group: list[Submission]) -> list[Submission]:
        """Drop what nobody waits for any more: under overload it would only delay the rest."""
        now = time.monotonic()
        late = [submission for submission in group if submission.deadline <= now]
        if late:
            _fail(
                late, DeadlineExceeded("the deadline passed before the request was bound; repeat it with the same id")
            )
            return [submission for submission in group if submission.deadline > now]
        return group

    def _bind(self, submissions: list[Submission]) -> tuple[BoundGroup, list[Submission]] | None:
        if not submissions:
            return None
        tasks = [submission.task for submission in submissions]
        try:
            group = self._commit(tasks)
        except InDoubtError as error:
            _fail(submissions, Unavailable("LEDGER_UNAVAILABLE", str(error)))
            return None
        except (SQLAlchemyError, GuardLost) as error:
            # Nothing of the group is durable: the message of a database may quote values, so only its kind is told.
            _log.warning("commit group refused by the ledger: %s", type(error).__name__)
            _fail(submissions, Unavailable("LEDGER_UNAVAILABLE", "the ledger could not take the request; try again"))
            return None
        bound = []
        for submission in submissions:
            if submission.task.error is not None:
                submission.error = submission.task.error
                _notify(submission)
            elif submission.task.repeated or group is None:
                # Whoever waits finds out himself what became of the id; it needs no group.
                _notify(submission)
            else:
                bound.append(submission)
        if group is None:
            return None
        # A crash right here leaves bindings that nobody was answered: the sequencer opens them, repeats find them.
        self._on_step("bind.committed")
        return group, bound

    def _commit(self, tasks: list[BindTask]) -> BoundGroup | None:
        for _ in range(_GUARD_TRIES):
            bound: BoundGroup | None = None
            # Asked before the transaction begins: a vault that is slow to say must not hold the ledger's write lock.
            key_id = self._key_id()
            try:
                with writing(self._engine) as connection:
                    bound = bind_group(
                        connection,
                        tasks,
                        key_id=key_id,
                        rules=self._rules,
                        random_bytes=self._random_bytes,
                    )
                    # A crash right here leaves nothing: every id of the group is free to be bound afresh.
                    self._on_step("bind.written")
            except GuardLost:
                self._catalog.reload_cursors()
                continue
            except SQLAlchemyError:
                if bound is None or not self._is_durable(bound):
                    self._catalog.reload_cursors()
                    raise
            if bound is not None:
                bound.committed()
            return bound
        raise GuardLost("other writers kept moving the pools")

    def _is_durable(self, bound: BoundGroup) -> bool:
        """Read an in-doubt commit again; raises InDoubtError when the ledger does not answer."""
        try:
            with reading(self._engine) as connection:
                # The id alone could have been given to another front's group; the binding has our own nonces.
                first = bound.records[0]
                found = execute(connection, "SELECT binding FROM records WHERE id = ?", (first.id,)).scalar()
                return found is not None and bytes(found) == first.binding
        except SQLAlchemyError:
            raise InDoubtError("the ledger went away during a commit; repeat with the same request_id") from None

    def _open(self, group: BoundGroup, submissions: list[Submission]) -> None:
        try:
            opened = open_records(self._vault, group.key_id, group.records)
        except Exception as error:  # noqa: BLE001
            # The bindings are durable: the sequencer will open them, and a repeat of the request finds them.
            if not isinstance(error, VaultError | SealdrawError):
                _log.exception("a group could not be opened")
            _fail(submissions, _vault_unavailable(error))
            return
        # A crash right here leaves opened slots that nobody was answered: asking again gives the same answer.
        self._on_step("open.answered")
        by_id = {record.bound.id: record for record in opened}
        for submission in submissions:
            submission.opened = [by_id[record.id] for record in submission.task.records]
            _notify(submission)

    def reopen(self, group_id: int) -> list[OpenedRecord]:
        """Return a durable group's records again, exactly as they were first given.

        Raises Unavailable when only the vault could open them and it does not answer.
        """
        with reading(self._engine) as connection:
            group = read_group(connection, group_id)
        if group.secrets is not None:
            return stored_records(group)
        try:
            return open_records(self._vault, group.key_id, group.records)
        except (VaultError, LedgerError) as error:
            raise _vault_unavailable(error) from None


def _vault_unavailable(error: Exception) -> Unavailable:
    _log.warning("vault: %s", type(error).__name__)
    return Unavailable("VAULT_UNAVAILABLE", "the slot is bound and cannot be opened right now; repeat the request")


def _fail(submissions: list[Submission], error: Exception) -> None:
    for submission in submissions:
        submission.error = error
        _notify(submission)


def _notify(submission: Submission) -> None:
    try:
        submission.notify(submission)
    except Exception:  # noqa: BLE001
        # One answer that cannot be given must not take the others' with it.
        _log.exception("an answer could not be given")


class KeyIdCache:
    """The id of the vault's current receipt key, read again after ``lifetime_s``; kept while the vault is away."""

    def __init__(self, read: Callable[[], str], *, lifetime_s: float = 5.0) -> None:
        self._read = read
        self._lifetime_s = lifetime_s
        self._value = read()
        self._until = time.monotonic() + lifetime_s

    def __call__(self) -> str:
        """Return the key id."""
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + self._lifetime_s
            try:
                self._value = self._read()
            except VaultError:
                # Any announced key may sign; the group names the one that it was bound under.
                _log.warning("the vault does not answer; keeping the receipt key that is known")
        return self._value
