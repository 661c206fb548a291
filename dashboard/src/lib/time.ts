import { NONE } from "./format";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The moment of an RFC 3339 text; none where it is none. */
export function moment(text: string | null | undefined): number | null {
  const at = text ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : at;
}

/** A moment in the zone of whoever reads it. */
export function local(text: string | null | undefined): string {
  const at = moment(text);
  if (at === null) return NONE;
  return new Date(at).toLocaleString(navigator.language, {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
}

/** The same in UTC, to the second. */
export function utc(text: string | null | undefined): string {
  const at = moment(text);
  return at === null ? "" : `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** A length of time in at most two units: `2 d 3 h`, `5 min 12 s`. */
export function span(ms: number): string {
  const size = Math.max(0, Math.round(ms / 1000) * 1000);
  const units: [number, string][] = [
    [DAY_MS, "d"],
    [HOUR_MS, "h"],
    [MINUTE_MS, "min"],
    [1000, "s"],
  ];
  const first = units.findIndex(([unit]) => size >= unit);
  if (first < 0) return "0 s";
  const [large, small] = [units[first], units[first + 1]];
  if (!large) return "0 s";
  const count = Math.floor(size / large[0]);
  const rest = small ? Math.floor((size - count * large[0]) / small[0]) : 0;
  return rest > 0 && small ? `${count} ${large[1]} ${rest} ${small[1]}` : `${count} ${large[1]}`;
}

const UNITS: Record<string, number> = { s: 1000, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS };

/** When something is due, as the server writes it: `every 0.5m` is `every 30 s`, a cron expression stays as it is. */
export function recurrence(text: string | null | undefined): string {
  const [, count, unit] = /^every ([\d.]+)([smhd])$/.exec(text ?? "") ?? [];
  const ms = Number(count) * (UNITS[unit ?? ""] ?? Number.NaN);
  return ms > 0 ? `every ${span(ms)}` : text || NONE;
}

/** How far `text` is from `now`: `in 5 min`, `3 h ago`. */
export function distance(text: string | null | undefined, now: number): string {
  const at = moment(text);
  if (at === null) return NONE;
  return at > now ? `in ${span(at - now)}` : `${span(now - at)} ago`;
}
