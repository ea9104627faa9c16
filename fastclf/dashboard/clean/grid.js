// The photo grid. Names and labels are only ever set as text.

const MOST_PICTURES = 1000;
const LABEL_KEYS = "1234567890";
const PAGE_SIZES = [24, 48, 96];
// so many copies stand side by side
const MOST_BESIDE = 4;

function sayReason({ title, text }) {
  return `${title} ${text}`;
}

// One of several stands in a place that is as wide as the widest: marking a photo by pressing on it must not
// move what is pressed.
function makeStack(className, nodes) {
  const stack = make("span", `fastclf-stack ${className}`);
  stack.append(...nodes);
  return stack;
}

function makeSteady(className, texts, shown) {
  return makeStack(className, texts.map((text, i) => make("span", i === shown ? "" : "fastclf-is-unseen", text)));
}

class Pictures {
  // A thumbnail comes once and is kept as an object URL; the oldest go first.
  constructor() {
    this.urls = new Map();
  }
  has(key) {
    return this.urls.has(key);
  }
  add(key, bytes) {
    if (!this.has(key)) this.urls.set(key, makeUrl(bytes));
  }
  trim(keep) {
    for (const [key, url] of this.urls) {
      if (this.urls.size <= MOST_PICTURES) return;
      if (keep.has(key)) continue;
      URL.revokeObjectURL(url);
      this.urls.delete(key);
    }
  }
  clear() {
    this.urls.forEach((url) => URL.revokeObjectURL(url));
    this.urls.clear();
  }
}

class Tile {
  constructor(grid, key) {
    this.grid = grid;
    this.key = key;
    [this.t, this.tn] = [grid.t, grid.tn];
    this.item = make("li", "fastclf-tile-item");
    this.box = make("div", "fastclf-tile", undefined, { role: "group" });
    this.box.dataset.key = key;
    this.item.append(this.box);
    this.buildPicture();
    this.buildText();
    this.buildControls();
    this.box.addEventListener("mousedown", (event) => event.shiftKey && event.preventDefault());
    this.box.addEventListener("click", (event) => grid.onTileClick(event, this.key));
    // a viewer that closes gives the focus back to where it was opened, which may be left behind
    this.box.addEventListener("focusin", () => grid.lens || grid.mark(this.key));
  }

  buildPicture() {
    const frame = make("div", "fastclf-tile-frame");
    this.image = make("img", "fastclf-tile-image");
    this.image.draggable = false;
    frame.addEventListener("dblclick", (event) => event.target.closest("label, input") || this.grid.open(this.key));
    this.look = makeButton("fastclf-tile-look", "⤢", () => this.grid.open(this.key));
    this.noImage = make("p", "fastclf-tile-fault");
    const tick = make("label", "fastclf-tile-tick");
    this.check = make("input", "", undefined, { type: "checkbox" });
    this.check.addEventListener("click", (event) => event.shiftKey && this.grid.selectTo(this.key));
    this.check.addEventListener("change", () => this.grid.setSelected([this.key], this.check.checked));
    tick.append(this.check);
    this.outcome = make("div", "fastclf-tile-outcome");
    this.outcomeWords = make("span");
    this.like = makeButton("fastclf-tile-like", "", () => this.grid.showSimilar(this.key));
    this.outcome.append(this.outcomeWords, this.like);
    frame.append(this.image, this.noImage, tick, this.look, this.outcome);
    this.box.append(frame);
  }

  buildText() {
    const text = make("div", "fastclf-tile-text");
    this.label = make("p", "fastclf-tile-label");
    this.title = make("bdi");
    this.name = make("p", "fastclf-tile-name", undefined, { dir: "auto" });
    this.answer = make("p", "fastclf-tile-answer");
    // without a marker a list is none to some screen readers
    this.reasons = make("ul", "fastclf-tile-reasons", undefined, { role: "list" });
    text.append(this.label, this.answer, this.reasons, this.name);
    this.box.append(text);
  }

  buildControls() {
    const row = make("div", "fastclf-tile-controls");
    this.select = make("select");
    this.select.addEventListener("change", () => this.onSelect());
    this.remove = makeButton("", "", () => this.onRemove());
    this.skip = makeButton("", "", () => this.grid.act([this.key], this.tile.mark === "skip" ? "keep" : "skip"));
    row.append(this.select, this.remove, this.skip);
    this.box.append(row);
  }

  onSelect() {
    const value = this.select.value;
    if (value === "keep" || value === "remove") this.grid.act([this.key], value);
    else this.grid.act([this.key], "relabel", this.grid.vocab[Number(value)]);
  }

  onRemove() {
    const { mark, removed } = this.tile;
    const back = mark === "remove" || mark === "restore" ? "keep" : undefined;
    this.grid.act([this.key], back || (removed ? "restore" : "remove"));
  }

  update(tile, index, total) {
    this.tile = tile;
    const { name, label, words, removed, mark } = tile;
    this.box.classList.toggle("fastclf-is-removed", removed);
    this.box.dataset.mark = mark;
    const title = this.nameLabel(tile);
    this.like.hidden = !this.grid.model.get("finds_similar") || !["relabel", "remove"].includes(mark) || tile.outside;
    this.image.alt = `${title}: ${name}`;
    this.title.textContent = title;
    this.label.replaceChildren(this.title);
    if (tile.split) this.label.append(" ", make("span", "fastclf-tile-split", tile.split));
    this.name.textContent = name;
    this.name.title = name;
    this.answer.textContent = tile.answer;
    this.answer.hidden = !tile.answer;
    this.answer.classList.toggle("fastclf-differs", tile.differs);
    this.outcomeWords.textContent = words;
    this.outcome.hidden = !words;
    this.updateReasons(tile);
    this.updateControls(tile);
    this.showPicture();
    this.describe(index, total);
  }

