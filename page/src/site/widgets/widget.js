// What a component of the dashboard knows of its widget, here without a kernel: values, and messages to and fro.

export class Widget {
  // `handle(content, buffers)` is what the widget's Python side does with a message
  constructor(values, handle = () => {}) {
    this.values = { texts: {}, ...values };
    this.handle = handle;
    this.listeners = new Map();
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    if (this.values[name] === value) return;
    this.values[name] = value;
    this.#emit(`change:${name}`);
  }

  save_changes() {} // nobody else keeps these values

  on(name, act) {
    this.listeners.set(name, [...(this.listeners.get(name) || []), act]);
  }

  off(name, act) {
    this.listeners.set(name, (this.listeners.get(name) || []).filter((other) => other !== act));
  }

  // from the component
  send(content, _callbacks, buffers = []) {
    queueMicrotask(() => this.handle(content, buffers));
  }

  // to the component
  tell(content, buffers = []) {
    this.#emit("msg:custom", content, buffers);
  }

  #emit(name, ...given) {
    (this.listeners.get(name) || []).forEach((act) => act(...given));
  }
}
