#!/usr/bin/env node
// Verifies a Sealdraw receipt; written from docs/PROTOCOL.md and docs/games.md alone, with nothing but node.
//
//   node verify_receipt.mjs RECEIPT --log DIR --key VKEY [--now MICROSECONDS]
//
// RECEIPT is a receipt file, DIR the public directory, VKEY the log's verifier key or a file that holds it; the time is
// the clock's unless it is given. Prints one line of JSON. Exit status: 0 verified (or pending), 1 refused, 2 usage.
//
// Left out, and said in "not_checked": the BLS signature of the beacon round (node has no pairing), and cosignatures
// of witnesses, for which a verifier needs a policy of its own.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ascii, exactKeys, hex, label, lp, parseCanonical, sha256, u32, u64 } from "./bytes.mjs";
import { findDigests } from "./digest.mjs";
import { ed25519Verifies, openCheckpoint, parseVkey, readLog } from "./log.mjs";
import { leafHash, root, rootFromInclusion, rootFromRange } from "./merkle.mjs";
import { dealOutcome, dealPermutation, deriveOutcome, drawKey, writeOutcome } from "./outcome.mjs";
import { Refusal, require } from "./refusal.mjs";
import { notImplemented, payout } from "./settlement.mjs";

const FILE_LIMIT = 64 * 1024 * 1024;
const MICROSECONDS = 1_000_000n;
const DAY = 86_400n * MICROSECONDS;
// How far the operator's clocks may lie apart.
const TOLERANCE = 5n * MICROSECONDS;
// Chains that are not the operator's own, by their hash: the League of Entropy's quicknet.
const KNOWN_CHAINS = ["52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"];
const BOUNDS = { merge_delay_s: 86400, heartbeat_s: 3600, close_delay_s: 604800, beacon_margin_s: 86400 };
const NAME = "[a-z0-9][a-z0-9-]{0,31}";
const POOL_ID = new RegExp(`^(${NAME})/(${NAME})/([1-9][0-9]*)/(${NAME})/(real|free)/(0|[1-9][0-9]*)/([1-9][0-9]*)$`);

const RECEIPT_KEYS = [
  "activate_index", "commit_index", "format", "opening", "origin", "outcome", "protection", "record", "slot_path",
];
const BINDING_KEYS = {
  draw: [
    ["v", "pool", "slot", "bind_time", "nonce", "caller", "request", "payload", "program"],
    [
      "count", "session", "session_seq", "client_seed", "ticket", "stake_minor", "currency", "bet", "tags",
      "round", "step",
    ],
  ],
  ticket: [
    ["v", "pool", "slot", "bind_time", "nonce", "caller", "request", "payload", "program", "client_seed_hash", "expires"],
    ["session", "session_seq", "tags"],
  ],
};
const RECORD_KEYS = { draw: ["binding", "kind", "secrets", "v"], ticket: ["binding", "kind", "v"] };

// Runs one step; whatever goes wrong in it that has no reason of its own is malformed input of that step.
function inStep(step, body) {
  try {
    return body();
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(step, "malformed", error.message);
  }
}

function natural(value, lowest = 0) {
  if (!Number.isSafeInteger(value) || value < lowest) throw new TypeError(`${value} is not an integer from ${lowest}`);
  return value;
}

function parsePoolId(text) {
  const match = POOL_ID.exec(text);
  if (!match) throw new TypeError(`not a pool id: ${text}`);
  const [, environment, game, version, program, playClass] = match;
  const stream = `${game}/${version}/${program}/${playClass}`;
  return { environment, game, version: Number(version), program, playClass, stream, lane: BigInt(match[6]) };
}

