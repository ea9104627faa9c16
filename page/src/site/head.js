// From features to an answer: the head, its probabilities, sets of classes, how unlike the training photos a photo is.
// Plain arrays and double precision; the sources are fastclf/metrics and fastclf/model.

const FAR = 1e9;

// logits (K) of features (D): weight (K, D) row after row
export function applyHead({ weight, bias }, features) {
  return Array.from(bias, (b, k) => b + dot(weight, k * features.length, features));
}

function dot(matrix, from, vector) {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += matrix[from + i] * vector[i];
  return sum;
}

export function softmax(logits, temperature = 1) {
  const scaled = Array.from(logits, (x) => x / temperature);
  const top = Math.max(...scaled);
  const powers = scaled.map((x) => Math.exp(x - top));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / total);
}

// The classes, most probable first; of equals the first.
export function order(probs) {
  return [...probs.keys()].sort((a, b) => probs[b] - probs[a] || a - b);
}

// What can tell that a photo is unlike those of the training.
export class Detector {
  // `kind`, `threshold`, `rest` and the arrays of ood.npz: means (K, D), axes (D, R), variances (R), and of the joint one
  // weight, bias, usual (2) and spread (2). Axes of whole numbers have their `scales` (R).
  constructor({ kind, threshold, rest, arrays }) {
    Object.assign(this, { kind, threshold, rest }, arrays);
    const count = this.variances.length;
    this.width = this.axes.length / count;
    this.classes = this.means.length / this.width;
    if (arrays.scales) this.axes = Float32Array.from(this.axes, (x, i) => x * arrays.scales[i % count]);
    this.stretch = Float32Array.from(this.variances, (v) => 1 / Math.sqrt(v) - 1 / Math.sqrt(rest));
    this.centre = this.#findCentre();
    this.whiteMeans = Array.from({ length: this.classes }, (_, k) => this.#whiten(this.means.subarray(k * this.width, (k + 1) * this.width)));
  }

  score(features) {
    const distance = this.#measureDistance(features);
    if (this.kind === "mahalanobis") return distance;
    const logits = applyHead(this, features);
    const top = Math.max(...logits);
    const energy = -(top + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0)));
    const parts = [distance, energy];
    const total = parts.reduce((sum, part, i) => sum + (part - this.usual[i]) / this.spread[i], 0);
    return Number.isFinite(total) ? total : FAR;
  }

  #findCentre() {
    const { classes, width, means } = this;
    return Float32Array.from({ length: width }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < classes; k++) sum += means[k * width + i];
      return sum / classes;
    });
  }

  // signed roots of length 1
  #transform(features) {
    const roots = Float64Array.from(features, (x) => Math.sign(x) * Math.sqrt(Math.abs(x)));
    const length = Math.max(1e-12, Math.sqrt(roots.reduce((sum, x) => sum + x * x, 0)));
    return Float32Array.from(roots, (x) => x / length);
  }

  #whiten(vector) {
    const { width, axes, stretch, centre } = this;
    const count = stretch.length;
    const x = Float64Array.from(vector, (v, i) => v - centre[i]);
    const along = new Float64Array(count);
    for (let i = 0; i < width; i++) for (let r = 0; r < count; r++) along[r] += x[i] * axes[i * count + r];
    for (let r = 0; r < count; r++) along[r] *= stretch[r];
    const whole = 1 / Math.sqrt(this.rest);
    for (let i = 0; i < width; i++) {
      let moved = 0;
      for (let r = 0; r < count; r++) moved += along[r] * axes[i * count + r];
      x[i] = x[i] * whole + moved;
    }
    return x;
  }

  #measureDistance(features) {
    const x = this.#whiten(this.#transform(features));
    const squared = this.whiteMeans.map((mean) => mean.reduce((sum, m, i) => sum + (m - x[i]) ** 2, 0));
    const distance = Math.sqrt(Math.min(...squared) / this.width);
    return Number.isFinite(distance) ? distance : FAR;
  }
}

// What `Predictor` answers, under the names of its JSON.
export function describe({ vocab, temperature, sets, detector }, logits, features) {
  const probs = softmax(logits, temperature);
  const ranked = order(probs);
  const score = detector ? detector.score(features) : null;
  const unfamiliar = detector ? score > detector.threshold : null;
  const named = sets && !unfamiliar;
  const most = probs[ranked[0]];
  return {
    label: vocab[ranked[0]],
    probability: most,
    // an object would put classes that are called by numbers in another order
    probs: new Map(ranked.map((k) => [vocab[k], probs[k]])),
    unfamiliar,
    ood_score: score,
    label_set: named ? ranked.filter((k) => probs[k] >= sets.threshold || probs[k] === most).map((k) => vocab[k]) : null,
    set_coverage: named ? sets.coverage : null,
  };
}

// How strongly each place of maps (D, places) speaks for class `k`; null where the maps' mean does not make the logits.
export function findActivation({ weight, bias }, maps, logits, k) {
  const classes = bias.length;
  const width = weight.length / classes;
  const places = maps.length / width;
  if (!Number.isInteger(places)) return null;
  const heats = Array.from({ length: classes }, (_, c) => {
    const heat = new Float64Array(places).fill(bias[c]);
    for (let d = 0; d < width; d++) for (let p = 0; p < places; p++) heat[p] += weight[c * width + d] * maps[d * places + p];
    return heat;
  });
  const mean = (heat) => heat.reduce((sum, x) => sum + x, 0) / places;
  const allowed = 1e-3 * Math.max(1, ...Array.from(logits, Math.abs));
  if (heats.some((heat, c) => !(Math.abs(mean(heat) - logits[c]) <= allowed))) return null;
  // what speaks for all classes alike changes no answer
  return heats[k].map((x, p) => x - heats.reduce((sum, heat) => sum + heat[p], 0) / classes);
}
