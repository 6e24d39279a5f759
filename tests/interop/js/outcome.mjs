// PROTOCOL.md section 4: a draw key's stream and the steps over it.
import { ascii, hmac, label, lp, u32, u64 } from "./bytes.mjs";

export function drawKey(secret, commitHash, slot, beaconValue, program, clientSeed) {
  return hmac(
    secret, label("sealdraw/v1/draw"), commitHash, u64(slot), lp(beaconValue), lp(ascii(program)), lp(clientSeed),
  );
}

class Stream {
  constructor(key) {
    this.key = key;
    this.block = Buffer.alloc(0);
    this.next = 0;
  }

  take(count) {
    while (this.block.length < count) {
      this.block = Buffer.concat([this.block, hmac(this.key, u32(this.next++))]);
    }
    const taken = this.block.subarray(0, count);
    this.block = this.block.subarray(count);
    return taken;
  }

  // Every value is a BigInt: n may be 2^64.
  uniform(n) {
    const bits = n === 1n ? 0 : (n - 1n).toString(2).length;
    if (bits === 0) return 0n;
    for (;;) {
      const bytes = this.take(Math.ceil(bits / 8));
      const value = BigInt(`0x${bytes.toString("hex")}`) & ((1n << BigInt(bits)) - 1n);
      if (value < n) return value;
    }
  }
}

const repeat = (step, draw) => Array.from({ length: step.count ?? 1 }, draw);

function swapDown(stream, n, lowest) {
  const a = Array.from({ length: n }, (_, i) => BigInt(i));
  for (let i = n - 1; i >= lowest; i -= 1) {
    const j = Number(stream.uniform(BigInt(i + 1)));
    [a[i], a[j]] = [a[j], a[i]];
  }
  return a;
}

function weightedIndex(weights, stream) {
  const u = stream.uniform(weights.reduce((sum, weight) => sum + weight, 0n));
  let cumulative = 0n;
  return BigInt(weights.findIndex((weight) => (cumulative += weight) > u));
}

const STEPS = {
  uniform: (step, stream) => repeat(step, () => stream.uniform(BigInt(step.n))),
  weighted(step, stream) {
    const weights = step.weights.map(BigInt);
    return repeat(step, () => weightedIndex(weights, stream));
  },
  sample: (step, stream) => swapDown(stream, step.n, step.n - step.m).slice(step.n - step.m).reverse(),
  shuffle: (step, stream) => swapDown(stream, step.n, 1),
  reels: (step, stream) =>
    step.weights
      ? step.weights.map((weights) => weightedIndex(weights.map(BigInt), stream))
      : step.strips.map((strip) => stream.uniform(BigInt(strip.length))),
  // Its rows were read from the file that it names.
  lookup(step, stream) {
    const u = stream.uniform(BigInt(step.total));
    let cumulative = 0n;
    return [BigInt(step.table.findIndex((row) => (cumulative += row[1]) > u))];
  },
};

export function deriveOutcome(key, steps) {
  const stream = new Stream(key);
  return steps.flatMap((step) => {
    if (!Object.hasOwn(STEPS, step.step)) throw new TypeError(`unknown step ${step.step}`);
    return STEPS[step.step](step, stream);
  });
}

// Kind `deal`: which ticket of the composition stands at each place of the sealed order.
export function dealPermutation(commitHash, beaconValue, size) {
  return swapDown(new Stream(hmac(beaconValue, label("sealdraw/v1/deal"), commitHash)), size, 1);
}

// The tier of the ticket that a slot's secret stands for: the last eight bytes are its place.
export function dealOutcome(secret, permutation, counts) {
  const place = secret.readBigUInt64BE(24);
  if (place >= BigInt(permutation.length)) throw new TypeError(`place ${place} of ${permutation.length}`);
  const ticket = permutation[Number(place)];
  let cumulative = 0n;
  return [BigInt(counts.findIndex((count) => (cumulative += BigInt(count)) > ticket))];
}

// The receipt's notation: numbers, from 2^53 on decimal strings.
export const writeOutcome = (values) =>
  values.map((value) => (value < 2n ** 53n ? Number(value) : value.toString()));
