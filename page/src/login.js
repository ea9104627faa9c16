// The page that asks for the password, in the visitor's language.

import { chooseLanguage, speak, t } from "./texts.js";

function sayFault(status, seconds) {
  if (status === "401") return t("That is not the password.");
  if (status === "429") return t("Too many tries. Try again in {n} s.", { n: seconds });
  if (status === "403") return t("Sign in on this page itself.");
  return "";
}

window.fastclfPage = {
  ask() {
    speak(chooseLanguage());
    const form = document.getElementById("fastclf-starting");
    form.querySelector("label").textContent = t("Password");
    form.querySelector("button").textContent = t("Sign in");
    form.querySelector("[role=alert]").textContent = sayFault(form.dataset.status, form.dataset.seconds);
    form.querySelector("input").focus();
    form.addEventListener("submit", () => form.querySelector("button").toggleAttribute("disabled", true));
    // a page that comes back from the browser's cache may be asked again
    addEventListener("pageshow", () => form.querySelector("button").removeAttribute("disabled"));
  },
};
