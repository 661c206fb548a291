// What every page shows while there is nothing, nothing yet, no answer, a bad answer, or no server.
import { expectWellLaidOut, portray } from "./support/looks";
import { settled, sidebar, visit } from "./support/pages";
import { Server } from "./support/server";
import { expect, type Page, REFUSED, test } from "./support/test";

test.use({ allowed: REFUSED });

let server: Server;
test.beforeAll(async () => {
  server = await Server.start();
});
test.afterAll(async () => server.end());

const called = (path: string) => path.slice(1);

/** Everything that pages ask for, but what the page itself is made of. */
const ASKED = "**/api/**";

async function begin(page: Page): Promise<string[]> {
  await page.goto(server.at("/nowhere"));
  await expect(page.getByText("There is no such page")).toBeVisible();
  return sidebar(page);
}

test("empty: each page says what to do", async ({ page }) => {
  for (const path of await begin(page)) {
    await visit(page, path);
    await settled(page);
    await expect(page.getByRole("alert")).toHaveCount(0);
    await portray(page, `empty-${called(path)}`);
  }
});

test("loading: each page shows that it waits", async ({ page }) => {
  const paths = await begin(page);
  await page.route(ASKED, () => {
    // No answer.
  });
  for (const path of paths) {
    await visit(page, path);
    await expect(page.getByRole("status", { name: "Loading" }).first()).toBeVisible();
    await portray(page, `loading-${called(path)}`);
  }
  await page.unrouteAll({ behavior: "ignoreErrors" });
});

test("error: each page says what went wrong, and tries again when it is told to", async ({ page }) => {
  const paths = await begin(page);
  const title = "It may work later";
  await page.route(ASKED, (route) =>
    route.fulfill({
      status: 503,
      contentType: "application/problem+json",
      body: JSON.stringify({ type: "about:blank", title, status: 503, detail: "the database is held" }),
    }),
  );
  for (const path of paths) {
    await visit(page, path);
    await expect(page.getByRole("alert").first()).toContainText(title);
    await portray(page, `error-${called(path)}`);
  }
  await visit(page, "/continuous");
  await expect(page.getByRole("alert")).toContainText(title);
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("No schedule yet")).toBeVisible();
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("an act that fails says so where it was asked for", async ({ page }) => {
  await page.goto(server.at("/experiments"));
  await page.getByRole("button", { name: "New training" }).click();
  await page.getByLabel("Iterations").fill("-3");
  await page.getByRole("button", { name: "Start training" }).click();
  await expect(page.getByRole("alert")).toContainText("iterations");
  await expect(page.getByRole("button", { name: "Start training" })).toBeEnabled();
  await expectWellLaidOut(page, "a refused training");
});

test("the token page", async ({ page }) => {
  await page.goto(`${server.origin}/continuous`);
  await expect(page.getByRole("heading", { name: "A token is needed" })).toBeVisible();
  await portray(page, "token");
});

test("disconnected: each page says so and goes on by itself", async ({ page }) => {
  const paths = await begin(page);
  for (const path of paths) await visit(page, path);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await server.stop("SIGKILL");
  await expect(page.getByText("Reconnecting.")).toBeVisible();
  for (const path of paths) {
    await visit(page, path);
    await portray(page, `disconnected-${called(path)}`);
  }
  await server.again();
  await page.getByRole("button", { name: "Try now" }).click();
  await expect(page.getByText("Reconnecting.")).toBeHidden();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
});
