// Which photos the head learns from, and which are kept back: by group, about one in five groups of each class.

import { hashBytes } from "../sha256.js";

const ONE_IN = 5;

const hash = (name) => hashBytes(new TextEncoder().encode(name));

// photos in the order in which they came, {label, group} each -> {groups, valid}, a value a photo.
// Where all photos of a class came at one go, the last fifth of them counts as a group of its own.
export function splitPhotos(photos, classes) {
  const groups = photos.map(({ group }) => group);
  for (let k = 0; k < classes; k++) {
    const rows = [...photos.keys()].filter((i) => photos[i].label === k);
    if (rows.length < 2 || new Set(rows.map((i) => groups[i])).size > 1) continue;
    rows.slice(rows.length - Math.ceil(rows.length / ONE_IN)).forEach((i) => (groups[i] += " end"));
  }
  const held = drawHeld(photos, groups, classes);
  const valid = groups.map((name) => held.has(name));
  for (let k = 0; k < classes; k++) {
    const rows = [...photos.keys()].filter((i) => photos[i].label === k);
    // a photo that lies in two classes may have taken a class's last ones with it
    if (rows.length && rows.every((i) => valid[i])) release(groups, valid, groups[rows[0]]);
  }
  return { groups, valid };
}

function release(groups, valid, name) {
  groups.forEach((other, i) => other === name && (valid[i] = false));
}

function drawHeld(photos, groups, classes) {
  const counts = new Map();
  photos.forEach(({ label }, i) => {
    const of = counts.get(groups[i]) ?? counts.set(groups[i], new Array(classes).fill(0)).get(groups[i]);
    of[label] += 1;
  });
  const keys = new Map([...counts.keys()].map((name) => [name, hash(name)]));
  const held = new Set();
  for (let k = 0; k < classes; k++) {
    const names = [...counts.keys()].filter((name) => counts.get(name).indexOf(Math.max(...counts.get(name))) === k);
    if (names.length < 2) continue;
    names.sort((a, b) => (keys.get(a) < keys.get(b) ? -1 : 1));
    names.slice(0, Math.max(1, Math.floor(names.length / ONE_IN))).forEach((name) => held.add(name));
  }
  return held;
}
