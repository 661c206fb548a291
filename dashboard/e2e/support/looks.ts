// What can be measured of how a page looks: nothing is cut, nothing overlaps, everything can be read.
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

/** Widths of a screen and of a phone, px. */
export const WIDTHS = [1280, 390] as const;
export const THEMES = ["light", "dark"] as const;
const HEIGHTS: Record<number, number> = { 1280: 900, 390: 844 };

/** Whatever lies beyond the edge, is cut, or lies over another text. */
export function faults(): string[] {
  const found: string[] = [];
  const name = (it: Element) => {
    const text = (it.textContent ?? "").trim().replace(/\s+/g, " ").slice(0, 40);
    return `${it.tagName.toLowerCase()}.${it.getAttribute("class") ?? ""} '${text}'`;
  };
  // On a phone a table's head is there for screen readers alone.
  const isUnseen = (it: Element) => (it.closest("thead")?.clientWidth ?? Number.POSITIVE_INFINITY) <= 1;
  const isShown = (it: Element) =>
    it.checkVisibility({ visibilityProperty: true, opacityProperty: true }) &&
    !it.closest(".unseen, .skip, svg, .chart") &&
    !isUnseen(it);
  const scrolls = (it: Element) => /auto|scroll/.test(getComputedStyle(it).overflowX);
  const inScroll = (it: Element | null): boolean => !!it && (scrolls(it) || inScroll(it.parentElement));
  if (document.documentElement.scrollWidth > window.innerWidth) {
    found.push(`the page is ${document.documentElement.scrollWidth} px wide on ${window.innerWidth}`);
  }
  for (const it of document.body.querySelectorAll("*")) {
    if (!isShown(it)) continue;
    const { left, right, width } = it.getBoundingClientRect();
    if (width > 0 && (right > window.innerWidth + 1 || left < -1) && !inScroll(it.parentElement)) {
      found.push(`beyond the edge: ${name(it)}`);
    }
    const style = getComputedStyle(it);
    const hides = style.overflowX === "hidden" || style.overflowX === "clip";
    const isCut = it.clientWidth > 1 && it.scrollWidth > it.clientWidth + 1;
    if (hides && isCut && it.textContent?.trim()) found.push(`cut: ${name(it)}`);
    const isControl = it instanceof HTMLButtonElement || it instanceof HTMLInputElement;
    if (isControl && isCut) found.push(`cut: ${name(it)}`);
  }
  return [...found, ...cutChoices(), ...overlaps(isShown, name)];

  /** A list shows what is chosen in one line, and tells nobody when that is too long. */
  function cutChoices(): string[] {
    const pen = document.createElement("canvas").getContext("2d");
    const arrow = 18;
    return [...document.querySelectorAll("select")].filter(isShown).flatMap((it) => {
      const { font, paddingLeft, paddingRight } = getComputedStyle(it);
      const text = it.selectedOptions[0]?.text ?? "";
      if (pen) pen.font = font;
      const needed = (pen?.measureText(text).width ?? 0) + arrow;
      const room = it.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight);
      return needed > room + 1 ? [`cut: select '${text}' needs ${needed} px of ${room}`] : [];
    });
  }

  function overlaps(shown: (it: Element) => boolean, called: (it: Element) => string): string[] {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts: { of: Element; box: DOMRect; layer: Element | null }[] = [];
    while (walker.nextNode()) {
      const of = walker.currentNode.parentElement;
      if (!of || !walker.currentNode.textContent?.trim() || !shown(of)) continue;
      if (of.closest("option")) continue;
      const range = document.createRange();
      range.selectNodeContents(walker.currentNode);
      const edge = of.closest(".scroll")?.getBoundingClientRect();
      for (const box of range.getClientRects()) {
        const isSeen = !edge || (box.right <= edge.right && box.left >= edge.left);
        if (isSeen) texts.push({ of, box, layer: of.closest(".nav, .pinned, dialog") });
      }
    }
    const over: string[] = [];
    texts.forEach((one, at) => {
      for (const other of texts.slice(at + 1)) {
        // What is fixed or in a dialog lies over the rest on purpose.
        if (one.of === other.of || one.layer !== other.layer) continue;
        const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
        const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
        if (across > 0 && down > 4) over.push(`overlap: ${called(one.of)} and ${called(other.of)}`);
      }
    });
    return over;
  }
}

/** Asserts that nothing is wrong with the layout as it is now. */
export async function expectWellLaidOut(page: Page, what: string) {
  expect.soft(await page.evaluate(faults), `the layout of ${what}`).toEqual([]);
}

/** Asserts that axe finds nothing serious: contrast, names of controls, roles. */
export async function expectAccessible(page: Page, what: string) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(
    (it) => `${it.id}: ${it.nodes.map((node) => `${node.html} ${node.failureSummary}`)}`,
  );
  expect.soft(told, `what axe says of ${what}`).toEqual([]);
}

export async function wear(page: Page, theme: (typeof THEMES)[number], width: number) {
  await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
  await page.setViewportSize({ width, height: HEIGHTS[width] ?? 900 });
}

/** Takes a picture in each theme and width, and measures each; what is asked of the server stays as it is. */
export async function portray(page: Page, name: string) {
  for (const theme of THEMES) {
    for (const width of WIDTHS) {
      await wear(page, theme, width);
      await expectWellLaidOut(page, `${name}, ${theme}, ${width} px`);
      // What is fixed at the bottom belongs there in the picture too.
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      await page.setViewportSize({ width, height });
      await page.screenshot({
        path: `e2e/screenshots/${name}-${theme}-${width}.png`,
        animations: "disabled",
      });
    }
    await expectAccessible(page, `${name}, ${theme}`);
  }
}
