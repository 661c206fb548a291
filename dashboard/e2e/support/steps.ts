// What somebody does on the pages, in the words of the pages.
import { expect, type Locator, type Page } from "@playwright/test";

/** A part of a page by its title. */
export function panel(page: Page, title: string | RegExp): Locator {
  return page.getByRole("region", { name: title });
}

/** The figure under a name, within `place`. */
export function figure(place: Locator, name: string): Locator {
  const term = place
    .page()
    .getByRole("term")
    .filter({ hasText: new RegExp(`^${name}$`) });
  return place.locator("dl > div").filter({ has: term }).getByRole("definition");
}

/** The rows of the table of cycles that say what came of one. */
export function cycles(page: Page): Locator {
  return panel(page, "Cycles")
    .getByRole("row")
    .filter({ has: page.getByRole("button") });
}

/** What a schedule is asked for. */
export interface Wanted {
  base?: string;
  /** Seconds from cycle to cycle. */
  seconds: number;
  iterations: number;
}

/** Fills in the setup panel and sends it. */
export async function startContinuous(page: Page, { base, seconds, iterations }: Wanted) {
  const setup = panel(page, "New schedule");
  if (base) await setup.getByLabel("Base experiment").selectOption({ label: base });
  await setup.getByLabel("Interval, hours").fill(String(seconds / 3600));
  await setup.getByLabel("Window, bars").fill("1500");
  await setup.getByLabel("Iterations of a cycle").fill(String(iterations));
  await setup.getByLabel("Rules of promotion").selectOption("thresholds");
  await setup.getByRole("button", { name: "Start continuous training" }).click();
  await expect(setup).toBeHidden();
}

/** Starts a trader on made-up bars, `speed` times faster than the clock. */
export async function startOnPaper(page: Page, speed: number) {
  await page.getByRole("button", { name: "Start on paper" }).click();
  const start = panel(page, "Start on paper");
  await start.getByLabel("Bars").selectOption("synthetic");
  await start.getByLabel("Speed").fill(String(speed));
  await start.getByRole("button", { name: "Start", exact: true }).click();
  await expect(start).toBeHidden();
}

/** Presses a button that asks first, and confirms, with a reason where one is wanted. */
export async function confirmed(page: Page, place: Locator, name: string, reason?: string) {
  await place.getByRole("button", { name, exact: true }).click();
  const dialog = page.getByRole("dialog");
  if (reason) await dialog.getByLabel("Reason").fill(reason);
  await dialog.getByRole("button", { name, exact: true }).click();
  await expect(dialog).toBeHidden();
}
