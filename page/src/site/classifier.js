// Photos in, answers out, and what can be asked of an answer: fastclf/dashboard/classify/model.py here.

import { buildTable, describe, findLevel } from "./answers.js";
import { Fault } from "./fault.js";
import { encodeJpeg } from "./pictures.js";
import { buildReportZip } from "./report.js";

const MOST_ANSWERS = 300;
const [LARGE_SIDE, LARGE_QUALITY] = [1600, 0.9];

export class Classifier {
  // `opened` is a promise: the model can be asked
  constructor({ answering, opened, words, site }) {
    Object.assign(this, { answering, opened, words, site, answers: [], removed: [], number: 0, batch: 0, listeners: [] });
  }

  onChange(act) {
    this.listeners.push(act);
  }

  find(key) {
    return this.answers.find((answer) => answer.key === key);
  }

  #put(answers) {
    const old = this.answers;
    this.answers = answers;
    this.listeners.forEach((act) => act(old, answers));
  }

  // The number of a new upload, at least `least`; its cards stand together.
  beginBatch(least) {
    this.removed = [];
    this.batch = Math.max(this.batch + 1, least);
    return this.batch;
  }

  // Answers about one photo; a photo that cannot be read gets a card that says why.
  async add(photo, isWanted) {
    this.#findRoom();
    await this.opened;
    const { prediction, thumbnail } = await this.answering.answer(photo.blob, photo.name);
    this.#findRoom();
    if (isWanted()) this.#append({ ...photo, prediction, thumbnail: prediction.error ? null : thumbnail });
  }

  // An answer in words, of what is not kept.
  async look(blob) {
    await this.opened;
    const { prediction } = await this.answering.answer(blob, "");
    const { sure } = this.site;
    return { words: describe(this.words, prediction, sure), level: findLevel(prediction, sure) };
  }

  // The card of a photo that was not taken at all.
  refusePhoto(photo, error) {
    this.#findRoom();
    const nothing = { label: null, probability: null, probs: null, unfamiliar: null, ood_score: null, label_set: null, set_coverage: null };
    this.#append({ ...photo, prediction: { file: photo.name, ...nothing, error }, thumbnail: null });
  }

  #findRoom() {
    const n = MOST_ANSWERS;
    if (this.answers.length >= n) throw new Fault("{n} photos are as many as one session keeps. Clear some first.", { n });
  }

  #append(answer) {
    this.number += 1;
    this.#put([...this.answers, { ...answer, key: this.number }]);
  }

  clear() {
    this.removed = this.answers;
    this.#put([]);
  }

  remove(key) {
    this.removed = this.answers.filter((answer) => answer.key === key);
    this.#put(this.answers.filter((answer) => answer.key !== key));
  }

  restore() {
    const back = this.removed;
    this.removed = [];
    if (back.length) this.#put([...this.answers, ...back].sort((a, b) => a.key - b.key));
  }

  forget() {
    this.removed = [];
  }

  explain(answer, options) {
    return this.answering.explain(answer.blob, answer.prediction.label, options);
  }

  // Takes a visitor's word that an answer is wrong, and hands it back as a file; a photo is reported once.
  async report(answer, label) {
    if (answer.said) throw new Fault("You have said already what this photo shows.");
    const { label: given, probability } = answer.prediction;
    const parcel = await buildReportZip(answer.blob, { name: answer.name, answer: given, probability, label, model: this.site.featuresId });
    this.mark(answer, label);
    return { parcel, said: { text: "Your report is saved as a file. Send it to whoever gave you this page." } };
  }

  // An answer's card says from here on what a visitor says that the photo shows.
  mark(answer, label) {
    this.#put(this.answers.map((other) => (other.key === answer.key ? { ...other, said: { label } } : other)));
  }

  // Answers all photos again, after the model has changed.
  async renew() {
    for (const { key, blob, name } of this.answers) {
      const { prediction } = blob ? await this.answering.answer(blob, name) : {};
      if (prediction && this.find(key)) this.#put(this.answers.map((other) => (other.key === key ? { ...other, prediction } : other)));
    }
  }

  async readLarge(answer) {
    try {
      return await encodeJpeg(answer.blob, LARGE_SIDE, LARGE_QUALITY);
    } catch {
      return null; // a format that the browser cannot draw
    }
  }

  buildTable() {
    // as they were chosen: a small photo may be answered before a large one
    const chosen = [...this.answers].sort((a, b) => a.batch - b.batch || a.order - b.order);
    return buildTable(this.words, chosen);
  }
}

// The sentence of whatever went wrong; a fault of ours is in the browser's console.
export function sayFault(words, fault) {
  if (fault?.fields) return words.t(fault.message, fault.fields);
  console.error(fault);
  return words.t("Something went wrong here, not with your photos. Reload the page and try again.");
}
