// Markup of a notebook without what could act or reach out: only these elements are made anew, with these attributes.

const ELEMENTS = new Set(
  "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre progress q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var".split(" "),
);
// their words are no text to read
const SILENT = new Set("script style template noscript iframe object embed svg math head title textarea select audio video canvas".split(" "));
const ATTRIBUTES = ["alt", "colspan", "dir", "lang", "max", "open", "rowspan", "scope", "start", "title", "value"];
const ADDRESSES = { a: ["href", /^(https?:|mailto:)/i], img: ["src", /^data:image\/(png|jpeg|gif|webp);base64,/i] };

export function copyMarkup(text) {
  const place = document.createElement("div");
  // parsed like this, nothing is loaded or run
  copyInto(place, new DOMParser().parseFromString(text, "text/html").body);
  return place;
}

function copyInto(place, source) {
  for (const node of source.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) place.append(node.data);
    else if (node.nodeType === Node.ELEMENT_NODE) copyElement(place, node);
  }
}

function copyElement(place, source) {
  const name = source.localName;
  if (SILENT.has(name)) return;
  if (!ELEMENTS.has(name)) return copyInto(place, source);
  const [attribute, allowed] = ADDRESSES[name] || [];
  const address = source.getAttribute(attribute)?.trim();
  const isAllowed = Boolean(address) && allowed.test(address);
  if (name === "img" && !isAllowed) return place.append(source.getAttribute("alt") ?? "");
  const node = document.createElement(name);
  if (isAllowed) node.setAttribute(attribute, address);
  ATTRIBUTES.filter((other) => source.hasAttribute(other)).forEach((other) => node.setAttribute(other, source.getAttribute(other)));
  if (name === "img" && !node.alt) node.alt = "";
  if (name === "a") node.rel = "noopener noreferrer";
  copyInto(node, source);
  place.append(node);
}
