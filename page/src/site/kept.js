// From the second visit on the page comes from what the browser keeps, also without a network.

export async function keepPage(site) {
  if (!site.keeps || !location.protocol.startsWith("http")) return;
  document.head.append(Object.assign(document.createElement("link"), { rel: "manifest", href: "manifest.webmanifest" }));
  if (!navigator.serviceWorker) return;
  try {
    const registration = await navigator.serviceWorker.register("service-worker.js");
    // the whole page is there, so that a newer one may take over for the next visit
    const takeOver = () => registration.waiting?.postMessage("take-over");
    registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", takeOver));
    takeOver();
  } catch (fault) {
    console.warn(fault); // the page works without
  }
}
