// Arrays and JSON in one block of bytes, as fastclf/dashboard/site/pack.py writes it.

const KINDS = { float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array };

export async function unpackGzip(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// -> {header, arrays}: `header` as it was given, `arrays` by name
export function readPack(bytes) {
  const start = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const { header, arrays } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + start)));
  const read = ({ kind, offset, length }) => {
    const Kind = KINDS[kind];
    const from = bytes.byteOffset + 4 + start + offset;
    return new Kind(bytes.buffer.slice(from, from + length * Kind.BYTES_PER_ELEMENT));
  };
  return { header, arrays: Object.fromEntries(Object.entries(arrays).map(([name, place]) => [name, read(place)])) };
}
