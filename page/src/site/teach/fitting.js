// What is learned from a project's photos, and how good it is: judged on photos that the head had not seen.

import { findTop, fitByCrossValidation, predictOutOfFold } from "./linear.js";
import { splitPhotos } from "./splits.js";

const Z = 1.96;

// Wilson's interval of a share, 95 %.
export function findInterval(right, n) {
  const share = right / n;
  const middle = share + (Z * Z) / (2 * n);
  const reach = Z * Math.sqrt((share * (1 - share)) / n + (Z * Z) / (4 * n * n));
  const whole = 1 + (Z * Z) / n;
  return [Math.max(0, (middle - reach) / whole), Math.min(1, (middle + reach) / whole)];
}

// photos: {features, label, group} in the order in which they came; classes: how many -> what `Lesson` holds of it.
// The head learns from the photos that are not kept back, so that who takes the project over can judge it on the others;
// the figures are those of a cross-validation of all photos.
export async function fitProject(photos, classes, tell = () => {}) {
  const started = performance.now();
  const { groups, valid } = splitPhotos(photos, classes);
  const learned = [...photos.keys()].filter((i) => !valid[i]);
  const take = (list, rows) => rows.map((i) => list[i]);
  const [rows, targets] = [photos.map(({ features }) => features), photos.map(({ label }) => label)];
  const head = await fitByCrossValidation(take(rows, learned), take(targets, learned), classes, take(groups, learned), tell);
  const probs = await predictOutOfFold(rows, targets, classes, groups, head.C);
  return { head, probs, valid, groups, judged: judge(probs, targets, groups), ms: performance.now() - started };
}

// Frames of one burst tell little more than one of them: the interval is as wide as if each group were one photo.
function judge(probs, targets, groups) {
  const rows = [...probs.keys()].filter((i) => probs[i]);
  if (!rows.length) return null;
  const right = rows.filter((i) => findTop(probs[i]) === targets[i]).length;
  const n = new Set(rows.map((i) => groups[i])).size;
  return { photos: rows.length, right, groups: n, interval: findInterval((right / rows.length) * n, n) };
}

