// A line over the page's foot with one button. It goes after ten seconds, but not while somebody is at it.

const TOAST_MS = 10_000;

class Toast {
  constructor(parent) {
    this.box = make("div", "fastclf-toast");
    this.box.hidden = true;
    parent.append(this.box);
    for (const name of ["pointerenter", "focusin"]) this.box.addEventListener(name, () => clearTimeout(this.timer));
    for (const name of ["pointerleave", "focusout"]) this.box.addEventListener(name, () => this.wait());
  }

  // `end` is called when the offer is over and was not taken.
  show(words, text, act, end = () => {}) {
    this.hide();
    this.end = end;
    const button = makeButton("fastclf-button fastclf-small", text, () => {
      this.end = () => {};
      this.hide();
      act();
    });
    this.box.replaceChildren(make("span", "", words, { dir: "auto" }), button);
    this.box.hidden = false;
    this.wait();
  }

  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.hide(), TOAST_MS);
  }

  hide() {
    clearTimeout(this.timer);
    if (this.box.hidden) return;
    this.box.hidden = true;
    this.end();
  }
}