function parseRecord(text) {
  const bytes = ascii(text);
  const record = parseCanonical(bytes);
  if (!Object.hasOwn(RECORD_KEYS, record.kind)) throw new TypeError(`no receipts for records of kind ${record.kind}`);
  exactKeys(record, RECORD_KEYS[record.kind]);
  const binding = exactKeys(record.binding, ...BINDING_KEYS[record.kind]);
  if (record.v !== 1 || binding.v !== 1) throw new TypeError("not version 1");
  natural(binding.slot);
  natural(binding.bind_time);
  hex(binding.nonce, 16);
  hex(binding.request, 32);
  hex(binding.payload, 32);
  if (binding.count !== undefined) natural(binding.count, 2);
  if ((binding.stake_minor === undefined) !== (binding.currency === undefined)) throw new TypeError("half a stake");
  if (binding.bet !== undefined && binding.stake_minor === undefined) throw new TypeError("a bet without a stake");
  if (binding.count !== undefined && binding.ticket !== undefined) throw new TypeError("a ticket has one slot");
  if ((binding.session === undefined) !== (binding.session_seq === undefined)) throw new TypeError("half a session");
  if ((binding.round === undefined) !== (binding.step === undefined)) throw new TypeError("half a step");
  if (binding.round !== undefined) {
    if (!/^[A-Za-z0-9._:-]{1,64}$/.test(binding.round)) throw new TypeError("a bad round");
    if (natural(binding.step, 1) >= 2 ** 31) throw new TypeError("a bad step");
    if (binding.count !== undefined) throw new TypeError("a step of a round has one slot");
  }
  const seed = hex(binding.client_seed ?? "");
  if (binding.client_seed !== undefined && (seed.length < 16 || seed.length > 64)) throw new TypeError("a bad client seed");
  const bindingBytes = ascii(text.slice('{"binding":'.length, text.lastIndexOf(`,"kind":"${record.kind}"`)));
  const bindingHash = sha256(label("sealdraw/v1/binding"), bindingBytes);
  const count = binding.count ?? 1;
  let secrets = [];
  if (record.kind === "draw") {
    const joined = hex(record.secrets, 32 * count);
    secrets = Array.from({ length: count }, (_, j) => joined.subarray(32 * j, 32 * j + 32));
  }
  return { kind: record.kind, binding, bindingHash, secrets, count, seed, digest: leafHash(bytes) };
}

// Receipt keys are the vault's: the log's key says so for each, and their epochs are dense.
function checkKeys(log, vkey) {
  const seen = new Set();
  for (const entry of log.entries) {
    if (entry.type !== "key.receipt") continue;
    const publicKey = hex(entry.public_key, 32);
    require(entry.epoch === seen.size + 1, 1, "receipt-key-epoch", "the epochs of receipt keys are not dense");
    require(!seen.has(entry.key_id), 1, "receipt-key-twice", "a receipt key stands twice");
    require(sha256(publicKey).toString("hex").startsWith(hex(entry.key_id, 8).toString("hex")), 1, "receipt-key", "the id is not the key's");
    const message = Buffer.concat([
      label("sealdraw/v1/receipt-key"), lp(ascii(entry.origin)), publicKey, u64(entry.epoch),
    ]);
    const signed = ed25519Verifies(vkey.publicKey, message, hex(entry.signature, 64));
    require(signed, 1, "receipt-key-signature", "the log's key did not sign a receipt key");
    seen.add(entry.key_id);
  }
}

// Every chain that the log announces has the hash of its facts, and is the operator's own, as it says, or well known.
function checkChains(log) {
  for (const chain of log.entries) {
    if (chain.type !== "beacon.chain") continue;
    const id = chain.beacon_id === "default" ? Buffer.alloc(0) : ascii(chain.beacon_id);
    const ownHash = sha256(
      u32(chain.period_s), u64(chain.genesis_time), hex(chain.public_key), hex(chain.group_hash), id,
    );
    require(ownHash.equals(hex(chain.chain, 32)), 2, "beacon", "the chain's hash is not that of its parameters");
    const ownId = chain.beacon_id === "sealdraw-development";
    require(chain.development === ownId, 2, "beacon", "the chain is not marked as what its id says");
    require(ownId || KNOWN_CHAINS.includes(chain.chain), 2, "beacon-unknown", "nobody knows this chain");
  }
}

// Digests keep the time of the log, and the log.config begins it.
function keepsTime(entry) {
  return entry.type === "digest" || entry.type === "log.config";
}

// What the digests before an entry had said: the time, and the newest round of a chain.
function logTime(log, index, chainHash) {
  let newest = 0n;
  let round = 0;
  for (const entry of log.entries.slice(0, index)) {
    if (!keepsTime(entry)) continue;
    newest = BigInt(entry.time_us);
    if (entry.beacon !== undefined && entry.beacon.chain === chainHash) round = Math.max(round, natural(entry.beacon.round, 1));
  }
  return { newest, round };
}

