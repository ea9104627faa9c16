// Pillow's resizing of 8-bit pictures, to the last bit: weights as whole numbers, first along rows, then along columns.
// (Pillow's resampling: src/libImaging/Resample.c. What a canvas makes of the same photo differs by up to 68 levels.)

const BITS = 22; // of a weight's fraction: 32, less 8 for the pixel and 2 for what exceeds it
const ONE = 2 ** BITS;

export const FILTERS = {
  bilinear: { reach: 1, weigh: (x) => Math.max(0, 1 - Math.abs(x)) },
  // Keys' cubic with a = -0.5
  bicubic: {
    reach: 2,
    weigh(x) {
      const a = -0.5;
      const d = Math.abs(x);
      if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
      return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
    },
  },
};

// Which pixels of a line of `length` make each of `count` new ones, and how much each weighs.
function weighLine(length, count, { reach, weigh }) {
  const scale = length / count;
  const stretch = Math.max(1, scale);
  const support = reach * stretch;
  const taps = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(count);
  const counts = new Int32Array(count);
  const weights = new Int32Array(count * taps);
  for (let i = 0; i < count; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const n = Math.min(length, Math.trunc(centre + support + 0.5)) - start;
    const own = Array.from({ length: n }, (_, k) => weigh((k + start - centre + 0.5) * (1 / stretch)));
    const total = own.reduce((sum, w) => sum + w, 0);
    own.forEach((w, k) => {
      const share = total === 0 ? w : w / total;
      weights[i * taps + k] = Math.trunc((share < 0 ? -0.5 : 0.5) + share * ONE);
    });
    starts[i] = start;
    counts[i] = n;
  }
  return { starts, counts, weights, taps };
}

function clip(sum) {
  const level = Math.floor(sum / ONE);
  return level < 0 ? 0 : level > 255 ? 255 : level;
}

// A part of a picture in RGB, {data, width, height}: `data` holds three bytes a pixel.
export function crop({ data, width }, left, top, right, bottom) {
  const [wide, high] = [right - left, bottom - top];
  const out = new Uint8Array(wide * high * 3);
  for (let y = 0; y < high; y++) {
    const from = ((top + y) * width + left) * 3;
    out.set(data.subarray(from, from + wide * 3), y * wide * 3);
  }
  return { data: out, width: wide, height: high };
}

function resizeRows({ data, width, height }, count, filter) {
  if (count === width) return { data, width, height };
  const { starts, counts, weights, taps } = weighLine(width, count, filter);
  const out = new Uint8Array(count * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < count; x++) {
      let [r, g, b] = [ONE / 2, ONE / 2, ONE / 2];
      let from = (y * width + starts[x]) * 3;
      for (let k = x * taps, end = k + counts[x]; k < end; k++, from += 3) {
        const w = weights[k];
        r += data[from] * w;
        g += data[from + 1] * w;
        b += data[from + 2] * w;
      }
      const to = (y * count + x) * 3;
      out[to] = clip(r);
      out[to + 1] = clip(g);
      out[to + 2] = clip(b);
    }
  }
  return { data: out, width: count, height };
}

function resizeColumns({ data, width, height }, count, filter) {
  if (count === height) return { data, width, height };
  const { starts, counts, weights, taps } = weighLine(height, count, filter);
  const line = width * 3;
  const out = new Uint8Array(count * line);
  const sums = new Float64Array(line);
  for (let y = 0; y < count; y++) {
    sums.fill(ONE / 2);
    for (let k = 0; k < counts[y]; k++) {
      const w = weights[y * taps + k];
      const from = (starts[y] + k) * line;
      for (let i = 0; i < line; i++) sums[i] += data[from + i] * w;
    }
    for (let i = 0; i < line; i++) out[y * line + i] = clip(sums[i]);
  }
  return { data: out, width, height: count };
}

// From version 13 on Pillow shortens the columns first where a picture is made much lower: then other roundings come out.
export function resize(picture, width, height, interpolation, tallFirst = true) {
  const filter = FILTERS[interpolation];
  const lower = picture.height - height;
  const isTall = tallFirst && lower > 0 && lower > 2 * (picture.width - width);
  if (isTall) return resizeRows(resizeColumns(picture, height, filter), width, filter);
  return resizeColumns(resizeRows(picture, width, filter), height, filter);
}

// Every `factor` x `factor` pixels become their mean, as Pillow's reduce() rounds it; less of them at the edges.
export function reduce({ data, width, height }, factor) {
  const [wide, high] = [Math.ceil(width / factor), Math.ceil(height / factor)];
  const out = new Uint8Array(wide * high * 3);
  for (let y = 0; y < high; y++) {
    const bottom = Math.min(height, (y + 1) * factor);
    for (let x = 0; x < wide; x++) {
      const across = Math.min(width - x * factor, factor);
      const n = across * (bottom - y * factor);
      let [r, g, b] = [n >> 1, n >> 1, n >> 1];
      for (let v = y * factor; v < bottom; v++) {
        for (let from = (v * width + x * factor) * 3, end = from + across * 3; from < end; from += 3) {
          r += data[from];
          g += data[from + 1];
          b += data[from + 2];
        }
      }
      const [to, share] = [(y * wide + x) * 3, Math.floor(2 ** 24 / n)];
      out[to] = Math.floor((r * share) / 2 ** 24);
      out[to + 1] = Math.floor((g * share) / 2 ** 24);
      out[to + 2] = Math.floor((b * share) / 2 ** 24);
    }
  }
  return { data: out, width: wide, height: high };
}
