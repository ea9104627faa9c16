// Tells the kernel the browser's language, and the page its language, direction and colour.

const RIGHT_TO_LEFT = ["ar"];
const KEPT = "fastclf-language";

function read() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // a page without storage
  }
}

function chooseLanguage(known) {
  for (const wish of [read(), ...(navigator.languages || [navigator.language])]) {
    const found = known.find((code) => wish?.toLowerCase().split("-")[0] === code);
    if (found) return found;
  }
  return "en";
}

// In a notebook, X would cut the cell: keys pressed here are no commands of Jupyter, which looks at what has the focus.
function keepKeys({ target }) {
  target.dataset.lmSuppressShortcuts = "true";
}

class Frame {
  constructor(model, el) {
    Object.assign(this, { model, el }, makeTranslator(model));
    this.languages = model.get("languages");
    this.known = Object.keys(this.languages);
    model.on("change:spoken", () => this.show());
    model.on("change:texts", () => this.drawFoot());
    this.drawFoot();
    // the element is put into the page after this
    requestAnimationFrame(() => {
      this.show();
      this.el.closest(".fastclf")?.addEventListener("focusin", keepKeys);
    });
    this.onLanguage = () => this.ask(chooseLanguage(this.known));
    document.addEventListener("fastclf-language", this.onLanguage);
    this.onLanguage();
  }

  close() {
    document.removeEventListener("fastclf-language", this.onLanguage);
  }

  ask(code) {
    this.model.set("wanted", code);
    this.model.save_changes();
  }

  show() {
    const code = this.model.get("spoken");
    const root = this.el.closest(".fastclf");
    if (!root) return;
    const whole = root.closest(".fastclf-page") && document.documentElement;
    for (const node of [root, whole].filter(Boolean)) {
      node.lang = code;
      node.dir = RIGHT_TO_LEFT.includes(code) ? "rtl" : "ltr";
    }
    for (const [scheme, colour] of Object.entries(this.model.get("accents"))) {
      root.style.setProperty(`--accent-${scheme}`, colour);
    }
    if (this.select) this.select.value = code;
    if (code === this.model.get("wanted")) document.dispatchEvent(new CustomEvent("fastclf-ready", { detail: code }));
  }

  drawFoot() {
    if (!this.model.get("foot")) {
      this.el.hidden = true;
      return;
    }
    const foot = make("footer", "fastclf-foot");
    const local = this.model.get("local"); // a page without a server
    const kept = this.t("Your photos stay in this session's memory and in this tab of your browser, which keeps them for ten minutes in case the page is loaded again. They are gone with Clear all and when you close the tab, except one that you report.");
    const home = this.t("Your photos never leave this browser: this page has no server and is not allowed to send anything. They stay in this tab, which keeps them for ten minutes in case the page is loaded again. They are gone with Clear all and when you close the tab.");
    const taught = this.t("Your photos never leave this browser: this page has no server and is not allowed to send anything. What you teach with is kept in this browser, also when the page is closed, until you start over; photos that you only try stay in this tab for ten minutes at most.");
    const words = this.model.get("teaches") ? taught : local ? home : kept;
    if (isEmbedded()) {
      this.drawLine(foot, words);
      return;
    }
    foot.append(make("p", "", words));
    const label = make("label");
    this.select = make("select");
    for (const [code, name] of Object.entries(this.languages)) {
      this.select.append(Object.assign(make("option", "", name), { value: code, lang: code }));
    }
    this.select.value = this.model.get("spoken");
    this.select.addEventListener("change", () => this.onSelect());
    label.append(make("span", "", this.t("Language")), this.select);
    foot.append(label);
    const focused = this.el.contains(document.activeElement);
    this.el.replaceChildren(foot);
    if (focused) this.select.focus();
  }

  // in another site's page: one line, whose words unfold
  drawLine(foot, words) {
    const own = new URL(location.href);
    own.searchParams.delete("embed");
    own.hash = "";
    const photos = make("details");
    photos.append(make("summary", "", this.t("What becomes of your photos")), make("p", "", words));
    foot.append(make("a", "", this.t("Open in a page of its own"), { href: own, target: "_blank", rel: "noopener" }), photos);
    this.el.replaceChildren(foot);
  }

  onSelect() {
    try {
      localStorage.setItem(KEPT, this.select.value);
    } catch {
      // then it is chosen again next time
    }
    this.ask(this.select.value);
  }
}

export default showAs(Frame);
