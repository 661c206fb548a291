import { type Resource, resource } from "./resource";

/** Where the next page begins, as the server says it. */
export type Before = string | number;

/** A list that is read page by page, newest first. */
export interface Page<T> {
  rows: T[];
  /** What the next page begins before; none when there is no more. */
  next: Before | null;
}

/** Most rows that are kept of a list. */
const MOST_ROWS = 2_000;

/**
 * What is known of a list after its first page was read again: the rows behind it stay. Where the page does not reach what was
 * known, there may be rows between them, and only the page is known.
 */
export function joined<T>(known: Page<T> | undefined, first: Page<T>, idOf: (row: T) => Before): Page<T> {
  const last = first.rows.at(-1);
  if (!known || last === undefined || first.next === null) return first;
  const at = known.rows.findIndex((row) => idOf(row) === idOf(last));
  if (at < 0 || at === known.rows.length - 1) return first;
  return { rows: [...first.rows, ...known.rows.slice(at + 1)], next: known.next };
}

/** A page with the one behind it. */
export function extended<T>(known: Page<T>, more: Page<T>, idOf: (row: T) => Before): Page<T> {
  const ids = new Set(known.rows.map(idOf));
  const rows = [...known.rows, ...more.rows.filter((row) => !ids.has(idOf(row)))];
  return { rows: rows.slice(0, MOST_ROWS), next: rows.length >= MOST_ROWS ? null : more.next };
}

/** Lists that `ask` answers page by page for each key. */
export function paged<T>(
  ask: (key: string, before?: Before) => Promise<Page<T>>,
  idOf: (row: T) => Before,
): { list: Resource<Page<T>>; older: (key: string) => Promise<void> } {
  const list: Resource<Page<T>> = resource(async (key) => {
    const first = await ask(key);
    return joined(list.getState().entries[key]?.data, first, idOf);
  });
  const older = async (key: string) => {
    const next = list.getState().entries[key]?.data?.next;
    if (next === null || next === undefined) return;
    const more = await ask(key, next);
    // The first page may have been read again meanwhile, and another row be the last one.
    list.getState().patch(key, (known) => (known.next === next ? extended(known, more, idOf) : known));
  };
  return { list, older };
}
