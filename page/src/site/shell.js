// Draws the page at once, and lets the model come meanwhile. What the page holds stands in window.fastclfSite.

import { Answering } from "./answering.js";
import { Classifier } from "./classifier.js";
import { keepPage } from "./kept.js";
import { Loading } from "./loading.js";
import { Page } from "./page.js";
import { Words } from "./words.js";

window.fastclfBegun = true;
const { fastclfSite: site, fastclfComponents: components } = window;
const words = new Words(site);
const loading = new Loading(words);
const answering = new Answering(site.head);

function asMessage(fault) {
  if (fault?.fields) return { text: fault.message, fields: fault.fields };
  console.error(fault);
  return { text: "Something went wrong while the model was opened. Reload the page; if that does not help, tell whoever gave it to you." };
}

async function open() {
  await answering.open((share) => loading.tell(share));
  page.showExamples(answering.manifest.examples);
  loading.end(answering.compare());
  keepPage(site);
}

const opened = open();
const classifier = new Classifier({ answering, opened, words, site });
const page = new Page({ site, words, classifier, components, loading, root: document.getElementById("fastclf-site") });
opened.catch((fault) => loading.fail(asMessage(fault)));
window.fastclfStarted = true;
