// The Teach tab: the classes, what is under way, what was learned, and the project as a file.

import { make, makeButton, unbroken } from "dashboard:widgets/common.js";
import { Toast } from "dashboard:classify/toast.js";
import { Burst } from "./burst.js";
import { ClassCard } from "./class_card.js";
import { sayJudged } from "./judged.js";
import { listChosen, listDropped } from "./picks.js";

const SHOWN_FAULTS = 4;

export class TeachPanel {
  // `open(files)` and `save()` are what the project as a file needs; `lead(name)` shows a tab
  constructor({ project, lesson, words, pictures, root, archive, lead }) {
    Object.assign(this, { project, lesson, words, pictures, root, archive, lead, cards: new Map(), said: null });
    root.classList.add("fastclf-teach");
    // over all tabs
    this.toast = new Toast(root.parentElement);
    this.draw();
    project.onChange(() => this.plan());
    lesson.onChange(() => this.plan());
    archive.onChange(() => this.plan());
    project.store.onTrouble(() => this.plan());
    words.onChange(() => (this.toast.hide(), this.draw()));
    this.listen();
  }

  draw() {
    const { words } = this;
    this.bar = make("div", "fastclf-teach-bar");
    const field = make("label", "fastclf-field");
    this.title = Object.assign(make("input"), { type: "text", maxLength: 80, autocomplete: "off", dir: "auto", value: this.project.title });
    this.title.addEventListener("change", () => this.project.rename(this.title.value.trim()));
    field.append(make("span", "", words.t("Name of the project")), this.title);
    this.bar.append(field, this.drawTools());
    this.state = make("div", "fastclf-learned");
    this.progress = make("div", "fastclf-progress");
    this.progress.hidden = true;
    this.meter = make("progress", "", undefined, { "aria-label": words.t("Photos looked at") });
    this.counter = make("span", "fastclf-progress-count");
    this.cancel = makeButton("fastclf-button fastclf-small", words.t("Cancel"), () => this.stop());
    this.progress.append(this.meter, this.counter, this.cancel);
    this.note = make("p", "fastclf-drop-note", undefined, { role: "status" });
    this.alert = make("p", "fastclf-drop-note fastclf-error", undefined, { role: "alert" });
    this.list = make("div", "fastclf-classes");
    this.cards.forEach((card) => card.draw());
    this.root.replaceChildren(this.state, this.progress, this.note, this.alert, this.list, this.drawAdd(), this.bar);
    this.show();
  }

  drawTools() {
    const { words } = this;
    const row = make("div", "fastclf-row");
    const file = this.makeInput({ accept: ".zip,.tm" }, (files) => this.open(files));
    this.undo = makeButton("fastclf-button fastclf-small", words.t("Undo"), () => this.goBack());
    this.save = makeButton("fastclf-button fastclf-small", words.t("Save the project"), () => this.saveProject());
    this.clear = makeButton("fastclf-button fastclf-small", words.t("Start over"), () => this.startOver());
    this.page = makeButton("fastclf-button fastclf-small", words.t("Save as a page"), () => this.archive.savePage());
    this.page.title = words.t("One file that answers by itself, in any browser");
    row.append(this.undo, this.save, this.page, makeButton("fastclf-button fastclf-small", words.t("Open a project"), () => file.click()), this.clear, file);
    return row;
  }

  drawAdd() {
    const { words } = this;
    const row = make("div", "fastclf-row fastclf-teach-add");
    const folder = this.makeInput({ webkitdirectory: true }, (files) => this.addFolders(listChosen(files)));
    row.append(makeButton("fastclf-button fastclf-primary", words.t("Add a class"), () => this.addClass()));
    if (!matchMedia("(pointer: coarse)").matches) row.append(makeButton("fastclf-button", words.t("Add a folder of classes"), () => folder.click()));
    row.append(folder);
    return row;
  }

  makeInput(properties, act) {
    const input = Object.assign(make("input"), { type: "file", multiple: true, hidden: true, ...properties });
    input.addEventListener("change", () => {
      act([...input.files]);
      input.value = "";
    });
    return input;
  }

  // ---- what is shown

  // Many changes are drawn at once.
  plan() {
    if (this.planned) return;
    this.planned = true;
    setTimeout(() => {
      this.planned = false;
      this.show();
    }, 60);
  }

  show() {
    const { project, lesson } = this;
    this.showCards();
    this.showState();
    this.showProgress();
    this.undo.disabled = !project.canUndo;
    this.save.disabled = this.page.disabled = !lesson.taught && !lesson.learning;
    this.clear.disabled = !project.classes.length;
    if (document.activeElement !== this.title) this.title.value = project.title;
    this.alert.textContent = this.listFaults().join("\n");
  }

