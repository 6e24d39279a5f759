#!/usr/bin/env node
// Computes every verdict of tests/vectors/pool-tests with pool_test.mjs; prints how many agree.
//
//   node check_pool_tests.mjs DIR PUBLIC-KEY
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ascii, hex } from "./bytes.mjs";
import { judge, parsePlan, signedBy, statement } from "./pool_test.mjs";

const [directory, publicKey] = process.argv.slice(2);
const text = ({ test, found, trials, share, of }) => {
  const gcd = (a, b) => (b === 0n ? a : gcd(b, a % b));
  const common = gcd(share, of);
  const p = of === common ? `${share / common}` : `${share / common}/${of / common}`;
  return `${test} ${found}/${trials} ${p}`;
};

let checked = 0;
for (const name of readdirSync(directory).filter((file) => file.endsWith(".json"))) {
  const vector = JSON.parse(readFileSync(join(directory, name), "utf8"));
  const pool = { commitHash: hex(vector.commit_hash, 32), beacon: hex(vector.beacon), program: vector.program };
  const secrets = vector.secrets.map((secret) => hex(secret, 32));
  const planBytes = ascii(vector.plan);
  const { verdict, test, counts, limit } = judge(parsePlan(planBytes), vector.steps, pool, secrets);
  const message = statement(vector.origin, vector.pool, pool, planBytes, verdict, test);
  const agrees =
    verdict === vector.verdict && test === vector.test && limit.toFixed(6) === vector.limit &&
    JSON.stringify(counts.map(text).sort()) === JSON.stringify([...vector.counts].sort()) &&
    message.equals(hex(vector.statement)) && signedBy(hex(publicKey, 32), message, hex(vector.signature, 64));
  if (!agrees) {
    process.stderr.write(`${name}: found ${verdict} ${test}, the vector has ${vector.verdict} ${vector.test}\n`);
    process.exit(1);
  }
  checked += 1;
}
process.stdout.write(`ok ${checked} verdicts\n`);
