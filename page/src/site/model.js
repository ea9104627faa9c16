// Photos in, answers and explanations out: what fastclf's Predictor and explain_answer are in Python.

import { drawPicture } from "./drawn.js";
import { Fault } from "./fault.js";
import { Detector, applyHead, describe, findActivation, softmax } from "./head.js";
import { findLogOdds, findPlace, findPlain, listWindows, paint, scaleHeat } from "./heat.js";
import { Network } from "./network.js";
import { encode, readPhoto } from "./photo.js";
import { Preprocess } from "./preprocess.js";
import { hashBytes } from "./sha256.js";
import { DAMAGED } from "./unpacking.js";

const LEAST_PLACES = 4;
const ALLOWED = 1e-3;

export class Model {
  // `header` and `arrays` of the folder's head; `runtime` and `graph` as bytes
  static async open({ header, arrays }, runtime, graph) {
    const made = new Model();
    made.header = header;
    made.head = arrays.weight ? { weight: arrays.weight, bias: arrays.bias } : null;
    made.known = arrays.known ?? null;
    made.preprocess = new Preprocess(header.preprocess, header.tall_first);
    made.knows = { vocab: header.page.vocab, temperature: header.temperature, sets: header.sets, detector: null };
    if (header.ood) made.knows.detector = new Detector({ ...header.ood, arrays: pick(arrays, "ood.") });
    made.network = await Network.open(runtime, graph);
    await made.#check();
    return made;
  }

  // Answers with another head from here on.
  use({ head, vocab }) {
    this.head = head;
    this.knows = { ...this.knows, vocab };
  }

  // The features of a photo.
  async study(blob) {
    const { picture } = await readPhoto(blob, this.preprocess.leastSide, { wantsThumbnail: false });
    return this.#findFeatures(this.preprocess.resize(picture));
  }

