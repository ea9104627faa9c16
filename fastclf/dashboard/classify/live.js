// What the camera sees, answered all the time, where the page itself answers. Pause holds the picture and its answer.

const LIVE_SIDE = 640; // several times what a network looks at
const LIVE_REST = 150; // milliseconds between an answer and the next picture

class Live extends Camera {
  draw() {
    super.draw();
    this.title.textContent = this.t("Live answers");
    // a few a second are too much for who listens: one is read out when it is held
    this.said = make("p", "fastclf-camera-said", undefined, { "aria-live": "off", dir: "auto" });
    this.hold = makeButton("fastclf-button", this.t("Pause"), () => this.turn());
    this.hold.disabled = true;
    this.note.before(this.said);
    this.shoot.after(this.hold);
  }

  begin() {
    super.begin();
    this.hold.disabled = false;
    this.ask();
  }

  turn() {
    const { video, hold, said } = this;
    const held = !video.paused;
    said.setAttribute("aria-live", held ? "polite" : "off");
    hold.textContent = held ? this.t("Go on") : this.t("Pause");
    if (!held) return video.play().then(() => this.ask());
    video.pause();
    this.ask(); // of the picture that is held, the last answer was of an earlier one
  }

  // One picture at a time; the answer asks for the next one.
  ask() {
    const { round } = this;
    clearTimeout(this.timer);
    this.drawFrame(LIVE_SIDE).toBlob(async (blob) => {
      const bytes = await blob?.arrayBuffer();
      if (bytes && this.round === round) this.drop.model.send({ type: "live" }, undefined, [bytes]);
    }, "image/jpeg", 0.9);
  }

  show({ words, level, stop }) {
    if (!this.sheet) return;
    this.said.textContent = unbroken(words);
    this.said.dataset.level = level;
    if (!stop && !this.video.paused) this.timer = setTimeout(() => this.ask(), LIVE_REST);
  }

  stop() {
    clearTimeout(this.timer);
    super.stop();
  }
}
