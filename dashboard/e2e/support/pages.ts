// The pages of the sidebar, and when each is there.
import { expect, type Page } from "@playwright/test";

/** The addresses of the sidebar, as the page itself has them. */
export async function sidebar(page: Page): Promise<string[]> {
  const links = page.getByRole("navigation", { name: "Pages" }).getByRole("link");
  await expect(links.first()).toBeVisible();
  return links.evaluateAll((all) => all.map((it) => it.getAttribute("href") ?? ""));
}

/** Goes to a page by its link in the sidebar, as a person does: nothing is loaded anew. */
export async function visit(page: Page, path: string) {
  await page.locator(`.nav a[href="${path}"]`).click();
  await expect(page.locator("main h1")).toBeVisible();
}

/** Waits until nothing is awaited any more, and every chart is drawn. */
export async function settled(page: Page) {
  await expect(page.locator(".ghost")).toHaveCount(0);
}
