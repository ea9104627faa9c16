// The row of tabs. Panels are other widgets' elements, found by their class; each is shown or hidden here.

class Tabs {
  constructor(model, el) {
    this.model = model;
    Object.assign(this, makeTranslator(model));
    this.el = el;
    this.row = make("div", "fastclf-tabs", undefined, { role: "tablist" });
    this.scrolled = {};
    el.append(this.row);
    this.draw();
    model.on("change:texts", () => this.draw());
    // what another part of the page leads to
    model.on("msg:custom", ({ type, name }) => type === "show" && this.lead(name));
    this.row.addEventListener("keydown", (event) => this.onKey(event));
    // panels are drawn in their own time
    this.watcher = new MutationObserver(() => this.show());
    requestAnimationFrame(() => {
      this.root = el.closest(".fastclf");
      if (this.root) this.watcher.observe(this.root, { childList: true, subtree: true });
      this.show();
      this.follow();
    });
    this.onHash = () => this.follow();
    addEventListener("hashchange", this.onHash);
  }

  close() {
    this.watcher.disconnect();
    removeEventListener("hashchange", this.onHash);
  }

  // the page's address names the tab, so that it can be sent and found again; a notebook's is not ours
  get isPage() {
    return Boolean(this.root?.closest(".fastclf-page"));
  }

  follow() {
    if (isEmbedded()) return;
    const name = location.hash.slice(1);
    if (this.isPage && this.model.get("names").includes(name) && name !== this.model.get("selected")) this.select(name);
  }

  lead(name) {
    this.select(name);
    this.buttons.find((button) => button.dataset.name === name)?.focus();
  }

  draw() {
    const words = { classify: this.t("Classify"), clean: this.t("Clean"), about: this.t("About"), teach: this.t("Teach"), check: this.t("Check") };
    this.row.setAttribute("aria-label", this.t("Parts of this page"));
    this.buttons = this.model.get("names").map((name) => {
      const button = makeButton("", words[name] || name, () => this.select(name));
      button.setAttribute("role", "tab");
      button.id = `fastclf-tab-${name}`;
      button.dataset.name = name;
      return button;
    });
    this.row.replaceChildren(...this.buttons);
    this.show();
  }

  select(name) {
    this.scrolled[this.model.get("selected")] = scrollY;
    this.model.set("selected", name);
    this.model.save_changes();
    this.show();
    if (!this.isPage) return;
    history.replaceState(history.state, "", `#${name}`);
    scrollTo({ top: this.scrolled[name] ?? Math.min(scrollY, this.el.getBoundingClientRect().top + scrollY), behavior: "instant" });
  }

  onKey(event) {
    const names = this.model.get("names");
    const here = names.indexOf(this.model.get("selected"));
    if (event.key === "ArrowDown") return this.enter(event, names[here]);
    const forward = getComputedStyle(this.row).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const steps = { ArrowLeft: -1, ArrowRight: -1, [forward]: 1 };
    const target = event.key === "Home" ? 0 : event.key === "End" ? names.length - 1 : (here + (steps[event.key] ?? 0) + names.length) % names.length;
    if (!(event.key in steps) && event.key !== "Home" && event.key !== "End") return;
    event.preventDefault();
    this.select(names[target]);
    this.buttons[target].focus();
  }

  // from the tabs into what they show: to its photos where it has some
  enter(event, name) {
    const panel = this.root?.querySelector(`.fastclf-panel-${name}`);
    const stops = ['.fastclf-grid-list [tabindex="0"]', "button, input, select, a[href], [tabindex=\"0\"]"];
    const found = stops.map((stop) => panel?.querySelector(stop)).find(Boolean);
    if (!found) return;
    event.preventDefault();
    found.focus();
  }

  show() {
    const selected = this.model.get("selected");
    for (const button of this.buttons) {
      const on = button.dataset.name === selected;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
      const panel = this.root?.querySelector(`.fastclf-panel-${button.dataset.name}`);
      if (!panel) continue;
      if (!panel.id) {
        panel.id = `fastclf-panel-${button.dataset.name}`;
        panel.setAttribute("role", "tabpanel");
        panel.setAttribute("aria-labelledby", button.id);
      }
      button.setAttribute("aria-controls", panel.id);
      if (panel.hidden !== !on) panel.hidden = !on;
    }
  }
}

export default showAs(Tabs);
