"""The client for game servers: each draw exactly once, whatever crashes, and checked against the public log."""

from rng_service.client.channel import Tls
from rng_service.client.client import Client
from rng_service.client.errors import (
    BadReceiptError,
    CallError,
    ClientError,
    ClosedError,
    FailedPrecondition,
    InDoubtError,
    InvalidArgument,
    JournalError,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    UnexpectedStatus,
    UnverifiedError,
)
from rng_service.client.exchange import Surroundings
from rng_service.client.file_journal import FileJournal
from rng_service.client.journal import JournalEntry, MemoryJournal, RequestJournal
from rng_service.client.judge import Unverified
from rng_service.client.receipt import Receipt, Settlement, Ticket
from rng_service.client.reception import Resolution
from rng_service.client.retry import RetryPolicy
from rng_service.client.round import Round
from rng_service.client.session import TicketedSession
from rng_service.client.wager import Wager

__all__ = [
    "BadReceiptError",
    "CallError",
    "Client",
    "ClientError",
    "ClosedError",
    "FailedPrecondition",
    "FileJournal",
    "InDoubtError",
    "InvalidArgument",
    "JournalEntry",
    "JournalError",
    "MemoryJournal",
    "NotFound",
    "PermissionDenied",
    "Receipt",
    "RequestJournal",
    "Resolution",
    "ResourceExhausted",
    "RetryPolicy",
    "Round",
    "Settlement",
    "Surroundings",
    "Ticket",
    "TicketedSession",
    "Tls",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedStatus",
    "Unverified",
    "UnverifiedError",
    "Wager",
]