  nameLabel({ label, removed, outside }) {
    if (outside) return this.t("Not in the set yet");
    const name = this.grid.nameClass(label);
    return removed ? this.t("{label} (removed)", { label: name }) : name;
  }

  updateReasons(tile) {
    const known = JSON.stringify(tile.reasons);
    if (known === this.known) return;
    this.known = known;
    const rows = tile.reasons.map((reason) => this.makeReason(reason));
    if (rows.length > 1) rows[0].lastChild.append(this.makeMore(tile.reasons.slice(1)));
    this.reasons.replaceChildren(...rows);
    this.reasons.hidden = !tile.reasons.length;
    this.setTabbable(this.tabbable);
  }

  makeReason(reason) {
    const row = make("li", "fastclf-reason");
    row.dataset.kind = reason.kind;
    const words = make("span", "fastclf-reason-words");
    words.append(make("b", "", reason.title), " ", make("span", "fastclf-reason-text", unbroken(reason.text)));
    if (reason.best) words.append(" ", make("span", "fastclf-reason-best", this.t("copy to keep")));
    // where it is cut off
    words.title = sayReason(reason);
    const acts = make("span", "fastclf-reason-acts");
    if (reason.suggested !== null) acts.append(this.makeSuggestion(reason.suggested));
    if (reason.size > 1) acts.append(makeButton("fastclf-reason-do", this.t("Compare {n}", { n: reason.size }), () => this.grid.compare(this.key, reason)));
    row.append(words, acts);
    return row;
  }

  makeSuggestion(suggested) {
    const label = this.grid.nameClass(suggested);
    const words = this.tile.outside ? this.t("Add to {label}", { label }) : this.t("Make it {label}", { label });
    return makeButton("fastclf-reason-do", words, () => this.grid.act([this.key], "relabel", suggested));
  }

  // a photo of the usual size has room for one reason; the others are in the viewer
  makeMore(reasons) {
    const n = reasons.length;
    const more = makeButton("fastclf-reason-do fastclf-reason-more", this.tn(n, "1 more reason", "{n} more reasons"), () => this.grid.open(this.key));
    more.title = reasons.map(sayReason).join("\n");
    return more;
  }

  updateControls(tile) {
    const { vocab } = this.grid;
    const { name, mark, removed, outside } = tile;
    this.fillSelect(vocab, outside);
    const chosen = vocab.indexOf(tile.choice);
    this.select.value = mark === "remove" ? "remove" : mark === "relabel" ? String(chosen) : "keep";
    this.select.disabled = removed;
    this.select.setAttribute("aria-label", outside ? this.t("Class for {name}", { name }) : this.t("Label of {name}", { name }));
    this.nameButton(this.remove, this.nameRemoval(tile));
    this.nameButton(this.like, this.t("More like this"));
    this.nameButton(this.skip, mark === "skip" ? this.t("Unskip") : this.t("Skip"));
    this.check.setAttribute("aria-label", this.t("Select {name}", { name }));
    this.look.setAttribute("aria-label", this.t("Look closely at {name}", { name }));
  }

  fillSelect(vocab, outside) {
    const known = JSON.stringify([vocab, outside]);
    if (this.labels === known) return;
    this.labels = known;
    const fastai = this.grid.model.get("fastai");
    const keep = outside ? this.t("Undecided") : fastai ? this.t("<Keep>") : this.t("Keep");
    const remove = outside ? this.t("Dismiss") : fastai ? this.t("<Delete>") : this.t("Remove");
    const names = [["keep", keep], ...vocab.map((label, i) => [String(i), this.grid.nameClass(label)]), ["remove", remove]];
    this.select.replaceChildren(...names.map(([value, text]) => new Option(text, value)));
  }

  nameRemoval({ mark, removed, outside }) {
    if (mark === "remove" || mark === "restore") return this.t("Keep");
    if (outside) return this.t("Dismiss");
    return removed ? this.t("Restore") : this.t("Remove");
  }

  // what is seen stands in front of what is only heard
  nameButton(button, words) {
    button.textContent = words;
    button.setAttribute("aria-label", `${words} ${this.tile.name}`);
  }

  showPicture() {
    const url = this.grid.pictures.urls.get(this.key);
    if (url && this.image.src !== url) this.image.src = url;
    this.image.hidden = !url;
    this.noImage.hidden = Boolean(url) || !this.tile.fault;
    this.noImage.textContent = this.tile.fault;
  }

  describe(index, total) {
    const { name, split, answer, reasons, words } = this.tile;
    const parts = [this.t("Photo {i} of {n}", { i: index, n: total }), name, this.nameLabel(this.tile)];
    if (split) parts.push(split);
    if (words) parts.push(words);
    if (this.grid.selected.has(this.key)) parts.push(this.t("selected"));
    if (answer) parts.push(answer);
    parts.push(...reasons.map(sayReason));
    this.box.setAttribute("aria-label", parts.join("; "));
    this.place = [index, total];
  }

  showSelected() {
    const on = this.grid.selected.has(this.key);
    this.check.checked = on;
    this.box.classList.toggle("fastclf-is-selected", on);
    this.describe(...this.place);
  }

