// The page on which classifiers are taught: title, the tabs Teach, Check and Classify, the foot, the viewer.

import { make } from "dashboard:widgets/common.js";
import { AnswerListWidget } from "../widgets/answer_list.js";
import { FrameWidget } from "../widgets/frame.js";
import { PhotoDropWidget } from "../widgets/photo_drop.js";
import { Widget } from "../widgets/widget.js";
import { CheckPanel } from "./check_panel.js";
import { Pictures } from "./photos.js";
import { TeachPanel } from "./teach_panel.js";

export class TeachPage {
  constructor({ site, words, classifier, components, loading, root, project, lesson, files }) {
    Object.assign(this, { site, words, classifier, components, root, project, lesson });
    this.head = make("div", "widget-html fastclf-head");
    const panels = { teach: make("div", "fastclf-panel-teach"), check: make("div", "fastclf-panel-check"), classify: make("div", "fastclf-classify fastclf-panel-classify") };
    const [strip, foot, viewer] = [make("div"), make("div"), make("div")];
    root.replaceChildren(this.head, strip, loading.root, panels.teach, panels.check, panels.classify, foot, viewer);
    const pictures = new Pictures(project.store);
    const common = { project, lesson, words, pictures };
    this.tabs = this.#follow(new Widget({ names: ["teach", "check", "classify"], selected: "teach" }));
    const lead = (name) => this.tabs.get("selected") === name || this.tabs.tell({ type: "show", name });
    const teach = new TeachPanel({ ...common, root: panels.teach, archive: files, lead });
    const check = new CheckPanel({ ...common, root: panels.check, teach, show: (...given) => this.#show(...given) });
    this.tabs.on("change:selected", () => this.tabs.get("selected") === "check" && check.start());
    this.#show("TabStrip", this.tabs, strip);
    this.#showClassify(panels.classify);
    this.#show("PhotoViewer", this.#follow(new Widget({})), viewer);
    words.onChange(() => this.#say());
    project.onChange(() => this.#say());
    lesson.onChange(() => this.#meet());
    this.#say();
    // it chooses the language, so that all others are there by then
    this.#show("PageFrame", new FrameWidget(site, words), foot);
  }

  #show(name, model, el) {
    return this.components[name].render({ model, el });
  }

  // A model whose component says its words again in another language.
  #follow(model) {
    model.set("texts", this.words.texts);
    this.words.onChange(() => model.set("texts", this.words.texts));
    return model;
  }

  #showClassify(panel) {
    const { classifier, words } = this;
    this.answers = new AnswerListWidget(classifier, words);
    words.onChange(() => this.answers.sayWords());
    this.answers.sayWords();
    this.note = make("p", "fastclf-note", undefined, { role: "status" });
    const [zone, list] = [make("div"), make("div")];
    panel.append(this.note, zone, list);
    this.#show("PhotoDrop", this.#follow(new PhotoDropWidget(classifier, words)), zone);
    this.#show("AnswerList", this.answers, list);
  }

  // Another classifier answers the photos that are there again.
  #meet() {
    const { lesson, classifier } = this;
    this.#sayNote();
    if (lesson.taught === this.met) return;
    this.met = lesson.taught;
    this.site.vocab = lesson.vocab;
    this.answers.sayWords();
    if (lesson.taught) classifier.renew().catch((fault) => console.warn(fault));
  }

  #sayNote() {
    const { words, lesson } = this;
    const text = lesson.learning ? words.t("Learning ...") : lesson.taught ? words.t("It tells apart: {labels}.", { labels: lesson.vocab.join(", ") }) : words.t("It has learned nothing yet: show it photos of two classes first.");
    if (this.note.textContent !== text) this.note.textContent = text;
  }

  #say() {
    const { words, project } = this;
    const title = project.title || words.t("Teach a photo classifier");
    const key = `${words.code} ${title}`;
    this.#sayNote();
    if (key === this.titled) return;
    this.titled = key;
    const header = make("header", "fastclf-head");
    const heading = make("h1");
    heading.append(make("bdi", "", title));
    header.append(heading, make("p", "", words.t("Name your classes, show some photos of each, and try what it has learned. All of it happens in this browser.")));
    this.head.replaceChildren(header);
    document.title = title;
  }
}
