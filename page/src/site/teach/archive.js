// A project as a zip file, which this page opens again, and `fastclf import` turns into a model and a folder of photos.

import { Fault } from "../fault.js";
import { softmax } from "../head.js";
import { hashBytes } from "../sha256.js";
import { ZipWriter } from "../zip.js";
import { computeLogits } from "./linear.js";
import { cutName } from "./project.js";

const FORMAT = 1;
const TABLE = "project.json";
const [MOST_TABLE, MOST_PHOTO, MOST_BYTES] = [64 * 2 ** 20, 20 * 2 ** 20, 2 * 2 ** 30];
const MOST_PARITY = 8;
const MOST_TEXT = 300;
const ENDINGS = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp" };
const README = `A project of fastclf's page for teaching: open it there again, or run

    fastclf import project.zip

which makes a model and a folder of photos of it.
`;

// What an image's first bytes say it is, or "".
export function sniff(bytes) {
  const text = String.fromCharCode(...bytes.subarray(0, 12));
  if (text.startsWith("\u00ff\u00d8\u00ff")) return "image/jpeg";
  if (text.startsWith("\u0089PNG\r\n\u001a\n")) return "image/png";
  if (text.startsWith("RIFF") && text.slice(8) === "WEBP") return "image/webp";
  if (text.startsWith("GIF8")) return "image/gif";
  if (text.startsWith("BM")) return "image/bmp";
  return text.slice(4, 12) === "ftypavif" ? "image/avif" : "";
}

// ---- writing

// `taught` is a lesson's; `read` gives the bytes of a photo by its id; `tell` hears (done, all)
export async function writeProject({ taught, title, fastclf, backbone, read, tell = () => {} }) {
  const pictures = [];
  for (const [i, photo] of taught.photos.entries()) {
    const jpeg = await read(photo.id);
    if (!jpeg) throw new Fault("A photo is not there any more ({name}); the project cannot be saved whole. Remove that photo.", { name: photo.name || String(i + 1) });
    pictures.push(jpeg);
    tell(i + 1, taught.photos.length);
  }
  if (pictures.reduce((sum, { length }) => sum + length, 0) > MOST_BYTES) throw new Fault("The project has more than {most} GB; remove some photos.", { most: MOST_BYTES / 2 ** 30 });
  const zip = new ZipWriter();
  const photos = listPhotos(taught, pictures);
  const table = { ...describe(taught, { title, fastclf, backbone }), photos, parity: listParity(taught, photos) };
  zip.add(TABLE, new TextEncoder().encode(`${JSON.stringify(table, null, 1)}\n`));
  zip.add("README.txt", new TextEncoder().encode(README));
  photos.forEach(({ file }, i) => zip.add(file, pictures[i]));
  return new Blob(zip.end(), { type: "application/zip" });
}

function describe({ head, classes, judged }, { title, fastclf, backbone }) {
  const { weight, bias, C, folds, tried } = head;
  const shape = [bias.length, weight.length / bias.length];
  return {
    fastclf_project: FORMAT,
    fastclf,
    created: new Date().toISOString().replace(/\.\d+Z$/, "+00:00"),
    title,
    vocab: classes.map(({ name }) => name),
    backbone,
    head: { weight: pack(weight), bias: pack(bias), shape, strength: C, folds, tried },
    judged: judged && { photos: judged.photos, right: judged.right, interval: judged.interval, by: "cross-validation" },
  };
}

function pack(floats) {
  const bytes = new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

function listPhotos({ photos, labels, groups, valid }, pictures) {
  return photos.map(({ name, sha256 }, i) => ({
    file: `photos/${labels[i]}/${String(i + 1).padStart(5, "0")}.${ENDINGS[sniff(pictures[i])] ?? "jpg"}`,
    name,
    label: labels[i],
    group: groups[i],
    split: valid[i] ? "valid" : "train",
    sha256,
  }));
}

// The first photo of each class, then others, and what the head says of them.
function listParity({ photos, labels, head, classes }, rows) {
  const first = classes.map((_, k) => labels.indexOf(k));
  const rest = [...photos.keys()].filter((i) => !first.includes(i));
  return [...first, ...rest].slice(0, MOST_PARITY).map((i) => {
    const logits = computeLogits(head, photos[i].features);
    return { file: rows[i].file, logits, probabilities: softmax(logits) };
  });
}

// ---- reading

function refuse(zip, reason) {
  return new Fault("{name} {reason}.", { name: zip.name, reason });
}

export function isProject(zip) {
  return zip.members.has(TABLE);
}

// -> {title, classes: names, photos: [{label, group, name, blob}]}; every photo is checked against its hash
export async function readProject(zip, tell = () => {}) {
  const table = await readTable(zip);
  const photos = [];
  for (const [i, { file, name, label, group, sha256 }] of table.photos.entries()) {
    const bytes = await zip.read(file, MOST_PHOTO);
    if (hashBytes(bytes) !== sha256 || !(sniff(bytes) in ENDINGS)) throw refuse(zip, { text: "is damaged ({member})", fields: { member: file } });
    photos.push({ label, name, group: group.replace(/ end$/, ""), blob: new Blob([bytes]) });
    tell(i + 1, table.photos.length);
  }
  return { title: table.title, classes: table.vocab, photos };
}

async function readTable(zip) {
  let table;
  try {
    table = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await zip.read(TABLE, MOST_TABLE)));
  } catch (fault) {
    throw fault?.fields ? fault : refuse(zip, { text: "is no project of this page ({member} cannot be read)", fields: { member: TABLE } });
  }
  if (table?.fastclf_project !== FORMAT) throw refuse(zip, { text: "was saved by another version of this page, whose projects are not known here" });
  const wrong = findWrong(table, zip);
  if (wrong) throw refuse(zip, { text: "is no project of this page ({member} cannot be read)", fields: { member: `${TABLE}: ${wrong}` } });
  return table;
}

// The name of what is not as it has to be.
function findWrong(table, zip) {
  const isText = (text, most = MOST_TEXT) => typeof text === "string" && text.length <= most;
  if (!isText(table.title)) return "title";
  const { vocab, photos } = table;
  if (!Array.isArray(vocab) || !vocab.length || !vocab.every((name) => isText(name) && name && cutName(name) === name) || new Set(vocab).size < vocab.length) return "vocab";
  if (!Array.isArray(photos)) return "photos";
  const files = new Set();
  for (const photo of photos) {
    const known = isText(photo?.file) && /^photos\/\d+\/\d+\.(jpg|png|webp)$/.test(photo.file) && zip.members.has(photo.file) && !files.has(photo.file);
    if (!known || !isText(photo.name) || !isText(photo.group) || !isText(photo.sha256, 64)) return "photos";
    if (!Number.isInteger(photo.label) || photo.label < 0 || photo.label >= vocab.length) return "photos";
    files.add(photo.file);
  }
  return "";
}
