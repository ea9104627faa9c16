// The confusion matrix. Names are only ever set as text.

const FEW = 6;
const SOME = 12;

class Cell {
  // The photos behind one cell, in a sheet over the page.
  constructor(matrix) {
    this.matrix = matrix;
    this.urls = new Map();
    this.lacking = new Set();
    this.asked = new Set();
    this.listeners = new AbortController();
    onMended(() => this.askAgain(), this.listeners.signal);
    this.place = null;
    const { t } = matrix;
    const id = `${matrix.id}-title`;
    // JupyterLab's own single-key commands must not fire here
    this.sheet = make("dialog", "fastclf-cell", undefined, { "data-lm-suppress-shortcuts": true, "aria-labelledby": id });
    this.title = make("h3", "fastclf-cell-title", undefined, { id, tabindex: -1 });
    this.shut = makeButton("fastclf-cell-close", t("Close"), () => this.sheet.close());
    this.clean = makeButton("fastclf-cell-clean", t("Open in Clean"), () => this.cleanPhotos());
    const head = make("div", "fastclf-cell-head");
    head.append(this.title, this.clean, this.shut);
    this.note = make("p", "fastclf-cell-note", undefined, { role: "status" });
    this.list = make("ul", "fastclf-cell-photos");
    this.more = makeButton("fastclf-cell-more", "", () => this.showMore());
    this.sheet.append(head, this.note, this.list, this.more);
    this.sheet.addEventListener("close", () => this.onClose());
    this.sheet.addEventListener("click", (event) => event.target === this.sheet && this.sheet.close());
  }

  open(row, column) {
    this.place = [row, column];
    this.fill({ note: this.matrix.t("Looking for the photos ..."), busy: true, photos: [], more: 0 });
    this.sheet.showModal();
    this.title.focus();
    this.matrix.model.send({ type: "open", row, column });
  }

  // the Clean tab takes the focus, and the photos of this cell with it
  cleanPhotos() {
    this.matrix.model.send({ type: "clean" });
    this.place = null;
    this.matrix.model.send({ type: "close" });
    this.sheet.close();
  }

  onClose() {
    if (!this.place) return;
    const [row, column] = this.place;
    this.place = null;
    this.matrix.model.send({ type: "close" });
    // the browser brings the focus back itself; whoever moved on meanwhile is not called back
    const { activeElement } = document;
    if (!activeElement || activeElement === document.body || this.sheet.contains(activeElement)) this.matrix.focus(row, column);
  }

  update(state) {
    const [row, column] = this.place || [];
    if (this.place && state.row === row && state.column === column) this.fill(state);
  }

  fill(state) {
    const { t, tn } = this.matrix;
    this.state = state;
    this.shut.textContent = t("Close");
    this.clean.textContent = t("Open in Clean");
    this.clean.hidden = !this.matrix.model.get("cleans") || !state.photos.length;
    this.title.textContent = this.matrix.describe(...this.place);
    this.note.textContent = state.note;
    this.note.hidden = !state.note;
    this.note.classList.toggle("fastclf-is-bad", Boolean(state.bad));
    this.sheet.setAttribute("aria-busy", String(Boolean(state.busy)));
    this.list.replaceChildren(...state.photos.map((photo) => this.makePhoto(photo)));
    this.list.hidden = !state.photos.length;
    this.more.textContent = tn(state.more, "Show 1 more photo", "Show {n} more photos");
    this.more.hidden = !state.more;
    this.ask();
  }

  showMore() {
    // the button goes away with the last photos; the first new one takes the focus
    this.from = this.state.photos.length;
    this.matrix.model.send({ type: "more" });
  }

  makePhoto(photo) {
    const { t } = this.matrix;
    const item = make("li", "fastclf-cell-photo");
    const frame = make("div", "fastclf-cell-frame");
    const url = this.urls.get(photo.key);
    if (url) {
      const look = makeButton("fastclf-look", undefined, () => this.look(photo.key));
      look.title = t("Look closely");
      look.append(make("img", "", undefined, { src: url, alt: t("Photo {name}", { name: photo.name }) }));
      frame.append(look);
    } else if (this.lacking.has(photo.key)) {
      frame.append(make("span", "fastclf-cell-none", t("No picture")));
    }
    const said = make("p", "fastclf-cell-said", t("Model: {answer}", { answer: this.matrix.isolate(photo.said) }));
    const name = make("p", "fastclf-cell-name");
    name.append(makeName(photo.name));
    item.append(frame, said);
    if (photo.today) item.append(make("p", "fastclf-cell-today", photo.today));
    item.append(name);
    return item;
  }

  look(key) {
    openViewer(new Lens(this, key));
  }