function checkDigestTimes(log) {
  let before = 0n;
  for (const entry of log.entries) {
    if (!keepsTime(entry)) continue;
    require(BigInt(natural(entry.time_us)) >= before, 1, "digest-time", "the time of digests runs backwards");
    before = BigInt(entry.time_us);
  }
}

// Step 1.
function parse(receiptBytes, directory, vkey) {
  require(receiptBytes.length <= FILE_LIMIT, 1, "malformed", "the receipt is too large");
  const receipt = parseCanonical(receiptBytes);
  exactKeys(receipt, RECEIPT_KEYS, ["payouts_minor", "ticket"]);
  require(receipt.format === "sealdraw/receipt@v1", 1, "malformed", "not a receipt of version 1");
  exactKeys(receipt.opening, ["index", "key_id", "path", "signature", "size"]);
  exactKeys(receipt.protection, ["assignment", "content", "development_beacon", "foreseen"]);
  const drawn = parseRecord(receipt.record);
  const log = readLog(directory, vkey);
  require(receipt.origin === log.checkpoint.origin, 1, "origin", "the receipt is of another log");
  const config = log.entries[0];
  require(config?.type === "log.config", 1, "config-missing", "the log does not begin with log.config");
  require(config.log_key === vkey.text, 1, "config-key", "the log names another key");
  for (const [name, most] of Object.entries(BOUNDS)) {
    require(natural(config[name], 1) <= most, 1, "config-bounds", `${name} is above ${most}`);
  }
  checkDigestTimes(log);
  checkKeys(log, vkey);
  checkChains(log);
  return { receipt, drawn, log, config };
}

// Step 2. Returns B and whether the beacon is a development one.
function checkPool({ receipt, drawn, log, config }, vkey) {
  const { pool } = drawn.binding;
  const commit = log.entries[natural(receipt.commit_index)];
  const activate = log.entries[natural(receipt.activate_index)];
  require(commit?.type === "pool.commit" && commit.pool === pool, 2, "commit", "not the pool's pool.commit");
  require(activate?.type === "pool.activate" && activate.pool === pool, 2, "activate", "not the pool's pool.activate");
  const first = (type) => log.entries.findIndex((entry) => entry.type === type && entry.pool === pool);
  require(first("pool.commit") === receipt.commit_index, 2, "commit", "the pool has an earlier pool.commit");
  require(first("pool.activate") === receipt.activate_index, 2, "activate", "the pool was activated before");
  require(parsePoolId(pool).environment === config.environment, 2, "commit", "a pool of another environment");
  for (const index of [receipt.commit_index, receipt.activate_index]) {
    const { newest } = logTime(log, index);
    const time = BigInt(natural(log.entries[index].time_us));
    require(time >= newest - TOLERANCE, 2, "entry-time", "an entry is dated before the digests in front of it");
  }
  require(["deal", "independent"].includes(commit.kind), 2, "kind", `pools of kind ${commit.kind} are not implemented`);
  const commitHash = log.leaves[receipt.commit_index];
  require(activate.commit_index === receipt.commit_index, 2, "activate", "the activation names another commit");
  require(hex(activate.commit, 32).equals(commitHash), 2, "activate", "the activation has another D");
  const seen = openCheckpoint(hex(activate.checkpoint), vkey);
  require(
    seen.size > receipt.commit_index && seen.size <= receipt.activate_index, 2, "activate-checkpoint",
    "the activation's checkpoint does not lie between commit and activation",
  );
  require(log.rootAt(seen.size).equals(seen.root), 2, "activate-checkpoint", "the activation's checkpoint is of another log");
  const beacon = checkBeacon(receipt, commit, activate, log, config);
  if (commit.kind === "deal") checkApproval(receipt, commit, log, beacon);
  return { commit, commitHash, seen, ...beacon };
}

