from dataclasses import fields, replace
from hashlib import sha256

import pytest

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.log_entries import (
    ENTRY_TYPES,
    BeaconChainEntry,
    BeaconRound,
    CommittedRow,
    CommittedTotals,
    DealApprove,
    Digest,
    GamePar,
    GameRegistration,
    Incident,
    KeyRotation,
    LogConfig,
    PoolActivate,
    PoolClose,
    PoolCommit,
    PoolErase,
    PoolQuarantine,
    PoolTest,
    PoolVoid,
    ReceiptKey,
    RecordCounts,
    RecordRange,
    RtpAlarm,
    RtpTable,
    StatsBegin,
    StatsReport,
    StreamLanes,
    Totals,
    TotalsRow,
    parse_entry,
)

HEAD = {"origin": "example.org/dev", "time_us": 1_700_000_000_000_000}
POOL = "dev/dice/1/base/real/0/1"
HASH = bytes(range(32))
ROUND = BeaconRound(HASH, 9)
ENTRIES = [
    LogConfig(
        **HEAD,
        environment="dev",
        log_key="example.org/dev+00000000+AAAA",
        merge_delay_s=10,
        heartbeat_s=60,
        close_delay_s=60,
        beacon_margin_s=30,
    ),
    ReceiptKey(**HEAD, key_id=sha256(HASH).digest()[:8], public_key=HASH, epoch=1, signature=bytes(64)),
    KeyRotation(**HEAD, kind="drbg", epoch=2, instance="vault-1"),
    KeyRotation(**HEAD, kind="kek", epoch=2),
    BeaconChainEntry(
        **HEAD,
        chain=HASH,
        name="quicknet",
        scheme="bls-unchained-g1-rfc9380",
        public_key=bytes(96),
        period_s=3,
        genesis_time=1,
        group_hash=HASH,
        beacon_id="quicknet",
        development=False,
    ),
    GameRegistration(**HEAD, game="dice", version=1, digest=HASH, programs=("base", "bonus")),
    StreamLanes(**HEAD, stream="dice/1/base/real", lanes=4),
    PoolCommit(
        **HEAD,
        pool=POOL,
        size=8,
        slot_root=HASH,
        game_digest=HASH,
        program="base",
        drbg_instance="vault-1",
        drbg_epoch=1,
        key_epoch=1,
        deadline_us=1,
        beacon=ROUND,
        test_plan=HASH,
    ),
    PoolActivate(**HEAD, pool=POOL, commit_index=3, commit=HASH, checkpoint=b"note"),
    PoolActivate(
        **HEAD,
        pool=POOL,
        commit_index=3,
        commit=HASH,
        checkpoint=b"note",
        beacon_signature=bytes(48),
        beacon_value=HASH,
    ),
    PoolTest(**HEAD, pool=POOL, plan=HASH, verdict="pass", key_id=bytes(8), signature=bytes(64)),
    PoolQuarantine(**HEAD, pool=POOL, reason="test-failed", from_slot=8),
    PoolClose(**HEAD, pool=POOL, reason="exhausted", size=8, drawn=7, void=1, voids_digest=HASH),
    DealApprove(**HEAD, pool=POOL, game_digest=HASH, approver="first-inspector", reference="letter 7"),
    PoolVoid(**HEAD, pool=POOL, reason="late", key=HASH),
    PoolErase(
        **HEAD,
        pool=POOL,
        slot_root=HASH,
        drawn=7,
        void=1,
        bindings_digest=HASH,
        key_id=bytes(8),
        signature=bytes(64),
    ),
    Digest(
        **HEAD,
        seq=0,
        prev=bytes(32),
        counts=RecordCounts(draw=1, settle=1, ticket=0, void=0),
        root=HASH,
        ranges=(
            RecordRange(kind="draw", pool=POOL, records=1, slot=0, slots=2),
            RecordRange(kind="settle", pool=POOL, records=1),
        ),
        beacon=ROUND,
    ),
    Totals(
        **HEAD,
        seq=0,
        from_digest=0,
        to_digest=5,
        rows=(
            TotalsRow(
                game="dice",
                version=1,
                program="base",
                play_class="real",
                currency="",
                outcomes=3,
                plays=0,
                stake_minor=2**70,
                payout_minor=0,
                unsettled=-3,
            ),
        ),
    ),
    CommittedTotals(
        **HEAD,
        seq=0,
        from_digest=0,
        to_digest=5,
        rows=(
            CommittedRow(
                game="dice", version=1, program="base", play_class="real", currency="EUR", outcomes=3, commitment=HASH
            ),
        ),
    ),
    GamePar(**HEAD, game="dice", version=1, digest=HASH, sheet=HASH, page=HASH),
    RtpTable(**HEAD, seq=0, from_totals=0, to_totals=3, from_digest=0, to_digest=9, table=HASH, csv=HASH, page=HASH),
    RtpAlarm(
        **HEAD,
        game="dice",
        version=1,
        program="base",
        play_class="real",
        currency="EUR",
        from_digest=0,
        to_digest=9,
        direction="low",
        e_value="1.05029e3",
        alpha="1/400",
    ),
    StatsBegin(**HEAD, run=1, purpose="test", subject="test-stream", plan=HASH),
    StatsBegin(
        **HEAD,
        run=2,
        purpose="test",
        subject="opened",
        plan=HASH,
        game_digest=HASH,
        program="base",
        from_digest=0,
        to_digest=9,
    ),
    StatsBegin(**HEAD, run=3, purpose="dump", subject="test-stream", bits=8),
    StatsReport(**HEAD, run=1, verdict="pass", report=HASH, page=HASH, drbg_instance="vault-1", drbg_epoch=1, stream=1),
    StatsReport(**HEAD, run=2, verdict="suspicious", report=HASH, page=HASH),
    StatsReport(**HEAD, run=4, verdict="interrupted"),
    Incident(**HEAD, kind="slots-burned", reason="restored", pool=POOL, slot=3, slots=2),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.TYPE)
