// The lines by which another site shows the page, with the address under which it is open here, and a button that copies them.

const OWN_NAMES = /^(localhost|127\..*|\[::1\])$/;

const escapeMarkup = (text) => text.replace(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0)};`);

class EmbedSnippet {
  constructor(model, el) {
    Object.assign(this, { model, el }, makeTranslator(model));
    this.stop = listenTo(model, { "change:texts": () => this.draw() });
    this.draw();
  }

  close() {
    this.stop();
  }

  get lines() {
    return this.model.get("snippet").replace("ADDRESS", () => escapeMarkup(location.origin + location.pathname));
  }

  draw() {
    const { t } = this;
    const part = make("section", "fastclf-about-part fastclf-embedding");
    this.text = make("textarea", "", undefined, { readonly: "", rows: 13, wrap: "off", spellcheck: false, dir: "ltr", "aria-label": t("Lines for the other site") });
    this.text.value = this.lines;
    this.said = make("span", "", undefined, { role: "status" });
    const row = make("div", "fastclf-row");
    row.append(makeButton("fastclf-button", t("Copy"), () => this.copy()), this.said);
    const words = [this.sayWho(), this.model.get("asks") && t("The password is not asked for in a frame: the page there leads to one of its own."), this.sayAddress()];
    part.append(
      make("h2", "", t("Show it on another site")),
      make("p", "", t("Paste these lines into a page of that site. They show the Classify tab alone, in a frame as high as it needs to be.")),
      this.text,
      row,
      ...words.filter(Boolean).map((text) => make("p", "fastclf-about-soft", text)),
    );
    this.el.replaceChildren(part);
  }

  sayWho() {
    const { model, t } = this;
    const sites = model.get("sites");
    const option = `\u2066${model.get("option")}\u2069`; // reads from left to right in any sentence
    if (model.get("are_all_owners")) return t("Here everybody is an owner (--owner), so no other site may show it. Serve visitors without --owner, and with {option}.", { option });
    if (!sites.length) return t("No other site may show it yet. Start the server with {option}.", { option });
    return sites.includes("*") ? t("Every site may show it.") : t("Only these sites may show it: {sites}.", { sites: sites.join(", ") });
  }

  sayAddress() {
    return OWN_NAMES.test(location.hostname) && this.t("The address in the lines is one of this computer alone. Put the one there under which others open the page.");
  }

  // a browser lends its clipboard only to pages that came over https or from this computer
  async copy() {
    let copied = true;
    try {
      await navigator.clipboard.writeText(this.text.value);
    } catch {
      this.text.select();
      copied = document.execCommand("copy");
    }
    this.said.textContent = copied ? this.t("Copied.") : this.t("The browser does not let this page copy. Select the lines and copy them.");
  }
}

export default showAs(EmbedSnippet);
