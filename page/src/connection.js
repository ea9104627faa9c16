// The line to the kernel: comms over one websocket, mended when it breaks, given up when the kernel is gone.

import { makeId, makeMessage, pack, unpack } from "./wire.js";

const ENDED = ["restarting", "autorestarting", "dead"];
const PAUSES = [0, 1, 2, 4, 8];
const SILENCE_MS = 10_000;

export class Comm {
  constructor(connection, target, id = makeId()) {
    this.connection = connection;
    this.target_name = target;
    this.comm_id = id;
    this.onMessage = null;
    this.onClose = null;
    connection.comms.set(id, this);
  }

  open(data, callbacks, metadata, buffers) {
    return this.#post("comm_open", data, callbacks, metadata, buffers);
  }

  send(data, callbacks, metadata, buffers) {
    return this.#post("comm_msg", data, callbacks, metadata, buffers);
  }

  close(data, callbacks, metadata, buffers) {
    this.connection.comms.delete(this.comm_id);
    return this.#post("comm_close", data, callbacks, metadata, buffers);
  }

  on_msg(callback) {
    this.onMessage = callback;
  }

  on_close(callback) {
    this.onClose = callback;
  }

  #post(type, data = {}, callbacks, metadata, buffers) {
    const content = { comm_id: this.comm_id, data };
    if (type === "comm_open") content.target_name = this.target_name;
    return this.connection.send(type, content, metadata, buffers, callbacks);
  }
}

export class Connection {
  // `page` has the socket that is open already and what came over it.
  constructor(page) {
    this.page = page;
    this.comms = new Map();
    this.onCommOpen = null;
    this.waiting = [];
    this.callbacks = new Map();
    this.heard = performance.now();
    this.over = false;
    this.order = Promise.resolve();
    this.states = this.#expectStates();
    this.#adopt(page.socket);
    page.early.splice(0).forEach((data) => this.#receive(data));
  }

  // Messages wait until the widgets exist that they are for.
  hold(promise) {
    this.order = this.order.then(() => promise).catch((error) => console.error(error));
  }

  send(type, content, metadata, buffers, callbacks) {
    const message = makeMessage(this.page.session, type, content, metadata, buffers);
    if (callbacks) this.callbacks.set(message.header.msg_id, callbacks);
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(pack(message));
    else if (!this.over) this.waiting.push(message);
    this.#watch();
    return message.header.msg_id;
  }

  // The answer to the request that the page sent before this client was there.
  #expectStates() {
    return new Promise((resolve, reject) => {
      const control = new Comm(this, "jupyter.widget.control", this.page.control);
      control.on_msg(resolve);
      control.on_close(() => reject(new Error("The kernel knows no widgets.")));
    });
  }

  #adopt(socket) {
    this.socket = socket;
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = () => this.#mend();
    if (socket.readyState >= WebSocket.CLOSING) this.#mend();
  }

  #receive(data) {
    this.heard = performance.now();
    const message = unpack(data);
    if (message.header.msg_type === "status") this.#onStatus(message);
    else if (message.content.comm_id === this.page.control) this.#handle(message);
    else this.order = this.order.then(() => this.#handle(message)).catch((error) => console.error(error));
  }

  #onStatus(message) {
    const state = message.content.execution_state;
    if (!message.parent_header?.msg_id) {
      if (ENDED.includes(state)) this.#give_up();
      return;
    }
    const id = message.parent_header.msg_id;
    // in turn with the messages that the work has caused
    this.order = this.order.then(() => {
      this.callbacks.get(id)?.iopub?.status?.(message);
      if (state === "idle") this.callbacks.delete(id);
    });
  }

  async #handle(message) {
    const { comm_id: id, target_name: target } = message.content;
    const comm = this.comms.get(id);
    if (message.header.msg_type === "comm_open") {
      if (!comm && target === "jupyter.widget") await this.onCommOpen?.(new Comm(this, target, id), message);
    } else if (message.header.msg_type === "comm_msg") {
      await comm?.onMessage?.(message);
    } else if (message.header.msg_type === "comm_close") {
      this.comms.delete(id);
      await comm?.onClose?.(message);
    }
  }

  // A kernel that was ended says nothing: ask for it when a message has no echo.
  #watch() {
    clearTimeout(this.watching);
    const sent = performance.now();
    this.watching = setTimeout(async () => {
      if (this.heard < sent && (await this.#ask()) === "gone") this.#give_up();
    }, SILENCE_MS);
  }

  async #ask() {
    const { base, kernelId } = this.page;
    try {
      const answer = await fetch(`${base}api/kernels/${kernelId}`, { cache: "no-store", headers: { Accept: "application/json" } });
      if (answer.ok) return "here";
      return answer.status < 500 ? "gone" : "unknown";
    } catch {
      return "unknown";
    }
  }

  async #mend() {
    if (this.over || this.page.leaving || this.mending) return;
    this.mending = true;
    this.page.wait();
    for (const seconds of PAUSES) {
      await new Promise((done) => setTimeout(done, 1000 * seconds));
      const found = await this.#ask();
      if (found === "gone") break;
      if (found === "here" && (await this.#reopen())) {
        this.mending = false;
        this.page.resume();
        return;
      }
    }
    this.#give_up();
  }

  #reopen() {
    return new Promise((resolve) => {
      const socket = this.page.openSocket();
      socket.onclose = () => resolve(false);
      socket.onopen = () => {
        this.#adopt(socket);
        this.waiting.splice(0).forEach((message) => socket.send(pack(message)));
        resolve(true);
      };
    });
  }

  #give_up() {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.watching);
    this.page.lose();
  }
}
