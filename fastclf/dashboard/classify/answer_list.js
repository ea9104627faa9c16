// The cards: a picture, the answer in words, bars, and what can be asked of it.

const QUIET_FROM = 4; // from that many cards at once only their number is announced

function save(bytes, name, type) {
  const url = makeUrl(bytes, type);
  const link = Object.assign(make("a"), { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

class Card {
  constructor(list, card, picture) {
    Object.assign(this, { list, key: card.key, batch: card.batch, order: card.order });
    this.t = list.t;
    this.url = picture.byteLength ? makeUrl(picture) : "";
    this.item = make("li", "fastclf-card", undefined, { tabindex: -1 });
    this.draw(card);
  }

  close() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.forgetHeat();
    this.item.remove();
  }

  draw(card) {
    this.card = card;
    this.item.dataset.level = card.level;
    this.item.setAttribute("aria-label", card.name);
    this.answer = make("div", "fastclf-answer");
    this.words = make("h3", "", this.findHeading(), { dir: "auto", id: `fastclf-answer-${card.key}` });
    this.answer.append(this.words);
    if (card.level === "failed") this.answer.append(make("p", "", card.words));
    else if (card.level === "unfamiliar") this.answer.append(make("p", "fastclf-file", this.t("If it had to choose all the same:")), this.drawBars());
    else this.answer.append(this.drawBars());
    this.answer.append(make("p", "fastclf-file", card.name, { dir: "auto" }));
    if (card.level !== "failed") this.answer.append(this.drawActions());
    this.said = make("p", "fastclf-said", undefined, { role: "status" });
    this.answer.append(this.said);
    const remove = makeButton("fastclf-remove", "×", () => this.list.remove(this.key));
    remove.setAttribute("aria-label", this.t("Remove {name}", { name: card.name }));
    const formWasOpen = Boolean(this.form);
    this.closeForm();
    this.item.replaceChildren(this.drawPicture(), this.answer, remove);
    if (this.why) this.showWhy();
    if (formWasOpen) this.openForm();
  }

  findHeading() {
    const headings = { failed: this.t("No answer"), unfamiliar: this.t("Unlike the photos this model learned from") };
    return headings[this.card.level] || this.card.words;
  }

  drawPicture() {
    this.frame = make("div", "fastclf-picture");
    if (this.url) {
      const image = Object.assign(make("img"), { src: this.url, alt: this.t("Your photo {name}", { name: this.card.name }) });
      const look = makeButton("fastclf-look", undefined, () => this.list.look(this.key));
      look.setAttribute("aria-label", this.t("Look closely at {name}", { name: this.card.name }));
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

  drawBars() {
    const bars = make("ul", "fastclf-bars");
    for (const [label, probability, share] of this.card.bars) {
      const row = make("li");
      const track = make("span", "fastclf-track", undefined, { "aria-hidden": true }); // the number beside it says the same
      const fill = make("span", "fastclf-fill");
      fill.style.inlineSize = `${(probability * 100).toFixed(1)}%`;
      track.append(fill);
      const name = make("span", "fastclf-label", label, { dir: "auto", title: label });
      row.append(name, track, make("span", "fastclf-share", share));
      bars.append(row);
    }
    if (!this.card.more) return bars;
    const box = make("div");
    box.append(bars, make("p", "fastclf-file", this.list.tn(this.card.more, "1 more class is less likely.", "{n} more classes are less likely.")));
    return box;
  }

  drawActions() {
    const row = make("div", "fastclf-row fastclf-actions");
    this.why = this.makeAction(this.t("Why?"), () => this.toggleWhy());
    this.why.setAttribute("aria-pressed", String(Boolean(this.heat)));
    this.wrong = this.makeAction(this.t("That's wrong"), () => this.toggleForm());
    this.wrong.setAttribute("aria-expanded", "false");
    row.append(this.why, this.wrong);
    return row;
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
    this.heat = Object.assign(make("img", "fastclf-heat"), { src: makeUrl(picture, "image/png"), alt: words });
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
    this.list.labels.forEach((name, index) => name !== this.card.label && add(String(index), name));
    add("none", t("none of these"));
    select.required = true;
    label.append(make("span", "", t("What is it really?")), select);
    const row = make("div", "fastclf-row");
    const send = make("button", "fastclf-button fastclf-primary fastclf-small", this.list.hasInbox ? t("Send") : t("Save as a file"));
    row.append(send, makeButton("fastclf-button fastclf-small", t("Not now"), () => this.leaveForm()));
    const outcome = this.list.hasInbox
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

  stopAsking() {
    if (this.asking) this.say("");
    this.asking = false;
    if (this.why) this.showWhy();
  }
}

class AnswerList {
  constructor(model, el) {
    this.model = model;
    Object.assign(this, makeTranslator(model));
    this.cards = new Map();
    this.large = new LargePictures(model);
    this.root = make("section", "fastclf-answers");
    el.append(this.root);
    this.draw();
    this.onLost = () => this.cards.forEach((card) => card.stopAsking());
    document.addEventListener("fastclf-lost", this.onLost);
    model.on("msg:custom", (content, buffers) => this.onMessage(content, buffers));
    model.on("change:texts", () => this.redraw());
    model.send({ type: "hello" });
  }

  get labels() {
    return this.model.get("labels");
  }

  get hasInbox() {
    return this.model.get("has_inbox");
  }

  send(type, key, more = {}) {
    this.model.send({ type, key, ...more });
  }

  close() {
    document.removeEventListener("fastclf-lost", this.onLost);
    this.cards.forEach((card) => card.close());
    this.large.clear();
  }

  // the cards with a picture, in their order on the page
  get seen() {
    return [...this.list.children].map((item) => item.fastclfKey).filter((key) => this.cards.get(key)?.url);
  }

  look(key) {
    this.lens = new Lens(this, key);
    openViewer(this.lens);
  }

  clear() {
    // what is still under way would come after it
    document.dispatchEvent(new CustomEvent("fastclf-clear"));
    this.send("clear");
  }

  draw() {
    this.head = make("div", "fastclf-answers-head");
    this.title = make("h2", "", undefined, { tabindex: -1 });
    const row = make("div", "fastclf-row");
    row.append(
      makeButton("fastclf-button fastclf-small", this.t("Download as a table"), () => this.send("table")),
      makeButton("fastclf-button fastclf-small", this.t("Clear all"), () => this.clear()),
    );
    this.list = make("ol", "fastclf-cards", undefined, { role: "list" });
    this.spoken = make("p", "fastclf-quiet", undefined, { "aria-live": "polite" });
    this.head.append(this.title, row);
    this.root.replaceChildren(this.head, this.list, this.spoken);
    this.show();
  }

  redraw() {
    this.draw();
    const cards = [...this.cards.values()];
    cards.forEach((card) => {
      card.draw(card.card);
      this.place(card);
    });
  }

  onMessage(content, buffers) {
    const card = this.cards.get(content.key);
    if (content.type === "all" || content.type === "add") this.take(content, buffers);
    else if (content.type === "words") content.cards.forEach((one) => this.cards.get(one.key)?.draw(one));
    else if (content.type === "stopped") card?.stopAsking();
    else if (content.type === "gone") this.drop(content.keys);
    else if (content.type === "large") this.large.take(content, buffers);
    else if (content.type === "table") save(buffers[0], "answers.csv", "text/csv");
    else if (content.type === "progress") card?.showProgress(content.done, content.total);
    else if (content.type === "why") card?.showHeat(buffers[0], content.words);
    else if (content.type === "acknowledged") {
      if (buffers?.length) save(buffers[0], "report.zip", "application/zip");
      card?.say(content.words);
    } else if (content.type === "fault") {
      if (card) card.fail(content.words);
      else this.spoken.textContent = content.words;
    }
  }

  take({ type, cards }, buffers) {
    cards.forEach((card, index) => {
      const known = this.cards.get(card.key);
      if (known) known.draw(card);
      else {
        const made = new Card(this, card, buffers[index]);
        this.cards.set(card.key, made);
        this.place(made);
      }
    });
    this.show();
    if (type !== "add") return;
    this.announce(cards);
    this.reveal(cards[0]);
  }

  // On a phone the answer would stand below the window's edge.
  reveal(card) {
    if (card.batch === this.revealed) return;
    this.revealed = card.batch;
    const { words, item } = this.cards.get(card.key);
    if (words.getBoundingClientRect().bottom <= innerHeight) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    item.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
  }

  // The newest upload stands first; within it the photos keep their order.
  place(card) {
    card.item.fastclfPlace = [card.batch, card.order];
    card.item.fastclfKey = card.key;
    const after = [...this.list.children].find(
      ({ fastclfPlace: [batch, order] }) => batch < card.batch || (batch === card.batch && order > card.order),
    );
    this.list.insertBefore(card.item, after || null);
  }

  announce(cards) {
    this.fresh = (this.fresh || 0) + cards.length;
    clearTimeout(this.timer);
    const words = cards.map((card) => (card.level === "failed" ? card.words : `${card.name}: ${card.words}`)).join(". ");
    this.words = this.fresh < QUIET_FROM ? [this.words, words].filter(Boolean).join(". ") : this.t("{n} answers are there.", { n: this.cards.size });
    this.timer = setTimeout(() => {
      this.spoken.textContent = this.words;
      this.fresh = 0;
      this.words = "";
    }, 700);
  }

  remove(key) {
    const items = [...this.list.children];
    const index = items.indexOf(this.cards.get(key).item);
    const next = items[index + 1] || items[index - 1];
    this.send("remove", key);
    (next || document.querySelector(".fastclf-drop .fastclf-primary"))?.focus();
  }

  drop(keys) {
    const focused = this.root.contains(document.activeElement);
    keys.forEach((key) => {
      this.cards.get(key)?.close();
      this.cards.delete(key);
    });
    this.show();
    if (!this.cards.size) {
      // what was still to be said is about cards that are gone
      clearTimeout(this.timer);
      [this.fresh, this.words] = [0, ""];
      this.spoken.textContent = this.t("All photos are cleared.");
      if (focused) document.querySelector(".fastclf-drop .fastclf-primary")?.focus();
    }
  }

  show() {
    const n = this.cards.size;
    this.head.hidden = !n;
    // the zone makes room for the answers
    document.querySelector(".fastclf-drop")?.classList.toggle("fastclf-drop-used", n > 0);
    this.list.classList.toggle("fastclf-single", n === 1);
    this.title.textContent = n > 1 ? this.t("{n} answers", { n }) : this.t("The answer");
  }
}

// The cards' side of the viewer.
class Lens {
  constructor(list, key) {
    Object.assign(this, { list, shown: key });
  }

  get key() {
    return this.list.cards.has(this.shown) ? this.shown : null;
  }

  step(n) {
    const { seen } = this.list;
    this.shown = seen[seen.indexOf(this.shown) + n] ?? this.shown;
  }

  describe(key) {
    const { t, seen } = this.list;
    const card = this.list.cards.get(key);
    const bars = card.card.bars.map(([label, , share]) => `${label} ${share}`).join(" · ");
    const why = card.why && { text: card.whyWords, act: () => card.toggleWhy() };
    const place = seen.length > 1 ? t("Photo {i} of {n}", { i: seen.indexOf(key) + 1, n: seen.length }) : "";
    return { title: card.card.name, place, lines: [card.findHeading(), bars], actions: why ? [why] : [], first: key === seen[0], last: key === seen.at(-1) };
  }

  picture(key) {
    return this.list.cards.get(key).url;
  }

  large(key) {
    return this.list.large.get(key);
  }

  heat(key) {
    const card = this.list.cards.get(key);
    return card.heat && { url: card.heat.src, words: card.heatWords };
  }

  onKey() {
    return false;
  }

  onClose() {
    this.list.lens = null;
    this.list.cards.get(this.shown)?.frame.querySelector("button")?.focus();
  }
}

export default showAs(AnswerList);
