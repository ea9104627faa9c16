// Compressed bytes become what they hold, and no more than that: a few of them may claim gigabytes.

import { Fault } from "./fault.js";

export const DAMAGED = "A part of this page is damaged ({name}). Load it again; if that does not help, its files have to be copied once more.";

// All bytes of a stream; more than `most`, or what cannot be unpacked, is a Fault that names the part.
export async function readAll(stream, name, most) {
  const [parts, reader] = [[], stream.getReader()];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > most) throw new Fault(DAMAGED, { name });
      parts.push(value);
    }
  } catch {
    reader.cancel().catch(() => {});
    throw new Fault(DAMAGED, { name });
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
