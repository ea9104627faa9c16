// A worker that takes orders by number: what it sends back finds whoever asked.

import { Fault } from "./fault.js";

export class Line {
  #waiting = new Map();
  #last = 0;

  // `script`: its bytes; `onBreak` hears a Fault when the worker itself fails
  constructor(script, onBreak = () => {}) {
    this.worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
    this.worker.onmessage = ({ data }) => this.#hear(data);
    this.worker.onerror = (event) => {
      const fault = new Fault("This page stopped working ({reason}). Load it again.", { reason: event.message ?? "" });
      onBreak(fault);
      this.#end(fault);
    };
  }

  ask(order, what = {}, { transfer = [], progress = null, signal = null } = {}) {
    const id = ++this.#last;
    signal?.addEventListener("abort", () => this.worker.postMessage({ order: "stop", what: id }));
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, progress });
      this.worker.postMessage({ id, order, ...what }, transfer);
    });
  }

  close() {
    this.worker.terminate();
    this.#end(new Fault("The page was closed."));
  }

  #end(fault) {
    for (const { reject } of this.#waiting.values()) reject(fault);
    this.#waiting.clear();
  }

  #hear({ id, result, fault, progress }) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (progress) return waiting.progress?.(progress);
    this.#waiting.delete(id);
    if (fault) waiting.reject(new Fault(fault.text, fault.fields));
    else waiting.resolve(result);
  }
}
