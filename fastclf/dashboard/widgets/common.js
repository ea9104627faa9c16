// What every script of the page shares; it stands before each of them. Words are only ever set as text.

// make("p", "fastclf-note", "Ready.", { role: "status" })
function make(tag, className, text, attributes = {}) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function makeButton(className, text, onClick) {
  const button = make("button", className, text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

function makeUrl(bytes, type = "image/jpeg") {
  return URL.createObjectURL(new Blob([bytes], { type }));
}

// listenTo(model, { "change:texts": act }): listens until what it returns is called.
function listenTo(model, handlers) {
  for (const [name, act] of Object.entries(handlers)) model.on(name, act);
  return () => Object.entries(handlers).forEach(([name, act]) => model.off(name, act));
}

// What a widget's script exports: a view of the model is made for an element, and closed with it.
function showAs(View) {
  return {
    render({ model, el }) {
      const view = new View(model, el);
      return () => view.close();
    },
  };
}

// t("Choose photos"), t("{n} photos", { n }): the English text is the key of the catalogue.
function makeTranslator(model) {
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  const t = (text, values = {}) => fill(model.get("texts")?.[text] ?? text, values);
  const tn = (n, one, many, values = {}) => t(n === 1 ? one : many, { n: n.toLocaleString("en-US"), ...values });
  return { t, tn };
}
