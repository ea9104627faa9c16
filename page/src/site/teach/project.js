// The classes and photos that somebody teaches with, and what can be undone. Features and all decisions are in memory;
// `store` keeps them, and the pictures.

import { Fault } from "../fault.js";

const [MOST_NAME, MOST_CLASSES, MOST_UNDO] = [60, 100, 50];
export const MOST_PHOTOS = 10_000;

export class Project {
  title = "";
  network = ""; // whose features the photos have
  classes = []; // {id, name}, in their order
  #photos = new Map();
  #undo = [];
  #listeners = [];
  #number = 0;

  constructor(store) {
    this.store = store;
  }

  onChange(act) {
    this.#listeners.push(act);
  }

  #say() {
    this.#listeners.forEach((act) => act());
  }

  // What the store has kept; a photo whose class is not there is given back a class.
  restore({ project, photos }) {
    this.title = project?.title ?? "";
    this.network = project?.network ?? "";
    this.classes = [...(project?.classes ?? []), ...this.classes];
    for (const photo of [...photos].sort((a, b) => a.time - b.time)) {
      if (!this.find(photo.label)) this.classes.push({ id: photo.label, name: this.#findFreeName("?") });
      this.#photos.set(photo.id, photo);
    }
    this.#say();
  }

  get photos() {
    return [...this.#photos.values()].filter(({ removed }) => !removed);
  }

  list(label) {
    return this.photos.filter((photo) => photo.label === label);
  }

  find(id) {
    return this.classes.find((one) => one.id === id);
  }

  findPhoto(id) {
    const photo = this.#photos.get(id);
    return photo?.removed ? undefined : photo;
  }

  // ---- what is done; each step can be undone

  // From here on one step is remembered, under a message that says what it is.
  begin(words) {
    const marks = new Map([...this.#photos.values()].map(({ id, label, confirmed, removed }) => [id, { label, confirmed, removed }]));
    this.#undo.push({ words, title: this.title, classes: this.classes.map((one) => ({ ...one })), marks });
    if (this.#undo.length > MOST_UNDO) this.#undo.shift();
  }

  get canUndo() {
    return this.#undo.length > 0;
  }

  // Returns the message of what was undone.
  undo() {
    const { words, title, classes, marks } = this.#undo.pop();
    Object.assign(this, { title, classes });
    const changed = [];
    for (const photo of this.#photos.values()) {
      // what was not there yet goes
      const old = marks.get(photo.id) ?? { label: photo.label, confirmed: photo.confirmed, removed: true };
      if (Object.entries(old).some(([name, value]) => photo[name] !== value)) changed.push(Object.assign(photo, old));
    }
    this.store.putRecords(changed);
    this.#keep();
    return words;
  }

  // Whose features the photos have from here on.
  lookWith(network) {
    if (network === this.network) return;
    this.network = network;
    this.#keep();
  }

  rename(title) {
    this.title = [...title].slice(0, MOST_NAME).join("");
    this.#keep();
  }

  addClass(name) {
    if (this.classes.length >= MOST_CLASSES) throw new Fault("{n} classes are as many as a project can have.", { n: MOST_CLASSES });
    const made = { id: makeId(), name: this.#findFreeName(cutName(name)) };
    this.classes.push(made);
    this.#keep();
    return made;
  }

  // the class of this name, a new one where there is none
  takeClass(name) {
    const cut = cutName(name);
    return this.classes.find((one) => one.name === cut) ?? this.addClass(cut);
  }

  renameClass(id, name) {
    const cut = cutName(name);
    if (!cut) throw new Fault("A class needs a name.");
    if (this.classes.some((other) => other.id !== id && other.name === cut)) throw new Fault("There is a class called {label} already.", { label: cut });
    if (this.find(id).name === cut) return;
    this.begin({ text: "another name for a class" });
    this.find(id).name = cut;
    this.#keep();
  }

  removeClass(id) {
    const { name } = this.find(id);
    this.begin({ text: "removing the class {label}", fields: { label: name } });
    this.#mark(this.list(id), { removed: true });
    this.classes = this.classes.filter((one) => one.id !== id);
    this.#keep();
  }

  // Takes a photo in unless its class has it; returns whether it did.
  addPhoto({ label, group, name, sha256, features, jpeg }) {
    if (!this.find(label)) return false; // its class was removed meanwhile
    if (this.list(label).some((photo) => photo.sha256 === sha256)) return false;
    if (this.photos.length >= MOST_PHOTOS) throw new Fault("{n} photos are as many as a project can have.", { n: MOST_PHOTOS });
    this.#number = Math.max(this.#number + 1, Date.now());
    const record = { id: makeId(), time: this.#number, label, group, name, sha256, features, confirmed: false, removed: false };
    this.#photos.set(record.id, record);
    this.store.putPhoto(record, jpeg);
    this.#say();
    return true;
  }

  renewFeatures(id, features) {
    const photo = this.#photos.get(id);
    photo.features = features;
    this.store.putRecords([photo]);
  }

  move(id, label) {
    this.begin({ text: "moving a photo to {label}", fields: { label: this.find(label).name } });
    this.#mark([this.#photos.get(id)], { label, confirmed: true });
    this.#say();
  }

  remove(id) {
    this.begin({ text: "removing a photo" });
    this.#mark([this.#photos.get(id)], { removed: true });
    this.#say();
  }

  // Its label is right, whatever the others say.
  confirm(id) {
    this.begin({ text: "keeping a label" });
    this.#mark([this.#photos.get(id)], { confirmed: true });
    this.#say();
  }

  async clear() {
    this.#photos.clear();
    Object.assign(this, { title: "", classes: [] });
    this.#undo = [];
    await this.store.clear();
    this.#say();
  }

  #mark(photos, values) {
    photos.forEach((photo) => Object.assign(photo, values));
    this.store.putRecords(photos);
  }

  #keep() {
    this.store.putProject({ title: this.title, classes: this.classes, network: this.network });
    this.#say();
  }

  #findFreeName(name) {
    const taken = new Set(this.classes.map((one) => one.name));
    let free = name;
    for (let n = 2; taken.has(free); n++) free = `${[...name].slice(0, MOST_NAME - 5).join("")} ${n}`;
    return free;
  }
}

// A class's name: one line of what is seen, not too long.
export function cutName(name) {
  const line = String(name).replace(/(?![ \u200c\u200d])[\p{C}\p{Z}]/gu, " ").normalize("NFC").replace(/ +/g, " ").trim();
  return [...line].slice(0, MOST_NAME).join("").trim();
}

function makeId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36).padStart(2, "0")).join("");
}
