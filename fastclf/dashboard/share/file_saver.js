// A button that saves a file of the kernel's machine: it comes in parts, each asked for once the one before is there.

class FileSaver {
  constructor(model, el) {
    Object.assign(this, { model, el, parts: [] }, makeTranslator(model));
    this.button = makeButton("fastclf-button fastclf-primary", "", () => this.start());
    this.line = make("p", "fastclf-saver-line", undefined, { role: "status" });
    el.append(this.button, this.line);
    this.listeners = new AbortController();
    // the answer may have been lost with the line
    onMended(() => this.parts.length && this.ask(), this.listeners.signal);
    const show = () => this.show();
    this.stop = listenTo(model, {
      "change:size": () => this.reset(),
      "change:texts": show,
      "msg:custom": (content, buffers) => content.type === "part" && this.take(content, buffers),
    });
    show();
  }

  close() {
    this.stop();
    this.listeners.abort();
  }

  get loaded() {
    return this.parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  reset() {
    [this.parts, this.saving, this.failed] = [[], false, false];
    this.show();
  }

  start() {
    if (this.saving) return;
    this.reset();
    this.saving = true;
    this.ask();
    this.show();
  }

  ask() {
    this.model.send({ type: "part", offset: this.loaded });
  }

  take({ offset }, buffers) {
    if (!this.saving || offset !== this.loaded) return; // one that was asked for twice
    if (!buffers?.[0]?.byteLength) return this.fail();
    this.parts.push(buffers[0]);
    if (this.loaded < this.model.get("size")) this.ask();
    else this.finish();
    this.show();
  }

  finish() {
    save(new Blob(this.parts), this.model.get("name"), "application/octet-stream");
    [this.parts, this.saving] = [[], false];
  }

  fail() {
    [this.parts, this.saving, this.failed] = [[], false, true];
    this.show();
  }

  show() {
    const size = this.model.get("size");
    this.button.hidden = !size;
    this.button.textContent = this.t("Save the file");
    this.button.setAttribute("aria-disabled", String(Boolean(this.saving)));
    if (this.failed) this.line.textContent = this.t("The file is not there any more. Make the page anew.");
    else if (this.saving) this.line.textContent = this.t("Saving: {percent} %", { percent: Math.floor((100 * this.loaded) / size) });
    else this.line.textContent = "";
  }
}

export default showAs(FileSaver);
