// Who has no token, an old one, or one for looking only.
import { Server } from "./support/server";
import { confirmed, panel, startContinuous } from "./support/steps";
import { expect, REFUSED, test } from "./support/test";

test.describe.configure({ mode: "serial" });
test.use({ allowed: REFUSED });

let server: Server;
test.beforeAll(async () => {
  server = await Server.start();
});
test.afterAll(async () => server.end());

test("without a token the page asks for one and takes the whole link", async ({ page }) => {
  await page.goto(`${server.origin}/experiments`);
  await expect(page.getByRole("heading", { name: "A token is needed" })).toBeVisible();
  const field = page.getByLabel("Token, or the whole link");
  await field.fill("not the token of this server at all");
  await field.press("Enter");
  await expect(page.getByRole("heading", { name: /no longer|expired/ })).toBeVisible();
  await field.fill(server.link);
  await page.getByRole("button", { name: "Open", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Experiments" }), "it goes on where it was").toBeVisible();
  await expect(page).toHaveURL(`${server.origin}/experiments`);
});

test("a token that was replaced brings the token page, and a new one goes on where it was", async ({
  page,
}) => {
  await page.goto(server.at("/models"));
  await expect(page.getByRole("heading", { name: "Models", exact: true })).toBeVisible();
  await server.withNewTokens();
  await expect(page.getByRole("heading", { name: "This link has expired" })).toBeVisible();
  await expect(page.getByRole("navigation")).toBeHidden();
  await page.getByLabel("Token, or the whole link").fill(server.token());
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Models", exact: true })).toBeVisible();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await expect(page).toHaveURL(`${server.origin}/models`);
});

test("a new link in a tab that is open takes the place of the old token", async ({ page }) => {
  await page.goto(`${server.origin}/data#token=an-old-token-that-nobody-takes-any-more`);
  await expect(page.getByRole("heading", { name: "This link has expired" })).toBeVisible();
  await page.goto(server.at("/data"));
  await expect(page.getByRole("heading", { name: "Data", exact: true })).toBeVisible();
});

test("a token that may only look sees everything and is refused in words", async ({ page }) => {
  await page.goto(server.at("/continuous"));
  await startContinuous(page, { seconds: 3600, iterations: 4 });
  await page.evaluate((token) => localStorage.setItem("walkforward.token", token), server.token("read"));
  await page.reload();
  const status = panel(page, "btcusd");
  await expect(status.getByText("active", { exact: true })).toBeVisible();
  await status.getByRole("button", { name: "Pause" }).click();
  await expect(status.getByRole("alert")).toContainText("trade");
  await status.getByRole("button", { name: "Stop" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Stop" }).click();
  await expect(dialog.getByRole("alert")).toContainText("trade");
  await dialog.getByRole("button", { name: "Leave it" }).click();
  await expect(status.getByText("active", { exact: true })).toBeVisible();
  await page.goto(server.at("/continuous"));
  await confirmed(page, status, "Stop");
  await expect(status.getByText("stopped", { exact: true })).toBeVisible();
});