  showCards() {
    const wanted = new Set(this.project.classes.map(({ id }) => id));
    for (const [id, card] of this.cards) {
      if (wanted.has(id)) continue;
      card.root.remove();
      this.cards.delete(id);
    }
    this.project.classes.forEach(({ id }, i) => {
      const known = this.cards.get(id);
      const card = known ?? new ClassCard(this, id);
      this.cards.set(id, card);
      if (known) card.update();
      if (this.list.children[i] !== card.root) this.list.insertBefore(card.root, this.list.children[i] ?? null);
    });
    this.list.hidden = !wanted.size;
  }

  showState() {
    const { words, lesson } = this;
    const key = JSON.stringify([words.code, this.sayState()]);
    if (key === this.stateKey && this.state.childElementCount) return;
    this.stateKey = key;
    const [text, isDone] = this.sayState();
    const focused = [...this.state.querySelectorAll("button")].indexOf(document.activeElement);
    this.state.replaceChildren(make("p", "", unbroken(text), { role: "status" }));
    if (!isDone || !lesson.taught) return;
    const row = make("div", "fastclf-row");
    row.append(makeButton("fastclf-button fastclf-primary", words.t("Try it"), () => this.lead("classify")), makeButton("fastclf-button", words.t("Check it"), () => this.lead("check")));
    this.state.append(row);
    if (focused >= 0) row.children[focused]?.focus();
  }

  // [text, whether it stands on something learned]
  sayState() {
    const { words, lesson, project } = this;
    if (lesson.fault) return [words.t(lesson.fault.message, lesson.fault.fields ?? {}), false];
    if (!project.classes.length) return [words.t("Add a class for each thing that it is to tell apart, and show it photos of each: 20 of a class are a good start."), false];
    if (lesson.learning) return [words.t("Learning ..."), true];
    if (!lesson.taught) return [words.t("It needs photos of two classes at least."), false];
    const { photos, valid, judged } = lesson.taught;
    const held = valid.filter(Boolean).length;
    const fields = { n: photos.length - held, total: photos.length };
    const learned = held ? words.t("Learned from {n} of {total} photos; the others are kept back to test it.", fields) : words.t("Learned from {n} photos.", fields);
    return [`${learned} ${sayJudged(words, judged)} ${this.sayThin()}`.trim(), true];
  }

  // Classes of which little is known.
  sayThin() {
    const { words, project } = this;
    const empty = project.classes.filter(({ id }) => !project.list(id).length).map(({ name }) => name);
    return empty.length ? words.t("Without photos, and left out: {labels}.", { labels: empty.join(", ") }) : "";
  }

  showProgress() {
    const { words, lesson, archive } = this;
    const progress = archive.progress ?? lesson.progress;
    this.progress.hidden = !progress;
    this.cancel.hidden = Boolean(archive.progress);
    if (!progress) return;
    Object.assign(this.meter, { max: progress.total, value: progress.done });
    const fields = { n: Math.min(progress.done + 1, progress.total), total: progress.total };
    this.counter.textContent = words.t("Photo {n} of {total}", fields);
  }

  listFaults() {
    const { words, lesson, project, archive } = this;
    const troubles = {
      denied: words.t("This browser keeps nothing for this page: save the project before you close it."),
      "other tab": words.t("This page is open in another tab, too. What you do in this one is not kept: save the project, or close it and go on in the other one."),
      full: words.t("The browser has no more room for this page: the newest photos are gone when you close it. Save the project."),
    };
    const faults = lesson.faults.slice(0, SHOWN_FAULTS).map((fault) => words.translate(fault));
    const more = lesson.faults.length - faults.length;
    const rest = more > 0 ? [words.tn(more, "1 more photo could not be read.", "{n} more photos could not be read.")] : [];
    return [troubles[project.store.trouble], archive.fault && words.translate(archive.fault), this.said && words.translate(this.said), ...faults, ...rest].filter(Boolean);
  }

  // ---- what is done

  addClass() {
    const { words, project } = this;
    this.attempt(() => {
      project.begin({ text: "adding a class" });
      const { id } = project.addClass(words.t("Class {n}", { n: project.classes.length + 1 }));
      this.show();
      const { input, root } = this.cards.get(id);
      root.scrollIntoView({ block: "nearest" });
      input.focus();
      input.select();
    });
  }

  removeClass(id) {
    const { words, project } = this;
    const { name } = project.find(id);
    project.removeClass(id);
    this.show();
    this.offerBack(words.t("{label} is removed.", { label: name }));
    this.root.querySelector(".fastclf-teach-add button").focus();
  }

  offerBack(text) {
    this.toast.show(text, this.words.t("Undo"), () => this.goBack());
  }

  goBack() {
    if (!this.project.canUndo) return;
    this.lesson.cancel();
    this.toast.hide();
    this.note.textContent = this.words.t("Undone: {step}", { step: this.project.undo() });
  }

