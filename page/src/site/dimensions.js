// How many pixels a photo's file says that it has, before any of them is decoded: a file of a megabyte may claim gigabytes.

// -> {width, height}, or null where the format is none of these
export function findSize(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    for (const read of [readPng, readJpeg, readGif, readBmp, readWebp]) {
      const found = read(view);
      if (found) return found;
    }
  } catch {
    // cut off within its head: the browser will say that it is none
  }
  return null;
}

const says = (view, at, text) => [...text].every((c, i) => view.getUint8(at + i) === c.charCodeAt(0));

function readPng(view) {
  return says(view, 1, "PNG") && { width: view.getUint32(16), height: view.getUint32(20) };
}

function readGif(view) {
  return says(view, 0, "GIF8") && { width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

function readBmp(view) {
  return says(view, 0, "BM") && { width: Math.abs(view.getInt32(18, true)), height: Math.abs(view.getInt32(22, true)) };
}

function readWebp(view) {
  if (!says(view, 0, "RIFF") || !says(view, 8, "WEBP")) return null;
  if (says(view, 12, "VP8 ")) return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  if (says(view, 12, "VP8X")) return { width: 1 + (view.getUint32(24, true) & 0xffffff), height: 1 + (view.getUint32(26, true) >>> 8) };
  const bits = view.getUint32(21, true);
  return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
}

// The first frame's header; what stands before it is passed over by its length.
function readJpeg(view) {
  if (view.getUint16(0) !== 0xffd8) return null;
  for (let at = 2; ; ) {
    const marker = view.getUint8(at + 1);
    if (view.getUint8(at) !== 0xff) return null;
    if (marker === 0xff) at += 1;
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    else at += marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8) ? 2 : 2 + view.getUint16(at + 2);
  }
}
