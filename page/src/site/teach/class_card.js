// One class: its name, where its photos come in, and the newest of them.

import { make, makeButton, openViewer } from "dashboard:widgets/common.js";
import { listChosen } from "./picks.js";
import { Lens } from "./photos.js";

const [FEW, MORE] = [24, 120];

export class ClassCard {
  constructor(panel, id) {
    Object.assign(this, { panel, id, shown: FEW, thumbs: new Map(), project: panel.project });
    this.root = make("div", "fastclf-class", undefined, { role: "group" });
    this.root.dataset.id = id;
    this.draw();
  }

  get photos() {
    return this.project.list(this.id).reverse();
  }

  draw() {
    const { words } = this.panel;
    const field = make("label", "fastclf-field");
    this.input = Object.assign(make("input"), { type: "text", maxLength: 80, autocomplete: "off", spellcheck: false, dir: "auto" });
    this.input.addEventListener("change", () => this.rename());
    field.append(make("span", "", words.t("Name of the class")), this.input);
    this.drop = makeButton("fastclf-button fastclf-small fastclf-class-remove", "×", () => this.panel.removeClass(this.id));
    const head = make("div", "fastclf-class-head");
    head.append(field, this.drop);
    this.count = make("p", "fastclf-class-count");
    this.note = make("p", "fastclf-error", undefined, { role: "alert" });
    this.list = make("ul", "fastclf-thumbs");
    this.list.replaceChildren(...[...this.thumbs.values()]);
    this.more = makeButton("fastclf-button fastclf-small", "", () => this.showMore());
    this.root.replaceChildren(head, this.drawButtons(), this.note, this.count, this.list, this.more);
    this.relabel();
    this.update();
  }

  drawButtons() {
    const { panel } = this;
    const { words } = panel;
    const row = make("div", "fastclf-row");
    const [files, folder] = [this.makeInput({ accept: "image/*" }), this.makeInput({ webkitdirectory: true })];
    this.choose = makeButton("fastclf-button fastclf-small", words.t("Choose photos"), () => files.click());
    this.camera = makeButton("fastclf-button fastclf-small", words.t("Camera"), () => panel.openCamera(this.id, this.camera));
    row.append(this.choose, this.camera);
    // telephones have no folders to choose
    if (!matchMedia("(pointer: coarse)").matches) row.append(makeButton("fastclf-button fastclf-small", words.t("Choose a folder"), () => folder.click()));
    row.append(files, folder);
    return row;
  }

  makeInput(properties) {
    const input = Object.assign(make("input"), { type: "file", multiple: true, hidden: true, ...properties });
    input.addEventListener("change", () => {
      this.panel.addPhotos(this.id, listChosen([...input.files]).map(({ file }) => file));
      input.value = "";
    });
    return input;
  }

  rename() {
    this.note.textContent = "";
    try {
      this.project.renameClass(this.id, this.input.value);
    } catch (fault) {
      this.note.textContent = this.panel.words.t(fault.message, fault.fields);
      this.input.focus();
    }
  }

  showMore() {
    const before = this.shown;
    this.shown += MORE;
    this.update();
    this.list.children[before]?.querySelector("button").focus();
  }

  relabel() {
    const found = this.project.find(this.id);
    if (!found) return;
    const { words } = this.panel;
    this.root.setAttribute("aria-label", found.name);
    this.drop.title = words.t("Remove the class");
    this.drop.setAttribute("aria-label", words.t("Remove {name}", { name: found.name }));
    if (document.activeElement !== this.input) this.input.value = found.name;
  }

  update() {
    const { words } = this.panel;
    const { photos } = this;
    this.relabel();
    this.count.textContent = words.tn(photos.length, "1 photo", "{n} photos");
    const wanted = photos.slice(0, this.shown);
    const ids = new Set(wanted.map(({ id }) => id));
    for (const [id, item] of this.thumbs) {
      if (ids.has(id)) continue;
      item.remove();
      this.thumbs.delete(id);
    }
    wanted.forEach((photo, i) => {
      const item = this.thumbs.get(photo.id) ?? this.makeThumb(photo);
      if (this.list.children[i] !== item) this.list.insertBefore(item, this.list.children[i] ?? null);
    });
    const left = photos.length - wanted.length;
    this.list.hidden = !photos.length;
    this.more.hidden = !left;
    this.more.textContent = words.tn(left, "Show 1 more photo", "Show {n} more photos");
  }

  makeThumb({ id, name }) {
    const { words, pictures } = this.panel;
    const item = make("li");
    const look = makeButton("fastclf-thumb", undefined, () => this.look(id));
    look.append(pictures.make(id, name || words.t("photo")));
    item.append(look);
    this.thumbs.set(id, item);
    return item;
  }

  look(id) {
    const list = () => this.photos.map((photo) => photo.id);
    const back = () => (this.thumbs.get(id)?.querySelector("button") ?? this.input).focus();
    openViewer(new Lens({ panel: this.panel, list, id, back }));
  }
}
