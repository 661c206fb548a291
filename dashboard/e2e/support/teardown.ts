// Whatever happened: no process and no folder of this run is left.
import { readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { clear, FOLDERS } from "./server";

export default async function teardown() {
  const above = dirname(FOLDERS);
  for (const name of readdirSync(above).filter((name) => name.startsWith(basename(FOLDERS)))) {
    await clear(join(above, name));
    rmSync(join(above, name), { recursive: true, force: true });
  }
}
