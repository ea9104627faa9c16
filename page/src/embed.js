// A page that stands in another site's page (?embed): it shows alone what answers, and tells the page around it how high
// that is. Nothing else is told, and nothing is taken from there.

export function isEmbedded() {
  return document.documentElement.classList.contains("fastclf-embed");
}

export function embed() {
  if (!new URLSearchParams(location.search).has("embed")) return;
  document.documentElement.classList.add("fastclf-embed");
  if (parent === window) return;
  new ResizeObserver(tell).observe(document.documentElement);
  // whoever listens may have come later
  addEventListener("load", tell);
}

function tell() {
  const { height } = document.documentElement.getBoundingClientRect();
  // nothing is drawn yet: a frame of no height would only flash
  if (height > 0) parent.postMessage({ type: "fastclf:height", height: Math.ceil(height) }, "*");
}
