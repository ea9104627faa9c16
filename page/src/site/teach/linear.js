// The linear head: multinomial logistic regression on features, as fastclf/head/linear.py poses it.

import { softmax } from "../head.js";
import { drawFolds } from "./folds.js";
import { minimise } from "./lbfgs.js";
import { TallMatrix } from "./matrix.js";

// Strength of the pull towards small weights, on features scaled to unit variance: large is weak.
export const STRENGTHS = [1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 0.3, 1, 3];
export const STRENGTH_ALONE = 0.02; // where there is nothing to cross-validate with
const FOLDS = 5;
const LEAST_DEVIATION = 0.3; // of all features' deviation
const BLOCK = 64; // rows that stay in the processor's cache
const [CLOSE, ROUGH] = [{ flat: 1e-4, fall: 1e-10 }, { flat: 3e-3, fall: 1e-8 }];

// Photos to fit a head on, for one strength after the other: each begins where the last one ended.
class Problem {
  // rows: features (D) of each photo; targets: its class from 0 to `classes` - 1
  static async pose(rows, targets, classes) {
    const width = rows[0].length;
    const { mean, scale } = findScale(rows, width);
    const matrix = await TallMatrix.make(rows.length, width, classes);
    rows.forEach((row, r) => {
      for (let i = 0; i < width; i++) matrix.values[r * matrix.stride + i] = (row[i] - mean[i]) / scale[i];
    });
    return Object.assign(new Problem(), { matrix, targets, classes, width, mean, scale, found: new Float64Array(classes * (width + 1)) });
  }

  // The head of least loss: `C` times the log loss, plus half the squares of the weights.
  solve(C, limits) {
    const { classes, width, mean, scale } = this;
    // two classes share one vector of weights, as in scikit-learn, so theirs count twice
    const penalty = (classes === 2 ? 2 : 1) / (C * width);
    this.found = minimise((point) => this.#measure(point, penalty), this.found, limits);
    const [weight, bias] = [new Float32Array(classes * width), new Float32Array(classes)];
    for (let k = 0; k < classes; k++) {
      const line = k * (width + 1);
      let shift = 0;
      for (let i = 0; i < width; i++) {
        const value = this.found[line + i] / scale[i];
        weight[k * width + i] = value;
        shift += value * mean[i];
      }
      bias[k] = this.found[line + width] - shift;
    }
    return { weight, bias, C };
  }

  // The loss and its slope, divided by `C`.
  #measure(point, penalty) {
    const { matrix, classes, width } = this;
    for (let k = 0; k < classes; k++) matrix.weights.set(point.subarray(k * (width + 1), k * (width + 1) + width), k * matrix.stride);
    matrix.slope.fill(0);
    const biases = Float64Array.from({ length: classes }, (_, k) => point[k * (width + 1) + width]);
    const off = new Float64Array(classes); // of the biases
    let value = 0;
    for (let from = 0; from < matrix.rows; from += BLOCK) {
      const to = Math.min(matrix.rows, from + BLOCK);
      matrix.multiply(from, to);
      value += this.#judge(from, Math.min(to, matrix.count), biases, off);
      matrix.sum(from, to);
    }
    return this.#addPenalty(point, penalty, value, off);
  }

  // The loss of some rows; in the table their logits become what is wrong with their probabilities.
  #judge(from, to, biases, off) {
    const { matrix, classes, targets } = this;
    const { table, vectors } = matrix;
    let value = 0;
    for (let r = from; r < to; r++) {
      const place = r * vectors;
      let top = -Infinity;
      for (let k = 0; k < classes; k++) top = Math.max(top, (table[place + k] += biases[k]));
      let total = 0;
      const truth = table[place + targets[r]];
      for (let k = 0; k < classes; k++) total += table[place + k] = Math.exp(table[place + k] - top);
      value += Math.log(total) + top - truth;
      for (let k = 0; k < classes; k++) {
        const wrong = table[place + k] / total - (k === targets[r] ? 1 : 0);
        table[place + k] = wrong;
        off[k] += wrong;
      }
    }
    return value;
  }

  #addPenalty(point, penalty, loss, off) {
    const { matrix, classes, width } = this;
    const slope = new Float64Array(point.length);
    let squares = 0;
    for (let k = 0; k < classes; k++) {
      const line = k * (width + 1);
      for (let i = 0; i < width; i++) {
        const w = point[line + i];
        squares += w * w;
        slope[line + i] = matrix.slope[k * matrix.stride + i] + penalty * w;
      }
      slope[line + width] = off[k];
    }
    return { value: loss + (penalty / 2) * squares, slope };
  }
}

