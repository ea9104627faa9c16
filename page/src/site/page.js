// The whole page, as fastclf/dashboard/app.py puts it together: title, tabs, their panels, the foot, the viewer.

import { About } from "./about.js";
import { AnswerListWidget } from "./widgets/answer_list.js";
import { FrameWidget } from "./widgets/frame.js";
import { Widget } from "./widgets/widget.js";
import { PhotoDropWidget } from "./widgets/photo_drop.js";

const MOST_NAMED = 12;

function makeBox(className) {
  return Object.assign(document.createElement("div"), { className });
}

export class Page {
  // `components`: the dashboard's own, {name: {render}}; `loading` stands where the answers come, until the model is there
  constructor({ site, words, classifier, components, loading, root }) {
    Object.assign(this, { site, words, classifier, components, root });
    this.head = makeBox("widget-html fastclf-head");
    const panels = { classify: makeBox("fastclf-classify fastclf-panel-classify"), about: makeBox("fastclf-panel-about") };
    const [strip, foot, viewer] = [makeBox(""), makeBox(""), makeBox("")];
    root.replaceChildren(this.head, strip, panels.classify, panels.about, foot, viewer);
    this.#showTabs(strip, panels.about);
    this.#showClassify(panels.classify, loading);
    this.#show("PhotoViewer", this.#follow(new Widget({})), viewer);
    words.onChange(() => this.#sayHead());
    this.#sayHead();
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

  #showTabs(el, panel) {
    const { site, words } = this;
    const tabs = this.#follow(new Widget({ names: ["classify", "about"], selected: "classify" }));
    const about = new About({ site, words, root: panel, show: (...given) => this.#show(...given) });
    tabs.on("change:selected", () => tabs.get("selected") === "about" && about.start());
    this.#show("TabStrip", tabs, el);
  }

  #showClassify(panel, loading) {
    const { classifier, words } = this;
    this.drop = this.#follow(new PhotoDropWidget(classifier, words));
    const answers = new AnswerListWidget(classifier, words);
    words.onChange(() => answers.sayWords());
    answers.sayWords();
    const [zone, list] = [makeBox(""), makeBox("")];
    panel.append(zone, loading.root, list);
    this.#show("PhotoDrop", this.drop, zone);
    this.#show("AnswerList", answers, list);
  }

  showExamples(examples) {
    if (examples.length) this.drop.showExamples(examples);
  }

  #sayHead() {
    const { site, words } = this;
    const title = words.findMakerText("title") || site.title || words.t("Photo classifier");
    const intro = words.findMakerText("intro") || site.intro || this.#sayIntro();
    const header = Object.assign(document.createElement("header"), { className: "fastclf-head" });
    for (const [tag, text] of [["h1", title], ["p", intro]]) {
      const line = document.createElement(tag);
      line.append(Object.assign(document.createElement("bdi"), { textContent: text }));
      header.append(line);
    }
    this.head.replaceChildren(header);
    document.title = title;
  }

  #sayIntro() {
    const { words, site } = this;
    // a word joiner keeps "t-shirt" on one line
    const named = site.vocab.slice(0, MOST_NAMED).map((label) => words.nameClass(label).name.replaceAll("-", "-\u2060"));
    const labels = named.join(", ") + (site.vocab.length > MOST_NAMED ? " ..." : "");
    return words.t("Give it a photo and read what it shows. It tells apart: {labels}.", { labels });
  }
}
