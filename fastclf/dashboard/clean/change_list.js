// What will change: pictures, each with what it is and will be, and a cross to leave it out. Escape goes back.

class ChangeList {
  constructor(model, el) {
    this.model = model;
    Object.assign(this, makeTranslator(model));
    this.el = el;
    this.rows = new Map();
    this.urls = new Map();
    this.wanted = new Set();
    this.listeners = new AbortController();
    onMended(() => this.watchAgain(), this.listeners.signal);
    this.build();
    this.draw();
    this.stop = listenTo(model, {
      "change:rows": () => this.draw(),
      "change:summary": () => this.draw(),
      "change:texts": () => this.rebuild(),
      "msg:custom": (message, buffers) => this.takePictures(message, buffers),
    });
  }

  close() {
    this.stop();
    this.listeners.abort();
    this.watcher.disconnect();
    this.urls.forEach((url) => URL.revokeObjectURL(url));
    this.foot?.removeEventListener("keydown", this.onKey);
  }

  build() {
    const title = this.t("What will change");
    this.root = make("div", "fastclf-changes");
    this.summary = make("p", "", undefined, { role: "status" });
    this.list = make("ul", "fastclf-changes-list", undefined, { role: "list", "aria-label": title, tabindex: 0 });
    this.more = make("p");
    this.root.append(make("h3", "", title), this.summary, this.list, this.more);
    this.el.append(this.root);
    // pictures are asked for when they come into view
    this.watcher = new IntersectionObserver((seen) => this.onSeen(seen), { root: this.list, rootMargin: "200px" });
    this.onKey = (event) => event.key === "Escape" && (event.stopPropagation(), this.model.send({ type: "close" }));
    requestAnimationFrame(() => {
      this.foot = this.el.closest(".fastclf-clean-footer");
      this.foot?.addEventListener("keydown", this.onKey);
    });
  }

  rebuild() {
    this.watcher.disconnect();
    this.root.remove();
    this.rows.clear();
    this.foot?.removeEventListener("keydown", this.onKey);
    this.build();
    this.draw();
  }

  draw() {
    const rows = this.model.get("rows");
    this.summary.textContent = this.model.get("summary");
    this.more.textContent = this.model.get("more");
    this.more.hidden = !this.more.textContent;
    const here = [...this.list.children].findIndex((row) => row.contains(document.activeElement));
    const keys = new Set(rows.map((row) => row.key));
    for (const [key, row] of this.rows) if (!keys.has(key)) this.drop(key, row);
    rows.forEach((data, i) => {
      if (!this.rows.has(data.key)) this.rows.set(data.key, this.makeRow(data.key));
      this.fill(this.rows.get(data.key), data);
      const row = this.rows.get(data.key);
      if (this.list.children[i] !== row) this.list.insertBefore(row, this.list.children[i] || null);
    });
    // the cross that was pressed is gone: its place is taken by the next
    if (here >= 0 && !this.list.contains(document.activeElement)) this.list.children[Math.min(here, rows.length - 1)]?.querySelector("button").focus();
  }

  makeRow(key) {
    const row = make("li", "fastclf-change");
    row.dataset.key = key;
    row.append(make("img", "", undefined, { alt: "" }), make("p", "fastclf-change-words"), make("p", "fastclf-file", undefined, { dir: "auto" }));
    row.append(makeButton("fastclf-change-drop", "\u00d7", () => this.model.send({ type: "drop", key })));
    const ask = make("p", "fastclf-change-doubt");
    ask.append(make("span"), " ", makeButton("", this.t("Change it all the same"), () => this.model.send({ type: "confirm", key })));
    row.append(ask);
    this.watcher.observe(row);
    return row;
  }

  fill(row, { key, name, before, after, doubt }) {
    const [image, words, file, button, ask] = row.children;
    row.classList.toggle("fastclf-is-doubted", Boolean(doubt));
    ask.hidden = !doubt;
    ask.firstChild.textContent = doubt;
    ask.lastChild.setAttribute("aria-label", `${this.t("Change it all the same")} ${name}`);
    // an arrow is for the eye
    const seen = make("span", "", undefined, { "aria-hidden": true });
    seen.append(make("bdi", "", before), " ", make("span", "fastclf-arrow", "\u2192"), " ", make("b", "", after, { dir: "auto" }));
    words.replaceChildren(seen, make("span", "fastclf-quiet", this.t("from {before} to {after}", { before, after })));
    [file.textContent, file.title] = [name, name];
    const leave = this.t("Leave {name} as it is", { name });
    button.setAttribute("aria-label", leave);
    button.title = leave;
    const url = this.urls.get(key);
    if (url && image.src !== url) image.src = url;
  }

  // what is in view is told anew
  watchAgain() {
    this.watcher.disconnect();
    this.rows.forEach((row) => this.watcher.observe(row));
  }

  drop(key, row) {
    this.watcher.unobserve(row);
    row.remove();
    this.rows.delete(key);
  }

  onSeen(seen) {
    for (const { isIntersecting, target } of seen) {
      const key = Number(target.dataset.key);
      if (isIntersecting && !this.urls.has(key)) this.wanted.add(key);
    }
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.ask(), 50);
  }

  ask() {
    const keys = [...this.wanted].filter((key) => this.rows.has(key)).slice(0, 50);
    keys.forEach((key) => this.wanted.delete(key));
    if (keys.length) this.model.send({ type: "need", keys });
    if (this.wanted.size) this.asking = setTimeout(() => this.ask(), 50);
  }

  takePictures(message, buffers) {
    if (message.type !== "pictures") return;
    message.keys.forEach((key, i) => this.urls.has(key) || this.urls.set(key, makeUrl(buffers[i])));
    this.draw();
  }
}

export default showAs(ChangeList);
