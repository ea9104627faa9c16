// Answers in words that are honest about doubt, as cards and as a table: fastclf/dashboard/classify/answers.py here.

import { Words, cleanText, sayShare, writeFixed } from "./words.js";

const TOP_K = 5;
const FAIR = 0.6; // from where on answers are called probable
const MOST_LABEL = 255;
const LEAST_BAR = 0.005; // what is less is "under 1 %"
const MOST_CHOICES = 12;
const MOST_NAMED = 3; // classes of a set in one line
const COLUMNS = ["file", "label", "probability", "unfamiliar", "error", "correction"];
const english = new Words({ texts: {}, translations: {} });

export function sayClass(words, label) {
  return words.nameClass(label ?? "", (name) => cleanText(name, MOST_LABEL));
}

// "failed", "unfamiliar", "sure", "probable" or "unsure"
export function findLevel(prediction, sure) {
  if (prediction.error || prediction.probability === null) return "failed";
  if (prediction.unfamiliar) return "unfamiliar";
  if (prediction.probability >= sure) return "sure";
  return prediction.probability >= FAIR ? "probable" : "unsure";
}

export function describe(words, prediction, sure) {
  const level = findLevel(prediction, sure);
  if (level === "failed") return words.translate(prediction.error ?? "");
  const fields = { label: sayClass(words, prediction.label), share: sayShare(prediction.probability) };
  if (level === "unfamiliar") return words.t("Unlike the photos this model learned from (closest: {label}, {share})", fields);
  if (level === "sure") return words.t("{label}, {share}", fields);
  const named = prediction.label_set ?? [];
  if (named.length >= 2 && named.length <= MOST_NAMED) return describeSet(words, named, prediction.set_coverage);
  if (level === "probable") return words.t("probably {label}, {share}", fields);
  return words.t("not sure; perhaps {label}, {share}", fields);
}

// Names the classes one of which is right, where one is not enough.
function describeSet(words, named, coverage) {
  const [a, b, c] = named.map((label) => sayClass(words, label));
  const share = sayShare(coverage ?? 0);
  if (c) return words.t("{a}, {b} or {c}, {share}", { a, b, c, share });
  return words.t("{a} or {b}, {share}", { a, b, share });
}

export function saySaid(words, said) {
  return said.label === null ? words.t("none of these") : sayClass(words, said.label).name;
}

export function sayName(words, answer) {
  return answer.example ? words.t("Example photo {n}", { n: answer.example }) : answer.name;
}

export function buildCard(words, answer, sure) {
  const { prediction, said } = answer;
  const probs = [...(prediction.probs ?? [])]; // a Map, most probable first
  const level = findLevel(prediction, sure);
  const shown = probs.slice(0, countBars(probs));
  return {
    key: answer.key,
    batch: answer.batch,
    order: answer.order,
    name: sayName(words, answer),
    example: Boolean(answer.example),
    words: describe(words, prediction, sure),
    level,
    label: prediction.label,
    probability: prediction.probability,
    unfamiliar: prediction.unfamiliar,
    bars: shown.map(([label, p]) => [sayClass(words, label).name, p, words.translate(sayShare(p))]),
    more: sayRest(words, probs.slice(shown.length)),
    among: level === "probable" || level === "unsure" ? sayChoices(words, probs) : "",
    said: said ? { label: said.label, words: saySaid(words, said) } : null,
  };
}

// How many bars are worth their place: one alone is never left out.
function countBars(probs) {
  const likely = Math.max(1, probs.slice(0, TOP_K).filter(([, p]) => p >= LEAST_BAR).length);
  return probs.length - likely <= 1 ? probs.length : likely;
}

function sayRest(words, rest) {
  if (!rest.length) return "";
  if (rest[0][1] < LEAST_BAR) return words.t("{n} more classes, each under 1 %.", { n: rest.length });
  return words.t("{n} more classes are less likely.", { n: rest.length });
}

// Between which classes a doubtful answer was chosen.
function sayChoices(words, probs) {
  const labels = probs.map(([label]) => sayClass(words, label).name).sort(compare);
  let named = labels.slice(0, MOST_CHOICES).join(", ");
  if (labels.length > MOST_CHOICES) named = words.t("{labels} and {n} more", { labels: named, n: labels.length - MOST_CHOICES });
  return words.t("Chosen among {labels}. If it shows something else, the answer is wrong.", { labels: named });
}

// By code points, as Python sorts.
function compare(a, b) {
  const [left, right] = [[...a], [...b]];
  const at = left.findIndex((c, i) => c !== right[i]);
  if (at < 0) return left.length - right.length;
  return at < right.length ? left[at].codePointAt(0) - right[at].codePointAt(0) : 1;
}

// All answers as CSV, a row a photo, as the dashboard writes it.
export function buildTable(words, answers) {
  const labels = [...new Set(answers.flatMap(({ prediction }) => [...(prediction.probs?.keys() ?? [])].sort(compare)))];
  const rows = answers.map((answer) => buildRow(words, answer, labels));
  const lines = [[...COLUMNS, ...labels], ...rows].map((row) => row.map(writeCell).join(","));
  return new TextEncoder().encode(`\ufeff${lines.join("\r\n")}\r\n`);
}

function buildRow(words, answer, labels) {
  const { prediction: p, said } = answer;
  const share = (value) => (value === null || value === undefined ? "" : writeFixed(value, 6));
  const unfamiliar = p.unfamiliar === null || p.unfamiliar === undefined ? "" : String(p.unfamiliar);
  const word = said ? said.label || saySaid(words, said) : "";
  // the reason stays English, as in every file
  const error = p.error ? english.translate(p.error) : "";
  return [sayName(words, answer), p.label ?? "", share(p.probability), unfamiliar, error, word, ...labels.map((label) => share(p.probs?.get(label)))];
}

// A cell that a spreadsheet reads as text, never as a formula.
function writeCell(text) {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
