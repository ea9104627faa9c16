// Draws the page at once, brings back what the browser has kept, and lets the network come meanwhile.

import { keepPage } from "../kept.js";
import { Loading } from "../loading.js";
import { Words } from "../words.js";
import { TaughtClassifier } from "./classifier.js";
import { ProjectFiles } from "./files.js";
import { Lesson } from "./lesson.js";
import { TeachPage } from "./page.js";
import { Project } from "./project.js";
import { Store } from "./store.js";
import { Teaching } from "./teaching.js";

window.fastclfBegun = true;
const { fastclfSite: site, fastclfComponents: components } = window;
const words = new Words(site);
const loading = new Loading(words);
const teaching = new Teaching(site.head);
const store = new Store(`fastclf-teach ${location.pathname.replace(/index\.html$/, "")}`);
const project = new Project(store);

function asMessage(fault) {
  if (fault?.fields) return { text: fault.message, fields: fault.fields };
  console.error(fault);
  return { text: "Something went wrong while the model was opened. Reload the page; if that does not help, tell whoever gave it to you." };
}

async function open() {
  await teaching.open((share) => loading.tell(share));
  loading.end(teaching.compare());
  keepPage(site);
}

// What was kept comes before anything is added to it; a photo that another network has looked at is looked at again.
async function bringBack(opened) {
  const kept = await store.open();
  project.restore(kept);
  await opened;
  const { features_id: id, precision } = teaching.manifest.backbone;
  const network = `${id} ${precision}`;
  if (kept.photos.length && kept.project?.network !== network) lesson.renew(kept.photos);
  project.lookWith(network);
}

const opened = open();
const lesson = new Lesson({ project, teaching, opened });
site.school = { project, lesson };
const classifier = new TaughtClassifier({ answering: teaching, opened, words, site });
const files = new ProjectFiles({ project, lesson, teaching, opened, site });
new TeachPage({ site, words, classifier, components, loading, root: document.getElementById("fastclf-site"), project, lesson, files });
opened.catch((fault) => loading.fail(asMessage(fault)));
bringBack(opened).catch((fault) => console.warn(fault));
window.fastclfStarted = true;
