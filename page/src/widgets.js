// The widgets that the page can draw: the common controls of ipywidgets, Output, and every anywidget.

import * as base from "@jupyter-widgets/base";
import * as bool from "@jupyter-widgets/controls/lib/widget_bool";
import * as box from "@jupyter-widgets/controls/lib/widget_box";
import * as button from "@jupyter-widgets/controls/lib/widget_button";
import * as description from "@jupyter-widgets/controls/lib/widget_description";
import * as selection from "@jupyter-widgets/controls/lib/widget_selection";
import * as string from "@jupyter-widgets/controls/lib/widget_string";
import * as upload from "@jupyter-widgets/controls/lib/widget_upload";
import "anywidget";
import * as outputs from "./outputs.js";
import { defined } from "./stand-ins/define.js";

const MODULES = {
  "@jupyter-widgets/base": [base],
  "@jupyter-widgets/controls": [bool, box, button, description, selection, string, upload],
  "@jupyter-widgets/output": [outputs],
  anywidget: [defined.anywidget(base)],
};

// What cannot be drawn is named in words; the library's own view would show its stack.
base.ErrorWidgetView.prototype.render = function () {
  this.el.className = "fastclf-broken";
  this.el.textContent = window.fastclfPage.sayBroken();
};

export function findClass(className, moduleName) {
  const found = MODULES[moduleName]?.find((module) => className in module);
  if (!found) throw new Error(`This page cannot draw ${className} of ${moduleName}.`);
  return found[className];
}
