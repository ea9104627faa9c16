// One card: a picture, the answer in words, bars, and what can be asked of it; closed it is a row of a list.

class Card {
  constructor(list, card, picture, kept = false) {
    this.list = list;
    this.t = list.t;
    this.open = false;
    this.item = make("li", "fastclf-card fastclf-closed", undefined, { tabindex: -1 });
    this.item.fastclfCard = this;
    this.take(card, picture, kept);
  }

  // A kept card becomes the one that the kernel has answered again.
  take(card, picture, kept = false) {
    if (this.url) URL.revokeObjectURL(this.url);
    Object.assign(this, { key: card.key, kept, picture });
    this.url = picture.byteLength ? makeUrl(picture) : "";
    this.draw(card);
  }

  close() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.forgetHeat();
    this.item.remove();
  }

  // In a list a card is a row until somebody opens it.
  toggle(open = !this.open) {
    this.open = open;
    this.item.classList.toggle("fastclf-closed", !open);
    this.line.setAttribute("aria-expanded", String(open));
  }

  focus() {
    const line = this.line.offsetParent && !this.open;
    (line ? this.line : this.frame.querySelector("button") || this.item).focus();
  }

  draw(card) {
    this.card = card;
    this.item.dataset.level = card.level;
    this.item.setAttribute("aria-label", card.name);
    this.answer = make("div", "fastclf-answer");
    this.words = make("h3", "", unbroken(this.findHeading()), { dir: "auto", id: `fastclf-answer-${card.key}` });
    this.answer.append(this.words);
    if (card.level === "failed") this.answer.append(make("p", "", card.words));
    else if (card.level === "unfamiliar") this.answer.append(make("p", "fastclf-file", this.t("If it had to choose all the same:")), this.drawBars());
    else this.answer.append(this.drawBars());
    if (card.among) this.answer.append(make("p", "fastclf-file", unbroken(card.among)));
    this.answer.append(make("p", "fastclf-file", card.name, { dir: "auto" }));
    if (card.said) this.answer.append(make("p", "fastclf-marked", unbroken(this.t("You said: {label}", { label: card.said.words }))));
    if (this.kept) this.answer.append(make("p", "fastclf-file", this.t("From before this page was loaded again.")));
    this.why = this.wrong = null;
    if (card.level !== "failed") this.answer.append(this.drawActions());
    this.said = make("p", "fastclf-said", undefined, { role: "status" });
    this.answer.append(this.said);
    const remove = makeButton("fastclf-remove", "×", () => this.list.remove(this.key));
    remove.setAttribute("aria-label", this.t("Remove {name}", { name: card.name }));
    const formWasOpen = Boolean(this.form);
    this.closeForm();
    const focused = this.line === document.activeElement;
    this.item.replaceChildren(this.drawLine(), this.drawPicture(), this.answer, remove);
    if (focused) this.line.focus();
    if (this.why) this.showWhy();
    if (formWasOpen && this.wrong) this.openForm();
  }

  findHeading() {
    const headings = { failed: this.t("No answer"), unfamiliar: this.t("Unlike the photos this model learned from") };
    return headings[this.card.level] || this.card.words;
  }

  drawLine() {
    this.line = makeButton("fastclf-line", undefined, () => this.toggle());
    this.line.setAttribute("aria-expanded", String(this.open));
    const picture = this.url ? Object.assign(make("img"), { src: this.url, alt: "" }) : make("span", "fastclf-line-empty", "?", { "aria-hidden": true });
    const words = make("span", "fastclf-line-words");
    words.append(make("strong", "", unbroken(this.card.words), { dir: "auto" }), make("span", "", this.card.name, { dir: "auto" }));
    this.line.append(picture, words);
    return this.line;
  }

  drawPicture() {
    this.frame = make("div", "fastclf-picture");
    if (this.url) {
      const image = Object.assign(make("img"), { src: this.url, alt: this.alt });
      const look = makeButton("fastclf-look", undefined, () => this.list.look(this.key));
      look.title = this.t("Look closely");
      look.append(image);
      if (this.heat) look.append(this.heat);
      this.frame.append(look);
    } else {
      this.frame.classList.add("fastclf-no-picture");
      this.frame.setAttribute("aria-hidden", "true");
      this.frame.textContent = "?";
    }
    return this.frame;
  }

  get alt() {
    const { name, example } = this.card;
    return example ? name : this.t("Your photo {name}", { name });
  }

  drawBars() {
    const bars = make("ul", "fastclf-bars");
    for (const [label, probability, share] of this.card.bars) {
      const row = make("li");
      const track = make("span", "fastclf-track", undefined, { "aria-hidden": true }); // the number beside it says the same
      const fill = make("span", "fastclf-fill");
      fill.style.inlineSize = `${(probability * 100).toFixed(1)}%`;
      track.append(fill);
      const name = make("span", "fastclf-label", unbroken(label), { dir: "auto", title: label });
      row.append(name, track, make("span", "fastclf-share", unbroken(share)));
      bars.append(row);
    }
    if (!this.card.more) return bars;
    const box = make("div");
    box.append(bars, make("p", "fastclf-file", unbroken(this.card.more)));
    return box;
  }

  drawActions() {
    const row = make("div", "fastclf-row fastclf-actions");
    // the kernel knows nothing of a kept one
    if (!this.kept) {
      this.why = this.makeAction(this.t("Why?"), () => this.toggleWhy());
      this.why.setAttribute("aria-pressed", String(Boolean(this.heat)));
      row.append(this.why);
    }
    if (!this.kept && !this.card.said) {
      this.wrong = this.makeAction(this.t("That's wrong"), () => this.toggleForm());
      this.wrong.setAttribute("aria-expanded", "false");
      row.append(this.wrong);
    }
    if (this.url) row.append(this.makeShare());
    return row;
  }

  makeShare() {
    const words = canShare() ? this.t("Share") : this.t("Save");
    const button = this.makeAction(words, () => this.list.share(this));
    button.title = canShare() ? this.t("Share as a picture") : this.t("Save as a picture");
    button.setAttribute("aria-label", button.title);
    return button;
  }

  makeAction(text, act) {
    const button = makeButton("fastclf-button fastclf-small", text, act);
    button.setAttribute("aria-describedby", this.words.id);
    return button;
  }

  toggleWhy() {
    if (this.heat) {
      this.forgetHeat();
      this.say("");
    } else if (this.asking) {
      this.asking = false;
      this.list.send("stop", this.key);
      this.say("");
    } else {
      this.asking = true;
      this.say(this.t("Looking for what speaks for it ..."));
      this.list.send("why", this.key);
    }
    this.showWhy();
    this.list.lens?.viewer?.refresh();
  }

  get whyWords() {
    return this.asking ? this.t("Stop") : this.heat ? this.t("Hide why") : this.t("Why?");
  }

  showWhy() {
    this.why.textContent = this.whyWords;
    this.why.setAttribute("aria-pressed", String(Boolean(this.heat)));
  }

  showProgress(done, total) {
    if (this.asking && total > 1) this.said.textContent = this.t("Covering the photo piece by piece: {done} of {total}", { done, total });
  }

  showHeat(picture, words) {
    if (!this.asking) return;
    this.asking = false;
    this.forgetHeat();
    this.heat = Object.assign(make("img", "fastclf-heat"), { src: makeUrl(picture, "image/png"), alt: "" }); // the line below says where
    this.heatWords = words;
    this.frame.firstChild.append(this.heat);
    this.say(words);
    this.said.append(" ", makeLegend(this.t("little"), this.t("much")));
    this.showWhy();
    this.frame.scrollIntoView({ block: "nearest" });
    this.list.lens?.viewer?.refresh();
  }

  forgetHeat() {
    if (!this.heat) return;
    URL.revokeObjectURL(this.heat.src);
    this.heat.remove();
    this.heat = null;
    this.list.lens?.viewer?.refresh();
  }

  toggleForm() {
    if (this.form) this.closeForm();
    else this.openForm();
  }

  closeForm() {
    this.form?.remove();
    this.form = null;
    this.wrong?.setAttribute("aria-expanded", "false");
  }

  openForm() {
    const { t } = this;
    this.form = make("form", "fastclf-wrong");
    const label = make("label", "fastclf-field");
    const select = make("select");
    const add = (value, text) => select.append(Object.assign(make("option", "", text), { value }));
    add("", t("Choose ..."));
    this.list.labels.forEach((name, index) => name !== this.card.label && add(String(index), this.list.nameClass(name)));
    if (!this.list.teaches) add("none", t("none of these"));
    select.required = true;
    label.append(make("span", "", t("What is it really?")), select);
    const row = make("div", "fastclf-row");
    const send = make("button", "fastclf-button fastclf-primary fastclf-small", this.list.teaches ? t("Teach it") : this.list.hasInbox ? t("Send") : t("Save as a file"));
    row.append(send, makeButton("fastclf-button fastclf-small", t("Not now"), () => this.leaveForm()));
    const outcome = this.list.teaches
      ? t("This photo becomes one of that class, and the page learns from it.")
      : this.list.hasInbox
      ? t("This photo and your answer go to the owner of this page; nothing else is kept.")
      : t("This page keeps nothing. You get a small file with the photo and your answer.");
    this.form.append(label, make("p", "fastclf-file", outcome), row);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!select.value) return;
      this.list.send("wrong", this.key, { label: select.value === "none" ? null : this.list.labels[Number(select.value)] });
      this.leaveForm();
      this.say(this.t("Sending ..."));
    });
    this.form.addEventListener("keydown", (event) => event.key === "Escape" && this.leaveForm());
    this.answer.insertBefore(this.form, this.said);
    this.wrong.setAttribute("aria-expanded", "true");
    select.focus();
  }

  leaveForm() {
    this.closeForm();
    this.wrong?.focus();
  }

  say(words, bad = false) {
    this.said.classList.toggle("fastclf-error", bad);
    this.said.textContent = words;
  }

  fail(words) {
    this.stopAsking();
    this.say(words, true);
  }

  lose() {
    this.stopAsking();
    [this.why, this.wrong].forEach((button) => button && (button.disabled = true));
  }

  stopAsking() {
    if (this.asking) this.say("");
    this.asking = false;
    if (this.why) this.showWhy();
  }
}
