// Jupyter's messages on a websocket, as bytes (protocol v1.kernel.websocket.jupyter.org).

export const PROTOCOL = "v1.kernel.websocket.jupyter.org";

// the server ends a line that brings more: one photo, and the words around it
const MOST_BYTES = 20 * 2 ** 20;

const PARTS = ["header", "parent_header", "metadata", "content"];

// crypto.randomUUID is missing where the page is served without TLS from another machine
export function makeId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

export function makeMessage(session, type, content, metadata = {}, buffers = []) {
  const header = { msg_id: makeId(), msg_type: type, session, username: "", date: new Date().toISOString(), version: "5.3" };
  return { channel: "shell", header, parent_header: {}, metadata, content, buffers };
}

export function pack(message) {
  const encoder = new TextEncoder();
  const parts = [encoder.encode(message.channel), ...PARTS.map((name) => encoder.encode(JSON.stringify(message[name])))];
  for (const buffer of message.buffers) {
    parts.push(ArrayBuffer.isView(buffer) ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength) : new Uint8Array(buffer));
  }
  const start = 8 * (parts.length + 2);
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, start));
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(parts.length + 1), true);
  let at = start;
  parts.forEach((part, i) => {
    view.setBigUint64(8 * (i + 1), BigInt(at), true);
    bytes.set(part, at);
    at += part.length;
  });
  view.setBigUint64(8 * (parts.length + 1), BigInt(at), true);
  return bytes;
}

export function isTooLarge(message) {
  return message.buffers.reduce((total, buffer) => total + buffer.byteLength, 0) > MOST_BYTES;
}

export function unpack(data) {
  const view = new DataView(data);
  const offsets = Array.from({ length: Number(view.getBigUint64(0, true)) }, (_, i) => Number(view.getBigUint64(8 * (i + 1), true)));
  const decoder = new TextDecoder();
  const [channel, ...parts] = offsets.slice(0, -1).map((from, i) => [from, offsets[i + 1]]);
  const message = { channel: decoder.decode(new Uint8Array(data, channel[0], channel[1] - channel[0])) };
  PARTS.forEach((name, i) => {
    message[name] = JSON.parse(decoder.decode(new Uint8Array(data, parts[i][0], parts[i][1] - parts[i][0])));
  });
  message.buffers = parts.slice(PARTS.length).map(([from, to]) => new DataView(data.slice(from, to)));
  return message;
}
