// A photo's file becomes a picture in RGB: upright, in sRGB, alpha over white. What Pillow's decoders do, by the browser's.

import { findSize } from "./dimensions.js";
import { Fault } from "./fault.js";
import { reduce } from "./resample.js";

const MAX_BYTES = 20 * 2 ** 20;
const MAX_PIXELS = 80_000_000;
const MAX_ASPECT = 1000;
const MAX_SIDE = 4096; // of a photo that is kept
const SIDE = 256;
const QUALITY = 0.85;
const STRIP = 1024; // rows: a canvas of the whole photo would be too large for some browsers

// -> {picture, width, height, thumbnail}; throws a Fault whose sentence is a clause without the photo's name
export async function readPhoto(blob, leastSide, { wantsThumbnail = true } = {}) {
  const bitmap = await decode(blob);
  try {
    const { width, height } = bitmap;
    checkSize(width, height);
    const factor = (await isJpeg(blob)) ? findReduction(width, height, leastSide) : 1;
    const whole = readPixels(bitmap);
    const picture = factor > 1 ? reduce(whole, factor) : whole;
    return { picture, width, height, thumbnail: wantsThumbnail ? await drawThumbnail(bitmap) : null };
  } finally {
    bitmap.close();
  }
}

// The photo as an upright JPEG whose shorter side has `side` pixels at most, and without anything but the picture.
export async function shrinkPhoto(blob, side, quality) {
  const bitmap = await decode(blob);
  try {
    checkSize(bitmap.width, bitmap.height);
    const scale = Math.min(1, side / Math.min(bitmap.width, bitmap.height), MAX_SIDE / Math.max(bitmap.width, bitmap.height));
    const [width, height] = [bitmap.width, bitmap.height].map((n) => Math.max(1, Math.round(n * scale)));
    const canvas = new OffscreenCanvas(width, height);
    const pen = canvas.getContext("2d", { alpha: false });
    pen.fillStyle = "white";
    pen.fillRect(0, 0, width, height);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(bitmap, 0, 0, width, height);
    return await encode(canvas, { type: "image/jpeg", quality });
  } finally {
    bitmap.close();
  }
}

async function decode(blob) {
  if (!blob.size) throw new Fault("is empty (0 bytes); it was probably not fully saved or downloaded");
  if (blob.size > MAX_BYTES) {
    const fields = { size: blob.size / 2 ** 20, most: MAX_BYTES / 2 ** 20 };
    throw new Fault("has {size:.1f} MB; at most {most:.0f} MB are read, so scale it down", fields);
  }
  const said = findSize(new Uint8Array(await blob.arrayBuffer()));
  if (said) checkSize(said.width, said.height);
  try {
    return await createImageBitmap(blob, { imageOrientation: "from-image" });
  } catch {
    throw new Fault("is no photo that this browser reads, or it is damaged; save it as JPEG or PNG");
  }
}

function checkSize(width, height) {
  if (width * height > MAX_PIXELS) {
    const fields = { width, height, most: MAX_PIXELS };
    throw new Fault("has {width} x {height} pixels; at most {most} are read, so scale it down", fields);
  }
  if (Math.max(width, height) > MAX_ASPECT * Math.min(width, height)) {
    const fields = { width, height, most: MAX_ASPECT };
    throw new Fault("is {width} x {height} pixels; a photo may be at most {most} times as long as wide", fields);
  }
}

async function isJpeg(blob) {
  const [a, b] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  return a === 0xff && b === 0xd8;
}

// By how much Pillow's decoder would reduce a large JPEG whose shorter side is to keep so many pixels.
export function findReduction(width, height, leastSide) {
  if (!leastSide) return 1;
  const shorter = Math.min(width, height);
  const most = Math.min(...[width, height].map((side) => {
    const wanted = Math.max(1, Math.min(side, Math.floor((side * leastSide) / shorter)));
    return Math.floor(side / wanted);
  }));
  return [8, 4, 2, 1].find((factor) => most >= factor);
}

function readPixels(bitmap) {
  const { width, height } = bitmap;
  const rows = Math.min(STRIP, height);
  const canvas = new OffscreenCanvas(width, rows);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const data = new Uint8Array(width * height * 3);
  for (let top = 0; top < height; top += rows) {
    pen.fillStyle = "white";
    pen.fillRect(0, 0, width, rows);
    pen.drawImage(bitmap, 0, -top);
    const pixels = pen.getImageData(0, 0, width, Math.min(rows, height - top)).data;
    for (let from = 0, to = top * width * 3; from < pixels.length; from += 4, to += 3) {
      data[to] = pixels[from];
      data[to + 1] = pixels[from + 1];
      data[to + 2] = pixels[from + 2];
    }
  }
  return { data, width, height };
}

async function drawThumbnail(bitmap) {
  const scale = SIDE / Math.max(bitmap.width, bitmap.height);
  const grown = scale >= 2 || scale < 1 ? scale : 1;
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * grown)));
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, width, height);
  pen.imageSmoothingEnabled = scale < 2; // tiny photos are enlarged without blur
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, width, height);
  const bytes = await encode(canvas, { type: "image/jpeg", quality: QUALITY });
  return { bytes, width, height };
}

export async function encode(canvas, kind) {
  return new Uint8Array(await (await canvas.convertToBlob(kind)).arrayBuffer());
}
