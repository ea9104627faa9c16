// Arrays and JSON in one block of bytes, as fastclf/dashboard/site/pack.py writes it.

import { readAll } from "./unpacking.js";

const MOST = 128 * 2 ** 20; // a head of thousands of classes has 30 MB
const KINDS = { float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array };

// `name` is of what it is; more bytes than `most` are none of ours
export function unpackGzip(bytes, name, most = MOST) {
  return readAll(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")), name, most);
}

// -> {header, arrays}: `header` as it was given, `arrays` by name
export function readPack(bytes) {
  const start = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const { header, arrays } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + start)));
  const read = ({ kind, offset, length }) => {
    const Kind = KINDS[kind];
    const from = bytes.byteOffset + 4 + start + offset;
    if (!(length >= 0 && offset >= 0 && from + length * Kind.BYTES_PER_ELEMENT <= bytes.byteOffset + bytes.length)) throw new Error("an array is cut off");
    return new Kind(bytes.buffer.slice(from, from + length * Kind.BYTES_PER_ELEMENT));
  };
  return { header, arrays: Object.fromEntries(Object.entries(arrays).map(([name, place]) => [name, read(place)])) };
}

const ALIGNED = 8;

export function writePack(header, arrays) {
  const places = {};
  const parts = [];
  let at = 0;
  for (const [name, array] of Object.entries(arrays)) {
    const kind = Object.keys(KINDS).find((one) => array instanceof KINDS[one]);
    places[name] = { kind, offset: at, length: array.length };
    const padded = new Uint8Array(Math.ceil(array.byteLength / ALIGNED) * ALIGNED);
    padded.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    parts.push(padded);
    at += padded.length;
  }
  const text = new TextEncoder().encode(JSON.stringify({ header, arrays: places }));
  const start = new Uint8Array(4);
  new DataView(start.buffer).setUint32(0, text.length, true);
  return new Blob([start, text, ...parts]);
}

export async function packGzip(blob) {
  return new Uint8Array(await new Response(blob.stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer());
}

export function writeBase64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8190) text += btoa(String.fromCharCode(...bytes.subarray(i, i + 8190)));
  return text;
}
