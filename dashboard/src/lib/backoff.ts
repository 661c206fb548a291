/** Shortest wait before a connection is tried again, ms. */
export const FIRST_WAIT_MS = 500;
/** Longest wait, ms. */
export const LONGEST_WAIT_MS = 30_000;

/**
 * How long to wait before try number `attempt` (from 1), in ms. It doubles up to a limit; `random` (0 to 1) spreads it
 * over the upper half, so that many pages don't come back at the same moment.
 */
export function waitBefore(attempt: number, random: number): number {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, attempt - 1));
  return Math.round(most * (0.5 + random / 2));
}
