// What every script of the page shares; it stands before each of them. Words are only ever set as text.

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function makeButton(className, text, onClick) {
  const button = make("button", className, text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

// t("Choose photos"), t("{n} photos", { n }): the English text is the key of the catalogue.
function makeTranslator(model) {
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  const t = (text, values = {}) => fill(model.get("texts")?.[text] ?? text, values);
  const tn = (n, one, many, values = {}) => t(n === 1 ? one : many, { n: n.toLocaleString("en-US"), ...values });
  return { t, tn };
}