def test_every_entry_survives_its_bytes(entry):
    data = entry.to_bytes()
    assert parse_entry(data) == entry
    assert canonical.encode(canonical.decode(data)) == data


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.TYPE)
def test_a_member_too_many_or_too_few_is_refused(entry):
    members = canonical.decode(entry.to_bytes())
    with pytest.raises(MalformedError):
        parse_entry(canonical.encode({**members, "more": 1}))
    optional = {field.name for field in fields(entry) if field.default is None}
    for name in members.keys() - optional:
        with pytest.raises(MalformedError):
            parse_entry(canonical.encode({key: value for key, value in members.items() if key != name}))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.TYPE)
def test_a_member_of_another_type_is_refused(entry):
    members = canonical.decode(entry.to_bytes())
    for name in members:
        for wrong in (True, -1, "", [], {}, "x" * 70_000):
            if type(wrong) is type(members[name]) and name in {"development", "rows", "ranges", "counts"}:
                continue
            if wrong == [] and name in {"rows", "ranges"}:
                continue
            with pytest.raises(MalformedError):
                parse_entry(canonical.encode({**members, name: wrong}))


def test_every_type_of_the_protocol_is_known():
    assert set(ENTRY_TYPES) == {entry.TYPE for entry in ENTRIES}
    assert len(ENTRY_TYPES) == 22


def test_an_entry_that_the_log_cannot_hold_is_refused():
    note = PoolActivate(**HEAD, pool=POOL, commit_index=3, commit=HASH, checkpoint=bytes(40_000))
    with pytest.raises(MalformedError, match=r"pool\.activate"):
        note.to_bytes()


def test_other_versions_and_types_are_refused():
    data = ENTRIES[0].to_bytes()
    for changed in (
        data.replace(b'"v":1}', b'"v":2}'),
        data.replace(b'"v":1}', b'"v":true}'),
        data.replace(b'"log.config"', b'"log.other"'),
        data.replace(b'"log.config"', b"7"),
        data + b" ",
        b"[]",
    ):
        with pytest.raises(MalformedError):
            parse_entry(changed)


