// PROTOCOL.md section 6, "The test of a pool": the verdict on a pool whose secrets are open, and what is signed of it.
import { createPublicKey, verify } from "node:crypto";
import { ascii, exactKeys, hex, label, lp, parseCanonical, sha256 } from "./bytes.mjs";
import { deriveOutcome, drawKey } from "./outcome.mjs";

const TESTS = ["repeats", "bits", "neighbours", "cells", "pairs"];

export function parsePlan(bytes) {
  if (bytes.length > 4096) throw new TypeError("a plan is at most 4,096 bytes");
  const plan = exactKeys(parseCanonical(bytes), ["error_bits", "format", "outcomes", "tests", "values"]);
  if (plan.format !== "sealdraw/test-plan@v1" || plan.outcomes !== "empty-seed") throw new TypeError("no test plan");
  const known = TESTS.filter((name) => plan.tests.includes(name));
  if (known.length === 0 || JSON.stringify(known) !== JSON.stringify(plan.tests)) throw new TypeError("tests");
  if (!(plan.error_bits >= 40 && plan.error_bits <= 200)) throw new TypeError("error_bits");
  if (!(plan.values >= 1 && plan.values <= 2 ** 20)) throw new TypeError("values");
  return plan;
}

// For each value of a step: how many there are, and their weights where they are not equally likely.
function placesOf(step) {
  const even = (n) => ({ n: BigInt(n) });
  const weighted = (weights) => ({ n: BigInt(weights.length), weights: weights.map(BigInt) });
  const times = (count, place) => Array.from({ length: count }, () => place);
  if (step.step === "uniform") return times(step.count ?? 1, even(step.n));
  if (step.step === "weighted") return times(step.count ?? 1, weighted(step.weights));
  if (step.step === "sample") return times(step.m, even(step.n));
  if (step.step === "shuffle") return times(step.n, even(step.n));
  if (step.step === "lookup") return [even(step.total)];
  return step.weights ? step.weights.map(weighted) : step.strips.map((strip) => even(strip.length));
}

// Cells as {from, upto, share, of}: values from … upto - 1, with probability share / of.
function cellsOf({ n, weights }, most) {
  const c = n < most ? n : most;
  const total = weights ? weights.reduce((sum, weight) => sum + weight, 0n) : n;
  return Array.from({ length: Number(c) }, (_, k) => {
    const [from, upto] = [(BigInt(k) * n) / c, (BigInt(k + 1) * n) / c];
    const share = weights
      ? weights.slice(Number(from), Number(upto)).reduce((sum, weight) => sum + weight, 0n)
      : upto - from;
    return { from, upto, share, of: total };
  });
}

function bitCounts(test, values) {
  if (values.length === 0) return [];
  return Array.from({ length: 256 }, (_, place) => ({
    test,
    found: values.filter((value) => (value[place >> 3] >> (place & 7)) & 1).length,
    trials: values.length,
    share: 1n,
    of: 2n,
  }));
}

function outcomeCounts(plan, steps, pool, secrets) {
  const places = steps.flatMap(placesOf);
  const drawn = steps.map((step) => (step.step === "lookup" ? { step: "uniform", n: step.total } : step));
  const tested = Math.min(secrets.length, Math.max(1, Math.floor(plan.values / places.length)));
  const outcomes = Array.from({ length: tested }, (_, index) => {
    const slot = Math.floor((index * secrets.length) / tested);
    const key = drawKey(secrets[slot], pool.commitHash, slot, pool.beacon, pool.program, Buffer.alloc(0));
    return deriveOutcome(key, drawn);
  });
  const within = (cell, value) => cell.from <= value && value < cell.upto;
  return places.flatMap((place, number) => {
    const values = outcomes.map((outcome) => outcome[number]);
    const cells = !plan.tests.includes("cells") ? [] : cellsOf(place, 64n).map((cell) => ({
      test: "cells", found: values.filter((value) => within(cell, value)).length, trials: tested,
      share: cell.share, of: cell.of,
    }));
    const trials = Math.floor(tested / 2);
    if (!plan.tests.includes("pairs") || trials === 0) return cells;
    const groups = cellsOf(place, 8n);
    const pairs = groups.flatMap((first) => groups.map((second) => {
      let found = 0;
      for (let at = 0; at < 2 * trials; at += 2) found += within(first, values[at]) && within(second, values[at + 1]);
      return { test: "pairs", found, trials, share: first.share * second.share, of: first.of * second.of };
    }));
    return [...cells, ...pairs];
  });
}

function divergence({ found, trials, share, of }) {
  if (share === 0n || share === of) return found === (share === 0n ? 0 : trials) ? 0 : Infinity;
  const p = Number(share) / Number(of);
  const q = Number(of - share) / Number(of);
  const missed = trials - found;
  return (found ? found * Math.log(found / (trials * p)) : 0) + (missed ? missed * Math.log(missed / (trials * q)) : 0);
}

const xor = (a, b) => a.map((byte, index) => byte ^ b[index]);

// `pool` has commitHash (D), beacon (B, empty without one) and the program's id.
export function judge(plan, steps, pool, secrets) {
  const counts = outcomeCounts(plan, steps, pool, secrets);
  if (plan.tests.includes("bits")) counts.push(...bitCounts("bits", secrets));
  if (plan.tests.includes("neighbours")) {
    counts.push(...bitCounts("neighbours", secrets.slice(1).map((secret, index) => xor(secret, secrets[index]))));
  }
  const limit = plan.error_bits * Math.LN2 + Math.log(2 * Math.max(1, counts.length));
  const failed = new Set(counts.filter((count) => divergence(count) > limit).map((count) => count.test));
  const blocks = secrets.flatMap((secret) => [secret.toString("hex", 0, 16), secret.toString("hex", 16)]);
  if (plan.tests.includes("repeats") && new Set(blocks).size < blocks.length) failed.add("repeats");
  const test = plan.tests.find((name) => failed.has(name)) ?? "";
  return { verdict: test === "" ? "pass" : "fail", test, counts, limit };
}

export function statement(origin, poolId, pool, planBytes, verdict, test) {
  return Buffer.concat([
    label("sealdraw/v1/pool-test"), lp(ascii(origin)), lp(ascii(poolId)), pool.commitHash, lp(pool.beacon),
    sha256(planBytes), lp(ascii(verdict)), lp(ascii(test)),
  ]);
}

export function signedBy(publicKey, message, signature) {
  const key = createPublicKey({
    key: Buffer.concat([hex("302a300506032b6570032100"), publicKey]), format: "der", type: "spki",
  });
  return verify(null, message, key, signature);
}
