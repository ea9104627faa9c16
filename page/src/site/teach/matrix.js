// Products of a tall matrix with few vectors in WebAssembly, four numbers at a time: what fitting a head spends its time on.
// The module is small enough to be put together here, from instructions by their names.

const [I32, V128] = [0x7f, 0x7b];
const ROWS = 4; // rows that one step of a loop takes
const PAIR = 2; // vectors that one call takes
const LANES = 4;

function number(value) {
  const bytes = [];
  for (let rest = value; ; ) {
    const low = rest & 0x7f;
    rest >>= 7;
    const last = (rest === 0 && !(low & 0x40)) || (rest === -1 && low & 0x40);
    bytes.push(last ? low : low | 0x80);
    if (last) return bytes;
  }
}

function count(value) {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...count(value >> 7)];
}

const simd = (code) => [0xfd, ...count(code)];
const op = {
  get: (local) => [0x20, ...count(local)],
  set: (local) => [0x21, ...count(local)],
  constant: (value) => [0x41, ...number(value)],
  addInt: [0x6a],
  addFloat: [0x92],
  isLess: [0x49], // unsigned
  storeFloat: (offset) => [0x38, 2, ...count(offset)],
  load: (offset = 0) => [...simd(0x00), 2, ...count(offset)],
  loadSplat: (offset) => [...simd(0x09), 2, ...count(offset)],
  store: [...simd(0x0b), 2, 0],
  zeros: [...simd(0x0c), ...new Array(16).fill(0)],
  lane: (index) => [...simd(0x1f), index],
  add: simd(0xe4),
  multiply: simd(0xe6),
};

const plus = (local, by) => [...op.get(local), ...by, ...op.addInt, ...op.set(local)];
// do { body } while (a < b)
const repeat = (a, b, body) => [0x03, 0x40, ...body, ...op.get(a), ...op.get(b), ...op.isLess, 0x0d, 0, 0x0b];
const range = (n) => [...Array(n).keys()];

// (x, xEnd, stride, w, out, outStride): of each row from x to xEnd the dot products with two vectors, w and the next one
function writeDots() {
  const [x, xEnd, stride, w, out, outStride, at, end] = range(8);
  const rows = range(ROWS).map((r) => 8 + r);
  const [w0, w1] = [8 + ROWS, 9 + ROWS];
  const [v, u0, u1] = range(3).map((i) => 10 + ROWS + i);
  const sums = range(ROWS * PAIR).map((i) => 13 + ROWS + i);
  const addTo = (sum, u) => [...op.get(sum), ...op.get(v), ...op.get(u), ...op.multiply, ...op.add, ...op.set(sum)];
  const inner = [
    ...op.get(w0), ...op.load(), ...op.set(u0), ...op.get(w1), ...op.load(), ...op.set(u1),
    ...rows.flatMap((row, r) => [...op.get(row), ...op.load(), ...op.set(v), ...addTo(sums[2 * r], u0), ...addTo(sums[2 * r + 1], u1)]),
    ...[...rows, w0, w1].flatMap((local) => plus(local, op.constant(16))),
  ];
  const sumUp = (sum) => [...op.get(sum), ...op.lane(0), ...range(3).flatMap((i) => [...op.get(sum), ...op.lane(i + 1), ...op.addFloat])];
  const body = [
    ...startRows(rows, x, stride),
    ...op.get(x), ...op.get(stride), ...op.addInt, ...op.set(end),
    ...op.get(w), ...op.set(w0), ...op.get(w), ...op.get(stride), ...op.addInt, ...op.set(w1),
    ...sums.flatMap((sum) => [...op.zeros, ...op.set(sum)]),
    ...repeat(rows[0], end, inner),
    ...op.get(out), ...op.set(at),
    ...range(ROWS).flatMap((r) => [
      ...range(PAIR).flatMap((i) => [...op.get(at), ...sumUp(sums[2 * r + i]), ...op.storeFloat(4 * i)]),
      ...plus(at, op.get(outStride)),
    ]),
    ...op.get(at), ...op.set(out),
    ...nextRows(x, stride),
  ];
  return { parameters: 6, locals: [[4 + ROWS, I32], [3 + ROWS * PAIR, V128]], code: repeat(x, xEnd, body) };
}

