// Bundles the page: one module, what stands inline in each page, and the licences of what is inside. And what a page
// without a server runs: its own scripts, the worker, and ONNX Runtime's WebAssembly.
// node build.mjs OUTPUT_FOLDER CATALOGUE SITE_FOLDER DASHBOARD_FOLDER

import { createHash } from "node:crypto";
import { copyFile, readFile, readdir, writeFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
const catalogueFile = process.argv[3] || join(here, "..", "fastclf", "dashboard", "texts.json");
const [site, dashboard] = process.argv.slice(4);
const COMMON = { bundle: true, minify: true, write: false, target: "es2022", legalComments: "none", logLevel: "warning", metafile: true, absWorkingDir: here };
// the files that went into the dashboard's page, and into a page without a server
const [ofPage, ofSite] = [new Set(), new Set()];

async function bundle(options, inputs = ofPage) {
  const made = await build({ ...COMMON, ...options });
  Object.keys(made.metafile.inputs).forEach((path) => inputs.add(path));
  return made;
}

const standIn = (name) => join(here, "src", "stand-ins", `${name}.js`);

const STAND_INS = { jquery: "jquery", "sanitize-html": "sanitize", "@lumino/widgets": "lumino" };

// Smaller parts in the place of large ones.
const smaller = {
  name: "smaller",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(jquery|sanitize-html|@lumino\/widgets)$/ }, ({ path }) => ({ path: standIn(STAND_INS[path]) }));
    // the page has no sliders
    onLoad({ filter: /nouislider[^/]*\.css$/ }, () => ({ contents: "", loader: "css" }));
  },
};

// The module brings its styles along as text.
const styles = {
  name: "styles",
  setup({ onLoad }) {
    onLoad({ filter: /src[\\/]client\.css$/ }, async ({ path }) => ({ contents: await bundleStyle(path), loader: "text" }));
  },
};

async function bundleStyle(path) {
  const made = await bundle({ entryPoints: [path], plugins: [smaller] });
  return made.outputFiles[0].text.trim();
}

async function bundleClient() {
  return bundle({
    entryPoints: ["src/client.js"],
    format: "esm",
    inject: [standIn("define")],
    plugins: [smaller, styles],
  });
}

// The words that stand in t("...") of an inline part, in every language but English.
async function collectTexts(files) {
  const catalogue = JSON.parse(await readFile(catalogueFile, "utf-8")).page;
  const sources = await Promise.all(files.map((name) => readFile(join(here, "src", name), "utf-8")));
  const said = [...sources.join("\n").matchAll(/\bt\(\s*("(?:[^"\\\n]|\\.)*")/g)].map((match) => JSON.parse(match[1]));
  const texts = {};
  for (const text of new Set(said)) {
    for (const [code, words] of Object.entries(catalogue[text] ?? {})) (texts[code] ??= {})[text] = words;
  }
  return texts;
}

// What stands inline in a page: its style, and the first of the scripts, with the words of them all.
async function bundleInline(styleName, scripts) {
  const define = { TEXTS: JSON.stringify(await collectTexts(scripts)) };
  const script = await bundle({ entryPoints: [`src/${scripts[0]}`], format: "iife", define, charset: "utf8" });
  const style = await bundleStyle(join(here, "src", styleName));
  // Jinja reads the templates that include this
  return `{% raw %}<style>${style}</style>\n<script>${script.outputFiles[0].text.trim()}</script>{% endraw %}\n`;
}

// The published runtime asks for 4 GiB of memory at most, which phones refuse; 512 MiB are enough.
const [PUBLISHED_PAGES, PAGES] = ["maximum:65536", "maximum:8192"];
// in a warning about threads, which are not used; the page names no foreign address
const ADDRESS = /https:\/\/web\.dev\/[\w/-]*/g;

const lower = {
  name: "lower",
  setup({ onLoad }) {
    onLoad({ filter: /onnxruntime-web[\\/]dist[\\/].*\.mjs$/ }, async ({ path }) => {
      const text = await readFile(path, "utf-8");
      if (!text.includes(PUBLISHED_PAGES)) throw new Error(`${path} no longer says ${PUBLISHED_PAGES}`);
      return { contents: text.replaceAll(PUBLISHED_PAGES, PAGES).replace(ADDRESS, ""), loader: "js" };
    });
  },
};

// import { make } from "dashboard:widgets/common.js": what the dashboard's own scripts define, which are no modules.
const parts = {
  name: "parts",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^dashboard:/ }, ({ path }) => ({ path: path.slice("dashboard:".length), namespace: "dashboard" }));
    onLoad({ filter: /.*/, namespace: "dashboard" }, async ({ path }) => ({ contents: await readPart(path), loader: "js" }));
  },
};

