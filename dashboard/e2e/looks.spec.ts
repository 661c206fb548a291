// How every page looks with data: pictures in both themes, on a screen and on a phone, and what can be measured of them.
import { expectWellLaidOut, portray, wear } from "./support/looks";
import { settled, sidebar, visit } from "./support/pages";
import { Server, until } from "./support/server";
import { panel } from "./support/steps";
import { expect, type Page, test } from "./support/test";

/** Cycles that a chart of metrics can be drawn of. */
const CYCLES = 4;
/** Bars that a chart of prices can be drawn of. */
const BARS = 150;

let server: Server;
test.beforeAll(async () => {
  server = await Server.start();
  await server.train("first");
  await server.train("a-training-with-a-rather-long-name");
  await runCycles();
  await runTrader();
});
test.afterAll(async () => server.end());

/** A schedule that is paused behind its last cycle, so that the page stands still. */
async function runCycles() {
  const wanted = {
    interval_hours: 1 / 3600,
    iterations_per_cycle: 4,
    window_candles: 1500,
    preset: "thresholds",
  };
  await server.api("/api/continuous/start", { symbol: "BTC/USD", timeframe: "1h", ...wanted });
  await until("some cycles", async () => {
    const { cycles } = await server.api<{ cycles: { status: string }[] }>("/api/continuous/history");
    return cycles.filter(({ status }) => status === "promoted").length >= CYCLES;
  });
  await server.api("/api/continuous/pause", {});
  await until("the last cycle's end", async () => {
    const { running_cycle: running } = await server.api("/api/continuous/status");
    return running === null || running === undefined;
  });
}

/** A trader that has traded for a while, was killed and stands. */
async function runTrader() {
  const { session_id: id } = await server.api("/api/live/start", { source: "synthetic", speed: "36000" });
  await until("some bars", async () => {
    const { bars } = await server.api<{ bars: number }>(`/api/live/sessions/${id}`);
    return bars >= BARS;
  });
  await server.api(`/api/live/sessions/${id}/kill`, {
    reason: "the walk takes a picture of it",
    flatten: false,
  });
}

async function open(page: Page, path: string) {
  await page.goto(server.at(path));
  await expect(page.locator("main h1")).toBeVisible();
  await settled(page);
}

test("every page of the sidebar", async ({ page }) => {
  await open(page, "/continuous");
  for (const path of await sidebar(page)) {
    await visit(page, path);
    await settled(page);
    await portray(page, `data-${path.slice(1)}`);
  }
});

test("what unfolds on Continuous: the setup panel and a verdict", async ({ page }) => {
  await open(page, "/continuous");
  await page.getByRole("button", { name: "New schedule" }).click();
  await panel(page, "Cycles").getByRole("button", { name: "Why" }).first().click();
  await portray(page, "unfolded-continuous");
});

test("one training and one model", async ({ page }) => {
  await open(page, "/experiments");
  await panel(page, "Trainings")
    .getByRole("link", { name: /^exp-|a-training/ })
    .last()
    .click();
  await expect(panel(page, "Curves").locator("canvas")).toBeVisible();
  await settled(page);
  for (const summary of await page.locator("main summary").all()) await summary.click();
  await portray(page, "data-experiment");
  await page
    .locator("main")
    .getByRole("link", { name: /^model-/ })
    .first()
    .click();
  await expect(panel(page, "What the gate said")).toBeVisible();
  await settled(page);
  await portray(page, "data-model");
});

test("forms that unfold, and a question before a deed", async ({ page }) => {
  await open(page, "/experiments");
  await page.getByRole("button", { name: "New training" }).click();
  await portray(page, "unfolded-experiments");
  await visit(page, "/paper");
  await settled(page);
  await page.getByRole("button", { name: "Start on paper" }).click();
  await portray(page, "unfolded-paper");
  await panel(page, /BTC\/USD/)
    .getByRole("button", { name: "Kill and close" })
    .click();
  await expect(page.getByRole("dialog")).toBeVisible();
  await portray(page, "question");
});

test("a theme that was chosen stays, whatever the system says", async ({ page }) => {
  await wear(page, "light", 1280);
  await open(page, "/continuous");
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByLabel("Colours").selectOption("dark");
  await expect.poll(ground).not.toBe(light);
  await page.reload();
  await expect.poll(ground).not.toBe(light);
  await page.getByLabel("Colours").selectOption("light");
  await wear(page, "dark", 1280);
  await expect.poll(ground).toBe(light);
});

test("times are the reader's, with UTC on hover", async ({ page }) => {
  await open(page, "/continuous");
  const time = panel(page, "Cycles").locator("time").first();
  const at = new Date((await time.getAttribute("datetime")) ?? "");
  const told = at.toLocaleString("en-US", {
    timeZone: "America/New_York",
    hour: "2-digit",
    minute: "2-digit",
  });
  await expect(time).toContainText(told);
  await expect(time).toHaveAttribute("title", `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`);
});

test("widths between a phone and a screen hold everything too", async ({ page }) => {
  await open(page, "/continuous");
  for (const path of await sidebar(page)) {
    await visit(page, path);
    await settled(page);
    for (const width of [320, 600, 761, 1001]) {
      await wear(page, "light", width);
      await expectWellLaidOut(page, `${path} at ${width} px`);
    }
  }
});
