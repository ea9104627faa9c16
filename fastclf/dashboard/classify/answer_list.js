// The cards of all photos: they come, are chosen among, go and come back, and outlive a reload.

const QUIET_FROM = 4; // from that many cards at once only their number is announced

class AnswerList {
  constructor(model, el) {
    this.model = model;
    Object.assign(this, makeTranslator(model));
    this.cards = new Map();
    // what the page has sent and has no answer to, by its number; what was removed and may come back
    this.sent = new Map();
    this.gone = new Map();
    // what went while the kernel was asked about it again, and how
    this.late = new Map();
    this.large = new LargePictures(model);
    this.kept = new Kept();
    this.choice = new Choice(this);
    this.root = make("section", "fastclf-answers");
    el.append(this.root);
    this.draw();
    this.listen();
    model.send({ type: "hello" });
  }

  listen() {
    this.listeners = new AbortController();
    const on = (name, act) => document.addEventListener(name, act, { signal: this.listeners.signal });
    on("fastclf-lost", () => this.lose());
    on("fastclf-sent", ({ detail }) => this.sent.set(detail.id, detail));
    on("fastclf-drop", () => this.sendAgain());
    onMended(() => this.askAgain(), this.listeners.signal);
    this.model.on("msg:custom", (content, buffers) => this.onMessage(content, buffers));
    this.model.on("change:texts", () => this.redraw());
  }

  get labels() {
    return this.model.get("labels");
  }

  get hasInbox() {
    return this.model.get("has_inbox");
  }

  // whether a page learns from what is said
  get teaches() {
    return this.model.get("teaches");
  }

  // the cards in their order on the page
  get all() {
    return [...this.list.children].map((item) => item.fastclfCard);
  }

  // the keys of those with a picture that are shown
  get seen() {
    return this.all.filter((card) => card.url && !card.item.hidden).map((card) => card.key);
  }

  send(type, key, more = {}) {
    this.model.send({ type, key, ...more });
  }

  close() {
    this.listeners.abort();
    this.toast.hide();
    this.kept.close();
    this.cards.forEach((card) => card.close());
    this.large.clear();
  }

  askAgain() {
    this.model.send({ type: "hello" });
    this.cards.forEach((card) => card.asking && this.send("why", card.key));
  }

  // The session is gone: the page goes on with what it has.
  lose() {
    this.lost = true;
    this.cards.forEach((card) => card.lose());
    this.toast.hide();
  }

  look(key) {
    this.lens = new Lens(this, key);
    openViewer(this.lens);
  }

  // Whether the kernel does not know a card.
  isOurs(card) {
    return card.kept || this.lost;
  }

  // ---- what is drawn

  draw() {
    this.head = make("div", "fastclf-answers-head");
    this.title = make("h2", "", undefined, { tabindex: -1 });
    const row = make("div", "fastclf-row");
    row.append(
      makeButton("fastclf-button fastclf-small", this.t("Download as a table"), () => this.saveTable()),
      makeButton("fastclf-button fastclf-small", this.t("Clear all"), () => this.clear()),
    );
    this.list = make("ol", "fastclf-cards", undefined, { role: "list" });
    this.spoken = make("p", "fastclf-quiet", undefined, { "aria-live": "polite" });
    this.head.append(this.title, row);
    this.choice.draw();
    this.root.replaceChildren(this.head, this.choice.root, this.list, this.spoken);
    this.toast?.hide();
    this.toast = new Toast(this.root);
    this.show();
  }

  redraw() {
    const cards = this.all;
    this.draw();
    cards.forEach((card) => {
      card.draw(card.card);
      this.place(card);
    });
    this.show();
  }

  show() {
    const n = this.cards.size;
    this.head.hidden = !n;
    // the zone makes room for the answers
    document.querySelector(".fastclf-drop")?.classList.toggle("fastclf-drop-used", n > 0);
    this.list.classList.toggle("fastclf-single", n === 1);
    this.title.textContent = n > 1 ? this.t("{n} answers", { n }) : this.t("The answer");
    this.choice.show();
  }