  addPhotos(label, files, group) {
    if (!files.length) return;
    this.said = null;
    this.project.begin({ text: "adding photos to {label}", fields: { label: this.project.find(label).name } });
    this.lesson.add(files.map((file) => ({ blob: file, label, group, name: file.name ?? "" })));
  }

  // The folder in which a photo lies is its class.
  addFolders(photos) {
    const named = photos.filter(({ folder }) => folder);
    if (!named.length) return this.warn({ text: "There are no photos in folders there." });
    this.attempt(() => {
      this.project.begin({ text: "adding a folder of classes" });
      this.lesson.add(named.map(({ file, folder }) => ({ blob: file, label: this.project.takeClass(folder).id, name: file.name })));
    });
  }

  openCamera(id, button) {
    const { words, project } = this;
    const host = {
      t: (...given) => words.t(...given),
      count: (n) => words.tn(n, "1 photo taken", "{n} photos taken"),
      root: this.root,
      warn: (text) => this.warn({ text }),
      take: (blob, group) => {
        if (group !== this.group) project.begin({ text: "adding photos to {label}", fields: { label: project.find(id)?.name ?? "" } });
        this.group = group;
        this.lesson.add([{ blob, label: id, group, name: "" }]);
      },
    };
    this.camera?.close();
    this.camera = new Burst(host, project.find(id).name);
    this.camera.open().then(() => this.camera.sheet?.addEventListener("close", () => button.focus()));
  }

  stop() {
    const left = this.lesson.progress ? this.lesson.progress.total - this.lesson.progress.done : 0;
    this.lesson.cancel();
    this.note.textContent = this.words.tn(left, "Cancelled; 1 photo was skipped.", "Cancelled; {n} photos were skipped.");
    this.choose();
  }

  choose() {
    this.root.querySelector(".fastclf-teach-add button").focus();
  }

  open(files) {
    this.said = null;
    this.archive.open(files);
  }

  async saveProject() {
    await this.archive.save();
  }

  startOver() {
    const { words } = this;
    const sheet = make("dialog", "fastclf-camera", undefined, { "aria-labelledby": "fastclf-over-title" });
    const row = make("div", "fastclf-row");
    const close = () => sheet.close();
    row.append(makeButton("fastclf-button fastclf-primary", words.t("Start over"), () => (close(), this.wipe())), makeButton("fastclf-button", words.t("Keep it"), close));
    sheet.append(make("h2", "", words.t("Start over?"), { id: "fastclf-over-title" }), make("p", "", words.t("All classes and photos of this project are removed from this browser. That cannot be undone; save the project first if you may want it again.")), row);
    sheet.addEventListener("close", () => sheet.remove());
    this.root.closest(".fastclf").append(sheet);
    sheet.showModal();
  }

  async wipe() {
    this.lesson.cancel();
    this.said = null;
    this.note.textContent = "";
    await this.project.clear();
    this.choose();
  }

  warn(message) {
    this.said = message;
    this.show();
    this.alert.scrollIntoView({ block: "nearest" });
  }

  attempt(act) {
    try {
      this.said = null;
      act();
    } catch (fault) {
      if (!fault?.fields) throw fault;
      this.warn({ text: fault.message, fields: fault.fields });
    }
  }

  // ---- dropped and pasted; in the Classify tab these are photos to try

  listen() {
    const isOurs = (event) => !document.querySelector(".fastclf-panel-classify")?.offsetParent && [...(event.dataTransfer?.types ?? [])].includes("Files");
    const on = (name, act) => addEventListener(name, act, true);
    on("dragover", (event) => {
      if (!isOurs(event)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      this.mark(event.target.closest?.(".fastclf-class"));
    });
    on("dragleave", (event) => event.relatedTarget || this.mark(null));
    on("drop", (event) => {
      if (!isOurs(event)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      this.mark(null);
      this.takeDropped(event.dataTransfer, event.target.closest?.(".fastclf-class")?.dataset.id);
    });
    addEventListener("paste", (event) => {
      const files = listChosen([...(event.clipboardData?.files ?? [])]).map(({ file }) => file);
      const id = document.activeElement?.closest(".fastclf-class")?.dataset.id;
      if (!files.length || !this.root.offsetParent) return;
      event.preventDefault();
      if (id) this.addPhotos(id, files);
      else this.warn({ text: "Choose a class first: go into its name, and paste again." });
    });
  }

  mark(card) {
    this.cards.forEach(({ root }) => root.classList.toggle("fastclf-is-over", root === card));
  }

  async takeDropped(data, label) {
    const { photos, archives } = await listDropped(data);
    this.lead("teach");
    if (archives.length) return this.open(archives);
    if (label) this.addPhotos(label, photos.map(({ file }) => file));
    else if (photos.some(({ folder }) => folder)) this.addFolders(photos);
    else this.warn(photos.length ? { text: "Drop photos onto the class that they belong to; a folder of folders can be dropped anywhere." } : { text: "There is no photo among what was dropped." });
  }
}