// Of a deal: somebody approved its sale, after its activation and before any digest has a record of it.
function checkApproval(receipt, commit, log, { development }) {
  require(commit.beacon !== undefined, 2, "deal-beacon", "a deal without a beacon: the operator knows every ticket");
  const index = log.entries.findIndex((entry) => entry.type === "deal.approve" && entry.pool === commit.pool);
  require(index >= 0, 2, "deal-unapproved", "nobody approved the deal");
  const approval = log.entries[index];
  require(index > receipt.activate_index, 2, "pool-inactive", "approved before its activation");
  require(approval.game_digest === commit.game_digest, 2, "approval-game", "approved was another definition");
  require(approval.approver !== "automatic" || development, 2, "approval-automatic", "approved by nobody");
  const first = log.entries.findIndex(
    (entry) => entry.type === "digest" && entry.ranges.some((range) => range.pool === commit.pool),
  );
  require(first < 0 || index < first, 2, "approval-late", "the deal had records before it was approved");
}

function checkBeacon(receipt, commit, activate, log, config) {
  if (commit.beacon === undefined) {
    const without = activate.beacon_signature === undefined && activate.beacon_value === undefined;
    require(without, 2, "beacon", "an activation with a beacon of a commit without");
    return { beaconValue: Buffer.alloc(0), development: false, chainHash: "none" };
  }
  const { chain: chainHash, round } = commit.beacon;
  const chain = log.entries
    .slice(0, receipt.commit_index)
    .find((entry) => entry.type === "beacon.chain" && entry.chain === chainHash);
  require(chain !== undefined, 2, "beacon", "the chain is not in the log before the commit");
  require(chain.scheme === "bls-unchained-g1-rfc9380", 2, "beacon", `unknown scheme ${chain.scheme}`);
  const existsAt = (BigInt(chain.genesis_time) + (BigInt(natural(round, 1)) - 1n) * BigInt(chain.period_s)) * MICROSECONDS;
  const margin = BigInt(config.beacon_margin_s) * MICROSECONDS;
  const before = logTime(log, receipt.commit_index, chainHash);
  const written = BigInt(commit.time_us) > before.newest ? BigInt(commit.time_us) : before.newest;
  require(existsAt >= written + margin, 2, "beacon", "the round was not in the future of the commit");
  require(round > before.round, 2, "beacon-round-known", "a digest before the commit states that the round was out");
  require(activate.time_us <= commit.deadline_us, 2, "activation-late", "activated behind the deadline");
  require(BigInt(commit.deadline_us) >= BigInt(commit.time_us) + DAY, 2, "beacon", "the deadline is too near");
  const beaconValue = hex(activate.beacon_value, 32);
  require(sha256(hex(activate.beacon_signature, 48)).equals(beaconValue), 2, "beacon", "B is not the signature's hash");
  return { beaconValue, development: chain.development, chainHash };
}

// Step 3.
function checkSlots({ receipt, drawn }, { commit }, directory) {
  const { pool, slot } = drawn.binding;
  const path = receipt.slot_path.map((text) => hex(text, 32));
  require(slot + drawn.count <= commit.size, 3, "slot", "a slot outside the pool");
  const leaves = drawn.kind === "ticket"
    ? [readFileSync(join(directory, "leaves", `${pool}.bin`)).subarray(32 * slot, 32 * slot + 32)]
    : drawn.secrets.map((secret, j) =>
      leafHash(Buffer.concat([label("sealdraw/v1/slot"), lp(ascii(pool)), u64(slot + j), secret])));
  const slotRoot = drawn.count === 1
    ? rootFromInclusion(commit.size, slot, leaves[0], path)
    : rootFromRange(commit.size, slot, leaves, path);
  require(slotRoot.equals(hex(commit.slot_root, 32)), 3, "slot", "the slots do not lead to the committed root");
}

