// A project as a file: saving it, and opening one of this page, of Teachable Machine, or a zip of folders.

import { Fault } from "../fault.js";
import { Zip } from "../unzip.js";
import { isProject, readProject, writeProject } from "./archive.js";
import { readSamples } from "./samples.js";
import { buildPage } from "./share.js";

export class ProjectFiles {
  progress = null; // {done, total} while a file is read or written
  fault = null; // a message
  said = null; // a message about what was opened
  #listeners = [];

  constructor({ project, lesson, teaching, opened, site }) {
    Object.assign(this, { project, lesson, teaching, opened, site });
  }

  onChange(act) {
    this.#listeners.push(act);
  }

  #tell(progress) {
    this.progress = progress;
    this.#listeners.forEach((act) => act());
  }

  async #attempt(act) {
    this.fault = null;
    this.#tell({ done: 0, total: 1 });
    try {
      await act((done, total) => done % 20 === 0 && this.#tell({ done, total }));
    } catch (fault) {
      if (!fault?.fields) console.error(fault);
      this.fault = fault?.fields ? { text: fault.message, fields: fault.fields } : { text: "Something went wrong here, not with your photos. Reload the page and try again." };
    }
    this.#tell(null);
  }

  async #findTaught() {
    await this.opened;
    await this.lesson.settle();
    if (!this.lesson.taught) throw new Fault("It needs photos of two classes at least.");
    return this.lesson.taught;
  }

  // The classifier as one HTML file.
  savePage() {
    return this.#attempt(async () => {
      await this.#findTaught();
      if (!crypto.subtle || !self.CompressionStream) throw new Fault("A browser makes a page only on one that is opened from a disk, from this computer or over https. Save the project instead.");
      const { lesson, teaching, site, project: { title } } = this;
      const name = title.replace(/[^\p{L}\p{N} _-]+/gu, "-").trim() || "classifier";
      hand(await buildPage({ lesson, teaching, title, site }), `${name}.html`);
    });
  }

  save() {
    return this.#attempt(async (tell) => {
      const taught = await this.#findTaught();
      const { store, title } = this.project;
      const { backbone } = this.teaching.manifest;
      hand(await writeProject({ taught, title, fastclf: this.site.fastclf, backbone, read: (id) => store.readPicture(id), tell }), "project.zip");
    });
  }

  open(files) {
    return this.#attempt(async (tell) => {
      for (const file of files) {
        const zip = await Zip.open(file, file.name);
        this.#take(await (isProject(zip) ? readProject(zip, tell) : readSamples(zip, tell)), file.name);
      }
    });
  }

  // What was opened joins what is there: classes of one name become one.
  #take({ title, classes, photos, foreign }, name) {
    const { project, lesson } = this;
    project.begin({ text: "opening {name}", fields: { name } });
    if (title && !project.title) project.rename(title);
    const made = classes.map((label) => project.takeClass(label));
    lesson.add(photos.map((photo) => ({ ...photo, label: made[photo.label].id, whole: foreign === undefined })));
  }
}

function hand(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