// (x, xEnd, stride, off, offStride, slope): adds to two vectors, slope and the next one, each row times its two numbers
function writeSums() {
  const [x, xEnd, stride, off, offStride, slope, s0, end] = range(8);
  const rows = range(ROWS).map((r) => 8 + r);
  const s1 = 8 + ROWS;
  const factors = range(ROWS * PAIR).map((i) => 9 + ROWS + i);
  const values = range(ROWS).map((r) => 9 + ROWS + ROWS * PAIR + r);
  const sum = (place, i) => [
    ...op.get(place), ...op.get(place), ...op.load(),
    ...values.flatMap((value, r) => [...op.get(value), ...op.get(factors[2 * r + i]), ...op.multiply, ...op.add]),
    ...op.store,
  ];
  const inner = [
    ...rows.flatMap((row, r) => [...op.get(row), ...op.load(), ...op.set(values[r])]),
    ...sum(s0, 0), ...sum(s1, 1),
    ...[...rows, s0, s1].flatMap((local) => plus(local, op.constant(16))),
  ];
  const body = [
    ...startRows(rows, x, stride),
    ...op.get(x), ...op.get(stride), ...op.addInt, ...op.set(end),
    ...range(ROWS).flatMap((r) => [
      ...range(PAIR).flatMap((i) => [...op.get(off), ...op.loadSplat(4 * i), ...op.set(factors[2 * r + i])]),
      ...plus(off, op.get(offStride)),
    ]),
    ...op.get(slope), ...op.set(s0), ...op.get(slope), ...op.get(stride), ...op.addInt, ...op.set(s1),
    ...repeat(rows[0], end, inner),
    ...nextRows(x, stride),
  ];
  return { parameters: 6, locals: [[3 + ROWS, I32], [ROWS * PAIR + ROWS, V128]], code: repeat(x, xEnd, body) };
}

function startRows(rows, x, stride) {
  return rows.flatMap((row, r) => [...op.get(r ? rows[r - 1] : x), ...(r ? [...op.get(stride), ...op.addInt] : []), ...op.set(row)]);
}

function nextRows(x, stride) {
  return range(ROWS).flatMap(() => plus(x, op.get(stride)));
}

function writeModule(functions) {
  const section = (id, items) => {
    const body = [...count(items.length), ...items.flat()];
    return [id, ...count(body.length), ...body];
  };
  const text = (name) => [name.length, ...new TextEncoder().encode(name)];
  const names = Object.keys(functions);
  const made = Object.values(functions);
  const bodies = made.map(({ locals, code }) => {
    const body = [...count(locals.length), ...locals.flatMap(([n, type]) => [...count(n), type]), ...code, 0x0b];
    return [...count(body.length), ...body];
  });
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, made.map(({ parameters }) => [0x60, parameters, ...new Array(parameters).fill(I32), 0])),
    ...section(2, [[...text("env"), ...text("memory"), 2, 0, 1]]),
    ...section(3, made.map((_, i) => [i])),
    ...section(7, names.map((name, i) => [...text(name), 0, i])),
    ...section(10, bodies),
  ]);
}

let compiled = null;

// A matrix of `count` rows of `width` numbers, and vectors of that width to multiply it with. Single precision.
export class TallMatrix {
  static async make(count, width, vectors) {
    compiled ??= WebAssembly.compile(writeModule({ dots: writeDots(), sums: writeSums() }));
    return new TallMatrix(await compiled, count, width, vectors);
  }

  constructor(module, count, width, vectors) {
    const up = (n, to) => Math.ceil(n / to) * to;
    Object.assign(this, { count, width, stride: up(width, LANES), rows: up(count, ROWS), vectors: up(vectors, PAIR) });
    const sizes = [this.rows * this.stride, this.vectors * this.stride, this.vectors * this.stride, this.rows * this.vectors];
    const bytes = sizes.reduce((sum, n) => sum + 4 * n, 0);
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) + 1 });
    this.run = new WebAssembly.Instance(module, { env: { memory } }).exports;
    let at = 0;
    const take = (n) => {
      const view = new Float32Array(memory.buffer, at, n);
      at += 4 * n;
      return view;
    };
    // `weights` and `slope` hold a vector after the other; `table` a row of numbers for each of the matrix
    [this.values, this.weights, this.slope, this.table] = sizes.map(take);
  }

  // the table becomes the dot products of the rows `from` to `to`, both multiples of four, with all weights
  multiply(from, to) {
    this.#each("dots", from, to, this.weights);
  }

  // adds to the slope what the table's rows say of the matrix's
  sum(from, to) {
    this.#each("sums", from, to, this.slope);
  }

  #each(name, from, to, vectors) {
    const { values, table, stride, run } = this;
    const line = 4 * stride;
    for (let k = 0; k < this.vectors; k += PAIR) {
      const start = values.byteOffset + from * line;
      const end = values.byteOffset + to * line;
      const place = table.byteOffset + 4 * (from * this.vectors + k);
      const vector = vectors.byteOffset + k * line;
      if (name === "dots") run.dots(start, end, line, vector, place, 4 * this.vectors);
      else run.sums(start, end, line, place, 4 * this.vectors, vector);
    }
  }
}
