// Says in a sentence that a browser could not read the page's script before this one. Written for old browsers.

(function () {
  var old = "This browser is too old for this page, which computes its answers in the browser itself. Update it, or open the page with a current Firefox, Chrome, Edge or Safari.";
  var cut = "A part of this page is damaged. Load it again; if that does not help, its files have to be copied once more.";
  if (window.fastclfStarted) return;
  var texts = (window.fastclfSite || { texts: {} }).texts;
  var code = String(navigator.language || "en").toLowerCase().split("-")[0];
  // the script could be read, so that what it works with is not as it was written
  var text = window.fastclfBegun ? cut : old;
  var known = texts[code] && texts[code][text];
  var box = document.createElement("div");
  var line = document.createElement("p");
  box.className = "fastclf-refusal";
  box.setAttribute("role", "alert");
  line.textContent = known || text;
  box.appendChild(line);
  document.documentElement.lang = known ? code : "en";
  document.documentElement.dir = known && code === "ar" ? "rtl" : "ltr";
  document.getElementById("fastclf-site").appendChild(box);
})();
