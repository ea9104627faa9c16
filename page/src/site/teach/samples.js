// The photos of a project of Teachable Machine (.tm), or of any zip file with a folder a class.
// A .tm file is a zip: manifest.json, and the photos as "class-!-number"; that is all that public sources tell.

import { Fault } from "../fault.js";
import { sniff } from "./archive.js";
import { cutName } from "./project.js";

const SEPARATOR = "-!-";
const MOST_PHOTO = 20 * 2 ** 20;
const MOST_RUNS = 10;

// -> {title, classes: names, photos: [{label, group, name, blob}], foreign: whether it is Teachable Machine's}
export async function readSamples(zip, tell = () => {}) {
  const named = zip.names.map((name) => ({ name, ...findClass(name) })).filter(({ label }) => label);
  const foreign = named.some(({ isSample }) => isSample);
  const wanted = named.filter(({ isSample }) => isSample === foreign).sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
  const found = [];
  for (const [i, { name, label }] of wanted.entries()) {
    const bytes = await zip.read(name, MOST_PHOTO);
    if (sniff(bytes)) found.push({ label, name: name.split("/").pop(), blob: new Blob([bytes]) });
    tell(i + 1, wanted.length);
  }
  if (!found.length) throw new Fault("{name} {reason}.", { name: zip.name, reason: { text: "holds no photos in classes; a project of this page, an image project of Teachable Machine or a zip of folders does" } });
  const classes = [...new Set(found.map(({ label }) => label))];
  const photos = found.map((photo) => ({ ...photo, label: classes.indexOf(photo.label) }));
  return { title: "", classes, photos: foreign ? groupRuns(photos, classes.length) : photos, foreign };
}

function findClass(name) {
  const parts = name.split("/");
  const last = parts.pop();
  if (!last || last === "manifest.json" || parts[0] === "__MACOSX" || last.startsWith(".")) return { label: "" };
  if (!last.includes(SEPARATOR)) return { label: cutName(parts.at(-1) ?? ""), isSample: false, order: 0 };
  const at = last.lastIndexOf(SEPARATOR);
  const number = Number.parseInt(last.slice(at + SEPARATOR.length), 10);
  return { label: cutName(last.slice(0, at)), isSample: true, order: Number.isNaN(number) ? Infinity : number };
}

// Nothing tells which photos were taken at one go, and neighbours often were: runs of them are judged together.
function groupRuns(photos, classes) {
  const counts = new Array(classes).fill(0);
  photos.forEach(({ label }) => (counts[label] += 1));
  const seen = new Array(classes).fill(0);
  const stamp = Date.now().toString(36);
  return photos.map((photo) => {
    const length = Math.ceil(counts[photo.label] / MOST_RUNS);
    return { ...photo, group: `tm ${stamp} ${photo.label} ${Math.floor(seen[photo.label]++ / length)}` };
  });
}
