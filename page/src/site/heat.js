// Which places of a photo speak for a class, as a picture to lay over it; the source is fastclf/model/explain.py.

const COLOURS = [[90, 20, 160], [215, 50, 120], [255, 165, 40], [255, 240, 120]];
const LEAST = 0.2;
const LINES = [0.5, 0.8];
const MOST_ALPHA = 0.5;
const GRID = 30;
const EVERYWHERE = 0.5;
const [DARK, LIGHT] = [[20, 0, 40], [255, 255, 255]];
const LINE_ALPHA = 200;
const PLACES = 8;
const PATCH = 2;

// Python's rounding: halves go to the even number
export function round(x) {
  const down = Math.floor(x);
  if (x - down !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
}

function cubic(x) {
  const d = Math.abs(x);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * -0.5 : 0;
}

// Pillow's bicubic resizing of floats along one axis: `lines` lines of `n`, `step` and `stride` say where they lie.
function stretch(values, { n, count, lines, step, stride }, out, outStep, outStride) {
  const scale = n / count;
  const wide = Math.max(1, scale);
  const support = 2 * wide;
  for (let i = 0; i < count; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(n, Math.trunc(centre + support + 0.5));
    const weights = Array.from({ length: end - start }, (_, k) => cubic((k + start - centre + 0.5) / wide));
    const total = weights.reduce((a, b) => a + b, 0);
    for (let line = 0; line < lines; line++) {
      let sum = 0;
      for (let k = start; k < end; k++) sum += values[line * stride + k * step] * (weights[k - start] / total);
      out[line * outStride + i * outStep] = sum;
    }
  }
}

function resizeFloats({ data, width, height }, wide, high) {
  const rows = new Float32Array(wide * height);
  stretch(data, { n: width, count: wide, lines: height, step: 1, stride: width }, rows, 1, wide);
  const out = new Float32Array(wide * high);
  stretch(rows, { n: height, count: high, lines: wide, step: wide, stride: 1 }, out, wide, 1);
  return out;
}

// How strongly each place of the whole photo, shown in `width` x `height`, speaks for the class: 0 to 1.
export function spread({ heat, rows, columns, box }, width, height) {
  const share = new Float32Array(width * height);
  const most = Math.max(...heat);
  if (most <= 0) return share;
  const [left, right] = [round(box[0] * width), round(box[2] * width)];
  const [top, bottom] = [round(box[1] * height), round(box[3] * height)];
  const [wide, high] = [Math.max(1, right - left), Math.max(1, bottom - top)];
  const positive = Float32Array.from(heat, (x) => Math.min(1, Math.max(0, x / most)));
  const smooth = resizeFloats({ data: positive, width: columns, height: rows }, wide, high);
  let strongest = 1e-6;
  for (let y = Math.max(0, top); y < Math.min(height, top + high); y++) {
    for (let x = Math.max(0, left); x < Math.min(width, left + wide); x++) {
      const value = smooth[(y - top) * wide + x - left];
      share[y * width + x] = value;
      strongest = Math.max(strongest, value);
    }
  }
  return share.map((x) => Math.min(1, Math.max(0, x / strongest)));
}

// In which third of the photo, from the top and from the left, the middle of it lies; null where it is in no place.
export function findPlace(explained) {
  const share = spread(explained, GRID, GRID);
  const strong = share.map((x) => (x >= LINES[0] ? x : 0));
  const there = strong.filter((x) => x > 0).length;
  if (!there || there / strong.length > EVERYWHERE) return null;
  let [total, down, across] = [0, 0, 0];
  strong.forEach((x, i) => {
    total += x;
    down += x * (Math.floor(i / GRID) + 0.5);
    across += x * ((i % GRID) + 0.5);
  });
  const third = (sum) => Math.min(2, Math.trunc((3 * sum) / total / GRID));
  return [third(down), third(across)];
}

// RGBA of what is laid over the photo, transparent where nothing speaks for the class.
export function paint(explained, width, height) {
  const share = spread(explained, width, height);
  const pixels = new Uint8ClampedArray(width * height * 4);
  share.forEach((x, i) => {
    const strength = Math.min(1, Math.max(0, (x - LEAST) / (1 - LEAST)));
    mix(strength).forEach((level, c) => (pixels[i * 4 + c] = round(level)));
    pixels[i * 4 + 3] = round(255 * MOST_ALPHA * Math.min(1, 2.5 * strength));
  });
  const thick = Math.max(1, round(Math.min(width, height) / 150));
  for (const level of LINES) drawLine(pixels, share.map((x) => Number(x >= level)), width, height, thick);
  return pixels;
}

function mix(strength) {
  const place = strength * (COLOURS.length - 1);
  const from = Math.min(COLOURS.length - 2, Math.floor(place));
  return COLOURS[from].map((level, c) => level + (COLOURS[from + 1][c] - level) * (place - from));
}

// The edge of an area, light within and dark without: one of them shows on any ground.
function drawLine(pixels, inside, width, height, thick) {
  const grown = filter(inside, width, height, thick, Math.max);
  const shrunk = filter(inside, width, height, thick, Math.min);
  inside.forEach((x, i) => {
    const colour = grown[i] && !x ? DARK : x && !shrunk[i] ? LIGHT : null;
    if (colour) pixels.set([...colour, LINE_ALPHA], i * 4);
  });
}

// The largest or the smallest of the values up to `reach` away, along rows and then along columns.
function filter(values, width, height, reach, choose) {
  const pass = (from, n, lines, step, stride) => {
    const out = new Float32Array(from.length);
    for (let line = 0; line < lines; line++) {
      for (let i = 0; i < n; i++) {
        let found = from[line * stride + i * step];
        for (let k = Math.max(0, i - reach); k <= Math.min(n - 1, i + reach); k++) found = choose(found, from[line * stride + k * step]);
        out[line * stride + i * step] = found;
      }
    }
    return out;
  };
  return pass(pass(values, width, height, 1, width), height, width, width, 1);
}

// The rows and columns that each patch of an occlusion covers, and how many stand above and beside each other.
export function listWindows(height, width) {
  const step = Math.max(1, Math.min(height, width) / PLACES);
  const [rows, columns] = [listSpans(height, step), listSpans(width, step)];
  return { windows: rows.flatMap((y) => columns.map((x) => [y, x])), rows: rows.length, columns: columns.length };
}

function listSpans(side, step) {
  const n = Math.max(1, Math.min(round(side / step), 2 * PLACES));
  const half = (PATCH * side) / n / 2;
  return Array.from({ length: n }, (_, i) => {
    const middle = ((i + 0.5) * side) / n;
    return [Math.max(0, round(middle - half)), Math.min(side, round(middle + half))];
  });
}

// The median of each of the three planes.
export function findPlain(photo) {
  const places = photo.length / 3;
  return [0, 1, 2].map((c) => {
    const plane = photo.slice(c * places, (c + 1) * places).sort();
    const half = Math.floor(places / 2);
    return places % 2 ? plane[half] : (plane[half - 1] + plane[half]) / 2;
  });
}

// Calibrated log-odds of class `k`, which still move where the probability is all but 1.
export function findLogOdds(logits, temperature, k) {
  const scaled = Array.from(logits, (x) => x / temperature);
  const others = scaled.filter((_, i) => i !== k);
  const top = Math.max(...others);
  return scaled[k] - top - Math.log(others.reduce((sum, x) => sum + Math.exp(x - top), 0));
}

// So that the strongest place has the magnitude 1.
export function scaleHeat(heat) {
  const strongest = heat.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return Float32Array.from(heat, (x) => (strongest > 0 ? x / strongest : x));
}
