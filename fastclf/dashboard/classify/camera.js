// The camera of a computer: a live picture, Take, Close. It is off whenever the window is not open.

class Camera {
  constructor(drop) {
    Object.assign(this, { drop, t: drop.t });
    this.onHide = () => this.close();
    addEventListener("pagehide", this.onHide);
  }

  end() {
    removeEventListener("pagehide", this.onHide);
    this.close();
  }

  close() {
    this.sheet?.close();
  }

  // The window is there only while it is open.
  draw() {
    this.sheet = make("dialog", "fastclf-camera", undefined, { "aria-labelledby": "fastclf-camera-title" });
    this.video = Object.assign(make("video"), { muted: true, playsInline: true, autoplay: true });
    this.video.setAttribute("aria-label", this.t("What the camera sees"));
    this.note = make("p", "fastclf-camera-note", undefined, { role: "status" });
    this.shoot = makeButton("fastclf-button fastclf-primary", this.t("Take"), () => this.take());
    const row = make("div", "fastclf-row");
    row.append(this.shoot, makeButton("fastclf-button", this.t("Close"), () => this.close()));
    this.title = make("h2", "", this.t("Take a photo"), { id: "fastclf-camera-title" });
    this.sheet.append(this.title, this.video, this.note, row);
    this.sheet.addEventListener("close", () => this.stop());
    this.drop.root.closest(".fastclf").append(this.sheet);
    openSheet(this.sheet);
  }

  async open() {
    if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
      return this.drop.warn(this.t("A browser lends its camera only to pages that are opened over https or on this computer. Take the photo with another app and choose it here."));
    }
    this.draw();
    this.shoot.disabled = true;
    this.note.textContent = this.t("Starting the camera ...");
    const round = (this.round = {});
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
      // it may have been closed meanwhile
      if (this.round !== round) return stream.getTracks().forEach((track) => track.stop());
      this.stream = stream;
      this.video.srcObject = stream;
      await this.video.play();
      this.begin();
    } catch (error) {
      if (this.round === round) this.note.textContent = this.explain(error.name);
    }
  }

  begin() {
    this.note.textContent = "";
    this.shoot.disabled = false;
    this.shoot.focus();
  }

  explain(name) {
    if (name === "NotAllowedError") return this.t("The camera is not allowed here. Allow it beside the page's address and try again.");
    if (name === "NotFoundError" || name === "OverconstrainedError") return this.t("No camera was found.");
    return this.t("The camera could not be started. Another program may be using it.");
  }

  // What is seen now, its longer side at most so many pixels.
  drawFrame(most = Infinity) {
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(1, most / Math.max(videoWidth, videoHeight));
    const [width, height] = [videoWidth, videoHeight].map((n) => Math.max(1, Math.round(n * scale)));
    const canvas = Object.assign(make("canvas"), { width, height });
    canvas.getContext("2d").drawImage(this.video, 0, 0, width, height);
    return canvas;
  }

  take() {
    this.drawFrame().toBlob((blob) => blob && this.drop.takeFiles([new File([blob], `${this.t("photo")}.jpg`, { type: "image/jpeg" })]), "image/jpeg", 0.92);
    this.close();
  }

  stop() {
    this.round = null;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = this.video.srcObject = null;
    this.sheet.remove();
    this.sheet = null;
  }
}
