// Where photos come in. Large ones are scaled down and turned here, so that little travels.

const AHEAD = 2; // photos under way at once
const QUALITIES = [0.9, 0.82, 0.74, 0.66];
const PLAIN = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/avif"];

const ADDRESS = /^(https?:\/\/|data:image\/)\S+$/i;
const LONGEST_ADDRESS = 10_000; // longer than any that is fetched
const MOST_NAMED = 5; // photos in one sentence

const rest = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function makeCanvas(width, height) {
  if (typeof OffscreenCanvas === "function") return new OffscreenCanvas(width, height);
  return Object.assign(document.createElement("canvas"), { width, height });
}

function encode(canvas, quality) {
  if (canvas.convertToBlob) return canvas.convertToBlob({ type: "image/jpeg", quality });
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
}

// Draws a picture smaller, at most by half at a time: a single large step would skip pixels.
function shrink(picture, width, height) {
  let source = picture;
  for (;;) {
    const w = Math.max(width, Math.ceil(source.width / 2));
    const h = Math.max(height, Math.ceil(source.height / 2));
    const canvas = makeCanvas(w, h);
    const context = canvas.getContext("2d", { alpha: false });
    context.fillStyle = "#fff"; // what is transparent lies on white, as for the network
    context.fillRect(0, 0, w, h);
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, w, h);
    if (w === width && h === height) return canvas;
    source = canvas;
  }
}

// Browsers show 16 bits a colour by another rule than the kernel, which is what the network learned from.
async function isDeep(file) {
  const head = new Uint8Array(await file.slice(0, 25).arrayBuffer());
  return head[1] === 0x50 && head[2] === 0x4e && head[24] === 16; // a PNG's header says its bits
}

// A picture that stands in its own address is a file like any other; null where it cannot be read.
function readData(url) {
  const [, type, body] = /^data:(image\/[^;,]+)(?:;[^;,]*)*;base64,(.*)$/is.exec(url) || [];
  if (!type) return null;
  try {
    const bytes = Uint8Array.from(atob(decodeURIComponent(body)), (c) => c.charCodeAt(0));
    return new File([bytes], `photo.${type.slice(6)}`, { type });
  } catch {
    return null;
  }
}

// Returns what to send of a file: its own bytes where they are few, else a smaller upright JPEG.
export async function prepare(file, limits) {
  if (file.size <= limits.sent && (PLAIN.includes(file.type) || !file.type)) return file;
  let picture;
  try {
    if (await isDeep(file)) return file;
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file; // the kernel knows formats that browsers do not, and says what is wrong with the others
  }
  try {
    let side = Math.min(limits.side, Math.max(picture.width, picture.height));
    for (;;) {
      const scale = side / Math.max(picture.width, picture.height);
      const size = [picture.width, picture.height].map((n) => Math.max(1, Math.round(n * scale)));
      const canvas = shrink(picture, ...size);
      for (const quality of QUALITIES) {
        const blob = await encode(canvas, quality);
        if (blob && blob.size <= limits.sent) return blob;
      }
      if (side < 300) return file;
      side = Math.round(side * 0.8);
    }
  } finally {
    picture.close();
  }
}

class Drop {
  constructor(model, el) {
    this.model = model;
    Object.assign(this, makeTranslator(model));
    this.limits = model.get("limits");
    this.queue = [];
    this.waiting = new Map();
    this.total = this.done = this.answered = this.left = 0;
    // higher than those of this page before it was loaded again
    this.number = this.batch = Date.now();
    this.root = make("section", "fastclf-drop");
    el.append(this.root);
    this.listeners = new AbortController();
    this.draw();
    this.listen();
    model.on("msg:custom", (content, buffers) => this.onMessage(content, buffers));
    model.on("change:texts", () => this.redraw());
    model.on("change:said", () => this.showSaid());
    const { signal } = this.listeners;
    document.addEventListener("fastclf-clear", () => this.total && this.cancel(""), { signal });
    document.addEventListener("fastclf-lost", () => this.total && this.cancel(this.t("The session has ended before all photos were looked at.")), { signal });
    document.addEventListener("fastclf-again", (event) => this.takeAgain(event), { signal });
    onMended(() => this.sendWaiting(), signal);
    document.dispatchEvent(new CustomEvent("fastclf-drop"));
    model.set("alive", true);
    model.save_changes();
    if (model.get("examples")) model.send({ type: "examples" });
  }

  close() {
    this.listeners.abort();
    this.camera.end();
    this.live.end();
    this.pictures?.forEach((url) => url && URL.revokeObjectURL(url));
    this.root.closest(".fastclf")?.classList.remove("fastclf-alive");
  }

