// Pictures of a project's photos, as addresses that images can show: as many as are looked at, the newest first to stay.

import { makeUrl } from "dashboard:widgets/common.js";

const MOST = 600;

export class Pictures {
  #urls = new Map(); // id -> a promise of an address, of "" where there is none

  constructor(store) {
    this.store = store;
  }

  get(id) {
    const found = this.#urls.get(id) ?? this.store.readPicture(id).then((jpeg) => (jpeg ? makeUrl(jpeg) : ""), () => "");
    this.#urls.delete(id);
    this.#urls.set(id, found);
    for (const [old, url] of this.#urls) {
      if (this.#urls.size <= MOST) break;
      this.#urls.delete(old);
      url.then((text) => text && URL.revokeObjectURL(text));
    }
    return found;
  }

  // an image that shows itself when it is there
  make(id, alt) {
    const image = Object.assign(document.createElement("img"), { alt, loading: "lazy", draggable: false });
    this.get(id).then((url) => url && (image.src = url));
    return image;
  }
}

// The side of the viewer that knows a list of photos: `list()` gives their ids.
export class Lens {
  constructor({ panel, list, id, back }) {
    Object.assign(this, { panel, list, shown: id, place: list().indexOf(id), back });
  }

  // After a photo has gone, the one that took its place is shown.
  get key() {
    const ids = this.list();
    if (!ids.includes(this.shown)) this.shown = ids[Math.min(this.place, ids.length - 1)] ?? null;
    this.place = ids.indexOf(this.shown);
    return this.shown;
  }

  step(n) {
    const ids = this.list();
    this.shown = ids[ids.indexOf(this.shown) + n] ?? this.shown;
    this.place = ids.indexOf(this.shown);
  }

  describe(id) {
    const { project, words } = this.panel;
    const ids = this.list();
    const photo = project.findPhoto(id);
    const { name } = project.find(photo.label);
    const others = project.classes.filter(({ id: other }) => other !== photo.label);
    const move = (other) => ({ text: words.t("Move to {label}", { label: other.name }), act: () => this.#do(() => project.move(id, other.id)) });
    const remove = { text: words.t("Remove"), act: () => this.#do(() => project.remove(id)) };
    const place = words.t("Photo {i} of {n}", { i: ids.indexOf(id) + 1, n: ids.length });
    return { title: photo.name || words.t("photo"), place, lines: [name], actions: [remove, ...others.slice(0, 12).map(move)], first: id === ids[0], last: id === ids.at(-1) };
  }

  #do(act) {
    act();
    this.viewer?.refresh();
  }

  picture() {
    return undefined;
  }

  large(id) {
    return this.panel.pictures.get(id).then((url) => url || undefined);
  }

  onKey() {
    return false;
  }

  onClose() {
    this.back?.();
  }
}
