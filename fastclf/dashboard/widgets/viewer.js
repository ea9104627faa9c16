// One photo large: a dialog over the page. The list that opened it says what is shown and what keys do.

const [CLOSEST, FURTHEST] = [16, 1];
const [STEP, PAN] = [1.4, 80];

class Viewer {
  constructor(model, el) {
    Object.assign(this, makeTranslator(model));
    this.el = el;
    this.build();
    this.stop = listenTo(model, { "change:texts": () => this.rebuild() });
    this.onView = (event) => this.take(event);
    document.addEventListener("fastclf-view", this.onView);
  }

  leave() {
    this.sheet.close();
  }

  close() {
    this.stop();
    document.removeEventListener("fastclf-view", this.onView);
    if (this.sheet.open) this.sheet.close();
  }

  // ---- parts

  build() {
    const { t } = this;
    this.sheet = make("dialog", "fastclf-viewer", undefined, { "aria-label": t("The photo, large") });
    this.sheet.dataset.lmSuppressShortcuts = "true";
    this.title = make("h2", "", undefined, { dir: "auto", tabindex: -1 });
    this.place = make("span", "fastclf-viewer-place", undefined, { role: "status" });
    const head = make("div", "fastclf-viewer-head");
    head.append(this.title, this.place, this.makeTools(), this.makeTool("×", t("Close"), () => this.sheet.close()));
    this.stage = make("div", "fastclf-viewer-stage");
    this.board = make("div", "fastclf-viewer-board");
    this.panes = [];
    this.before = this.makeTool("‹", t("Photo before"), () => this.go(-1), "fastclf-viewer-before");
    this.next = this.makeTool("›", t("Next photo"), () => this.go(1), "fastclf-viewer-next");
    this.stage.append(this.board, this.before, this.next);
    this.foot = make("div", "fastclf-viewer-foot");
    this.said = make("p", "fastclf-viewer-said", undefined, { role: "status" });
    this.sheet.append(head, this.stage, this.makeHeatTools(), this.said, this.foot);
    this.listen();
    this.el.append(this.sheet);
  }

  makeTool(sign, words, act, className = "") {
    const button = makeButton(`fastclf-viewer-tool ${className}`, sign, act);
    button.setAttribute("aria-label", words);
    button.title = words;
    return button;
  }

  makeTools() {
    const tools = make("div", "fastclf-viewer-tools", undefined, { role: "group", "aria-label": this.t("Size") });
    this.smaller = this.makeTool("−", this.t("Smaller"), () => this.zoom(1 / STEP));
    this.share = this.makeTool("100 %", this.t("Whole photo"), () => this.fit());
    this.larger = this.makeTool("+", this.t("Larger"), () => this.zoom(STEP));
    tools.append(this.smaller, this.share, this.larger);
    return tools;
  }

  makeHeatTools() {
    this.heatTools = make("div", "fastclf-viewer-heat-tools");
    const label = make("label");
    this.strength = make("input", "", undefined, { type: "range", min: 0, max: 100, value: 100 });
    this.strength.addEventListener("input", () => this.panes.forEach(({ heat }) => (heat.style.opacity = this.strength.value / 100)));
    label.append(make("span", "", this.t("Strength of the marks")), this.strength);
    this.heatWords = make("p");
    this.heatTools.append(this.heatWords, makeLegend(this.t("little"), this.t("much")), label);
    return this.heatTools;
  }

  rebuild() {
    const { open } = this.sheet;
    if (open) this.sheet.close();
    this.sheet.remove();
    this.build();
  }

  listen() {
    this.pointers = new Map();
    this.sheet.addEventListener("close", () => this.onClose());
    this.sheet.addEventListener("keydown", (event) => this.onKey(event));
    this.stage.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.stage.addEventListener("dblclick", (event) => event.target.closest("button") || this.toggle(event));
    this.stage.addEventListener("click", (event) => this.choose(event));
    this.stage.addEventListener("pointerdown", (event) => this.onDown(event));
    this.stage.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel"]) this.stage.addEventListener(name, (event) => this.onUp(event));
    new ResizeObserver(() => this.lay()).observe(this.stage);
  }

  // ---- what is shown

  take(event) {
    if (event.defaultPrevented) return; // another viewer of the page shows it
    event.preventDefault();
    this.host = event.detail;
    this.host.viewer = this;
    this.said.textContent = "";
    openSheet(this.sheet);
    this.title.focus();
    this.refresh();
  }

  refresh() {
    if (!this.sheet.open) return;
    const { key } = this.host;
    if (key === null || key === undefined) return this.sheet.close();
    const { title, place, lines, actions, first, last } = this.host.describe(key);
    this.title.textContent = title;
    this.place.textContent = place;
    this.before.hidden = Boolean(first);
    this.next.hidden = Boolean(last);
    this.drawFoot(lines, actions);
    this.drawPanes(key, title);
    this.drawHeat(key);
  }

  // what was done; who looks here does not see the page behind
  say(text, bad = false) {
    this.said.classList.toggle("fastclf-error", bad);
    this.said.textContent = text;
  }

  drawFoot(lines, actions) {
    const focused = [...this.foot.querySelectorAll("button")].indexOf(document.activeElement);
    const row = make("div", "fastclf-viewer-actions");
    for (const { text, key, act } of actions) {
      const button = makeButton("fastclf-button fastclf-small", undefined, act);
      if (key) button.append(make("kbd", "", key, { "aria-hidden": true }), " ");
      button.append(make("span", "", text));
      row.append(button);
    }
    this.foot.replaceChildren(...lines.filter(Boolean).map((line) => make("p", "", unbroken(line), { dir: "auto" })), row);
    if (focused >= 0) this.foot.querySelectorAll("button")[focused]?.focus();
  }

