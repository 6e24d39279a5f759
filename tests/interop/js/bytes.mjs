// PROTOCOL.md section 2: hashes, length prefixes, canonical JSON.
import { createHash, createHmac } from "node:crypto";

export const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
export const hmac = (key, ...parts) => createHmac("sha256", key).update(Buffer.concat(parts)).digest();
export const ascii = (text) => Buffer.from(text, "latin1");

export function u32(value) {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

export function u64(value) {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(value));
  return out;
}

export const lp = (bytes) => Buffer.concat([u32(bytes.length), bytes]);
export const label = (text) => lp(ascii(text));

// Buffer.from(_, "hex") stops silently at the first bad digit, so the form is checked first.
export function hex(text, length) {
  if (typeof text !== "string" || !/^([0-9a-f]{2})*$/.test(text)) throw new TypeError("not lowercase hex");
  const bytes = Buffer.from(text, "hex");
  if (length !== undefined && bytes.length !== length) throw new TypeError(`${bytes.length} bytes, expected ${length}`);
  return bytes;
}

function writeString(text) {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new TypeError("a character outside 0x20-0x7E");
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

function writeCanonical(value) {
  if (typeof value === "string") return writeString(value);
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new TypeError("a number that is not an integer below 2^53");
    return String(value);
  }
  if (Array.isArray(value)) return `[${value.map(writeCanonical).join(",")}]`;
  if (value === null || typeof value !== "object") throw new TypeError("null is not allowed");
  const members = Object.keys(value).sort().map((key) => `${writeString(key)}:${writeCanonical(value[key])}`);
  return `{${members.join(",")}}`;
}

// Parse, encode again, compare: what JSON.parse forgives (duplicate keys, 1e3, -0, space, escapes) shows as a difference.
export function parseCanonical(bytes) {
  const text = bytes.toString("latin1");
  const value = JSON.parse(text);
  if (writeCanonical(value) !== text) throw new TypeError("not canonical JSON");
  return value;
}

// An object with exactly the required keys, and no others than the optional ones.
export function exactKeys(value, required, optional = []) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new TypeError("not an object");
  for (const key of required) if (!Object.hasOwn(value, key)) throw new TypeError(`${key} is missing`);
  for (const key of Object.keys(value)) {
    if (!required.includes(key) && !optional.includes(key)) throw new TypeError(`${key} is not a field`);
  }
  return value;
}
