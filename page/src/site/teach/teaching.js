// The network and the fitting of heads, each in a worker of its own: answers go on while something is learned.

import { Answering, PARTS_IN_ORDER } from "../answering.js";
import { Line } from "../line.js";
import { checkTeaching } from "../sound.js";

export class Teaching extends Answering {
  keepsParts = true;
  partsInOrder = [...PARTS_IN_ORDER, "page"];
  checkHead = checkTeaching;

  // -> {jpeg, sha256, features}; `whole` keeps the file as it is
  study(blob, whole = false) {
    return this.line.ask("study", { blob, whole });
  }

  // what `fitProject` returns
  fit(photos, classes, progress) {
    this.fitting ??= new Line(this.script);
    return this.fitting.ask("fit", { photos, classes }, { progress });
  }

  use(head, vocab) {
    return this.line.ask("use", { head: { weight: head.weight, bias: head.bias }, vocab });
  }
}
