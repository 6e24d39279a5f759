"""The ledger's tables.

What the hot path writes is append-only and keyed by time-ordered values, so that the rate does not depend on how much
there already is: one row a request (keyed by its UUIDv7), one a record, one a commit group. Everything that changes
(pools, sessions, open tickets) stays small.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite makes only INTEGER a rowid alias; PostgreSQL needs 64 bits said aloud.
Key = BigInteger().with_variant(Integer(), "sqlite")

# A record's id is its group's id, the request's place in the group, and the record's place in the request: a group is
# one range of ids, a request's records are another, and both are known before any slot is.
POSITION_BITS: Final = 12
REQUEST_BITS: Final = 4
MAX_RECORDS_PER_REQUEST: Final = 1 << REQUEST_BITS
MAX_REQUESTS_PER_GROUP: Final = 1 << (POSITION_BITS - REQUEST_BITS)

# RecordRow.family: the database itself allows one ticket and one of draw or void for each slot.
FAMILY_TICKET: Final = 0
FAMILY_FINAL: Final = 1
FAMILY_SETTLEMENT: Final = 2

# TicketRow.state
TICKET_OPEN: Final = 0
TICKET_DRAWN: Final = 1
TICKET_VOID: Final = 2


class Base(DeclarativeBase):
    """The declarative base of the ledger."""


class MetaRow(Base):
    """Facts of the whole ledger: origin, environment, log configuration."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String)


class CallerRow(Base):
    """A registered caller: a stable name, what it may do, and the certificates that prove it."""

    __tablename__ = "callers"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    certificate_digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)


class GameRow(Base):
    """One registered version of a game."""

    __tablename__ = "games"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(32))
    version: Mapped[int] = mapped_column(Integer)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    definition: Mapped[bytes] = mapped_column(LargeBinary)
    retired_us: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (UniqueConstraint("name", "version"),)


class StreamRow(Base):
    """One (game, version, program, play class): the row of pools that its draws come from."""

    __tablename__ = "streams"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    game_id: Mapped[int] = mapped_column(ForeignKey("games.id"))
    program: Mapped[str] = mapped_column(String(32))
    play_class: Mapped[str] = mapped_column(String(4))
    lanes: Mapped[int] = mapped_column(Integer)
    pool_size: Mapped[int] = mapped_column(Integer)
    # Whether its pools are finite deals.
    deal: Mapped[bool] = mapped_column(Boolean, server_default=false())
    __table_args__ = (UniqueConstraint("game_id", "program", "play_class"),)


class PoolRow(Base):
    """One pool; `rng_service.pools.lifecycle` says which states follow which."""

    __tablename__ = "pools"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    pool_id: Mapped[str] = mapped_column(String(160), unique=True)
    stream_id: Mapped[int] = mapped_column(ForeignKey("streams.id"))
    lane: Mapped[int] = mapped_column(Integer)
    number: Mapped[int] = mapped_column(Integer)
    size: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16))
    next_slot: Mapped[int] = mapped_column(Integer)
    slot_root: Mapped[bytes] = mapped_column(LargeBinary(32))
    deadline_us: Mapped[int] = mapped_column(BigInteger)
    beacon_chain: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    beacon_round: Mapped[int | None] = mapped_column(BigInteger)
    commit_entry: Mapped[bytes] = mapped_column(LargeBinary)
    commit_index: Mapped[int | None] = mapped_column(BigInteger)
    activate_entry: Mapped[bytes | None] = mapped_column(LargeBinary)
    activate_index: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(String(64))
    # The plan that the commitment names, and what its test came to; absent of pools that name none.
    test_plan: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    test_verdict: Mapped[str | None] = mapped_column(String(4))
    test_entry: Mapped[bytes | None] = mapped_column(LargeBinary)
    test_index: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (
        UniqueConstraint("stream_id", "lane", "number"),
        Index("ix_pools_live", "stream_id", "state"),
        # All verdicts there ever were are counted from it alone.
        Index("ix_pools_tests", "test_verdict", "test_plan"),
    )


class DealApprovalRow(Base):
    """That somebody let the sale of a deal begin; it begins once the entry is published."""

    __tablename__ = "deal_approvals"
    pool_id: Mapped[int] = mapped_column(ForeignKey("pools.id"), primary_key=True)
    log_entry_id: Mapped[int] = mapped_column(Key)


class GroupRow(Base):
    """One commit group: the records that became durable together and are opened together."""

    __tablename__ = "commit_groups"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    created_us: Mapped[int] = mapped_column(BigInteger)
    # Chosen before the commit, so that the receipts are a pure function of what is durable here.
    key_id: Mapped[str] = mapped_column(String(16))
    # Filled in when the group joins a digest: the secrets of its openings in order, and the vault's signature.
    secrets: Mapped[bytes | None] = mapped_column(LargeBinary)
    signature: Mapped[bytes | None] = mapped_column(LargeBinary)
    digest_seq: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (
        Index(
            "ix_groups_unclaimed",
            "id",
            sqlite_where=text("digest_seq IS NULL"),
            postgresql_where=text("digest_seq IS NULL"),
        ),
        Index("ix_groups_digest", "digest_seq"),
    )