  setMarked(on) {
    this.box.classList.toggle("fastclf-is-marked", on);
    if (on) this.box.setAttribute("aria-current", "true");
    else this.box.removeAttribute("aria-current");
  }

  setTabbable(on) {
    // one stop for the tab key in the whole grid; the controls of that tile come after it
    this.tabbable = on;
    this.box.tabIndex = on ? 0 : -1;
    this.box.querySelectorAll("button, select, input").forEach((node) => (node.tabIndex = on ? 0 : -1));
  }
}

class Grid {
  constructor(model, el) {
    this.model = model;
    Object.assign(this, makeTranslator(model));
    this.pictures = new Pictures();
    this.large = new LargePictures(model);
    this.tiles = new Map();
    this.selected = new Set();
    // what the keys and the bar act on while nothing is selected: always seen as such, or null
    this.marked = null;
    this.anchor = null;
    this.keys = [];
    // how often what will change was asked for
    this.asked = model.get("asked");
    this.el = el;
    this.build();
    this.listen();
    this.draw();
  }

  // in another language all of it is built anew; what is selected and in focus stays
  rebuild() {
    const inside = this.root.contains(document.activeElement);
    const open = this.help.open;
    this.root.remove();
    this.tiles.clear();
    this.knownBar = undefined;
    this.build();
    this.help.open = open;
    this.draw();
    if (inside && this.marked !== null) this.focus(this.marked);
  }

  // the key of each label: its place, or the label itself where all of them are digits
  get labelKeys() {
    const digits = this.vocab.every((label) => /^[0-9]$/.test(label));
    return digits ? this.vocab : Array.from(LABEL_KEYS).slice(0, this.vocab.length);
  }

  get vocab() {
    return this.model.get("vocab");
  }

  build() {
    const { t } = this;
    this.root = make("div", "fastclf-grid");
    // JupyterLab's own single-key commands must not fire here
    this.root.dataset.lmSuppressShortcuts = "true";
    this.live = make("p", "fastclf-grid-said", undefined, { role: "status", "aria-live": "polite" });
    this.bar = make("div", "fastclf-grid-bar", undefined, { role: "group", "aria-label": t("Label the selected photos") });
    this.list = make("ul", "fastclf-grid-list", undefined, { role: "list", "aria-label": t("Photos") });
    this.empty = make("p", "fastclf-grid-empty", undefined, { tabindex: -1 });
    const top = make("div", "fastclf-grid-top");
    top.append(this.bar, this.live);
    this.live.tabIndex = -1;
    this.tools = new Tools(this);
    this.pager = this.makePager();
    this.palette = new Palette(this);
    this.help = this.makeHelp();
    this.root.append(this.tools.row, top, this.list, this.empty, this.pager, this.help);
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    this.el.append(this.root);
  }

  makePager() {
    const nav = make("nav", "fastclf-grid-pager", undefined, { "aria-label": this.t("Pages") });
    this.before = makeButton("", this.t("‹ Previous page"), () => this.turn(-1));
    this.after = makeButton("", this.t("Next page ›"), () => this.turn(1));
    this.where = make("span");
    this.jump = make("input", "", undefined, { type: "number", min: 1, inputmode: "numeric", "aria-label": this.t("Go to page") });
    this.jump.addEventListener("change", () => this.jumpTo(Number(this.jump.value) - 1));
    nav.append(this.before, this.where, this.jump, this.after, this.tools.pageSize);
    return nav;
  }

  makeHelp() {
    const { t } = this;
    const help = make("details", "fastclf-grid-help");
    const rows = [
      [t("Arrow keys"), t("go from photo to photo; with Shift they select")],
      [t("1 to 9, 0"), t("give the marked photo, or all selected, the label that the line above names for that key, and go on to the next")],
      ["L", t("find a label by its first letters")],
      ["A", t("take the suggested label")],
      [t("Delete or X"), t("remove")],
      ["S", t("skip: it stays as it is and leaves the list")],
      [t("Enter or double click"), t("look at the photo closely; there the same keys decide, + and - zoom")],
      ["C", t("compare the copies of the photo side by side; there a number keeps that one and removes the others")],
      ...(this.model.get("finds_similar") ? [["M", t("more like this: the photos that look most like it")]] : []),
      ["Escape", t("back to the list")],
      [t("Space"), t("select; Ctrl+A selects the page, Escape nothing, Shift+click a range")],
      ["Ctrl+Z, Ctrl+Y", t("undo, do again")],
      [t("Ctrl+Enter"), t("show what will change, before it is applied")],
      [t("Page Up, Page Down"), t("turn the page")],
    ];
    const list = make("dl");
    rows.forEach(([key, does]) => list.append(make("dt", "", key), make("dd", "", does)));
    help.append(make("summary", "", t("Keys")), list);
    return help;
  }

  listen() {
    const draw = () => this.schedule();
    this.onLeave = (event) => this.model.get("unkept") && event.preventDefault();
    addEventListener("beforeunload", this.onLeave);
    this.listeners = new AbortController();
    onMended(draw, this.listeners.signal);
    this.stop = listenTo(this.model, {
      "change:tiles": draw,
      "change:place": draw,
      "change:vocab": draw,
      "change:texts": () => this.rebuild(),
      "change:names": () => this.rebuild(),
      "change:said": () => this.showSaid(),
      "change:pictures": () => {
        this.takePictures();
        this.schedule();
      },
      "msg:custom": (message, buffers) => this.onMessage(message, buffers),
    });
  }

  close() {
    this.stop();
    this.listeners.abort();
    removeEventListener("beforeunload", this.onLeave);
    this.pictures.clear();
    this.large.clear();
  }

