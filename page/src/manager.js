// The widget manager: models and views of what the kernel has, over our own connection.

import { DOMWidgetView } from "@jupyter-widgets/base";
import { ManagerBase } from "@jupyter-widgets/base-manager/lib/manager-base";
import { Widget } from "@lumino/widgets";
import { Comm } from "./connection.js";
import { giveToOutput } from "./outputs.js";
import { adopt } from "./styles.js";
import { findClass } from "./widgets.js";

const CONTROL = "jupyter.widget.control";

export class Manager extends ManagerBase {
  constructor(connection) {
    super();
    this.connection = connection;
    connection.onStates = (states) => this.#build(states);
    connection.onOutput = giveToOutput;
    connection.onCommOpen = (comm, message) => !this.has_model(comm.comm_id) && this.handle_comm_open(comm, message);
  }

  async load() {
    await this.#build(await this.connection.states);
  }

  // Makes every widget from the one answer that holds them all; those that are there take what they have missed.
  async #build(states) {
    this.states = states;
    const loading = this._loadFromKernel();
    this.connection.hold(loading);
    await loading;
  }

  async show(id, place) {
    const model = await this.get_model(id);
    const view = await this.create_view(model);
    Widget.attach(view.luminoWidget, place);
    await settle(view);
  }

  // An anywidget would put its styles into the page itself.
  async new_model(options, { _css, ...state } = {}) {
    if (_css) adopt(_css);
    return super.new_model(options, state);
  }

  // A widget that cannot be drawn leaves the others alone.
  async create_view(model, options) {
    try {
      return await super.create_view(model, options);
    } catch (error) {
      console.error(error);
      const view = new BrokenView({ model, options: this.setViewOptions(options) });
      await view.render();
      return view;
    }
  }

  // Whether something on the page will tell the kernel the language, and say when it is spoken.
  async hasFrame() {
    const models = await Promise.all(Object.values(this._models));
    return models.some((model) => String(model.get("_anywidget_id")).endsWith(".PageFrame"));
  }

  loadClass(className, moduleName) {
    return Promise.resolve().then(() => findClass(className, moduleName));
  }

  async _create_comm(target, id, data, metadata, buffers) {
    if (target === CONTROL) return new AnsweredComm(this.states);
    const comm = new Comm(this.connection, target, id);
    if (data !== undefined) comm.open(data, undefined, metadata, buffers);
    return comm;
  }

  async _get_comm_info() {
    return {};
  }
}

class BrokenView extends DOMWidgetView {
  render() {
    this.el.className = "fastclf-broken";
    this.el.textContent = window.fastclfPage.sayBroken();
  }
}

// Asks nothing: the answer is there.
class AnsweredComm {
  constructor(answer) {
    this.answer = answer;
  }

  on_msg(callback) {
    callback(this.answer);
  }

  on_close() {}

  send() {}

  close() {}
}

// Children are drawn by and by.
async function settle(view) {
  const children = await Promise.all((await view.children_views?.views) ?? []);
  await Promise.all(children.map(settle));
}
