// What was taught, as the Classify tab asks it; a wrong answer becomes another photo to learn from.

import { Classifier } from "../classifier.js";
import { Fault } from "../fault.js";

export class TaughtClassifier extends Classifier {
  async report(answer, label) {
    if (answer.said) throw new Fault("You have said already what this photo shows.");
    const { project, lesson } = this.site.school;
    const found = project.classes.find(({ name }) => name === label);
    if (!found) throw new Fault("There is no class of this name any more.");
    project.begin({ text: "adding photos to {label}", fields: { label } });
    lesson.add([{ blob: answer.blob, label: found.id, name: answer.name }]);
    this.mark(answer, label);
    return { parcel: null, said: { text: "It learns from this photo now." } };
  }
}
