// What the page says when it cannot go on: each notice has one button, and that gets the focus.

import { isEmbedded } from "./embed.js";
import { t } from "./texts.js";

const PATIENCE_MS = 30_000;
let patience = 0;

export function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function makeButton(text, onClick) {
  const button = make("button", "fastclf-notice-button", text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

// A page in a frame does not take the focus from the page around it.
function focus(button) {
  if (!isEmbedded()) button.focus({ preventScroll: true });
}

export function reload() {
  location.reload();
}

// Folded, a notice leaves room for what is read under it.
function makeFold(notice) {
  const button = makeButton(t("Less"), () => {
    const folded = notice.classList.toggle("fastclf-notice-folded");
    button.textContent = folded ? t("More") : t("Less");
    button.setAttribute("aria-expanded", String(!folded));
  });
  button.classList.add("fastclf-notice-fold");
  button.setAttribute("aria-expanded", "true");
  return button;
}

// The session is gone: what stands on the page stays, under a notice.
export function showLost() {
  if (document.querySelector(".fastclf-notice[role=alert]")) return;
  hideWaiting();
  const notice = make("div", "fastclf-notice");
  notice.setAttribute("role", "alert");
  notice.append(
    make("strong", "", t("This session has ended.")),
    make("p", "", t("The server has stopped it, or a pause was too long. You can still read this page; reload it to go on.")),
  );
  const button = makeButton(t("Reload"), reload);
  const row = make("div", "fastclf-notice-row");
  row.append(button, makeFold(notice));
  notice.append(row);
  document.body.classList.add("fastclf-lost");
  document.body.append(notice);
  focus(button);
}

export function showWaiting() {
  if (document.querySelector(".fastclf-notice")) return;
  const notice = make("div", "fastclf-notice fastclf-notice-waiting");
  notice.setAttribute("role", "status");
  notice.append(make("p", "", t("The connection was interrupted. Trying again ...")));
  document.body.append(notice);
  patience = setTimeout(() => {
    notice.replaceChildren(
      make("p", "", t("The connection was interrupted. Trying again ...")),
      make("p", "", t("This page continues by itself when the server can be reached. Reloading starts over: what you did here is lost.")),
      makeButton(t("Reload"), reload),
    );
  }, PATIENCE_MS);
}

// The server answers, and yet no live connection to it can be opened: waiting longer does not help.
export function showBlocked() {
  clearTimeout(patience);
  const notice = document.querySelector(".fastclf-notice-waiting");
  notice?.replaceChildren(
    make("strong", "", t("No live connection to the server can be opened.")),
    make("p", "", t("The server answers, but something in between stops the connection. Tell whoever runs this page: the server's terminal says what is missing.")),
    makeButton(t("Reload"), reload),
  );
}

export function hideWaiting() {
  clearTimeout(patience);
  document.querySelector(".fastclf-notice-waiting")?.remove();
}

// Starting takes long, and may never end.
export function offerReload() {
  const place = document.getElementById("fastclf-starting");
  if (!place.querySelector(".fastclf-notice-button")) place.append(makeButton(t("Reload"), reload));
}

export function sayBroken() {
  return t("This part of the page could not be drawn.");
}

export function sayPicture() {
  return t("A picture without a description");
}

// Nothing was drawn, so the words stand in the middle of the page.
function showInstead(heading, words, buttonText, onClick) {
  const place = document.getElementById("fastclf-starting");
  if (!place) return null;
  const alert = make("div");
  alert.setAttribute("role", "alert");
  alert.append(make("h1", "", heading), make("p", "fastclf-starting-now", words));
  const button = makeButton(buttonText, onClick);
  place.replaceChildren(alert, button);
  document.title = heading;
  focus(button);
  return alert;
}

export function showFailed() {
  showInstead(
    t("The page could not be started"),
    t("Something went wrong on the server. Reload the page; if that does not help, tell whoever runs it."),
    t("Reload"),
    reload,
  );
}

export function showMissing(home) {
  showInstead(t("There is no such page"), t("The address may be misspelt."), t("Go to the start page"), () => {
    location.href = home;
  });
}

// A password is asked for on a page of its own alone: around this one stands another site's.
export function showClosed(home) {
  showInstead(
    t("This page asks for a password"),
    t("It is not asked for inside another site's page."),
    t("Open in a page of its own"),
    () => window.open(home, "_blank", "noopener"),
  );
}

// Every place is taken. The page tries again by itself, not at the same moment as all others.
export function showFull() {
  const alert = showInstead(
    t("Many people are here right now"),
    t("Every place is taken. Please try again in a minute; this page also tries by itself."),
    t("Try again now"),
    reload,
  );
  if (!alert) return;
  let left = 30 + Math.floor(Math.random() * 30);
  const line = make("p", "fastclf-starting-soon");
  alert.parentNode.append(line);
  const count = () => {
    line.textContent = t("Next try in {n} s", { n: left });
    if (left-- <= 0) reload();
    else setTimeout(count, 1000);
  };
  count();
}
