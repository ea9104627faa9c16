// The worker: takes orders by number, and sends back results, progress, or what went wrong.

import { Model } from "./model.js";
import { Fault, describeFault } from "./fault.js";
import { unpackXz } from "./network.js";
import { readPack } from "./pack.js";
import { hashBytes } from "./sha256.js";

let model = null;
let examples = [];
const stopped = new Set();

const ORDERS = {
  async open({ head, runtime, graph, photos }) {
    const known = readPack(head);
    examples = photos;
    check("runtime", runtime, known.header);
    check("graph", graph, known.header);
    model = await Model.open(known, (await unpackXz(runtime)).buffer, await unpackXz(graph));
  },
  compare: () => (model.header.parity ? model.compare(examples) : "unknown"),
  answer: ({ blob, name }) => model.answer(blob, name),
  explain: ({ blob, label, id }) => {
    const tell = (done, total) => postMessage({ id, progress: { done, total } });
    return model.explain(blob, label, tell, () => stopped.has(id));
  },
};

function check(name, bytes, header) {
  if (hashBytes(bytes) !== header.parts[name].sha256) {
    throw new Fault("A part of this page is damaged ({name}). Load it again; if that does not help, its files have to be copied once more.", { name });
  }
}

addEventListener("message", async ({ data }) => {
  const { id, order } = data;
  if (order === "stop") {
    stopped.add(data.what);
    return;
  }
  try {
    postMessage({ id, result: await ORDERS[order](data) });
  } catch (error) {
    postMessage({ id, fault: describeFault(error) });
  } finally {
    stopped.delete(id);
  }
});
