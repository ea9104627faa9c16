// The network in a worker: ONNX Runtime's WebAssembly on one thread, from bytes that are at hand.

import * as ort from "onnxruntime-web/wasm";
import { XzReadableStream } from "xz-decompress";
import { readAll } from "./unpacking.js";

const MOST = 256 * 2 ** 20; // of a larger graph no second copy fits into the runtime's memory

export function unpackXz(bytes, name) {
  return readAll(new XzReadableStream(new Blob([bytes]).stream()), name, MOST);
}

export class Network {
  // `runtime` is ONNX Runtime's WebAssembly, `graph` a model that ends at features and perhaps maps.
  static async open(runtime, graph) {
    ort.env.wasm.wasmBinary = runtime;
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.proxy = false;
    const network = new Network();
    network.session = await ort.InferenceSession.create(graph, {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "all",
      // weights are made floats once, not at every run
      extra: { session: { disable_quant_qdq: "1" } },
    });
    return network;
  }

  get hasMaps() {
    return this.session.outputNames.includes("maps");
  }

  // pixels (3, height, width) from 0 to 1 -> {features: {data, dims}, maps: ...}; maps only where they are asked for
  run(pixels, height, width, wanted = ["features"]) {
    const image = new ort.Tensor("float32", pixels, [1, 3, height, width]);
    // one at a time: the runtime has one memory
    this.running = (this.running ?? Promise.resolve()).catch(() => {}).then(() => this.session.run({ image }, wanted));
    return this.running;
  }

  close() {
    return this.session.release();
  }
}
