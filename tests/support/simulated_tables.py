"""Tables of returns of the simulated operator, made from its records alone, and committed totals with their openings."""

from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256

from anchor import canonical
from rng_service.games import resolve_bet
from rng_service.games.reference import reference_of
from rng_service.log_entries import CommittedRow, CommittedTotals, RtpTable
from rng_service.names import parse_pool_id
from rng_service.public_files import rtp_table_paths
from rng_service.records.openings import Opening, OpeningsHeader, commitment, totals_row_bytes, write_openings
from rng_service.rtp.committed_table import public_table
from rng_service.rtp.periods import Grain, hour_of, period_of
from rng_service.rtp.prices import PriceBook
from rng_service.rtp.rollup import SeriesKey, Sums
from rng_service.rtp.table import PoolReturn, PoolsKey, TableHeader, TableRow, rtp_table
from rng_service.rtp.table_files import table_csv, table_page


@dataclass
class SimulatedTotals:
    """What the operator remembers of a totals entry: its digests, and where it stands."""

    from_digest: int
    to_digest: int
    index: int


@dataclass
class Ledger:
    """What tables need beside the records."""

    digest_times: list[int] = field(default_factory=list)
    totals: list[SimulatedTotals] = field(default_factory=list)
    closes: list[tuple[int, object]] = field(default_factory=list)
    tables: list[tuple[int, int]] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)


def day_of(time_us):
    return period_of(Grain.DAY, hour_of(time_us))


def rows_of(operator, first_digest, last_digest):
    """Add up the records of some digests by series and day."""
    rows = {}
    books = {}
    settled = {}
    for record in sorted(operator.records, key=lambda item: -1 if item.digest_seq is None else item.digest_seq):
        if record.kind not in {"draw", "settle"} or record.digest_seq is None or record.pool.deal:
            continue
        stream, members = parse_pool_id(record.pool.pool_id).stream, record.binding
        first = False
        if record.kind == "settle":
            place = id(record.ticket), record.slot
            first = record.ticket.payouts is None and place not in settled
            settled[place] = True
        if not first_digest <= record.digest_seq <= last_digest:
            continue
        key = SeriesKey(*stream, members.get("currency", ""))
        sums = Sums()
        plays = []
        if record.kind == "draw":
            sums.outcomes = record.slots
            sums.unsettled = record.slots if record.payouts is None else 0
            plays = [(members["stake_minor"], payout) for payout in record.payouts or ()]
        else:
            sums.unsettled = -1 if first else 0
            if members["status"] == "final":
                plays = [(members["stake_minor"], members["payout_minor"])]
        if plays:
            program = record.pool.game.program(record.pool.program)
            book = books.setdefault((stream.game, stream.program), PriceBook(program))
            price = book.price(resolve_bet(record.pool.game, record.pool.program, members["bet"]), str(members["bet"]))
        for stake, payout in plays:
            sums.plays += 1
            sums.hits += payout > 0
            sums.stake_minor += stake
            sums.payout_minor += payout
            sums.expected_payout += stake * price.mean
            sums.expected_hits += price.hit_frequency
            sums.expected_variance += stake * stake * price.variance
        rows.setdefault(key, TableRow()).add(day_of(operator.tables.digest_times[record.digest_seq]), sums)
    return rows


def pools_of(operator, from_totals, to_totals):
    """Add up what the pools returned that were closed between these totals and those before."""
    totals = operator.tables.totals
    after = totals[from_totals - 1].index if from_totals else -1
    found = {}
    for index, pool in operator.tables.closes:
        if not after < index < totals[to_totals].index or not pool.drawn:
            continue
        reference = reference_of(pool.game.program(pool.program))
        if reference is None:
            continue
        returned = Fraction(0)
        for record in operator.records:
            if record.kind == "draw" and record.pool is pool:
                width = len(record.outcome) // record.slots
                for at in range(0, len(record.outcome), width):
                    returned += reference.multiplier(record.outcome[at : at + width])
        key = PoolsKey(*parse_pool_id(pool.pool_id).stream)
        added = PoolReturn.of_pool(pool.game.program(pool.program), pool.drawn, returned)
        found[key] = found[key] + added if key in found else added
    return found


def publish_table(operator, from_totals=0, to_totals=None, *, show_plays=False):
    """Publish a table over whole totals entries, and append its entry."""
    totals = operator.tables.totals
    to_totals = len(totals) - 1 if to_totals is None else to_totals
    seq = len(operator.tables.tables)
    first, last = totals[from_totals], totals[to_totals]
    times = operator.tables.digest_times
    header = operator.on_table_header(
        TableHeader(
            operator.origin,
            seq,
            from_totals,
            to_totals,
            first.from_digest,
            last.to_digest,
            times[first.from_digest],
            times[last.to_digest],
        )
    )
    rows = operator.on_table_rows(rows_of(operator, first.from_digest, last.to_digest))
    pools = operator.on_table_pools(pools_of(operator, from_totals, to_totals))
    document = rtp_table(header, rows, pools, operator.games)
    if operator.policy == "committed":
        openings = []
        for place, row in enumerate(document["rows"]):
            salt, data = operator.random(32), canonical.encode(operator.on_opened_row(row))
            openings.append(Opening(kind="table", seq=seq, place=place, salt=salt, row=data.decode("ascii")))
        operator.tables.openings += openings
        document = public_table(document, [item.commitment for item in openings], show_plays=show_plays)
    document = operator.on_table(document)
    table = canonical.encode(document)
    contents = operator.on_table_files([table, table_csv(document), table_page(document)])
    for path, content in zip(rtp_table_paths(seq), contents, strict=True):
        operator.put(path, content)
    digests = [sha256(content).digest() for content in contents]
    operator.append(
        RtpTable(
            **operator.head(),
            seq=seq,
            from_totals=header.from_totals,
            to_totals=header.to_totals,
            from_digest=header.from_digest,
            to_digest=header.to_digest,
            table=digests[0],
            csv=digests[1],
            page=digests[2],
        )
    )
    operator.tables.tables.append((from_totals, to_totals))


def committed(operator, entry):
    """Return the same totals with commitments, and keep what opens them."""
    rows = []
    for place, row in enumerate(entry.rows):
        salt, data = operator.random(32), totals_row_bytes(operator.on_opened_total(row))
        operator.tables.openings.append(
            Opening(kind="totals", seq=entry.seq, place=place, salt=salt, row=data.decode("ascii"))
        )
        rows.append(
            CommittedRow(
                game=row.game,
                version=row.version,
                program=row.program,
                play_class=row.play_class,
                currency=row.currency,
                outcomes=row.outcomes,
                commitment=commitment("totals", salt, data),
            )
        )
    return CommittedTotals(
        origin=entry.origin,
        time_us=entry.time_us,
        seq=entry.seq,
        from_digest=entry.from_digest,
        to_digest=entry.to_digest,
        rows=tuple(rows),
    )


def write_all_openings(operator, path):
    """Write the operator's openings to a file, as an auditor gets them."""
    header = OpeningsHeader(origin=operator.origin, from_totals=0, to_totals=len(operator.tables.totals) - 1)
    with path.open("wb") as stream:
        write_openings(stream, header, operator.on_openings(list(operator.tables.openings)))
    return path