  redraw() {
    const typed = [this.address.value, this.address.closest("details").open];
    this.root.replaceChildren();
    this.draw();
    this.showExamples();
    [this.address.value, this.address.closest("details").open] = typed;
    this.show();
  }

  draw() {
    const { t } = this;
    const heading = make("h2", "fastclf-quiet", t("Your photos"));
    this.zone = make("div", "fastclf-drop-zone");
    this.zone.append(this.drawButtons(), make("p", "fastclf-drop-hint", t("or drop them anywhere on this page, or paste them")));
    this.zone.append(make("p", "fastclf-drop-formats", this.sayFormats()), this.drawAddress());
    this.progress = this.drawProgress();
    this.note = make("p", "fastclf-drop-note", undefined, { role: "status" });
    this.alert = make("p", "fastclf-drop-note fastclf-error", undefined, { role: "alert" });
    this.examples = make("div", "fastclf-examples");
    this.root.append(heading, this.zone, this.progress, this.note, this.alert, this.examples);
    requestAnimationFrame(() => this.root.closest(".fastclf")?.classList.add("fastclf-alive"));
  }

  sayFormats() {
    const { t, limits } = this;
    const n = limits.bytes >> 20;
    if (limits.local) return t("JPEG, PNG, WebP and AVIF, up to {n} MB each", { n });
    return limits.heic ? t("JPEG, PNG, WebP, AVIF, TIFF and iPhones' HEIC, up to {n} MB each", { n }) : t("JPEG, PNG, WebP, AVIF and TIFF, up to {n} MB each", { n });
  }

  drawButtons() {
    const row = make("div", "fastclf-row");
    this.input = this.makeInput({ multiple: true });
    const choose = makeButton("fastclf-button fastclf-primary", this.t("Choose photos"), () => this.input.click());
    row.append(choose);
    this.camera?.end();
    this.camera = new Camera(this);
    this.live?.end();
    this.live = new Live(this);
    if (matchMedia("(pointer: coarse)").matches) {
      const camera = this.makeInput({ capture: "environment" });
      row.append(makeButton("fastclf-button", this.t("Take a photo"), () => camera.click()), camera);
    } else row.append(makeButton("fastclf-button", this.t("Take a photo"), () => this.camera.open()));
    if (this.limits.local) row.append(makeButton("fastclf-button", this.t("Live answers"), () => this.live.open()));
    if (navigator.clipboard?.read) row.append(makeButton("fastclf-button", this.t("Paste"), () => this.paste()));
    row.append(this.input);
    return row;
  }

  // What a button may paste; Ctrl+V works everywhere.
  async paste() {
    let items;
    try {
      items = await navigator.clipboard.read();
    } catch {
      return this.warn(this.t("The browser does not let this page read the clipboard. Press Ctrl+V instead."));
    }
    const files = [];
    for (const item of items) {
      const type = item.types.find((one) => one.startsWith("image/"));
      if (type) files.push(new File([await item.getType(type)], `${this.t("photo")}.${type.slice(6)}`, { type }));
    }
    const texts = items.filter((item) => item.types.includes("text/plain"));
    const address = files.length || !texts.length ? "" : (await (await texts[0].getType("text/plain")).text()).trim();
    if (files.length) this.takeFiles(files);
    else if (ADDRESS.test(address)) this.takeAddress(address);
    else this.warn(this.t("There is no photo and no web address to paste. Copy one first."));
  }

  makeInput(properties) {
    const input = Object.assign(make("input"), { type: "file", accept: "image/*,.heic,.heif", hidden: true, ...properties });
    input.addEventListener("change", () => {
      this.takeFiles([...input.files]);
      input.value = ""; // the same file may come again
    });
    return input;
  }

