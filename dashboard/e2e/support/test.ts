// Playwright's `test`, which fails when the page complains.
import { test as base, expect, type Page } from "@playwright/test";

export { expect, type Page };

interface Options {
  /** What the console may say, where a test breaks something on purpose. */
  allowed: RegExp;
}

const NOTHING = /(?!)/;
/** What a browser says of requests that fail: for tests in which they should. */
export const REFUSED = /Failed to load resource|WebSocket connection to/;

/** Keeps what a page complains of. */
export function complaints(page: Page, allowed: RegExp = NOTHING): string[] {
  const heard: string[] = [];
  const hear = (text: string) => {
    if (!allowed.test(text)) heard.push(text);
  };
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") hear(message.text());
  });
  page.on("pageerror", (error) => hear(String(error)));
  return heard;
}

export const test = base.extend<Options>({
  allowed: [NOTHING, { option: true }],
  page: async ({ page, allowed }, use) => {
    const heard = complaints(page, allowed);
    await use(page);
    expect(heard, "what the browser's console says").toEqual([]);
  },
});
