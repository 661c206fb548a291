// The page without a mouse.
import { Server } from "./support/server";
import { panel } from "./support/steps";
import { expect, type Page, test } from "./support/test";

let server: Server;
test.beforeAll(async () => {
  server = await Server.start();
});
test.afterAll(async () => server.end());

/** Longest way to a control, presses. */
const MOST_PRESSES = 60;

/** Presses Tab until the control with this name has the focus. */
async function tabTo(page: Page, role: string, name: string) {
  for (let presses = 0; presses < MOST_PRESSES; presses += 1) {
    await page.keyboard.press("Tab");
    const focused = page.locator("*:focus");
    const wanted = page.getByRole(role as "button", { name, exact: true });
    if ((await focused.count()) > 0 && (await focused.and(wanted).count()) > 0) return focused;
  }
  throw new Error(`${MOST_PRESSES} presses of Tab don't reach the ${role} '${name}'`);
}

test("the setup panel and a confirmed stop are done with the keyboard alone", async ({ page }) => {
  await page.goto(server.at("/continuous"));
  await expect(panel(page, "New schedule")).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "To the content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();

  await tabTo(page, "textbox", "Interval, hours");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("24");
  await tabTo(page, "textbox", "Window, bars");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("1500");
  await tabTo(page, "textbox", "Iterations of a cycle");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("4");
  const rules = await tabTo(page, "combobox", "Rules of promotion");
  await page.keyboard.press("ArrowDown");
  await expect(rules).toHaveValue("thresholds");
  const box = await tabTo(
    page,
    "checkbox",
    "Promote a model that may trade by itself; without this it is held for your approval",
  );
  await page.keyboard.press("Space");
  await expect(box).not.toBeChecked();
  await tabTo(page, "button", "Start continuous training");
  await page.keyboard.press("Enter");
  const status = panel(page, "btcusd");
  await expect(status.getByText("active", { exact: true })).toBeVisible();

  const stop = await tabTo(page, "button", "Stop");
  await expect(stop, "where the focus is can be seen").toHaveCSS("outline-style", "solid");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await expect(dialog).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(status.getByRole("button", { name: "Stop" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(dialog.locator("*:focus"), "nothing is done by pressing Enter twice").toHaveText("Leave it");
  await tabTo(page, "button", "Stop");
  await page.keyboard.press("Enter");
  await expect(status.getByText("stopped", { exact: true })).toBeVisible();
});

test("every page is reached by the sidebar's links", async ({ page }) => {
  await page.goto(server.at("/continuous"));
  await tabTo(page, "link", "Models");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Models", exact: true })).toBeVisible();
  await expect(page).toHaveTitle("Models · walkforward");
});
