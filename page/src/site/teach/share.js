// What was taught as a page of its own: one HTML file, as fastclf/dashboard/site/html.py writes it of a model.

import { packGzip, writeBase64, writePack } from "../pack.js";
import { hashBytes } from "../sha256.js";
import { Words } from "../words.js";
import { sayJudged } from "./judged.js";

const DATA = ["worker", "examples", "runtime", "graph"];

// `lesson.taught` is there; `teaching` has the page's parts
export async function buildPage({ lesson, teaching, title, site }) {
  const { html, style, scripts, site: held } = JSON.parse(new TextDecoder().decode(await teaching.unpack("page")));
  const { taught, vocab } = lesson;
  const packed = await packHead(teaching, taught, vocab, title);
  const known = { ...held, head: hashBytes(packed), title, vocab, about: writeAbout(site, lesson), downloads: [] };
  const all = [`window.fastclfSite = ${JSON.stringify(known)};\n`, ...scripts, take("head", 0, 1, writeBase64(packed)), ...listData(teaching.parts)].map(embed);
  const hashes = await Promise.all(all.map(hash));
  const fields = {
    SCRIPT_RULES: hashes.join(" "),
    STYLE_RULE: await hash(style),
    TITLE: escape(title || "Photo classifier"),
    STYLE: style,
    SCRIPTS: all.map((script) => `<script>${script}</script>`).join("\n"),
  };
  return new Blob([html.replace(/%([A-Z_]+)%/g, (whole, name) => fields[name] ?? whole)], { type: "text/html" });
}

// What a refit replaces, and nothing else.
async function packHead({ packed, manifest }, { head }, vocab, title) {
  const { page: _, ...parts } = packed.header.parts;
  const page = { ...packed.header.page, title, intro: "", colour: "", translations: {}, vocab, fastclf: manifest.fastclf, created: new Date().toISOString() };
  const arrays = { weight: head.weight, bias: head.bias, known: packed.arrays.known };
  return packGzip(writePack({ ...packed.header, parts, page }, arrays));
}

function listData(parts) {
  return DATA.flatMap((name) => parts[name].map((text, i) => take(name, i, parts[name].length, text)));
}

const take = (name, i, n, text) => `fastclfTake(${JSON.stringify(name)},${i},${n},${JSON.stringify(text)});\n`;

// A script does not end before its end tag.
const embed = (script) => script.replace(/<(?=\/script|!--)/gi, "\\x3c");

const escape = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.codePointAt(0)};`);

async function hash(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return `'sha256-${writeBase64(bytes)}'`;
}

// What About says, in each language.
function writeAbout(site, lesson) {
  const { photos, classes, judged } = lesson.taught;
  const counts = judged && lesson.countMixUps();
  const table = counts && { names: classes.map(({ name }) => name), counts, totals: counts.map((row) => row.reduce((a, b) => a + b, 0)) };
  const say = (code) => {
    const words = new Words({ texts: site.texts, translations: {} });
    words.speak(code);
    const lines = [
      words.t("Taught in a browser with {n} photos; it tells apart: {labels}.", { n: photos.length, labels: lesson.vocab.join(", ") }),
      sayJudged(words, judged),
      words.t("It chooses one of these classes for every photo, also for one that shows none of them. A class of other things helps."),
    ];
    const above = `<section class="fastclf-about-part"><h2>${escape(words.t("About"))}</h2>${lines.map((line) => `<p>${escape(line)}</p>`).join("")}</section>`;
    return { above: [above], below: [], table };
  };
  return Object.fromEntries(Object.keys(site.languages).map((code) => [code, say(code)]));
}
