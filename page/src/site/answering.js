// The model of a page without a server: collects what the data scripts bring, and asks the worker.

import { Fault } from "./fault.js";
import { readPack, unpackGzip } from "./pack.js";

const NEEDED = ["Worker", "OffscreenCanvas", "WebAssembly", "DecompressionStream", "createImageBitmap"];

export class Answering {
  manifest = null;
  #parts = new Map(); // name -> its parts, as base64
  #sizes = null; // of all parts, once the head has come
  #tell = () => {};
  #came = () => {};
  #fail = () => {};
  #worker = null;
  #waiting = new Map();
  #last = 0;

  // Has to stand before the data scripts.
  constructor() {
    self.fastclfTake = (name, index, count, base64) => this.#take(name, index, count, base64);
    addEventListener("error", this.#missed, true);
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
    this.manifest.parity = await this.#ask("compare");
    return this.manifest.parity;
  }

  // `prediction` has the names of Prediction.to_dict(); `probs` is a Map, in order: an object puts numbers first.
  answer(blob, name) {
    return this.#ask("answer", { blob, name });
  }

  // null where `signal` ended it
  explain(blob, label, { progress, signal } = {}) {
    return this.#ask("explain", { blob, label }, [], progress, signal);
  }

  close() {
    this.#worker?.terminate();
    for (const { reject } of this.#waiting.values()) reject(new Fault("The page was closed."));
    this.#waiting.clear();
  }

  #missed = ({ target }) => {
    if (target instanceof HTMLScriptElement) this.#fail(new Fault("A part of this page did not come ({name}). Load it again.", { name: target.src.split("/").pop() }));
  };

  #take(name, index, count, base64) {
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
    const head = await unpack("head", await this.#collect("head"));
    const { header } = readPack(head);
    const sizes = Object.entries(header.parts).map(([name, { sizes }]) => [name, sizes]);
    this.#sizes = { ...Object.fromEntries(sizes), head: this.#headSize };
    this.#tellLoaded();
    const [script, pictures] = await Promise.all(["worker", "examples"].map(async (name) => unpack(name, await this.#collect(name))));
    this.#start(script);
    const photos = listPhotos(pictures);
    this.manifest = { ...header.page, examples: photos, parity: "unknown" };
    const [runtime, graph] = [await this.#collect("runtime"), await this.#collect("graph")];
    this.#parts.clear();
    await this.#ask("open", { head, runtime, graph, photos }, [head.buffer, runtime.buffer, graph.buffer]);
  }

  #headSize = [];

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

  #start(script) {
    const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    this.#worker = new Worker(url);
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => this.#fail(new Fault("This page stopped working ({reason}). Load it again.", { reason: event.message ?? "" }));
  }

  #hear({ id, result, fault, progress }) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (progress) return waiting.progress?.(progress);
    this.#waiting.delete(id);
    if (fault) waiting.reject(new Fault(fault.text, fault.fields));
    else waiting.resolve(result);
  }

  #ask(order, what = {}, transfer = [], progress = null, signal = null) {
    const id = ++this.#last;
    signal?.addEventListener("abort", () => this.#worker.postMessage({ order: "stop", what: id }));
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, progress });
      this.#worker.postMessage({ id, order, ...what }, transfer);
    });
  }
}

const DAMAGED = "A part of this page is damaged ({name}). Load it again; if that does not help, its files have to be copied once more.";

function decode(name, parts) {
  try {
    const texts = parts.map((part) => atob(part));
    const bytes = new Uint8Array(texts.reduce((sum, text) => sum + text.length, 0));
    let at = 0;
    for (const text of texts) for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    return bytes;
  } catch {
    throw new Fault(DAMAGED, { name });
  }
}

async function unpack(name, bytes) {
  try {
    return await unpackGzip(bytes);
  } catch {
    throw new Fault(DAMAGED, { name });
  }
}

function listPhotos(pictures) {
  const { header, arrays } = readPack(pictures);
  return header.names.map((name) => ({ name, bytes: arrays[name] }));
}
