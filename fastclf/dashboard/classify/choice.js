// What is shown of many answers, and how: chips that count and choose, an order, cards or a list.

const LIST_FROM = 8; // from that many answers on they are a list, unless somebody chose otherwise
const CHOICE_FROM = 2;

class Choice {
  constructor(list) {
    Object.assign(this, { list, t: list.t, tn: list.tn, chosen: new Set(), order: "new", view: "", chips: new Map() });
    this.root = make("div", "fastclf-choice");
  }

  draw() {
    this.chips.clear();
    this.row = make("div", "fastclf-chips", undefined, { role: "group", "aria-label": this.t("Show only") });
    this.line = make("p", "fastclf-shown");
    this.shown = make("span", "", undefined, { role: "status" });
    this.all = makeButton("fastclf-button fastclf-small", this.t("Show all"), () => this.clear());
    this.line.append(this.shown, " ", this.all);
    this.root.replaceChildren(this.row, this.drawTools(), this.line);
  }

  drawTools() {
    const tools = make("div", "fastclf-row fastclf-choice-tools");
    const label = make("label");
    this.select = make("select");
    for (const [value, text] of [["new", this.t("Newest first")], ["doubt", this.t("Most doubtful first")]]) {
      this.select.append(Object.assign(make("option", "", text), { value }));
    }
    this.select.value = this.order;
    this.select.addEventListener("change", () => this.sort(this.select.value));
    label.append(make("span", "", this.t("Order")), this.select);
    this.switch = makeButton("fastclf-button fastclf-small", "", () => this.turn());
    tools.append(label, this.switch);
    return tools;
  }

  // Which chip an answer belongs to.
  find({ level, label }) {
    return level === "failed" || level === "unfamiliar" ? level : `=${label}`;
  }

  name(group) {
    return { failed: this.t("unreadable"), unfamiliar: this.t("unfamiliar") }[group] || group.slice(1);
  }

  get isList() {
    return (this.view || (this.list.cards.size >= LIST_FROM ? "list" : "cards")) === "list";
  }

  show() {
    const counts = new Map();
    this.list.all.forEach(({ card }) => counts.set(this.find(card), (counts.get(this.find(card)) || 0) + 1));
    this.root.hidden = this.list.cards.size < CHOICE_FROM;
    this.chosen.forEach((group) => counts.has(group) || this.chosen.delete(group));
    this.showChips(counts);
    this.filter();
    this.list.list.classList.toggle("fastclf-list", this.isList);
    this.switch.textContent = this.isList ? this.t("Show as cards") : this.t("Show as a list");
  }

  showChips(counts) {
    const place = (group) => ["unfamiliar", "failed"].indexOf(group);
    const groups = [...counts.keys()].sort((a, b) => place(a) - place(b) || counts.get(b) - counts.get(a) || (a < b ? -1 : 1));
    const focused = document.activeElement;
    const chips = groups.map((group) => this.makeChip(group, counts.get(group)));
    if (chips.some((chip, index) => chip !== this.row.children[index]) || chips.length !== this.row.children.length) {
      this.row.replaceChildren(...chips);
      if (chips.includes(focused)) focused.focus();
    }
    this.row.hidden = groups.length < 2;
  }

  makeChip(group, n) {
    if (!this.chips.has(group)) this.chips.set(group, makeButton("fastclf-chip", undefined, () => this.choose(group)));
    const chip = this.chips.get(group);
    chip.replaceChildren(make("bdi", "", unbroken(this.name(group))), " ", make("b", "", `(${writeCount(n)})`));
    chip.setAttribute("aria-pressed", String(this.chosen.has(group)));
    return chip;
  }

  choose(group) {
    if (!this.chosen.delete(group)) this.chosen.add(group);
    this.show();
  }

  clear() {
    const focused = document.activeElement === this.all;
    this.chosen.clear();
    this.show();
    if (focused) this.row.querySelector("button")?.focus();
  }

  // What is left out is said.
  filter() {
    const { all } = this.list;
    all.forEach((card) => {
      card.item.hidden = this.chosen.size > 0 && !this.chosen.has(this.find(card.card));
    });
    const n = all.filter((card) => !card.item.hidden).length;
    this.line.hidden = n === all.length;
    this.shown.textContent = this.line.hidden ? "" : this.t("{n} of {total} answers are shown.", { n, total: all.length });
  }

  turn() {
    this.view = this.isList ? "cards" : "list";
    this.show();
  }

  sort(order) {
    this.order = order;
    this.list.all.sort((a, b) => this.compare(a, b)).forEach(({ item }) => this.list.list.append(item));
  }

  // The newest upload stands first; within it the photos keep their order.
  compare({ card: a }, { card: b }) {
    const newest = b.batch - a.batch || a.order - b.order;
    if (this.order === "new") return newest;
    return rankDoubt(a) - rankDoubt(b) || newest;
  }
}

function rankDoubt({ level, probability }) {
  return { failed: 2, unfamiliar: -1 }[level] ?? probability;
}
