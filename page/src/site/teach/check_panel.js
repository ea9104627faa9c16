// The Check tab: how good it is, what it mixes up, and whose label the other photos doubt.

import { make, makeButton, openViewer, unbroken } from "dashboard:widgets/common.js";
import { sayShare } from "../words.js";
import { Widget } from "../widgets/widget.js";
import { sayJudged } from "./judged.js";
import { Lens } from "./photos.js";

const FEW = 12;

export class CheckPanel {
  constructor({ project, lesson, words, pictures, root, show, teach }) {
    Object.assign(this, { project, lesson, words, pictures, root, teach, render: show, shown: FEW });
    root.classList.add("fastclf-check");
    [project, lesson, words].forEach((one) => one.onChange(() => this.plan()));
  }

  // Draws when it is first looked at.
  start() {
    this.started = true;
    this.draw();
  }

  plan() {
    if (!this.started || this.planned) return;
    this.planned = true;
    setTimeout(() => {
      this.planned = false;
      this.draw();
    }, 60);
  }

  draw() {
    const { words, lesson } = this;
    const key = JSON.stringify([words.code, Boolean(lesson.learning), lesson.vocab, this.shown, this.doubts]);
    if (key === this.key && lesson.taught === this.drawn) return;
    Object.assign(this, { key, drawn: lesson.taught });
    const focused = this.root.contains(document.activeElement) ? document.activeElement.closest("[data-id]")?.dataset.id ?? "" : null;
    this.stop?.();
    this.stop = null;
    this.root.replaceChildren(...(lesson.taught ? [this.drawFigures(), this.drawDoubts()] : [this.drawNothing()]));
    if (focused !== null) (this.root.querySelector(`[data-id="${focused}"] button`) ?? this.root.querySelector(".fastclf-doubts button, h2")).focus();
  }

  drawNothing() {
    const { words, lesson } = this;
    return make("p", "fastclf-note", lesson.learning ? words.t("Learning ...") : words.t("It needs photos of two classes at least."), { role: "status" });
  }

  drawFigures() {
    const { words, lesson } = this;
    const { judged, classes } = lesson.taught;
    const box = make("section", "fastclf-about-part");
    box.append(make("h2", "", words.t("How good is it?"), { tabindex: -1 }), make("p", "fastclf-check-said", lesson.learning ? words.t("Learning ...") : unbroken(sayJudged(words, judged)), { role: "status" }));
    box.append(make("p", "fastclf-file", words.t("Each photo was judged by a classifier that had learned from the others; photos of one press of the button were kept together. Photos of other days and places may be harder.")));
    box.append(make("p", "fastclf-file", words.t("It chooses one of these classes for every photo, also for one that shows none of them. A class of other things helps.")));
    if (judged) {
      const counts = lesson.countMixUps();
      const totals = counts.map((row) => row.reduce((a, b) => a + b, 0));
      const host = make("div", "fastclf-confusion-host");
      box.append(make("h3", "", words.t("What it mixes up")), host);
      const table = { names: classes.map(({ name }) => name), counts, totals };
      this.stop = this.render("ConfusionMatrix", new Widget({ table, opens: false, cleans: false, cell: {}, texts: words.texts }), host);
    }
    return box;
  }

  get doubts() {
    return this.lesson.listDoubts();
  }

  drawDoubts() {
    const { words, doubts } = this;
    const box = make("section", "fastclf-about-part");
    box.append(make("h2", "", words.t("Doubtful labels"), { tabindex: -1 }));
    if (!doubts.length) {
      box.append(make("p", "", words.t("The photos speak against no label.")));
      return box;
    }
    const list = make("ol", "fastclf-doubts", undefined, { role: "list" });
    list.append(...doubts.slice(0, this.shown).map((doubt) => this.drawDoubt(doubt)));
    box.append(make("p", "fastclf-file", words.t("These photos look like another class, the most doubtful first. Whatever you do here can be undone.")), list);
    const left = doubts.length - this.shown;
    if (left > 0) box.append(makeButton("fastclf-button fastclf-small", words.tn(left, "Show 1 more photo", "Show {n} more photos"), () => this.showMore()));
    return box;
  }

  showMore() {
    this.shown += FEW;
    this.draw();
  }

  drawDoubt({ id, label, answer, share }) {
    const { words, project, pictures } = this;
    const item = make("li", "fastclf-doubt");
    item.dataset.id = id;
    const look = makeButton("fastclf-thumb", undefined, () => this.look(id));
    look.append(pictures.make(id, project.findPhoto(id).name || words.t("photo")));
    const fields = { label: label.name, answer: answer.name, share: words.translate(sayShare(share)) };
    const row = make("div", "fastclf-row");
    const act = (text, does) => makeButton("fastclf-button fastclf-small", text, () => this.decide(does));
    row.append(
      act(words.t("Move to {label}", { label: answer.name }), () => project.move(id, answer.id)),
      act(words.t("Keep"), () => project.confirm(id)),
      act(words.t("Remove"), () => project.remove(id)),
    );
    item.append(look, make("p", "", unbroken(words.t("In {label}, looks like {answer} ({share})", fields))), row);
    return item;
  }

  decide(act) {
    act();
    this.teach.toast.hide();
    this.draw();
    this.teach.offerBack(this.words.t("Done; it learns again."));
  }

  look(id) {
    const list = () => this.doubts.map((doubt) => doubt.id);
    const back = () => (this.root.querySelector(`[data-id="${id}"] button`) ?? this.root.querySelector("h2"))?.focus();
    openViewer(new Lens({ panel: this, list, id, back }));
  }
}
