// What a worker does: takes orders by number, and sends back results, progress, or what went wrong.

import { Model } from "./model.js";
import { Fault, describeFault } from "./fault.js";
import { unpackXz } from "./network.js";
import { readPack } from "./pack.js";
import { hashLarge } from "./sha256.js";
import { DAMAGED } from "./unpacking.js";

export let model = null;
let examples = [];
let unpacked = null; // the runtime
const stopped = new Set();

export const ORDERS = {
  async unpack({ name, packed, sha256 }) {
    if ((await hashLarge(packed)) !== sha256) throw new Fault(DAMAGED, { name });
    return unpackXz(packed, name);
  },
  // while the graph is on its way
  async prepare(runtime) {
    unpacked = await ORDERS.unpack(runtime);
  },
  async open({ head, graph, photos }) {
    examples = photos;
    model = await Model.open(readPack(head), unpacked.buffer, graph);
    unpacked = null;
  },
  compare: () => (model.header.parity ? model.compare(examples) : "unknown"),
  answer: ({ blob, name }) => model.answer(blob, name),
  explain: ({ blob, label, id }) => {
    const tell = (done, total) => postMessage({ id, progress: { done, total } });
    return model.explain(blob, label, tell, () => stopped.has(id));
  },
};

export function listen(orders) {
  addEventListener("message", async ({ data }) => {
    const { id, order } = data;
    if (order === "stop") {
      stopped.add(data.what);
      return;
    }
    try {
      const result = await orders[order](data);
      postMessage({ id, result }, result instanceof Uint8Array ? [result.buffer] : []);
    } catch (error) {
      postMessage({ id, fault: describeFault(error) });
    } finally {
      stopped.delete(id);
    }
  });
}
