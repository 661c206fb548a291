// A server that goes and comes back under an open page.
import type { Page } from "@playwright/test";
import { Server, until } from "./support/server";
import { cycles, panel } from "./support/steps";
import { expect, REFUSED, test } from "./support/test";

test.describe.configure({ mode: "serial" });
test.use({ allowed: REFUSED });

let server: Server;
test.beforeAll(async () => {
  server = await Server.start();
  const often = { interval_hours: 2 / 3600, iterations_per_cycle: 4, window_candles: 1500 };
  await server.api("/api/continuous/start", { symbol: "BTC/USD", ...often, preset: "thresholds" });
});
test.afterAll(async () => server.end());

interface Told {
  seq: number;
  type: string;
}

/** Collects the state changes that the page's sockets are told. */
function listen(page: Page): Told[] {
  const told: Told[] = [];
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => {
      for (const message of JSON.parse(String(payload))) {
        const isChange = message.volatile !== true && !["welcome", "error"].includes(message.type);
        if (isChange) told.push({ seq: message.seq, type: message.type });
      }
    }),
  );
  return told;
}

/** The state changes that the server has kept, behind `after`. */
async function kept(after: number): Promise<Told[]> {
  const { events } = await server.api<{ events: Told[] }>(`/api/events?after=${after}&limit=1000`);
  return events.map(({ seq, type }) => ({ seq, type }));
}

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`a page comes back and catches up when its server ends by ${signal}`, async ({ page }) => {
    const told = listen(page);
    await page.goto(server.at("/continuous"));
    await expect(page.getByText("Live", { exact: true })).toBeVisible();
    await expect.poll(() => told.length).toBeGreaterThan(4);
    const before = await cycles(page).count();

    await server.stop(signal);
    await expect(page.getByText("Reconnecting.")).toBeVisible();
    await expect(page.getByText("Disconnected", { exact: true })).toBeVisible();
    await expect(cycles(page).first(), "what was known stays").toBeVisible();
    // Something happens that the page can't hear: the server runs cycles before it is tried again.
    await page.context().setOffline(true);
    await server.again();
    const behind = told.at(-1)?.seq ?? 0;
    await until("a cycle that the page has not heard of", async () =>
      (await kept(behind)).some(({ type }) => type === "continuous_cycle_complete"),
    );
    await page.context().setOffline(false);
    await expect(page.getByText("Live", { exact: true })).toBeVisible();
    await expect(page.getByText("Reconnecting.")).toBeHidden();

    await server.api("/api/continuous/pause", {});
    await expect(panel(page, "btcusd").getByText("paused", { exact: true })).toBeVisible();
    await expectAllTold(told);
    await expectEachCycleOnce(page, before);
    await server.api("/api/continuous/resume", {});
  });
}

/** Every state change came once, in order, and none was left out. */
async function expectAllTold(told: Told[]) {
  const first = told[0]?.seq ?? 0;
  const behind = (await kept(first - 1)).filter(({ seq }) => seq > first);
  const last = behind.at(-1)?.seq ?? 0;
  await expect.poll(() => told.at(-1)?.seq).toBeGreaterThanOrEqual(last);
  expect(told.filter(({ seq }) => seq > first && seq <= last)).toEqual(behind);
}

/** The history has a row for each cycle of the server, and each once. */
async function expectEachCycleOnce(page: Page, before: number) {
  const { cycles: all } = await server.api<{ cycles: { cycle_number: number }[] }>("/api/continuous/history");
  const wanted = all.map(({ cycle_number: number }) => String(number));
  const shown = () => cycles(page).locator("td:first-child").allTextContents();
  await expect.poll(shown).toEqual(wanted);
  expect(wanted.length).toBeGreaterThan(before);
}