class RecordRow(Base):
    """One record: the exact bytes of its binding and the slots that it takes."""

    __tablename__ = "records"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    pool_id: Mapped[int] = mapped_column(Key)
    slot: Mapped[int] = mapped_column(Integer)
    slots: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(6))
    family: Mapped[int] = mapped_column(SmallInteger)
    # 0, but for settlements, of which a slot may have many: the record's own id.
    ordinal: Mapped[int] = mapped_column(BigInteger)
    binding: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = (UniqueConstraint("pool_id", "slot", "family", "ordinal"),)


class RequestRow(Base):
    """One request id of one caller and what became of it; a fence has no records."""

    __tablename__ = "requests"
    request_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    caller: Mapped[str] = mapped_column(String(32), primary_key=True)
    payload: Mapped[bytes] = mapped_column(LargeBinary(32))
    method: Mapped[str] = mapped_column(String(10))
    # The first of MAX_RECORDS_PER_REQUEST record ids set aside for it.
    first_record: Mapped[int] = mapped_column(Key)
    # Time-ordered keys keep inserts at the right edge of one b-tree.
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own form


class SessionRow(Base):
    """The last session_seq of a session."""

    __tablename__ = "sessions"
    caller: Mapped[str] = mapped_column(String(32), primary_key=True)
    session: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_sequence: Mapped[int] = mapped_column(Integer)
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own form


class RoundRow(Base):
    """Where a round of several draws stands; what its newest step's outcome awards is not in it yet."""

    __tablename__ = "rounds"
    caller: Mapped[str] = mapped_column(String(32), primary_key=True)
    round: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_step: Mapped[int] = mapped_column(Integer)
    # The draw of that step.
    record_id: Mapped[int] = mapped_column(Key)
    # Of the newest step that was paid for; 0 and "" when it had no wager.
    stake_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    # Awarded draws that are left, by program, as canonical JSON.
    awards: Mapped[str] = mapped_column(String)
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own form


class TicketRow(Base):
    """One ticket; kept until its request id is too old to be repeated."""

    __tablename__ = "tickets"
    hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    pool_id: Mapped[int] = mapped_column(Key)
    slot: Mapped[int] = mapped_column(Integer)
    record_id: Mapped[int] = mapped_column(Key)
    caller: Mapped[str] = mapped_column(String(32))
    expires_us: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[int] = mapped_column(SmallInteger)
    __table_args__ = (
        Index("ix_tickets_state", "state", "expires_us"),
        Index("ix_tickets_pool", "pool_id", "state"),
    )


class TagsRow(Base):
    """Tags in clear and the salt of their commitment: the one place with personal references, and it can be erased."""

    __tablename__ = "tags"
    record_id: Mapped[int] = mapped_column(Key, primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary(32))
    tags: Mapped[bytes] = mapped_column(LargeBinary)


class SettlementRow(Base):
    """That a bettor was settled for an outcome, once."""

    __tablename__ = "settlements"
    pool_id: Mapped[int] = mapped_column(Key, primary_key=True)
    slot: Mapped[int] = mapped_column(Integer, primary_key=True)
    bettor: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    record_id: Mapped[int] = mapped_column(Key)
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own form


class DigestRow(Base):
    """One digest entry; the file of its record digests follows from the groups that it claimed."""

    __tablename__ = "digests"
    seq: Mapped[int] = mapped_column(Key, primary_key=True)
    entry: Mapped[bytes] = mapped_column(LargeBinary)
    log_entry_id: Mapped[int] = mapped_column(Key)
    created_us: Mapped[int] = mapped_column(BigInteger)
    # The vault's journal as it was when the digest was made: how a restored vault is noticed.
    journal_sequence: Mapped[int] = mapped_column(BigInteger)
    journal_head: Mapped[bytes] = mapped_column(LargeBinary(32))