  drawAddress() {
    const details = make("details", "fastclf-address");
    details.hidden = Boolean(this.limits.local); // a page without a server fetches nothing
    const form = make("form", "fastclf-row");
    const label = make("label", "fastclf-field");
    this.address = Object.assign(make("input"), { type: "text", inputMode: "url", autocomplete: "off", spellcheck: false, dir: "ltr", placeholder: "https://" });
    label.append(make("span", "", this.t("Web address of a photo")), this.address);
    const go = make("button", "fastclf-button", this.t("Fetch it"));
    form.append(label, go);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.address.value.trim()) this.takeAddress(this.address.value.trim());
      else this.warn(this.t("Type or paste the address of a photo first."));
    });
    details.append(make("summary", "", this.t("Use a photo from the web")), form);
    return details;
  }

  drawProgress() {
    const box = make("div", "fastclf-progress");
    box.hidden = !this.total;
    this.bar = make("progress", "", undefined, { "aria-label": this.t("Photos answered") });
    this.count = make("span", "fastclf-progress-count");
    box.append(this.bar, this.count, makeButton("fastclf-button", this.t("Cancel"), () => this.cancel()));
    return box;
  }

  showExamples() {
    if (!this.pictures?.some(Boolean)) return;
    const title = make("p", "", this.t("No photo at hand? Try one of these:"));
    const list = make("ul");
    this.pictures.forEach((url, index) => {
      if (!url) return;
      const button = makeButton("fastclf-example", undefined, () => this.takeExample(index));
      const image = Object.assign(make("img"), { src: url, alt: this.t("Example photo {n}", { n: index + 1 }) });
      button.title = image.alt;
      button.append(image);
      const item = make("li");
      item.append(button);
      list.append(item);
    });
    this.examples.replaceChildren(title, list);
  }

  listen() {
    const { signal } = this.listeners;
    const on = (name, act) => document.addEventListener(name, act, { signal });
    const visible = () => this.root.offsetParent !== null;
    const holds = (event) => [...(event.dataTransfer?.types || [])].some((type) => type === "Files" || type === "text/uri-list");
    // dropped anywhere else, the browser would open the photo in the page's place
    const comeHere = () => visible() || document.getElementById("fastclf-tab-classify")?.click();
    on("dragover", (event) => {
      if (!holds(event)) return;
      event.preventDefault();
      comeHere();
      this.root.classList.add("fastclf-drop-over");
    });
    on("dragleave", (event) => event.relatedTarget || this.root.classList.remove("fastclf-drop-over"));
    on("drop", (event) => {
      this.root.classList.remove("fastclf-drop-over");
      if (!holds(event)) return;
      event.preventDefault();
      comeHere();
      this.takeTransfer(event.dataTransfer);
    });
    on("paste", (event) => {
      const typing = event.target.closest?.("input, textarea");
      if (!visible() || (typing && !event.clipboardData?.files.length)) return;
      if (this.takeTransfer(event.clipboardData)) event.preventDefault();
    });
  }

  // Takes files, else a web address; a picture dragged from another page comes as an address.
  takeTransfer(data) {
    const folders = [...(data?.items || [])].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry?.isDirectory);
    const names = new Set(folders.map((entry) => entry.name));
    const files = [...(data?.files || [])].filter((file) => file.type || !names.has(file.name));
    if (names.size) {
      this.warn(this.t("{name} is a folder; open it and drop the photos in it.", { name: [...names].join(", ") }));
      if (!files.length) return true;
    }
    if (files.length) this.takeFiles(files);
    const address = files.length ? "" : (data?.getData("text/uri-list") || data?.getData("text/plain") || "").trim();
    if (ADDRESS.test(address.split("\n")[0])) this.takeAddress(address.split("\n")[0]);
    else if (!files.length) return false;
    return true;
  }

  takeFiles(files) {
    const most = this.limits.photos;
    const left = files.slice(most);
    if (left.length) {
      const names = left.slice(0, MOST_NAMED).map(({ name }) => name).join(", ") + (left.length > MOST_NAMED ? " ..." : "");
      this.warn(this.t("{n} more were skipped: {most} photos at once are the limit. Choose those afterwards: {names}", { n: left.length, most, names }));
    }
    this.add(files.slice(0, most).map((file) => ({ file })), left.length > 0);
  }

  takeAddress(url) {
    const file = readData(url);
    this.add([file ? { file } : { message: { type: "address", url: url.slice(0, LONGEST_ADDRESS) } }]);
  }

  // An address that did not work can be mended.
  showAddress(url, fault) {
    if (!fault && this.address.value.trim() === url) this.address.value = "";
    if (!fault || url.startsWith("data:")) return;
    this.address.value ||= url;
    this.address.closest("details").open = true;
  }

  // After a reload: what stands on the page is asked again, under its numbers of before.
  takeAgain(event) {
    event.preventDefault();
    const jobs = event.detail.filter(({ message }) => message);
    this.add(jobs);
  }

  takeExample(index) {
    this.add([{ message: { type: "example", index } }]);
  }

  add(jobs, warned = false) {
    if (!jobs.length) return;
    if (!warned) this.warn("");
    if (!this.total) {
      this.batch += 1;
      this.done = this.answered = this.left = 0;
    }
    this.queue.push(...jobs);
    this.total += jobs.length;
    this.show();
    this.pump();
  }

  async pump() {
    while (this.queue.length && this.waiting.size < AHEAD) {
      const job = this.queue.shift();
      const id = job.id ?? ++this.number;
      job.batch ??= this.batch;
      this.waiting.set(id, job);
      await this.sendJob(id, job);
    }
  }

  async sendJob(id, job) {
    const message = { ...job.message, id, batch: job.batch };
    if (job.file) await this.sendFile(message, job.file);
    else this.send(message, job.bytes);
  }

  // The kernel knows what it has answered, and says it again.
  async sendWaiting() {
    for (const [id, job] of [...this.waiting]) if (this.waiting.has(id)) await this.sendJob(id, job);
    if (this.model.get("examples") && !this.pictures) this.model.send({ type: "examples" });
  }

  // The answers hear what was sent: they keep it for a reload.
  send(message, bytes) {
    const { id, batch, ...rest } = message;
    document.dispatchEvent(new CustomEvent("fastclf-sent", { detail: { id, message: rest, bytes } }));
    this.model.send(message, undefined, bytes ? [bytes.slice().buffer] : undefined);
  }

  async sendFile(message, file) {
    const round = this.batch;
    const name = file.name || this.t("photo");
    let blob, bytes;
    try {
      blob = await prepare(file, this.limits);
      if (blob.size <= this.limits.bytes) bytes = await blob.arrayBuffer();
    } catch {
      blob = null; // a file that cannot be read, a folder for example
    }
    if (round !== this.batch || !this.waiting.has(message.id)) return;
    if (bytes) this.send({ type: "photo", name, ...message }, new Uint8Array(bytes));
    else if (blob) this.send({ type: "large", name, size: blob.size, ...message });
    else this.finish(message.id, this.t("{name} could not be read by the browser.", { name }));
    await rest(0);
  }

  onMessage(content, buffers) {
    if (content.type === "done") {
      if (content.stop) {
        this.left = this.queue.length;
        this.queue.length = 0;
      }
      this.finish(content.id, content.fault, content.stop);
    } else if (content.type === "live") this.live.show(content);
    else if (content.type === "examples") {
      this.pictures = buffers.map((bytes) => (bytes.byteLength ? makeUrl(bytes) : ""));
      this.showExamples();
    }
  }

  finish(id, fault, stop) {
    const job = this.waiting.get(id);
    if (!job) return;
    this.waiting.delete(id);
    if (job.message?.type === "address") this.showAddress(job.message.url, fault);
    this.done += 1;
    if (fault) this.addFault(fault);
    else this.answered += 1;
    if (stop) {
      this.addFault(this.left ? this.tn(this.left, "1 photo was skipped.", "{n} photos were skipped.") : "");
      this.total = this.done + this.waiting.size;
    }
    if (this.queue.length || this.waiting.size) {
      this.show();
      this.pump();
    } else this.end(this.answered > 1 ? this.t("{n} photos looked at.", { n: this.answered }) : "");
  }

  // Several things may go wrong in one upload.
  addFault(words) {
    const lines = [...this.alert.textContent.split("\n").filter(Boolean), words];
    this.warn([...new Set(lines.filter(Boolean))].slice(0, 4).join("\n"));
  }

  cancel(words) {
    const left = this.queue.length + this.waiting.size;
    const batches = new Set([this.batch, ...[...this.waiting.values()].map(({ batch }) => batch)]);
    this.queue.length = 0;
    this.waiting.clear();
    batches.forEach((batch) => this.model.send({ type: "cancel", batch }));
    this.end(words ?? this.tn(left, "Cancelled; 1 photo was skipped.", "Cancelled; {n} photos were skipped."));
    if (words === undefined) this.root.querySelector(".fastclf-primary").focus();
  }

  end(words) {
    this.model.send({ type: "settle", batch: this.batch });
    this.total = 0;
    this.show();
    this.note.textContent = words;
  }

  show() {
    const busy = this.total > 0;
    this.progress.hidden = !busy;
    if (!busy) return;
    this.bar.max = this.total;
    this.bar.value = this.done;
    this.count.textContent = this.t("Photo {n} of {total}", { n: Math.min(this.done + 1, this.total), total: this.total });
    if (!this.done) this.note.textContent = this.tn(this.total, "Looking at the photo ...", "Looking at {n} photos ...");
  }

  showSaid() {
    const said = this.model.get("said");
    if (said.bad) this.warn(said.text);
  }

  // Wherever one has scrolled, a refusal is seen.
  warn(words) {
    this.alert.textContent = words;
    if (words && this.root.offsetParent) this.alert.scrollIntoView({ block: "nearest" });
  }
}

export default showAs(Drop);
