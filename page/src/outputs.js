// The widget Output: what code prints, shows and raises inside `with output:`. Nothing of it is run.

import { DOMWidgetModel, DOMWidgetView } from "@jupyter-widgets/base";
import { copyMarkup } from "./markup.js";

const MODULE = "@jupyter-widgets/output";
const MOST_LETTERS = 1_000_000; // of one stream; what came first goes first
const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const VIEW = "application/vnd.jupyter.widget-view+json";
// colours and cursor moves of a terminal, and what a carriage return writes over
const CODES = /\u001b\[[0-9;?]*[A-Za-z]/g;
const OVERWRITTEN = /^.*\r(?!\n|$)/gm;

// By what the kernel answers: the outputs that were entered, the newest last.
const entered = new Map();

// Gives a message of the kernel to the output that stood around the code, if there was one.
export function giveToOutput({ header, parent_header: parent, content }) {
  entered.get(parent?.msg_id)?.at(-1)?.take(header.msg_type, content);
}

export class OutputModel extends DOMWidgetModel {
  defaults() {
    return { ...super.defaults(), _model_name: "OutputModel", _view_name: "OutputView", _model_module: MODULE, _view_module: MODULE, msg_id: "", outputs: [] };
  }

  initialize(attributes, options) {
    super.initialize(attributes, options);
    this.on("change:msg_id", () => this.enter());
    this.on("destroy", () => this.leave());
    this.enter();
  }

  enter() {
    this.leave();
    this.entered = this.get("msg_id");
    if (this.entered) entered.set(this.entered, [...(entered.get(this.entered) || []), this]);
  }

  leave() {
    const others = (entered.get(this.entered) || []).filter((model) => model !== this);
    if (others.length) entered.set(this.entered, others);
    else entered.delete(this.entered);
  }

  take(type, content) {
    if (type === "clear_output") {
      this.clearsNext = content.wait;
      if (!content.wait) this.put([]);
      return;
    }
    const old = this.clearsNext ? [] : this.get("outputs");
    this.clearsNext = false;
    const last = old.at(-1);
    if (type === "stream" && last?.output_type === "stream" && last.name === content.name) {
      this.put([...old.slice(0, -1), { ...last, text: (last.text + content.text).slice(-MOST_LETTERS) }]);
    } else this.put([...old, { output_type: type, ...content }]);
  }

  put(outputs) {
    this.set("outputs", outputs);
    this.save_changes();
  }
}

export class OutputView extends DOMWidgetView {
  render() {
    super.render();
    this.el.classList.add("jupyter-widgets", "fastclf-output");
    // what a click leads to is read out
    this.el.setAttribute("aria-live", "polite");
    this.drawn = [];
    this.listenTo(this.model, "change:outputs", () => this.draw());
    this.draw();
  }

  // What is drawn already stays, so that widgets inside keep their place and focus.
  draw() {
    this.drawn = this.model.get("outputs").map((output, i) => {
      const key = JSON.stringify(output);
      return this.drawn[i]?.key === key ? this.drawn[i] : { key, node: this.make(output) };
    });
    const nodes = this.drawn.map(({ node }) => node);
    [...this.el.children].filter((node) => !nodes.includes(node)).forEach((node) => node.remove());
    nodes.forEach((node, i) => this.el.children[i] === node || this.el.insertBefore(node, this.el.children[i] || null));
  }

  make({ output_type: type, name, text, ename, evalue, data }) {
    if (type === "stream") return makeText(text, name === "stderr" ? "fastclf-output-warning" : "");
    if (type === "error") return makeText(`${ename}: ${evalue}`, "fastclf-output-error");
    return this.makeData(data || {});
  }

  makeData(data) {
    if (data[VIEW]) return this.makeWidget(data[VIEW].model_id);
    const picture = PICTURES.find((kind) => data[kind]);
    if (picture) return makePicture(`data:${picture};base64,${join(data[picture]).replace(/\s/g, "")}`);
    // as a picture no script in it runs
    if (data["image/svg+xml"]) return makePicture(`data:image/svg+xml,${encodeURIComponent(join(data["image/svg+xml"]))}`);
    if (data["text/html"]) return copyMarkup(join(data["text/html"]));
    const other = data["text/markdown"] ?? data["text/latex"] ?? data["text/plain"] ?? "";
    return makeText(join(other));
  }

  makeWidget(id) {
    const place = document.createElement("div");
    const manager = this.model.widget_manager;
    manager.show(id, place).catch((error) => {
      console.error(error);
      place.textContent = window.fastclfPage.sayBroken();
    });
    return place;
  }
}

// Text may come as a list of lines.
function join(text) {
  return Array.isArray(text) ? text.join("") : String(text);
}

function makeText(text, className = "") {
  const node = document.createElement("pre");
  node.className = className;
  node.textContent = join(text).replace(CODES, "").replace(OVERWRITTEN, "");
  return node;
}

function makePicture(address) {
  const node = document.createElement("img");
  node.alt = window.fastclfPage.sayPicture();
  node.src = address;
  return node;
}