  ask() {
    const keys = this.state.photos.map((photo) => photo.key).filter((key) => !this.urls.has(key) && !this.asked.has(key));
    if (!keys.length) return this.land();
    keys.forEach((key) => this.asked.add(key));
    this.matrix.model.send({ type: "need", keys });
  }

  askAgain() {
    const keys = [...this.asked].filter((key) => !this.urls.has(key) && !this.lacking.has(key));
    if (keys.length) this.matrix.model.send({ type: "need", keys });
  }

  take(message, buffers) {
    message.keys.forEach((key, i) => this.urls.set(key, makeUrl(buffers[i])));
    message.none.forEach((key) => this.lacking.add(key));
    if (this.place) this.fill(this.state);
  }

  land() {
    if (this.from === undefined || this.state.photos.length <= this.from) return;
    const first = this.list.children[this.from];
    this.from = undefined;
    first.tabIndex = -1;
    first.focus();
  }

  destroy() {
    this.place = null;
    this.listeners.abort();
    if (this.sheet.open) this.sheet.close();
    this.urls.forEach((url) => URL.revokeObjectURL(url));
  }
}

// A cell's side of the viewer.
class Lens {
  constructor(cell, key) {
    Object.assign(this, { cell, shown: key });
  }

  get photos() {
    return this.cell.state.photos.filter(({ key }) => this.cell.urls.has(key));
  }

  get key() {
    return this.photos.some(({ key }) => key === this.shown) ? this.shown : null;
  }

  get index() {
    return this.photos.findIndex(({ key }) => key === this.shown);
  }

  step(n) {
    this.shown = (this.photos[this.index + n] ?? this.photos[this.index]).key;
  }

  describe() {
    const { photos, index } = this;
    const { t } = this.cell.matrix;
    const { name, said, today } = photos[index];
    const place = t("Photo {i} of {n}", { i: index + 1, n: photos.length });
    return { title: name, place, lines: [this.cell.title.textContent, t("Model: {answer}", { answer: said }), today], actions: [], first: !index, last: index + 1 === photos.length };
  }

  picture(key) {
    return this.cell.urls.get(key);
  }

  large(key) {
    return this.cell.matrix.large.get(key);
  }

  onKey() {
    return false;
  }

  onClose() {
    this.cell.list.children[this.index]?.querySelector("button")?.focus();
  }
}

class Matrix {
  constructor(model, el) {
    this.model = model;
    this.id = `fastclf-matrix-${Math.random().toString(36).slice(2)}`;
    this.current = null;
    this.said = null;
    this.root = make("div", "fastclf-matrix", undefined, { "data-lm-suppress-shortcuts": true });
    this.frame = make("div", "fastclf-matrix-frame", undefined, { role: "region" });
    this.hint = make("p", "fastclf-matrix-hint", undefined, { id: `${this.id}-hint` });
    this.words = make("p", "fastclf-matrix-words", undefined, { role: "status" });
    this.root.append(this.frame, this.words, this.hint);
    el.append(this.root);
    Object.assign(this, makeTranslator(model));
    this.large = new LargePictures(model);
    this.sheet = new Cell(this);
    this.root.append(this.sheet.sheet);
    this.listen();
    this.draw();
  }

  listen() {
    this.stop = listenTo(this.model, {
      "change:table": () => this.draw(),
      "change:texts": () => this.draw(),
      "change:cell": () => this.sheet.update(this.model.get("cell")),
      "msg:custom": (message, buffers) => (message.type === "large" ? this.large : this.sheet).take(message, buffers),
    });
  }

  close() {
    this.stop();
    this.sheet.destroy();
    this.large.clear();
  }

  // keeps a name of another reading direction from turning the words around it
  isolate(name) {
    return getComputedStyle(this.root).direction === "rtl" ? `\u2068${name}\u2069` : name;
  }

  describe(row, column) {
    const { t, tn } = this;
    const { names, counts, totals } = this.model.get("table");
    const n = counts[row][column];
    const values = { label: this.isolate(names[row]), answer: this.isolate(names[column]), of: totals[row] };
    if (!totals[row]) return t("No photo of {label} was judged.", values);
    if (row === column && n) return tn(n, "1 of {of} photos of {label} was recognised.", "{n} of {of} photos of {label} were recognised.", values);
    if (row === column) return t("No photo of {label} was recognised.", values);
    if (!n) return t("No photo of {label} was called {answer}.", values);
    return tn(n, "1 of {of} photos of {label} was called {answer}.", "{n} of {of} photos of {label} were called {answer}.", values);
  }

