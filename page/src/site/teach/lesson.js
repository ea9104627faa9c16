// From photos that come in to a classifier: their features one after the other, then a head as soon as none waits.

import { Fault } from "../fault.js";
import { findTop } from "./linear.js";

const PAUSE = 300; // milliseconds in which another change may follow
const MOST_FAULTS = 20;

export class Lesson {
  taught = null; // what the last fit gave, for the photos and classes as they were then
  learning = null; // {done, total} while a head is fitted
  fault = null; // why nothing could be learned
  faults = []; // of photos
  #queue = [];
  #done = 0;
  #total = 0;
  #busy = false;
  #listeners = [];
  #round = 0;
  #seen = "";
  #settled = [];

  // `opened` is a promise: the network is there
  constructor({ project, teaching, opened }) {
    Object.assign(this, { project, teaching, opened });
    project.onChange(() => this.#look());
  }

  onChange(act) {
    this.#listeners.push(act);
  }

  #say() {
    this.#listeners.forEach((act) => act());
  }

  // {done, total} while photos are looked at, else null
  get progress() {
    return this.#total ? { done: this.#done, total: this.#total } : null;
  }

  get isBusy() {
    return this.#busy || Boolean(this.#queue.length);
  }

  // jobs: {blob, label, group, name, whole}
  add(jobs) {
    if (!this.isBusy) this.faults = [];
    this.#queue.push(...jobs);
    this.#total += jobs.length;
    this.#say();
    this.#work();
  }

  cancel() {
    this.#queue.length = 0;
    this.#total = 0;
    this.#done = 0;
    this.#say();
    this.#look();
  }

  // After another network was put into the page, the photos are looked at again.
  renew(photos) {
    photos.forEach((photo) => (photo.features = null));
    this.add(photos.map((photo) => ({ photo })));
  }

  async #work() {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await this.opened;
      while (this.#queue.length) {
        const job = this.#queue.shift();
        await this.#study(job);
        if (this.#total) this.#done += 1;
        this.#say();
      }
    } catch (fault) {
      this.fault = fault;
      this.#queue.length = 0;
    }
    this.#busy = false;
    this.#total = this.#done = 0;
    this.#say();
    this.#look();
  }

  async #study(job) {
    try {
      if (job.photo) return await this.#studyAgain(job.photo);
      const found = await this.teaching.study(job.blob, Boolean(job.whole));
      const group = job.group ?? `file ${found.sha256.slice(0, 16)}`;
      this.project.addPhoto({ ...found, label: job.label, group, name: job.name });
    } catch (fault) {
      if (!fault?.fields) throw fault;
      const reason = { text: fault.message, fields: fault.fields };
      const isClause = /^[a-z]/.test(fault.message);
      if (this.faults.length < MOST_FAULTS) this.faults.push(isClause ? { text: "{name} {reason}.", fields: { name: job.name ?? "", reason } } : reason);
    }
  }

  async #studyAgain({ id }) {
    const jpeg = await this.project.store.readPicture(id);
    if (!jpeg) return;
    const { features } = await this.teaching.study(new Blob([jpeg]), true);
    this.project.renewFeatures(id, features);
  }

  // ---- learning

  // Learns again where something has changed that matters, as soon as no photo waits.
  #look() {
    this.#say();
    clearTimeout(this.timer);
    if (this.isBusy) return;
    this.timer = setTimeout(() => this.#learn(), PAUSE);
  }

  #gather() {
    const { project } = this;
    const photos = project.photos.filter(({ features }) => features);
    const classes = project.classes.filter(({ id }) => photos.some(({ label }) => label === id));
    const places = new Map(classes.map(({ id }, k) => [id, k]));
    return { photos, classes, labels: photos.map(({ label }) => places.get(label)) };
  }

  async #learn() {
    const { photos, classes, labels } = this.#gather();
    const seen = JSON.stringify([classes.map(({ id }) => id), photos.map(({ id, label }) => [id, label])]);
    if (seen === this.#seen) return this.#rename(classes);
    const round = ++this.#round;
    this.#seen = seen;
    if (classes.length < 2) return this.#finish(null);
    try {
      this.learning = { done: 0, total: 1 };
      this.#say();
      await this.opened;
      const given = photos.map(({ features, group }, i) => ({ features, group, label: labels[i] }));
      const tell = (progress) => {
        if (round !== this.#round) return;
        this.learning = progress;
        this.#say();
      };
      const found = await this.teaching.fit(given, classes.length, tell);
      if (round !== this.#round) return;
      await this.teaching.use(found.head, classes.map(({ name }) => name));
      if (round === this.#round) this.#finish({ ...found, photos, classes: classes.map((one) => ({ ...one })), labels });
    } catch (fault) {
      if (round !== this.#round) return;
      this.fault = fault;
      this.#finish(null);
    }
  }

  // Other names change no figure.
  async #rename(classes) {
    const { taught } = this;
    if (taught && !this.learning && classes.some(({ name }, k) => name !== taught.classes[k].name)) {
      await this.teaching.use(taught.head, classes.map(({ name }) => name));
      this.taught = { ...taught, classes: classes.map((one) => ({ ...one })) };
    }
    this.#say();
    this.#release();
  }

  #finish(taught) {
    this.learning = null;
    this.taught = taught;
    this.#say();
    this.#release();
  }

  #release() {
    this.#settled.splice(0).forEach((act) => act());
  }

  // Ends when all that was given is learned.
  settle() {
    return new Promise((resolve) => {
      this.#settled.push(resolve);
      if (!this.isBusy && !this.learning) this.#look();
    });
  }

  // ---- what is asked of the result

  get vocab() {
    return this.taught?.classes.map(({ name }) => name) ?? [];
  }

  // counts[what a photo is labelled][what it was taken for]
  countMixUps() {
    const { classes, labels, probs } = this.taught;
    const counts = classes.map(() => classes.map(() => 0));
    probs.forEach((p, i) => p && (counts[labels[i]][findTop(p)] += 1));
    return counts;
  }

  // The photos that the others take for another class, the most doubtful first: {id, label, answer, share}
  listDoubts() {
    if (!this.taught) return [];
    const { photos, classes, labels, probs } = this.taught;
    return photos
      .map(({ id }, i) => ({ id, own: labels[i], probs: probs[i] }))
      .filter(({ id, own, probs }) => probs && findTop(probs) !== own && this.#isOpen(id, classes[own].id))
      .sort((a, b) => a.probs[a.own] - b.probs[b.own])
      .map(({ id, own, probs }) => ({ id, label: classes[own], answer: classes[findTop(probs)], share: probs[findTop(probs)] }));
  }

  #isOpen(id, label) {
    const photo = this.project.findPhoto(id);
    return photo && photo.label === label && !photo.confirmed;
  }

  // Why nothing is learned, as a Fault; null where it is.
  findObstacle() {
    if (this.taught) return null;
    const filled = this.project.classes.filter(({ id }) => this.project.list(id).length).length;
    return filled < 2 ? new Fault("It needs photos of two classes at least.") : null;
  }
}
