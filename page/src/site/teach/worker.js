// The worker of a page that classifiers are taught on: it answers, gets features out of photos, and fits heads.

import { ORDERS, listen, model } from "../engine.js";
import { shrinkPhoto } from "../photo.js";
import { hashBytes } from "../sha256.js";
import { fitProject } from "./fitting.js";

// Twice what most networks look at: at 320 the features differ from those of the whole photo so much (cosine 0.99) that the
// accuracy of heads on photos of clothing fell by 1.5 points, at 448 (0.999) it did not.
const [SIDE, QUALITY] = [448, 0.92];

listen({
  ...ORDERS,
  // Of a photo that is to be kept: the JPEG that is kept, its hash, and its features. `whole` leaves the file as it is.
  async study({ blob, whole }) {
    const jpeg = whole ? new Uint8Array(await blob.arrayBuffer()) : await shrinkPhoto(blob, SIDE, QUALITY);
    const features = await model.study(new Blob([jpeg]));
    return { jpeg, sha256: hashBytes(jpeg), features: Float32Array.from(features) };
  },
  use: (what) => model.use(what),
  fit: ({ id, photos, classes }) => fitProject(photos, classes, (done, total) => postMessage({ id, progress: { done, total } })),
});