const COMMON_PART = "widgets/common.js";

const findNames = (text) => [...text.matchAll(/^(?:function|class) (\w+)/gm)].map((match) => match[1]);

async function readPart(path) {
  const read = (name) => readFile(join(dashboard, name), "utf-8");
  const text = await read(path);
  const common = path === COMMON_PART ? "" : `import { ${findNames(await read(COMMON_PART)).join(", ")} } from "dashboard:${COMMON_PART}";\n`;
  return `${common}${text}\nexport { ${findNames(text).join(", ")} };\n`;
}

// The worker of a page without a server, as one classic script.
async function bundleWorker(entry) {
  const options = {
    entryPoints: [entry],
    format: "iife",
    define: { "import.meta.url": '"blob:fastclf"' },
    external: ["module", "fs", "path", "url", "os", "worker_threads", "perf_hooks"],
    plugins: [lower],
  };
  return bundle(options, ofSite);
}

async function writeWorker(folder) {
  await mkdir(folder, { recursive: true });
  for (const [name, entry] of [["worker.js", "src/site/worker.js"], ["teach_worker.js", "src/site/teach/worker.js"]]) {
    const worker = await bundleWorker(entry);
    await writeFile(join(folder, name), worker.outputFiles[0].contents);
  }
  await copyFile(join(here, "node_modules", "onnxruntime-web", "dist", "ort-wasm-simd-threaded.wasm"), join(folder, "runtime.wasm"));
}

// What a page without a server runs itself: the page, a look at old browsers, and what keeps its files for the next visit.
async function writeShell(folder) {
  await mkdir(folder, { recursive: true });
  for (const [name, entry] of [["shell", "shell"], ["check", "check"], ["embedded", "embedded"], ["service_worker", "service_worker"], ["teach", "teach/teach"]]) {
    const script = await bundle({ entryPoints: [`src/site/${entry}.js`], format: "iife", charset: "utf8", plugins: [parts] }, ofSite);
    await writeFile(join(folder, `${name}.js`), script.outputFiles[0].contents);
  }
}

// Packages that stand within a file of another one, which says so in its comments: {name: version}.
async function findInlined(paths) {
  const found = new Map();
  for (const path of paths) {
    const text = await readFile(join(here, path), "utf-8");
    for (const [, version, name] of text.matchAll(/node_modules\/\.pnpm\/[^/]*?@([\d.]+)[^/]*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//g)) {
      found.set(name, version);
    }
  }
  return found;
}

async function collectLicences(inputs) {
  const paths = [...inputs].filter((path) => path.startsWith("node_modules/"));
  const inlined = await findInlined(paths);
  const names = new Set(paths.map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)[1]));
  inlined.forEach((_, name) => names.add(name));
  const texts = [];
  for (const name of [...names].sort()) {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf-8"));
    const held = inlined.get(name) ?? version;
    const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|copying)/i.test(file));
    const paths = files.map((file) => join(folder, file));
    // some packages leave theirs in their repository
    if (!paths.length) paths.push(join(here, "licences", `${name.split("/")[0]}.txt`));
    const words = await Promise.all(paths.map((path) => readFile(path, "utf-8")));
    texts.push(`${name} ${held} (${license})\n${words.map((text) => `\n${text.trim()}\n`).join("")}`);
  }
  return `The page's script contains parts of these packages.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

// The scripts and styles of the dashboard's widgets travel with each visit: {hash of the text: a shorter text that does the
// same}. Each stays a text of its own, whose names the others know.
async function writeShorter(folder) {
  const shorter = {};
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    const loader = /^(?!.*static[\\/]).*\.(js|css)$/.exec(name)?.[1];
    if (!loader) continue;
    const text = await readFile(join(folder, name), "utf-8");
    const made = await transform(text, { loader, minify: true, target: "es2022", charset: "utf8", legalComments: "none" });
    shorter[createHash("sha256").update(text).digest("hex")] = made.code.trim();
  }
  await mkdir(join(folder, "static"), { recursive: true });
  await writeFile(join(folder, "static", "shorter.json"), JSON.stringify(shorter));
}

const client = await bundleClient();
await mkdir(out, { recursive: true });
await writeFile(join(out, "client.js"), client.outputFiles[0].contents);
await writeFile(join(out, "head.html"), await bundleInline("page.css", ["starting.js", "notices.js"]));
await writeFile(join(out, "login.html"), await bundleInline("login.css", ["login.js"]));
await writeFile(join(out, "licences.txt"), await collectLicences(ofPage));
await writeWorker(site);
await writeShell(site);
await writeShorter(dashboard);
await writeFile(join(site, "licences.txt"), await collectLicences(ofSite));
