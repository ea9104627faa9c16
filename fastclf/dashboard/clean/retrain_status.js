// What Retrain says of itself, and its progress bar. The button that was pressed is gone then: the focus comes here.

class RetrainStatus {
  constructor(model, el) {
    Object.assign(this, { model, el }, makeTranslator(model));
    this.line = make("p", "", undefined, { role: "status", tabindex: -1 });
    this.bar = make("div", "fastclf-meter", undefined, { role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 });
    this.bar.append(make("span"));
    this.step = make("p", "fastclf-clock", undefined, { role: "timer" });
    el.append(this.line, this.bar, this.step);
    const show = () => this.show();
    this.close = listenTo(model, {
      "change:said": show,
      "change:work": show,
      "change:texts": show,
      "msg:custom": ({ type }) => type === "focus" && this.line.focus(),
    });
    show();
  }

  show() {
    const { kind, text = "" } = this.model.get("said");
    const { percent, text: step = "" } = this.model.get("work");
    const wasBusy = this.line.className === "fastclf-busy";
    this.line.setAttribute("role", kind === "error" ? "alert" : "status");
    this.line.className = `fastclf-${kind}`;
    if (this.line.textContent !== text) this.line.textContent = text;
    this.bar.hidden = percent === undefined;
    this.bar.setAttribute("aria-label", this.t("Retraining"));
    this.bar.setAttribute("aria-valuenow", percent ?? 0);
    this.bar.firstChild.style.inlineSize = `${percent ?? 0}%`;
    this.step.textContent = step;
    if (wasBusy && kind === "done") requestAnimationFrame(() => this.goOn());
  }

  // whoever waited here goes on to what there is to compare
  goOn() {
    if (document.activeElement === this.line) this.el.closest(".fastclf-retrain")?.querySelector(".fastclf-compare h3")?.focus();
  }
}

export default showAs(RetrainStatus);
