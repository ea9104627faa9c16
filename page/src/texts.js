// The page's own words, before any widget is there. The build puts the catalogue's texts in.

/* global TEXTS */

const RIGHT_TO_LEFT = ["ar"];

export function chooseLanguage() {
  let kept = null;
  try {
    kept = localStorage.getItem("fastclf-language");
  } catch {
    // a page without storage
  }
  const known = ["en", ...Object.keys(TEXTS)];
  const wishes = [kept, ...(navigator.languages || [navigator.language])].filter(Boolean);
  return wishes.map((wish) => wish.toLowerCase().split("-")[0]).find((code) => known.includes(code)) || "en";
}

export function speak(code) {
  document.documentElement.lang = code;
  document.documentElement.dir = RIGHT_TO_LEFT.includes(code) ? "rtl" : "ltr";
}

// The widgets may have changed the page's language since.
export function t(text, values = {}) {
  const found = TEXTS[document.documentElement.lang]?.[text] ?? text;
  return found.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
