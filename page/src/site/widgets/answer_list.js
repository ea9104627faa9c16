// Cards out; why, that's wrong, remove, clear and the table back: answer_list.py here.

import { buildCard } from "../answers.js";
import { sayFault } from "../classifier.js";
import { Widget } from "./widget.js";

export class AnswerListWidget extends Widget {
  constructor(classifier, words) {
    super({ labels: classifier.site.vocab, names: {}, has_inbox: false, teaches: Boolean(classifier.site.teaches) }, (message) => this.take(message));
    Object.assign(this, { classifier, words, stops: new Map() });
    classifier.onChange((old, now) => this.#showChange(old, now));
  }

  // Says the cards in the page's language.
  sayWords() {
    this.set("labels", this.classifier.site.vocab);
    this.set("names", this.words.nameClasses(this.classifier.site.vocab));
    this.set("texts", this.words.texts);
    this.#sendWords(this.classifier.answers);
  }

  #build(answers) {
    return answers.map((answer) => buildCard(this.words, answer, this.classifier.site.sure));
  }

  #sendWords(answers) {
    this.tell({ type: "words", cards: this.#build(answers) });
  }

  #sendCards(type, answers) {
    this.tell({ type, cards: this.#build(answers) }, answers.map(({ thumbnail }) => thumbnail ?? new Uint8Array()));
  }

  #showChange(old, now) {
    const [before, after] = [old, now].map((side) => new Map(side.map((answer) => [answer.key, answer])));
    const gone = [...before.keys()].filter((key) => !after.has(key));
    gone.forEach((key) => this.#stop(key));
    if (gone.length) this.tell({ type: "gone", keys: gone });
    const added = now.filter(({ key }) => !before.has(key));
    if (added.length) this.#sendCards("add", added);
    const marked = now.filter(({ key, said, prediction }) => before.has(key) && (before.get(key).said !== said || before.get(key).prediction !== prediction));
    if (marked.length) this.#sendWords(marked);
  }

  take({ type, key, label }) {
    const { classifier } = this;
    const plain = {
      hello: () => this.#sendCards("all", classifier.answers),
      clear: () => classifier.clear(),
      restore: () => classifier.restore(),
      forget: () => classifier.forget(),
      table: () => this.tell({ type: "table" }, [classifier.buildTable()]),
    };
    if (plain[type]) return plain[type]();
    const answer = classifier.find(key);
    if (!answer) return;
    if (type === "large") this.#sendLarge(answer);
    else if (type === "remove") classifier.remove(key);
    else if (type === "why") this.#explain(answer);
    else if (type === "stop") this.#stop(key);
    else if (type === "wrong") this.#report(answer, label);
  }

  async #sendLarge(answer) {
    const picture = await this.classifier.readLarge(answer);
    this.tell({ type: "large", key: answer.key }, picture ? [picture] : []);
  }

  async #explain(answer) {
    const { key } = answer;
    for (const other of [...this.stops.keys()]) {
      this.#stop(other); // the last one asked for is the one that is looked at
      if (other !== key) this.tell({ type: "stopped", key: other });
    }
    const stop = new AbortController();
    this.stops.set(key, stop);
    const progress = ({ done, total }) => this.tell({ type: "progress", key, done, total });
    try {
      const found = await this.classifier.explain(answer, { progress, signal: stop.signal });
      if (found && !stop.signal.aborted) this.tell({ type: "why", key, words: this.#sayExplanation(answer, found) }, [found.png]);
    } catch (fault) {
      if (!stop.signal.aborted) this.#fail(key, fault);
    } finally {
      if (this.stops.get(key) === stop) this.stops.delete(key);
    }
  }

  // What the marks mean and, for who does not see them, where they are.
  #sayExplanation({ prediction: { label } }, { method, place }) {
    const { words } = this;
    const said = method === "class activation" ? words.t("The marked parts speak for {label}.", { label }) : words.t("Without the marked parts the answer {label} becomes less sure.", { label });
    return `${said} ${sayPlace(words, place)}`.trim();
  }

  async #report({ key }, label) {
    const { classifier, words } = this;
    try {
      const { parcel, said } = await classifier.report(classifier.find(key), label);
      this.tell({ type: "acknowledged", key, words: words.translate(said) }, parcel ? [parcel] : []);
    } catch (fault) {
      this.#fail(key, fault);
    }
  }

  #stop(key) {
    this.stops.get(key)?.abort();
    this.stops.delete(key);
  }

  #fail(key, fault) {
    this.tell({ type: "fault", key, words: sayFault(this.words, fault) });
  }
}

function sayPlace(words, place) {
  const rows = [
    [words.t("Mostly the upper left."), words.t("Mostly the top."), words.t("Mostly the upper right.")],
    [words.t("Mostly the left."), words.t("Mostly the middle."), words.t("Mostly the right.")],
    [words.t("Mostly the lower left."), words.t("Mostly the bottom."), words.t("Mostly the lower right.")],
  ];
  return place ? rows[place[0]][place[1]] : "";
}
