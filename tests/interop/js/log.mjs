// PROTOCOL.md section 5: a C2SP tlog-tiles directory under a C2SP checkpoint, read as a whole.
import { createPublicKey, verify } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ascii, parseCanonical, sha256 } from "./bytes.mjs";
import { leafHash, root } from "./merkle.mjs";

const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex");
const ENTRY_LIMIT = 65536;

export function ed25519Verifies(publicKey, message, signature) {
  const key = createPublicKey({ key: Buffer.concat([ED25519_SPKI, publicKey]), format: "der", type: "spki" });
  return signature.length === 64 && verify(null, message, key, signature);
}

function base64(text) {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw new TypeError("not standard base64");
  return bytes;
}

// C2SP signed-note verifier key: name "+" key hash "+" base64(type || public key), type 0x01 = Ed25519.
export function parseVkey(text) {
  const match = /^([^+ ]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim());
  if (!match) throw new TypeError("not a verifier key");
  const [, name, hash, encoded] = match;
  const material = base64(encoded);
  if (material.length !== 33 || material[0] !== 1) throw new TypeError("not an Ed25519 verifier key");
  const expected = sha256(ascii(`${name}\n`), material).subarray(0, 4);
  if (expected.toString("hex") !== hash) throw new TypeError("the key hash is not that of the key");
  return { text: text.trim(), name, hash: expected, publicKey: material.subarray(1) };
}

// Opens a signed note with one key and reads the checkpoint in it; also counts the lines of other signers.
export function openCheckpoint(bytes, vkey) {
  const note = bytes.toString("utf8");
  if (bytes.length > ENTRY_LIMIT || !Buffer.from(note, "utf8").equals(bytes)) throw new TypeError("not a signed note");
  const split = note.lastIndexOf("\n\n");
  if (split < 0 || !note.endsWith("\n")) throw new TypeError("not a signed note");
  const text = note.slice(0, split + 1);
  let signed = false;
  let otherSignatures = 0;
  for (const line of note.slice(split + 2, -1).split("\n")) {
    const match = /^— (\S+) (\S+)$/.exec(line);
    if (!match) throw new TypeError("a bad signature line");
    const material = base64(match[2]);
    if (match[1] !== vkey.name || !material.subarray(0, 4).equals(vkey.hash)) {
      otherSignatures += 1;
      continue;
    }
    if (!ed25519Verifies(vkey.publicKey, Buffer.from(text, "utf8"), material.subarray(4))) {
      throw new TypeError("the log's signature is wrong");
    }
    signed = true;
  }
  if (!signed) throw new TypeError("the log's key has not signed");
  const lines = text.split("\n");
  if (lines.length < 4 || lines[0] !== vkey.name) throw new TypeError("the origin is not the name of the key");
  if (!/^(0|[1-9][0-9]{0,15})$/.test(lines[1])) throw new TypeError("a bad tree size");
  const rootHash = base64(lines[2]);
  if (rootHash.length !== 32) throw new TypeError("a bad root hash");
  return { origin: lines[0], size: Number(lines[1]), root: rootHash, otherSignatures };
}

// tlog-tiles: groups of three digits, all but the last with an x before them.
export function tilePath(number) {
  const groups = [];
  let rest = number;
  do {
    groups.unshift(String(rest % 1000).padStart(3, "0"));
    rest = Math.floor(rest / 1000);
  } while (rest > 0);
  return groups.map((group, place) => (place < groups.length - 1 ? `x${group}` : group)).join("/");
}

function readBundle(directory, number, width) {
  const base = join(directory, "tile", "entries", tilePath(number));
  const partial = join(`${base}.p`, String(width));
  const bytes = readFileSync(width < 256 && existsSync(partial) ? partial : base);
  const entries = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt16BE(at);
    if (at + 2 + length > bytes.length) throw new RangeError("a cut entry bundle");
    entries.push(bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  if (entries.length < width) throw new RangeError("an entry bundle with too few entries");
  return entries.slice(0, width);
}

// The whole log: its entries hash to the checkpoint's root, so each of them is proven at its index.
export function readLog(directory, vkey) {
  const checkpoint = openCheckpoint(readFileSync(join(directory, "checkpoint")), vkey);
  const raw = [];
  for (let begin = 0; begin < checkpoint.size; begin += 256) {
    raw.push(...readBundle(directory, begin / 256, Math.min(256, checkpoint.size - begin)));
  }
  const leaves = raw.map(leafHash);
  if (!root(leaves).equals(checkpoint.root)) throw new TypeError("the entries do not hash to the checkpoint's root");
  const entries = raw.map((bytes) => parseCanonical(bytes));
  for (const entry of entries) {
    if (entry.origin !== checkpoint.origin || entry.v !== 1) throw new TypeError("an entry of another log");
  }
  return { checkpoint, entries, leaves, rootAt: (size) => root(leaves, 0, size) };
}
