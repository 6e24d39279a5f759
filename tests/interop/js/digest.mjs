// PROTOCOL.md sections 8 (step 9) and 9: which digests have a record, in their ranges and in their files.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hex } from "./bytes.mjs";
import { tilePath } from "./log.mjs";
import { root } from "./merkle.mjs";
import { require } from "./refusal.mjs";

const MICROSECONDS = 1_000_000n;
const TOLERANCE = 5n * MICROSECONDS;
const KINDS = ["draw", "settle", "ticket", "void"];
const MOST_RECORDS = 65_536;

const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

// How many slots each record of a range has.
const width = (range) => range.slots / range.records;

// The counts are those of the ranges, and the ranges are sorted, apart, and of records of equal width. Returns the
// number of records.
function checkForm(digest) {
  const { counts, ranges } = digest;
  for (const kind of KINDS) {
    const stated = sum(ranges.filter((range) => range.kind === kind).map((range) => range.records));
    require(counts[kind] === stated, 9, "digest-counts", "the counts are not those of the ranges");
  }
  const total = sum(KINDS.map((kind) => counts[kind]));
  require(Number.isSafeInteger(total) && total <= MOST_RECORDS, 9, "digest-size", "too many records in a digest");
  for (const [place, range] of ranges.entries()) {
    const sized = range.kind === "settle"
      ? range.slot === undefined && range.slots === undefined
      : range.slot >= 0 && range.slots >= range.records && range.slots % range.records === 0;
    require(KINDS.includes(range.kind) && range.records >= 1 && sized, 9, "digest-ranges", "a bad range");
    if (place === 0) continue;
    const before = ranges[place - 1];
    const order = byText(before.pool, range.pool) || byText(before.kind, range.kind);
    const end = before.slot + before.slots;
    const apart = order < 0
      || (order === 0 && (end < range.slot || (end === range.slot && width(before) !== width(range))));
    require(apart, 9, "digest-ranges", "the ranges are not sorted and apart");
  }
  return total;
}

function readDigests(digest, total, directory) {
  if (total === 0) return [];
  const bytes = readFileSync(join(directory, "digests", `${tilePath(digest.seq)}.bin`));
  const digests = [];
  for (let at = 0; at < bytes.length; at += 32) digests.push(bytes.subarray(at, at + 32));
  const whole = digests.length === total && root(digests).equals(hex(digest.root, 32));
  require(whole, 9, "digest-file", "the digest's file is not that of its root");
  return digests;
}

// How many records of a range stand before a draw or ticket: settlements stand behind all others of their pool, and of
// one slot the kinds stand in the order of their names.
function before(range, record) {
  const { pool, slot } = record.binding;
  if (range.pool !== pool) return range.pool < pool ? range.records : 0;
  if (range.kind === "settle") return 0;
  const below = slot + (range.kind < record.kind ? 1 : 0) - range.slot;
  return Math.min(Math.max(Math.ceil(below / width(range)), 0), range.records);
}

function checkPlace(digest, record, place) {
  const { pool, slot } = record.binding;
  const own = digest.ranges.some((range) => range.pool === pool && range.kind === record.kind
    && range.slot <= slot && slot < range.slot + range.slots
    && record.count === width(range) && (slot - range.slot) % width(range) === 0);
  require(own, 9, "digest-range", "the digest has no range with the record's slots");
  const due = sum(digest.ranges.map((range) => before(range, record)));
  require(place === due, 9, "digest-place", "the record does not stand where the ranges put it");
}

// What fell due in an outage that the log admits is due that long after it (section 9).
function dueTime(bindTime, log, mergeDelay) {
  let due = BigInt(bindTime) + mergeDelay;
  let last;
  let admitted = false;
  for (const entry of log.entries) {
    admitted ||= entry.type === "incident" && entry.kind === "outage";
    if (entry.type !== "digest") continue;
    const end = BigInt(entry.time_us);
    if (admitted && last !== undefined && last <= due && due <= end) due = end + mergeDelay;
    last = end;
    admitted = false;
  }
  return due;
}

// Whether a digest that does not have a record gives one of its slots to somebody else. Once a ticket is logged its slot
// is drawn or void; before that nothing may have it.
function givesAway(digest, { record, index }) {
  const kinds = record.kind === "draw" ? ["draw", "void"] : index === undefined ? ["draw", "ticket", "void"] : ["ticket"];
  const { pool, slot } = record.binding;
  return digest.ranges.some((range) => kinds.includes(range.kind) && range.pool === pool
    && range.slot < slot + record.count && slot < range.slot + range.slots);
}

// For each record (undefined stays so): the index of the one digest that has it, when it is due, and which digest gave
// its slot to somebody else.
export function findDigests(records, activateIndex, log, config, directory) {
  const mergeDelay = BigInt(config.merge_delay_s) * MICROSECONDS;
  const sought = records.map((record) => (record === undefined ? undefined
    : { record, due: dueTime(record.binding.bind_time, log, mergeDelay), index: undefined, taken: undefined }));
  const { pool } = records[0].binding;
  for (let at = activateIndex + 1; at < log.entries.length; at += 1) {
    const digest = log.entries[at];
    if (digest.type !== "digest" || !digest.ranges.some((range) => range.pool === pool)) continue;
    const digests = readDigests(digest, checkForm(digest), directory);
    for (const item of sought.filter((each) => each !== undefined)) {
      const place = digests.findIndex((each) => each.equals(item.record.digest));
      if (place < 0) {
        if (givesAway(digest, item)) item.taken ??= digest.seq;
        continue;
      }
      require(item.index === undefined, 9, "digest", "the record stands in several digests");
      const time = BigInt(digest.time_us);
      require(time <= item.due, 9, "merge-delay", "the digest came later than promised");
      const bound = BigInt(item.record.binding.bind_time);
      require(bound <= time + TOLERANCE, 9, "bind-time-ahead", "the record was bound after its digest");
      checkPlace(digest, item.record, place);
      item.index = at;
    }
  }
  return sought;
}
