// What the page without a server computes, on what a test hands over: a JSON array of cases in, one of results out.

import { readFileSync } from "node:fs";

const home = new URL("../../page/src/site/", import.meta.url);
const load = (name) => import(new URL(`${name}.js`, home));
const [drawn, head, heat, pack, photo, preprocess, resample, sha] = await Promise.all(
  ["drawn", "head", "heat", "pack", "photo", "preprocess", "resample", "sha256"].map(load),
);
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const text = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
const picture = ({ data, width, height }) => ({ data: bytes(data), width, height });
const shown = ({ data, width, height }) => ({ data: text(data), width, height });

const DO = {
  resize({ preprocess: values, tallFirst, photo: given }) {
    const made = new preprocess.Preprocess(values, tallFirst);
    return { ...shown(made.resize(picture(given))), planes: text(made.prepare(picture(given))), seen: made.findSeen(given.width, given.height) };
  },
  reduce: ({ photo: given, factor }) => shown(resample.reduce(picture(given), factor)),
  describe({ knows, packed, ood, photos }) {
    const { arrays } = pack.readPack(bytes(packed));
    const of = (start) => Object.fromEntries(Object.entries(arrays).filter(([k]) => k.startsWith(start)).map(([k, v]) => [k.slice(start.length), v]));
    const detector = ood && new head.Detector({ ...ood, arrays: of("ood.") });
    const width = arrays.features.length / photos;
    return Array.from({ length: photos }, (_, i) => {
      const features = arrays.features.subarray(i * width, (i + 1) * width);
      const logits = head.applyHead(of("head."), features);
      const found = head.describe({ ...knows, detector }, logits, features);
      return { ...found, probs: [...found.probs], logits };
    });
  },
  activate({ packed, logits, k }) {
    const { arrays } = pack.readPack(bytes(packed));
    const found = head.findActivation(arrays, arrays.maps, logits, k);
    return found && [...heat.scaleHeat(found)];
  },
  heat({ explained, width, height }) {
    const given = { ...explained, heat: Float32Array.from(explained.heat) };
    return { share: [...heat.spread(given, width, height)], place: heat.findPlace(given), pixels: text(heat.paint(given, width, height)) };
  },
  windows: ({ height, width }) => heat.listWindows(height, width),
  odds: ({ logits, temperature, k }) => heat.findLogOdds(logits, temperature, k),
  plain: ({ photo: given }) => heat.findPlain(new Float32Array(bytes(given).buffer)),
  hash: ({ data }) => sha.hashBytes(bytes(data)),
  reduction: ({ width, height, least }) => photo.findReduction(width, height, least),
  drawn: () => shown(drawn.drawPicture()),
};

const cases = JSON.parse(readFileSync(0, "utf-8"));
process.stdout.write(JSON.stringify(cases.map(({ what, ...given }) => DO[what](given))));
