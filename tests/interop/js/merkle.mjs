// RFC 9162 section 2.1 over ready-made leaf hashes, and the range path of PROTOCOL.md section 8.
import { sha256 } from "./bytes.mjs";

const node = (left, right) => sha256(Buffer.of(1), left, right);
export const leafHash = (data) => sha256(Buffer.of(0), data);

const splitOf = (size) => {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
};

export function root(leaves, begin = 0, end = leaves.length) {
  if (begin === end) return sha256();
  // Levels are folded from the left, the odd one out moves up: the same tree as the recursive definition.
  let level = leaves.slice(begin, end);
  while (level.length > 1) {
    const above = [];
    for (let i = 0; i + 1 < level.length; i += 2) above.push(node(level[i], level[i + 1]));
    if (level.length % 2 === 1) above.push(level[level.length - 1]);
    level = above;
  }
  return level[0];
}

// The root that consecutive leaves [first, first + leaves.length) and a range path give in a tree of `size` leaves.
// For a single leaf of a draw the document speaks of the inclusion path instead: leaf to root, see below.
export function rootFromRange(size, first, leaves, path) {
  let used = 0;
  const last = first + leaves.length;
  const walk = (begin, end) => {
    if (end <= first || begin >= last) {
      if (used === path.length) throw new RangeError("the path is too short");
      return path[used++];
    }
    if (end - begin === 1) return leaves[begin - first];
    const middle = begin + splitOf(end - begin);
    const left = walk(begin, middle);
    return node(left, walk(middle, end));
  };
  const result = walk(0, size);
  if (used !== path.length) throw new RangeError("the path is too long");
  return result;
}

// RFC 9162 section 2.1.3.2.
export function rootFromInclusion(size, index, leaf, path) {
  if (!(index >= 0 && index < size)) throw new RangeError("the index is outside the tree");
  let position = index;
  let last = size - 1;
  let result = leaf;
  for (const sibling of path) {
    if (last === 0) throw new RangeError("the path is too long");
    if (position % 2 === 1 || position === last) {
      result = node(sibling, result);
      while (position % 2 === 0 && position !== 0) {
        position = Math.floor(position / 2);
        last = Math.floor(last / 2);
      }
    } else {
      result = node(result, sibling);
    }
    position = Math.floor(position / 2);
    last = Math.floor(last / 2);
  }
  if (last !== 0) throw new RangeError("the path is too short");
  return result;
}