  draw() {
    const { t } = this;
    const { names, counts, totals } = this.model.get("table");
    const inside = this.frame.contains(document.activeElement);
    const label = t("What the photos show, and what the model said");
    this.frame.setAttribute("aria-label", label);
    this.hint.textContent = t("Arrow keys go from number to number.");
    this.table = make("table", "fastclf-matrix-table", undefined, { role: "grid", "aria-label": label, "aria-describedby": this.hint.id });
    const digits = String(Math.max(...counts.flat())).length;
    this.table.dataset.size = names.length <= FEW ? "few" : names.length <= SOME && digits <= 3 ? "some" : "many";
    this.table.dataset.digits = digits;
    this.table.dataset.names = names.every((name) => name.length <= 3) ? "short" : "long";
    this.cells = counts.map((row, i) => row.map((n, j) => this.makeCell(i, j, n, totals[i])));
    const body = make("tbody");
    names.forEach((name, i) => body.append(this.makeRow(name, this.cells[i])));
    this.table.append(this.makeHead(names), body);
    this.table.addEventListener("keydown", (event) => this.onKey(event));
    this.frame.replaceChildren(this.table);
    // how far the names of the rows reach; it is measured when the table is in the page
    requestAnimationFrame(() => {
      const { offsetWidth } = this.table.querySelector("th");
      if (offsetWidth) this.table.style.setProperty("--corner", `${offsetWidth + 4}px`);
    });
    this.setCurrent(...(this.current ?? [0, 0]));
    if (inside) this.focus(...this.current);
    const invite = this.model.get("opens") ? t("Choose a number to see its photos.") : t("Choose a number to read what it means.");
    if (this.said) this.say(...this.said);
    else this.words.textContent = invite;
    this.words.classList.toggle("fastclf-is-chosen", Boolean(this.said));
    if (this.sheet.place) this.sheet.fill(this.sheet.state);
  }

  makeHead(names) {
    const { t } = this;
    const head = make("thead");
    const upper = make("tr");
    const corner = make("th", "fastclf-matrix-corner", t("Photo shows"), { scope: "col", rowspan: 2 });
    const over = make("th", "fastclf-matrix-over", undefined, { scope: "colgroup", colspan: names.length });
    // stays in sight while the columns scroll
    over.append(make("span", "", t("Model said")));
    upper.append(corner, over);
    const lower = make("tr");
    lower.append(...names.map((name) => this.makeNamed("fastclf-matrix-column", name, "col")));
    head.append(upper, lower);
    return head;
  }

  makeRow(name, cells) {
    const row = make("tr");
    row.append(this.makeNamed("fastclf-matrix-row", name, "row"), ...cells.map((button) => {
      const cell = make("td");
      cell.append(button);
      return cell;
    }));
    return row;
  }

  makeNamed(className, name, scope) {
    const head = make("th", className, undefined, { scope });
    head.append(makeName(name));
    return head;
  }

  makeCell(row, column, n, total) {
    const button = makeButton("fastclf-matrix-cell", n ? writeCount(n) : "·", () => this.choose(row, column));
    button.setAttribute("aria-label", this.describe(row, column));
    button.dataset.kind = !n ? "none" : row === column ? "right" : "wrong";
    button.style.setProperty("--share", `${total ? Math.round((100 * n) / total) : 0}%`);
    button.tabIndex = -1;
    button.addEventListener("focus", () => this.setCurrent(row, column));
    return button;
  }

  choose(row, column) {
    this.say(row, column);
    const { counts } = this.model.get("table");
    if (this.model.get("opens") && counts[row][column]) this.sheet.open(row, column);
  }

  say(row, column) {
    this.said = [row, column];
    this.words.classList.add("fastclf-is-chosen");
    this.words.textContent = this.describe(row, column);
    this.cells.flat().forEach((button) => button.classList.toggle("fastclf-is-chosen", button === this.cells[row][column]));
  }

  setCurrent(row, column) {
    // one stop for the tab key in the whole table
    const last = this.cells.length - 1;
    const [i, j] = [Math.min(row, last), Math.min(column, last)];
    this.cells.flat().forEach((button) => (button.tabIndex = -1));
    this.current = [i, j];
    this.cells[i][j].tabIndex = 0;
  }

  focus(row, column) {
    this.cells[row]?.[column]?.focus();
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [row, column] = this.current;
    const last = this.cells.length - 1;
    const on = getComputedStyle(this.table).direction === "rtl" ? -1 : 1;
    const to = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - on],
      ArrowRight: [row, column + on],
      Home: [row, 0],
      End: [row, last],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    this.focus(...to.map((k) => Math.min(Math.max(k, 0), last)));
  }
}

// A name keeps its own reading direction beside words of another.
function makeName(name) {
  return make("bdi", "", name, { dir: "auto" });
}

export default showAs(Matrix);
