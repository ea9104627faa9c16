// One photo on the viewer's stage, with its heat map; of several side by side each has a number and its words.

class Pane {
  constructor(viewer, key, number) {
    Object.assign(this, { viewer, key, number });
    this.root = make("figure", "fastclf-viewer-pane");
    this.frame = make("div", "fastclf-viewer-frame");
    this.image = make("img", "fastclf-viewer-image", undefined, { draggable: "false" });
    this.heat = make("img", "fastclf-viewer-heat", undefined, { alt: "", draggable: "false" });
    this.frame.append(this.image, this.heat);
    this.root.append(this.frame);
    this.heat.hidden = true;
    this.image.addEventListener("load", () => viewer.lay());
    if (number) this.buildCaption();
  }

  buildCaption() {
    const { viewer, key } = this;
    this.words = make("p", "fastclf-viewer-caption");
    this.keep = makeButton("fastclf-button fastclf-small", undefined, () => (viewer.host.keep(key), viewer.refresh()));
    const caption = make("figcaption");
    caption.append(this.words, this.keep);
    this.root.append(caption);
  }

  // `caption`: label, note, mark and name of the photo, and what the button says, briefly and in full
  describe({ label, note, mark, name, keep }, current) {
    this.root.classList.toggle("fastclf-is-current", current);
    this.root.dataset.mark = mark;
    const parts = [make("b", "", label, { dir: "auto" }), note && make("span", "", note), make("span", "fastclf-file", name, { dir: "auto" })];
    this.words.replaceChildren(...parts.filter(Boolean));
    this.keep.replaceChildren(make("kbd", "", String(this.number), { "aria-hidden": true }), " ", make("span", "", keep[0]));
    this.keep.setAttribute("aria-label", `${keep[1]}: ${name}`);
    this.keep.title = keep[1];
    if (current) this.keep.setAttribute("aria-current", "true");
    else this.keep.removeAttribute("aria-current");
    this.image.alt = `${label}: ${name}`;
  }

  async fill() {
    const { host } = this.viewer;
    this.image.src = host.picture(this.key) || "data:,";
    const large = await host.large(this.key);
    if (large && this.viewer.panes.includes(this)) this.image.src = large;
  }

  // how large the photo is as a whole, and how much larger than its frame at a scale
  measure(scale) {
    const { clientWidth, clientHeight } = this.frame;
    const { naturalWidth, naturalHeight } = this.image;
    this.fit = clientWidth && naturalWidth ? Math.min(clientWidth / naturalWidth, clientHeight / naturalHeight) : 0;
    this.size = [naturalWidth * this.fit, naturalHeight * this.fit];
    this.room = [Math.max(0, (this.size[0] * scale - clientWidth) / 2), Math.max(0, (this.size[1] * scale - clientHeight) / 2)];
    return this.room;
  }

  lay({ scale, x, y }) {
    if (!this.fit) return;
    // the photo never leaves its frame
    const [dx, dy] = [clamp(x, this.room[0]), clamp(y, this.room[1])];
    for (const layer of [this.image, this.heat]) {
      Object.assign(layer.style, {
        width: `${this.size[0]}px`,
        height: `${this.size[1]}px`,
        transform: `translate(-50%, -50%) translate(${dx}px, ${dy}px) scale(${scale})`,
        // single pixels are to be seen as such
        imageRendering: this.fit * scale > 3 ? "pixelated" : "auto",
      });
    }
  }

  contains(clientX, clientY) {
    const { left, right, top, bottom } = this.frame.getBoundingClientRect();
    return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
  }
}

function clamp(value, most) {
  return Math.min(most, Math.max(-most, value));
}
