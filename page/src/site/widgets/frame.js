// The page's language and colours, and its foot: frame.py here.

import { Widget } from "./widget.js";

export class FrameWidget extends Widget {
  constructor(site, words) {
    super({ languages: site.languages, foot: true, accents: site.accents, wanted: "", spoken: words.code, local: true, teaches: Boolean(site.teaches) });
    this.on("change:wanted", () => {
      const wanted = this.get("wanted");
      if (!(wanted in site.languages)) return;
      words.speak(wanted);
      this.set("texts", words.texts);
      this.set("spoken", wanted);
    });
  }
}
