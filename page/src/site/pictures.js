// Photos as the browser draws them: upright JPEGs without anything but the picture.

const GROUND = "#fff"; // what is transparent lies on white, as for the network

// The photo as a JPEG whose longer side is `most` at the most.
export async function encodeJpeg(blob, most, quality) {
  const picture = await createImageBitmap(blob, { imageOrientation: "from-image" });
  try {
    const scale = Math.min(1, most / Math.max(picture.width, picture.height));
    const [width, height] = [picture.width, picture.height].map((n) => Math.max(1, Math.round(n * scale)));
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { alpha: false });
    context.fillStyle = GROUND;
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, width, height);
    return new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg", quality })).arrayBuffer());
  } finally {
    picture.close();
  }
}
