// Keeps the page's files, so that a second visit needs no network. KEPT is put in when the page is made.

/* global KEPT */

const { version, files } = KEPT;
const prefix = `fastclf ${registration.scope} `;
const name = prefix + version;

async function keep() {
  const store = await caches.open(name);
  // the page has just loaded them: the browser asks whether they are still the same
  await store.addAll(files.map((file) => new Request(file, { cache: "no-cache" })));
}

async function forgetOld() {
  const names = await caches.keys();
  await Promise.all(names.filter((other) => other.startsWith(prefix) && other !== name).map((other) => caches.delete(other)));
}

// Some hosts lead from index.html to the folder, and what was led elsewhere may not answer for a page.
function findKept({ mode, url }) {
  const { pathname } = new URL(url);
  const home = new URL(registration.scope).pathname;
  return mode === "navigate" && [home, `${home}index.html`].includes(pathname) ? registration.scope : url;
}

async function answer(request) {
  const store = await caches.open(name);
  return (await store.match(findKept(request), { ignoreSearch: true })) ?? fetch(request);
}

addEventListener("install", (event) => event.waitUntil(keep()));
addEventListener("activate", (event) => event.waitUntil(forgetOld()));
// an open page is one of the old files, so that a new version waits until one says that it has all it needs
addEventListener("message", ({ data }) => data === "take-over" && skipWaiting());
addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && request.url.startsWith(registration.scope)) event.respondWith(answer(request));
});
