// A zip file of a few files, stored as they are.

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});

export function computeCrc(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

// [width in bytes, value] of each number, little-endian
function writeNumbers(pairs) {
  const bytes = new Uint8Array(pairs.reduce((sum, [width]) => sum + width, 0));
  let at = 0;
  for (const [width, value] of pairs) for (let i = 0; i < width; i++) bytes[at++] = Math.floor(value / 256 ** i) & 255;
  return bytes;
}

// How files of zips write a time: to two seconds, in the local zone.
function writeTime(date) {
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  const day = ((date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate();
  return [[2, time], [2, day]];
}

// {name: bytes} as the bytes of a zip file
export function buildZip(files, now = new Date()) {
  const zip = new ZipWriter(now);
  for (const [name, bytes] of Object.entries(files)) zip.add(name, bytes);
  return joinBytes(zip.end());
}

// A zip file that grows by one file after the other; `end` returns its parts.
export class ZipWriter {
  constructor(now = new Date()) {
    Object.assign(this, { now, parts: [], entries: [], offset: 0 });
  }

  add(name, bytes) {
    const title = new TextEncoder().encode(name);
    const common = [[2, 20], [2, 0x800], [2, 0], ...writeTime(this.now), [4, computeCrc(bytes)], [4, bytes.length], [4, bytes.length], [2, title.length], [2, 0]];
    const head = writeNumbers([[4, 0x04034b50], ...common]);
    this.entries.push(writeNumbers([[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, this.offset]]), title);
    this.parts.push(head, title, bytes);
    this.offset += head.length + title.length + bytes.length;
  }

  end() {
    const size = this.entries.reduce((sum, { length }) => sum + length, 0);
    const n = this.entries.length / 2;
    return [...this.parts, ...this.entries, writeNumbers([[4, 0x06054b50], [2, 0], [2, 0], [2, n], [2, n], [4, size], [4, this.offset], [2, 0]])];
  }
}

function joinBytes(parts) {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
