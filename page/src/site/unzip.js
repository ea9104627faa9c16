// Reads zip files that strangers made: within limits, and every byte checked. What is wrong is told as a Fault.

import { Fault } from "./fault.js";
import { computeCrc } from "./zip.js";

const MOST_BYTES = 2 * 2 ** 30;
const MOST_MEMBERS = 20_000;
const MOST_MEMBER = 64 * 2 ** 20;
const [END, ENTRY, HEAD] = [0x06054b50, 0x02014b50, 0x04034b50];
const [END_SIZE, ENTRY_SIZE, HEAD_SIZE] = [22, 46, 30];
const LONGEST_NOTE = 65_535;
const [STORED, DEFLATED] = [0, 8];

const NO_ZIP = { text: "is no zip file" };
const CUT = { text: "is cut off or damaged" };

function refuse(name, reason) {
  return new Fault("{name} {reason}.", { name, reason });
}

async function readView(blob, from, to) {
  return new DataView(await blob.slice(from, to).arrayBuffer());
}

export class Zip {
  // `blob` is the file; `name` is what sentences call it
  static async open(blob, name) {
    if (blob.size > MOST_BYTES) throw refuse(name, { text: "has {size:.1f} GB; at most {most} GB are read", fields: { size: blob.size / 2 ** 30, most: MOST_BYTES / 2 ** 30 } });
    const zip = Object.assign(new Zip(), { blob, name, members: new Map() });
    await zip.#readTable();
    return zip;
  }

  get names() {
    return [...this.members.keys()];
  }

  async #readTable() {
    const { blob, name } = this;
    const from = Math.max(0, blob.size - END_SIZE - LONGEST_NOTE);
    const tail = await readView(blob, from, blob.size);
    let at = tail.byteLength - END_SIZE;
    while (at >= 0 && tail.getUint32(at, true) !== END) at--;
    if (at < 0) throw refuse(name, NO_ZIP);
    const [count, size, start] = [tail.getUint16(at + 10, true), tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
    if (count > MOST_MEMBERS) throw refuse(name, { text: "holds {n} files; at most {most} are read", fields: { n: count, most: MOST_MEMBERS } });
    if (start + size > from + at) throw refuse(name, CUT);
    const table = await readView(blob, start, start + size);
    let [place, total] = [0, 0];
    for (let i = 0; i < count; i++) {
      const member = this.#readEntry(table, place);
      place += member.length;
      total += member.size;
      this.members.set(member.name, member);
    }
    if (this.members.size !== count) throw refuse(name, { text: "holds two files of one name" });
    if (total > MOST_BYTES) throw refuse(name, { text: "would unpack to more than {most} GB", fields: { most: MOST_BYTES / 2 ** 30 } });
  }

  #readEntry(table, at) {
    const { name, blob } = this;
    if (at + ENTRY_SIZE > table.byteLength || table.getUint32(at, true) !== ENTRY) throw refuse(name, CUT);
    const short = (offset) => table.getUint16(at + offset, true);
    const long = (offset) => table.getUint32(at + offset, true);
    const [title, extra, note] = [short(28), short(30), short(32)];
    if (at + ENTRY_SIZE + title > table.byteLength) throw refuse(name, CUT);
    const text = readName(new Uint8Array(table.buffer, table.byteOffset + at + ENTRY_SIZE, title));
    const member = { name: text, flags: short(8), method: short(10), crc: long(16), packed: long(20), size: long(24), place: long(42), length: ENTRY_SIZE + title + extra + note };
    if (text === null || member.place + HEAD_SIZE > blob.size) throw refuse(name, CUT);
    return member;
  }

  // the bytes of a member
  async read(title, most = MOST_MEMBER) {
    const { blob, name } = this;
    const { flags, method, crc, packed, size, place } = this.members.get(title);
    const broken = () => refuse(name, { text: "is damaged ({member})", fields: { member: title } });
    if (flags & 1) throw refuse(name, { text: "is locked with a password" });
    if (size > most) throw refuse(name, { text: "holds a file that is too large ({member})", fields: { member: title } });
    if (method !== STORED && method !== DEFLATED) throw refuse(name, { text: "is packed in a way that browsers cannot read ({member})", fields: { member: title } });
    const head = await readView(blob, place, place + HEAD_SIZE);
    if (head.byteLength < HEAD_SIZE || head.getUint32(0, true) !== HEAD) throw broken();
    const start = place + HEAD_SIZE + head.getUint16(26, true) + head.getUint16(28, true);
    if (start + packed > blob.size || (method === STORED && packed !== size)) throw broken();
    const part = blob.slice(start, start + packed);
    const bytes = await (method === STORED ? part.arrayBuffer().then((buffer) => new Uint8Array(buffer)) : inflate(part, size)).catch(() => null);
    if (!bytes || bytes.length !== size || computeCrc(bytes) !== crc) throw broken();
    return bytes;
  }
}

function readName(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

// Ends as soon as there is more than was said.
async function inflate(part, size) {
  const reader = part.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const out = new Uint8Array(size);
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return out.subarray(0, at);
    if (at + value.length > size) {
      reader.cancel().catch(() => {});
      return null;
    }
    out.set(value, at);
    at += value.length;
  }
}
