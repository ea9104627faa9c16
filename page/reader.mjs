// Bundles a screen reader for the browser tests, as `window.virtual`; it is no part of the page.
// node reader.mjs OUTPUT_FILE

import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const resolveDir = dirname(fileURLToPath(import.meta.url));
const contents = 'import { virtual } from "@guidepup/virtual-screen-reader"; window.virtual = virtual;';
const made = await build({ bundle: true, minify: true, write: false, target: "es2022", format: "iife", legalComments: "none", logLevel: "warning", absWorkingDir: resolveDir, stdin: { contents, resolveDir } });
await writeFile(process.argv[2], made.outputFiles[0].contents);
