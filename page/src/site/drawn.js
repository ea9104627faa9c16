// The picture that every model is tried on, see fastclf/model/parity.py.
export function drawPicture() {
  const [width, height] = [150, 110];
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const tile = ((Math.floor(x / 16) + Math.floor(y / 12)) % 2) * 90;
      for (let c = 0; c < 3; c++) data[(y * width + x) * 3 + c] = x * (3 + c) + y * (5 + 2 * c) + tile;
    }
  }
  return { data, width, height };
}
