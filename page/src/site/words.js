// The page's words in its language, by the rules of fastclf/dashboard/texts.py and fastclf/errors.py.
// A message is a template with fields, { text, fields }; a field may be a message itself.

const CLASS_FIELDS = new Set(["label", "answer", "suggested", "old", "new"]);
const RIGHT_TO_LEFT = new Set(["ar"]);
const SPACED = new Set(["es"]);
const FIELD = /\{(\w+)(?::([^{}]*))?\}/g;
// what no line of text shows, but for the joiners of Persian words and of emoji
const UNSEEN = /(?![ \u200c\u200d])[\p{C}\p{Z}]/gu;

// A class as the page calls it; in a message it is not looked up once more.
export class ShownClass {
  constructor(name) {
    this.name = name;
  }

  toString() {
    return this.name;
  }
}

export function cleanText(value, most) {
  const text = [...String(value ?? "")].slice(0, most).join("");
  return text.replace(UNSEEN, " ").trim();
}

// A number with so many digits after the point, as Python writes it: a tie goes to the even digit.
export function writeFixed(value, digits) {
  const exact = Math.abs(value).toFixed(Math.min(100, digits + 60));
  const end = exact.length - 60;
  const tie = exact[end] === "5" && /^0*$/.test(exact.slice(end + 1));
  if (!tie) return value.toFixed(digits);
  const down = exact.slice(0, end).replace(/\.$/, "");
  const odd = Number(down.at(-1)) % 2 === 1;
  return odd ? value.toFixed(digits) : `${value < 0 ? "-" : ""}${down}`;
}

// A probability in whole per cent; neither 0 nor 100 unless it is exactly that.
export function sayShare(probability) {
  if (probability >= 0.995 && probability < 1) return { text: "over 99 %", fields: {} };
  if (probability > 0 && probability < 0.005) return { text: "under 1 %", fields: {} };
  return { text: "{share} %", fields: { share: writeFixed(probability * 100, 0) } };
}

export class Words {
  // texts: {language: {English text: text}}; translations: the maker's, as in the manifest
  constructor({ texts, translations }) {
    Object.assign(this, { all: texts, translations, code: "en", listeners: [] });
  }

  onChange(act) {
    this.listeners.push(act);
  }

  speak(code) {
    if (code === this.code) return;
    this.code = code;
    this.listeners.forEach((act) => act());
  }

  // {English text: text} for the components
  get texts() {
    return this.all[this.code] ?? {};
  }

  t(text, fields = {}) {
    return this.translate({ text, fields });
  }

  tn(n, one, many, fields = {}) {
    return this.t(n === 1 ? one : many, { n, ...fields });
  }

  translate(message) {
    const { text, fields = {} } = typeof message === "string" ? { text: message } : message;
    const template = this.texts[text] ?? text;
    if (!Object.keys(fields).length) return template;
    return template.replace(FIELD, (whole, name, spec) => (name in fields ? this.#write(name, fields[name], spec) : whole));
  }

  #write(name, value, spec = "") {
    if (value && typeof value === "object" && !(value instanceof ShownClass)) return this.translate(value);
    if (typeof value === "number") return this.#group(writeNumber(value, spec));
    const known = CLASS_FIELDS.has(name) && typeof value === "string" ? this.nameClass(value) : value;
    return RIGHT_TO_LEFT.has(this.code) ? `\u2068${known}\u2069` : String(known);
  }

  // thousands as the page's language groups them
  #group(number) {
    if (!SPACED.has(this.code)) return number;
    const [whole] = number.replace(/^[+-]/, "").split(".");
    return number.replaceAll(",", whole.length === "1,000".length ? "" : "\u202f");
  }

  get maker() {
    return this.translations[this.code] ?? {};
  }

  // the maker's title or intro in the page's language, or ""
  findMakerText(name) {
    return typeof this.maker[name] === "string" ? this.maker[name].trim() : "";
  }

  nameClass(label, tidy = String) {
    const classes = this.maker.classes ?? {};
    const found = Object.hasOwn(classes, label) ? classes[label] : null;
    return new ShownClass(tidy(typeof found === "string" && found.trim() ? found : label));
  }

  // {class: what the page calls it} where that differs
  nameClasses(labels) {
    return Object.fromEntries(labels.map((label) => [label, this.nameClass(label).name]).filter(([label, name]) => name !== label));
  }
}

function writeNumber(value, spec) {
  const fixed = /^(,?)\.(\d+)f$/.exec(spec);
  if (fixed) return fixed[1] ? group(writeFixed(value, Number(fixed[2]))) : writeFixed(value, Number(fixed[2]));
  return spec === "d" || !Number.isInteger(value) ? String(value) : group(String(value));
}

function group(digits) {
  return digits.replace(/\B(?<!\.\d*)(?=(\d{3})+(?!\d))/g, ",");
}
