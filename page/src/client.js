// Draws the notebook's widgets in place of the starting page.

import styles from "./client.css";
import { Connection } from "./connection.js";
import { Manager } from "./manager.js";
import { adopt } from "./styles.js";

const LANGUAGE_MS = 2000;

async function start(page) {
  adopt(styles);
  await page.opened;
  const ids = [...document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]')].map(
    (node) => JSON.parse(node.textContent).model_id,
  );
  if (!ids.length) throw new Error("The notebook shows no widget.");
  const manager = new Manager(new Connection(page));
  const spoken = new Promise((done) => document.addEventListener("fastclf-ready", done, { once: true }));
  await manager.load();
  const place = document.getElementById("fastclf-app");
  for (const id of ids) await manager.show(id, place);
  if (await manager.hasFrame()) await Promise.race([spoken, new Promise((done) => setTimeout(done, LANGUAGE_MS))]);
  page.finish();
}

start(window.fastclfPage).catch((error) => {
  console.error(error);
  window.fastclfPage.fail();
});