  // The network is one for this head, or for what is known of it; its first run, which takes longest, is over when somebody asks.
  async #check() {
    const { height, width } = this.preprocess;
    const { features } = await this.network.run(new Float32Array(3 * height * width), height, width);
    const fits = this.head ? features.data.length * this.head.bias.length === this.head.weight.length : features.data.length === this.known?.length;
    if (!fits) throw new Fault(DAMAGED, { name: "head" });
  }

  async answer(blob, name) {
    if (!this.head) throw new Fault("It has learned nothing yet: show it photos of two classes first.");
    try {
      const { picture, width, height, thumbnail } = await readPhoto(blob, this.preprocess.leastSide);
      const prediction = await this.#describe(this.preprocess.resize(picture));
      return { prediction: { file: name, ...prediction, error: null }, width, height, thumbnail: thumbnail.bytes };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return { prediction: fail(name, error), width: 0, height: 0, thumbnail: null };
    }
  }

  // Why a photo gets a label; `tell` hears (done, all), `stopped` ends it with null.
  async explain(blob, label, tell, stopped) {
    const k = this.knows.vocab.indexOf(label);
    if (k < 0) throw new Fault("The model has no class {label!r}; it knows {vocab}.", { label, vocab: this.knows.vocab.join(", ") });
    const { picture, width, height, thumbnail } = await readPhoto(blob, this.preprocess.leastSide);
    const pixels = this.preprocess.prepare(picture);
    const box = this.preprocess.findSeen(width, height);
    const active = await this.#activate(pixels, k);
    const found = active ?? (await this.#occlude(pixels, k, tell, stopped));
    if (!found) return null;
    const explained = { ...found, heat: scaleHeat(found.heat), box };
    const png = await drawOver(explained, thumbnail);
    return { png, method: active ? "class activation" : "occlusion", place: findPlace(explained) };
  }

  // How the answers that the folder brings along compare with those of this browser: "same" or "differs".
  async compare(examples) {
    if (this.known) return this.#compareFeatures();
    for (const known of this.header.parity.photos) {
      const picture = known.file === "drawn" ? drawPicture() : await this.#readExample(examples, known.file);
      if (!picture) continue;
      const resized = this.preprocess.resize(picture);
      const { probs } = await this.#run(resized);
      if (known.file === "drawn" && hashBytes(resized.data) !== known.sha256) return "differs";
      if (known.probs.some((p, i) => !(Math.abs(p - probs[i]) <= ALLOWED))) return "differs";
    }
    return "same";
  }

  close() {
    return this.network.close();
  }

  async #compareFeatures() {
    const resized = this.preprocess.resize(drawPicture());
    const features = await this.#findFeatures(resized);
    const largest = this.known.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-6);
    const same = features.length === this.known.length && features.every((x, i) => Math.abs(x - this.known[i]) <= ALLOWED * largest);
    return same && hashBytes(resized.data) === this.header.parity.sha256 ? "same" : "differs";
  }

  async #findFeatures(resized) {
    const { height, width } = this.preprocess;
    const { features } = await this.network.run(this.preprocess.toPlanes(resized), height, width);
    return features.data;
  }

  async #readExample(examples, file) {
    const found = examples.find(({ name }) => `examples/${name}` === file);
    if (!found) return null;
    return (await readPhoto(new Blob([found.bytes]), this.preprocess.leastSide)).picture;
  }

  async #run(resized) {
    const features = await this.#findFeatures(resized);
    const logits = applyHead(this.head, features);
    return { features, logits, probs: softmax(logits, this.knows.temperature) };
  }

  async #describe(resized) {
    const { features, logits } = await this.#run(resized);
    if (!logits.every(Number.isFinite)) throw new Error("the model answers with NaN or infinite values");
    return describe(this.knows, logits, features);
  }

  async #activate(pixels, k) {
    if (!this.network.hasMaps) return null;
    const { height, width } = this.preprocess;
    const { features, maps } = await this.network.run(pixels, height, width, ["features", "maps"]);
    const [rows, columns] = maps.dims.slice(2);
    if (Math.min(rows, columns) < LEAST_PLACES) return null;
    const heat = findActivation(this.head, maps.data, applyHead(this.head, features.data), k);
    return heat && { heat, rows, columns };
  }

  async #occlude(pixels, k, tell, stopped) {
    const { height, width } = this.preprocess;
    const { windows, rows, columns } = listWindows(height, width);
    const plain = findPlain(pixels);
    const measure = async (photo) => {
      const { features } = await this.network.run(photo, height, width);
      return findLogOdds(applyHead(this.head, features.data), this.knows.temperature, k);
    };
    const whole = await measure(pixels);
    const heat = [];
    for (const window of windows) {
      await rest();
      if (stopped()) return null;
      heat.push(whole - (await measure(cover(pixels, height, width, window, plain))));
      tell(heat.length, windows.length);
    }
    return { heat, rows, columns };
  }
}

function pick(arrays, start) {
  const names = Object.keys(arrays).filter((name) => name.startsWith(start));
  return Object.fromEntries(names.map((name) => [name.slice(start.length), arrays[name]]));
}

function fail(file, { message, fields }) {
  const error = { text: "{name} {reason}.", fields: { name: file, reason: { text: message, fields } } };
  const none = { label: null, probability: null, probs: null, unfamiliar: null, ood_score: null, label_set: null, set_coverage: null };
  return { file, ...none, error };
}

// Lets what waits (another photo, a stop) come in between.
function rest() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => (port1.close(), resolve());
    port2.postMessage(null);
  });
}

function cover(pixels, height, width, [[top, bottom], [left, right]], plain) {
  const covered = Float32Array.from(pixels);
  plain.forEach((level, c) => {
    for (let y = top; y < bottom; y++) {
      const line = (c * height + y) * width;
      covered.fill(level, line + left, line + right);
    }
  });
  return covered;
}

async function drawOver(explained, { width, height }) {
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(new ImageData(paint(explained, width, height), width, height), 0, 0);
  return encode(canvas, { type: "image/png" });
}
