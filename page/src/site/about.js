// The About tab: what was written of the model when the page was made, in every language, and the matrix of mix-ups.

import { Widget } from "./widgets/widget.js";

export class About {
  // `site` has the parts by language, and the files that they hand out
  constructor({ site, words, root, show }) {
    Object.assign(this, { site, words, root, show });
    root.classList.add("fastclf-about");
    words.onChange(() => this.started && this.#draw());
  }

  // Draws when it is first looked at.
  start() {
    if (this.started) return;
    this.started = true;
    this.#draw();
  }

  #draw() {
    const { above, below, table } = this.site.about[this.words.code];
    const matrix = document.createElement("div");
    matrix.className = "fastclf-confusion-host";
    this.stop?.();
    this.root.replaceChildren(...above.map((html) => this.#make(html)), ...(table ? [matrix] : []), ...below.map((html) => this.#make(html)));
    if (table) this.stop = this.show("ConfusionMatrix", new Widget({ table, opens: false, cleans: false, cell: {}, texts: this.words.texts }), matrix);
  }

  // The page's rules let no markup bring styles of its own, so that charts' colours are set from here.
  #make(html) {
    const part = Object.assign(document.createElement("div"), { className: "widget-html-content", innerHTML: html });
    part.querySelectorAll("[data-style]").forEach((node) => (node.style.cssText = node.dataset.style));
    part.querySelectorAll("[data-download]").forEach((node) => (node.href = this.site.downloads[node.dataset.download]));
    return part;
  }
}