def test_members_that_belong_together_stand_together():
    activation = ENTRIES[9]
    with pytest.raises(MalformedError, match="stand together"):
        replace(activation, beacon_value=None)
    for members in (
        {"kind": "draw", "pool": POOL, "records": 1},
        {"kind": "settle", "pool": POOL, "records": 1, "slot": 0, "slots": 1},
        {"kind": "draw", "pool": POOL, "records": 1, "slot": 0},
        {"kind": "draw", "pool": POOL, "records": 3, "slot": 0, "slots": 2},
    ):
        with pytest.raises(MalformedError):
            RecordRange(**members)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"purpose": "test"}, "a test, and nothing else, names its plan"),
        ({"purpose": "test", "plan": HASH, "bits": 8}, "a dump, and nothing else, states its bits"),
        ({"purpose": "test", "subject": "opened", "plan": HASH}, "stand with opened outcomes"),
        ({"purpose": "test", "plan": HASH, "program": "base"}, "stand with opened outcomes"),
        ({"purpose": "dump"}, "states its bits"),
        ({"purpose": "dump", "bits": 8, "plan": HASH}, "names its plan"),
        ({"purpose": "dump", "bits": 8, "subject": "opened"}, "only test streams are dumped"),
    ],
)
def test_a_run_states_what_its_purpose_and_subject_need_and_nothing_else(wrong, message):
    with pytest.raises(MalformedError, match=message):
        StatsBegin(**{**HEAD, "run": 1, "subject": "test-stream", **wrong})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"verdict": "pass"}, "report and page"),
        ({"verdict": "fail", "report": HASH}, "report and page"),
        ({"verdict": "interrupted", "report": HASH, "page": HASH}, "report and page"),
        ({"verdict": "pass", "report": HASH, "page": HASH, "stream": 1}, "stand together"),
        ({"verdict": "interrupted", "drbg_instance": "vault-1", "drbg_epoch": 1, "stream": 1}, "names no stream"),
    ],
)
def test_a_report_states_what_its_verdict_needs_and_nothing_else(wrong, message):
    with pytest.raises(MalformedError, match=message):
        StatsReport(**{**HEAD, "run": 1, **wrong})


def test_a_receipt_key_is_named_by_its_hash():
    with pytest.raises(MalformedError, match="key_id"):
        ReceiptKey(**HEAD, key_id=bytes(8), public_key=HASH, epoch=1, signature=bytes(64))


@pytest.mark.parametrize(
    ("member", "most"),
    [
        ("merge_delay_s", 86_400),
        ("heartbeat_s", 3_600),
        ("close_delay_s", 604_800),
        ("beacon_margin_s", 86_400),
    ],
)
def test_what_an_operator_holds_itself_to_has_bounds(member, most):
    members = canonical.decode(ENTRIES[0].to_bytes())
    for value in (1, most):
        assert getattr(parse_entry(canonical.encode({**members, member: value})), member) == value
    for value in (0, most + 1):
        with pytest.raises(MalformedError, match=member):
            parse_entry(canonical.encode({**members, member: value}))


def test_the_epochs_of_receipt_keys_count_from_one():
    members = canonical.decode(ENTRIES[1].to_bytes())
    with pytest.raises(MalformedError, match="epoch"):
        parse_entry(canonical.encode({**members, "epoch": 0}))


def test_a_digest_counts_no_more_records_than_a_verifier_reads():
    members = canonical.decode(next(entry for entry in ENTRIES if isinstance(entry, Digest)).to_bytes())
    counts = {"draw": 65_533, "settle": 1, "ticket": 1, "void": 1}
    assert parse_entry(canonical.encode({**members, "counts": counts})).counts.total == 65_536
    for more in ({**counts, "void": 2}, {**counts, "draw": 2**40}):
        with pytest.raises(MalformedError, match="records"):
            parse_entry(canonical.encode({**members, "counts": more}))
