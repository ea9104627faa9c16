// Stands inline in the page's first bytes: says what is happening, opens the line to the kernel, and ends
// the kernel when the page is left. `client.js` takes over from here.

import { embed } from "./embed.js";
import { hideWaiting, offerReload, sayBroken, sayPicture, showBlocked, showClosed, showFailed, showFull, showLost, showMissing, showWaiting } from "./notices.js";
import { chooseLanguage, speak, t } from "./texts.js";
import { makeId, makeMessage, pack, PROTOCOL } from "./wire.js";

const KEPT = "fastclf-seconds";
const LATE_SECONDS = 20;
// Where each step ends on the bar, and the seconds that it tends to take.
const STEPS = [
  { end: 40, seconds: 2 },
  { end: 75, seconds: 2 },
  { end: 97, seconds: 2 },
];

const began = performance.now();
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
let step = 0;
let stepBegan = began;
let timer = 0;

const page = {
  base: "/",
  kernelId: "",
  session: makeId(),
  control: makeId(),
  socket: null,
  first: [],
  early: [],
  leaving: false,
  lose,
  announce,
  fail,
  wait: showWaiting,
  resume: hideWaiting,
  block: showBlocked,
  refuse,
  sayBroken,
  sayPicture,
  begin,
  meet,
  open,
  finish,
  openSocket,
};
page.opened = new Promise((resolve) => {
  page.setOpened = resolve;
});
window.fastclfPage = page;
// Voila calls this while it waits
window.voila_heartbeat = () => {};
document.documentElement.classList.add("fastclf-js");
embed();
speak(chooseLanguage());

function describe() {
  return [t("Starting a session for you ..."), t("Opening the classifier ..."), t("Drawing the page ...")][step];
}

function readKept() {
  try {
    return Number(localStorage.getItem(KEPT)) || 0;
  } catch {
    return 0;
  }
}

function begin() {
  const kept = Math.round(readKept());
  document.querySelector(".fastclf-starting-soon").textContent =
    kept > 1 ? t("Last time this took {n} seconds.", { n: kept }) : t("This takes a few seconds.");
  document.querySelector("#fastclf-starting progress").setAttribute("aria-label", t("Starting"));
  draw();
  timer = setInterval(draw, still ? 1000 : 100);
}

function reach(next) {
  step = next;
  stepBegan = performance.now();
  draw();
}

// Within a step the bar nears the step's end with time and never gets there by time alone.
function draw() {
  const bar = document.querySelector("#fastclf-starting progress");
  if (!bar) return clearInterval(timer);
  const now = performance.now();
  const from = step ? STEPS[step - 1].end : 3;
  const share = still ? 0 : 1 - Math.exp(-(now - stepBegan) / 1000 / STEPS[step].seconds);
  bar.value = Math.max(bar.value, from + (STEPS[step].end - from) * share);
  const late = now - began > 1000 * LATE_SECONDS;
  if (late) {
    offerReload();
    document.querySelector("#fastclf-starting .fastclf-starting-soon").hidden = true;
  }
  const words = late ? t("This takes longer than usual ...") : describe();
  const line = document.querySelector(".fastclf-starting-now");
  if (line.textContent !== words) line.textContent = words;
}

function meet() {
  const config = JSON.parse(document.getElementById("jupyter-config-data").textContent);
  page.base = config.baseUrl;
  page.kernelId = config.kernelId;
  reach(1);
}

// The notebook has run: ask for all widgets at once, before the client has even arrived.
function open() {
  reach(2);
  const target = { comm_id: page.control, target_name: "jupyter.widget.control", data: {} };
  const request = { comm_id: page.control, data: { method: "request_states" } };
  const first = [
    makeMessage(page.session, "comm_open", target, { version: "1.0.0" }),
    makeMessage(page.session, "comm_msg", request),
  ];
  page.first.push(...first);
  page.socket = openSocket();
  page.socket.onopen = () => first.forEach((message) => page.socket.send(pack(message)));
  page.socket.onmessage = (event) => page.early.push(event.data);
  page.setOpened();
}

function openSocket() {
  const url = new URL(`${page.base}api/kernels/${page.kernelId}/channels`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.searchParams.set("session_id", page.session);
  const socket = new WebSocket(url, PROTOCOL);
  socket.binaryType = "arraybuffer";
  return socket;
}

function finish() {
  try {
    localStorage.setItem(KEPT, String((performance.now() - began) / 1000));
  } catch {
    // a page without storage
  }
  document.getElementById("fastclf-starting")?.remove();
  document.getElementById("fastclf-app").hidden = false;
}

function lose() {
  if (page.leaving) return;
  if (document.getElementById("fastclf-starting")) showFailed();
  else showLost();
  announce("ended");
}

// Panels end what they are waiting for: the session has "ended", or a message stays "undelivered".
function announce(reason) {
  if (!page.leaving) document.dispatchEvent(new CustomEvent("fastclf-lost", { detail: { reason } }));
}

function fail() {
  if (!page.leaving) showFailed();
}

// As a server's extension the dashboard is one notebook among others.
function findHome(home) {
  const place = /^.*\/voila\/render\//.exec(location.pathname);
  return place ? `${place[0]}dashboard.ipynb` : home;
}

function refuse() {
  const { refused, home } = document.getElementById("fastclf-starting").dataset;
  if (refused === "503") showFull();
  else if (refused === "404") showMissing(findHome(home));
  else if (refused === "401") showClosed(home);
  else showFailed();
}

// the page's own script did not come; what else fails says so itself
addEventListener("error", (event) => event.target instanceof HTMLScriptElement && fail(), true);
addEventListener("pagehide", () => {
  page.leaving = true;
  if (page.kernelId) navigator.sendBeacon(`${page.base}voila/api/shutdown/${page.kernelId}`);
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
document.addEventListener("DOMContentLoaded", () => {
  if (!page.socket && !document.querySelector("[data-refused]")) fail();
});