// A feature that never moves among these photos says nothing, and one that hardly moves must not be blown up.
function findScale(rows, width) {
  const [mean, squares] = [new Float64Array(width), new Float64Array(width)];
  for (const row of rows) for (let i = 0; i < width; i++) mean[i] += row[i] / rows.length;
  for (const row of rows) for (let i = 0; i < width; i++) squares[i] += (row[i] - mean[i]) ** 2 / rows.length;
  const whole = mean.reduce((sum, m) => sum + m, 0) / width;
  // the variance of all numbers: within the features, and among their means
  const usual = Math.sqrt(squares.reduce((sum, v, i) => sum + v + (mean[i] - whole) ** 2, 0) / width);
  const scale = squares.map((v) => {
    const deviation = Math.sqrt(v);
    // one common factor keeps the sum of squares at about one a photo, whatever the width
    return (deviation > 1e-6 * usual ? Math.max(deviation, LEAST_DEVIATION * usual) : Infinity) * Math.sqrt(width);
  });
  return { mean, scale };
}

export async function fitHead(rows, targets, classes, C = STRENGTH_ALONE) {
  return (await Problem.pose(rows, targets, classes)).solve(C, CLOSE);
}

// The head with the strength that has the least log loss out of fold; photos of one group never stand on both sides of a fold.
// `tell` hears (done, all).
export async function fitByCrossValidation(rows, targets, classes, groups, tell = () => {}) {
  const parts = drawParts(targets, classes, groups);
  if (!parts.length) return { ...(await fitHead(rows, targets, classes)), folds: 0, tried: [] };
  const problems = [];
  for (const { train } of parts) problems.push(await Problem.pose(pick(rows, train), pick(targets, train), classes));
  const tried = [];
  const all = STRENGTHS.length + 1;
  for (const C of STRENGTHS) {
    tell(tried.length, all);
    const heads = problems.map((problem) => problem.solve(C, ROUGH));
    tried.push({ C, ...judge(heads, rows, targets, parts) });
    const [a, b, c] = tried.slice(-3).map(({ loss }) => loss);
    if (tried.length > 2 && a < b && b < c) break; // from here on it only overfits more
  }
  const best = tried.reduce((least, row) => (row.loss < least.loss ? row : least));
  tell(all - 1, all);
  return { ...(await fitHead(rows, targets, classes, best.C)), folds: parts.length, tried };
}

// What heads of one strength say of photos that each has not seen: a row of probabilities a photo, null where there is none.
export async function predictOutOfFold(rows, targets, classes, groups, C) {
  const found = new Array(rows.length).fill(null);
  for (const { train, held } of drawParts(targets, classes, groups)) {
    const head = (await Problem.pose(pick(rows, train), pick(targets, train), classes)).solve(C, ROUGH);
    held.forEach((r) => (found[r] = softmax(computeLogits(head, rows[r]))));
  }
  return found;
}

export function computeLogits({ weight, bias }, features) {
  return Array.from(bias, (b, k) => {
    let sum = b;
    for (let i = 0, at = k * features.length; i < features.length; i++) sum += weight[at + i] * features[i];
    return sum;
  });
}

function pick(list, places) {
  return places.map((i) => list[i]);
}

// Who is trained on and who is held out, for each fold in which every class is trained.
function drawParts(targets, classes, groups) {
  const members = Array.from({ length: classes }, () => new Set());
  targets.forEach((k, i) => members[k].add(groups[i]));
  const count = Math.min(FOLDS, ...members.map((names) => names.size));
  if (count < 2) return [];
  const fold = drawFolds(targets, classes, groups, count, 0);
  const places = [...targets.keys()];
  const parts = [...Array(count).keys()].map((n) => ({ train: places.filter((i) => fold[i] !== n), held: places.filter((i) => fold[i] === n) }));
  return parts.filter(({ train, held }) => held.length && new Set(pick(targets, train)).size === classes);
}

function judge(heads, rows, targets, parts) {
  let [loss, right, n] = [0, 0, 0];
  parts.forEach(({ held }, f) => {
    for (const r of held) {
      const probs = softmax(computeLogits(heads[f], rows[r]));
      n += 1;
      loss -= Math.log(Math.max(probs[targets[r]], Number.MIN_VALUE));
      right += Number(findTop(probs) === targets[r]);
    }
  });
  return { loss: round(loss / n), accuracy: round(right / n) };
}

export function findTop(values) {
  return values.reduce((best, x, k) => (x > values[best] ? k : best), 0);
}

const round = (x) => Math.round(x * 1e6) / 1e6;
