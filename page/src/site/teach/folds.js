// Who is held out together: stratified by class, a group in one fold only, as fastclf/issues/labels.py draws it.

import { hashBytes } from "../sha256.js";

const hash = (seed, name) => hashBytes(new TextEncoder().encode(`${seed}:${name}`));

// The number of each photo's fold; where a group goes follows from the names and `seed` alone.
export function drawFolds(targets, classes, groups, folds, seed) {
  const members = new Map();
  groups.forEach((name, row) => (members.get(name) ?? members.set(name, []).get(name)).push(row));
  const keys = new Map([...members.keys()].map((name) => [name, hash(seed, name)]));
  const names = [...members.keys()].sort((a, b) => (keys.get(a) < keys.get(b) ? -1 : 1));
  const filled = Array.from({ length: folds }, () => new Array(classes).fill(0));
  const sizes = new Array(folds).fill(0);
  const fold = new Array(targets.length);
  for (const name of names) {
    const rows = members.get(name);
    const counts = new Array(classes).fill(0);
    rows.forEach((row) => (counts[targets[row]] += 1));
    const k = counts.indexOf(Math.max(...counts));
    // of the folds with the fewest photos of this class the one with the fewest photos at all
    const better = (a, b) => filled[a][k] - filled[b][k] || sizes[a] - sizes[b] || a - b;
    const chosen = [...sizes.keys()].sort(better)[0];
    rows.forEach((row) => (fold[row] = chosen));
    counts.forEach((n, c) => (filled[chosen][c] += n));
    sizes[chosen] += rows.length;
  }
  return fold;
}
