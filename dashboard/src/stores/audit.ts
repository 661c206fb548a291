import { get, query } from "../api/client";
import type { Act, Chain } from "../api/types";
import { type Before, type Page, paged } from "./paged";
import { resource } from "./resource";

/** Acts of a page that is shown. */
const PAGE = 50;
/** Acts that are asked for at once for a file. */
const FILE_PAGE = 1_000;
/** Most pages of a file: a hundred thousand acts. `orchestrate audit export` has no bound. */
const MOST_FILE_PAGES = 100;

async function ask(search: string, limit: number, before?: Before): Promise<Page<Act>> {
  const path = `/api/audit${query({ search: search || undefined, limit, before })}`;
  const page = await get<{ acts: Act[]; next_before?: number | null }>(path);
  return { rows: page.acts, next: page.next_before ?? null };
}

/** What people did, newest first, by words that stand in it; all under the key "". */
export const { list: useActs, older: olderActs } = paged<Act>(
  (search, before) => ask(search, PAGE, before),
  (act) => act.seq,
);

/** Whether the record of acts is as it was written, under the key "all". */
export const useChain = resource<Chain>(() => get<Chain>("/api/audit/check"));

/** All acts as JSON lines, oldest first, and whether older ones were left out. */
export async function exported(): Promise<{ text: string; isCut: boolean }> {
  const acts: Act[] = [];
  let before: Before | undefined;
  for (let page = 0; page < MOST_FILE_PAGES; page += 1) {
    const { rows, next } = await ask("", FILE_PAGE, before);
    acts.push(...rows);
    if (next === null) return { text: lines(acts), isCut: false };
    before = next;
  }
  return { text: lines(acts), isCut: true };
}

const lines = (acts: Act[]) =>
  acts
    .reverse()
    .map((act) => `${JSON.stringify(act)}\n`)
    .join("");
