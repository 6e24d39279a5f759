// docs/games.md, "Settlement models": exact fractions [numerator, denominator] of BigInt; rounded down once.

function gcd(a, b) {
  return b === 0n ? a : gcd(b, a % b);
}

function fraction(numerator, denominator) {
  const divisor = gcd(numerator, denominator);
  return [numerator / divisor, denominator / divisor];
}

const add = ([a, b], [c, d]) => fraction(a * d + c * b, b * d);
const ZERO = [0n, 1n];

// 36, "36", "36/37", "0.95"
function multiplier(value) {
  const text = String(value);
  if (text.includes("/")) {
    const [numerator, denominator] = text.split("/");
    return fraction(BigInt(numerator), BigInt(denominator));
  }
  const [whole, decimals = ""] = text.split(".");
  return fraction(BigInt(whole + decimals), 10n ** BigInt(decimals.length));
}

const sameSet = (a, b) => a.length === b.length && new Set(a).size === a.length && a.every((x) => b.includes(x));

function onlyKeys(bet, allowed) {
  const extra = Object.keys(bet).filter((key) => key !== "bet" && !allowed.includes(key));
  if (extra.length > 0) throw new TypeError(`the bet has no choice ${extra[0]}`);
}

function table(settlement, steps, bet, outcome) {
  const definition = Object.hasOwn(settlement.bets, bet.bet) ? settlement.bets[bet.bet] : undefined;
  if (definition === undefined) throw new TypeError("no such bet");
  const value = Number(outcome[0]);
  if (definition.prizes) {
    onlyKeys(bet, []);
    return definition.prizes
      .filter((prize) => prize.numbers.includes(value))
      .reduce((sum, prize) => add(sum, multiplier(prize.pays)), ZERO);
  }
  onlyKeys(bet, ["numbers"]);
  const chosen = bet.numbers ?? (definition.selections.length === 1 ? definition.selections[0] : undefined);
  if (!Array.isArray(chosen) || !definition.selections.some((selection) => sameSet(selection, chosen))) {
    throw new TypeError("no such selection");
  }
  return chosen.includes(value) ? multiplier(definition.pays) : ZERO;
}

function threshold(settlement, steps, bet, outcome) {
  onlyKeys(bet, ["threshold"]);
  const n = BigInt(steps[0].n);
  const limit = BigInt(bet.threshold);
  const [wins, won] =
    bet.bet === "under" ? [limit, outcome[0] < limit]
    : bet.bet === "over" ? [n - 1n - limit, outcome[0] > limit]
    : [0n, false];
  if (wins < BigInt(settlement.fewest_wins) || wins > BigInt(settlement.most_wins)) throw new TypeError("no such bet");
  const [numerator, denominator] = multiplier(settlement.rtp);
  return won ? fraction(numerator * n, denominator * wins) : ZERO;
}

function hits(settlement, steps, bet, outcome) {
  onlyKeys(bet, ["numbers"]);
  if (bet.bet !== "pick" || !Array.isArray(bet.numbers)) throw new TypeError("no such bet");
  const drawn = new Set(outcome.map((value) => Number(value) + settlement.first_number));
  const inRange = (x) => x >= settlement.first_number && x < settlement.first_number + steps[0].n;
  const pays = Object.hasOwn(settlement.pays, bet.numbers.length) ? settlement.pays[bet.numbers.length] : undefined;
  if (pays === undefined || !bet.numbers.every(inRange) || new Set(bet.numbers).size !== bet.numbers.length) {
    throw new TypeError("no such bet");
  }
  const count = bet.numbers.filter((x) => drawn.has(x)).length;
  return Object.hasOwn(pays, count) ? multiplier(pays[count]) : ZERO;
}

const greatest = (fractions) => fractions.reduce((a, b) => (b[0] * a[1] > a[0] * b[1] ? b : a), ZERO);
const bestUpTo = (pays, run) =>
  greatest(Object.keys(pays).filter((count) => Number(count) <= run).map((count) => multiplier(pays[count])));

function lines(settlement, steps, bet, outcome) {
  onlyKeys(bet, []);
  if (bet.bet !== "spin") throw new TypeError("no such bet");
  const { strips } = steps[0];
  const window = strips.map((strip, reel) =>
    Array.from({ length: settlement.rows }, (_, row) => strip[(Number(outcome[reel]) + row) % strip.length]));
  const linePrize = (rows) => {
    const shown = rows.map((row, reel) => window[reel][row]);
    return greatest(Object.entries(settlement.pays).map(([symbol, pays]) => {
      // The wild stands for every symbol but the scatter; a prize for the wild itself takes wilds only.
      const stands = (x) => x === symbol || (x === settlement.wild && symbol !== settlement.scatter);
      const run = shown.findIndex((x) => !stands(x));
      return bestUpTo(pays, run < 0 ? shown.length : run);
    }));
  };
  const total = settlement.lines.map(linePrize).reduce(add, ZERO);
  let sum = fraction(total[0], total[1] * BigInt(settlement.lines.length));
  if (settlement.scatter !== undefined) {
    const scatters = window.flat().filter((x) => x === settlement.scatter).length;
    const prize = Object.hasOwn(settlement.scatter_pays, scatters) ? settlement.scatter_pays[scatters] : 0;
    sum = add(sum, multiplier(prize));
  }
  return sum;
}

function lookup(settlement, steps, bet, outcome) {
  onlyKeys(bet, []);
  if (bet.bet !== "spin") throw new TypeError("no such bet");
  const [numerator, denominator] = multiplier(settlement.cost);
  return fraction(steps[0].table[Number(outcome[0])][2] * denominator, 100n * numerator);
}

export const MODELS = { lookup, table, threshold, hits, lines };

const LINES_KEYS = ["model", "rows", "symbols", "wild", "scatter", "lines", "pays", "scatter_pays"];

// What keeps this verifier from settling a program, or undefined. Python knows more rules of lines than this file;
// a program with one of them is named and left alone, never settled without it.
export function notImplemented({ settlement }) {
  if (!Object.hasOwn(MODELS, settlement.model)) return `model ${settlement.model} not implemented`;
  if (settlement.model !== "lines") return undefined;
  const rule = Object.keys(settlement).find((key) => !LINES_KEYS.includes(key));
  if (rule !== undefined) return `rule ${rule} of model lines not implemented`;
  if (!Number.isInteger(settlement.rows)) return "reels of different heights not implemented";
  const numbers = Object.keys(settlement.scatter_pays ?? {});
  return numbers.every((key) => /^[1-9][0-9]*$/.test(key)) ? undefined : "ranges of scatters not implemented";
}

// payout = floor(stake * multiplier), a BigInt of minor units.
export function payout(program, bet, outcome, stake) {
  const asObject = typeof bet === "string" ? { bet } : bet;
  const left = notImplemented(program);
  if (left !== undefined) throw new TypeError(left);
  const [numerator, denominator] = MODELS[program.settlement.model](program.settlement, program.steps, asObject, outcome);
  return (stake * numerator) / denominator;
}