class DigestTotalRow(Base):
    """What one digest adds to the totals of one row (PROTOCOL.md, section 10)."""

    __tablename__ = "digest_totals"
    digest_seq: Mapped[int] = mapped_column(Key, primary_key=True)
    game: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    program: Mapped[str] = mapped_column(String(32), primary_key=True)
    play_class: Mapped[str] = mapped_column(String(4), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    outcomes: Mapped[int] = mapped_column(BigInteger)
    plays: Mapped[int] = mapped_column(BigInteger)
    # Decimal strings: sums of money have no bound.
    stake_minor: Mapped[str] = mapped_column(String(40))
    payout_minor: Mapped[str] = mapped_column(String(40))
    unsettled: Mapped[int] = mapped_column(BigInteger)


class TotalsRow(Base):
    """One published totals entry."""

    __tablename__ = "totals"
    seq: Mapped[int] = mapped_column(Key, primary_key=True)
    from_digest: Mapped[int] = mapped_column(BigInteger)
    to_digest: Mapped[int] = mapped_column(BigInteger)
    created_us: Mapped[int] = mapped_column(BigInteger)
    # Its entry; absent for totals that are older than this column.
    log_entry_id: Mapped[int | None] = mapped_column(Key)


class RtpDeltaRow(Base):
    """What the records of one digest add to the rollups, until they are folded in (`ledger.rollups`)."""

    __tablename__ = "rtp_deltas"
    digest_seq: Mapped[int] = mapped_column(Key, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class RtpKeyRow(Base):
    """What rollups are kept by, once for all periods."""

    __tablename__ = "rtp_keys"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    game: Mapped[str] = mapped_column(String(32))
    version: Mapped[int] = mapped_column(Integer)
    program: Mapped[str] = mapped_column(String(32))
    play_class: Mapped[str] = mapped_column(String(4))
    currency: Mapped[str] = mapped_column(String(3))
    brand: Mapped[str] = mapped_column(String(128))
    jurisdiction: Mapped[str] = mapped_column(String(128))
    channel: Mapped[str] = mapped_column(String(128))
    band: Mapped[str] = mapped_column(String(40))
    __table_args__ = (
        UniqueConstraint(
            "game", "version", "program", "play_class", "currency", "brand", "jurisdiction", "channel", "band"
        ),
    )


class RtpRollupRow(Base):
    """The sums of one key in one hour, day or month (`rng_service.rtp.periods`), exact: `rng_service.rtp.rollup`."""

    __tablename__ = "rtp_rollups"
    # In the order of time, so that what is written lies at the right edge and a period is one range.
    grain: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    period: Mapped[int] = mapped_column(Integer, primary_key=True)
    key_id: Mapped[int] = mapped_column(Key, primary_key=True)
    outcomes: Mapped[int] = mapped_column(BigInteger)
    plays: Mapped[int] = mapped_column(BigInteger)
    hits: Mapped[int] = mapped_column(BigInteger)
    unsettled: Mapped[int] = mapped_column(BigInteger)
    unpriced: Mapped[int] = mapped_column(BigInteger)
    by_strategy: Mapped[int] = mapped_column(BigInteger)
    # Decimal strings and fractions: these have no bound.
    stake_minor: Mapped[str] = mapped_column(String)
    payout_minor: Mapped[str] = mapped_column(String)
    stake_squares: Mapped[str] = mapped_column(String)
    expected_variance: Mapped[str] = mapped_column(String)
    expected_payout: Mapped[str] = mapped_column(String)
    expected_hits: Mapped[str] = mapped_column(String)
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own form


class RtpSeriesRow(Base):
    """One paytable in one class and currency: what evidence about its return is collected by."""

    __tablename__ = "rtp_series"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    game: Mapped[str] = mapped_column(String(32))
    version: Mapped[int] = mapped_column(Integer)
    program: Mapped[str] = mapped_column(String(32))
    play_class: Mapped[str] = mapped_column(String(4))
    currency: Mapped[str] = mapped_column(String(3))
    # Bounds of every multiplier and of every bet's return, as fractions.
    highest: Mapped[str] = mapped_column(String)
    highest_mean: Mapped[str] = mapped_column(String)
    without_evidence: Mapped[int] = mapped_column(BigInteger)
    # The first and the last digest with a play of it.
    first_digest: Mapped[int] = mapped_column(BigInteger)
    last_digest: Mapped[int] = mapped_column(BigInteger)
    # The day from which evidence counts, later than the first once an alarm was acknowledged; and the digest then.
    since_day: Mapped[int | None] = mapped_column(Integer)
    since_digest: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (UniqueConstraint("game", "version", "program", "play_class", "currency"),)


class RtpCellRow(Base):
    """How often a kind of play of a series occurred on one day, or (day -1) ever."""

    __tablename__ = "rtp_cells"
    series_id: Mapped[int] = mapped_column(Key, primary_key=True)
    day: Mapped[int] = mapped_column(Integer, primary_key=True)
    weight: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    multiplier: Mapped[str] = mapped_column(String(64), primary_key=True)
    expected: Mapped[str] = mapped_column(String, primary_key=True)
    plays: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own form


class RtpAlarmRow(Base):
    """An alarm that was raised for a series and direction, and who has seen to it; another one needs that first."""

    __tablename__ = "rtp_alarms"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    series_id: Mapped[int] = mapped_column(Key)
    direction: Mapped[str] = mapped_column(String(4))
    raised_us: Mapped[int] = mapped_column(BigInteger)
    log_entry_id: Mapped[int] = mapped_column(Key)
    acknowledged_us: Mapped[int | None] = mapped_column(BigInteger)
    acknowledged_by: Mapped[str | None] = mapped_column(String(32))
    __table_args__ = (Index("ix_rtp_alarms_series", "series_id"),)


class LogEntryRow(Base):
    """One log entry, final from the moment that it stands here; its index is given once and never again."""

    __tablename__ = "log_entries"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    type: Mapped[str] = mapped_column(String(24))
    entry: Mapped[bytes] = mapped_column(LargeBinary)
    log_index: Mapped[int | None] = mapped_column(BigInteger, unique=True)


class BeaconRoundRow(Base):
    """A beacon round that was verified and used: past rounds are needed to check old activations."""

    __tablename__ = "beacon_rounds"
    chain: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    round: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    signature: Mapped[bytes] = mapped_column(LargeBinary)


class RtpTableRow(Base):
    """One published table of returns; its files are among the documents."""

    __tablename__ = "rtp_tables"
    seq: Mapped[int] = mapped_column(Key, primary_key=True)
    from_totals: Mapped[int] = mapped_column(BigInteger)
    to_totals: Mapped[int] = mapped_column(BigInteger)
    from_digest: Mapped[int] = mapped_column(BigInteger)
    to_digest: Mapped[int] = mapped_column(BigInteger)
    created_us: Mapped[int] = mapped_column(BigInteger)


class RtpTableRequestRow(Base):
    """An operator's wish for a table, and what became of it."""

    __tablename__ = "rtp_table_requests"
    request_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    # Days since 1970; the end is the day after the last. Absent: from the first day, up to the newest digest.
    from_day: Mapped[int | None] = mapped_column(Integer)
    end_day: Mapped[int | None] = mapped_column(Integer)
    # The document that the operator expects, where it brought one: anything else is refused.
    expected: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_us: Mapped[int] = mapped_column(BigInteger)
    # Filled in when it is done: the table, or why there is none.
    table_seq: Mapped[int | None] = mapped_column(BigInteger)
    refused: Mapped[str | None] = mapped_column(String(400))
    # Under committed totals: whether the table states numbers of plays.
    show_plays: Mapped[bool] = mapped_column(Boolean, server_default=false())
    caller: Mapped[str] = mapped_column(String(32), server_default="")


class PoolReturnRow(Base):
    """What the reference bet would have returned on the outcomes drawn from a pool so far."""

    __tablename__ = "pool_returns"
    pool_id: Mapped[int] = mapped_column(Key, primary_key=True)
    outcomes: Mapped[int] = mapped_column(BigInteger)
    # A fraction.
    returned: Mapped[str] = mapped_column(String)


class OpeningRow(Base):
    """What opens one commitment of committed totals, or of a table over them; for auditors, and never published."""

    __tablename__ = "openings"
    # `totals` or `table`.
    kind: Mapped[str] = mapped_column(String(6), primary_key=True)
    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(Integer, primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary(32))
    # The very bytes that were committed to.
    row: Mapped[bytes] = mapped_column(LargeBinary)


class DocumentRow(Base):
    """A document that a log entry names by its hash; written to its public path before the entry is published."""

    __tablename__ = "documents"
    path: Mapped[str] = mapped_column(String(160), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class StatisticsRunRow(Base):
    """One run of statistics, or one dump, in the order of the log; its files are among the documents."""

    __tablename__ = "statistics_runs"
    run: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    # As in stats.begin.
    purpose: Mapped[str] = mapped_column(String(4))
    subject: Mapped[str] = mapped_column(String(11))
    begun_us: Mapped[int] = mapped_column(BigInteger)
    begin_entry_id: Mapped[int] = mapped_column(Key)
    game_digest: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    program: Mapped[str | None] = mapped_column(String(32))
    from_digest: Mapped[int | None] = mapped_column(BigInteger)
    to_digest: Mapped[int | None] = mapped_column(BigInteger)
    bits: Mapped[int | None] = mapped_column(BigInteger)
    # The caller of a dump.
    caller: Mapped[str | None] = mapped_column(String(32))
    # Filled in with stats.report.
    verdict: Mapped[str | None] = mapped_column(String(11))
    ended_us: Mapped[int | None] = mapped_column(BigInteger)
    # A failed run stops the sealing of pools until somebody has seen to it.
    acknowledged_us: Mapped[int | None] = mapped_column(BigInteger)
    acknowledged_by: Mapped[str | None] = mapped_column(String(32))


class LeaseRow(Base):
    """Who leads. The epoch grows with every change of holder, and every leader's write checks it."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    epoch: Mapped[int] = mapped_column(BigInteger)
    expires_us: Mapped[int] = mapped_column(BigInteger)
