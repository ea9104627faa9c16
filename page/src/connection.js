// The line to the kernel: comms over one websocket, mended when it breaks, given up when the kernel is gone.

import { Outbox } from "./outbox.js";
import { isTooLarge, makeId, makeMessage, pack, unpack } from "./wire.js";

const ENDED = ["restarting", "autorestarting", "dead"];
const OUTPUTS = ["stream", "display_data", "execute_result", "error", "clear_output"];
const LONGEST_PAUSE_S = 4;
const SILENCE_MS = 10_000;
// a big photo may take long on a slow line, and nothing is heard meanwhile
const DEAD_MS = 30_000;
const OPENING_MS = 20_000;
const PROBE_MS = 3000;
const MOST_PROBES = 6;
// so many sockets in a row may fail while the server answers: more is no bad moment, but something in between
const REFUSALS = 3;

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
    this.onOutput = null;
    this.outbox = new Outbox();
    page.first.splice(0).forEach((message) => this.outbox.add(message, true));
    this.callbacks = new Map();
    this.probes = new Map();
    this.heard = performance.now();
    this.live = true;
    this.over = false;
    this.refusals = 0;
    this.order = Promise.resolve();
    this.onStates = null;
    this.states = this.#expectStates();
    this.#adopt(page.socket);
    page.early.splice(0).forEach((data) => this.#receive(data));
    addEventListener("online", () => this.#wake());
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake());
  }

  // Messages wait until the widgets exist that they are for.
  hold(promise) {
    this.order = this.order.then(() => promise).catch((error) => console.error(error));
  }

  send(type, content, metadata, buffers, callbacks) {
    const message = makeMessage(this.page.session, type, content, metadata, buffers);
    const id = message.header.msg_id;
    if (this.over || isTooLarge(message)) {
      this.page.announce(this.over ? "ended" : "undelivered");
      return id;
    }
    if (callbacks) this.callbacks.set(id, callbacks);
    this.outbox.add(message);
    if (this.live && this.socket.readyState === WebSocket.OPEN) {
      this.outbox.write(id, (what) => this.socket.send(pack(what)));
      this.#watch();
    }
    return id;
  }

  // The answer to the request that the page sent before this client was there.
  #expectStates() {
    return new Promise((resolve, reject) => {
      const control = new Comm(this, "jupyter.widget.control", this.page.control);
      control.on_msg((message) => {
        this.hasStates = true;
        control.on_msg((later) => this.#catchUp(later));
        resolve(message);
      });
      control.on_close(() => reject(new Error("The kernel knows no widgets.")));
    });
  }

  // A line that breaks takes along what was on its way here, too. So whatever the widgets hold is asked for again, once
  // all that the page has sent is there; then scripts ask for what they still wait for.
  #askStates() {
    if (!this.isBehind || !this.live || this.outbox.size) return;
    this.isBehind = false;
    const content = { comm_id: this.page.control, data: { method: "request_states" } };
    this.socket.send(pack(makeMessage(this.page.session, "comm_msg", content)));
  }

  async #catchUp(message) {
    // older than what was sent meanwhile
    if (this.outbox.size) this.isBehind = true;
    if (this.isBehind) return this.#askStates();
    await this.onStates?.(message);
    document.dispatchEvent(new CustomEvent("fastclf-mended"));
  }

  #adopt(socket) {
    this.socket = socket;
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = () => this.#mend();
    if (socket.readyState === WebSocket.CONNECTING) socket.addEventListener("open", () => this.#probe());
    if (socket.readyState >= WebSocket.CLOSING) this.#mend();
  }

  #receive(data) {
    this.heard = performance.now();
    const message = unpack(data);
    this.outbox.arrived(message.parent_header?.msg_id);
    this.#askStates();
    if (message.header.msg_type === "status") this.#onStatus(message);
    // all others wait for the first, which builds the widgets
    else if (!this.hasStates && message.content.comm_id === this.page.control) this.#handle(message);
    else this.order = this.order.then(() => this.#handle(message)).catch((error) => console.error(error));
  }

  #onStatus(message) {
    const state = message.content.execution_state;
    if (!message.parent_header?.msg_id) {
      if (ENDED.includes(state)) this.#giveUp();
      return;
    }
    const { session } = message.header;
    this.kernelSession ??= session;
    // a kernel of the same name that knows nothing of this page
    if (session !== this.kernelSession) return this.#giveUp();
    const id = message.parent_header.msg_id;
    if (state === "idle" && this.probes.has(id)) return this.#settle(this.probes.get(id), message);
    if (state === "idle") this.#tellEarlier(id, message);
    this.#tell(id, message);
  }

  // The kernel takes one message after the other: with one, all that arrived before it are done, even where a flood of
  // words has lost their idle. A widget waits for that before it sends its next state.
  #tellEarlier(id, status) {
    if (!this.callbacks.has(id)) return;
    for (const earlier of this.callbacks.keys()) {
      if (earlier === id) return;
      if (!this.outbox.has(earlier)) this.#tell(earlier, status);
    }
  }

  // In turn with the messages that the work has caused.
  #tell(id, status) {
    this.order = this.order.then(() => {
      this.callbacks.get(id)?.iopub?.status?.(status);
      if (status.content.execution_state === "idle") this.callbacks.delete(id);
    });
  }

  // A question that costs nothing. The kernel takes one message after the other, so with the answer it is known
  // that whatever was sent before and is not answered either has been lost.
  #probe() {
    clearTimeout(this.probing);
    if (this.over || this.mending || this.socket.readyState !== WebSocket.OPEN) return;
    const message = makeMessage(this.page.session, "kernel_info_request", {});
    this.probes.set(message.header.msg_id, this.outbox.next());
    this.socket.send(pack(message));
    if (!this.live) this.probing = setTimeout(() => this.#probe(), PROBE_MS);
  }

  #settle(turn, status) {
    clearTimeout(this.probing);
    this.probes.clear();
    this.live = true;
    const known = [...this.callbacks.keys()];
    const refused = this.outbox.writeAgain(turn, (message) => this.socket.send(pack(message)));
    // of what was done only the answer was lost
    known.filter((id) => !this.outbox.has(id)).forEach((id) => this.#tell(id, status));
    if (refused) this.page.announce("undelivered");
    this.#askStates();
    if (this.outbox.size) this.#watch();
  }

  // The network may be back, or the phone out of the pocket.
  #wake() {
    if (this.mending) this.hurry?.();
    else if (!this.over) {
      this.#probe();
      this.#watch();
    }
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
    } else if (OUTPUTS.includes(message.header.msg_type)) this.onOutput?.(message);
  }

  // A kernel that was ended says nothing, and nor does a line that is cut: ask when a message has no echo.
  #watch() {
    if (this.watching && this.heard < this.since) return;
    this.since = performance.now();
    this.#look();
  }

  #look(left = Infinity) {
    clearTimeout(this.watching);
    this.watching = setTimeout(() => this.#check(this.since, left), SILENCE_MS);
  }

  async #check(since, left) {
    const isQuiet = () => !this.over && !this.mending && this.heard < since;
    const found = isQuiet() && (await this.#ask());
    this.watching = 0;
    if (!isQuiet()) return this.#doubt();
    const ahead = this.socket.bufferedAmount;
    if (found === "gone") this.#giveUp();
    else if (found === "busy" || (ahead && ahead < left)) {
      this.since = performance.now();
      this.#look(ahead);
    } else if (performance.now() - since < DEAD_MS) {
      this.#probe();
      this.#look(ahead);
    } else this.#cut();
  }

  // Something was heard, but not the end of all work: it may have been lost, and nothing else is on its way to tell it.
  #doubt() {
    if (this.over || this.mending || !this.callbacks.size) return;
    // one whose own answer was lost tells nothing any more
    if (this.probes.size < MOST_PROBES) this.#probe();
    this.#watch();
  }

  #cut() {
    const { socket } = this;
    socket.onclose = socket.onmessage = null;
    socket.close();
    this.#mend();
  }

  async #ask() {
    const { base, kernelId } = this.page;
    try {
      const answer = await fetch(`${base}api/kernels/${kernelId}`, {
        cache: "no-store",
        headers: { Accept: "application/json" },
        signal: AbortSignal.timeout(SILENCE_MS),
      });
      if (answer.status === 404) return "gone";
      if (!answer.ok) return "unknown";
      const state = (await answer.json()).execution_state;
      if (state === "dead") return "gone";
      return state === "busy" ? "busy" : "here";
    } catch {
      return "unknown";
    }
  }

  // Goes on until the line is mended or the server says that the kernel is gone.
  async #mend() {
    if (this.over || this.page.leaving || this.mending) return;
    this.mending = true;
    this.live = false;
    this.isBehind = true;
    clearTimeout(this.watching);
    this.watching = 0;
    this.page.wait();
    for (let seconds = 0; !this.page.leaving && !this.over; seconds = Math.min(seconds + 1, LONGEST_PAUSE_S)) {
      await this.#pause(1000 * seconds);
      const found = await this.#ask();
      if (found === "gone") this.#giveUp();
      else if (found !== "unknown") {
        if (await this.#reopen()) return;
        this.refusals += 1;
        if (this.refusals === REFUSALS) this.page.block();
      }
    }
  }

  #pause(milliseconds) {
    return new Promise((done) => {
      this.hurry = done;
      setTimeout(done, milliseconds);
    });
  }

  #reopen() {
    return new Promise((resolve) => {
      const socket = this.page.openSocket();
      const timer = setTimeout(() => socket.close(), OPENING_MS);
      socket.onclose = () => {
        clearTimeout(timer);
        resolve(false);
      };
      socket.onopen = () => {
        clearTimeout(timer);
        this.mending = false;
        this.refusals = 0;
        this.page.resume();
        this.#adopt(socket);
        this.probes.clear();
        this.#probe();
        this.#watch();
        resolve(true);
      };
    });
  }

  #giveUp() {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.watching);
    clearTimeout(this.probing);
    this.page.lose();
  }
}