// Step 4. Returns the program's definition.
function checkGame({ drawn }, { commit }, directory) {
  const pool = parsePoolId(drawn.binding.pool);
  const bytes = readFileSync(join(directory, "games", `${commit.game_digest}.json`));
  require(sha256(bytes).equals(hex(commit.game_digest, 32)), 4, "game", "the definition is not that of the commit");
  const game = parseCanonical(bytes);
  require(game.game === pool.game && game.version === pool.version, 4, "game", "the definition is of another game");
  require(Object.hasOwn(game.programs, pool.program), 4, "game", "the definition has no such program");
  require(
    drawn.binding.program === pool.program && commit.program === pool.program, 4, "program",
    "the program is not that of the pool",
  );
  const program = game.programs[pool.program];
  const [step] = program.steps;
  const deal = step.step === "deal";
  require(deal === (commit.kind === "deal"), 4, "deal-kind", "a pool is a deal exactly when its program is one");
  if (deal) {
    const size = step.counts.reduce((sum, count) => sum + count, 0);
    require(program.steps.length === 1 && commit.size === size, 4, "deal-size", `the deal has ${size} tickets`);
  }
  for (const step of program.steps) {
    if (step.step === "lookup") step.table = readTable(step, directory);
  }
  return program;
}

// The weights file of a lookup step: rows of [id, weight, payout].
function readTable(step, directory) {
  require(/^[0-9a-f]{64}$/.test(step.file), 4, "game", "a lookup step names its file by SHA-256");
  const bytes = readFileSync(join(directory, "games", "files", `${step.file}.csv`));
  require(sha256(bytes).equals(hex(step.file, 32)), 4, "game", "the weights are not those of the definition");
  const lines = bytes.toString("latin1").split("\n");
  if (lines.at(-1) === "") lines.pop();
  const rows = lines.map((line) => {
    const found = /^(0|[1-9][0-9]*),(0|[1-9][0-9]*),(0|[1-9][0-9]*)\r?$/.exec(line);
    require(found !== null, 4, "game", "a row of the weights is not id,weight,payout");
    return found.slice(1).map(BigInt);
  });
  const total = rows.reduce((sum, row) => sum + row[1], 0n);
  require(rows.length === step.rows && total === BigInt(step.total), 4, "game", "the weights have other rows or another sum");
  return rows;
}

// A draw of a deal is the sale of tickets at their price, and nothing else of it is bound.
function checkSale({ kind, binding, secrets }, program) {
  require(kind === "draw" && binding.ticket === undefined, 5, "deal-ticket", "the slots of a deal are not reserved");
  require(binding.client_seed === undefined, 5, "deal-seed", "no seed changes the ticket of a deal");
  const { minor, currency } = program.price;
  const paid = binding.stake_minor === minor && binding.currency === currency;
  require(paid, 5, "deal-price", `a ticket costs ${minor} ${currency}`);
  require(binding.bet !== undefined, 5, "deal-bet", "the draw does not say what the ticket pays");
  const size = program.steps[0].counts.reduce((sum, count) => sum + count, 0);
  const inside = secrets.every((secret) => secret.readBigUInt64BE(24) < BigInt(size));
  require(inside, 5, "deal-place", "a ticket that the deal does not have");
}

function deriveAll(drawn, { commit, commitHash, beaconValue }, program) {
  const { binding, secrets } = drawn;
  if (commit.kind === "deal") {
    checkSale(drawn, program);
    const permutation = dealPermutation(commitHash, beaconValue, commit.size);
    return secrets.map((secret) => dealOutcome(secret, permutation, program.steps[0].counts));
  }
  return secrets.map((secret, j) =>
    deriveOutcome(
      drawKey(secret, commitHash, binding.slot + j, beaconValue, binding.program, drawn.seed), program.steps,
    ));
}

// Step 5. Returns what was not checked.
function checkOutcome({ receipt, drawn }, pool, program) {
  const { binding } = drawn;
  const outcomes = deriveAll(drawn, pool, program);
  const expected = JSON.stringify(outcomes.flatMap(writeOutcome));
  require(JSON.stringify(receipt.outcome) === expected, 5, "outcome", `the outcome is ${expected}`);
  const paid = binding.stake_minor !== undefined && binding.bet !== undefined;
  require(paid === (receipt.payouts_minor !== undefined), 5, "payout", "payouts belong to a stake and a bet");
  if (!paid) return [];
  const left = notImplemented(program);
  if (left !== undefined) return [`payout: ${left}`];
  const stake = BigInt(natural(binding.stake_minor));
  const payouts = JSON.stringify(outcomes.map((outcome) => payout(program, binding.bet, outcome, stake).toString()));
  require(JSON.stringify(receipt.payouts_minor) === payouts, 5, "payout", `the payouts are ${payouts}`);
  return [];
}

