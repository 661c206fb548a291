// Makes src/api/schema.ts from openapi.json; with --check it fails when the file is not what it would make.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import openapiTS, { astToString } from "openapi-typescript";

const root = join(import.meta.dirname, "..");
const target = join(root, "src", "api", "schema.ts");

const description = JSON.parse(readFileSync(join(root, "openapi.json"), "utf8"));
// The page names its routes itself; what they take and tell is what has to agree.
const types = astToString(await openapiTS({ ...description, paths: {} }));
const text = `// Made from openapi.json by \`npm run types\`. Do not edit.\n\n${types}`;

if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== text) {
    console.error("src/api/schema.ts is stale: run `npm run types`");
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}
