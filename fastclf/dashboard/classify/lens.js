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
    const bars = card.card.bars.map(([label, , share]) => `${label}\u00a0${share}`).join(" · ");
    const why = card.why && { text: card.whyWords, act: () => card.toggleWhy() };
    const place = seen.length > 1 ? t("Photo {i} of {n}", { i: seen.indexOf(key) + 1, n: seen.length }) : "";
    return { title: card.card.name, place, lines: [card.findHeading(), bars], actions: why ? [why] : [], first: key === seen[0], last: key === seen.at(-1) };
  }

  picture(key) {
    return this.list.cards.get(key).url;
  }

  large(key) {
    const { list } = this;
    return list.isOurs(list.cards.get(key)) ? undefined : list.large.get(key);
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
    this.list.cards.get(this.shown)?.focus();
  }
}
