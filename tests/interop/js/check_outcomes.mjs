#!/usr/bin/env node
// Derives every vector of tests/vectors/outcome (all kinds of steps) with outcome.mjs; prints how many agree.
//
//   node check_outcomes.mjs DIR
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hex } from "./bytes.mjs";
import { deriveOutcome, drawKey } from "./outcome.mjs";

const [directory] = process.argv.slice(2);
let checked = 0;
for (const name of readdirSync(directory).filter((file) => file.endsWith(".json"))) {
  for (const vector of JSON.parse(readFileSync(join(directory, name), "utf8"))) {
    const key = drawKey(
      hex(vector.secret, 32), hex(vector.commit_hash, 32), vector.slot, hex(vector.beacon), vector.program_id,
      hex(vector.client_seed),
    );
    const outcome = deriveOutcome(key, vector.steps).map(String);
    if (key.toString("hex") !== vector.draw_key || JSON.stringify(outcome) !== JSON.stringify(vector.outcome)) {
      process.stderr.write(`${name}: derived ${outcome.join(" ")}, the vector has ${vector.outcome.join(" ")}\n`);
      process.exit(1);
    }
    checked += 1;
  }
}
process.stdout.write(`ok ${checked} outcomes\n`);
