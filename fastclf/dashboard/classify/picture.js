// One answer as a picture, to save or to share: the photo, the words, the bars, and whose answer it is.

const [WIDE, MARGIN, TALLEST] = [1080, 56, 1080];
const FACES = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans Arabic", "DejaVu Sans", sans-serif';
const [INK, SOFT, WELL, GROUND] = ["#1c2430", "#525d6d", "#e3e8ef", "#ffffff"];

function canShare() {
  return Boolean(navigator.canShare?.({ files: [new File([], "a.jpg", { type: "image/jpeg" })] }));
}

// Breaks words into lines that fit; a word that is too long alone is cut.
function breakLines(context, text, width, most) {
  const lines = [""];
  for (const word of text.split(/(?<=\s)/)) {
    if (lines.at(-1) && context.measureText(lines.at(-1) + word.trimEnd()).width > width) lines.push("");
    lines[lines.length - 1] += word;
  }
  const shown = lines.slice(0, most).map((line) => cut(context, line.trim(), width));
  if (lines.length > most) shown[most - 1] = cut(context, `${shown[most - 1]} …`, width);
  return shown;
}

function cut(context, line, width) {
  let end = line.length;
  while (end > 1 && context.measureText(line.slice(0, end) + (end < line.length ? "…" : "")).width > width) end--;
  return end < line.length ? `${line.slice(0, end)}…` : line;
}

class AnswerPicture {
  constructor({ image, words, bars, note, accent, rtl }) {
    Object.assign(this, { image, words, bars, note, accent, rtl });
    this.canvas = Object.assign(make("canvas"), { width: WIDE, height: 1 });
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.inner = WIDE - 2 * MARGIN;
  }

  draw() {
    const scale = Math.min(WIDE / this.image.naturalWidth, TALLEST / this.image.naturalHeight);
    const [width, height] = [this.image.naturalWidth * scale, this.image.naturalHeight * scale];
    const texts = [["600 52px", INK, breakLinesIn(this, "600 52px", this.words, 3), 66], ["400 30px", SOFT, breakLinesIn(this, "400 30px", this.note, 3), 42]];
    const below = texts.reduce((sum, [, , lines, step]) => sum + lines.length * step, 0) + this.bars.length * 52 + 2 * MARGIN + 40;
    this.canvas.height = Math.round(height + below);
    this.context.fillStyle = GROUND;
    this.context.fillRect(0, 0, WIDE, this.canvas.height);
    this.context.fillStyle = WELL;
    this.context.fillRect(0, 0, WIDE, height);
    this.context.drawImage(this.image, (WIDE - width) / 2, 0, width, height);
    let y = height + MARGIN;
    y = this.write(...texts[0], y) + 16;
    y = this.drawBars(y) + 24;
    this.write(...texts[1], y);
    return new Promise((done) => this.canvas.toBlob(done, "image/jpeg", 0.92));
  }

  write(font, colour, lines, step, top) {
    this.set(font, colour, this.rtl ? "right" : "left");
    lines.forEach((line, index) => this.context.fillText(line, this.rtl ? WIDE - MARGIN : MARGIN, top + index * step));
    return top + lines.length * step;
  }

  drawBars(top) {
    const { context, rtl, inner } = this;
    const [label, track] = [inner * 0.38, inner * 0.4];
    const flip = (x, width = 0) => (rtl ? WIDE - x - width : x);
    this.bars.forEach(([name, probability, share], index) => {
      const y = top + index * 52;
      this.set("400 32px", INK, rtl ? "right" : "left");
      context.fillText(cut(context, name, label - 24), flip(MARGIN), y);
      context.fillStyle = WELL;
      context.fillRect(flip(MARGIN + label, track), y + 10, track, 18);
      context.fillStyle = this.accent;
      context.fillRect(flip(MARGIN + label, track * probability), y + 10, track * probability, 18);
      this.set("400 32px", INK, rtl ? "left" : "right");
      context.fillText(share, flip(WIDE - MARGIN), y);
    });
    return top + this.bars.length * 52;
  }

  set(font, colour, align) {
    Object.assign(this.context, { font: `${font} ${FACES}`, fillStyle: colour, textAlign: align, textBaseline: "top", direction: this.rtl ? "rtl" : "ltr" });
  }
}

function breakLinesIn(picture, font, text, most) {
  picture.set(font, INK, "left");
  return breakLines(picture.context, text, picture.inner, most);
}

function loadImage(url) {
  return new Promise((done, fail) => {
    const image = make("img");
    Object.assign(image, { onload: () => done(image), onerror: fail, src: url });
  });
}

async function shareFile(blob, name) {
  const file = new File([blob], name, { type: "image/jpeg" });
  if (navigator.canShare?.({ files: [file] })) {
    try {
      return await navigator.share({ files: [file] });
    } catch (error) {
      if (error.name === "AbortError") return; // whoever was asked has decided otherwise
    }
  }
  save(await blob.arrayBuffer(), name, "image/jpeg");
}
