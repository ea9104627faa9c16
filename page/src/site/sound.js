// Whether a folder's head fits together, before anything is computed with it: one damaged or exchanged is told at once.

const MOST_SIDE = 2048; // pixels of the network's photo; fastclf trains up to 1024
const PARTS = ["worker", "examples", "runtime", "graph"];
const WAYS = ["squish", "crop", "pad"];

// Throws where it does not.
export function checkHead(found) {
  const { header, arrays } = found;
  const { vocab } = header.page;
  const count = vocab.length;
  const width = arrays.weight.length / count;
  need(Array.isArray(vocab) && count > 1 && vocab.every((label) => typeof label === "string"));
  need(arrays.bias.length === count && Number.isInteger(width) && width > 0);
  need(header.temperature > 0 && Number.isFinite(header.temperature));
  need(!header.sets || (isShare(header.sets.threshold) && isShare(header.sets.coverage)));
  need(!arrays.known || arrays.known.length === width);
  checkParts(header, PARTS);
  checkPreprocess(header.preprocess);
  if (header.ood) checkDetector(header.ood, arrays, count, width);
}

// The same of a page that has learned nothing yet.
export function checkTeaching({ header, arrays }) {
  need(arrays.known.length > 0 && header.page.vocab.length === 0 && typeof header.page.backbone.features_id === "string");
  checkParts(header, [...PARTS, "page"]);
  checkPreprocess(header.preprocess);
}

function checkParts({ parts }, names) {
  need(names.every((name) => Array.isArray(parts[name].sizes)));
}

function need(holds) {
  if (!holds) throw new Error("the head does not fit together");
}

const isShare = (x) => x >= 0 && x <= 1;
const isSide = (x) => Number.isInteger(x) && x > 0 && x <= MOST_SIDE;

function checkPreprocess({ input_size: [planes, ...seen], resize_to: whole, method, least_side: least }) {
  need(planes === 3 && seen.length === 2 && seen.every(isSide) && whole.length === 2 && whole.every(isSide));
  need(seen.every((side, i) => side <= whole[i]) && WAYS.includes(method) && (least ?? 0) >= 0);
}

function checkDetector({ kind, threshold, rest }, arrays, count, width) {
  const rank = arrays["ood.variances"].length;
  need(["mahalanobis", "mahalanobis+energy"].includes(kind) && Number.isFinite(threshold) && rest > 0);
  need(arrays["ood.means"].length === count * width && arrays["ood.axes"].length === width * rank);
  need(!arrays["ood.scales"] || arrays["ood.scales"].length === rank);
  const joint = { weight: count * width, bias: count, usual: 2, spread: 2 };
  if (kind !== "mahalanobis") need(Object.entries(joint).every(([name, n]) => arrays[`ood.${name}`].length === n));
}