function checkTerm(ticket) {
  require(ticket.binding.expires > ticket.binding.bind_time, 6, "ticket-stillborn", "the ticket was never good");
}

// Step 6. Returns the ticket that was drawn on.
function checkTicket({ receipt, drawn }) {
  const { binding } = drawn;
  if (drawn.kind === "ticket") checkTerm(drawn);
  require((binding.ticket === undefined) === (receipt.ticket === undefined), 6, "ticket", "a ticket record without use");
  if (binding.ticket === undefined) return undefined;
  const ticket = parseRecord(receipt.ticket);
  require(ticket.kind === "ticket", 6, "ticket", "the ticket is not a ticket");
  require(ticket.bindingHash.equals(hex(binding.ticket, 32)), 6, "ticket", "another ticket than the draw names");
  for (const field of ["pool", "slot", "caller", "program", "session", "session_seq"]) {
    require(ticket.binding[field] === binding[field], 6, "ticket", `draw and ticket differ in ${field}`);
  }
  require(binding.client_seed !== undefined, 6, "seed", "a draw on a ticket has a client seed");
  require(sha256(drawn.seed).equals(hex(ticket.binding.client_seed_hash, 32)), 6, "seed", "the seed is not the ticket's");
  checkTerm(ticket);
  return ticket;
}

// Step 7.
function checkOpening({ receipt, drawn, log }) {
  const { opening } = receipt;
  const groupRoot = rootFromInclusion(
    natural(opening.size, 1), natural(opening.index), drawn.digest, opening.path.map((text) => hex(text, 32)),
  );
  const key = log.entries.find((entry) => entry.type === "key.receipt" && entry.key_id === opening.key_id);
  require(key !== undefined, 7, "receipt-key", "no such receipt key in the log");
  const publicKey = hex(key.public_key, 32);
  const message = Buffer.concat([label("sealdraw/v1/opening"), lp(ascii(receipt.origin)), groupRoot]);
  require(ed25519Verifies(publicKey, message, hex(opening.signature, 64)), 7, "signature", "the opening is not signed");
}

// Step 8. Without a policy a claim of witnesses can be neither shown nor refuted here: it is reported.
function checkProtection({ receipt, drawn }, { commit, seen, development }) {
  const { binding } = drawn;
  const assignment = binding.ticket === undefined ? "steerable" : "ticketed";
  const foreseen = binding.ticket !== undefined ? "fresh-seed"
    : binding.client_seed !== undefined ? "caller-seed" : "operator-foreseeable";
  const contents = commit.beacon === undefined ? ["none"] : ["beacon-unwitnessed"];
  if (commit.beacon !== undefined && seen.otherSignatures > 0) contents.push("beacon-witnessed");
  const stated = receipt.protection;
  require(
    stated.assignment === assignment && stated.foreseen === foreseen && contents.includes(stated.content)
    && stated.development_beacon === development,
    8, "protection", `the labels follow as ${assignment}, ${foreseen}, ${contents.join(" or ")}, ${development}`,
  );
  return stated.content === "beacon-witnessed" ? ["the cosignatures of witnesses"] : [];
}

// Section 7: the lane follows from the session under the number of lanes in force at the digest, or for a merge delay
// under the number before. The draw on a ticket goes where the ticket went.
function checkLane({ binding }, { log, config }, digestIndex) {
  if (binding.ticket !== undefined) return;
  const { stream, lane } = parsePoolId(binding.pool);
  const delay = BigInt(config.merge_delay_s) * MICROSECONDS;
  let state = { current: 1, before: 1, until: 0n };
  let fresh = false;
  let admitted = false;
  let last;
  for (const entry of log.entries.slice(0, digestIndex + 1)) {
    admitted ||= entry.type === "incident" && entry.kind === "outage";
    if (entry.type === "stream.lanes" && entry.stream === stream) {
      state = { current: natural(entry.lanes, 1), before: state.current, until: BigInt(entry.time_us) + delay };
      fresh = true;
    }
    if (entry.type !== "digest") continue;
    const end = BigInt(entry.time_us);
    // A change before this digest was not made after it, whatever time it states.
    if (fresh && state.until > end + delay) state.until = end + delay;
    if (admitted && last !== undefined && last <= state.until && state.until <= end) state.until = end + delay;
    last = end;
    fresh = false;
    admitted = false;
  }
  const counts = last <= state.until ? [state.current, state.before] : [state.current];
  const caller = lp(ascii(binding.caller));
  const fits = binding.session === undefined
    // Without a session the lane follows from the request id, which only the caller knows.
    ? counts.some((count) => lane < BigInt(count))
    : counts.some((count) => sha256(caller, lp(ascii(binding.session))).readBigUInt64BE(0) % BigInt(count) === lane);
  require(fits, 9, "lane-choice", "the record does not belong to this lane");
}

