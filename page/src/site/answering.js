// The model of a page without a server: collects what the data scripts bring, and asks the worker.

import { Fault } from "./fault.js";
import { Line } from "./line.js";
import { readPack, unpackGzip } from "./pack.js";
import { hashBytes } from "./sha256.js";
import { checkHead } from "./sound.js";
import { DAMAGED } from "./unpacking.js";

export const PARTS_IN_ORDER = ["head", "worker", "examples", "runtime", "graph"]; // in the order of loading
const MOST_PARTS = 2048;
const NEEDED = ["Worker", "OffscreenCanvas", "WebAssembly", "DecompressionStream", "createImageBitmap"];

export class Answering {
  manifest = null;
  #parts = new Map(); // name -> its parts, as base64
  #sizes = null; // of all parts, once the head has come
  #tell = () => {};
  #came = () => {};
  #fail = () => {};
  line = null; // to the worker, once there is one
  keepsParts = false; // whether what has come is wanted again
  partsInOrder = PARTS_IN_ORDER;
  checkHead = checkHead;

  // Has to stand before the data scripts. `head` is the hash of the folder's own head.
  constructor(head = null) {
    this.hash = head;
    self.fastclfTake = (name, index, count, base64) => this.#take(name, index, count, base64);
    addEventListener("error", this.#missed, true);
    // all scripts have come by then, or have been cut off on the way
    addEventListener("load", () => setTimeout(() => this.#findCutOff()));
  }

  // Rejects with an Error whose message is a sentence's template and whose `fields` are its fields.
  async open(tell = () => {}) {
    this.#tell = tell;
    const missing = NEEDED.filter((name) => !(name in self));
    if (missing.length) throw new Fault("This browser lacks what the page needs ({what}). Update it, or use another one.", { what: missing.join(", ") });
    const failed = new Promise((_, reject) => (this.#fail = reject));
    await Promise.race([failed, this.#open()]);
    removeEventListener("error", this.#missed, true);
  }

  // Compares the answers that the folder brings along with those of this browser; `manifest.parity` says the result.
  async compare() {
    this.manifest.parity = await this.line.ask("compare");
    return this.manifest.parity;
  }

  // {name: its parts, as base64}, where they are kept
  get parts() {
    return Object.fromEntries(this.#parts);
  }

  // `prediction` has the names of Prediction.to_dict(); `probs` is a Map, in order: an object puts numbers first.
  answer(blob, name) {
    return this.line.ask("answer", { blob, name });
  }

  // null where `signal` ended it
  explain(blob, label, { progress, signal } = {}) {
    return this.line.ask("explain", { blob, label }, { progress, signal });
  }

  close() {
    this.line?.close();
  }

  #missed = ({ target }) => {
    if (target instanceof HTMLScriptElement) this.#fail(new Fault("A part of this page did not come ({name}). Load it again.", { name: target.src.split("/").pop() }));
  };

  #findCutOff() {
    const name = this.partsInOrder.find((name) => !this.#parts.has(name) || this.#parts.get(name).includes(null));
    if (name && !this.#opened) this.#fail(new Fault(DAMAGED, { name }));
  }

  #take(name, index, count, base64) {
    const isOurs = this.partsInOrder.includes(name) && Number.isInteger(count) && count > 0 && count <= MOST_PARTS && typeof base64 === "string";
    if (!isOurs || !Number.isInteger(index) || index < 0 || index >= (this.#parts.get(name)?.length ?? count)) return; // what is missing then is told
    const parts = this.#parts.get(name) ?? this.#parts.set(name, new Array(count).fill(null)).get(name);
    parts[index] = base64;
    this.#tellLoaded();
    this.#came();
  }

  #tellLoaded() {
    if (!this.#sizes) return;
    const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
    const loaded = sum([...this.#parts.values()].flat().map((part) => part?.length ?? 0));
    this.#tell({ loaded, total: sum(Object.values(this.#sizes).flat()) });
  }

  async #open() {
    const packed = await this.#collect("head");
    if (this.hash && hashBytes(packed) !== this.hash) throw new Fault(DAMAGED, { name: "head" });
    const head = await unpackGzip(packed, "head");
    this.packed = readHead(head, this.checkHead);
    const { header } = this.packed;
    const sizes = Object.entries(header.parts).map(([name, { sizes }]) => [name, sizes]);
    this.#sizes = { ...Object.fromEntries(sizes), head: this.#headSize };
    this.#tellLoaded();
    const [script, pictures] = await Promise.all(["worker", "examples"].map((name) => this.unpack(name)));
    this.script = script;
    this.line = this.#startLine();
    const photos = listPhotos(pictures);
    this.manifest = { ...header.page, examples: photos, parity: "unknown" };
    // two at once, and each as soon as it is there
    const helper = this.#startLine();
    const [, graph] = await Promise.all([this.#send("prepare", "runtime", this.line), this.#send("unpack", "graph", helper)]);
    helper.close();
    this.#opened = true;
    if (!this.keepsParts) this.#parts.clear();
    await this.line.ask("open", { head, graph, photos }, { transfer: [head.buffer, graph.buffer] });
  }

  #startLine() {
    return new Line(this.script, (fault) => this.#fail(fault));
  }

  async #send(order, name, line) {
    const packed = await this.#collect(name);
    return line.ask(order, { name, packed, sha256: this.packed.header.parts[name].sha256 }, { transfer: [packed.buffer] });
  }

  #headSize = [];
  #opened = false; // all parts have been taken

  // what a part holds that is no network, once it has come
  async unpack(name) {
    const packed = await this.#collect(name);
    if (hashBytes(packed) !== this.packed.header.parts[name].sha256) throw new Fault(DAMAGED, { name });
    return unpackGzip(packed, name);
  }

  // the bytes of what has this name, once all its parts are there
  async #collect(name) {
    while (!this.#parts.has(name) || this.#parts.get(name).includes(null)) {
      await new Promise((resolve) => {
        const before = this.#came;
        this.#came = () => (before(), resolve());
      });
    }
    const parts = this.#parts.get(name);
    if (name === "head") this.#headSize = parts.map((part) => part.length);
    return decode(name, parts);
  }
}

function decode(name, parts) {
  try {
    if (Uint8Array.fromBase64) return join(parts.map((part) => Uint8Array.fromBase64(part)));
    const texts = parts.map((part) => atob(part));
    const bytes = new Uint8Array(texts.reduce((sum, text) => sum + text.length, 0));
    let at = 0;
    for (const text of texts) for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    return bytes;
  } catch {
    throw new Fault(DAMAGED, { name });
  }
}

function join(arrays) {
  const whole = new Uint8Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    whole.set(array, at);
    at += array.length;
  }
  return whole;
}

function readHead(bytes, check) {
  try {
    const found = readPack(bytes);
    check(found);
    return found;
  } catch {
    throw new Fault(DAMAGED, { name: "head" });
  }
}

function listPhotos(pictures) {
  try {
    const { header, arrays } = readPack(pictures);
    return header.names.map((name) => ({ name: String(name), bytes: arrays[name].slice() }));
  } catch {
    throw new Fault(DAMAGED, { name: "examples" });
  }
}
