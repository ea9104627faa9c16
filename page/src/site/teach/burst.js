// A camera that takes a photo a few times a second while a button is held. What one press took is one group.

import { Camera } from "dashboard:classify/camera.js";
import { make, makeButton } from "dashboard:widgets/common.js";

const EVERY = 200; // milliseconds
const MOST = 300; // of one press
const [SIDE, QUALITY] = [960, 0.92];

export class Burst extends Camera {
  // `host` as for the Camera, and `take(blob, group)`; `label` is the class's name
  constructor(host, label) {
    super(host);
    Object.assign(this, { host, label, taken: 0 });
  }

  draw() {
    super.draw();
    this.title.textContent = this.t("Photos of {label}", { label: this.label });
    this.note.after(make("p", "fastclf-file", this.t("Hold the button and show it from many sides. A short press takes one photo.")));
    this.count = make("p", "fastclf-burst-count", undefined, { role: "status" });
    const hold = makeButton("fastclf-button fastclf-primary fastclf-burst-hold", this.t("Hold to take photos"), (event) => event.detail || this.held || this.single());
    this.shoot.replaceWith(hold);
    this.shoot = hold;
    this.note.before(this.count);
    this.listen(hold);
  }

  listen(button) {
    button.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      button.setPointerCapture(event.pointerId);
      this.press();
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) button.addEventListener(name, () => this.release());
    const isPress = ({ key }) => key === " " || key === "Enter";
    button.addEventListener("keydown", (event) => {
      if (!isPress(event)) return;
      event.preventDefault();
      if (!event.repeat) this.press();
    });
    button.addEventListener("keyup", (event) => {
      if (!isPress(event)) return;
      event.preventDefault();
      this.release();
    });
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // what a long touch asks for
  }

  // pressed by a tool that cannot hold
  single() {
    this.press();
    this.release();
  }

  press() {
    if (this.held || this.shoot.disabled) return;
    this.held = { group: `burst ${Date.now().toString(36)} ${Math.random().toString(36).slice(2, 8)}`, n: 0 };
    this.shoot.classList.add("fastclf-is-held");
    this.snap();
    this.beat = setInterval(() => this.snap(), EVERY);
  }

  release() {
    clearInterval(this.beat);
    this.held = null;
    this.shoot?.classList.remove("fastclf-is-held");
  }

  snap() {
    const { held } = this;
    if (!held || held.n >= MOST) return this.release();
    held.n += 1;
    this.drawFrame(SIDE).toBlob((blob) => {
      if (!blob) return;
      this.taken += 1;
      if (this.count) this.count.textContent = this.host.count(this.taken);
      this.host.take(blob, held.group);
    }, "image/jpeg", QUALITY);
  }

  stop() {
    this.release();
    this.count = null;
    super.stop();
    removeEventListener("pagehide", this.onHide);
  }
}
