// The plan's manual test, from the printed link to the kill switch, on one server.
import { Server } from "./support/server";
import { confirmed, cycles, figure, panel, startContinuous, startOnPaper } from "./support/steps";
import { expect, type Page, test } from "./support/test";

test.describe.configure({ mode: "serial" });

/** A cycle that takes some seconds, and one that is over before somebody has looked. */
const LONG = 400;
/** From cycle to cycle. */
const SECONDS = 9;

let server: Server;
/** The model of the first training. */
let base = "";
test.beforeAll(async () => {
  server = await Server.start();
});
test.afterAll(async () => server.end());

/** The model version of the session that is shown. */
async function version(page: Page): Promise<number> {
  const text = await figure(panel(page, "BTC/USD 1h"), "Model version").textContent();
  return Number(text?.replace("v", ""));
}

test("the printed link opens the page and leaves no token in the address", async ({ page }) => {
  expect(server.link).toContain("#token=");
  await page.goto(server.link);
  await expect(page.getByRole("heading", { name: "Continuous training" })).toBeVisible();
  await expect(page).toHaveURL(`${server.origin}/continuous`);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await expect(panel(page, "New schedule")).toBeVisible();
  await page.reload();
  await expect(panel(page, "New schedule"), "the token is known after a reload").toBeVisible();
});

test("a training starts on Experiments and draws its curves", async ({ page }) => {
  await page.goto(server.at("/"));
  await page.getByRole("link", { name: "Experiments" }).click();
  await page.getByRole("button", { name: "New training" }).click();
  const launch = panel(page, "New training");
  await launch.getByLabel("Name").fill("The base");
  await launch.getByLabel("Iterations").fill("12");
  await launch.getByRole("button", { name: "Start training" }).click();
  await expect(page.getByRole("heading", { name: "The base" })).toBeVisible();
  await expect(page.getByText("completed", { exact: true })).toBeVisible();
  const curves = panel(page, "Curves");
  await expect(curves.getByRole("img", { name: "of each iteration" })).toBeVisible();
  await curves.getByLabel("Figure").selectOption({ index: 1 });
  await expect(curves.locator("canvas")).toBeVisible();
  base = (await figure(panel(page, "Training"), "Model").getByRole("link").textContent()) ?? "none";
});

test("continuous training goes on from its checkpoint, fires and moves", async ({ page }) => {
  await page.goto(server.at("/continuous"));
  await startContinuous(page, { base: "The base", seconds: SECONDS, iterations: LONG });
  const bar = page.getByRole("progressbar", { name: /Progress of cycle/ });
  const seen = new Set<string>();
  await expect(async () => {
    const done = await bar.getAttribute("aria-valuenow", { timeout: 1000 });
    if (done) seen.add(done);
    expect(seen.size).toBeGreaterThan(2);
  }).toPass({ intervals: [50] });
  await expect(cycles(page).filter({ hasText: "promoted" }).first()).toBeVisible();
  // The countdown is shown between two cycles.
  await expect(figure(panel(page, "btcusd"), "Next cycle").getByText(/^in \d+ s$/)).toBeVisible();
});

test("a trader takes up the model of the next cycle and misses no bar", async ({ page }) => {
  await page.goto(server.at("/paper"));
  await startOnPaper(page, 14_400);
  await expect.poll(() => version(page)).toBeGreaterThan(0);
  const before = await version(page);
  await expect.poll(() => version(page)).toBeGreaterThan(before);
  const session = panel(page, "BTC/USD 1h");
  await expect(figure(session, "Bars")).toHaveText(/^[\d,]+$/);
  await expect(panel(page, "Price, trades and models").locator("canvas").first()).toBeVisible();
  await expect(panel(page, "Models").getByText(`v${before + 1}`)).toBeVisible();
});

test("the history says what came of each cycle, and why", async ({ page }) => {
  await page.goto(server.at("/continuous"));
  const row = cycles(page).filter({ hasText: "promoted" }).last();
  await expect(row.getByText("deployed")).toBeVisible();
  await row.getByRole("button", { name: "Why" }).click();
  await expect(page.getByText("rules: thresholds")).toBeVisible();
  await expect(panel(page, "Cycles").locator(".checks li").first()).toBeVisible();
  await row.getByRole("link").click();
  await expect(page.getByText("cycle:1", { exact: true })).toBeVisible();
  await expect(page.getByText("continuous", { exact: true })).toBeVisible();
  await figure(panel(page, "Training"), "Model").getByRole("link").click();
  await expect(panel(page, "Lineage").getByRole("listitem").first()).toContainText(base);
});

test("a schedule is paused, resumed, triggered and stopped", async ({ page }) => {
  await page.goto(server.at("/continuous"));
  const status = panel(page, "btcusd");
  const press = (name: string) => status.getByRole("button", { name, exact: true }).click();
  await press("Pause");
  await expect(status.getByText("paused", { exact: true })).toBeVisible();
  await press("Resume");
  await expect(status.getByText("active", { exact: true })).toBeVisible();
  await expect(status.getByRole("button", { name: "Trigger" })).toBeEnabled();
  await press("Trigger");
  await expect(status.getByRole("progressbar")).toBeVisible();
  await confirmed(page, status, "Stop");
  await expect(status.getByText("stopped", { exact: true })).toBeVisible();
  await expect(status.getByRole("button", { name: "Start", exact: true })).toBeVisible();
  await expect(cycles(page).first()).toContainText(/cancelled|promoted/);
});

test("a rollback on Models reaches the trader", async ({ page }) => {
  await page.goto(server.at("/paper"));
  await expect.poll(() => version(page)).toBeGreaterThan(1);
  const before = await version(page);
  await page.getByRole("link", { name: "Models" }).first().click();
  const line = panel(page, "Line default");
  const champion = figure(line, "Champion").getByRole("link");
  const name = await champion.getAttribute("title");
  await confirmed(page, line, "Roll back", "the walk takes it back");
  await expect(champion).not.toHaveAttribute("title", name ?? "");
  await page.getByRole("link", { name: "Paper Trading" }).click();
  await expect.poll(() => version(page)).toBeGreaterThan(before);
});

test("the kill switch halts, and a resume says why it is safe", async ({ page }) => {
  await page.goto(server.at("/paper"));
  const session = panel(page, "BTC/USD 1h");
  await confirmed(page, session, "Kill and close", "the walk looks at the switch");
  await expect(session.getByText("halted", { exact: true })).toBeVisible();
  await expect(session.getByRole("alert")).toContainText("the walk looks at the switch");
  await expect(figure(session, "Position")).toHaveText("0");
  await confirmed(page, session, "Resume", "it was the walk");
  await expect(session.getByText("halted", { exact: true })).toBeHidden();
  await confirmed(page, session, "Stop");
  await expect(session.getByText("ended", { exact: true })).toBeVisible();
});
