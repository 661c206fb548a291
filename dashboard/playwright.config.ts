import { defineConfig } from "@playwright/test";

/** A machine that does other things meanwhile is slow; nothing here waits longer than it has to. */
const PATIENCE_MS = 45_000;

// Every process of the run calls its folders by the same name.
process.env.WALKFORWARD_WALK ??= String(process.pid);

// The walk through the page in Debian's chromium, against the real binaries.
export default defineConfig({
  testDir: "e2e",
  testMatch: "*.spec.ts",
  outputDir: "e2e/results",
  globalTeardown: "./e2e/support/teardown.ts",
  workers: 2,
  timeout: 4 * PATIENCE_MS,
  globalTimeout: 15 * 60_000,
  reporter: [["list"]],
  forbidOnly: true,
  expect: { timeout: PATIENCE_MS },
  use: {
    browserName: "chromium",
    actionTimeout: PATIENCE_MS,
    navigationTimeout: PATIENCE_MS,
    viewport: { width: 1280, height: 900 },
    locale: "en-US",
    // Not UTC, so that a time in the wrong zone shows.
    timezoneId: "America/New_York",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.WALKFORWARD_CHROMIUM ?? "/usr/bin/chromium",
      // Root has no sandbox; `rebound.test` is a name that an attacker points at this machine.
      args: ["--no-sandbox", "--host-resolver-rules=MAP rebound.test 127.0.0.1"],
    },
  },
});
