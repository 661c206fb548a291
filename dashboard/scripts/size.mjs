// Fails when the page's own JavaScript is larger than it may be. The charts come later, when the first one is drawn.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const MOST_BYTES = 150_000;
/** What has a chart library in it, by the module that loads it. */
const CHARTS = /^(lines|price)-/;

const assets = join(import.meta.dirname, "..", "dist", "assets");
const first = readFileSync(join(assets, "..", "index.html"), "utf8");
const sum = { own: 0, charts: 0, first: 0 };
for (const name of readdirSync(assets).filter((name) => name.endsWith(".js"))) {
  const bytes = gzipSync(readFileSync(join(assets, name)), { level: 9 }).length;
  sum[CHARTS.test(name) ? "charts" : "own"] += bytes;
  if (first.includes(name)) sum.first += bytes;
  console.log(`${String(bytes).padStart(8)} B gzip  ${name}`);
}
console.log(`own ${sum.own} B (first view ${sum.first} B), charts ${sum.charts} B, gzip`);
if (sum.own > MOST_BYTES) {
  console.error(`the page's own JavaScript has ${sum.own} B gzip: expected at most ${MOST_BYTES}`);
  process.exit(1);
}
