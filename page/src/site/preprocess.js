// How a decoded photo becomes the network's input: what fastclf/model/preprocess.py says, to the last bit.

import { crop, reduce, resize } from "./resample.js";

const MOST_CANVAS = 40_000_000;

export class Preprocess {
  // `tallFirst`: whether the Pillow that is equalled shortens the columns of tall photos first
  constructor({ input_size, resize_to, method, pad_mode, interpolation, least_side }, tallFirst = true) {
    [, this.height, this.width] = input_size;
    [this.high, this.wide] = resize_to;
    Object.assign(this, { method, padMode: pad_mode, interpolation, leastSide: least_side, tallFirst });
  }

  // A picture in RGB -> (3, height, width) from 0 to 1.
  prepare(picture) {
    return this.toPlanes(this.resize(picture));
  }

  toPlanes({ data }) {
    const places = this.width * this.height;
    const out = new Float32Array(3 * places);
    for (let i = 0; i < places; i++) {
      for (let c = 0; c < 3; c++) out[c * places + i] = data[i * 3 + c] / 255;
    }
    return out;
  }

  resize(picture) {
    const { wide, high } = this;
    const whole = resize(this.method === "squish" ? picture : this.#toAspect(picture), wide, high, this.interpolation, this.tallFirst);
    if (this.width === wide && this.height === high) return whole;
    const [left, top] = [Math.floor((wide - this.width) / 2), Math.floor((high - this.height) / 2)];
    return crop(whole, left, top, left + this.width, top + this.height);
  }

  // Which part of a photo the network sees: left, top, right and bottom as shares of its width and height.
  findSeen(width, height) {
    const { wide, high } = this;
    const [left, top, right, bottom] = this.method === "squish" ? [0, 0, width, height] : this.#findCanvas(width, height);
    const [x, y] = [Math.floor((wide - this.width) / 2) / wide, Math.floor((high - this.height) / 2) / high];
    const [across, down] = [right - left, bottom - top];
    return [
      (left + x * across) / width,
      (top + y * down) / height,
      (left + (x + this.width / wide) * across) / width,
      (top + (y + this.height / high) * down) / height,
    ];
  }

  // fastai's floors, in fastai's order
  #findCanvas(width, height) {
    const ratios = [width / this.wide, height / this.high];
    const scale = this.method === "pad" ? Math.max(...ratios) : Math.min(...ratios);
    const canvas = [Math.trunc(scale * this.wide), Math.trunc(scale * this.high)];
    const [left, top] = [Math.trunc(0.5 * (width - canvas[0])), Math.trunc(0.5 * (height - canvas[1]))];
    return [left, top, left + canvas[0], top + canvas[1]];
  }

  #toAspect(picture) {
    const { width, height } = picture;
    const [left, top, right, bottom] = this.#findCanvas(width, height);
    const [across, down] = [right - left, bottom - top];
    if (this.method === "pad" && across * down > MOST_CANVAS) {
      return this.#toAspect(reduce(picture, Math.trunc(Math.sqrt((across * down) / MOST_CANVAS)) + 1));
    }
    const part = crop(picture, Math.max(left, 0), Math.max(top, 0), Math.min(right, width), Math.min(bottom, height));
    const missing = [across - part.width, down - part.height];
    if (missing[0] <= 0 && missing[1] <= 0) return part;
    return pad(part, Math.max(-left, 0), Math.max(-top, 0), across, down, this.padMode);
  }
}

// A picture in the middle of a larger canvas; what is around it is its mirror image, its edge, or black.
function pad({ data, width, height }, left, top, across, down, mode) {
  const out = new Uint8Array(across * down * 3);
  const find = PLACES[mode];
  const columns = Array.from({ length: across }, (_, x) => find(x - left, width));
  for (let y = 0; y < down; y++) {
    const row = find(y - top, height);
    if (row < 0) continue;
    columns.forEach((column, x) => {
      if (column < 0) return;
      const from = (row * width + column) * 3;
      const to = (y * across + x) * 3;
      for (let c = 0; c < 3; c++) out[to + c] = data[from + c];
    });
  }
  return { data: out, width: across, height: down };
}

// Where the pixel of a canvas comes from in a line of `n`; -1 for nowhere.
const PLACES = {
  reflection(i, n) {
    if (n === 1) return 0;
    const period = 2 * (n - 1);
    const at = ((i % period) + period) % period;
    return at < n ? at : period - at;
  },
  border: (i, n) => Math.min(n - 1, Math.max(0, i)),
  zeros: (i, n) => (i < 0 || i >= n ? -1 : i),
};