// Step 9. Returns the standing: included or pending.
function checkDigest(context, directory, ticket, now) {
  const { receipt, drawn, log, config } = context;
  const [own, held] = findDigests([drawn, ticket], receipt.activate_index, log, config, directory);
  if (own.index !== undefined && held !== undefined) {
    const first = held.index !== undefined && held.index <= own.index;
    require(first, 9, "ticket-late", "no digest up to the draw's has the ticket");
  }
  for (const { record, index, due, taken } of [own, held].filter((item) => item !== undefined)) {
    require(taken === undefined, 9, "slot-taken", `digest ${taken} gave the slot to somebody else`);
    if (index !== undefined) continue;
    const newest = log.entries.findLast((entry) => entry.type === "digest");
    const late = newest !== undefined && BigInt(newest.time_us) > due;
    require(!late, 9, "merge-delay", `the ${record.kind} is in no digest`);
    const ahead = BigInt(record.binding.bind_time) > now + 60n * TOLERANCE;
    require(!ahead, 9, "bind-time-ahead", "bound in the future: a promise that never falls due");
    require(now <= due, 9, "merge-delay", `the ${record.kind} was due by the verifier's own clock`);
  }
  for (const item of [own, held]) if (item?.index !== undefined) checkLane(item.record, context, item.index);
  return own.index === undefined ? "pending" : "included";
}

export function verifyReceipt(receiptBytes, directory, vkeyText, now) {
  const vkey = inStep(1, () => parseVkey(vkeyText));
  const context = inStep(1, () => parse(receiptBytes, directory, vkey));
  const pool = inStep(2, () => checkPool(context, vkey));
  inStep(3, () => checkSlots(context, pool, directory));
  const program = inStep(4, () => checkGame(context, pool, directory));
  const unchecked = inStep(5, () => checkOutcome(context, pool, program));
  const ticket = inStep(6, () => checkTicket(context));
  inStep(7, () => checkOpening(context));
  unchecked.push(...inStep(8, () => checkProtection(context, pool)));
  const standing = inStep(9, () => checkDigest(context, directory, ticket, now));
  if (pool.commit.beacon !== undefined) unchecked.push("the BLS signature of the beacon round");
  const { protection } = context.receipt;
  return { verified: true, standing, protection, beacon_chain: pool.chainHash, not_checked: unchecked };
}

function main(argv) {
  const options = { "--log": undefined, "--key": undefined, "--now": String(Date.now() * 1000) };
  const files = [];
  for (let i = 0; i < argv.length; i += 1) {
    if (Object.hasOwn(options, argv[i])) options[argv[i]] = argv[(i += 1)];
    else files.push(argv[i]);
  }
  const given = options["--log"] !== undefined && options["--key"] !== undefined && /^[0-9]+$/.test(options["--now"]);
  if (files.length !== 1 || !given) {
    process.stderr.write("usage: verify_receipt.mjs RECEIPT --log DIR --key VKEY [--now MICROSECONDS]\n");
    return 2;
  }
  const vkey = existsSync(options["--key"]) ? readFileSync(options["--key"], "utf8") : options["--key"];
  try {
    const verdict = verifyReceipt(readFileSync(files[0]), options["--log"], vkey, BigInt(options["--now"]));
    process.stdout.write(`${JSON.stringify(verdict)}\n`);
    for (const left of verdict.not_checked) process.stderr.write(`NOT CHECKED: ${left}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    process.stdout.write(
      `${JSON.stringify({ verified: false, step: error.step, reason: error.reason, message: error.message })}\n`,
    );
    return 1;
  }
}

process.exitCode = main(process.argv.slice(2));
