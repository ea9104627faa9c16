// What a visitor reports, as a file to send: the same as fastclf/inbox/claim.py writes.

import { encodeJpeg } from "./pictures.js";
import { hashBytes } from "./sha256.js";
import { buildZip } from "./zip.js";

const [LONGEST_SIDE, QUALITY] = [1600, 0.85];
const [MOST_NAME, MOST_TEXT] = [100, 200];

// claim: name, answer, probability, label (null: none of the classes), model
export async function buildReportZip(blob, claim) {
  const jpeg = await encodeJpeg(blob, LONGEST_SIDE, QUALITY);
  const report = {
    name: cleanName(claim.name),
    answer: bound(claim.answer),
    probability: claim.probability,
    label: bound(claim.label),
    model: bound(claim.model),
    time: new Date().toISOString().replace(/\.\d+Z$/, "+00:00"),
    sha256: hashBytes(jpeg),
  };
  const text = `${JSON.stringify(report, null, 1)}\n`;
  return buildZip({ "photo.jpg": jpeg, "report.json": new TextEncoder().encode(text) });
}

// A file's name without folders and without characters that are not seen.
export function cleanName(name) {
  const last = name.replaceAll("\\", "/").replace(/\/+$/, "").split("/").at(-1);
  const seen = [...last.replace(/\p{C}/gu, "").trim()];
  return seen.some((c) => c !== ".") ? seen.slice(-MOST_NAME).join("") : "photo";
}

function bound(text) {
  return text === null ? null : [...text.replace(/\p{Cs}/gu, "?").normalize("NFC")].slice(0, MOST_TEXT).join("");
}
