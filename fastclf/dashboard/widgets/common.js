// What every script of the page shares; it stands before each of them. Words are only ever set as text.

// make("p", "fastclf-note", "Ready.", { role: "status" })
function make(tag, className, text, attributes = {}) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function makeButton(className, text, onClick) {
  const button = make("button", className, text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

function makeUrl(bytes, type = "image/jpeg") {
  return URL.createObjectURL(new Blob([bytes], { type }));
}

// Hands bytes to the browser as a file to save.
function save(bytes, name, type) {
  const url = makeUrl(bytes, type);
  const link = Object.assign(make("a"), { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// "46 %" and "t-shirt" stay on one line: a no-break space, and a word joiner after a hyphen.
function unbroken(text) {
  return text.replace(/(\d) %/g, "$1\u00a0%").replace(/-(?=\S)/g, "-\u2060");
}

// What the colours of a heat map mean.
function makeLegend(little, much) {
  // who listens has heard it in words
  const legend = make("span", "fastclf-legend", undefined, { "aria-hidden": true });
  legend.append(make("span", "", little), make("span", "fastclf-legend-scale", undefined, { "aria-hidden": true }), make("span", "", much));
  return legend;
}

// Large pictures of a list's photos: each is asked for once, and the newest dozen are kept.
class LargePictures {
  constructor(model) {
    this.model = model;
    this.urls = new Map();
    this.waiting = new Map();
    this.listeners = new AbortController();
    onMended(() => this.waiting.forEach((_, key) => model.send({ type: "large", key })), this.listeners.signal);
  }

  // a promise of the picture's address, of undefined where there is none
  get(key) {
    if (this.urls.has(key)) return Promise.resolve(this.urls.get(key));
    return new Promise((done) => {
      if (!this.waiting.has(key)) this.model.send({ type: "large", key });
      this.waiting.set(key, [...(this.waiting.get(key) || []), done]);
    });
  }

  take({ key }, buffers) {
    const url = buffers?.length ? makeUrl(buffers[0]) : undefined;
    if (url) this.urls.set(key, url);
    this.waiting.get(key)?.forEach((done) => done(url));
    this.waiting.delete(key);
    for (const [old, kept] of this.urls) {
      if (this.urls.size <= 12) break;
      URL.revokeObjectURL(kept);
      this.urls.delete(old);
    }
  }

  clear() {
    this.listeners.abort();
    this.urls.forEach((url) => URL.revokeObjectURL(url));
    this.urls.clear();
  }
}

// Asks the page's viewer to show a photo of a list; `host` is the list's side of it (see viewer.py).
function openViewer(host) {
  document.dispatchEvent(new CustomEvent("fastclf-view", { cancelable: true, detail: host }));
}

// Whether the page stands in another site's page, see page/src/embed.js.
function isEmbedded() {
  return document.documentElement.classList.contains("fastclf-embed");
}

// In a frame as high as its page a dialog opens beside what was clicked: that is where somebody looks.
function openSheet(sheet) {
  const beside = document.activeElement?.getBoundingClientRect().top ?? 0;
  sheet.showModal();
  if (isEmbedded()) sheet.style.top = `${Math.max(0, Math.min(beside, innerHeight - sheet.offsetHeight))}px`;
}

// listenTo(model, { "change:texts": act }): listens until what it returns is called.
function listenTo(model, handlers) {
  for (const [name, act] of Object.entries(handlers)) model.on(name, act);
  return () => Object.entries(handlers).forEach(([name, act]) => model.off(name, act));
}

// After a broken line an answer may be lost: whoever waits for one asks again.
function onMended(act, signal) {
  document.addEventListener("fastclf-mended", act, { signal });
}

// What a widget's script exports: a view of the model is made for an element, and closed with it.
function showAs(View) {
  return {
    render({ model, el }) {
      const view = new View(model, el);
      return () => view.close();
    },
  };
}

// A whole number with its thousands grouped as the page's language does, see fastclf/dashboard/texts.py.
function writeCount(n) {
  const grouped = n.toLocaleString("en-US");
  return document.documentElement.lang === "es" ? grouped.replaceAll(",", Math.abs(n) < 10_000 ? "" : "\u202f") : grouped;
}

// t("Choose photos"), t("{n} photos", { n }): the English text is the key of the catalogue.
function makeTranslator(model) {
  const write = (value) => (Number.isInteger(value) ? writeCount(value) : String(value));
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? write(values[name]) : whole));
  const t = (text, values = {}) => fill(model.get("texts")?.[text] ?? text, values);
  const tn = (n, one, many, values = {}) => t(n === 1 ? one : many, { n, ...values });
  // the page's name of a class, where the maker gave one in its language
  const nameClass = (label) => model.get("names")?.[label] ?? label;
  return { t, tn, nameClass };
}