  place(card) {
    const after = this.all.find((other) => other !== card && this.choice.compare(other, card) > 0);
    this.list.insertBefore(card.item, after?.item || null);
  }

  // ---- what the kernel says

  onMessage(content, buffers) {
    const card = this.cards.get(content.key);
    if (content.type === "all" || content.type === "add") this.take(content, buffers);
    else if (content.type === "words") {
      content.cards.forEach((one) => this.renew(one));
      this.choice.show();
    }
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

  renew(one) {
    const card = this.cards.get(one.key);
    if (!card) return;
    if (Boolean(card.card.said) !== Boolean(one.said)) this.kept.renew(one);
    card.draw(one);
  }

  take({ type, cards }, buffers) {
    const fresh = cards.filter((card, index) => this.takeOne(card, asBytes(buffers[index])));
    if (type === "all") this.restore();
    if (fresh.length) this.choice.chosen.clear(); // whatever was left out, new answers are seen
    this.show();
    if (this.back) this.title.focus();
    this.back = false;
    if (type !== "add" || !fresh.length) return;
    // a new upload ends the offer to undo
    if (fresh[0].batch !== this.revealed) this.toast.hide();
    this.announce(fresh);
    this.reveal(fresh[0]);
  }

  // Takes a card in; returns whether nobody has seen it yet.
  takeOne(card, picture) {
    if (this.late.has(card.order)) return this.turnAway(card);
    const known = this.cards.get(card.key) || this.all.find((other) => other.kept && other.card.order === card.order);
    const back = this.gone.get(card.order);
    if (known && !known.kept) {
      this.renew(card);
      return false;
    }
    if (known) {
      this.cards.delete(known.key);
      this.cards.set(card.key, known);
      known.take(card, picture);
    } else {
      const made = new Card(this, card, picture);
      this.cards.set(card.key, made);
      this.place(made);
    }
    const job = this.sent.get(card.order) || back;
    this.sent.delete(card.order);
    this.kept.put(card, job?.message ?? null, picture, job?.bytes);
    return !known && !back;
  }

  // An answer about what has been taken away since it was asked for; a kernel that clears all does so after it.
  turnAway({ key, order }) {
    if (this.late.get(order) === "remove") this.send("remove", key);
    return false;
  }

  // ---- after a reload

  // What was kept stands on the page at once, and is asked again behind it.
  restore() {
    if (this.restored) return;
    this.restored = this.kept.read().filter(({ card }) => !this.all.some((other) => other.card.order === card.order));
    this.restored.forEach(({ card, picture }) => {
      const made = new Card(this, { ...card, key: `kept-${card.order}` }, picture, true);
      this.cards.set(made.key, made);
      this.place(made);
    });
    this.sendAgain();
  }

  sendAgain() {
    if (!this.restored?.length) return;
    const jobs = this.restored.map(({ card, message, photo }) => ({ id: card.order, batch: card.batch, bytes: photo, message: message && { ...message, said: card.said } }));
    const event = new CustomEvent("fastclf-again", { cancelable: true, detail: jobs });
    document.dispatchEvent(event);
    if (event.defaultPrevented) this.restored = []; // whoever takes photos in has them
  }

  // ---- new answers

  // Wherever one has scrolled, the first answer of an upload comes into view; who writes is led there on a wish.
  reveal(card) {
    if (card.batch === this.revealed) return;
    this.revealed = card.batch;
    const shown = this.cards.get(card.key);
    const { top, bottom } = (shown.line.offsetParent ? shown.line : shown.words).getBoundingClientRect();
    if (top >= 0 && bottom <= innerHeight) return;
    const busy = document.querySelector("dialog[open]") || this.root.querySelector("form")?.contains(document.activeElement);
    if (busy) this.toast.show(this.t("A new answer is there."), this.t("Show it"), () => this.scrollTo(shown));
    else this.scrollTo(shown);
  }

  scrollTo({ item }) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    // with what is counted above the first one, where there is room for both
    const both = item.getBoundingClientRect().bottom - this.head.getBoundingClientRect().top;
    const target = item === this.list.firstChild && both < innerHeight ? this.head : item;
    target.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
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

  // ---- removing, and bringing back

  remove(key) {
    const card = this.cards.get(key);
    const shown = this.all.filter(({ item }) => !item.hidden);
    const index = shown.indexOf(card);
    const next = shown[index + 1] || shown[index - 1];
    this.takeAway([card], "remove", key);
    this.offerBack(this.t("{name} is removed.", { name: card.card.name }));
    (next?.item || document.querySelector(".fastclf-drop .fastclf-primary"))?.focus();
  }

  clear() {
    // what is still under way would come after it
    document.dispatchEvent(new CustomEvent("fastclf-clear"));
    this.sent.clear();
    this.takeAway(this.all, "clear");
    this.offerBack(this.t("All photos are cleared."));
  }

  // What goes now may come back, what went before no more.
  takeAway(cards, type, key) {
    this.toast.hide();
    this.gone = new Map(cards.map(({ card, kept, picture }) => [card.order, { card, kept, picture, ...this.kept.find(card.order) }]));
    cards.forEach(({ card }) => this.kept.drop(card.order));
    const ours = cards.filter((card) => this.isOurs(card));
    const asked = this.lost ? [] : ours;
    asked.forEach(({ card }) => this.late.set(card.order, type));
    if (ours.length < cards.length || (type === "clear" && asked.length)) this.send(type, key);
    this.drop(ours.map((card) => card.key));
  }

  // The kernel holds what was removed until this offer is over.
  offerBack(words) {
    if (this.lost) return;
    const forget = () => {
      this.gone.clear();
      this.send("forget");
    };
    this.toast.show(words, this.t("Undo"), () => this.bringBack(), forget);
  }

  bringBack() {
    this.gone.forEach(({ card, kept, picture }) => {
      this.late.delete(card.order);
      if (!kept) return;
      const made = new Card(this, { ...card, key: `kept-${card.order}` }, picture, true);
      this.cards.set(made.key, made);
      this.place(made);
      this.kept.put(card, null, picture);
    });
    this.send("restore");
    this.show();
    this.back = true;
    this.title.focus();
  }

  drop(keys) {
    if (!keys.length) return;
    const focused = this.root.contains(document.activeElement);
    keys.forEach((key) => {
      const card = this.cards.get(key);
      if (card) this.kept.drop(card.card.order);
      card?.close();
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

  // ---- files

  saveTable() {
    if (this.all.some((card) => this.isOurs(card))) save(buildTable(this.all.map(({ card }) => card)), "answers.csv", "text/csv");
    else this.send("table");
  }

  async share(card) {
    const large = this.isOurs(card) ? null : await this.large.get(card.key);
    const image = await loadImage(large || card.url);
    const title = document.querySelector("h1")?.textContent || "";
    const root = this.root.closest(".fastclf");
    const blob = await new AnswerPicture({
      image,
      words: unbroken(card.findHeading()),
      bars: card.card.bars,
      note: [title, card.card.name].filter(Boolean).join(" · "),
      accent: getComputedStyle(root).getPropertyValue("--accent-light").trim() || "#1b57b3",
      rtl: getComputedStyle(root).direction === "rtl",
    }).draw();
    await shareFile(blob, `${card.card.name.replace(/\.\w+$/, "").replace(/[^\p{L}\p{N} _-]+/gu, "-") || "answer"}-answer.jpg`);
  }
}

// A buffer of a message as bytes, whichever kind it came as.
function asBytes(buffer) {
  return ArrayBuffer.isView(buffer) ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength) : new Uint8Array(buffer || 0);
}

export default showAs(AnswerList);