  // pictures that were asked for: the page has let go of theirs, or never had them
  onMessage(message, buffers) {
    if (message.type === "settled") this.schedule(() => this.settle());
    if (message.type === "large") this.large.take(message, buffers);
    if (message.type !== "pictures") return;
    message.keys.forEach((key, i) => this.pictures.add(key, buffers[i]));
    this.tiles.forEach((tile) => tile.showPicture());
  }

  // after Apply: what was selected is done with, and the next photo is at hand
  settle() {
    this.setSelected([...this.selected], false, false);
    if (this.keys.length) this.focus(this.marked ?? this.keys[0]);
    else this.empty.focus();
  }

  send(message) {
    this.model.send(message);
  }

  askToApply(type) {
    this.asked = Math.max(this.asked, this.model.get("asked")) + 1;
    this.send({ type });
  }

  // what will change is shown, or is about to be
  get confirming() {
    return this.model.get("confirming") || this.asked > this.model.get("asked");
  }

  // ---- drawing

  // draws once for all that one message changes; `after` is done when that is drawn
  schedule(after) {
    if (after) this.afterDraw = after;
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      this.draw();
      this.afterDraw?.();
      this.afterDraw = undefined;
    });
  }

  // the trait holds only the newest ones, so each change is taken at once
  takePictures() {
    for (const [key, bytes] of Object.entries(this.model.get("pictures") || {})) this.pictures.add(Number(key), bytes);
  }

  draw() {
    const tiles = this.model.get("tiles");
    const place = this.model.get("place");
    const keys = tiles.map((tile) => tile.key);
    const known = this.shown?.list;
    const turned = this.shown && (this.shown.list !== place.list || this.shown.page !== place.page);
    if (this.shown && this.shown.list !== place.list) this.selected.clear();
    this.shown = place;
    this.takePictures();
    this.pictures.trim(new Set(keys));
    const inside = this.list.contains(document.activeElement);
    const oldIndex = this.keys.indexOf(this.marked);
    this.place(tiles, place);
    this.keys = keys;
    this.recover(turned, oldIndex, inside);
    this.drawBar();
    this.drawPager(place);
    if (turned) this.say(this.describeList(place, known));
    this.empty.textContent = place.empty;
    this.empty.hidden = keys.length > 0;
    this.askForPictures(tiles);
    if (this.comparing !== undefined && place.copies) this.openCopies();
    this.lens?.viewer?.refresh();
    this.follow(...place.lead);
  }

  describeList(place, known) {
    if (!place.total) return place.empty;
    return place.title && place.list !== known ? place.title : this.where.textContent;
  }

  // leads to a photo, once, when it can be seen
  follow(number, key, attempts = 100) {
    if (number <= (this.led ?? 0)) return;
    if (!this.root.offsetParent && attempts) return requestAnimationFrame(() => this.follow(number, key, attempts - 1));
    this.led = number;
    if (this.tiles.has(key)) this.focus(key);
    else if (this.keys.length) this.focus(this.marked ?? this.keys[0]);
    else this.empty.focus();
  }

  place(tiles, place) {
    const wanted = new Set(tiles.map((tile) => tile.key));
    for (const [key, tile] of this.tiles) {
      if (wanted.has(key)) continue;
      tile.item.remove();
      this.tiles.delete(key);
    }
    tiles.forEach((data, i) => {
      let tile = this.tiles.get(data.key);
      if (!tile) this.tiles.set(data.key, (tile = new Tile(this, data.key)));
      if (this.list.children[i] !== tile.item) this.list.insertBefore(tile.item, this.list.children[i] || null);
      tile.update(data, place.first + i, place.total);
      tile.showSelected();
    });
  }

  // A tile that left by a person's own doing hands the mark to the one that took its place. What else moves
  // or takes tiles away (a check that ends, a filter) leaves no photo marked that nobody has looked at.
  recover(turned, oldIndex, inside) {
    const own = this.acting || inside;
    this.acting = false;
    if (turned) this.anchor = null;
    const focused = this.keys.find((key) => this.tiles.get(key).box.contains(document.activeElement));
    if (focused !== undefined) this.marked = focused;
    else if (turned || !this.tiles.has(this.marked)) {
      const index = turned ? (this.landing ?? 0) : Math.min(oldIndex, this.keys.length - 1);
      this.marked = own && (turned || index >= 0) ? (this.keys.at(index) ?? null) : null;
    }
    this.landing = undefined;
    this.turning = false;
    this.showMarked();
    if (turned && this.list.getBoundingClientRect().top < 0) this.root.scrollIntoView({ block: "start" });
    if (!inside || this.list.contains(document.activeElement)) return;
    if (this.keys.length) this.focus(this.marked ?? this.keys[0]);
    else {
      this.empty.hidden = false;
      this.empty.focus();
    }
  }

  showMarked() {
    const stop = this.marked ?? this.keys[0];
    this.tiles.forEach((tile, key) => {
      tile.setMarked(key === this.marked);
      tile.setTabbable(key === stop);
    });
  }

  drawBar() {
    const n = this.selected.size;
    const none = !n && this.marked === null;
    const known = JSON.stringify([this.vocab, n, none]);
    if (known === this.knownBar) return;
    this.knownBar = known;
    const focused = this.bar.contains(document.activeElement) ? document.activeElement.dataset.does : null;
    const { t, tn } = this;
    const targets = [tn(n, "1 photo selected:", "{n} photos selected:"), t("No photo is marked:"), t("Marked photo:")];
    const target = makeSteady("fastclf-grid-target", targets, n ? 0 : none ? 1 : 2);
    const buttons = this.vocab.slice(0, LABEL_KEYS.length).map((label, i) => this.makeBarButton(this.labelKeys[i], this.nameClass(label), () => this.actOnTarget("relabel", label)));
    if (this.vocab.length > LABEL_KEYS.length) buttons.push(this.makeBarButton("L", t("Other label ..."), () => this.palette.open()));
    buttons.push(this.makeBarButton("X", t("Remove"), () => this.actOnTarget("remove")));
    buttons.push(this.makeBarButton("S", t("Skip"), () => this.actOnTarget("skip")));
    buttons.forEach((button) => (button.disabled = none));
    const selects = [["Esc", t("Select none"), () => this.selectNone()], ["Ctrl A", t("Select the page"), () => this.selectPage()]];
    buttons.push(...selects.map((one) => this.makeBarButton(...one)));
    // both are there, and one is seen
    buttons.at(n ? -1 : -2).classList.add("fastclf-is-unseen");
    this.bar.replaceChildren(target, ...buttons.slice(0, -2), makeStack("fastclf-grid-selects", buttons.slice(-2)));
    if (focused) [...this.bar.querySelectorAll("button")].find((node) => node.dataset.does === focused)?.focus();
  }

  makeBarButton(key, text, onClick) {
    const button = makeButton("", undefined, onClick);
    // the key is a hint for the eye; the button says the rest
    button.append(make("kbd", "", key, { "aria-hidden": true }), " ", make("span", "", text));
    button.dataset.does = text;
    return button;
  }

  drawPager(place) {
    this.before.disabled = place.page <= 0;
    this.after.disabled = place.page + 1 >= place.pages;
    [this.before, this.after, this.where, this.jump].forEach((part) => (part.hidden = place.pages < 2));
    this.pager.hidden = place.total <= PAGE_SIZES[0];
    this.jump.max = place.pages;
    if (document.activeElement !== this.jump) this.jump.value = place.page + 1;
    this.tools.draw(place);
    const last = place.first + this.keys.length - 1;
    const [page, first] = [place.page + 1, place.first];
    this.where.textContent = this.t("Page {page} of {pages}, photos {first} to {last} of {total}", { page, pages: place.pages, first, last, total: place.total });
  }

  askForPictures(tiles) {
    const missing = tiles.filter((tile) => !tile.fault && !this.pictures.has(tile.key)).map((tile) => tile.key);
    clearTimeout(this.asking);
    if (!missing.length) return;
    this.asking = setTimeout(() => this.send({ type: "need", keys: missing }), 150);
  }

  showSaid() {
    const said = this.model.get("said");
    this.say(said.text, said.bad);
    // undo and redo lead back to the photo that they moved
    if (said.keys?.length) this.schedule(() => this.lead(said.keys));
  }

  lead(keys) {
    const key = keys.find((each) => this.tiles.has(each));
    if (key === undefined) return;
    if (this.lens) this.mark(key);
    else if (this.root.contains(document.activeElement)) this.focus(key);
    this.lens?.viewer?.refresh();
  }

  say(text, bad = false) {
    this.lens?.viewer?.say(text, bad);
    this.live.setAttribute("role", bad ? "alert" : "status");
    this.live.classList.toggle("fastclf-error", bad);
    // emptied first, so that the same words are read out a second time
    this.live.textContent = "";
    setTimeout(() => (this.live.textContent = text), 30);
  }

  // ---- acting

  act(keys, action, label) {
    if (!keys.length) return;
    this.send({ type: "act", keys, action, ...(label === undefined ? {} : { label }) });
  }

  target() {
    return this.selected.size ? [...this.selected] : this.marked === null || this.turning ? [] : [this.marked];
  }

  // decides about what is selected, else about the marked photo, and goes on to the next
  actOnTarget(action, label) {
    const keys = this.target();
    if (!keys.length) return this.turning || this.say(this.t("No photo is marked. Choose one by a click or the arrow keys."));
    this.acting = true;
    this.act(keys, action, label);
    if (this.selected.size) this.setSelected([...this.selected], false, false);
    else this.advance();
  }

  // the marked photo large; there keys and buttons do what they do here
  open(key) {
    this.mark(key);
    this.lens = new Lens(this);
    openViewer(this.lens);
  }

  // the copies of a photo, large and side by side
  compare(key, { kind, group }) {
    this.comparing = key;
    if (this.shown.copies) this.openCopies();
    else this.send({ type: "group", kind, group, key });
  }

  openCopies() {
    const key = this.tiles.has(this.comparing) ? this.comparing : this.keys[0];
    this.comparing = undefined;
    this.open(key);
  }

  compareMarked() {
    const reason = this.tiles.get(this.marked)?.tile.reasons.find(({ size }) => size > 1);
    if (this.shown.copies) this.compare(this.marked, {});
    else if (reason) this.compare(this.marked, reason);
    else this.say(this.t("There is no copy of this photo."));
  }

  showSimilar(key) {
    if (key === null) return this.say(this.t("No photo is marked. Choose one by a click or the arrow keys."));
    this.acting = true;
    this.send({ type: "like", key });
  }

  advance() {
    const next = this.keys[this.keys.indexOf(this.marked) + 1];
    const inside = this.list.contains(document.activeElement);
    if (next === undefined) this.turn(1);
    else if (inside) this.focus(next);
    else this.mark(next);
  }

  takeSuggestion() {
    const found = this.target().filter((key) => this.suggestionOf(key));
    found.forEach((key) => this.act([key], "relabel", this.suggestionOf(key)));
    if (!found.length) this.say(this.t("No label is suggested here."));
    else if (!this.selected.size) this.advance();
  }

  suggestionOf(key) {
    return this.tiles.get(key)?.tile.reasons.find((reason) => reason.suggested !== null)?.suggested;
  }

  turn(step) {
    const page = this.shown.page + step;
    if (page < 0 || page >= this.shown.pages || this.turning) return;
    this.acting = this.turning = true;
    this.send({ type: "page", step });
  }

  jumpTo(page) {
    const to = Math.max(0, Math.min(Math.trunc(page) || 0, this.shown.pages - 1));
    this.jump.value = to + 1;
    if (to === this.shown.page || this.turning) return;
    this.acting = this.turning = true;
    this.send({ type: "page", to });
  }

  // ---- focus and selection

  mark(key) {
    if (key === this.marked) return;
    this.marked = key;
    this.showMarked();
    this.drawBar();
  }

  focus(key) {
    this.mark(key);
    this.tiles.get(key)?.box.focus();
  }

  setSelected(keys, on, aloud = true) {
    keys.forEach((key) => (on ? this.selected.add(key) : this.selected.delete(key)));
    if (keys.length === 1) this.anchor = keys[0];
    this.tiles.forEach((tile) => tile.showSelected());
    this.drawBar();
    const n = this.selected.size;
    if (aloud) this.say(n ? this.tn(n, "1 photo selected.", "{n} photos selected.") : this.t("Nothing is selected."));
  }

  selectTo(key) {
    const from = this.keys.indexOf(this.anchor ?? this.marked ?? key);
    const to = this.keys.indexOf(key);
    const anchor = this.keys[from];
    this.setSelected(this.keys.slice(Math.min(from, to), Math.max(from, to) + 1), true);
    this.anchor = anchor;
  }

  selectPage() {
    this.setSelected(this.keys, true);
  }

  selectNone(aloud = true) {
    if (this.selected.size) this.setSelected([...this.selected], false, aloud);
  }

  onTileClick(event, key) {
    if (event.target.closest("button, select, label, input")) return;
    if (event.shiftKey) this.selectTo(key);
    else if (event.ctrlKey || event.metaKey) this.setSelected([key], !this.selected.has(key));
    else this.anchor = key;
    this.focus(key);
  }

  columns() {
    const top = this.list.children[0]?.offsetTop;
    const other = [...this.list.children].findIndex((node) => node.offsetTop !== top);
    return other < 0 ? this.list.children.length : other;
  }

  onKey(event) {
    // a field that is written in keeps its keys, a list to choose from those without Ctrl
    if (event.target.closest("input:not([type=checkbox]), textarea")) return;
    const command = event.ctrlKey || event.metaKey;
    if (event.target.closest("select") && !command) return;
    if (event.target.closest("button, summary, input") && (event.key === " " || event.key === "Enter")) return;
    if (this.handle(event, command)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  handle(event, command) {
    const key = readKey(event);
    if (event.altKey) return false;
    if (command) return this.handleCommand(key, event.shiftKey);
    const ahead = getComputedStyle(this.root).direction === "rtl" ? -1 : 1;
    const step = { ArrowLeft: -ahead, ArrowRight: ahead, ArrowUp: -this.columns(), ArrowDown: this.columns() }[key];
    if (step) return this.move(step, event.shiftKey);
    if (key === "PageUp" || key === "PageDown") return this.turn(key === "PageUp" ? -1 : 1), true;
    if (key === "Home" || key === "End") return this.focus(this.keys.at(key === "Home" ? 0 : -1)), true;
    if (key === "Escape" && this.confirming) return this.send({ type: "close" }), true;
    if (key === "Escape" && this.selected.size) return this.selectNone(), true;
    if (key === "Escape" && this.shown.title) return this.send({ type: "back" }), true;
    return !event.repeat && this.handleDecision(key);
  }

  handleDecision(key) {
    const number = this.labelKeys.indexOf(key);
    if (number >= 0) return this.actOnTarget("relabel", this.vocab[number]), true;
    if (key === "Delete" || key === "x") return this.actOnTarget("remove"), true;
    if (key === "s") return this.actOnTarget("skip"), true;
    if (key === "a") return this.takeSuggestion(), true;
    if (key === "l") return this.palette.open(), true;
    if (key === "c") return this.compareMarked(), true;
    if (key === "m" && this.model.get("finds_similar")) return this.showSimilar(this.marked), true;
    if (key === "Enter" && this.marked !== null) return this.open(this.marked), true;
    if (key === " " && this.marked !== null) return this.setSelected([this.marked], !this.selected.has(this.marked)), true;
    return false;
  }

  handleCommand(key, shift) {
    const step = { z: shift ? "redo" : "undo", y: "redo" }[key];
    if (step) this.acting = true;
    if (step) return this.send({ type: step }), true;
    if (key === "a") return this.selectPage(), true;
    if (key === "Enter") return this.askToApply("apply"), true;
    return false;
  }

  move(step, shift) {
    const from = this.keys.indexOf(this.marked);
    const to = from < 0 ? 0 : from + step;
    if (to < 0 || to >= this.keys.length) return true;
    if (shift) {
      this.anchor ??= this.marked;
      this.selectTo(this.keys[to]);
    }
    this.focus(this.keys[to]);
    if (!shift) this.anchor = this.marked;
    return true;
  }
}

// The grid's side of the viewer: it shows the marked photo, and goes where the mark goes.
class Lens {
  constructor(grid) {
    this.grid = grid;
  }

  get key() {
    return this.grid.marked;
  }

  step(n) {
    const to = this.grid.keys.indexOf(this.grid.marked) + n;
    if (to >= 0 && to < this.grid.keys.length) this.grid.mark(this.grid.keys[to]);
    else {
      this.grid.landing = n < 0 ? -1 : 0;
      this.grid.turn(n);
    }
  }

  describe(key) {
    const { grid } = this;
    const { tile, place } = grid.tiles.get(key);
    const [index, total] = place;
    const reasons = tile.reasons.map(sayReason);
    // a caption says the rest
    const alone = this.beside(key).length < 2;
    return {
      title: tile.name,
      place: grid.t("Photo {i} of {n}", { i: index, n: total }),
      lines: alone ? [this.label(key), tile.words, tile.answer, ...reasons, tile.fault] : [[tile.answer, ...reasons].filter(Boolean).join(" · "), tile.fault],
      actions: this.listActions(key),
      first: index <= 1,
      last: index >= total,
    };
  }

  // of copies that stand side by side: what each is
  beside(key) {
    const { grid } = this;
    if (!grid.shown.copies || grid.keys.length < 2) return [key];
    const from = grid.keys.indexOf(key);
    const start = from - (from % MOST_BESIDE);
    return grid.keys.slice(start, start + MOST_BESIDE);
  }

  caption(key) {
    const { t } = this.grid;
    const { tile } = this.grid.tiles.get(key);
    const best = tile.reasons.some((reason) => reason.best) ? t("copy to keep") : "";
    const keep = [t("Keep this one"), t("Keep this one, remove the others")];
    return { label: this.label(key), note: tile.words || best, mark: tile.mark, name: tile.name, keep };
  }

  label(key) {
    const shown = this.grid.tiles.get(key);
    return [shown.nameLabel(shown.tile), shown.tile.split].filter(Boolean).join(" · ");
  }

  // beside copies of one label nobody gives another
  listLabels(beside) {
    const { grid } = this;
    if (beside.length > 1 && new Set(beside.map((key) => grid.tiles.get(key).tile.label)).size < 2) return [];
    return grid.vocab.slice(0, LABEL_KEYS.length).map((label, i) => [label, beside.length > 1 ? "" : grid.labelKeys[i]]);
  }

  choose(key) {
    this.grid.mark(key);
  }

  keep(key) {
    this.grid.mark(key);
    this.grid.send({ type: "copy", key });
  }

  listActions(key) {
    const { grid } = this;
    const { t } = grid;
    const act = (action, label) => () => (grid.selectNone(false), grid.actOnTarget(action, label));
    const label = grid.suggestionOf(key);
    const suggested = label ? [{ key: "A", text: t("Make it {label}", { label: grid.nameClass(label) }), act: act("relabel", label) }] : [];
    const labels = this.listLabels(this.beside(key)).map(([name, digit]) => ({ key: digit, text: grid.nameClass(name), act: act("relabel", name) }));
    const more = grid.model.get("finds_similar") ? [{ key: "M", text: t("More like this"), act: () => this.leaveFor(key) }] : [];
    return [...suggested, ...labels, { key: "X", text: t("Remove"), act: act("remove") }, { key: "S", text: t("Skip"), act: act("skip") }, ...more];
  }

  // photos like it are many: they are seen in the list
  leaveFor(key) {
    this.viewer.leave();
    this.grid.showSimilar(key);
  }

  picture(key) {
    return this.grid.pictures.urls.get(key);
  }

  large(key) {
    return this.grid.large.get(key);
  }

  onKey(event) {
    const { grid } = this;
    const command = event.ctrlKey || event.metaKey;
    const key = readKey(event);
    if (command) return ["z", "y"].includes(key) && grid.handleCommand(key, event.shiftKey);
    if (key === "PageUp" || key === "PageDown") return this.step(key === "PageUp" ? -1 : 1), true;
    if (event.repeat || ["l", "c", " ", "Enter"].includes(key)) return false;
    const beside = this.beside(grid.marked);
    if (beside.length > 1 && /^[0-9]$/.test(key)) return beside[key - 1] !== undefined && (this.keep(beside[key - 1]), true);
    grid.selectNone(false);
    if (key === "m" && grid.model.get("finds_similar")) return this.leaveFor(grid.marked), true;
    return grid.handleDecision(key);
  }

  onClose() {
    this.grid.lens = null;
    if (this.grid.marked !== null) this.grid.focus(this.grid.marked);
  }
}

// Above the photos: a search by name, how large they are, and what the model is sure of, all at once.
class Tools {
  constructor(grid) {
    this.grid = grid;
    const { t } = grid;
    this.row = make("div", "fastclf-grid-tools", undefined, { role: "group", "aria-label": t("The list") });
    this.find = make("input", "fastclf-grid-find", undefined, { type: "search", placeholder: t("Find by name"), "aria-label": t("Find by name"), autocomplete: "off", spellcheck: "false", maxlength: 200 });
    this.find.addEventListener("input", () => this.onFind(250));
    this.find.addEventListener("change", () => this.onFind(0));
    this.size = this.makeSelect(t("Size of the photos"), [["small", t("Small")], ["medium", t("Medium")], ["large", t("Large")]], () => this.setSize(this.size.value));
    this.pageSize = this.makeSelect(t("Photos on a page"), PAGE_SIZES.map((n) => [String(n), t("{n} a page", { n })]), () => this.setPageSize());
    this.sure = makeButton("fastclf-grid-sure", "", () => grid.askToApply("sure"));
    this.row.append(...(grid.model.get("fastai") ? [] : [this.find]), this.size, this.sure);
    this.setSize(recall("fastclf-tile-size") || "medium");
    this.wanted = Number(recall("fastclf-page-size"));
  }

  makeSelect(name, options, act) {
    const select = make("select", "", undefined, { "aria-label": name, title: name });
    select.append(...options.map(([value, text]) => new Option(text, value)));
    select.addEventListener("change", act);
    return select;
  }

  onFind(wait) {
    clearTimeout(this.finding);
    this.finding = setTimeout(() => this.find.value !== this.grid.shown.part && this.grid.send({ type: "find", part: this.find.value }), wait);
  }

  setSize(size) {
    this.size.value = size;
    if (!this.size.value) this.size.value = "medium";
    this.grid.root.dataset.size = this.size.value;
    keepChoice("fastclf-tile-size", this.size.value);
  }

  setPageSize() {
    keepChoice("fastclf-page-size", this.pageSize.value);
    this.grid.send({ type: "size", n: Number(this.pageSize.value) });
  }

  draw({ size, sure, part }) {
    if (document.activeElement !== this.find) this.find.value = part;
    // what this browser chose before is asked for once
    const { wanted } = this;
    this.wanted = 0;
    if (PAGE_SIZES.includes(wanted) && wanted !== size && !this.grid.model.get("fastai")) this.grid.send({ type: "size", n: wanted });
    this.pageSize.value = String(size);
    this.pageSize.hidden = !PAGE_SIZES.includes(size);
    this.sure.hidden = !sure;
    this.sure.textContent = this.grid.tn(sure, "Accept 1 suggestion over 95 % ...", "Accept {n} suggestions over 95 % ...");
  }
}

// A choice of this browser; one that keeps nothing has none.
function recall(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function keepChoice(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // it is asked again the next time
  }
}

// A key by what it writes; where that is no Latin letter or digit, by its place on the keyboard.
function readKey({ key, code, shiftKey }) {
  if (key.length > 1 || /^[a-z0-9 ]$/i.test(key)) return key.toLowerCase().length === 1 ? key.toLowerCase() : key;
  const [, letter, digit] = /^Key([A-Z])$|^(?:Digit|Numpad)([0-9])$/.exec(code) || [];
  return letter ? letter.toLowerCase() : digit && !shiftKey ? digit : key;
}

// A field and the labels that begin, or else contain, what is written in it.
class Palette {
  constructor(grid) {
    this.grid = grid;
    this.box = make("div", "fastclf-palette", undefined, { role: "dialog", "aria-label": grid.t("Find a label") });
    this.field = make("input", "", undefined, {
      type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "fastclf-palette-labels", "aria-label": grid.t("Label"), autocomplete: "off", spellcheck: "false",
    });
    this.list = make("ul", "", undefined, { role: "listbox", id: "fastclf-palette-labels", "aria-label": grid.t("Labels") });
    this.field.addEventListener("input", () => this.draw());
    this.field.addEventListener("keydown", (event) => this.onKey(event));
    this.box.addEventListener("focusout", (event) => this.box.contains(event.relatedTarget) || this.close(false));
    this.box.append(this.field, this.list);
    this.box.hidden = true;
    grid.bar.after(this.box);
  }

  open() {
    if (!this.grid.target().length) return this.grid.actOnTarget();
    this.field.value = "";
    this.before = document.activeElement;
    this.box.hidden = false;
    this.draw();
    this.field.focus();
  }

  close(back = true) {
    this.box.hidden = true;
    if (back) this.before?.focus();
  }

  draw() {
    const wanted = this.field.value.trim().toLowerCase();
    // by the page's name of a class, and by the model's own
    const fits = (does) => this.grid.vocab.filter((label) => [this.grid.nameClass(label), label].some((name) => does(name.toLowerCase())));
    const starts = fits((name) => name.startsWith(wanted));
    const holds = fits((name) => name.includes(wanted)).filter((label) => !starts.includes(label));
    this.found = [...starts, ...holds];
    this.list.replaceChildren(...this.found.map((label, i) => this.makeOption(label, i)));
    this.choose(0);
  }

  makeOption(label, i) {
    const option = make("li", "", this.grid.nameClass(label), { role: "option", id: `fastclf-palette-${i}`, dir: "auto" });
    option.addEventListener("pointerdown", (event) => (event.preventDefault(), this.take(i)));
    return option;
  }

  choose(index) {
    this.index = Math.max(0, Math.min(index, this.found.length - 1));
    [...this.list.children].forEach((node, i) => node.setAttribute("aria-selected", String(i === this.index)));
    const chosen = this.list.children[this.index];
    chosen?.scrollIntoView({ block: "nearest" });
    if (chosen) this.field.setAttribute("aria-activedescendant", chosen.id);
    else this.field.removeAttribute("aria-activedescendant");
  }

  take(index) {
    const label = this.found[index];
    if (label === undefined) return;
    this.close();
    this.grid.actOnTarget("relabel", label);
  }

  onKey(event) {
    const act = {
      Enter: () => this.take(this.index),
      Escape: () => this.close(),
      ArrowDown: () => this.choose(this.index + 1),
      ArrowUp: () => this.choose(this.index - 1),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}

export default showAs(Grid);
