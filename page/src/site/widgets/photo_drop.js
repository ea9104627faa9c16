// Takes photos from the drop zone, and tells it when each has its answer: photo_drop.py here.

import { sayFault } from "../classifier.js";
import { cleanText } from "../words.js";
import { Widget } from "./widget.js";

const [MB, MOST_PHOTOS, LONGEST_NAME, LARGEST_BATCH] = [2 ** 20, 100, 300, 2 ** 53];
const EXAMPLE_TYPE = "image/jpeg";

export class PhotoDropWidget extends Widget {
  constructor(classifier, words) {
    const { mostBytes: bytes } = classifier.site;
    // nothing travels, so that photos are taken as they are
    const limits = { photos: MOST_PHOTOS, bytes, sent: bytes, side: 1600, local: true };
    super({ limits, examples: 0, said: { text: "", bad: false } }, (message, buffers) => this.take(message, buffers));
    Object.assign(this, { classifier, words, mostBytes: bytes, pictures: [], batches: new Map(), cancelled: new Set() });
  }

  // What the model's data bring.
  showExamples(examples) {
    this.pictures = examples;
    this.set("examples", examples.length);
    this.tell({ type: "examples" }, examples.map(({ bytes }) => bytes));
  }

  take(message, buffers) {
    const { type } = message;
    if (type === "photo") this.#answer(message, { name: this.#readName(message), blob: new Blob([buffers[0]]) });
    else if (type === "large") this.#refuse(message);
    else if (type === "address") this.#takeAddress(message);
    else if (type === "live") this.#look(buffers[0]);
    else if (type === "example") this.#takeExample(message);
    else if (type === "cancel") this.cancelled.add(message.batch);
    else if (type === "settle") this.batches.delete(message.batch);
  }

  // What the camera sees now: an answer in words, and no card.
  async #look(bytes) {
    try {
      this.tell({ type: "live", ...(await this.classifier.look(new Blob([bytes]))) });
    } catch (fault) {
      this.tell({ type: "live", words: sayFault(this.words, fault), level: "failed", stop: true });
    }
  }

  #readName({ name }) {
    return cleanText(name, LONGEST_NAME) || this.words.t("photo");
  }

  async #answer(message, photo) {
    const { id, batch, said } = message;
    const whole = { said, ...photo, batch: this.#findBatch(batch), order: id };
    try {
      await this.classifier.add(whole, () => !this.cancelled.has(batch));
      this.#finish(message);
    } catch (fault) {
      this.#finish(message, sayFault(this.words, fault), true);
    }
  }

  #refuse(message) {
    const size = Math.max(Number(message.size) || 0, this.mostBytes + 1);
    const [name, order] = [this.#readName(message), message.id];
    const fields = { size: size / MB, most: this.mostBytes / MB };
    const reason = { text: "has {size:.1f} MB; at most {most:.0f} MB are read, so scale it down", fields };
    try {
      this.classifier.refusePhoto({ name, blob: null, batch: this.#findBatch(message.batch), order }, { text: "{name} {reason}.", fields: { name, reason } });
      this.#finish(message);
    } catch (fault) {
      this.#finish(message, sayFault(this.words, fault), true);
    }
  }

  // A picture may stand in its own address; no other one is fetched.
  #takeAddress(message) {
    const found = /^data:(image\/[\w.+-]+);base64,([\w+/=\s]+)$/i.exec(message.url ?? "");
    if (!found) return this.#finish(message, this.words.t("This page fetches nothing from the web, so that nobody learns what you look at. Save the photo and choose it here."));
    try {
      const bytes = Uint8Array.from(atob(found[2]), (c) => c.charCodeAt(0));
      if (bytes.length > this.mostBytes) this.#refuse({ ...message, size: bytes.length });
      else this.#answer(message, { name: this.words.t("photo"), blob: new Blob([bytes], { type: found[1] }) });
    } catch {
      this.#finish(message, this.words.t("That address did not work. Save the photo and choose it here."));
    }
  }

  async #takeExample(message) {
    const { index } = message;
    try {
      await this.classifier.opened; // after a reload a card may ask before the examples are there
    } catch (fault) {
      return this.#finish(message, sayFault(this.words, fault), true);
    }
    const example = this.pictures[index];
    if (!example) return this.#finish(message, this.words.t("This example photo is not there any more."));
    this.#answer(message, { name: example.name, blob: new Blob([example.bytes], { type: EXAMPLE_TYPE }), example: index + 1 });
  }

  #findBatch(batch) {
    // cards of one upload stand together, whichever order they come in
    const least = Number.isInteger(batch) && batch > 0 && batch < LARGEST_BATCH ? batch : 0;
    if (!this.batches.has(batch)) this.batches.set(batch, this.classifier.beginBatch(least));
    return this.batches.get(batch);
  }

  #finish({ id }, fault = "", stop = false) {
    this.tell({ type: "done", id, fault, stop });
  }
}