  drawPanes(key, title) {
    const keys = this.host.beside?.(key) ?? [key];
    if (keys.join() !== this.panes.map((pane) => pane.key).join()) this.show(keys);
    if (keys.length === 1) this.panes[0].image.alt = title;
    else this.panes.forEach((pane) => pane.describe(this.host.caption(pane.key), pane.key === key));
  }

  show(keys) {
    const inside = this.board.contains(document.activeElement);
    this.panes = keys.map((key, i) => new Pane(this, key, keys.length > 1 ? i + 1 : 0));
    this.board.replaceChildren(...this.panes.map((pane) => pane.root));
    this.board.dataset.panes = keys.length;
    this.fit();
    this.panes.forEach((pane) => pane.fill());
    if (inside) this.title.focus();
  }

  drawHeat(key) {
    const heat = this.host.heat?.(key);
    const [pane] = this.panes;
    pane.heat.hidden = this.heatTools.hidden = !heat;
    if (!heat) return;
    if (pane.heat.src !== heat.url) pane.heat.src = heat.url;
    pane.heat.style.opacity = this.strength.value / 100;
    this.heatWords.textContent = heat.words;
  }

  go(step) {
    this.host.step(step);
    this.refresh();
  }

  onClose() {
    const { host } = this;
    this.host = null;
    this.panes = [];
    this.board.replaceChildren();
    if (!host) return;
    host.viewer = null;
    host.onClose();
  }

  // ---- size and place: the photo fits the stage at 1, and is laid `x`, `y` beside its middle

  fit() {
    [this.scale, this.x, this.y] = [1, 0, 0];
    this.lay();
  }

  // a double tap leads from the whole photo to its own pixels, or near, and back
  toggle({ clientX, clientY }) {
    if (this.scale > 1) this.fit();
    else this.zoom(Math.max(2.5, 1 / (this.panes[0]?.fit || 1)), this.find(clientX, clientY));
  }

  // where that is, from the middle of the photo that lies there
  find(clientX, clientY) {
    const pane = this.panes.find((one) => one.contains(clientX, clientY)) ?? this.panes[0];
    const { left, top, width, height } = pane.frame.getBoundingClientRect();
    return [clientX - left - width / 2, clientY - top - height / 2];
  }

  // what lies under `at` stays there
  zoom(factor, at = [0, 0]) {
    const scale = Math.min(CLOSEST, Math.max(FURTHEST, this.scale * factor));
    const ratio = scale / this.scale;
    this.x = at[0] - (at[0] - this.x) * ratio;
    this.y = at[1] - (at[1] - this.y) * ratio;
    this.scale = scale;
    this.lay();
  }

  move(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.lay();
  }

  lay() {
    const rooms = this.panes.map((pane) => pane.measure(this.scale));
    // copies move together, so that the same place is seen in all of them
    this.x = clamp(this.x, Math.max(0, ...rooms.map(([most]) => most)));
    this.y = clamp(this.y, Math.max(0, ...rooms.map(([, most]) => most)));
    this.panes.forEach((pane) => pane.lay(this));
    this.share.textContent = `${Math.round(100 * this.scale)}\u00a0%`;
    this.smaller.disabled = this.scale <= FURTHEST;
    this.larger.disabled = this.scale >= CLOSEST;
    this.stage.classList.toggle("fastclf-is-close", this.scale > 1);
  }

  // ---- wheel, pointers, keys

  onWheel(event) {
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 400), this.find(event.clientX, event.clientY));
  }

  // of copies side by side the one that is clicked
  choose({ target, clientX, clientY }) {
    const pane = this.panes.find((one) => one.contains(clientX, clientY));
    if (this.panes.length < 2 || !pane || target.closest("button")) return;
    this.host.choose(pane.key);
    this.refresh();
  }

  onDown(event) {
    if (event.target.closest("button")) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.swept = 0;
  }

  onMove(event) {
    const known = this.pointers.get(event.pointerId);
    if (!known) return;
    const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const now = [event.clientX, event.clientY];
    this.pointers.set(event.pointerId, now);
    if (other) this.zoom(measure(other, now) / (measure(other, known) || 1), this.find((other[0] + now[0]) / 2, (other[1] + now[1]) / 2));
    else if (this.scale > 1) this.move(now[0] - known[0], now[1] - known[1]);
    else this.swept += now[0] - known[0];
  }

  // a sweep over a whole photo leads to its neighbour
  onUp(event) {
    if (!this.pointers.delete(event.pointerId) || this.pointers.size || event.pointerType === "mouse") return;
    if (Math.abs(this.swept) > 60 && this.scale === 1) this.go((this.swept < 0 ? 1 : -1) * this.forward());
    this.swept = 0;
  }

  forward() {
    return getComputedStyle(this.sheet).direction === "rtl" ? -1 : 1;
  }

  onKey(event) {
    event.stopPropagation();
    if (event.altKey || (event.target.closest("input") && event.key.startsWith("Arrow"))) return;
    const aside = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const along = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const act = {
      "+": () => this.zoom(STEP),
      "=": () => this.zoom(STEP),
      "-": () => this.zoom(1 / STEP),
    }[event.key];
    if (act && !event.ctrlKey && !event.metaKey) act();
    else if (aside && this.scale > 1) this.move(-PAN * aside, 0);
    else if (along && this.scale > 1) this.move(0, -PAN * along);
    else if (aside) this.go(aside * this.forward());
    else if (event.target.closest("button") && (event.key === " " || event.key === "Enter")) return;
    else if (!this.host?.onKey(event)) return;
    event.preventDefault();
    this.refresh();
  }
}

function measure([x, y], [u, v]) {
  return Math.hypot(x - u, y - v);
}

export default showAs(Viewer);
