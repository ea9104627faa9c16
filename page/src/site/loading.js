// What the page says while the model comes, and when it cannot come.

const MB = 2 ** 20;

export class Loading {
  constructor(words) {
    Object.assign(this, { words, fault: null, share: null, parity: "unknown" });
    this.root = document.createElement("div");
    this.bar = document.createElement("progress");
    this.line = document.createElement("p");
    this.line.setAttribute("role", "status");
    words.onChange(() => this.show());
    this.show();
  }

  tell({ loaded, total }) {
    this.share = { loaded, total };
    this.show();
  }

  // `compared` is a promise of "same", "differs" or "unknown"
  async end(compared) {
    this.ended = true;
    this.show();
    this.parity = await compared.catch(() => "unknown");
    this.show();
  }

  // `fault` is a message
  fail(fault) {
    if (this.fault) return; // the first one is the reason of all others
    this.fault = fault;
    this.show();
  }

  show() {
    if (this.fault) this.#showFault();
    else if (this.ended) this.#showNote();
    else this.#showProgress();
  }

  #showProgress() {
    const { words, share } = this;
    const fields = share && { loaded: share.loaded / MB, total: share.total / MB };
    const all = share?.total && share.loaded >= share.total;
    const said = all ? words.t("Opening the classifier ...") : share?.total ? words.t("Loading the model: {loaded:.1f} of {total:.1f} MB. You can choose photos already.", fields) : words.t("Loading the model ...");
    this.root.className = "fastclf-progress fastclf-loading";
    this.bar.setAttribute("aria-label", words.t("Loading the model ..."));
    if (share?.total) Object.assign(this.bar, { max: share.total, value: share.loaded });
    this.line.textContent = said;
    if (!this.line.isConnected) this.root.replaceChildren(this.bar, this.line);
  }

  #showNote() {
    const { words } = this;
    this.root.className = "fastclf-note";
    this.root.dataset.parity = this.parity;
    this.root.hidden = this.parity !== "differs";
    const said = words.t("This browser computes a little differently from the computer on which the model was made: answers may differ here.");
    this.line.textContent = this.root.hidden ? "" : said;
    this.root.replaceChildren(this.line);
  }

  #showFault() {
    const { words } = this;
    const title = Object.assign(document.createElement("h2"), { textContent: words.t("The model could not be loaded") });
    const said = Object.assign(document.createElement("p"), { textContent: words.translate(this.fault) });
    this.root.className = "fastclf-refusal";
    this.root.setAttribute("role", "alert");
    this.root.replaceChildren(title, said);
  }
}
