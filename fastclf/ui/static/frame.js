// Tells the kernel the browser's language, and the page its language and direction.

const RIGHT_TO_LEFT = ["ar"];

function chooseLanguage(known) {
  let kept = null;
  try {
    kept = localStorage.getItem("fastclf-language");
  } catch {
    // a page without storage
  }
  const wishes = [kept, ...(navigator.languages || [navigator.language])].filter(Boolean);
  for (const wish of wishes) {
    const found = known.find((code) => wish.toLowerCase().split("-")[0] === code);
    if (found) return found;
  }
  return "en";
}

export default {
  render({ model, el }) {
    el.hidden = true;
    const show = () => {
      const code = model.get("spoken");
      const root = el.closest(".fastclf");
      for (const node of [root, root?.closest(".fastclf-page") && document.documentElement].filter(Boolean)) {
        node.lang = code;
        node.dir = RIGHT_TO_LEFT.includes(code) ? "rtl" : "ltr";
      }
      if (code === chooseLanguage(model.get("languages"))) {
        document.dispatchEvent(new CustomEvent("fastclf-ready", { detail: code }));
      }
    };
    const tell = () => {
      model.set("wanted", chooseLanguage(model.get("languages")));
      model.save_changes();
    };
    model.on("change:spoken", show);
    document.addEventListener("fastclf-language", tell);
    // the element is put into the page after this
    requestAnimationFrame(show);
    tell();
    return () => document.removeEventListener("fastclf-language", tell);
  },
};
